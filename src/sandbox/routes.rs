//! Which address leads where.

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use serde_json::Value;

use super::{
    Sandbox, authorize, ctl, device,
    dialects::{Endpoint, Realm},
    discovery,
    faults::Hold,
    front, inspect, pages, params,
    wire::{OAuthError, Raw},
};

/// The realm whose authorization endpoint stands at this path.
pub fn realm_of(path: &str) -> Option<Realm> {
    Realm::ALL.into_iter().find(|realm| {
        let paths = realm.dialect().paths();
        path.strip_prefix(paths.prefix).is_some_and(|rest| paths.authorize.contains(&rest))
    })
}

pub fn router(sandbox: Sandbox) -> Router {
    let mut router = Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/jwks", get(jwks))
        .route("/introspect", post(introspect))
        .route("/device_authorization", post(device_authorization))
        .route("/device", get(device_page))
        .route("/accounts", get(accounts).post(withdraw))
        .route("/", get(home))
        .route("/sandbox.css", get(pages::style))
        .merge(ctl::routes());
    for realm in Realm::ALL {
        router = router.merge(of(realm));
    }
    router.layer(from_fn_with_state(sandbox.clone(), front::outage)).with_state(sandbox)
}

/// What every realm has, at its own addresses.
fn of(realm: Realm) -> Router<Sandbox> {
    let paths = realm.dialect().paths();
    let at = |path: &str| format!("{}{path}", paths.prefix);
    let token = move |endpoint| {
        post(async move |State(sandbox): State<Sandbox>, request: Request| {
            match front::take(request).await {
                Some((wire, raw)) => front::handle(sandbox, realm, endpoint, wire, raw).await,
                None => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            }
        })
    };
    let mut router = Router::new()
        .route(&at(paths.token), token(Endpoint::Token))
        .route(
            &at("/decision"),
            post(async move |State(sandbox): State<Sandbox>, request: Request| {
                with_raw(request, |raw| authorize::decision(&sandbox.0, realm, &params(&raw.body)))
                    .await
            }),
        )
        .route(
            &at(paths.userinfo),
            get(async move |State(sandbox): State<Sandbox>, request: Request| {
                with_raw(request, |raw| inspect::userinfo(&sandbox.0, realm, &raw)).await
            }),
        );
    for path in paths.authorize {
        router = router.route(
            &at(path),
            any(async move |State(sandbox): State<Sandbox>, request: Request| {
                ask(sandbox, realm, request).await
            }),
        );
    }
    if let Some(refresh) = paths.refresh {
        router = router.route(&at(refresh), token(Endpoint::Refresh));
    }
    if let Some(revoke) = paths.revoke {
        router = router.route(
            &at(revoke),
            post(async move |State(sandbox): State<Sandbox>, request: Request| {
                let answer = |raw| or_refuse(realm, inspect::revoke(&sandbox.0, realm, &raw));
                let answer = with_raw(request, answer).await;
                sandbox.0.control.pass(Hold::BeforeAnswering).await;
                answer
            }),
        );
    }
    router
}

async fn with_raw(request: Request, then: impl FnOnce(Raw) -> Response) -> Response {
    match front::take(request).await {
        Some((_, raw)) => then(raw),
        None => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    }
}

fn or_refuse(realm: Realm, outcome: Result<Response, OAuthError>) -> Response {
    outcome.unwrap_or_else(|error| realm.dialect().refuse(error))
}

/// The authorization endpoint: GET, or POST with a form (OpenID Connect Core section 3.1.2.1).
async fn ask(sandbox: Sandbox, realm: Realm, request: Request) -> Response {
    let is_post = match *request.method() {
        axum::http::Method::GET => false,
        axum::http::Method::POST => true,
        _ => {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, POST")])
                .into_response();
        }
    };
    with_raw(request, |raw| {
        let query = raw.query.clone().unwrap_or_default();
        let asked = if is_post { &raw.body[..] } else { query.as_bytes() };
        match authorize::begin(&sandbox.0, realm, asked) {
            Ok(ticket) => authorize::show(&sandbox.0, realm, &ticket),
            Err(stop) => stop.into_response(),
        }
    })
    .await
}

async fn metadata(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(discovery::metadata(sandbox.url()))
}

async fn jwks(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(sandbox.0.keys.set())
}

async fn introspect(State(sandbox): State<Sandbox>, request: Request) -> Response {
    with_raw(request, |raw| or_refuse(Realm::Standard, inspect::introspect(&sandbox.0, &raw))).await
}

async fn device_authorization(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let answer = |raw| or_refuse(Realm::Standard, device::authorize(&sandbox.0, &raw));
    let answer = with_raw(request, answer).await;
    sandbox.0.control.pass(Hold::BeforeAnswering).await;
    answer
}

async fn device_page(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    device::page(&sandbox.0, query.as_bytes())
}

async fn home(State(sandbox): State<Sandbox>) -> Response {
    let clients = sandbox.clients(Realm::Standard);
    pages::home(sandbox.url(), &clients)
}

async fn accounts(State(sandbox): State<Sandbox>) -> Response {
    let state = sandbox.0.state();
    pages::accounts(state.book.living())
}

async fn withdraw(State(sandbox): State<Sandbox>, request: Request) -> Response {
    with_raw(request, |raw| {
        if let Some(account) = params(&raw.body).get("withdraw") {
            sandbox.revoke_account(account);
        }
        Redirect::to("/accounts").into_response()
    })
    .await
}
