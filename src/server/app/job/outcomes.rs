//! What came of each connection of a job, to look at and to take away.

use futures::Stream;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{act::link_place, load};
use crate::{
    domain::{
        access::Permission,
        job::{Action, JobOutcome, Outcome},
        page::{Page, Paging},
        voice,
    },
    server::{
        app::{
            Actor, App, Error, Result,
            audit::{self, Subject},
            export::{self, BATCH, Format, Row, moment},
            keys,
        },
        store::job::item::{self, Item},
    },
};

/// So many of the failed are shown on the job's page.
const FAILED: i64 = 100;

/// In the order of the job, done or not.
pub async fn list(app: &App, actor: &Actor, id: Uuid, paging: &Paging) -> Result<Page<JobOutcome>> {
    actor.require(Permission::ConnectionsRead)?;
    let after = match paging.cursor.as_deref() {
        Some(cursor) => {
            cursor.parse().map_err(|_| Error::invalid("cursor", "is not one of ours"))?
        }
        None => 0,
    };
    let limit = paging.limit();
    let mut conn = app.pool().acquire().await?;
    load(&mut conn, id).await?;
    let items = item::list(&mut conn, id, after, i64::from(limit) + 1).await?;
    let seen = see(app, &mut conn, actor, id, items).await?;
    Ok(audit::page(seen, limit, |outcome| outcome.number.to_string()))
}

/// The first that could not be done.
pub async fn list_failed(app: &App, actor: &Actor, id: Uuid) -> Result<Vec<JobOutcome>> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    load(&mut conn, id).await?;
    let items = item::list_failed(&mut conn, id, FAILED).await?;
    see(app, &mut conn, actor, id, items).await
}

/// All of them, piece by piece.
pub async fn export(
    app: &App,
    actor: &Actor,
    id: Uuid,
    format: Format,
) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<>> {
    actor.require(Permission::ConnectionsRead)?;
    note_export(app, actor, id, "outcomes").await?;
    let (app, actor) = (app.clone(), actor.clone());
    export::file(format, move |after: Option<i64>| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let mut conn = app.pool().acquire().await?;
            let items = item::list(&mut conn, id, after.unwrap_or_default(), BATCH).await?;
            let next = export::rest(&items, |last| last.number);
            Ok((see(&app, &mut conn, &actor, id, items).await?, next))
        }
    })
}

/// Writes down who took `what` of a job away, and whether links that work are in it.
pub(in crate::server::app) async fn note_export(
    app: &App,
    actor: &Actor,
    id: Uuid,
    what: &str,
) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let job = load(&mut conn, id).await?;
    let links = job.action == Action::Relink && actor.allows(Permission::ConnectionsRelink);
    let name = voice::job_name(&job);
    let subject = Subject::new(id, &name);
    let detail = json!({ "what": what, "links": links });
    audit::record(app, &mut conn, actor, "job.export", subject, detail).await
}

/// Opens the links for whoever could make them.
async fn see(
    app: &App,
    conn: &mut PgConnection,
    actor: &Actor,
    job: Uuid,
    items: Vec<Item>,
) -> Result<Vec<JobOutcome>> {
    let opens = actor.allows(Permission::ConnectionsRelink);
    let mut seen = Vec::with_capacity(items.len());
    for item in items {
        let link = match &item.sealed_link {
            Some(sealed) if opens => {
                let place = link_place(job, item.number);
                let link = keys::open_text(app, conn, place, sealed).await?;
                Some(link.expose_secret().to_owned())
            }
            _ => None,
        };
        seen.push(JobOutcome {
            number: item.number,
            connection_id: item.connection_id,
            label: item.label,
            client: item.client,
            account: item.account,
            external_id: item.external_id,
            outcome: item.outcome,
            detail: item.detail,
            link,
            at: item.at,
        });
    }
    Ok(seen)
}

impl Row for JobOutcome {
    const HEADING: &'static [&'static str] = &[
        "number",
        "connection_id",
        "label",
        "client",
        "outcome",
        "detail",
        "link",
        "at",
        "account",
        "external_id",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            self.connection_id.to_string(),
            self.label.clone(),
            self.client.clone(),
            self.outcome.map(Outcome::as_str).unwrap_or_default().to_owned(),
            self.detail.clone().unwrap_or_default(),
            self.link.clone().unwrap_or_default(),
            moment(self.at),
            self.account.clone().unwrap_or_default(),
            self.external_id.clone().unwrap_or_default(),
        ]
    }
}
