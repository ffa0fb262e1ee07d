//! What a consent brought, stored under its fences; or said to have come to nothing.

use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use time::Duration;
use uuid::Uuid;

use super::{
    App, Result, audit,
    audit::Subject,
    consent::{Consent, Outcome},
    home, load, load_for_update, make,
};
use crate::{
    domain::{
        connection::{Connection, Reason, State, is_seldom_told},
        device::DeviceState,
    },
    server::{
        app::{client::Caller, refresh::claim},
        provider::Grant,
        store::{self, connection::lease},
    },
};

/// What came of a grant that was given for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub outcome: Outcome,
    /// For the staff; empty where all is well.
    pub why: String,
    /// The connection that has the grant: the one that it was for, or another that had it already.
    pub home: Option<Uuid>,
    /// It is refused for want of an account alone: who tells whose it is may offer it again.
    pub lacks_account: bool,
}

impl Settled {
    pub fn done(id: Uuid) -> Self {
        Self { home: Some(id), ..Self::refused(Outcome::Done, "") }
    }

    pub fn refused(outcome: Outcome, why: impl Into<String>) -> Self {
        Self { outcome, why: why.into(), home: None, lacks_account: false }
    }
}

/// Stores the grant, unless it is another account's, or it is there since it was offered before
/// (`is_again`). `None`: not now, the connection is in use.
pub(super) async fn settle(
    app: &App,
    conn: &mut PgConnection,
    consent: &Consent,
    caller: &Caller,
    given: &Grant,
    is_again: bool,
) -> Result<Option<Settled>> {
    let refused = |outcome, why: &str| Ok(Some(Settled::refused(outcome, why)));
    let taken = app.elapsed();
    let mut tx = conn.begin().await?;
    let home = home::find(app, &mut tx, given, consent.connection_id).await?;
    let is_same_client = caller.confirm(&mut tx).await?;
    let connection = load_for_update(&mut tx, consent.connection_id).await?;
    let newest = store::connection::consented_at(&mut tx, connection.id).await?;
    // A commit may have been made unheard: then what came of the grant since is newer than the grant.
    if is_again && newest == Some(given.obtained_at) {
        return Ok(Some(Settled::done(connection.id)));
    }
    // Whose it is may have taken long to find out. What was there before is older, even if the database's
    // clock was ahead then.
    if newest != consent.newest && newest.is_some_and(|newest| newest > given.obtained_at) {
        return refused(Outcome::Expired, "somebody consented anew before it could be stored");
    }
    if !is_same_client {
        return refused(Outcome::Failed, "the client's settings changed meanwhile");
    }
    if !caller.is_for(&connection) {
        return refused(Outcome::Failed, "the connection's settings changed meanwhile");
    }
    if let Some(expected) = &connection.account_id {
        match &given.account {
            Some(account) if account.id == *expected => {}
            Some(_) => return refused(Outcome::WrongAccount, Reason::AccountMismatch.as_str()),
            None => {
                let why = "the provider did not say whose account it is";
                let refused = Settled::refused(Outcome::Failed, why);
                return Ok(Some(Settled { lacks_account: true, ..refused }));
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
        && is_being_refreshed(app, &mut tx, connection.id, taken).await?
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
    if let Some(device) = &consent.device
        && !store::device::succeed(&mut tx, connection.id, device.id).await?
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
    audit::record(app, &mut tx, &consent.who, action, subject, detail).await?;
    tx.commit().await?;
    app.wake_worker();
    Ok(Some(Settled::done(connection.id)))
}

/// Whether a refresh may be under way, asked in a transaction that began at `taken`: by the same rules by which
/// leases are taken over.
async fn is_being_refreshed(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    taken: Duration,
) -> Result<bool> {
    if !lease::is_leased(conn, id).await? {
        return Ok(false);
    }
    if app.flights().holds(id) || lease::is_held(conn, id, app.database_now()).await? {
        return Ok(true);
    }
    Ok(!claim::may_take_over(app, conn, taken).await?)
}

/// What there was of a consent that came to nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    Nothing,
    /// Tokens, which are thrown away.
    Grant,
}

/// Says that a consent came to nothing. The connection stands as it stood.
pub(super) async fn fail(
    app: &App,
    conn: &mut PgConnection,
    consent: &Consent,
    settled: &Settled,
    brought: Brought,
) -> Result<()> {
    let Settled { outcome, why, .. } = settled;
    let mut tx = conn.begin().await?;
    let connection = load(&mut tx, consent.connection_id).await?;
    let mut said = outcome.as_str();
    if let Some(lease) = &consent.device {
        let state = device_state(*outcome);
        said = state.as_str();
        let is_ours = store::device::fail(&mut tx, lease, state, Some(why)).await?;
        if !is_ours && brought == Brought::Nothing {
            return Ok(());
        }
    }
    if let Some((relink_id, _)) = consent.relink {
        store::relink::note_failure(&mut tx, relink_id, *outcome, why, app.now()).await?;
    }
    if let Some(flow_id) = consent.flow_id {
        store::flow::finish(&mut tx, flow_id).await?;
    }
    let subject = Subject::new(connection.id, connection.name());
    let detail = json!({ "outcome": said, "why": why });
    audit::record(app, &mut tx, &consent.who, "connection.consent_failed", subject, detail).await?;
    tx.commit().await?;
    Ok(())
}

fn device_state(outcome: Outcome) -> DeviceState {
    match outcome {
        Outcome::Done => DeviceState::Done,
        Outcome::WrongAccount => DeviceState::WrongAccount,
        Outcome::Denied => DeviceState::Denied,
        Outcome::Expired => DeviceState::Expired,
        Outcome::Failed
        | Outcome::ClientRefused
        | Outcome::MissingScope
        | Outcome::AlreadyConnected => DeviceState::Failed,
    }
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
