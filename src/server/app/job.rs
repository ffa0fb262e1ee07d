//! Jobs: one action on many connections, chosen one by one or by a filter.
//!
//! What a job works on is written down when it is made, so that it works on what was confirmed, whatever
//! becomes of the filter's answer. A worker carries it out ([`run`]), under a lease that another takes
//! over when it dies.

mod act;
mod choice;
mod key;
mod outcomes;
mod run;

pub(super) use outcomes::note_export;
pub use outcomes::{export, list as outcomes, list_failed};
pub use run::run_due;

pub(super) use act::link_place;
pub(super) use choice::weigh;

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Actor, App, Error, Result, audit, audit::Subject, connection};
use crate::{
    domain::{
        access::Permission,
        job::{Action, Job, JobState, NewJob, Proposal, Selection, Share},
        page::{Page, Paging},
        problem::Obstacle,
        voice,
    },
    server::store::{
        self,
        connection::list::{self, Found, choose},
        job::{Asker, item, straggler},
    },
};

/// So many can be named one by one.
const CHOSEN: usize = 1000;
/// So many of one person or key are under way at once: each has its turn, and the turns of others are to come.
const AT_ONCE: i64 = 20;
/// A name is no longer.
const NAME: usize = 60;
/// Whoever may do none of these has no business with jobs.
const WORK: [Permission; 3] =
    [Permission::ConnectionsWrite, Permission::ConnectionsRefresh, Permission::ConnectionsRelink];

/// What was asked for, once it makes sense.
enum Choice {
    Ids(Vec<Uuid>),
    Found(Box<Found>),
    StragglersOf(Uuid),
}

/// What a job would work on, for whoever is about to confirm it.
pub async fn preview(app: &App, actor: &Actor, new: &NewJob) -> Result<Selection> {
    check(actor, new)?;
    let mut tx = app.begin().await?;
    let alike = match choose(app, &mut tx, new).await? {
        Choice::Ids(ids) => {
            list::plan_by_values(&mut tx).await?;
            choose::alike(&mut tx, &Found::of(&ids, app.now())).await?
        }
        Choice::Found(found) => choose::alike(&mut tx, &found).await?,
        Choice::StragglersOf(id) => choose::alike_stragglers(&mut tx, id, app.now()).await?,
    };
    let weights = weigh(app, &mut tx, new.action, &alike).await?;
    let refused = match new.action {
        Action::Relink => {
            let ids: Vec<Uuid> = weights.iter().map(|one| one.client_id).collect();
            store::client::list_refused(&mut tx, &ids).await?
        }
        _ => Vec::new(),
    };
    tx.commit().await?;
    Ok(Selection {
        total: weights.iter().map(|one| one.count).sum(),
        digest: digest(weights.iter().map(|one| (one.client_id, one.count, one.mark))),
        refused,
        standings: choice::standings(&alike),
        possible: weights.iter().map(|one| one.possible).sum(),
        unknown_accounts: weights.iter().map(|one| one.unknown_accounts).sum(),
        clients: weights
            .into_iter()
            .map(|one| Share {
                client_id: one.client_id,
                client: one.client,
                count: one.count,
                possible: one.possible,
                unknown_accounts: one.unknown_accounts,
            })
            .collect(),
    })
}

/// [`preview`], for a form in which it is confirmed.
pub async fn preview_once(app: &App, actor: &Actor, new: &NewJob) -> Result<Proposal> {
    Ok(Proposal { selection: preview(app, actor, new).await?, key: app.new_id() })
}

