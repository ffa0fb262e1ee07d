//! Bodies and path parameters: what can't be read is refused with the field and why.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, RawPathParams, Request,
        rejection::{BytesRejection, FailedToBufferBody},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::problem::{Code, Problem};
use crate::domain::provider::is_slug;

/// A JSON body, of a request or a response.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "Send the body as JSON, with `Content-Type: application/json`.",
            ));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            let too_long = matches!(
                rejection,
                BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))
            );
            match too_long {
                true => Problem::new(Code::TooLarge, "The body is longer than 1 MiB."),
                false => Problem::new(Code::Malformed, "The body broke off."),
            }
        })?;
        read(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // In two steps, so that a body that is no JSON and one that is another thing's are told apart,
    // and each text is looked at.
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = format!("The body is not JSON (line {line}, column {column}).");
        Problem::new(Code::Malformed, detail)
    })?;
    if let Some(field) = unstorable(&value) {
        return Err(Problem::invalid(field, NUL));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        let (field, message) = explain(path, &error.inner().to_string());
        Problem::invalid(field, message)
    })
}

pub const NUL: &str = "can't hold the character NUL";

/// The dotted name of the first text with a NUL, which PostgreSQL can't store.
fn unstorable(value: &Value) -> Option<String> {
    let below = |name: String, value: &Value| {
        unstorable(value).map(|rest| match rest.as_str() {
            "" => name,
            rest => format!("{name}.{rest}"),
        })
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(at, item)| below(at.to_string(), item))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') { Some(String::new()) } else { below(name.clone(), value) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// serde's message as the name of a field and a message for people. What was given is not repeated:
/// it may be a secret.
pub fn explain(path: &str, message: &str) -> (String, String) {
    let within = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let quoted = |rest: &str| rest.split('`').nth(1).unwrap_or_default().to_owned();
    if let Some(rest) = message.strip_prefix("missing field ") {
        return (within(&quoted(rest)), "must be there".into());
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let name = quoted(rest);
        let last = path.rsplit('.').next().unwrap_or_default();
        let field = if last == name { path.to_owned() } else { within(&name) };
        return (field, "is no field that is known here".into());
    }
    if message.starts_with("duplicate field ") {
        return (path.into(), "stands there more than once".into());
    }
    if message.starts_with("UUID") {
        return (path.into(), "must be a UUID".into());
    }
    let message = match message.split_once(", expected ") {
        Some((_, expected)) if !expected.contains("Rfc3339") => format!("must be {expected}"),
        _ => "can't be read".into(),
    };
    (path.into(), message)
}

/// The `{id}` of the path.
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = parameter(parts, state, "id").await?;
        id.parse().map(Self).map_err(|_| Problem::invalid("id", "must be a UUID"))
    }
}

/// The `{slug}` of the path.
pub struct Slug(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Slug {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let slug = parameter(parts, state, "slug").await?;
        if is_slug(&slug) {
            Ok(Self(slug))
        } else {
            let message = "must be 1 to 64 lower-case letters, digits and hyphens";
            Err(Problem::invalid("slug", message))
        }
    }
}

async fn parameter<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<String, Problem> {
    let unreadable = || Problem::invalid(name, "can't be read");
    let found = RawPathParams::from_request_parts(parts, state).await.map_err(|_| unreadable())?;
    let value = found.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    value.ok_or_else(unreadable)
}

/// What was made, and where it is: 201 with `Location`.
pub struct Created<T>(pub String, pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, axum::Json(self.1)).into_response();
        if let Ok(location) = HeaderValue::from_str(&format!("{}{}", super::BASE, self.0)) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}
