//! A token endpoint that answers whatever a test wants, sense or nonsense.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::post};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::World;
use crate::domain::provider::Profile;

/// Answers every request with the same body, until it is given another.
#[derive(Clone)]
pub struct Stub(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    answer: String,
    /// The last form that was sent.
    form: String,
}

impl Stub {
    pub fn answers(&self, body: impl ToString) {
        self.0.lock().expect("no panic").answer = body.to_string();
    }

    /// A parameter of the last request.
    pub fn heard(&self, name: &str) -> Option<String> {
        let form = self.0.lock().expect("no panic").form.clone();
        url::form_urlencoded::parse(form.as_bytes())
            .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }
}

async fn answer(State(stub): State<Stub>, form: String) -> impl IntoResponse {
    let mut heard = stub.0.lock().expect("no panic");
    heard.form = form;
    ([(header::CONTENT_TYPE, "application/json")], heard.answer.clone())
}

impl World {
    /// A stub, and a connection whose refreshes go there.
    pub async fn stub(&self) -> (Stub, Uuid) {
        self.stub_with(|_| {}).await
    }

    /// [`World::stub`], whose provider can do more.
    pub async fn stub_with(&self, change: impl FnOnce(&mut Profile)) -> (Stub, Uuid) {
        let stub = Stub(Arc::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/token", post(answer)).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        self.provider("stub", |profile| {
            profile.endpoints.token = Some(format!("http://{address}/token"));
            change(profile);
        })
        .await;
        let client = self.client_of("stub", "stub", |_| {}).await;
        let response = json!({ "access_token": "a0", "refresh_token": "r0", "expires_in": 600 });
        let connection = self.import_text(client, response.to_string()).await;
        (stub, connection.expect("a connection").id)
    }
}
