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
use crate::{
    domain::provider::is_slug,
    server::app::{self, explain::Reading},
};

/// A JSON body, of a request or a response.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = body(request, state).await?;
        Ok(Self(read(&body)?.whole().map_err(app::Error::Invalid)?))
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

/// A JSON body with all that is wrong with it, for whoever knows more that is.
pub struct Read<T>(pub Reading<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Read<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = body(request, state).await?;
        read(&body).map(Self)
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "Send the body as JSON, with `Content-Type: application/json`.",
        ));
    }
    Bytes::from_request(request, state).await.map_err(unread)
}

fn unread(rejection: BytesRejection) -> Problem {
    let too_long = matches!(
        rejection,
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))
    );
    match too_long {
        true => Problem::new(Code::TooLarge, "The body is longer than 1 MiB."),
        false => Problem::new(Code::Malformed, "The body broke off."),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<Reading<T>, Problem> {
    // In two steps, so that a body that is no JSON and one that is another thing's are told apart,
    // and each text is looked at.
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = format!("The body is not JSON (line {line}, column {column}).");
        Problem::new(Code::Malformed, detail)
    })?;
    if let Some(field) = unstorable(&value) {
        return Err(Problem::invalid(field.trim_start_matches('.'), NUL));
    }
    // serde takes an array for a struct, field by field.
    if !value.is_object() {
        return Err(Problem::invalid("", "The body must be a JSON object."));
    }
    Ok(Reading::of(value, Vec::new()))
}

/// The body of a call that takes none: it is empty, or holds nothing. What was sent all the same is not left out in
/// silence: it may say how the call was meant.
pub struct Nothing;

impl<S: Send + Sync> FromRequest<S> for Nothing {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(unread)?;
        match serde_json::from_slice::<Value>(&body) {
            _ if body.trim_ascii().is_empty() => Ok(Self),
            Ok(Value::Null) => Ok(Self),
            Ok(Value::Object(fields)) if fields.is_empty() => Ok(Self),
            Ok(Value::Array(items)) if items.is_empty() => Ok(Self),
            _ => Err(Problem::invalid(
                "",
                "This call takes no body. What it can be told stands in its address, as parameters.",
            )),
        }
    }
}

pub const NUL: &str = "can't hold the character NUL";

/// The dotted name of the first text with a NUL, which PostgreSQL can't store.
fn unstorable(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| Some(format!("[{at}]{}", unstorable(item)?))),
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| match name.contains('\0') {
                true => Some(String::new()),
                false => Some(format!(".{name}{}", unstorable(value)?)),
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::{app, read};

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only reading it matters")]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Inner,
        #[serde(default)]
        list: Vec<Inner>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        id: Uuid,
        count: u32,
        secret: String,
        free: Value,
        #[serde(with = "time::serde::rfc3339::option")]
        at: Option<OffsetDateTime>,
    }

    fn refusal(body: &str) -> Value {
        let problem = match read::<Outer>(body.as_bytes()) {
            Ok(reading) => app::Error::Invalid(reading.whole().expect_err(body)).into(),
            Err(problem) => problem,
        };
        serde_json::to_value(problem).expect("a problem")
    }

    #[test]
    fn what_cannot_be_read_is_named_with_why() {
        for (body, field, message) in [
            (r#"{}"#, "name", "must be there"),
            (r#"[]"#, "", "The body must be a JSON object."),
            (r#"["a"]"#, "", "The body must be a JSON object."),
            (r#""a""#, "", "The body must be a JSON object."),
            (r#"{"name": 5}"#, "name", "must be a string"),
            (r#"{"name": "a", "nam": 1}"#, "nam", "is no field that is known here"),
            (r#"{"name": "a", "inner": 1}"#, "inner", "must be an object"),
            (r#"{"name": "a", "inner": {"x": 1}}"#, "inner.x", "is no field that is known here"),
            (r#"{"name": "a", "inner": {"id": "7"}}"#, "inner.id", "must be a UUID"),
            (
                r#"{"name": "a", "inner": {"count": 99999999999}}"#,
                "inner.count",
                "must be a whole number",
            ),
            (
                r#"{"name": "a", "inner": {"at": "soon"}}"#,
                "inner.at",
                "must be a time like 2026-01-31T12:00:00Z",
            ),
            (
                r#"{"name": "a", "inner": {"at": 5}}"#,
                "inner.at",
                "must be a time like 2026-01-31T12:00:00Z",
            ),
            (
                r#"{"name": "a", "list": [{}, {"count": "1"}]}"#,
                "list[1].count",
                "must be a whole number",
            ),
            (r#"{"name": "a\u0000"}"#, "name", "can't hold the character NUL"),
            (
                r#"{"name": "a", "inner": {"free": {"b": [1, "\u0000"]}}}"#,
                "inner.free.b[1]",
                "can't hold the character NUL",
            ),
        ] {
            let found = &refusal(body)["fields"][0];
            assert_eq!((&found["field"], &found["message"]), (&field.into(), &message.into()));
        }
    }

    #[test]
    fn what_was_given_is_not_repeated() {
        let canary = "canary-7f3a";
        for body in [
            format!(r#"{{"name": "a", "inner": {{"id": "{canary}"}}}}"#),
            format!(r#"{{"name": "a", "inner": {{"count": "{canary}"}}}}"#),
            format!(r#"{{"name": "a", "inner": {{"at": "{canary}"}}}}"#),
            format!(r#"{{"name": "a", "inner": "{canary}"}}"#),
            format!(r#"{{"name": "{canary}"#),
        ] {
            assert!(!refusal(&body).to_string().contains(canary), "{body}");
        }
    }
}
