//! Imports many connections into the release build, on a PostgreSQL that loses nothing: how many rows
//! a second, and what the server holds meanwhile, against their limits.

use std::io::{BufWriter, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::postgres::{Postgres, Settings};
use crate::server::{self, Server};

const ROWS: usize = 100_000;
/// Rows a second, on two cores.
const SPEED_LIMIT: f64 = 5000.0;
/// Megabytes that the server may grow by, however long the file is.
const GROWTH_LIMIT: f64 = 64.0;
/// An access token as many providers make them, a JWT, is sealed and stored whole.
const ACCESS_TOKEN_BYTES: usize = 700;
const REFRESH_TOKEN_BYTES: usize = 120;
/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(600);

type Rows = fn(&mut dyn Write, std::ops::Range<usize>) -> io::Result<()>;

pub fn run(args: &[String]) -> Result<ExitCode> {
    let rows = match args {
        [] => ROWS,
        [rows] => rows.parse().context("ROWS is no number")?,
        _ => bail!("`bench-import` takes a number of rows and nothing else"),
    };
    let data_dir = env::temp_dir().join(format!("regrant-bench-{}", std::process::id()));
    let cluster = Postgres::start_with(&data_dir, Settings::default())?;
    let kept = measure(rows, &data_dir, &cluster.url());
    cluster.stop()?;
    fs::remove_dir_all(&data_dir)?;
    Ok(if kept? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says whether the limits are kept.
fn measure(rows: usize, data_dir: &Path, url: &str) -> Result<bool> {
    let mut make_key = server::command(data_dir, Some(url));
    make_key.args(["api-key", "create", "--name", "bench"]);
    let made = make_key.args(["--scope", "connections:write", "clients:write"]).output()?;
    ensure!(made.status.success(), "no API key could be made");
    let key = String::from_utf8(made.stdout)?.trim().to_owned();

    let server = Server::start(data_dir, Some(url))?;
    let to = Api { address: &server.address, key };
    let client = json!({
        "provider": "hubspot", "name": "bench", "oauth_client_id": "bench", "client_secret": "bench"
    });
    let client = client.to_string();
    let (client, _) =
        to.post("/clients", "application/json", |to| to.write_all(client.as_bytes()))?;
    let client = client["id"].as_str().context("no client was made")?.to_owned();

    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("Load of the machine before: {}", load.trim());
    let kinds: [(&str, Rows); 2] = [("application/x-ndjson", ndjson), ("text/csv", csv)];
    let mut kept = true;
    for (nth, (kind, write)) in kinds.into_iter().enumerate() {
        // Written before the clock runs: making up tokens takes as long as storing them.
        let file = data_dir.join("rows");
        let mut rows_file = BufWriter::new(fs::File::create(&file)?);
        write(&mut rows_file, nth * rows..(nth + 1) * rows)?;
        rows_file.flush()?;
        let mut file = fs::File::open(&file)?;
        let before = server.resident()?;
        let begun = Instant::now();
        let path = format!("/clients/{client}/imports");
        let (done, bytes) = to.post(&path, kind, |to| io::copy(&mut file, to).map(drop))?;
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(done["imported"] == json!(rows), "not every row was imported: {done}");
        #[expect(clippy::cast_precision_loss, reason = "figures of a measurement")]
        let (speed, megabytes) = (rows as f64 / seconds, bytes as f64 / 1_000_000.0);
        let growth = server.peak()? - before;
        println!(
            "{kind:<21} {rows} rows, {megabytes:.0} MB, in {seconds:.1} s: {speed:.0} rows/s (limit \
             {SPEED_LIMIT:.0}); the server held {before:.0} MB, and {growth:.0} MB more at its peak \
             (limit {GROWTH_LIMIT:.0})",
        );
        kept &= speed >= SPEED_LIMIT && growth <= GROWTH_LIMIT;
    }
    if !kept {
        println!("A limit was missed.");
    }
    Ok(kept)
}

fn ndjson(to: &mut dyn Write, rows: std::ops::Range<usize>) -> io::Result<()> {
    for row in rows {
        let response = json!({
            "access_token": token("a", row, ACCESS_TOKEN_BYTES),
            "refresh_token": token("r", row, REFRESH_TOKEN_BYTES),
            "token_type": "bearer", "expires_in": 43_200
        });
        let row = json!({
            "external_id": format!("customer-{row}"), "label": format!("Customer {row}"),
            "tags": ["moved"], "token_response": response
        });
        writeln!(to, "{row}")?;
    }
    Ok(())
}

fn csv(to: &mut dyn Write, rows: std::ops::Range<usize>) -> io::Result<()> {
    writeln!(to, "external_id,label,tags,access_token,refresh_token,expires_in")?;
    for row in rows {
        let access = token("a", row, ACCESS_TOKEN_BYTES);
        let refresh = token("r", row, REFRESH_TOKEN_BYTES);
        writeln!(to, "customer-{row},Customer {row},moved,{access},{refresh},43200")?;
    }
    Ok(())
}

/// A token that no other row has. Nothing about it is secret, but it does not pack well either.
fn token(kind: &str, row: usize, bytes: usize) -> String {
    let mut text = format!("{kind}{row:010}-");
    let mut state = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:016x}"));
    }
    text.truncate(bytes);
    text
}

struct Api<'a> {
    address: &'a str,
    key: String,
}

impl Api<'_> {
    /// Sends what `write` writes. Gives the answer, and how many bytes were sent.
    fn post(
        &self,
        path: &str,
        kind: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(Value, usize)> {
        let (address, key) = (self.address, &self.key);
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "POST /api/v1{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
             content-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        )?;
        let mut body = BufWriter::with_capacity(64 * 1024, Chunks { to: stream, sent: 0 });
        write(&mut body)?;
        let Chunks { mut to, sent } = body.into_inner().map_err(io::IntoInnerError::into_error)?;
        to.write_all(b"0\r\n\r\n")?;
        let mut answer = String::new();
        to.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        ensure!(head.starts_with("HTTP/1.1 20"), "POST {path}: {answer}");
        Ok((serde_json::from_str(body).with_context(|| body.to_owned())?, sent))
    }
}

/// A request's body, in chunks (RFC 9112 section 7.1).
struct Chunks {
    to: TcpStream,
    sent: usize,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            write!(self.to, "{:x}\r\n", bytes.len())?;
            self.to.write_all(bytes)?;
            self.to.write_all(b"\r\n")?;
            self.sent += bytes.len();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
