//! Relinks: one-time links by which a dead connection is authorized again, in place.

mod desk;
mod picture;
mod twins;

pub use desk::{get, list_all, revoke};
pub use twins::twins;

pub(super) use desk::entry;

use std::{collections::BTreeSet, sync::Arc};

use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, audit,
    audit::Subject,
    connection::{self, device::Link},
    export, refresh,
};
use crate::{
    domain::{
        access::Permission,
        brand::Brand,
        client,
        connection::{Connection, State},
        device::{DeviceAuthorization, DeviceState},
        problem::Obstacle,
        provider::{Profile, merged},
        relink::{
            Consent, CreatedRelink, Ended, HandedRelink, Invitation, LIFETIME, Need, Relink,
            RelinkEntry, mask,
        },
        voice,
    },
    server::{secret::token, store},
};

/// How many codes for another device whoever holds a link can ask the provider for.
const MOST_CODES: i32 = 10;

/// Makes a link and voids the connection's earlier ones. Its address is in the answer and nowhere
/// else. Refused for connections that need no person's consent.
pub async fn create(app: &App, actor: &Actor, connection_id: Uuid) -> Result<CreatedRelink> {
    create_for(app, actor, connection_id, false).await
}

/// [`create`]. `client_scopes`: it asks for what the client asks for today, and not only for what the
/// connection does; as a link does that takes the place of such a one.
pub async fn create_for(
    app: &App,
    actor: &Actor,
    connection_id: Uuid,
    client_scopes: bool,
) -> Result<CreatedRelink> {
    actor.require(Permission::ConnectionsRelink)?;
    let mut tx = app.begin().await?;
    let connection = connection::load_for_update(&mut tx, connection_id).await?;
    let Ways { profile, page, code, scopes } = ways(app, &mut tx, &connection).await?;
    if !page && !code {
        return Err(Error::conflict(
            Obstacle::NotOffered,
            format!(
                "{} connections of this kind need no person's consent, so there is nothing to link to.",
                profile.name
            ),
        ));
    }
    if connection.state == State::Disconnected {
        return Err(Error::disconnected());
    }
    // Consent could not be made good.
    if stops_consent(connection.client_state) {
        refresh::refuse_client(connection.client_state, &connection.client_name)?;
    }
    if connection.account_id.is_none() && !connection.takes_any_account() {
        return Err(Error::conflict(
            Obstacle::AccountUnknown,
            "This connection is alive and Regrant does not know whose account it is, so a link could \
             put another account in its place. Create one when the connection needs a person.",
        ));
    }
    let now = app.now();
    let secret = token::make(app.rng(), "");
    let relink = Relink {
        id: app.new_id(),
        connection_id,
        created_by: actor.label().into(),
        created_at: now,
        expires_at: now + LIFETIME,
        opened_at: None,
        left_at: None,
        returned_at: None,
        used_at: None,
        outcome: None,
        detail: None,
        ended: None,
    };
    let wider =
        client_scopes || store::relink::newest_asks_for_more(&mut tx, connection_id).await?;
    let asked = wider.then(|| {
        let mut asked = connection.scopes_requested.clone();
        asked.extend(scopes);
        let mut seen = BTreeSet::new();
        asked.retain(|scope| seen.insert(scope.clone()));
        asked
    });
    store::relink::end_open(&mut tx, connection_id, Ended::Replaced, now).await?;
    let hash = token::hash(secret.expose_secret());
    store::relink::insert(&mut tx, &relink, &hash, asked.as_deref()).await?;
    let subject = Subject::new(connection_id, connection.name());
    let detail = json!({
        "relink": relink.id,
        "expires_at": export::moment(Some(relink.expires_at)),
        "scopes": asked,
    });
    audit::record(app, &mut tx, actor, "relink.create", subject, detail).await?;
    tx.commit().await?;
    let reads = actor.allows(Permission::ConnectionsRead);
    Ok(CreatedRelink {
        id: relink.id,
        url: app.address(&format!("relink/{}", secret.expose_secret())),
        expires_at: relink.expires_at,
        account: connection.account().map(|account| match reads {
            true => account.to_owned(),
            false => mask(account),
        }),
    })
}

/// Whether somebody is just now giving consent by the connection's newest link.
pub(super) async fn is_busy(app: &App, connection_id: Uuid) -> Result<bool> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::relink::newest_is_busy(&mut conn, connection_id, app.now()).await?)
}

/// What is needed to hand a link over that was just made.
pub async fn handed(app: &App, actor: &Actor, made: CreatedRelink) -> Result<HandedRelink> {
    let entry = get(app, actor, made.id).await?;
    let connection = connection::get(app, &Actor::System, entry.relink.connection_id).await?;
    let brand = super::brand::get(app).await?;
    let picture = picture::of(&made.url);
    Ok(HandedRelink { picture, ..to_hand_over(made, &entry, &connection, &brand) })
}

/// The same without a picture, of what is known already.
pub(super) fn to_hand_over(
    made: CreatedRelink,
    entry: &RelinkEntry,
    connection: &Connection,
    brand: &Brand,
) -> HandedRelink {
    HandedRelink {
        made,
        service: entry.service.clone(),
        account: entry.account.as_deref().map(mask),
        need: Need::of(connection),
        house: (brand.name != Brand::default().name).then(|| brand.name.clone()),
        contact: brand.contact.clone(),
        picture: None,
    }
}

