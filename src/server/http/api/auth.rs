//! Who calls: an API key and nothing else. A cookie is never looked at, so no page of another site
//! can lead a browser into a call.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::problem::Problem;
use crate::server::app::{self, Actor, App};

/// The actor behind the request's key. A request without a valid one gets no further.
pub struct Caller(pub Actor);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Presented(key) = Presented::from_request_parts(parts, app).await?;
        Ok(Self(app::api_key::authenticate(app, &key).await?))
    }
}

/// The request's key, of which nothing is known yet: for a use case that checks it by itself.
pub struct Presented(pub String);

impl FromRequestParts<App> for Presented {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let key = header.and_then(|value| value.to_str().ok()).and_then(bearer);
        Ok(Self(key.ok_or(app::Error::Unauthenticated)?.to_owned()))
    }
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
