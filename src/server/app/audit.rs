//! The audit log. Every change writes its row in the transaction that makes it.

mod export;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Actor, App, Error, Result};
use crate::{
    domain::{
        access::Permission,
        audit::{AuditEntry, AuditFilter},
        page::{Page, Paging},
        voice,
    },
    server::{clock::Rng, store},
};
pub use export::export;

/// What was acted upon.
pub(crate) struct Subject<'a> {
    pub id: Option<String>,
    pub label: &'a str,
}

impl<'a> Subject<'a> {
    pub fn new(id: impl ToString, label: &'a str) -> Self {
        Self { id: Some(id.to_string()), label }
    }
}

/// Who acted, as the log names them.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub kind: &'a str,
    pub id: Option<Uuid>,
    pub label: &'a str,
}

impl<'a> From<&'a Actor> for Who<'a> {
    fn from(actor: &'a Actor) -> Self {
        Self { kind: actor.kind(), id: actor.id(), label: actor.label() }
    }
}

/// [`Who`], for whoever writes later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Party {
    pub kind: String,
    pub id: Option<Uuid>,
    pub label: String,
}

impl From<&Actor> for Party {
    fn from(actor: &Actor) -> Self {
        Self { kind: actor.kind().into(), id: actor.id(), label: actor.label().into() }
    }
}

impl<'a> From<&'a Party> for Who<'a> {
    fn from(party: &'a Party) -> Self {
        Self { kind: &party.kind, id: party.id, label: &party.label }
    }
}

/// Writes what somebody did. `detail` holds no secret.
pub(crate) async fn record<'a>(
    app: &App,
    conn: &mut PgConnection,
    who: impl Into<Who<'a>>,
    action: &str,
    subject: Subject<'_>,
    detail: Value,
) -> Result<()> {
    write(conn, app.rng(), app.now(), who.into(), action, subject, detail).await
}

/// [`record`], of many things that were done alike.
pub(crate) async fn record_many<'a>(
    app: &App,
    conn: &mut PgConnection,
    who: impl Into<Who<'a>>,
    action: &str,
    subjects: Vec<Subject<'_>>,
    detail: &Value,
) -> Result<()> {
    let who = who.into();
    let entries: Vec<_> = subjects
        .into_iter()
        .map(|subject| entry(app.rng(), app.now(), who, action, subject, detail.clone()))
        .collect();
    Ok(store::audit::insert_many(conn, &entries).await?)
}

/// [`record`], where there is no app yet.
pub(crate) async fn write(
    conn: &mut PgConnection,
    rng: &dyn Rng,
    at: OffsetDateTime,
    who: Who<'_>,
    action: &str,
    subject: Subject<'_>,
    detail: Value,
) -> Result<()> {
    Ok(store::audit::insert(conn, &entry(rng, at, who, action, subject, detail)).await?)
}

fn entry(
    rng: &dyn Rng,
    at: OffsetDateTime,
    who: Who<'_>,
    action: &str,
    subject: Subject<'_>,
    detail: Value,
) -> AuditEntry {
    debug_assert!(voice::audit(action).is_some(), "{action} has no words");
    AuditEntry {
        id: rng.uuid(at),
        at,
        actor_kind: who.kind.into(),
        actor_id: who.id,
        actor_label: who.label.into(),
        action: action.into(),
        subject_id: subject.id,
        subject_label: subject.label.into(),
        detail,
    }
}

/// The newest entries first.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: &AuditFilter,
    paging: &Paging,
) -> Result<Page<AuditEntry>> {
    actor.require(Permission::AuditRead)?;
    let after = cursor(paging)?;
    let limit = paging.limit();
    let mut conn = app.pool().acquire().await?;
    let items = store::audit::list(&mut conn, filter, after, i64::from(limit) + 1).await?;
    Ok(page(items, limit, |entry| entry.id.to_string()))
}

/// A cursor that is an id.
pub(crate) fn cursor(paging: &Paging) -> Result<Option<Uuid>> {
    paging
        .cursor
        .as_deref()
        .map(|text| text.parse().map_err(|_| Error::invalid("cursor", "is not one of ours")))
        .transpose()
}

/// A page of `limit` items out of one more than that.
pub(crate) fn page<T>(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(key) } else { None };
    Page { items, next }
}
