//! The switches over HTTP, for whoever drives the sandbox from outside: `/__ctl`.
//!
//! `GET /__ctl` gives settings and counters, `PUT /__ctl` replaces the settings, `GET /__ctl/log`
//! is the log as one JSON object a line, `POST /__ctl/revoke {"account"}` withdraws an account's
//! consent, `POST /__ctl/secret {"client", "secret"}` replaces a secret. Bodies must be
//! `application/json`, which a foreign web page cannot send without asking first.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Sandbox, dialects::Realm, faults::Settings};

pub fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/__ctl", get(read).put(replace))
        .route("/__ctl/log", get(log))
        .route("/__ctl/revoke", post(revoke))
        .route("/__ctl/secret", post(secret))
}

async fn read(State(sandbox): State<Sandbox>) -> Json<Value> {
    let control = sandbox.control();
    Json(json!({ "settings": control.settings(), "counts": control.counts() }))
}

async fn replace(State(sandbox): State<Sandbox>, Json(settings): Json<Settings>) -> StatusCode {
    sandbox.control().set(|current| *current = settings);
    StatusCode::NO_CONTENT
}

async fn log(State(sandbox): State<Sandbox>) -> Response {
    let lines: String =
        sandbox.log().iter().map(|request| format!("{}\n", json!(request))).collect();
    ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}

#[derive(Deserialize)]
struct Account {
    account: String,
}

async fn revoke(State(sandbox): State<Sandbox>, Json(body): Json<Account>) -> Response {
    let revoked = sandbox.revoke_account(&body.account);
    Json(json!({ "revoked": revoked })).into_response()
}

#[derive(Deserialize)]
struct NewSecret {
    #[serde(default = "standard")]
    realm: Realm,
    client: String,
    secret: String,
}

fn standard() -> Realm {
    Realm::Standard
}

async fn secret(State(sandbox): State<Sandbox>, Json(body): Json<NewSecret>) -> StatusCode {
    match sandbox.replace_secret(body.realm, &body.client, &body.secret) {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::NOT_FOUND,
    }
}
