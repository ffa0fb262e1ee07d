//! From a person's consent to the connection's next generation, whichever way consent came.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    App, Error, Result, audit,
    audit::{Subject, Who},
    home, load_for_update, make,
};
use crate::{
    domain::{
        connection::{Connection, Reason, State, is_seldom_told},
        problem::Obstacle,
    },
    server::{
        app::client::Caller,
        provider::{Account, DEADLINE, Grant, account},
        store::{self, Of},
    },
};

/// For how long a grant that can't be stored is offered to the database again.
const SETTLE_DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);
/// How long to wait before a provider that did not say whose a grant is is asked again.
const IDENTIFY_AGAIN: [std::time::Duration; 2] =
    [std::time::Duration::from_millis(250), std::time::Duration::from_secs(2)];
const SETTLE_RETRY: std::time::Duration = std::time::Duration::from_millis(250);

pub use crate::domain::relink::Outcome;

/// How long ago a code may have been spent whose tokens are not stored yet: the provider is asked for
/// them and, a few times, whose they are, and then they are offered to the database. One spent earlier went down
/// with its process.
pub(in crate::server::app) const ON_ITS_WAY: time::Duration = time::Duration::seconds(
    4 * DEADLINE.as_secs().cast_signed() + SETTLE_DEADLINE.as_secs().cast_signed() + 30,
);

/// Voids whatever is waited for. Refused while a consent is being stored: its tokens exist nowhere
/// else, and without what it began with they would be thrown away.
pub(in crate::server::app) async fn void_waiting(
    app: &App,
    conn: &mut PgConnection,
    of: Of,
) -> Result<()> {
    let now = app.now();
    if !store::flow::withdraw_idle(conn, of, now - ON_ITS_WAY).await? {
        return Err(being_stored());
    }
    if !store::device::withdraw_idle(conn, of, now).await? {
        return Err(being_asked());
    }
    Ok(())
}

/// Refuses while a consent is being stored, without voiding any.
pub(super) async fn refuse_on_its_way(app: &App, conn: &mut PgConnection, id: Uuid) -> Result<()> {
    let now = app.now();
    if store::flow::is_being_redeemed(conn, id, now - ON_ITS_WAY).await? {
        return Err(being_stored());
    }
    if store::device::is_held(conn, id, now).await? {
        return Err(being_asked());
    }
    Ok(())
}

fn being_stored() -> Error {
    Error::conflict(
        Obstacle::ConsentUnderWay,
        "Somebody has just given consent, and what the provider gives for it is being stored. Try \
         again in a moment.",
    )
}

/// Nobody need have consented yet; but if somebody has, the answer that is on its way is the only one.
pub(super) fn being_asked() -> Error {
    Error::conflict(
        Obstacle::ConsentUnderWay,
        "The provider is being asked just now whether a code was typed; if it was, what it gives must \
         not be lost. Try again in a few seconds.",
    )
}

/// What consent is asked for: what the connection asks for, unless its relink asks for more.
pub(super) async fn scopes(
    conn: &mut PgConnection,
    connection: &Connection,
    relink_id: Option<Uuid>,
) -> Result<Vec<String>> {
    let wider = match relink_id {
        Some(id) => store::relink::scopes(conn, id).await?,
        None => None,
    };
    Ok(wider.unwrap_or_else(|| connection.scopes_requested.clone()))
}

/// What was consented to, and who had asked for it.
pub(super) struct Consent<'a> {
    pub connection_id: Uuid,
    /// The authorization that it ends, if it came through a browser.
    pub flow_id: Option<Uuid>,
    /// The relink that it uses up, and when that was seen to be open: what ends it later does not
    /// throw away what was spent by then.
    pub relink: Option<(Uuid, OffsetDateTime)>,
    /// The device authorization that it ends.
    pub device_id: Option<Uuid>,
    pub who: Who<'a>,
}

/// What came of a consent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub outcome: Outcome,
    /// For the staff; empty where all is well.
    pub why: String,
    /// The connection that has the grant already.
    pub home: Option<Uuid>,
}

impl Settled {
    fn done() -> Self {
        Self::refused(Outcome::Done, "")
    }

    pub fn refused(outcome: Outcome, why: impl Into<String>) -> Self {
        Self { outcome, why: why.into(), home: None }
    }
}

/// Stores a grant and says whose it is. Where the provider's answer does not say, it is asked: before
/// the grant is stored if the connection has an account to compare with (`is_known`), else after, so
/// that nothing comes between the answer and its record.
pub(super) async fn receive(
    app: &App,
    consent: &Consent<'_>,
    caller: &Caller,
    mut given: Grant,
    is_known: bool,
) -> Result<Settled> {
    if is_known && given.account.is_none() {
        given.account = identify_patiently(app, caller, &given).await;
    }
    let settled = settle_patiently(app, consent, caller, &given).await?;
    if settled.outcome == Outcome::Done && !is_known {
        name(app, consent.connection_id, caller, &given).await?;
    }
    Ok(settled)
}