/// The connection's newest links, without their addresses.
pub async fn list(app: &App, actor: &Actor, connection_id: Uuid) -> Result<Vec<Relink>> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    connection::load(&mut conn, connection_id).await?;
    Ok(store::relink::list(&mut conn, connection_id).await?)
}

/// What whoever holds the link is told. Needs no login: the link is the right.
pub async fn invitation(app: &App, given: &str) -> Result<Invitation> {
    let mut conn = app.pool().acquire().await?;
    let Some((relink, connection)) = find(&mut conn, given).await? else {
        return Ok(Invitation::Unknown);
    };
    let device = asked(app, &mut conn, &relink).await?;
    if relink.used_at.is_some() {
        let done = device.is_some_and(|device| device.state == DeviceState::Done);
        return Ok(if done { Invitation::Done } else { Invitation::Used });
    }
    if let Some(ended) = relink.ended {
        return Ok(Invitation::Ended(ended));
    }
    if relink.expires_at <= app.now() {
        return Ok(Invitation::Expired);
    }
    store::relink::mark_opened(&mut conn, relink.id, app.now()).await?;
    if stops_consent(connection.client_state) {
        return Ok(Invitation::NotNow);
    }
    let Ways { profile, page, .. } = ways(app, &mut conn, &connection).await?;
    let account = connection.account();
    let consent = match device {
        _ if page => Consent::Page,
        // What the provider said is for the staff.
        Some(device) => Consent::Asked {
            device: DeviceAuthorization { detail: None, ..device },
            as_of: app.now(),
        },
        None => Consent::Code,
    };
    let need = Need::of(&connection);
    Ok(Invitation::Open {
        service: profile.name.clone(),
        account: account.map(mask),
        need,
        consent,
    })
}

/// The address at which consent begins: the provider's page; or, where there is none, the link itself
/// again, which then shows a code.
pub async fn begin(app: &App, given: &str) -> Result<String> {
    let mut tx = app.begin().await?;
    let (relink, connection) = find(&mut tx, given).await?.ok_or(Error::NotFound("link"))?;
    if relink.used_at.is_some() || relink.expires_at <= app.now() {
        return Err(Error::conflict(
            Obstacle::LinkOver,
            "This link no longer works. Ask whoever sent it for a new one.",
        ));
    }
    if stops_consent(connection.client_state) {
        refresh::refuse_client(connection.client_state, &connection.client_name)?;
    }
    let label = voice::relink_customer(&relink.created_by);
    let actor = Actor::Relink { id: relink.id, label };
    let Ways { page, code, .. } = ways(app, &mut tx, &connection).await?;
    store::relink::mark_left(&mut tx, relink.id, app.now()).await?;
    if page || !code {
        let url =
            connection::flow::open(app, &mut tx, &actor, &connection, Some(relink.id)).await?;
        tx.commit().await?;
        return Ok(url);
    }
    let link = Link { id: relink.id, created_at: relink.created_at };
    if !connection::device::follow(app, &mut tx, connection.id, &link).await? {
        if !store::relink::count_code(&mut tx, relink.id, MOST_CODES).await? {
            return Err(Error::conflict(
                Obstacle::LimitReached,
                "Too many codes were asked for. Ask whoever sent you the link for a new one.",
            ));
        }
        tx.commit().await?;
        connection::device::open(app, &actor, connection.id, Some(link)).await?;
    }
    Ok(app.address(&format!("relink/{given}")))
}

/// Whether this is the token of a link.
pub async fn is_for(app: &App, given: &str, id: Uuid) -> Result<bool> {
    let mut conn = app.pool().acquire().await?;
    let found = store::relink::find_by_token(&mut conn, &token::hash(given)).await?;
    Ok(found.is_some_and(|relink| relink.id == id))
}

/// Whether consent would come to nothing: what comes of it can't be redeemed, or is not to be.
pub(super) fn stops_consent(state: client::StateName) -> bool {
    matches!(state, client::StateName::CredentialsRejected | client::StateName::Disabled)
}

/// How the owner of a connection's account can give consent.
struct Ways {
    profile: Arc<Profile>,
    page: bool,
    code: bool,
    /// What the client asks for today.
    scopes: Vec<String>,
}

async fn ways(app: &App, conn: &mut PgConnection, connection: &Connection) -> Result<Ways> {
    let profile = super::provider::load(app, conn, &connection.provider).await?;
    let client = super::client::load_bare(conn, connection.client_id).await?;
    let values = merged(&client.variables, &connection.variables);
    let can = connection.can_reauthorize();
    let (page, code) = (profile.offers_page(&values), profile.offers_code(&values));
    Ok(Ways { profile, page: can && page, code: can && code, scopes: client.scopes })
}

/// The code that was asked for by this link, if it is the connection's newest.
async fn asked(
    app: &App,
    conn: &mut PgConnection,
    relink: &Relink,
) -> Result<Option<DeviceAuthorization>> {
    let found = connection::device::find_with_relink(app, conn, relink.connection_id).await?;
    Ok(found.filter(|(_, by)| *by == Some(relink.id)).map(|(device, _)| device))
}

async fn find(conn: &mut PgConnection, given: &str) -> Result<Option<(Relink, Connection)>> {
    let Some(relink) = store::relink::find_by_token(conn, &token::hash(given)).await? else {
        return Ok(None);
    };
    let connection = store::connection::find(conn, relink.connection_id).await?;
    Ok(connection.map(|connection| (relink, connection)))
}
