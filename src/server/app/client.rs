//! Clients: registrations at providers, their secrets, their state.

mod caller;
pub mod check;
pub mod rehearsal;
mod resume;
pub(super) mod scopes;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Actor, App, Error, Result, audit, audit::Subject, connection, incident};
use crate::{
    domain::{
        access::Permission,
        client::{Client, ClientName, ClientPatch, StateName},
        problem::{FieldProblem, Obstacle},
        provider::Profile,
        voice,
    },
    server::{
        provider::{self, assertion},
        secret::seal::Place,
        store::{self, Of, client::Stored},
    },
};

pub use caller::{Caller, Made};
pub use resume::spread_some;
pub(super) use resume::{RESUME_SPREAD, resume};

/// A registration to be kept.
pub struct NewClient {
    pub provider: String,
    pub name: String,
    pub oauth_client_id: String,
    pub client_secret: Option<SecretString>,
    /// Empty: the provider's default scopes.
    pub scopes: Vec<String>,
    pub variables: BTreeMap<String, String>,
}

pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Client>> {
    actor.require(Permission::ClientsRead)?;
    let mut conn = app.pool().acquire().await?;
    let stored = store::client::list(&mut conn).await?;
    Ok(stored.into_iter().map(|client| client.seen(app.redirect_uri(), app.now())).collect())
}

