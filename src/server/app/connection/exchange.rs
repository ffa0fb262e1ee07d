//! Token exchange (RFC 8693): a connection made from another token, which is used once and not kept.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{
    Actor, App, Error, Result,
    arrival::{self, Arrival, Purpose},
    audit,
    audit::{Party, Subject},
    home, load,
    make::{self, NewConnection},
    settle::Settled,
};
use crate::{
    domain::{
        access::Permission,
        audit::AuditFilter,
        connection::{Connection, GrantType},
        problem::Obstacle,
        provider::GrantType as Offered,
    },
    server::{
        app::{client::Caller, error::Conflict},
        provider::{Grant, token},
        store,
    },
};

const EXCHANGE: &str = "connection.exchange";

/// How far a clock may have been set back since a grant came: what the audit log says of it is not older.
const CLOCKS: time::Duration = time::Duration::hours(1);
/// Longer than any token that fits into a header somewhere.
const TOKEN_LIMIT: usize = 64 * 1024;
const TEXT_LIMIT: usize = 2000;

/// The token to be exchanged.
pub struct Subjected {
    pub token: SecretString,
    /// A URI that says what kind of token it is (RFC 8693 section 3).
    pub token_type: String,
    /// Whom the new token is for, by name.
    pub audience: Option<String>,
    /// Whom the new token is for, by address (RFC 8707).
    pub resource: Option<String>,
}

/// Makes a connection by exchanging a token. What the provider gives is stored even if the caller
/// goes away; the token given in is not.
pub async fn create(
    app: &App,
    actor: &Actor,
    new: NewConnection,
    subject: Subjected,
) -> Result<Connection> {
    actor.require(Permission::ConnectionsWrite)?;
    check(&subject)?;
    let (running, actor) = (app.clone(), actor.clone());
    app.finish(async move { exchange(&running, &actor, new, &subject).await }).await
}

fn check(subject: &Subjected) -> Result<()> {
    use secrecy::ExposeSecret;
    let length = subject.token.expose_secret().len();
    if length == 0 || length > TOKEN_LIMIT {
        return Err(Error::invalid("subject_token", "must be a token of at most 64 KiB"));
    }
    let uri = |text: &str| text.len() <= TEXT_LIMIT && url::Url::parse(text).is_ok();
    if !uri(&subject.token_type) {
        let message = "must be a URI, such as urn:ietf:params:oauth:token-type:access_token";
        return Err(Error::invalid("subject_token_type", message));
    }
    // RFC 8693 section 2.1 with RFC 8707 section 2: an absolute address without a fragment.
    if subject.resource.as_deref().is_some_and(|text| !uri(text) || text.contains('#')) {
        return Err(Error::invalid("resource", "must be an absolute URI without a fragment"));
    }
    if subject.audience.as_deref().is_some_and(|text| text.is_empty() || text.len() > TEXT_LIMIT) {
        return Err(Error::invalid("audience", "must have 1 to 2000 characters"));
    }
    Ok(())
}

async fn exchange(
    app: &App,
    actor: &Actor,
    new: NewConnection,
    subject: &Subjected,
) -> Result<Connection> {
    make::check(&new)?;
    let caller = make::caller(app, &new).await?;
    let name = &caller.profile.name;
    if !caller.profile.allows(Offered::TokenExchange) {
        return Err(Error::conflict(Obstacle::NotOffered, format!("{name} exchanges no tokens.")));
    }
    let registration = caller.registration();
    let asked = token::Subject {
        token: &subject.token,
        token_type: &subject.token_type,
        audience: subject.audience.as_deref(),
        resource: subject.resource.as_deref(),
    };
    let given = token::exchange_token(app.http(), &registration, asked)
        .await
        .map_err(|refusal| make::refused(name, &refusal))?;
    let exchange = Exchange {
        id: app.new_id(),
        // What was asked for, whatever the client's are by then.
        new: NewConnection { scopes: Some(caller.scopes.clone()), ..new },
        subject_token_type: subject.token_type.clone(),
        who: actor.into(),
    };
    let arrival = Arrival::new(app, given, &caller, Purpose::Exchange(exchange));
    match arrival::receive(app, arrival, caller).await? {
        Some(Settled { home: Some(id), .. }) => super::get(app, &Actor::System, id).await,
        Some(Settled { why, .. }) => Err(Error::Internal(anyhow::anyhow!(why))),
        None => Err(Error::conflict(
            Obstacle::ConsentUnderWay,
            "The provider gave a token, and storing it takes longer than usual. It goes on by itself, \
             so do not exchange again; the connection shows in a moment.",
        )),
    }
}

