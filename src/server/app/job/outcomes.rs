//! What came of each connection of a job, to look at and to take away.

use std::collections::HashMap;

use futures::Stream;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{act::link_place, load};
use crate::{
    domain::{
        access::Permission,
        job::{Action, Job, JobOutcome, Outcome},
        page::{Page, Paging},
        relink::Stage,
        voice,
    },
    server::{
        app::{
            Actor, App, Error, Result,
            audit::{self, Subject},
            export::{self, BATCH, Format, Row, moment},
            keys,
        },
        store::{
            self,
            job::{
                item::{self, Item},
                straggler,
            },
        },
    },
};

/// So many of those for which it was not done are shown on the job's page.
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
    let job = load(&mut conn, id).await?;
    let items = item::list(&mut conn, id, after, i64::from(limit) + 1).await?;
    let seen = see(app, &mut conn, actor, &job, items).await?;
    Ok(audit::page(seen, limit, |outcome| outcome.number.to_string()))
}

/// The first that could not be done; of links, the first that got none.
pub async fn list_failed(app: &App, actor: &Actor, id: Uuid) -> Result<Vec<JobOutcome>> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    let job = load(&mut conn, id).await?;
    let which: &[Outcome] = match job.action {
        Action::Relink => &[Outcome::Skipped, Outcome::Failed],
        _ => &[Outcome::Failed],
    };
    let items = item::list_of(&mut conn, id, which, FAILED).await?;
    see(app, &mut conn, actor, &job, items).await
}

/// All of them, piece by piece.
pub async fn export(
    app: &App,
    actor: &Actor,
    id: Uuid,
    format: Format,
) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<>> {
    actor.require(Permission::ConnectionsRead)?;
    let job = note_export(app, actor, id, "outcomes").await?;
    let (app, actor) = (app.clone(), actor.clone());
    export::file(format, move |after: Option<i64>| {
        let (app, actor, job) = (app.clone(), actor.clone(), job.clone());
        async move {
            let mut conn = app.pool().acquire().await?;
            let items = item::list(&mut conn, id, after.unwrap_or_default(), BATCH).await?;
            let next = export::rest(&items, |last| last.number);
            Ok((see(&app, &mut conn, &actor, &job, items).await?, next))
        }
    })
}

/// Writes down who took `what` of a job away, and whether links that work are in it.
pub(in crate::server::app) async fn note_export(
    app: &App,
    actor: &Actor,
    id: Uuid,
    what: &str,
) -> Result<Job> {
    let mut conn = app.pool().acquire().await?;
    let job = load(&mut conn, id).await?;
    let links = job.action == Action::Relink && actor.allows(Permission::ConnectionsRelink);
    let name = voice::job_name(&job);
    let subject = Subject::new(id, &name);
    let detail = json!({ "what": what, "links": links });
    audit::record(app, &mut conn, actor, "job.export", subject, detail).await?;
    Ok(job)
}

/// Opens the links that work, for whoever could make them, and says what became of the others.
async fn see(
    app: &App,
    conn: &mut PgConnection,
    actor: &Actor,
    job: &Job,
    items: Vec<Item>,
) -> Result<Vec<JobOutcome>> {
    let opens = actor.allows(Permission::ConnectionsRelink);
    let stages = match job.action {
        Action::Relink => stages(app, conn, job.id, &items).await?,
        _ => HashMap::new(),
    };
    let mut seen = Vec::with_capacity(items.len());
    for item in items {
        let made = stages.get(&item.number).copied();
        let stage = made.flatten().map(|link| link.stage);
        let works = stage.is_some_and(|stage| !stage.is_over());
        let link = match &item.sealed_link {
            Some(sealed) if opens && works => {
                let place = link_place(job.id, item.number);
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
            detail: match made {
                Some(None) => Some(voice::job_gone()),
                Some(Some(link)) if link.is_needless => Some(voice::job_link_needless()),
                _ => stage.and_then(voice::job_link_over),
            }
            .map(str::to_owned)
            .or(item.detail),
            link,
            link_state: stage,
            at: item.at,
        });
    }
    Ok(seen)
}

/// How far a link is that a job made.
#[derive(Clone, Copy)]
struct Made {
    stage: Stage,
    /// Its customer came back by another door: it is not to be sent.
    is_needless: bool,
}

/// How far the links are that a job made, by the numbers of its items. `None`: it is gone, with its connection.
async fn stages(
    app: &App,
    conn: &mut PgConnection,
    job: Uuid,
    items: &[Item],
) -> Result<HashMap<i64, Option<Made>>> {
    let made = items.iter().filter(|item| item.outcome == Some(Outcome::Done));
    let numbers: Vec<i64> = made.map(|item| item.number).collect();
    let links = item::links(conn, job, &numbers).await?;
    let ids: Vec<Uuid> = links.iter().map(|(_, id)| *id).collect();
    let relinks = store::relink::list_of(conn, &ids).await?;
    let now = app.now();
    let done = straggler::done(conn, job, &numbers, now).await?;
    let stages: HashMap<Uuid, Stage> =
        relinks.iter().map(|one| (one.relink.id, Stage::of(&one.relink, now))).collect();
    let seen = |number: i64, stage: Stage| {
        let is_needless = !stage.is_over() && done.contains(&number);
        Made { stage: if is_needless { Stage::Done } else { stage }, is_needless }
    };
    let known = links.into_iter();
    Ok(known
        .map(|(number, id)| (number, stages.get(&id).map(|stage| seen(number, *stage))))
        .collect())
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
        "link_state",
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
            self.link_state.map(Stage::as_str).unwrap_or_default().to_owned(),
        ]
    }
}
