//! The strictness itself, rule by rule, through the router.

mod authorize;
mod device;
mod dialects;
mod exchange;
mod faults;
mod inspect;
mod refresh;
mod serve;
mod token;

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use time::{Duration, macros::datetime};
use tower::ServiceExt;
use url::Url;

use super::Sandbox;
use crate::server::clock::{ManualClock, SeededRng};

pub const BASE: &str = "http://sandbox.test";
pub const CALLBACK: &str = "http://127.0.0.1:3000/oauth/callback";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub struct World {
    pub clock: Arc<ManualClock>,
    pub sandbox: Sandbox,
}

/// An answer, read as JSON where it is JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub fn text_of(&self, name: &str) -> String {
        self.json[name].as_str().unwrap_or_default().to_owned()
    }

    /// Status and error code at once.
    pub fn error(&self) -> (u16, &str) {
        (self.status.as_u16(), self.json["error"].as_str().unwrap_or_default())
    }
}

/// A request in the making.
pub struct Ask(axum::http::request::Builder, Body);

pub fn post(path: &str) -> Ask {
    Ask(Request::builder().method(Method::POST).uri(path), Body::empty())
}

pub fn get(path: &str) -> Ask {
    Ask(Request::builder().uri(path), Body::empty())
}

impl Ask {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0 = self.0.header(name, value);
        self
    }

    pub fn basic(self, user: &str, password: &str) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {credentials}"))
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        let body = serde_urlencoded::to_string(pairs).expect("pairs of text");
        self.body("application/x-www-form-urlencoded", body)
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(mut self, content_type: &str, body: String) -> Self {
        self.1 = Body::from(body);
        self.header("content-type", content_type)
    }
}

impl World {
    pub fn new() -> Self {
        let clock = Arc::new(ManualClock::new(datetime!(2026-03-01 12:00 UTC)));
        let rng = Arc::new(SeededRng::new(7));
        let sandbox = Sandbox::new(BASE, clock.clone(), rng);
        Self { clock, sandbox }
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(Duration::seconds(seconds));
    }

    pub async fn send(&self, ask: Ask) -> Answer {
        let request = ask.0.body(ask.1).expect("a request");
        let response = self.sandbox.router().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, json }
    }

    /// A code of the standard realm for alice, by PKCE.
    pub fn code(&self, client: &str, scope: &str) -> String {
        let url = authorization_url("/authorize", client, &[("scope", scope)]);
        code_of(&self.sandbox.consent(&url, "alice").expect("consent"))
    }

    /// Redeems a code of the client `demo`.
    pub async fn redeem(&self, code: &str) -> Answer {
        self.send(post("/token").basic("demo", "demo-secret").form(&redemption(code))).await
    }

    /// A first token response of the client `demo`.
    pub async fn tokens(&self, scope: &str) -> Answer {
        let answer = self.redeem(&self.code("demo", scope)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.send(post("/token").basic("demo", "demo-secret").form(&form)).await
    }

    pub async fn userinfo(&self, token: &str) -> Answer {
        self.send(get("/userinfo").bearer(token)).await
    }
}

pub fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// An authorization request with PKCE; `extra` replaces or adds, an empty value takes away.
pub fn authorization_url(path: &str, client: &str, extra: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("state", "st&te"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in extra {
        pairs.retain(|(had, _)| had != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    let query = serde_urlencoded::to_string(pairs).expect("pairs of text");
    format!("{BASE}{path}?{query}")
}

pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(had, _)| had == name).map(|(_, value)| value.into_owned())
}

pub fn code_of(url: &str) -> String {
    parameter(url, "code").unwrap_or_else(|| panic!("no code in {url}"))
}

#[tokio::test]
async fn discovery_tells_the_truth() {
    let world = World::new();
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let answer = world.send(get(path)).await;
        assert_eq!(answer.json["issuer"], json!(BASE));
        for (name, value) in answer.json.as_object().expect("an object") {
            let Some(at) = value.as_str().and_then(|url| url.strip_prefix(BASE)) else { continue };
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let found = world.send(get(at)).await.status;
                assert_ne!(found, StatusCode::NOT_FOUND, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn no_token_answer_may_be_cached() {
    let world = World::new();
    let good = world.tokens("openid").await;
    let bad = world.refresh("nonsense").await;
    for answer in [good, bad] {
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    }
}
