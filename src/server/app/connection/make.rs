//! Connections made without a consent page: from a token response obtained elsewhere, or with the
//! client's own credentials.

mod activate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, arrival, audit, audit::Subject, consent, fields, home, load,
};
use crate::{
    domain::{
        access::Permission,
        connection::{Connection, GrantType},
        problem::{FieldProblem, Obstacle},
        provider::{self, ExpirySource},
        refusal::ErrorClass,
        relink::Ended,
        voice,
    },
    server::{
        app::{
            client::{Caller, scopes},
            error,
        },
        provider::{Refusal, token, unread},
        store::{self, Of},
    },
};

pub(super) use activate::activate;

/// A connection to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewConnection {
    pub client_id: Uuid,
    pub label: String,
    pub external_id: Option<String>,
    /// `None`: the client's scopes.
    pub scopes: Option<Vec<String>>,
    pub tags: Vec<String>,
    /// What the provider leaves to each connection.
    pub variables: BTreeMap<String, String>,
}

/// A token response as the provider gave it, and when.
pub struct TokenResponse {
    body: String,
    obtained_at: Option<String>,
}

impl TokenResponse {
    /// JSON text, and RFC 3339 text; `None`: just now.
    pub fn from_text(body: String, obtained_at: Option<String>) -> Self {
        Self { body, obtained_at }
    }
}

/// [`import`] from text.
pub async fn import_text(
    app: &App,
    actor: &Actor,
    new: NewConnection,
    response: TokenResponse,
) -> Result<(Connection, Vec<FieldProblem>)> {
    actor.require(Permission::ConnectionsWrite)?;
    let body: Value = serde_json::from_str(&response.body).map_err(|error| {
        // The text holds tokens, so the error names a place and never quotes.
        let (line, column) = (error.line(), error.column());
        Error::invalid("token_response", format!("is not JSON (line {line}, column {column})"))
    })?;
    let obtained_at = response
        .obtained_at
        .map(|text| {
            OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| {
                Error::invalid("obtained_at", "is not a time like 2026-01-31T12:00:00Z")
            })
        })
        .transpose()?;
    import(app, actor, new, &body, obtained_at).await
}

/// Makes a connection from a token response as the provider gave it, and says what is odd about it: a
/// person who hands over one response sees that at once, and its tokens may be the last there are.
/// Expiries count from `obtained_at`; `None`: from now.
pub async fn import(
    app: &App,
    actor: &Actor,
    new: NewConnection,
    response: &Value,
    obtained_at: Option<OffsetDateTime>,
) -> Result<(Connection, Vec<FieldProblem>)> {
    actor.require(Permission::ConnectionsWrite)?;
    let now = app.now();
    let obtained_at = fields::check_obtained_at(obtained_at.unwrap_or(now), now)?;
    check(&new)?;
    let mut tx = app.begin().await?;
    let scopes = new.scopes.clone().unwrap_or_default();
    let mut caller = load_caller(app, &mut tx, new.client_id, scopes).await?;
    if new.scopes.is_none() {
        caller.scopes.clone_from(&caller.client.scopes);
    }
    let own = fields::check_variables(&caller.profile, &caller.client.variables, &new.variables)?;
    let caller = caller.with_variables(own);
    // Said first, for whoever imports the same twice; what is waited for comes after that.
    if let Some(text) = fields::check_external_id(new.external_id.as_deref())?
        && let Some((_, false)) =
            store::connection::make::find_by_external_id(&mut tx, new.client_id, &text).await?
    {
        return Err(Error::invalid("external_id", error::EXTERNAL_ID_TAKEN));
    }
    let given = token::import(&caller.registration(), response, obtained_at)
        .map_err(|refusal| Error::invalid("token_response", reading(&refusal)))?;
    home::refuse_second(app, &mut tx, &given).await?;
    // Whoever waited there may have an old picture of the client.
    refuse_changed(&caller, &mut tx).await?;
    let id = insert(app, &mut tx, &new, GrantType::Import).await?;
    let connection = load(&mut tx, id).await?;
    activate(app, &mut tx, &connection, &caller, &given, Some(obtained_at)).await?;
    let subject = Subject::new(id, connection.name());
    let detail = json!({ "client": caller.client.name });
    audit::record(app, &mut tx, actor, "connection.import", subject, detail).await?;
    tx.commit().await?;
    app.wake_worker();
    // Who consents later can be compared with it.
    arrival::name(app, id, &caller, &given).await;
    let registration = caller.registration();
    let odd = token::unreadable_expiries(&registration, response, obtained_at)
        .map(unreadable_expiry)
        .chain(
            token::over_for_good(&registration, response, &given, obtained_at)
                .map(|at| expiry(at, voice::ZERO_EXPIRY)),
        )
        .map(|odd| FieldProblem::new("token_response", odd))
        .collect::<Vec<_>>();
    let connection = super::get(app, &Actor::System, id).await?;
    let unread = unread::first(response, &given, connection.access_expires_at.is_some())
        .map(|name| FieldProblem::new("token_response", unread(&name)));
    Ok((connection, odd.into_iter().chain(unread).collect()))
}