/// Of clients, how many of theirs are chosen, and the mark of which.
fn digest(marks: impl Iterator<Item = (Uuid, i64, i64)>) -> String {
    let mut marks: Vec<_> = marks.collect();
    marks.sort_unstable();
    let mut digest = Sha256::new();
    for (client, count, mark) in &marks {
        digest.update(client.as_bytes());
        digest.update(count.to_be_bytes());
        digest.update(mark.to_be_bytes());
    }
    digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

pub async fn create(app: &App, actor: &Actor, new: &NewJob) -> Result<Job> {
    check(actor, new)?;
    let asker = Asker {
        kind: actor.kind(),
        id: actor.id().ok_or(Error::Forbidden(None))?,
        label: actor.label(),
    };
    let trimmed = |text: &Option<String>| text.as_ref().map(|text| text.trim().to_owned());
    let mut job = Job {
        id: app.new_id(),
        action: new.action,
        name: trimmed(&new.name).filter(|name| !name.is_empty()),
        tag: trimmed(&new.tag).filter(|_| new.action.takes_tag()),
        revoke: new.revoke && new.action == Action::Disconnect,
        client_scopes: new.client_scopes && new.action == Action::Relink,
        stragglers_of: new.stragglers_of,
        state: JobState::Running,
        total: 0,
        done: 0,
        skipped: 0,
        failed: 0,
        detail: None,
        created_by: actor.label().into(),
        created_at: app.now(),
        ended_at: None,
    };
    let key = key::Key::of(new, &job)?;
    let mut tx = app.begin().await?;
    store::job::lock_asker(&mut tx, &asker).await?;
    if let Some(made) = key::find_made(&mut tx, &asker, key.as_ref()).await? {
        return Ok(made);
    }
    if store::job::count_running(&mut tx, &asker).await? >= AT_ONCE {
        return Err(Error::conflict(
            Obstacle::LimitReached,
            format!(
                "{AT_ONCE} jobs that you asked for are under way. Wait for one to end, or stop one, and \
                 send this again."
            ),
        ));
    }
    let choice = choose(app, &mut tx, new).await?;
    if let Choice::StragglersOf(id) = choice {
        let theirs = load(&mut tx, id).await?;
        job.client_scopes |= theirs.client_scopes && job.action == Action::Relink;
        job.name = job.name.or(theirs.name);
    }
    let sent = key.as_ref().map(|key| (key.id, key.digest.as_slice()));
    if !store::job::insert(&mut tx, &job, &asker, sent).await? {
        // Another request with its key was faster.
        let made = key::find_made(&mut tx, &asker, key.as_ref()).await?;
        return made.ok_or(Error::NotFound("job"));
    }
    job.total = match choice {
        Choice::Ids(ids) => item::insert_chosen(&mut tx, job.id, &ids).await?,
        Choice::Found(found) => choose::insert_items(&mut tx, job.id, &found).await?,
        Choice::StragglersOf(id) => straggler::insert_items(&mut tx, job.id, id, app.now()).await?,
    };
    confirm(&mut tx, &job, new).await?;
    if job.total == 0 {
        let field = match (&new.ids, &new.filter) {
            (Some(_), _) => "ids",
            (None, Some(_)) => "filter",
            (None, None) => "stragglers_of",
        };
        return Err(Error::invalid(field, "chooses no connection"));
    }
    store::job::set_total(&mut tx, job.id, job.total).await?;
    let detail = json!({
        "action": job.action,
        "connections": job.total,
        "filter": new.filter,
        "stragglers_of": job.stragglers_of,
        "name": job.name,
        "tag": job.tag,
        "revoke": job.revoke,
        "client_scopes": job.client_scopes,
    });
    let name = voice::job_name(&job);
    let subject = Subject::new(job.id, &name);
    audit::record(app, &mut tx, actor, "job.create", subject, detail).await?;
    tx.commit().await?;
    Ok(job)
}

/// Refuses a job on others than its maker was shown. What it works on was written down by then, so that
/// nothing comes between.
async fn confirm(conn: &mut PgConnection, job: &Job, new: &NewJob) -> Result<()> {
    let mut same = new.expected_total.is_none_or(|total| total == job.total);
    if let Some(expected) = &new.expected {
        let chosen = item::shares(conn, job.id).await?;
        same &= *expected == digest(chosen.iter().map(|one| (one.client_id, one.count, one.mark)));
    }
    if same {
        return Ok(());
    }
    Err(Error::conflict(Obstacle::Changed, voice::job_changed(job.total)))
}

/// [`create`], with what a form sends: ids separated by blanks, a filter as JSON. What is empty is not
/// there.
pub async fn create_from_text(
    app: &App,
    actor: &Actor,
    new: NewJob,
    [ids, filter]: [Option<String>; 2],
) -> Result<Job> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let ids = filled(ids).map(|text| {
        let ids: std::result::Result<Vec<Uuid>, _> =
            text.split_whitespace().map(str::parse).collect();
        ids.map_err(|_| Error::invalid("ids", "are not ours"))
    });
    let filter = filled(filter).map(|text| {
        serde_json::from_str(&text).map_err(|_| Error::invalid("filter", "is not one of ours"))
    });
    let tag = filled(new.tag.clone());
    let new = NewJob { ids: ids.transpose()?, filter: filter.transpose()?, tag, ..new };
    create(app, actor, &new).await
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<Job> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    load(&mut conn, id).await
}

