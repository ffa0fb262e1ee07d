//! Incidents: an unusual share of a client's connections was refused at once. They begin and mostly
//! end by themselves (see `refresh::weigh`); an admin can end them.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result,
    audit::{self, Subject},
    client,
};
use crate::{
    domain::{
        access::Permission,
        client::{Client, StateName},
        incident::{self, Counts},
        problem::Obstacle,
        provider::IncidentPolicy,
    },
    server::store::{self, client::Stored},
};

/// Begins an incident. The caller holds the client's row, and gives back what it knows to be refused.
pub(super) async fn begin(
    app: &App,
    conn: &mut PgConnection,
    client: &Stored,
    counts: Counts,
    policy: &IncidentPolicy,
) -> Result<()> {
    let now = app.now();
    let new = store::incident::NewRow {
        client_id: client.id,
        began_at: now,
        counts,
        window_seconds: i64::try_from(policy.window_seconds).unwrap_or(i64::MAX),
        canary_at: now + incident::canary_wait(policy, 0, app.rng().fraction()),
    };
    store::client::set_state(conn, client.id, StateName::Incident, None, now).await?;
    store::incident::insert(conn, &new).await?;
    let detail = json!({
        "refused": counts.refused,
        "refreshed": counts.refreshed,
        "window_seconds": policy.window_seconds,
    });
    let subject = Subject::new(client.id, &client.name);
    audit::record(app, conn, &Actor::System, "client.incident", subject, detail).await?;
    metrics::counter!("regrant_incidents_total").increment(1);
    tracing::warn!(
        client = %client.id,
        name = client.name,
        refused = counts.refused,
        refreshed = counts.refreshed,
        "unusually many connections of this client are refused; their verdicts are suspended"
    );
    Ok(())
}

/// How an incident ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// One of the refused connections was granted a token.
    CanaryGranted,
    /// Canaries were refused until it was clear that the provider means it: each suspect has a last try.
    Confirmed,
    /// Something else became of all that were refused.
    NoSuspects,
}

impl End {
    fn as_str(self) -> &'static str {
        match self {
            Self::CanaryGranted => "canary_granted",
            Self::Confirmed => "confirmed",
            Self::NoSuspects => "no_suspects",
        }
    }
}

/// Ends an incident by itself. The caller holds the client's row.
pub(super) async fn end(
    app: &App,
    conn: &mut PgConnection,
    client: &Stored,
    end: End,
) -> Result<()> {
    let last_tries = match end {
        End::Confirmed => store::suspect::give_last_try(conn, client.id).await?,
        End::CanaryGranted | End::NoSuspects => 0,
    };
    let subject = Subject::new(client.id, &client.name);
    let detail = json!({ "because": end.as_str(), "last_tries": last_tries });
    audit::record(app, conn, &Actor::System, "client.incident_over", subject, detail).await?;
    tracing::info!(client = %client.id, name = client.name, because = end.as_str(), "an incident is over");
    go_on(app, conn, client.id).await
}

async fn go_on(app: &App, conn: &mut PgConnection, id: Uuid) -> Result<()> {
    forget(conn, id).await?;
    store::client::set_state(conn, id, StateName::Ready, None, app.now()).await?;
    client::resume(app, conn, id).await
}

/// Forgets what was counted of a client, so that what comes is judged by itself.
pub(super) async fn forget(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    store::incident::delete(conn, id).await?;
    store::suspect::clear(conn, id).await?;
    store::client_window::clear(conn, id).await?;
    Ok(())
}

/// Ends a client's incident, or the pause that its provider asked for: all of its connections are
/// refreshed again, with jitter.
pub async fn resume(app: &App, actor: &Actor, id: Uuid) -> Result<Client> {
    decide(app, actor, id, false).await
}

/// Ends a client's incident and condemns what was refused, without asking the provider again; the
/// other connections are refreshed again.
pub async fn condemn(app: &App, actor: &Actor, id: Uuid) -> Result<Client> {
    decide(app, actor, id, true).await
}

async fn decide(app: &App, actor: &Actor, id: Uuid, condemn: bool) -> Result<Client> {
    actor.require(Permission::ClientsWrite)?;
    let mut tx = app.begin().await?;
    let client =
        store::client::find_for_update(&mut tx, id).await?.ok_or(Error::NotFound("client"))?;
    let paused = client.paused_until.is_some_and(|until| until > app.now());
    if client.state != StateName::Incident && (condemn || !paused) {
        return Err(Error::conflict(
            Obstacle::NothingToDo,
            match condemn {
                true => "This client has no incident to decide about.",
                false => "This client has no incident and no pause to end.",
            },
        ));
    }
    let mut condemned = Vec::new();
    if condemn {
        condemned = store::suspect::condemn(&mut tx, id, app.now()).await?;
        for one in &condemned {
            let subject = Subject::new(one.id, &one.name);
            let detail = json!({ "reason": one.reason, "client": client.name });
            audit::record(app, &mut tx, actor, "connection.condemned", subject, detail).await?;
        }
    }
    let subject = Subject::new(id, &client.name);
    let action = if condemn { "client.condemn" } else { "client.resume" };
    let detail = json!({ "was": client.state, "condemned": condemned.len(), "paused": paused });
    audit::record(app, &mut tx, actor, action, subject, detail).await?;
    if client.state == StateName::Incident {
        go_on(app, &mut tx, id).await?;
    }
    if paused && !condemn {
        store::client::limit::end_pause(&mut tx, id).await?;
        client::resume(app, &mut tx, id).await?;
    }
    tx.commit().await?;
    app.wake_worker();
    client::get(app, &Actor::System, id).await
}