fn unreadable_expiry(source: &ExpirySource) -> String {
    expiry(&source.pointer, voice::expiry_wanted(source.form))
}

/// What is odd about an expiry; `at` is a JSON pointer.
pub(in crate::server::app) fn expiry(at: &str, odd: &str) -> String {
    format!("the expiry at {at} {odd}")
}

pub(in crate::server::app) fn unread(name: &str) -> String {
    format!(
        "holds \"{name}\", where this provider's profile does not look; rename it, or have the profile look there"
    )
}

pub(in crate::server::app) fn reading(refusal: &Refusal) -> String {
    refusal.description.clone().unwrap_or_else(|| "holds no access token".into())
}

/// Makes a connection that is the client's own (RFC 6749 section 4.4). What the provider granted is
/// stored even if the caller goes away.
pub async fn grant_client_credentials(
    app: &App,
    actor: &Actor,
    new: NewConnection,
) -> Result<Connection> {
    actor.require(Permission::ConnectionsWrite)?;
    let (running, actor) = (app.clone(), actor.clone());
    app.finish(async move { ask_for_grant(&running, &actor, new).await }).await
}

async fn ask_for_grant(app: &App, actor: &Actor, new: NewConnection) -> Result<Connection> {
    check(&new)?;
    let caller = caller(app, &new).await?;
    if !caller.profile.allows(provider::GrantType::ClientCredentials) {
        return Err(Error::conflict(
            Obstacle::NotOffered,
            format!(
                "{} does not offer client credentials; let an account consent, or import a token response.",
                caller.profile.name
            ),
        ));
    }
    let given = token::client_credentials(app.http(), &caller.registration())
        .await
        .map_err(|refusal| refused(&caller.profile.name, &refusal))?;
    let mut tx = app.begin().await?;
    home::refuse_second(app, &mut tx, &given).await?;
    refuse_changed(&caller, &mut tx).await?;
    let id = insert(app, &mut tx, &new, GrantType::ClientCredentials).await?;
    let connection = load(&mut tx, id).await?;
    activate(app, &mut tx, &connection, &caller, &given, None).await?;
    let subject = Subject::new(id, connection.name());
    let detail = json!({ "client": caller.client.name });
    audit::record(app, &mut tx, actor, "connection.grant_client_credentials", subject, detail)
        .await?;
    tx.commit().await?;
    super::get(app, &Actor::System, id).await
}

/// The client that a connection is to be made with, the scopes it is to have, and what it fills in.
pub(super) async fn caller(app: &App, new: &NewConnection) -> Result<Caller> {
    let mut conn = app.pool().acquire().await?;
    let scopes = new.scopes.clone().unwrap_or_default();
    let mut caller = load_caller(app, &mut conn, new.client_id, scopes).await?;
    if let Some(scopes) = &new.scopes {
        scopes::check(&caller.profile, scopes)?;
    } else {
        caller.scopes.clone_from(&caller.client.scopes);
    }
    let own = fields::check_variables(&caller.profile, &caller.client.variables, &new.variables)?;
    // What can't be stored is not asked for: what is given for it may be given once.
    if let Some(text) = fields::check_external_id(new.external_id.as_deref())? {
        match store::connection::make::find_by_external_id(&mut conn, new.client_id, &text).await? {
            Some((id, true)) => consent::refuse_on_its_way(app, &mut conn, id).await?,
            Some((_, false)) => {
                return Err(Error::invalid("external_id", error::EXTERNAL_ID_TAKEN));
            }
            None => {}
        }
    }
    Ok(caller.with_variables(own))
}