pub(super) async fn load(conn: &mut PgConnection, id: Uuid) -> Result<Job> {
    store::job::find(conn, id).await?.ok_or(Error::NotFound("job"))
}

/// The newest first.
pub async fn list(app: &App, actor: &Actor, paging: &Paging) -> Result<Page<Job>> {
    actor.require(Permission::ConnectionsRead)?;
    let before = audit::cursor(paging)?;
    let limit = paging.limit();
    let mut conn = app.pool().acquire().await?;
    let jobs = store::job::list(&mut conn, before, i64::from(limit) + 1).await?;
    Ok(audit::page(jobs, limit, |job| job.id.to_string()))
}

/// Stops a job before its end. What was done stays done.
pub async fn stop(app: &App, actor: &Actor, id: Uuid) -> Result<Job> {
    if !WORK.iter().any(|permission| actor.allows(*permission)) {
        actor.require(Permission::ConnectionsWrite)?;
    }
    let mut tx = app.begin().await?;
    let job = load(&mut tx, id).await?;
    actor.require(job.action.permission())?;
    let why = format!("{} stopped it", actor.label());
    if store::job::end(&mut tx, id, Some(&why), app.now()).await? {
        let name = voice::job_name(&job);
        let subject = Subject::new(id, &name);
        audit::record(app, &mut tx, actor, "job.stop", subject, json!({})).await?;
        tx.commit().await?;
    }
    get(app, &Actor::System, id).await
}

/// Refuses what makes no sense, and whoever may not do it.
fn check(actor: &Actor, new: &NewJob) -> Result<()> {
    if !WORK.iter().any(|permission| actor.allows(*permission)) {
        actor.require(Permission::ConnectionsWrite)?;
    }
    let ways = [new.ids.is_some(), new.filter.is_some(), new.stragglers_of.is_some()];
    if ways.into_iter().filter(|given| *given).count() != 1 {
        return Err(Error::invalid(
            "ids",
            "must be there, or `filter` or `stragglers_of` in its place; one of the three, and no more",
        ));
    }
    if new.ids.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > CHOSEN) {
        return Err(Error::invalid("ids", format!("must be 1 to {CHOSEN}")));
    }
    let name = new.name.as_deref().unwrap_or_default().trim();
    if name.chars().count() > NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "name",
            format!("must be one line of at most {NAME} characters"),
        ));
    }
    match (&new.tag, new.action.takes_tag()) {
        (None, true) => return Err(Error::invalid("tag", "must be there with this action")),
        (Some(tag), true) => {
            connection::fields::check_tags(&[tag.trim().to_owned()])
                .map_err(|_| Error::invalid("tag", "must be one word, of 1 to 100 characters"))?;
        }
        (_, false) => {}
    }
    actor.require(new.action.permission())
}

async fn choose(app: &App, conn: &mut PgConnection, new: &NewJob) -> Result<Choice> {
    if let Some(ids) = &new.ids {
        let mut ids = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        return Ok(Choice::Ids(ids));
    }
    if let Some(id) = new.stragglers_of {
        load(conn, id).await?;
        return Ok(Choice::StragglersOf(id));
    }
    list::plan_by_values(conn).await?;
    let filter = new.filter.clone().unwrap_or_default();
    Ok(Choice::Found(Box::new(connection::find(app, conn, &filter).await?)))
}
