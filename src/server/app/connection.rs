//! Connections: seeing and changing them. How they come by consent is in [`flow`] and [`device`], how
//! they end in [`ending`], how they are kept alive in `app::refresh`.

pub mod account;
pub(super) mod arrival;
mod consent;
pub mod device;
pub mod ending;
pub mod exchange;
mod export;
pub(super) mod fields;
pub mod flow;
mod home;
mod introspection;
pub mod make;
mod pause;
mod reader;
pub mod reveal;
mod settle;
mod token;

pub(super) use consent::{ON_ITS_WAY, void_waiting};
pub use ending::{delete, disconnect};
pub use export::export;
pub use flow::{authorize, connect};
pub use introspection::introspect;
pub(super) use make::changed;
pub use make::{NewConnection, TokenResponse, grant_client_credentials, import, import_text};
pub use pause::{pause, resume};
pub use reader::Readers;
pub use token::{LiveToken, token, token_for_key};

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, audit,
    audit::Subject,
    client::effective,
    grant,
    refresh::{self, Ask, Asker},
};
use crate::{
    domain::{
        access::Permission,
        attempt::{Attempt, Trigger},
        connection::{
            Connection, ConnectionDetail, ConnectionFilter, ConnectionList, ConnectionPatch, End,
            Sort, Standing,
        },
        lineage::Consent,
        page::{Count, Page, Paging},
        problem::Obstacle,
        provider::merged,
    },
    server::{
        store::connection::list::{After, COUNTED, Found},
        store::{self, Of},
    },
};

/// How many attempts the connection's own page shows at first.
const ATTEMPTS_SHOWN: u32 = 20;
/// How many of those who read its token.
const READERS_SHOWN: u32 = 10;
/// How much of what was done with it.
const AUDIT_SHOWN: u32 = 5;

/// A page of what a filter lets through, and how many there are.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: &ConnectionFilter,
    paging: &Paging,
) -> Result<ConnectionList> {
    actor.require(Permission::ConnectionsRead)?;
    let (sort, limit) = (filter.sort.unwrap_or_default(), paging.limit());
    let after = paging.cursor.as_deref().map(|cursor| decode(cursor, sort)).transpose()?;
    let mut tx = app.begin().await?;
    store::connection::list::plan_by_values(&mut tx).await?;
    let found = find(app, &mut tx, filter).await?;
    let items =
        store::connection::list::page(&mut tx, &found, sort, after.as_ref(), i64::from(limit) + 1)
            .await?;
    let unseen = items.iter().filter(|one| one.may_end_unseen() || one.is_unplanned());
    let unseen = unseen.map(|one| one.provider.clone()).collect();
    let endless = super::provider::endless(app, &mut tx, unseen).await?;
    tx.commit().await?;
    Ok(ConnectionList {
        as_of: app.now(),
        endless,
        count: found.count.map_or(Count::MoreThan(COUNTED), Count::Exactly),
        page: audit::page(items, limit, |item| encode(&store::connection::list::after(item, sort))),
    })
}

/// What a filter lets through.
pub(super) async fn find(
    app: &App,
    conn: &mut PgConnection,
    filter: &ConnectionFilter,
) -> Result<Found> {
    let mut clients = match &filter.provider {
        Some(provider) => Some(store::client::ids_of_provider(conn, provider).await?),
        None => None,
    };
    if filter.standing == Some(Standing::ClientRefused) {
        // They are few, and an index leads to what is theirs.
        let refused = store::client::ids_in_trouble(conn).await?;
        let is_asked = |id: &Uuid| clients.as_ref().is_none_or(|asked| asked.contains(id));
        clients = Some(refused.into_iter().filter(is_asked).collect());
    }
    if filter.end == Some(End::Unknown) {
        let told = with_unseen_ends(app, conn).await?;
        let is_asked = |id: &Uuid| clients.as_ref().is_none_or(|asked| asked.contains(id));
        clients = Some(told.into_iter().filter(is_asked).collect());
    }
    if let Some(client) = filter.client {
        let is_there = clients.is_none_or(|clients| clients.contains(&client));
        clients = Some(is_there.then_some(client).into_iter().collect());
    }
    Ok(store::connection::list::count(conn, filter, clients, app.now()).await?)
}

/// The clients some of whose connections may be over before anybody is told: those of providers whose access tokens have
/// no end are not.
async fn with_unseen_ends(app: &App, conn: &mut PgConnection) -> Result<Vec<Uuid>> {
    let clients = store::client::with_unseen_ends(conn).await?;
    let slugs = clients.iter().map(|(_, provider)| provider.clone()).collect();
    let endless = super::provider::endless(app, conn, slugs).await?;
    Ok(clients
        .into_iter()
        .filter(|(_, provider)| !endless.contains(provider))
        .map(|(id, _)| id)
        .collect())
}