async fn load_caller(
    app: &App,
    conn: &mut PgConnection,
    client_id: Uuid,
    scopes: Vec<String>,
) -> Result<Caller> {
    Caller::load(app, conn, client_id, scopes).await.map_err(|error| match error {
        Error::NotFound("client") => Error::invalid("client_id", "is no client of ours"),
        other => other,
    })
}

/// Refuses to store what a client was given before it was changed.
pub(super) async fn refuse_changed(caller: &Caller, conn: &mut PgConnection) -> Result<()> {
    match caller.confirm(conn).await? {
        true => Ok(()),
        false => Err(changed()),
    }
}

pub(in crate::server::app) fn changed() -> Error {
    Error::conflict(
        Obstacle::Changed,
        "The settings changed while the provider was asked. Ask again.",
    )
}

/// A refusal in words for whoever is waiting.
pub(crate) fn refused(provider: &str, refusal: &Refusal) -> Error {
    unavailable(refusal.told(provider, "a token"), refusal)
}

/// `why` it did not work, as an error that says whether asking again can help.
pub(super) fn unavailable(why: String, refusal: &Refusal) -> Error {
    match refusal.class {
        ErrorClass::RateLimited | ErrorClass::Transient | ErrorClass::AnswerLost => {
            Error::ProviderUnavailable { why, retry_after: refusal.retry_after }
        }
        ErrorClass::GrantRefused
        | ErrorClass::ScopeRefused
        | ErrorClass::ClientRefused
        | ErrorClass::RequestRefused => Error::conflict(Obstacle::Refused, why),
    }
}

/// Adds a connection without tokens. One of the same external id that nobody ever consented to is
/// taken over: whoever gave up at the provider's page may begin again.
pub(super) async fn insert(
    app: &App,
    conn: &mut PgConnection,
    new: &NewConnection,
    grant_type: GrantType,
) -> Result<Uuid> {
    insert_as(app, conn, app.new_id(), new, grant_type).await
}

/// [`insert`], by an id that was made before.
pub(super) async fn insert_as(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    new: &NewConnection,
    grant_type: GrantType,
) -> Result<Uuid> {
    check(new)?;
    let client = store::client::find(conn, new.client_id)
        .await?
        .ok_or_else(|| Error::invalid("client_id", "is no client of ours"))?;
    let profile = crate::server::app::provider::load(app, conn, &client.provider).await?;
    let (label, tags) = (fields::check_label(&new.label)?, fields::check_tags(&new.tags)?);
    let external_id = fields::check_external_id(new.external_id.as_deref())?;
    let waiting = match &external_id {
        Some(text) => store::connection::make::find_waiting(conn, client.id, text).await?,
        None => None,
    };
    let id = waiting.unwrap_or(id);
    let row = store::connection::make::NewRow {
        id,
        client_id: client.id,
        label: &label,
        external_id: external_id.as_deref(),
        tags: &tags,
        variables: &fields::check_variables(&profile, &client.variables, &new.variables)?,
        grant_type,
        scopes_requested: new.scopes.as_deref().unwrap_or(&client.scopes),
        now: app.now(),
    };
    if waiting.is_none() {
        store::connection::make::insert(conn, &row).await?;
        return Ok(id);
    }
    consent::void_waiting(app, conn, Of::Connection(id)).await?;
    store::connection::make::begin_anew(conn, &row).await?;
    store::relink::end_open(conn, id, Ended::Replaced, app.now()).await?;
    Ok(id)
}

pub(super) fn check(new: &NewConnection) -> Result<()> {
    fields::check_label(&new.label)?;
    fields::check_external_id(new.external_id.as_deref())?;
    fields::check_tags(&new.tags)?;
    Ok(())
}