/// What every client is called; nothing is counted for it.
pub async fn names(app: &App, actor: &Actor) -> Result<Vec<ClientName>> {
    actor.require(Permission::ClientsRead)?;
    let mut conn = app.pool().acquire().await?;
    Ok(store::client::names(&mut conn).await?)
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<Client> {
    actor.require(Permission::ClientsRead)?;
    let mut conn = app.pool().acquire().await?;
    Ok(load(&mut conn, id).await?.seen(app.redirect_uri(), app.now()))
}

pub(super) async fn load(conn: &mut PgConnection, id: Uuid) -> Result<Stored> {
    store::client::find(conn, id).await?.ok_or(Error::NotFound("client"))
}

/// [`load`], without counting its connections.
pub(super) async fn load_bare(conn: &mut PgConnection, id: Uuid) -> Result<Stored> {
    store::client::find_bare(conn, id).await?.ok_or(Error::NotFound("client"))
}

pub async fn create(app: &App, actor: &Actor, new: NewClient) -> Result<Client> {
    actor.require(Permission::ClientsWrite)?;
    let mut tx = app.begin().await?;
    let profile = super::provider::load_for_share(app, &mut tx, new.provider.trim())
        .await
        .map_err(|error| match error {
            Error::NotFound(_) => Error::invalid("provider", "is not a provider we know"),
            other => other,
        })?;
    let now = app.now();
    let mut wrong = Wrong::default();
    wrong.note(scopes::check(&profile, &new.scopes))?;
    let scopes = if new.scopes.is_empty() {
        profile.authorization.default_scopes.clone()
    } else {
        new.scopes
    };
    let mut client = Stored {
        id: app.new_id(),
        provider: profile.slug.clone(),
        name: new.name.trim().to_owned(),
        oauth_client_id: new.oauth_client_id.trim().to_owned(),
        sealed_client_secret: None,
        secret_generation: 0,
        secret_set_at: None,
        sealed_next_secret: None,
        next_secret_generation: 0,
        next_secret: None,
        scopes,
        variables: new.variables,
        state: StateName::Ready,
        state_since: now,
        state_detail: None,
        incident: None,
        paused_until: None,
        connections: 0,
        created_at: now,
        updated_at: now,
    };
    check(&mut wrong, &client, &profile, new.client_secret.as_ref(), false)?;
    wrong.end()?;
    if let Some(secret) = &new.client_secret {
        set_secret(app, &mut client, secret)?;
    }
    store::client::insert(&mut tx, &client).await?;
    let subject = Subject::new(client.id, &client.name);
    let detail = json!({ "provider": client.provider, "scopes": client.scopes });
    audit::record(app, &mut tx, actor, "client.create", subject, detail).await?;
    tx.commit().await?;
    Ok(client.seen(app.redirect_uri(), app.now()))
}

/// [`update`] by a form in which the secret stands beside what anybody changes. Where nothing sends it elsewhere it
/// is refused: it would take the place of the one in use untried, and a browser may have filled it in.
pub async fn edit(
    app: &App,
    actor: &Actor,
    id: Uuid,
    patch: ClientPatch,
    client_secret: Option<SecretString>,
) -> Result<Client> {
    actor.require(Permission::ClientsWrite)?;
    if client_secret.is_some() {
        let mut conn = app.pool().acquire().await?;
        let client = load_bare(&mut conn, id).await?;
        let profile = super::provider::load(app, &mut conn, &client.provider).await?;
        let is_same_id = patch
            .oauth_client_id
            .as_ref()
            .is_none_or(|other| other.trim() == client.oauth_client_id);
        let values = patch.variables.as_ref().unwrap_or(&client.variables);
        if is_same_id && effective(&profile, values) == effective(&profile, &client.variables) {
            return Err(Error::invalid("client_secret", voice::SECRET_NOT_NEEDED));
        }
    }
    update(app, actor, id, patch, client_secret).await
}

/// Changes a client. Another client id or other values of its variables can move the addresses that
/// secrets are sent to, so they demand the secret anew, and are refused while its connections hold
/// tokens.
pub async fn update(
    app: &App,
    actor: &Actor,
    id: Uuid,
    patch: ClientPatch,
    client_secret: Option<SecretString>,
) -> Result<Client> {
    actor.require(Permission::ClientsWrite)?;
    let mut tx = app.begin().await?;
    let mut client =
        store::client::find_for_update(&mut tx, id).await?.ok_or(Error::NotFound("client"))?;
    let profile = super::provider::load(app, &mut tx, &client.provider).await?;
    let mut changed = Vec::new();
    let mut wrong = Wrong::default();
    if let Some(name) = patch.name.map(|name| name.trim().to_owned())
        && name != client.name
    {
        changed.push("name");
        client.name = name;
    }
    if let Some(scopes) = patch.scopes.filter(|scopes| *scopes != client.scopes) {
        wrong.note(scopes::check(&profile, &scopes))?;
        changed.push("scopes");
        client.scopes = scopes;
    }
    let oauth_client_id = patch.oauth_client_id.map(|text| text.trim().to_owned());
    let other_id = oauth_client_id.filter(|text| *text != client.oauth_client_id);
    let other_variables = patch.variables.filter(|variables| {
        effective(&profile, variables) != effective(&profile, &client.variables)
    });
    if other_id.is_some() || other_variables.is_some() {
        // First what no secret helps with: it is not to be typed in vain.
        if store::client::holds_tokens(&mut tx, id).await? {
            return Err(Error::conflict(
                Obstacle::HoldsTokens,
                "Tokens belong to the client id and the settings they were issued under, and \
                 connections of this client hold tokens. Disconnect them first, or register another \
                 client.",
            ));
        }
        if client.sealed_client_secret.is_some() && client_secret.is_none() {
            return Err(Error::invalid(
                "client_secret",
                "enter it again: these settings change where, or for whom, it is sent",
            ));
        }
        // A code belongs to the client and the address it was asked for at.
        connection::void_waiting(app, &mut tx, Of::Client(id)).await?;
    }
    let is_older = client_secret.is_some();
    if (other_id.is_some() || other_variables.is_some() || is_older)
        && client.sealed_next_secret.is_some()
    {
        // It does not follow either, and would take the place of what is newer.
        changed.push("next_secret");
        store::client::next_secret::clear(&mut tx, id, app.now()).await?;
        client.next_secret = None;
    }
    if let Some(oauth_client_id) = other_id {
        changed.push("oauth_client_id");
        client.oauth_client_id = oauth_client_id;
    }
    if let Some(variables) = other_variables {
        changed.push("variables");
        client.variables = variables;
    }
    let is_kept = client.sealed_client_secret.is_some();
    check(&mut wrong, &client, &profile, client_secret.as_ref(), is_kept)?;
    wrong.end()?;
    let was = client.state;
    if let Some(secret) = &client_secret {
        changed.push("client_secret");
        set_secret(app, &mut client, secret)?;
    }
    // New credentials deserve a new trial; so does a client switched on again.
    let mended = client_secret.is_some() || changed.contains(&"oauth_client_id");
    let state = match (patch.disabled, was) {
        (Some(true), _) => StateName::Disabled,
        (Some(false), StateName::Disabled) => StateName::Ready,
        (_, StateName::CredentialsRejected) if mended => StateName::Ready,
        _ => was,
    };
    if state != was {
        changed.push("state");
        client.state = state;
        client.state_since = app.now();
        client.state_detail = None;
        if was == StateName::Incident {
            incident::forget(&mut tx, id).await?;
            client.incident = None;
        }
    }
    if client.state == StateName::Incident && mended {
        client.state_detail = None;
    }
    client.updated_at = app.now();
    store::client::update(&mut tx, &client).await?;
    if state == StateName::Ready && was != StateName::Ready {
        resume(app, &mut tx, id).await?;
    }
    if !changed.is_empty() {
        let subject = Subject::new(id, &client.name);
        let detail = json!({ "changed": changed, "state": client.state });
        audit::record(app, &mut tx, actor, "client.update", subject, detail).await?;
    }
    tx.commit().await?;
    app.wake_worker();
    Ok(client.seen(app.redirect_uri(), app.now()))
}

/// Replaces the secret; what waited for it resumes.
pub async fn replace_secret(
    app: &App,
    actor: &Actor,
    id: Uuid,
    client_secret: Option<SecretString>,
) -> Result<Client> {
    actor.require(Permission::ClientsWrite)?;
    if client_secret.is_none() {
        return Err(Error::invalid("client_secret", "must be filled in"));
    }
    update(app, actor, id, ClientPatch::default(), client_secret).await
}

/// Deletes a client and its disconnected connections; refused while it has others.
pub async fn delete(app: &App, actor: &Actor, id: Uuid) -> Result<()> {
    actor.require(Permission::ClientsWrite)?;
    let mut tx = app.begin().await?;
    let client =
        store::client::find_for_update(&mut tx, id).await?.ok_or(Error::NotFound("client"))?;
    if client.connections > 0 {
        return Err(Error::conflict(
            Obstacle::InUse,
            format!("This client has {} connections. Disconnect them first.", client.connections),
        ));
    }
    store::connection::delete_disconnected(&mut tx, id).await?;
    store::client::delete(&mut tx, id).await?;
    let subject = Subject::new(id, &client.name);
    audit::record(app, &mut tx, actor, "client.delete", subject, json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes that the provider refused the credentials of this generation; its connections wait. Writes
/// one audit row however many connections meet the refusal.
pub(super) async fn reject_credentials(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    secret_generation: i64,
    said: &str,
) -> Result<()> {
    let marked =
        store::client::reject_credentials(conn, id, secret_generation, said, app.now()).await?;
    if let Some(name) = marked {
        let subject = Subject::new(id, &name);
        let detail = json!({ "provider_said": said });
        audit::record(app, conn, &Actor::System, "client.credentials_rejected", subject, detail)
            .await?;
        tracing::warn!(client = %id, name, "the provider refuses this client");
    }
    Ok(())
}

/// Refuses what the client could not prove with who it is.
fn check_secret(profile: &Profile, secret: &SecretString) -> Result<()> {
    if secret.expose_secret().is_empty() {
        return Err(Error::invalid("client_secret", "must be filled in"));
    }
    match profile.authentications().find_map(|one| assertion::misfit(one, secret)) {
        Some(why) => Err(Error::invalid("client_secret", why)),
        None => Ok(()),
    }
}

fn set_secret(app: &App, client: &mut Stored, secret: &SecretString) -> Result<()> {
    client.secret_generation += 1;
    client.secret_set_at = Some(app.now());
    let place = secret_place(client.id, client.secret_generation);
    let plain = secret.expose_secret().as_bytes();
    client.sealed_client_secret = Some(app.keyring().seal(app.rng(), place, plain)?);
    Ok(())
}

pub(super) fn secret_place(row: Uuid, generation: i64) -> Place {
    Place { table: "clients", column: "sealed_client_secret", row, generation }
}

pub(super) fn next_secret_place(row: Uuid, generation: i64) -> Place {
    Place { table: "clients", column: "sealed_next_secret", row, generation }
}

/// All that is wrong with what was filled in, to be told at once.
#[derive(Default)]
struct Wrong(Vec<FieldProblem>);

impl Wrong {
    fn note(&mut self, checked: Result<()>) -> Result<()> {
        match checked {
            Err(Error::Invalid(fields)) => {
                self.0.extend(fields);
                Ok(())
            }
            other => other,
        }
    }

    fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

/// `secret`: a new one; `is_kept`: there is one already.
fn check(
    wrong: &mut Wrong,
    client: &Stored,
    profile: &Profile,
    secret: Option<&SecretString>,
    is_kept: bool,
) -> Result<()> {
    if client.name.is_empty() || client.name.chars().count() > 200 {
        wrong.note(Err(Error::invalid("name", "must have 1 to 200 characters")))?;
    }
    if client.oauth_client_id.is_empty() || client.oauth_client_id.len() > 1000 {
        wrong.note(Err(Error::invalid("oauth_client_id", "must have 1 to 1000 characters")))?;
    }
    match secret {
        Some(secret) => wrong.note(check_secret(profile, secret))?,
        None if profile.needs_client_secret() && !is_kept => {
            wrong.note(Err(Error::invalid("client_secret", "this provider asks for one")))?;
        }
        None => {}
    }
    let variables = provider::profile::check_variables(profile, &client.variables, false);
    wrong.note(variables.map_err(Error::from))
}

/// What templates are filled with.
pub(super) fn effective<'a>(
    profile: &'a Profile,
    values: &'a BTreeMap<String, String>,
) -> Vec<Option<&'a str>> {
    profile.variables.iter().map(|variable| variable.value(values)).collect()
}
