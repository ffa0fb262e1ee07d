//! Cookies that remember something for a while in the visitor's own browser. They prove nothing: whoever reads one
//! has to check what it says. Sessions have a layer of their own.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Response, header};

use crate::server::app::App;

/// Has the browser keep `value` for the paths below `at`; for no time at all, it is to forget it. What can't stand in a
/// header is not kept.
pub fn set<B>(
    response: &mut Response<B>,
    app: &App,
    name: &str,
    value: &str,
    at: &str,
    length: Duration,
) {
    let secure = if app.public_url().scheme() == "https" { "; Secure" } else { "" };
    let length = length.as_secs();
    let cookie =
        format!("{name}={value}; Path={at}; Max-Age={length}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// What the browser kept under a name.
pub fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
