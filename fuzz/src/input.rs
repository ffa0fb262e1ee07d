//! How a fuzzer's bytes become an answer.
//!
//! One byte names the preset, one the call, two the status; then header lines, an empty line and
//! the body. In headers and body some words stand for what a mutation would never hit upon: what
//! was sent, in the ways a server may echo it, and signed tokens.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use url::form_urlencoded;

use crate::server::provider::probe::{CLIENT_SECRET, CODE, CODE_VERIFIER, REFRESH_TOKEN};

pub struct Input {
    pub case: usize,
    pub refresh: bool,
    pub status: u16,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

const STATUSES: [u16; 16] =
    [200, 200, 200, 200, 201, 204, 302, 400, 400, 401, 403, 408, 425, 429, 500, 503];

impl Input {
    pub fn read(data: &[u8]) -> Option<Self> {
        let (&[case, call, status, more], rest) = data.split_first_chunk()?;
        let split = rest.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = split.map_or((&rest[..0], rest), |at| (&rest[..at], &rest[at + 2..]));
        let headers = head.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((line[..colon].to_vec(), spelled_out(line[colon + 1..].trim_ascii())))
        });
        Some(Self {
            case: usize::from(case),
            refresh: call & 1 == 1,
            status: match call & 2 {
                0 => STATUSES[usize::from(status) % STATUSES.len()],
                _ => 100 + u16::from_be_bytes([status, more]) % 900,
            },
            headers: headers.collect(),
            body: spelled_out(body),
        })
    }

    /// The bytes that [`Input::read`] reads as this.
    pub fn write(case: usize, refresh: bool, status: u16, head: &str, body: &[u8]) -> Vec<u8> {
        let number = (status - 100).to_be_bytes();
        let mut bytes = vec![case as u8, 2 | u8::from(refresh), number[0], number[1]];
        bytes.extend_from_slice(format!("{head}\n\n").as_bytes());
        bytes.extend_from_slice(body);
        bytes
    }
}

/// Replaces each `$xY`: `Y` says what was sent, `x` how it is echoed. `$J{…}$` is a signed token of
/// these claims.
fn spelled_out(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest {
            [b'J', after @ ..] => {
                let end = after.iter().position(|byte| *byte == b'$').unwrap_or(after.len());
                out.extend_from_slice(signed(&after[..end]).as_bytes());
                rest = after.get(end + 1..).unwrap_or_default();
            }
            [how, what, after @ ..] => match echo(*how, *what) {
                Some(text) => {
                    out.extend_from_slice(text.as_bytes());
                    rest = after;
                }
                None => out.push(b'$'),
            },
            _ => out.push(b'$'),
        }
    }
    out.extend_from_slice(rest);
    out
}

fn signed(claims: &[u8]) -> String {
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
}

fn echo(how: u8, what: u8) -> Option<String> {
    let sent = match what {
        b'S' => CLIENT_SECRET,
        b'R' => REFRESH_TOKEN,
        b'C' => CODE,
        b'V' => CODE_VERIFIER,
        _ => return None,
    };
    encoded(how, sent)
}

/// The ways in which all of a secret comes back as other characters than its own, given that case
/// does not count.
const WAYS: [u8; 5] = [b'r', b'j', b'k', b'f', b'p'];

/// What a secret may look like in an answer. HTTP Basic is not among it: that depends on what the
/// request sent.
pub fn forms(secret: &str) -> Vec<String> {
    WAYS.into_iter().filter_map(|how| encoded(how, secret)).collect()
}

fn encoded(how: u8, sent: &str) -> Option<String> {
    let json = |text: &str| Value::from(text).to_string().trim_matches('"').to_owned();
    Some(match how {
        // As it is, in a JSON string and outside of one.
        b'j' => json(sent),
        b'r' => sent.to_owned(),
        // Escaped twice, as in an echo of a JSON request.
        b'k' => json(&json(sent)),
        b'f' => form_urlencoded::byte_serialize(sent.as_bytes()).collect(),
        b'p' => {
            let form: String = form_urlencoded::byte_serialize(sent.as_bytes()).collect();
            form.replace('+', "%20")
        }
        b'l' => json(&sent.to_lowercase()),
        b'u' => json(&sent.to_uppercase()),
        b'h' => json(&sent[..sent.len() / 2]),
        b't' => json(&sent[sent.len() / 2..]),
        // As some servers flatten what they echo.
        b'w' => json(&sent.replace(' ', "\t")),
        // HTTP Basic, in its two ways.
        b'b' => BASE64_STANDARD.encode(format!("the-client-id:{sent}")),
        b'e' => {
            let form: String = form_urlencoded::byte_serialize(sent.as_bytes()).collect();
            BASE64_STANDARD.encode(format!("the-client-id:{form}"))
        }
        _ => return None,
    })
}
