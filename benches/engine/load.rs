//! A load on the product: a set number of connections that are kept, each with one request under way
//! at all times, and the exact time of each answer.

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

/// What is asked, and how.
#[derive(clap::Args)]
pub struct Plan {
    address: SocketAddr,
    /// A header that goes with each request: who asks
    #[arg(long)]
    header: String,
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    seconds: u64,
    /// A text that each answer has to hold
    #[arg(long)]
    holds: String,
    /// Tell of so many paths by themselves, those with the slowest answers
    #[arg(long, default_value_t = 0)]
    slowest: usize,
}

/// Asks for paths, which stand on standard input, in a mixed order. Fails when an answer is no success.
pub fn run(plan: &Plan) -> anyhow::Result<()> {
    let Plan { address, connections, .. } = *plan;
    let paths: Arc<[String]> = stdin().lock().lines().collect::<Result<_, _>>()?;
    ensure!(!paths.is_empty(), "no paths on standard input");
    let begin = Instant::now() + WARM_UP;
    let end = begin + Duration::from_secs(plan.seconds);
    let drive = |first: usize| -> anyhow::Result<Vec<(usize, f64)>> {
        runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
            let mut callers = JoinSet::new();
            for number in (first..connections).step_by(THREADS) {
                let mut requests = Requests::new(number, plan, paths.clone());
                let holds = plan.holds.clone();
                callers.spawn(async move {
                    let mut connection = Connection::open(address).await?;
                    let mut times = Vec::new();
                    while Instant::now() < end {
                        let sent = Instant::now();
                        let (path, request) = requests.next();
                        connection.ask(request, &holds).await?;
                        let heard = Instant::now();
                        if (begin..end).contains(&heard) {
                            times.push((path, (heard - sent).as_secs_f64() * 1_000_000.0));
                        }
                    }
                    anyhow::Ok(times)
                });
            }
            let times: anyhow::Result<Vec<Vec<(usize, f64)>>> =
                callers.join_all().await.into_iter().collect();
            Ok(times?.concat())
        })
    };
    let times = thread::scope(|scope| -> anyhow::Result<Vec<(usize, f64)>> {
        let threads: Vec<_> =
            (0..THREADS).map(|number| scope.spawn(move || drive(number))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
        }
        Ok(all)
    })?;
    let rate = times.len() as f64 / (end - begin).as_secs_f64();
    let (median, tail) =
        quantiles(times.iter().map(|(_, time)| *time)).context("nothing was answered")?;
    println!("{rate} {median} {tail}");
    tell_slowest(&times, &paths, plan.slowest);
    Ok(())
}

/// The median, and what 99 of 100 do not exceed.
fn quantiles(times: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let within = |part: f64| times.get((times.len() as f64 * part) as usize).copied();
    within(0.5).zip(within(0.99))
}

fn tell_slowest(times: &[(usize, f64)], paths: &[String], most: usize) {
    if most == 0 {
        return;
    }
    let mut by_path = vec![Vec::new(); paths.len()];
    for (path, time) in times {
        by_path[*path].push(*time);
    }
    let mut told: Vec<_> = by_path
        .into_iter()
        .zip(paths)
        .filter_map(|(times, path)| Some((quantiles(times.into_iter())?, path)))
        .collect();
    told.sort_by(|((one, _), _), ((other, _), _)| other.total_cmp(one));
    for ((median, tail), path) in told.into_iter().take(most) {
        println!("{median} {tail} {path}");
    }
}

/// What a token's answer holds.
const TOKEN: &str = "\"access_token\":\"";

/// Lets `count` callers ask for the token of one connection, each over a connection of its own.
pub fn crowd(addresses: &[SocketAddr], key: &str, id: &str, count: usize) -> anyhow::Result<()> {
    runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let mut connections = Vec::with_capacity(count);
        for address in addresses.iter().cycle().take(count) {
            let path = format!("/api/v1/connections/{id}/token");
            let request = request(*address, &format!("authorization: Bearer {key}"), &path);
            connections.push((Connection::open(*address).await?, request));
        }
        let mut callers = JoinSet::new();
        for (mut connection, request) in connections {
            callers.spawn(async move { connection.ask(&request, TOKEN).await.map(str::to_owned) });
        }
        let answers: anyhow::Result<Vec<String>> = callers.join_all().await.into_iter().collect();
        let mut answers = answers?;
        answers.sort();
        answers.dedup();
        println!("{}", answers.len());
        Ok(())
    })
}

/// Requests in an order that is the same each time.
struct Requests {
    state: u64,
    head: String,
    tail: String,
    paths: Arc<[String]>,
    text: String,
}

impl Requests {
    fn new(number: usize, plan: &Plan, paths: Arc<[String]>) -> Self {
        let whole = request(plan.address, &plan.header, "\0");
        let (head, tail) = whole.split_once('\0').unwrap_or_default();
        Self {
            state: 0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1),
            head: head.into(),
            tail: tail.into(),
            paths,
            text: String::new(),
        }
    }

    /// The place of the path among all, and what is sent.
    fn next(&mut self) -> (usize, &str) {
        // xorshift64 (Marsaglia 2003).
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let place = self.state as usize % self.paths.len();
        self.text.clear();
        for part in [&self.head, &self.paths[place], &self.tail] {
            self.text.push_str(part);
        }
        (place, &self.text)
    }
}

fn request(address: SocketAddr, header: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{header}\r\n\r\n")
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

    /// The body of the answer. One that is no success, or does not hold this text, is an error.
    async fn ask(&mut self, request: &str, holds: &str) -> anyhow::Result<&str> {
        self.stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        let body = loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "regrant closed a connection");
            filled += read;
            if let Some(body) = whole(&self.buffer[..filled])? {
                break body;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..filled])?;
        if !text.starts_with("HTTP/1.1 200 ") || !text[body..].contains(holds) {
            bail!("regrant answered {text}");
        }
        Ok(&text[body..])
    }
}

/// Where an answer's body begins, once all of it is there: as long as it says, or with its last chunk. One
/// pass over the head: what this takes of the processors the server does not get.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let (mut at, mut length, mut is_chunked) = (0, None, false);
    loop {
        let Some(end) = bytes[at..].iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = bytes[at..at + end].trim_ascii_end();
        at += end + 1;
        if line.is_empty() {
            break;
        }
        if let Some(value) = value_of(line, b"content-length:") {
            length = Some(std::str::from_utf8(value)?.parse::<usize>()?);
        } else if let Some(value) = value_of(line, b"transfer-encoding:") {
            is_chunked = value.eq_ignore_ascii_case(b"chunked");
        }
    }
    let body = &bytes[at..];
    let is_whole = match is_chunked {
        true => body.ends_with(b"\r\n0\r\n\r\n"),
        false => body.len() >= length.context("an answer without its length")?,
    };
    Ok(is_whole.then_some(at))
}

/// The value in a line of a head, if it is the header of this name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, value) = line.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
