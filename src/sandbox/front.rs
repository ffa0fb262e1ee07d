//! The front of every token endpoint: the log, the faults, then the dialect.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};

use super::{
    Inner, Sandbox,
    dialects::{Endpoint, Realm},
    faults::{Fault, Hold, Rule},
    log::Glance,
    serve::Wire,
    token,
    wire::{OAuthError, Raw, answer},
};

/// One request to `realm`'s token endpoint.
pub async fn handle(
    sandbox: Sandbox,
    realm: Realm,
    endpoint: Endpoint,
    wire: Option<Wire>,
    raw: Raw,
) -> Response {
    let inner = &*sandbox.0;
    let glance = Glance::at(&raw);
    let id = inner.log.begin(realm, &glance, inner.clock.now());
    let _end = End { inner, id };
    inner.control.pass(Hold::BeforeProcessing).await;
    let delay = inner.control.settings().delay_ms;
    if delay > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(delay)).await;
    }
    let fraction = || inner.rng.fraction();
    let picked = inner.control.pick(glance.client.as_deref(), glance.grant.as_deref(), fraction);
    let (fault, rule) = picked.unzip();
    if let Some(fault) = fault
        && !fault.spoils_the_answer()
    {
        return fail(inner, realm, id, fault, rule.unwrap_or_default(), wire);
    }
    let call = realm.dialect().read(&raw, endpoint);
    let response = match call.and_then(|call| token::exchange(inner, realm, call)) {
        Ok(body) => {
            inner.log.outcome(id, fault, 200, &body);
            let text = body.to_string();
            match fault {
                Some(Fault::DropAfter) => cut(wire),
                Some(Fault::Garbage) => html(StatusCode::OK),
                Some(Fault::Truncated) => {
                    (StatusCode::OK, JSON, text[..text.len() / 2].to_owned()).into_response()
                }
                Some(Fault::Huge) => {
                    (StatusCode::OK, JSON, text + &" ".repeat(16 << 20)).into_response()
                }
                _ => answer(StatusCode::OK, &body),
            }
        }
        Err(error) => {
            let code = json!({ "error": error.code });
            let response = realm.dialect().refuse(error);
            inner.log.outcome(id, fault, response.status().as_u16(), &code);
            match fault {
                Some(Fault::DropAfter) => cut(wire),
                _ => response,
            }
        }
    };
    inner.control.pass(Hold::BeforeAnswering).await;
    response
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// Ends a record, also when the caller hangs up and this future is dropped.
struct End<'a> {
    inner: &'a Inner,
    id: u64,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.inner.log.end(self.id);
    }
}

/// A fault that comes instead of processing.
fn fail(
    inner: &Inner,
    realm: Realm,
    id: u64,
    fault: Fault,
    rule: Rule,
    wire: Option<Wire>,
) -> Response {
    let settings = inner.control.settings();
    let refuse = |code: &'static str| {
        let error = OAuthError::new(code, "refused on request of whoever controls this server");
        realm.dialect().refuse(error)
    };
    let (response, error) = match fault {
        Fault::DropBefore => {
            inner.log.outcome(id, Some(fault), 0, &Value::Null);
            return cut(wire);
        }
        Fault::RateLimited => {
            let after = if settings.retry_after_as_date {
                let seconds = i64::try_from(settings.retry_after).unwrap_or(i64::MAX);
                let at = inner.clock.now() + time::Duration::seconds(seconds);
                httpdate::fmt_http_date(at.into())
            } else {
                settings.retry_after.to_string()
            };
            let body = Json(json!({ "error": "rate_limited" }));
            let headers = [(header::RETRY_AFTER, after)];
            ((StatusCode::TOO_MANY_REQUESTS, headers, body).into_response(), "rate_limited")
        }
        Fault::InvalidClient => (refuse("invalid_client"), "invalid_client"),
        Fault::InvalidGrant => (refuse("invalid_grant"), "invalid_grant"),
        Fault::ErrorIn200 => {
            let body = json!({ "error": settings.error_in_200 });
            inner.log.outcome(id, Some(fault), 200, &body);
            return answer(StatusCode::OK, &body);
        }
        Fault::Redirect => (Redirect::temporary("/elsewhere").into_response(), ""),
        _ => {
            let status = rule.status.and_then(|status| StatusCode::from_u16(status).ok());
            (html(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)), "")
        }
    };
    let body = if error.is_empty() { Value::Null } else { json!({ "error": error }) };
    inner.log.outcome(id, Some(fault), response.status().as_u16(), &body);
    response
}

/// What a proxy in front of a dead server says.
pub fn html(status: StatusCode) -> Response {
    let page = "<!doctype html><title>Proxy error</title><h1>The upstream did not answer</h1>";
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

/// Closes the connection. Without one (a router called directly) the body breaks off.
fn cut(wire: Option<Wire>) -> Response {
    if let Some(wire) = wire {
        wire.cut();
    }
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let body = futures::stream::once(async { Err::<Bytes, _>(broken) });
    Response::new(Body::from_stream(body))
}

/// Answers 503 to everything while there is an outage.
pub async fn outage(
    State(sandbox): State<Sandbox>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let is_control = request.uri().path().starts_with("/__ctl");
    if !is_control && sandbox.0.control.settings().outage {
        return html(StatusCode::SERVICE_UNAVAILABLE);
    }
    next.run(request).await
}

/// The most bytes that a request may bring.
const BODY_LIMIT: usize = 64 * 1024;

/// Takes a request apart. `None`: the body broke off or is too large.
pub async fn take(request: axum::extract::Request) -> Option<(Option<Wire>, Raw)> {
    let (parts, body) = request.into_parts();
    let wire = parts.extensions.get::<ConnectInfo<Wire>>().map(|info| info.0.clone());
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.ok()?;
    let query = parts.uri.query().map(str::to_owned);
    Some((wire, Raw { headers: parts.headers, query, body }))
}
