//! Reading requests to the letter, and writing errors.
//!
//! A lenient server hides a client's mistakes until it meets a strict one; this one never guesses.
//! What is encoded wrongly, sent twice or put in another place is refused.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// A request as it arrived.
pub struct Raw {
    pub headers: HeaderMap,
    pub query: Option<String>,
    pub body: Bytes,
}

/// An OAuth error (RFC 6749 section 5.2).
#[derive(Clone, Debug)]
pub struct OAuthError {
    pub status: StatusCode,
    pub code: &'static str,
    pub description: String,
    /// Answer with a `WWW-Authenticate` challenge, because Basic is or should have been used.
    pub challenge: bool,
    pub retry_after: Option<u64>,
}

impl OAuthError {
    pub fn new(code: &'static str, description: impl Into<String>) -> Self {
        let status = match code {
            "invalid_client" | "invalid_token" => StatusCode::UNAUTHORIZED,
            "insufficient_scope" => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        let description = description.into();
        Self { status, code, description, challenge: false, retry_after: None }
    }

    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    pub fn invalid_client(description: impl Into<String>) -> Self {
        Self::new("invalid_client", description)
    }

    pub fn challenged(mut self) -> Self {
        self.challenge = true;
        self
    }

    /// The error as RFC 6749 section 5.2 writes it.
    pub fn into_standard(self) -> Response {
        let body = json!({ "error": self.code, "error_description": self.description });
        self.with_body(&body)
    }

    /// The error under a body of the dialect's own.
    pub fn with_body(self, body: &Value) -> Response {
        let mut response = answer(self.status, body);
        if self.challenge {
            let challenge = HeaderValue::from_static("Basic realm=\"sandbox\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A JSON answer that nobody may cache (RFC 6749 section 5.1).
pub fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ];
    (status, headers, body.to_string()).into_response()
}

/// Parameters of a request, each once and none empty.
#[derive(Default)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The parameter, or `invalid_request` with its name.
    pub fn need(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// Refuses parameters that belong elsewhere.
    pub fn forbid(&self, names: &[&str], why: &str) -> Result<(), OAuthError> {
        match names.iter().find(|name| self.0.contains_key(**name)) {
            Some(name) => Err(OAuthError::invalid_request(format!("{name}: {why}"))),
            None => Ok(()),
        }
    }

    /// From `name=value&…`. A parameter sent twice is refused, one without a value counts as
    /// omitted (RFC 6749 section 3.1 and 3.2).
    pub fn parse(text: &[u8]) -> Result<Self, OAuthError> {
        let mut params = BTreeMap::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(OAuthError::invalid_request("a parameter is not form-urlencoded"));
            };
            if params.contains_key(&name) {
                return Err(OAuthError::invalid_request(format!("{name} was sent twice")));
            }
            params.insert(name, value);
        }
        params.retain(|_, value| !value.is_empty());
        Ok(Self(params))
    }
}

/// Decodes one `application/x-www-form-urlencoded` value; `None` for broken escapes or text that
/// is not UTF-8.
fn decode(text: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(*bytes.next()?).to_digit(16)?;
                let low = char::from(*bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(out).ok()
}

impl Raw {
    fn content_type(&self) -> String {
        self.headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }

    pub fn is_form(&self) -> bool {
        self.content_type() == "application/x-www-form-urlencoded"
    }

    pub fn is_json(&self) -> bool {
        self.content_type() == "application/json"
    }

    /// The body as a form. No parameter may stand in the address.
    pub fn form(&self) -> Result<Params, OAuthError> {
        self.no_query()?;
        if !self.is_form() {
            return Err(OAuthError::invalid_request(
                "Content-Type must be application/x-www-form-urlencoded",
            ));
        }
        Params::parse(&self.body)
    }

    /// The body as one JSON object of strings. No parameter may stand in the address.
    pub fn json(&self) -> Result<Params, OAuthError> {
        self.no_query()?;
        if !self.is_json() {
            return Err(OAuthError::invalid_request("Content-Type must be application/json"));
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(&self.body) else {
            return Err(OAuthError::invalid_request("the body is not a JSON object"));
        };
        let mut params = BTreeMap::new();
        for (name, value) in object {
            match value {
                Value::Null => {}
                Value::String(text) if text.is_empty() => {}
                Value::String(text) => drop(params.insert(name, text)),
                _ => {
                    let text = format!("{name} must be a string");
                    return Err(OAuthError::invalid_request(text));
                }
            }
        }
        Ok(Params(params))
    }

    fn no_query(&self) -> Result<(), OAuthError> {
        match self.query.as_deref() {
            None | Some("") => Ok(()),
            Some(_) => Err(OAuthError::invalid_request(
                "parameters must stand in the body, never in the address",
            )),
        }
    }

    /// A header's text, if it is there once.
    pub fn header(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.headers.get_all(name).iter();
        let Some(first) = values.next() else { return Ok(None) };
        match (values.next(), first.to_str()) {
            (None, Ok(text)) => Ok(Some(text)),
            _ => Err(OAuthError::invalid_request(format!("{name} must be sent once, as text"))),
        }
    }

    /// The user and password of a Basic header, not decoded further; `None` without the header.
    pub fn basic(&self) -> Result<Option<(String, String)>, OAuthError> {
        let Some(value) = self.header("authorization")? else { return Ok(None) };
        let broken = || OAuthError::invalid_client("broken Authorization header").challenged();
        let (scheme, credentials) = value.split_once(' ').ok_or_else(broken)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(OAuthError::invalid_client("only the Basic scheme is known").challenged());
        }
        let bytes = BASE64_STANDARD.decode(credentials).map_err(|_| broken())?;
        let text = String::from_utf8(bytes).map_err(|_| broken())?;
        let (user, password) = text.split_once(':').ok_or_else(broken)?;
        Ok(Some((user.to_owned(), password.to_owned())))
    }

    /// The token of a Bearer header (RFC 6750 section 2.1).
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization").ok()??.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }
}

/// Decodes a Basic user or password by RFC 6749 section 2.3.1. Text that form-urlencoding could
/// not have produced is refused, so that a client that skips the encoding is caught.
pub fn decode_credential(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._~+%".contains(&byte);
    text.bytes().all(plain).then(|| decode(text.as_bytes())).flatten()
}
