//! A file whose sender must not fall silent: whoever reads it has a thread that others wait for.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Sleep, sleep},
};

/// A stream that ends in an error when somebody waited for it in vain for too long. How long it waits
/// to be read does not count.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            this.waiting = None;
            return Poll::Ready(read);
        }
        let patience = this.patience;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        this.waiting = None;
        let why = format!("nothing more of the file came for {} seconds", patience.as_secs());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_sender_that_falls_silent_is_given_up() {
        let (mut sender, stream) = duplex(64);
        let mut stream = Patient::new(stream, Duration::from_millis(1));
        let mut bytes = [0; 2];
        sender.write_all(b"ab").await.unwrap();
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ab");
        let error = stream.read(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn one_that_comes_on_is_read_to_its_end() {
        let (mut sender, stream) = duplex(1);
        let mut stream = Patient::new(stream, Duration::from_secs(3600));
        let send = async move { sender.write_all(b"abcd").await };
        let mut all = Vec::new();
        let (sent, read) = tokio::join!(send, stream.read_to_end(&mut all));
        sent.unwrap();
        assert_eq!((read.unwrap(), all.as_slice()), (4, b"abcd".as_slice()));
    }
}