/// A connection to be made of what came for a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Exchange {
    /// The connection's, unless it takes the place of one that waits for its first consent.
    id: Uuid,
    new: NewConnection,
    subject_token_type: String,
    who: Party,
}

/// Makes the connection, unless it is there since this was offered before (`is_again`). `None`: not
/// now, somebody else's consent is under way in its place.
pub(super) async fn settle(
    app: &App,
    conn: &mut PgConnection,
    exchange: &Exchange,
    caller: &Caller,
    given: &Grant,
    is_again: bool,
) -> Result<Option<Settled>> {
    let mut tx = conn.begin().await?;
    if is_again {
        // Whoever stores it still has this lock.
        home::hold(app, &mut tx, given).await?;
        if let Some(id) = find_made(&mut tx, exchange, given).await? {
            return Ok(Some(Settled::done(id)));
        }
    }
    home::refuse_second(app, &mut tx, given).await?;
    make::refuse_changed(caller, &mut tx).await?;
    let made = make::insert_as(app, &mut tx, exchange.id, &exchange.new, GrantType::TokenExchange);
    let id = match made.await {
        Err(Error::Conflict(Conflict { obstacle: Obstacle::ConsentUnderWay, .. })) => {
            return Ok(None);
        }
        made => made?,
    };
    let connection = load(&mut tx, id).await?;
    make::activate(app, &mut tx, &connection, caller, given, Some(given.obtained_at)).await?;
    let about = Subject::new(id, connection.name());
    let detail = json!({
        "client": caller.client.name,
        "subject_token_type": exchange.subject_token_type,
        "exchange": exchange.id,
    });
    audit::record(app, &mut tx, &exchange.who, EXCHANGE, about, detail).await?;
    tx.commit().await?;
    app.wake_worker();
    Ok(Some(Settled::done(id)))
}

/// The connection that was made of it: a commit may have been made unheard. Also one that was deleted
/// since, of which the audit log knows.
async fn find_made(
    conn: &mut PgConnection,
    exchange: &Exchange,
    given: &Grant,
) -> Result<Option<Uuid>> {
    let filter = AuditFilter {
        action: Some(EXCHANGE.into()),
        subject: Some(exchange.id.to_string()),
        ..AuditFilter::default()
    };
    if !store::audit::list(conn, &filter, None, 1).await?.is_empty() {
        return Ok(Some(exchange.id));
    }
    // It may have taken the place of one that waited, which is found by its external id alone.
    let Some(text) = &exchange.new.external_id else { return Ok(None) };
    let (detail, from) = (json!({ "exchange": exchange.id }), given.obtained_at - CLOCKS);
    if let Some(id) = store::audit::find_subject(conn, EXCHANGE, &detail, from).await? {
        return Ok(id.parse().ok());
    }
    let client = exchange.new.client_id;
    match store::connection::make::find_by_external_id(conn, client, text.trim()).await? {
        Some((id, false))
            if store::connection::consented_at(conn, id).await? == Some(given.obtained_at) =>
        {
            Ok(Some(id))
        }
        _ => Ok(None),
    }
}

/// Says that it came to nothing: what the provider gave is not kept.
pub(super) async fn fail(
    app: &App,
    conn: &mut PgConnection,
    exchange: &Exchange,
    caller: &Caller,
    error: &Error,
) -> Result<()> {
    let about = Subject::new(caller.client.id, &caller.client.name);
    let detail = json!({ "label": exchange.new.label, "why": error.problem().message });
    audit::record(app, conn, &exchange.who, "connection.exchange_failed", about, detail).await
}