fn encode(after: &After) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(after).unwrap_or_default())
}

fn decode(cursor: &str, sort: Sort) -> Result<After> {
    let after: After = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| Error::invalid("cursor", "is not one of ours"))?;
    if after.sort != sort {
        let message = format!(
            "belongs to a list sorted by {}, this one is by {}: go on with the same `sort`, or begin \
             without a cursor",
            after.sort.as_str(),
            sort.as_str()
        );
        return Err(Error::invalid("cursor", message));
    }
    Ok(after)
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<Connection> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    load(&mut conn, id).await
}

pub(super) async fn load(conn: &mut PgConnection, id: Uuid) -> Result<Connection> {
    store::connection::find(conn, id).await?.ok_or(Error::NotFound("connection"))
}

pub(super) async fn load_for_update(conn: &mut PgConnection, id: Uuid) -> Result<Connection> {
    store::connection::find_for_update(conn, id).await?.ok_or(Error::NotFound("connection"))
}

/// All that the connection's own page shows.
pub async fn detail(app: &App, actor: &Actor, id: Uuid) -> Result<ConnectionDetail> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    let connection = load(&mut conn, id).await?;
    let provider = super::provider::load(app, &mut conn, &connection.provider).await?;
    let client = super::client::load_bare(&mut conn, connection.client_id).await?;
    let values = merged(&client.variables, &connection.variables);
    let device = match actor.allows(Permission::ConnectionsWrite) {
        true => device::find(app, &mut conn, id).await?,
        false => None,
    };
    let attempts = store::attempt::list(&mut conn, id, None, i64::from(ATTEMPTS_SHOWN) + 1).await?;
    let readers = store::token_reader::list(&mut conn, id, i64::from(READERS_SHOWN) + 1).await?;
    let done = match actor.allows(Permission::AuditRead) {
        true => {
            let most = i64::from(AUDIT_SHOWN) + 1;
            store::audit::of_subject(&mut conn, &id.to_string(), most).await?
        }
        false => Vec::new(),
    };
    Ok(ConnectionDetail {
        as_of: app.now(),
        provider_name: provider.name.clone(),
        variables: provider.connection_variables(&client.variables).cloned().collect(),
        attempts: audit::page(attempts, ATTEMPTS_SHOWN, |attempt| attempt.id.to_string()),
        consents: consents(&mut conn, &connection).await?,
        relinks: store::relink::list(&mut conn, id).await?,
        readers: audit::page(readers, READERS_SHOWN, |reader| reader.id.to_string()),
        audit: audit::page(done, AUDIT_SHOWN, |entry| entry.id.to_string()),
        offers_page: connection.can_reauthorize() && provider.offers_page(&values),
        offers_device: connection.can_reauthorize() && provider.offers_code(&values),
        can_be_refreshed: connection.holds_tokens()
            && grant::renewable(&provider, connection.grant_type, connection.has_refresh_token),
        access_tokens: provider.access_tokens(),
        can_be_asked: connection.holds_tokens() && provider.endpoints.introspection.is_some(),
        extras: token::open_extras(app, &mut conn, &provider, connection.id).await?,
        told: ending::told(&mut conn, &connection).await?,
        lifetimes: provider.lifetimes.clone(),
        device,
        connection,
    })
}

/// The newest consents that brought it tokens, and the fingerprint of the one that it lives on.
async fn consents(conn: &mut PgConnection, connection: &Connection) -> Result<Vec<Consent>> {
    let (id, generation) = (connection.id, connection.generation);
    let mut consents = store::audit::consents(conn, id, i64::from(ATTEMPTS_SHOWN)).await?;
    if let Some(present) = consents.iter_mut().find(|consent| consent.generation == generation) {
        let set = store::token_set::find(conn, id, generation).await?;
        present.fingerprint = set.and_then(|set| set.fingerprint);
    }
    Ok(consents)
}

/// The history, newest first.
pub async fn attempts(
    app: &App,
    actor: &Actor,
    id: Uuid,
    paging: &Paging,
) -> Result<Page<Attempt>> {
    actor.require(Permission::ConnectionsRead)?;
    let before = audit::cursor(paging)?;
    let limit = paging.limit();
    let mut conn = app.pool().acquire().await?;
    load(&mut conn, id).await?;
    let items = store::attempt::list(&mut conn, id, before, i64::from(limit) + 1).await?;
    Ok(audit::page(items, limit, |attempt| attempt.id.to_string()))
}

