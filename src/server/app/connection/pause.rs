//! Letting a connection rest, and having it kept alive again.

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::{Actor, App, Error, Result, audit, audit::Subject, get, load_for_update};
use crate::{
    domain::{
        access::Permission,
        connection::{Connection, State},
    },
    server::store::{account_question, connection::pause},
};

/// Has it refreshed no more, unless somebody asks for a token or a refresh. One that rests already
/// stays as it is; what needs a person has nothing that could rest.
pub async fn pause(app: &App, actor: &Actor, id: Uuid) -> Result<Connection> {
    actor.require(Permission::ConnectionsWrite)?;
    let mut tx = app.begin().await?;
    let connection = load_for_update(&mut tx, id).await?;
    refuse_disconnected(&connection)?;
    if let State::NeedsReauth { reason, .. } = connection.state
        && connection.paused_at.is_none()
    {
        return Err(Error::ReauthRequired(reason));
    }
    if pause::pause(&mut tx, id, app.now()).await? {
        let subject = Subject::new(id, connection.name());
        audit::record(app, &mut tx, actor, "connection.pause", subject, json!({})).await?;
        tx.commit().await?;
    }
    get(app, &Actor::System, id).await
}

/// Has it kept alive again. What is overdue by then is due within `spread`.
pub async fn resume(
    app: &App,
    actor: &Actor,
    id: Uuid,
    spread: Option<Duration>,
) -> Result<Connection> {
    actor.require(Permission::ConnectionsWrite)?;
    let mut tx = app.begin().await?;
    let connection = load_for_update(&mut tx, id).await?;
    refuse_disconnected(&connection)?;
    let now = app.now();
    let part = f64::from(u16::from_be_bytes([id.as_bytes()[14], id.as_bytes()[15]])) / 65_536.0;
    let overdue_at = now + spread.unwrap_or(Duration::ZERO) * part;
    if pause::resume(&mut tx, id, overdue_at, now).await? {
        account_question::bring_forward(&mut tx, id, now).await?;
        let subject = Subject::new(id, connection.name());
        audit::record(app, &mut tx, actor, "connection.resume", subject, json!({})).await?;
        tx.commit().await?;
        app.wake_worker();
    }
    get(app, &Actor::System, id).await
}

/// There is nothing of it to keep alive or to leave alone.
fn refuse_disconnected(connection: &Connection) -> Result<()> {
    if connection.state == State::Disconnected { Err(Error::disconnected()) } else { Ok(()) }
}
