//! Listening, and the one thing a router cannot do: closing the connection without an answer.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::Sandbox;
use crate::server::clock::{Clock, Rng};

/// A sandbox that is being served. Stops when it is dropped.
pub struct Running {
    /// The issuer: where it is reached.
    pub url: String,
    pub sandbox: Sandbox,
    stop: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Stops listening, lets held requests go and waits until all connections are closed. What
    /// was granted stays in [`Sandbox`], which can be served again with [`serve_on`].
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        self.sandbox.control().release();
        // An error of the accept loop or its end by force: the listener is gone either way.
        let _ = (&mut self.task).await;
    }

    /// Waits until the server has ended, which it does only on an error or a shutdown.
    pub async fn wait(mut self) -> io::Result<()> {
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Binds and serves a new sandbox until the handle is dropped. `listen` may have port 0.
pub async fn serve(
    listen: SocketAddr,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
) -> io::Result<Running> {
    let listener = TcpListener::bind(listen).await?;
    let bound = listener.local_addr()?;
    let ip = bound.ip();
    let host = if ip.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { ip };
    let url = format!("http://{}", SocketAddr::new(host, bound.port()));
    Ok(serve_on(listener, Sandbox::new(&url, clock, rng)))
}

/// Serves a sandbox on a listener of the caller's.
pub fn serve_on(listener: TcpListener, sandbox: Sandbox) -> Running {
    let stop = CancellationToken::new();
    let app = sandbox.router().into_make_service_with_connect_info::<Wire>();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        axum::serve(CuttableListener(listener), app).with_graceful_shutdown(stopped).await
    });
    Running { url: sandbox.url().to_owned(), sandbox, stop, task }
}

/// One connection's scissors.
#[derive(Clone, Default)]
pub(super) struct Wire(Arc<AtomicBool>);

impl Wire {
    /// From now on nothing is written: the server closes the connection instead of answering.
    pub fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().wire.clone()
    }
}

struct CuttableListener(TcpListener);

impl Listener for CuttableListener {
    type Io = Cuttable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cuttable, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.0).await;
        (Cuttable { stream, wire: Wire::default() }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct Cuttable {
    stream: TcpStream,
    wire: Wire,
}

impl Cuttable {
    fn check(&self) -> io::Result<()> {
        if self.wire.0.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
