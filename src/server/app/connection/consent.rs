//! From a person's consent to the connection's next generation, whichever way consent came.

use serde_json::json;
use uuid::Uuid;

use super::{
    App, Error, Result, audit,
    audit::{Subject, Who},
    load_for_update, make,
};
use crate::{
    domain::connection::Reason,
    server::{
        app::client::Caller,
        provider::{Grant, account},
        store,
    },
};

/// For how long a grant that can't be stored is offered to the database again.
const SETTLE_DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);
const SETTLE_RETRY: std::time::Duration = std::time::Duration::from_millis(250);

/// Where asking for consent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Another account than the connection's gave consent; nothing was changed.
    WrongAccount,
    /// The person said no.
    Denied,
    /// The flow is unknown, used, too old, or another browser's.
    Expired,
    /// The provider refused, or could not be understood; the audit log says more.
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::WrongAccount => "wrong_account",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

/// What was consented to, and who had asked for it.
pub(super) struct Consent<'a> {
    pub connection_id: Uuid,
    /// The authorization that it ends, if it came through a browser.
    pub flow_id: Option<Uuid>,
    /// The relink that it uses up.
    pub relink_id: Option<Uuid>,
    /// The device authorization that it ends.
    pub device_id: Option<Uuid>,
    pub who: Who<'a>,
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
) -> Result<(Outcome, String)> {
    if is_known && given.account.is_none() {
        given.account = account::identify(app.http(), &caller.registration(), &given).await;
    }
    let settled = settle_patiently(app, consent, caller, &given).await?;
    if settled.0 == Outcome::Done && !is_known {
        name(app, consent.connection_id, caller, &given).await?;
    }
    Ok(settled)
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
) -> Result<(Outcome, String)> {
    let deadline = tokio::time::Instant::now() + SETTLE_DEADLINE;
    loop {
        match settle(app, consent, caller, given).await {
            Ok(Some(settled)) => return Ok(settled),
            Ok(None) | Err(Error::Internal(_)) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(SETTLE_RETRY).await;
            }
            Ok(None) => {
                return Ok((Outcome::Failed, "the connection was busy for too long".into()));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Stores the grant, unless it is another account's. `None`: not now, the connection is in use.
async fn settle(
    app: &App,
    consent: &Consent<'_>,
    caller: &Caller,
    given: &Grant,
) -> Result<Option<(Outcome, String)>> {
    let refused = |outcome, why: &str| Ok(Some((outcome, why.to_owned())));
    let mut tx = app.begin().await?;
    if !caller.confirm(&mut tx).await? {
        return refused(Outcome::Failed, "the client's settings changed meanwhile");
    }
    let connection = load_for_update(&mut tx, consent.connection_id).await?;
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
    // Without a refresh token in the response the one we hold goes on; it may be being replaced.
    if given.refresh_token.is_none()
        && store::connection::lease::is_held(&mut tx, connection.id, app.database_now()).await?
    {
        return Ok(None);
    }
    if let Some(relink_id) = consent.relink_id
        && !store::relink::take(&mut tx, relink_id, app.now()).await?
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
    Ok(Some((Outcome::Done, String::new())))
}
