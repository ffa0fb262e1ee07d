//! A provider of canned answers, and a registration at it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use secrecy::SecretString;
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Http, Registration, guard};
use crate::{
    domain::provider::Profile,
    server::clock::{ManualClock, SeededRng},
};

pub const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

pub fn http() -> Http {
    http_with(guard::Policy { allow_private_networks: true, deadline: Duration::from_millis(900) })
}

pub fn http_with(policy: guard::Policy) -> Http {
    Http::new(policy, Arc::new(ManualClock::new(NOW)), Arc::new(SeededRng::new(1))).unwrap()
}

/// Everything a registration borrows.
pub struct Owned {
    pub profile: Profile,
    pub variables: BTreeMap<String, String>,
    pub client_id: String,
    pub secret: Option<SecretString>,
    pub scopes: Vec<String>,
}

impl Owned {
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            variables: BTreeMap::new(),
            client_id: "the-client".into(),
            secret: Some(SecretString::from("client-secret-4711-very-long")),
            scopes: Vec::new(),
        }
    }

    /// A plain provider whose endpoints are all at `origin`.
    pub fn at(origin: &str) -> Self {
        let mut profile = Profile::new("local", "Local");
        profile.endpoints.authorization = Some(format!("{origin}/authorize"));
        profile.endpoints.token = Some(format!("{origin}/token"));
        profile.endpoints.revocation = Some(format!("{origin}/revoke"));
        profile.endpoints.userinfo = Some(format!("{origin}/userinfo"));
        Self::new(profile)
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|scope| (*scope).into()).collect();
        self
    }

    pub fn registration(&self) -> Registration<'_> {
        Registration {
            profile: &self.profile,
            variables: &self.variables,
            client_id: &self.client_id,
            client_secret: self.secret.as_ref(),
            scopes: &self.scopes,
            redirect_uri: "https://regrant.example/oauth/callback",
        }
    }
}

/// What the server does with a connection once it has read the request.
#[derive(Clone)]
pub enum Act {
    /// Writes these bytes and closes.
    Write(Vec<u8>),
    /// Says nothing and holds on.
    Stall,
}

impl Act {
    pub fn json(status: u16, body: &str) -> Self {
        Self::with(status, "Content-Type: application/json", body)
    }

    pub fn with(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Write(
            format!(
                "HTTP/1.1 {status} X\r\n{headers}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }

    pub fn raw(bytes: &[u8]) -> Self {
        Self::Write(bytes.to_vec())
    }
}

/// A server on loopback that does one act for each connection and keeps what it was sent.
pub struct Server {
    pub origin: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn new(acts: impl FnOnce(&str) -> Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let acts = acts(&origin);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut held = Vec::new();
            for act in acts {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                log.lock().unwrap().push(request);
                match act {
                    Act::Write(bytes) => {
                        stream.write_all(&bytes).await.unwrap();
                        stream.shutdown().await.unwrap();
                    }
                    Act::Stall => held.push(stream),
                }
            }
            std::future::pending::<()>().await;
        });
        Self { origin, seen }
    }

    /// The requests so far, as they came over the wire.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            return text;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// An unsigned JWT of these claims.
pub fn jwt(claims: &serde_json::Value) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    format!("eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}
