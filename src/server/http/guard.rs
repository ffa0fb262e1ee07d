//! What every response carries and what no request gets past.

use std::sync::LazyLock;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::server::app::App;

/// The content security policy: our own files, this page's inline scripts, and WASM.
pub fn policy(nonce: Option<&str>) -> String {
    let scripts = nonce.map_or_else(
        || "'none'".into(),
        |nonce| format!("'self' 'nonce-{nonce}' 'wasm-unsafe-eval'"),
    );
    format!(
        "default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

/// The policy of what is no page.
static STRICT: LazyLock<HeaderValue> = LazyLock::new(|| {
    HeaderValue::from_str(&policy(None)).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// Adds what is missing of the headers that every response carries.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, STRICT.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ] {
        headers.entry(name).or_insert(value);
    }
    response
}

/// Lets a request that may change something pass only when a page of ours made it: a session cookie
/// alone proves nothing.
pub async fn same_origin(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_same_origin(request.headers(), &app) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "This request did not come from a page of Regrant.").into_response()
    }
}

fn is_same_origin(headers: &HeaderMap, app: &App) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let ours = app.public_url().origin().ascii_serialization();
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() == ours.as_bytes())
}
