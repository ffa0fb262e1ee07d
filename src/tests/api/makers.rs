//! Bodies that work, and what programs make with them.

use serde_json::{Value, json};

use crate::tests::support::{PROVIDER, Program, SECRET, World};

pub fn client(name: &str) -> Value {
    json!({
        "provider": PROVIDER,
        "name": name,
        "oauth_client_id": "demo",
        "client_secret": SECRET,
    })
}

pub fn key(name: &str) -> Value {
    json!({ "name": name, "scopes": ["connections:read"] })
}

pub fn user(email: &str) -> Value {
    json!({ "email": email, "role": "auditor", "password": "a long enough password" })
}

impl Program {
    /// The profile of the provider that every world has.
    pub async fn profile(&self) -> Value {
        self.get(&format!("/providers/{PROVIDER}")).await.ok()
    }

    /// Hands in a token response of alice's; the connection's path.
    pub async fn import(&self, world: &World, client: uuid::Uuid) -> String {
        let response = world.token_response(client, "alice").await;
        let body = json!({ "client_id": client, "token_response": response });
        let made = self.post("/connections", &body).await.ok();
        format!("/connections/{}", made["id"].as_str().expect("an id"))
    }
}
