//! The provider's side: profiles that lead to the sandbox, clients that exist on both sides, and
//! connections.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Browser, World};
use crate::{
    domain::provider::{GrantType, Profile},
    sandbox::{self, Realm},
    server::app::{
        self,
        client::NewClient,
        connection::{NewConnection, TokenResponse},
    },
};

/// The custom provider that every world has.
pub const PROVIDER: &str = "strict";
/// The secret of every client, unless a test says otherwise.
pub const SECRET: &str = "secret-of-the-client";

impl World {
    /// Adds a custom provider that is the sandbox.
    pub async fn provider(&self, slug: &str, change: impl FnOnce(&mut Profile)) {
        let at = |path: &str| Some(format!("{}{path}", self.sandbox.url()));
        let mut profile = Profile::new(slug, format!("Service {slug}"));
        profile.issuer = at("");
        profile.endpoints.authorization = at("/authorize");
        profile.endpoints.token = at("/token");
        profile.endpoints.revocation = at("/revoke");
        profile.endpoints.userinfo = at("/userinfo");
        profile.grants = vec![GrantType::AuthorizationCode, GrantType::ClientCredentials];
        profile.authorization.default_scopes =
            ["openid", "email", "api:read"].map(str::to_owned).to_vec();
        change(&mut profile);
        app::provider::create(&self.app, &self.admin, profile).await.expect("a provider");
    }

    /// Registers a client at the sandbox and with us; its id with us.
    pub async fn client(&self, id: &str, change: impl FnOnce(&mut sandbox::Client)) -> Uuid {
        self.client_of(PROVIDER, id, change).await
    }

    /// [`World::client`] of another provider than [`PROVIDER`].
    pub async fn client_of(
        &self,
        provider: &str,
        id: &str,
        change: impl FnOnce(&mut sandbox::Client),
    ) -> Uuid {
        let mut client = sandbox::Client::confidential(id, SECRET);
        change(&mut client);
        self.sandbox.add_client(client);
        let new = NewClient {
            provider: provider.into(),
            name: format!("Client {id}"),
            oauth_client_id: id.into(),
            client_secret: Some(SECRET.into()),
            scopes: Vec::new(),
            variables: BTreeMap::new(),
        };
        app::client::create(&self.app, &self.admin, new).await.expect("a client").id
    }

    /// Connects alice by handing in a token response that the sandbox gave.
    pub async fn import(&self, client: Uuid) -> Uuid {
        self.import_of(client, "alice").await
    }

    pub async fn import_of(&self, client: Uuid, account: &str) -> Uuid {
        let response = self.token_response(client, account).await.to_string();
        self.import_text(client, response).await.expect("an import").id
    }

    /// A token response for this client as the sandbox gives it.
    pub async fn token_response(&self, client: Uuid, account: &str) -> serde_json::Value {
        let client = app::client::get(&self.app, &self.admin, client).await.expect("the client");
        self.sandbox
            .grant(Realm::Standard, &client.oauth_client_id, account, None)
            .expect("a token response")
    }

    pub async fn import_text(
        &self,
        client: Uuid,
        response: String,
    ) -> app::Result<crate::domain::connection::Connection> {
        let response = TokenResponse::from_text(response, None);
        app::connection::import_text(&self.app, &self.admin, new_connection(client), response)
            .await
            .map(|(connection, _)| connection)
    }

    /// Connects an account as a signed-in person does, by consent; the connection.
    pub async fn connect(&self, browser: &mut Browser, client: Uuid, account: &str) -> Uuid {
        let client = client.to_string();
        let form = [("client_id", client.as_str()), ("label", "")];
        let begun = browser.call("connection/connect", &form).await;
        let landing = self.consent(browser, begun.location(), account).await;
        let id = landing
            .strip_prefix("/connections/")
            .and_then(|rest| rest.strip_suffix("?connected=1"))
            .unwrap_or_else(|| panic!("the flow ended at {landing}"));
        id.parse().expect("an id")
    }

    /// Goes from the address at which a flow begins through consent; where the browser lands.
    pub async fn consent(&self, browser: &mut Browser, start: String, account: &str) -> String {
        let callback = self.consent_only(browser, start, account).await;
        browser.get(&callback).await.location()
    }

    /// The address that the provider sends the browser back to.
    pub async fn consent_only(
        &self,
        browser: &mut Browser,
        start: String,
        account: &str,
    ) -> String {
        let leaving = browser.get(&start).await.location();
        self.sandbox.consent(&leaving, account).expect("a consent page")
    }
}

pub fn new_connection(client_id: Uuid) -> NewConnection {
    NewConnection {
        client_id,
        label: String::new(),
        external_id: None,
        scopes: None,
        tags: Vec::new(),
        variables: BTreeMap::new(),
    }
}
