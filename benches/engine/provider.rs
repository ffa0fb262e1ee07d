//! A provider that does nothing but answer refreshes after a set time. It rotates each refresh token
//! and notes when one comes twice: speed that is bought by breaking that rule counts for nothing.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Each connection has a thread; there is little for it to do.
const STACK: usize = 128 * 1024;

/// How it behaves.
#[derive(Clone, Copy, clap::Args)]
pub struct Manner {
    /// How long it takes to answer
    #[arg(long)]
    delay_ms: u64,
    /// How long its tokens live, in seconds
    #[arg(long, default_value_t = 3600)]
    lifetime: u64,
}

struct State {
    manner: Manner,
    answered: AtomicU64,
    /// Refresh tokens that came twice, and requests that made no sense.
    faults: AtomicU64,
    /// The newest generation that each grant was given.
    newest: Mutex<HashMap<String, u64>>,
}

/// Answers until the process ends. A GET of anything gives how many it answered, and how many faults it
/// saw.
pub fn serve(manner: &Manner) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/token", listener.local_addr()?);
    let state = Arc::new(State {
        manner: *manner,
        answered: AtomicU64::new(0),
        faults: AtomicU64::new(0),
        newest: Mutex::default(),
    });
    for stream in listener.incoming() {
        let (stream, state) = (stream?, state.clone());
        let talk = move || drop(talk(stream, &state));
        thread::Builder::new().stack_size(STACK).spawn(talk)?;
    }
    Ok(())
}

fn talk(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let began = Instant::now();
        let is_refresh = line.starts_with("POST ");
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        let answer = match is_refresh {
            true => {
                let answer = refresh(&String::from_utf8_lossy(&body), state);
                let delay = Duration::from_millis(state.manner.delay_ms);
                thread::sleep(delay.saturating_sub(began.elapsed()));
                answer
            }
            false => {
                let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
                response("200 OK", &format!("{} {}", count(&state.answered), count(&state.faults)))
            }
        };
        writer.write_all(answer.as_bytes())?;
    }
}

fn refresh(form: &str, state: &State) -> String {
    // Sample tokens end in a dot and their generation, and need no escaping.
    let token = form.split('&').find_map(|pair| pair.strip_prefix("refresh_token="));
    let grant = token.and_then(|token| token.rsplit_once('.'));
    let grant = grant.and_then(|(grant, text)| Some((grant, text.parse::<u64>().ok()?)));
    let Some((grant, generation)) = grant else {
        state.faults.fetch_add(1, Ordering::Relaxed);
        return response("400 Bad Request", r#"{"error":"invalid_request"}"#);
    };
    let next = generation + 1;
    let mut newest = state.newest.lock().unwrap_or_else(PoisonError::into_inner);
    let known = newest.insert(grant.to_owned(), next).unwrap_or(generation);
    drop(newest);
    if known != generation {
        state.faults.fetch_add(1, Ordering::Relaxed);
        return response("400 Bad Request", r#"{"error":"invalid_grant"}"#);
    }
    state.answered.fetch_add(1, Ordering::Relaxed);
    let access = format!("bench-access-{grant}-{next}-0123456789abcdefghijklmnopqrstuvwxyz");
    let lifetime = state.manner.lifetime;
    response(
        "200 OK",
        &format!(
            r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"{grant}.{next}"}}"#
        ),
    )
}

fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
