//! The door of whoever holds a relink. It needs no login and no proof that a page of ours sent the
//! form: the link is the right, and whoever knows it may as well open it. So its pages can keep their
//! address from everyone, ourselves included.

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};

use super::{cookie, router::Web};
use crate::{
    domain::{language::Language, relink::Outcome},
    server::app::{self, App},
    ui::{Visit, path},
};

/// Remembers, in the visitor's own browser, by which link they left, so that they find back to it.
const COOKIE: &str = "regrant-relink";
/// Remembers the language that they chose, for the pages on the way and at its end.
const LANGUAGE_COOKIE: &str = "regrant-language";
/// As long as the page of the provider may stay open.
const LENGTH: Duration = Duration::from_mins(30);
/// What every answer carries besides.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
];

pub fn routes() -> Router<Web> {
    Router::new().route("/relink/{token}/begin", post(begin))
}

/// Whether a page is for whoever holds a link, and the language it is in.
pub fn visit(parts: &Parts) -> Option<Visit> {
    parts.uri.path().starts_with("/relink/").then(|| Visit { language: language(parts) })
}

fn language(parts: &Parts) -> Language {
    chosen(parts.uri.query()).unwrap_or_else(|| preferred(&parts.headers))
}

/// The language that an address asks for.
fn chosen(query: Option<&str>) -> Option<Language> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == path::LANGUAGE)
        .and_then(|(_, value)| value.parse().ok())
}

/// The language that a visitor chose before they left for the provider, or the one their browser prefers.
pub fn preferred(headers: &HeaderMap) -> Language {
    if let Some(language) = cookie::named(headers, LANGUAGE_COOKIE).and_then(|tag| tag.parse().ok())
    {
        return language;
    }
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::accepted(accepted.unwrap_or_default())
}

/// What the pages of a visit say in their headers.
pub fn headers() -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    HEADERS.into_iter()
}

async fn begin(
    State(app): State<App>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut response = match app::relink::begin(&app, &token).await {
        Ok(url) => {
            let mut response = Redirect::to(&url).into_response();
            cookie::set(&mut response, &app, COOKIE, &token, "/oauth/callback", LENGTH);
            if let Some(language) = chosen(query.as_deref()) {
                cookie::set(&mut response, &app, LANGUAGE_COOKIE, language.tag(), "/", LENGTH);
            }
            response
        }
        Err(error) => {
            if matches!(error, app::Error::Internal(_)) {
                tracing::error!(error = format!("{error:#}"), "a relink could not begin");
            }
            // The page says by itself when the link works no longer.
            Redirect::to(&path::relink_again(&token, Outcome::Failed)).into_response()
        }
    };
    response.headers_mut().extend(headers());
    response
}

/// The link by which this browser left, as it says; whoever takes it has to see that it is that one.
pub fn left_by(headers: &HeaderMap) -> Option<String> {
    cookie::named(headers, COOKIE).map(ToOwned::to_owned)
}
