//! Who calls a provider: a client with its provider's profile and its opened secret.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        connection::Connection,
        provider::{Profile, merged},
    },
    server::{
        app::{App, Error, Result, keys, provider},
        provider::Registration,
        store::{self, client::Stored},
    },
};

/// A client with its provider and its opened secret: what a call to the provider begins from.
pub struct Caller {
    pub client: Stored,
    pub profile: Arc<Profile>,
    secret: Option<SecretString>,
    /// Which of the client's secrets it is; the next ones are counted by themselves.
    pub secret_generation: i64,
    redirect_uri: String,
    pub scopes: Vec<String>,
    /// What the connection fills in, if the call is for one.
    own: BTreeMap<String, String>,
    /// The client's values and the connection's.
    variables: BTreeMap<String, String>,
}

/// What a call was made with, as far as it matters later: what came of it belongs to that.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Made {
    pub client_id: Uuid,
    oauth_client_id: String,
    /// The client's values.
    variables: BTreeMap<String, String>,
    /// The connection's.
    own: BTreeMap<String, String>,
    scopes: Vec<String>,
}

impl Caller {
    pub async fn load(
        app: &App,
        conn: &mut PgConnection,
        client_id: Uuid,
        scopes: Vec<String>,
    ) -> Result<Self> {
        let client = store::client::find_bare(conn, client_id).await?;
        let client = client.ok_or(Error::NotFound("client"))?;
        Self::of(app, conn, client, scopes, None).await
    }

    /// The caller that a client is. `profile`: its provider's, where that has just been read.
    pub async fn of(
        app: &App,
        conn: &mut PgConnection,
        client: Stored,
        scopes: Vec<String>,
        profile: Option<Arc<Profile>>,
    ) -> Result<Self> {
        let profile = match profile {
            Some(profile) => profile,
            None => provider::load(app, conn, &client.provider).await?,
        };
        let secret_generation = client.secret_generation;
        let secret = match &client.sealed_client_secret {
            Some(sealed) => {
                let place = super::secret_place(client.id, secret_generation);
                Some(keys::open_text(app, conn, place, sealed).await?)
            }
            None => None,
        };
        Ok(Self {
            profile,
            secret,
            secret_generation,
            redirect_uri: app.redirect_uri(),
            scopes,
            own: BTreeMap::new(),
            variables: client.variables.clone(),
            client,
        })
    }

    /// The caller that a client would be with its next secret. `None`: it has none.
    pub async fn with_next_secret(
        app: &App,
        conn: &mut PgConnection,
        client_id: Uuid,
    ) -> Result<Option<Self>> {
        let mut caller = Self::load(app, conn, client_id, Vec::new()).await?;
        let Some(sealed) = &caller.client.sealed_next_secret else { return Ok(None) };
        let generation = caller.client.next_secret_generation;
        let place = super::next_secret_place(client_id, generation);
        caller.secret = Some(keys::open_text(app, conn, place, sealed).await?);
        caller.secret_generation = generation;
        Ok(Some(caller))
    }

    /// What a call by it is made with.
    pub fn made(&self) -> Made {
        Made {
            client_id: self.client.id,
            oauth_client_id: self.client.oauth_client_id.clone(),
            variables: self.client.variables.clone(),
            own: self.own.clone(),
            scopes: self.scopes.clone(),
        }
    }

    /// Who made a call some time ago. Whether the client is still that, [`confirm`](Self::confirm) says.
    pub async fn who_made(app: &App, conn: &mut PgConnection, made: Made) -> Result<Self> {
        let mut caller = Self::load(app, conn, made.client_id, made.scopes).await?;
        caller.client.oauth_client_id = made.oauth_client_id;
        caller.client.variables = made.variables;
        Ok(caller.with_variables(made.own))
    }

    /// The same for one connection.
    pub fn for_connection(self, connection: &Connection) -> Self {
        self.with_variables(connection.variables.clone())
    }

    /// The same with what a connection fills in.
    pub fn with_variables(self, own: BTreeMap<String, String>) -> Self {
        let variables = self.filled(&own).into_owned();
        Self { own, variables, ..self }
    }

    /// Refuses, and so keeps a grant from being stored, when the client changed since it was loaded:
    /// the tokens belong to what it was. Keeps it from changing until the transaction ends.
    pub async fn confirm(&self, conn: &mut PgConnection) -> Result<bool> {
        let now = store::client::find_for_share(conn, self.client.id).await?;
        Ok(now.is_some_and(|now| self.is_of(&now)))
    }

    /// [`confirm`](Self::confirm), for whoever adds connections by the thousand: the client's refreshes go on
    /// beside.
    pub async fn confirm_beside(&self, conn: &mut PgConnection) -> Result<bool> {
        // Whoever changes a client waits for those who add connections to it, and then sees them.
        store::client::keep(conn, self.client.id).await?;
        Ok(store::client::find(conn, self.client.id).await?.is_some_and(|now| self.is_of(&now)))
    }

    fn is_of(&self, now: &Stored) -> bool {
        now.variables == self.client.variables && now.oauth_client_id == self.client.oauth_client_id
    }

    /// Whether the connection still fills in what the call was made with.
    pub fn is_for(&self, connection: &Connection) -> bool {
        self.own == connection.variables
    }

    /// The values that templates are filled with for a connection that fills in `own`.
    pub fn filled(&self, own: &BTreeMap<String, String>) -> Cow<'_, BTreeMap<String, String>> {
        match own.is_empty() {
            true => Cow::Borrowed(&self.client.variables),
            false => Cow::Owned(merged(&self.client.variables, own)),
        }
    }

    pub fn registration(&self) -> Registration<'_> {
        self.registration_for(&self.scopes, &self.variables)
    }

    /// [`registration`](Self::registration), for one connection of many.
    pub fn registration_for<'a>(
        &'a self,
        scopes: &'a [String],
        variables: &'a BTreeMap<String, String>,
    ) -> Registration<'a> {
        Registration {
            profile: &self.profile,
            variables,
            client_id: &self.client.oauth_client_id,
            client_secret: self.secret.as_ref(),
            scopes,
            redirect_uri: &self.redirect_uri,
        }
    }
}