/// Changes what a connection is called, and, while it holds no tokens, what it fills in: tokens must
/// not follow to another address.
pub async fn update(
    app: &App,
    actor: &Actor,
    id: Uuid,
    patch: ConnectionPatch,
) -> Result<Connection> {
    actor.require(Permission::ConnectionsWrite)?;
    let mut tx = app.begin().await?;
    let mut connection = load_for_update(&mut tx, id).await?;
    if let Some(label) = patch.label {
        connection.label = fields::check_label(&label)?;
    }
    if let Some(external_id) = patch.external_id {
        connection.external_id = fields::check_external_id(Some(&external_id))?;
    }
    if let Some(tags) = patch.tags {
        connection.tags = fields::check_tags(&tags)?;
    }
    if let Some(values) = patch.variables {
        fill(app, &mut tx, &mut connection, &values).await?;
    }
    if let Some(scopes) = patch.scopes {
        ask_for(app, &mut tx, &mut connection, scopes).await?;
    }
    store::connection::update(&mut tx, &connection, app.now()).await?;
    let subject = Subject::new(id, connection.name());
    let detail = json!({
        "label": connection.label,
        "external_id": connection.external_id,
        "tags": connection.tags,
        "variables": connection.variables,
        "scopes": connection.scopes_requested,
    });
    audit::record(app, &mut tx, actor, "connection.update", subject, detail).await?;
    tx.commit().await?;
    get(app, &Actor::System, id).await
}

/// Replaces what consent is asked for, before the first one. Consent to something else that was on its way
/// is void.
async fn ask_for(
    app: &App,
    conn: &mut PgConnection,
    connection: &mut Connection,
    scopes: Vec<String>,
) -> Result<()> {
    let client = super::client::load_bare(conn, connection.client_id).await?;
    let scopes = if scopes.is_empty() { client.scopes } else { scopes };
    if scopes == connection.scopes_requested {
        return Ok(());
    }
    if !connection.can_ask_anew() {
        return Err(Error::conflict(
            Obstacle::NotOffered,
            "Scopes are changed before the first consent. Now change those of the client, and have them \
             asked for with a relink.",
        ));
    }
    let profile = super::provider::load(app, conn, &client.provider).await?;
    super::client::scopes::check(&profile, &scopes)?;
    consent::void_waiting(app, conn, Of::Connection(connection.id)).await?;
    store::connection::make::ask_for(conn, connection.id, &scopes).await?;
    connection.scopes_requested = scopes;
    Ok(())
}

/// Replaces what a connection fills in. Consent that was on its way to the old address is void.
async fn fill(
    app: &App,
    conn: &mut PgConnection,
    connection: &mut Connection,
    values: &BTreeMap<String, String>,
) -> Result<()> {
    let client = super::client::load_bare(conn, connection.client_id).await?;
    let profile = super::provider::load(app, conn, &client.provider).await?;
    let values = fields::check_variables(&profile, &client.variables, values)?;
    let effect = |own| merged(&client.variables, own);
    let (was, is) = (effect(&connection.variables), effect(&values));
    if effective(&profile, &was) != effective(&profile, &is) {
        if connection.holds_tokens() {
            return Err(Error::conflict(
                Obstacle::HoldsTokens,
                "Tokens belong to the address they were issued at, and this connection holds some. \
                 Disconnect it first, or make another connection.",
            ));
        }
        consent::void_waiting(app, conn, Of::Connection(connection.id)).await?;
    }
    connection.variables = values;
    Ok(())
}

/// Refreshes now; the attempt and its verdict. Joins a refresh that is under way.
pub async fn refresh(app: &App, actor: &Actor, id: Uuid) -> Result<Attempt> {
    ask_to_refresh(app, actor, id, false).await
}

/// Refreshes now by a request of its own, made after whatever is under way.
pub async fn refresh_anew(app: &App, actor: &Actor, id: Uuid) -> Result<Attempt> {
    ask_to_refresh(app, actor, id, true).await
}

async fn ask_to_refresh(app: &App, actor: &Actor, id: Uuid, force: bool) -> Result<Attempt> {
    actor.require(Permission::ConnectionsRefresh)?;
    let mut tx = app.begin().await?;
    let connection = load(&mut tx, id).await?;
    let subject = Subject::new(id, connection.name());
    refresh::ask::note(app, &mut tx, actor, subject, force).await?;
    tx.commit().await?;
    let (ask, asker) = (Ask::new(Trigger::Manual, actor), Asker::of(actor, &connection));
    refresh::asked(app, connection, ask, asker, force).await
}

/// [`refresh`], as one of many. What has no turn is asked for again and again, so it comes to the audit log
/// with its attempt.
pub async fn refresh_in_turn(app: &App, actor: &Actor, id: Uuid) -> Result<Attempt> {
    actor.require(Permission::ConnectionsRefresh)?;
    let mut conn = app.pool().acquire().await?;
    let connection = load(&mut conn, id).await?;
    drop(conn);
    let (ask, asker) = (Ask::in_turn(actor, &connection), Asker::in_turn(actor, &connection));
    refresh::asked(app, connection, ask, asker, false).await
}