/// Asks whose grant it is, again if need be: a grant that can't be compared is not stored, and its code is spent.
async fn identify_patiently(app: &App, caller: &Caller, given: &Grant) -> Option<Account> {
    for wait in IDENTIFY_AGAIN {
        let account = account::identify(app.http(), &caller.registration(), given).await;
        if account.is_some() || !account::is_told_by_userinfo(&caller.profile) {
            return account;
        }
        tokio::time::sleep(wait).await;
    }
    account::identify(app.http(), &caller.registration(), given).await
}

/// Finds out whose grant it is, after it was stored. A provider that does not tell costs nothing.
pub(super) async fn name(app: &App, id: Uuid, caller: &Caller, given: &Grant) -> Result<()> {
    if given.account.is_some() {
        return Ok(());
    }
    let Some(account) = account::identify(app.http(), &caller.registration(), given).await else {
        return Ok(());
    };
    let mut conn = app.pool().acquire().await?;
    let label = account.label.as_deref();
    store::connection::name_account(&mut conn, id, given.obtained_at, &account.id, label).await?;
    Ok(())
}

/// [`settle`], tried again for a while: the database may be away for a moment, or a refresh with the
/// token that goes on may be under way; and the grant exists nowhere else.
async fn settle_patiently(
    app: &App,
    consent: &Consent<'_>,
    caller: &Caller,
    given: &Grant,
) -> Result<Settled> {
    let deadline = tokio::time::Instant::now() + SETTLE_DEADLINE;
    let mut is_again = false;
    loop {
        match settle(app, consent, caller, given, is_again).await {
            Ok(Some(settled)) => return Ok(settled),
            Ok(None) | Err(Error::Internal(_)) if tokio::time::Instant::now() < deadline => {
                is_again = true;
                tokio::time::sleep(SETTLE_RETRY).await;
            }
            Ok(None) => {
                let why = "the connection was busy for too long";
                return Ok(Settled::refused(Outcome::Failed, why));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Stores the grant, unless it is another account's, or it is there since it was offered before
/// (`is_again`). `None`: not now, the connection is in use.
async fn settle(
    app: &App,
    consent: &Consent<'_>,
    caller: &Caller,
    given: &Grant,
    is_again: bool,
) -> Result<Option<Settled>> {
    let refused = |outcome, why: &str| Ok(Some(Settled::refused(outcome, why)));
    let mut tx = app.begin().await?;
    let home = home::find(app, &mut tx, given, consent.connection_id).await?;
    if !caller.confirm(&mut tx).await? {
        return refused(Outcome::Failed, "the client's settings changed meanwhile");
    }
    let connection = load_for_update(&mut tx, consent.connection_id).await?;
    // A commit may have been made unheard: then what came of the grant since is newer than the grant.
    if is_again
        && store::connection::consented_at(&mut tx, connection.id).await? == Some(given.obtained_at)
    {
        return Ok(Some(Settled::done()));
    }
    if !caller.is_for(&connection) {
        return refused(Outcome::Failed, "the connection's settings changed meanwhile");
    }
    if let Some(expected) = &connection.account_id {
        match &given.account {
            Some(account) if account.id == *expected => {}
            Some(_) => return refused(Outcome::WrongAccount, Reason::AccountMismatch.as_str()),
            None => {
                return refused(Outcome::Failed, "the provider did not say whose account it is");
            }
        }
    }
    // The token that would go on may be another account's.
    if connection.account_id.is_none()
        && given.account.is_some()
        && given.refresh_token.is_none()
        && connection.has_refresh_token
        && !matches!(connection.state, State::NeedsReauth { .. })
    {
        let why =
            "the provider gave no refresh token, and whose the one is that is held is not known";
        return refused(Outcome::Failed, why);
    }
    // Some providers give an account the refresh token that it has. The other connection goes on with
    // it, and what we held before stays.
    if let Some(home) = home.filter(|home| home.id != connection.id) {
        let why = format!("the provider gave the refresh token of {}", home::named(&home));
        let home = Some(home.id);
        return Ok(Some(Settled { home, ..Settled::refused(Outcome::AlreadyConnected, why) }));
    }
    let known = store::connection::scopes_consented(&mut tx, connection.id).await?;
    let missing = missing_scopes(&connection, &known, given);
    if !missing.is_empty() {
        return refused(Outcome::MissingScope, &missing.join(" "));
    }
    // Without a refresh token in the response the one we hold goes on; it may be being replaced.
    if given.refresh_token.is_none()
        && store::connection::lease::is_held(&mut tx, connection.id, app.database_now()).await?
    {
        return Ok(None);
    }
    if let Some((relink_id, open_at)) = consent.relink
        && !store::relink::take(&mut tx, relink_id, open_at, app.now()).await?
    {
        return refused(Outcome::Expired, "the relink was used or had expired");
    }
    if let Some(flow_id) = consent.flow_id
        && !store::flow::finish(&mut tx, flow_id).await?
    {
        return refused(Outcome::Expired, "the authorization was withdrawn or replaced meanwhile");
    }
    if let Some(device_id) = consent.device_id
        && !store::device::succeed(&mut tx, connection.id, device_id).await?
    {
        return refused(Outcome::Expired, "the code was withdrawn or replaced meanwhile");
    }
    // What a relink asked for beyond that is asked for from now on.
    if consent.relink.is_some() && caller.scopes != connection.scopes_requested {
        store::connection::make::ask_for(&mut tx, connection.id, &caller.scopes).await?;
    }
    let consented_at = Some(given.obtained_at);
    if !make::activate(app, &mut tx, &connection, caller, given, consented_at).await? {
        return refused(Outcome::Failed, "the connection changed meanwhile");
    }
    let subject = Subject::new(connection.id, connection.name());
    let detail = json!({
        "generation": connection.generation + 1,
        "account": given.account.as_ref().map(|account| account.label.as_deref().unwrap_or(&account.id)),
        "scopes": given.scopes,
    });
    let action =
        if connection.generation == 0 { "connection.connected" } else { "connection.reauthorized" };
    audit::record(app, &mut tx, consent.who, action, subject, detail).await?;
    tx.commit().await?;
    app.wake_worker();
    Ok(Some(Settled::done()))
}

/// What a dead connection was allowed, still asks for, and is not allowed any more: whoever unticked a
/// box is asked again. A connection that lives takes what it gets, for its old tokens may be void by now.
/// Only what is known to have been granted before counts, for providers have other names for some.
fn missing_scopes(connection: &Connection, known: &[String], given: &Grant) -> Vec<String> {
    let Some(granted) = &given.scopes else { return Vec::new() };
    if !matches!(connection.state, State::NeedsReauth { .. }) {
        return Vec::new();
    }
    connection
        .scopes_requested
        .iter()
        .filter(|scope| known.contains(scope) && !granted.contains(scope) && !is_seldom_told(scope))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use axum::http::StatusCode;
    use sqlx::PgPool;
    use time::Duration;
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        domain::provider::{AccountSource, IdentityOrigin},
        server::{app::Actor, provider::Account},
        tests::support::World,
    };

    fn granted(world: &World, response: &serde_json::Value) -> Grant {
        let text = |name: &str| response[name].as_str().unwrap_or_default().to_owned();
        Grant {
            access_token: text("access_token").into(),
            refresh_token: Some(text("refresh_token").into()),
            id_token: None,
            token_type: text("token_type"),
            scopes: None,
            access_expires_at: Some(world.now() + Duration::hours(1)),
            refresh_expires_at: None,
            account: None,
            extras: serde_json::Map::new(),
            obtained_at: world.now(),
        }
    }

    /// The code is spent: a provider that is busy for a moment costs nobody their grant.
    #[sqlx::test]
    async fn a_provider_that_does_not_say_whose_a_grant_is_is_asked_again(pool: PgPool) {
        let world = World::new(pool).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = {
            let asked = asked.clone();
            move || async move {
                match asked.fetch_add(1, Ordering::Relaxed) {
                    0 => Err(StatusCode::TOO_MANY_REQUESTS),
                    _ => Ok(axum::Json(json!({ "sub": "somebody" }))),
                }
            }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let router = axum::Router::new().route("/me", axum::routing::get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        world
            .provider("busy", |profile| {
                profile.endpoints.userinfo = Some(format!("http://{at}/me"));
                let (from, pointer) = (IdentityOrigin::Userinfo, "/sub".into());
                profile.response.account.id = vec![AccountSource { from, pointer }];
            })
            .await;
        let client = world.client_of("busy", "busy", |_| {}).await;
        let mut conn = world.app.pool().acquire().await.unwrap();
        let caller = Caller::load(&world.app, &mut conn, client, Vec::new()).await.unwrap();
        drop(conn);
        let given = granted(&world, &json!({ "access_token": "a", "refresh_token": "r" }));
        let account = identify_patiently(&world.app, &caller, &given).await;
        assert_eq!(account.map(|account| account.id).as_deref(), Some("somebody"));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    /// The database took the grant and could not say so; before it is offered again it is refreshed.
    /// Offered again it must not take the place of its own successor.
    #[sqlx::test]
    async fn a_grant_that_was_stored_unheard_is_not_stored_over_its_successor(pool: PgPool) {
        let world = World::new(pool).await;
        let client = world.client("one", |_| {}).await;
        let id = world.import(client).await;
        world.pass(Duration::minutes(1));
        let response = world.token_response(client, "alice").await;
        let account = world.connection(id).await.account_id;
        let account = account.map(|id| Account { id, label: None });
        let given = Grant { account, ..granted(&world, &response) };
        let consent = Consent {
            connection_id: id,
            relink: None,
            device_id: None,
            flow_id: None,
            who: (&Actor::Operator).into(),
        };
        let mut conn = world.pool.acquire().await.unwrap();
        let caller = Caller::load(&world.app, &mut conn, client, Vec::new()).await.unwrap();
        for (is_again, generation) in [(false, 2), (true, 3)] {
            let settled = settle(&world.app, &consent, &caller, &given, is_again).await.unwrap();
            assert_eq!(settled, Some(Settled::done()));
            assert_eq!(world.generation(id).await, generation);
            world.until_due(id).await;
            assert_eq!(world.tick().await, 1);
            assert_eq!(world.generation(id).await, generation + 1);
        }
    }
}
