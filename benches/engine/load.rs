//! A load on the JSON API: a set number of connections that are kept, each with one request under
//! way at all times, and the exact time of each answer.

use std::{
    io::{BufRead, stdin},
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime,
    task::JoinSet,
};

/// As many threads as pgbench is given.
const THREADS: usize = 2;
/// Statements are prepared and pages read before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);

/// Asks for tokens in a mixed order. Fails when an answer is no token.
pub fn run(address: SocketAddr, key: &str, connections: usize, seconds: u64) -> anyhow::Result<()> {
    let ids: Arc<[String]> = stdin().lock().lines().collect::<Result<_, _>>()?;
    ensure!(!ids.is_empty(), "no ids on standard input");
    let begin = Instant::now() + WARM_UP;
    let end = begin + Duration::from_secs(seconds);
    let drive = |first: usize| -> anyhow::Result<Vec<f64>> {
        runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
            let mut callers = JoinSet::new();
            for number in (first..connections).step_by(THREADS) {
                let mut requests = Requests::new(number, address, key, ids.clone());
                callers.spawn(async move {
                    let mut connection = Connection::open(address).await?;
                    let mut times = Vec::new();
                    while Instant::now() < end {
                        let sent = Instant::now();
                        connection.ask(requests.next()).await?;
                        let heard = Instant::now();
                        if (begin..end).contains(&heard) {
                            times.push((heard - sent).as_secs_f64() * 1_000_000.0);
                        }
                    }
                    anyhow::Ok(times)
                });
            }
            let times: anyhow::Result<Vec<Vec<f64>>> =
                callers.join_all().await.into_iter().collect();
            Ok(times?.concat())
        })
    };
    let mut times = thread::scope(|scope| -> anyhow::Result<Vec<f64>> {
        let threads: Vec<_> =
            (0..THREADS).map(|number| scope.spawn(move || drive(number))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
        }
        Ok(all)
    })?;
    times.sort_by(f64::total_cmp);
    let rate = times.len() as f64 / (end - begin).as_secs_f64();
    let within = |part: f64| times.get((times.len() as f64 * part) as usize).copied();
    let (median, tail) = within(0.5).zip(within(0.99)).context("nothing was answered")?;
    println!("{rate} {median} {tail}");
    Ok(())
}

/// Lets `count` callers ask for the token of one connection, each over a connection of its own.
pub fn crowd(addresses: &[SocketAddr], key: &str, id: &str, count: usize) -> anyhow::Result<()> {
    runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let mut connections = Vec::with_capacity(count);
        for address in addresses.iter().cycle().take(count) {
            connections.push((Connection::open(*address).await?, request(*address, key, id)));
        }
        let mut callers = JoinSet::new();
        for (mut connection, request) in connections {
            callers.spawn(async move { connection.ask(&request).await.map(str::to_owned) });
        }
        let answers: anyhow::Result<Vec<String>> = callers.join_all().await.into_iter().collect();
        let mut answers = answers?;
        answers.sort();
        answers.dedup();
        println!("{}", answers.len());
        Ok(())
    })
}

/// Requests for tokens, in an order that is the same each time.
struct Requests {
    state: u64,
    head: String,
    tail: String,
    ids: Arc<[String]>,
    text: String,
}

impl Requests {
    fn new(number: usize, address: SocketAddr, key: &str, ids: Arc<[String]>) -> Self {
        let whole = request(address, key, "\n");
        let (head, tail) = whole.split_once('\n').unwrap_or_default();
        Self {
            state: 0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1),
            head: head.into(),
            tail: tail.into(),
            ids,
            text: String::new(),
        }
    }

    fn next(&mut self) -> &str {
        // xorshift64 (Marsaglia 2003).
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let id = &self.ids[self.state as usize % self.ids.len()];
        self.text.clear();
        for part in [&self.head, id, &self.tail] {
            self.text.push_str(part);
        }
        &self.text
    }
}

fn request(address: SocketAddr, key: &str, id: &str) -> String {
    format!(
        "GET /api/v1/connections/{id}/token HTTP/1.1\r\nhost: {address}\r\n\
         authorization: Bearer {key}\r\n\r\n"
    )
}

/// A kept connection with at most one request under way.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    /// The body of the answer. One that is no token is an error.
    async fn ask(&mut self, request: &str) -> anyhow::Result<&str> {
        self.stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "regrant closed a connection");
            filled += read;
            if is_whole(std::str::from_utf8(&self.buffer[..filled])?)? {
                break;
            }
        }
        let text = std::str::from_utf8(&self.buffer[..filled])?;
        let (head, body) = text.split_once("\r\n\r\n").context("an answer without a body")?;
        if !head.starts_with("HTTP/1.1 200 ") || !body.contains("\"access_token\":\"") {
            bail!("regrant answered {text}");
        }
        Ok(body)
    }
}

fn is_whole(text: &str) -> anyhow::Result<bool> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(false) };
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .context("an answer without its length")?;
    Ok(body.len() >= length)
}
