//! What a job does with one connection. Done twice, it comes to the same.

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        attempt::Verdict,
        connection::{ConnectionPatch, State, Told},
        job::{Action, Job, Outcome},
        problem::Code,
        voice,
    },
    server::{
        app::{Actor, App, Error, Result, client::RESUME_SPREAD, connection, provider, relink},
        secret::seal::Place,
        store::job::item::{Came, Item, Link},
    },
};

/// What became of one when its turn came.
pub enum Acted {
    Came(Came),
    /// Its provider can't be asked now, and may be after so long; nothing: perhaps in a moment.
    PutOff {
        number: i64,
        client_id: Option<Uuid>,
        wait: Duration,
    },
}

/// Does it, and says what came of it. Fails only where nobody can say: then it is done again later.
pub async fn act(app: &App, actor: &Actor, job: &Job, item: &Item) -> Result<Acted> {
    let came = |outcome, detail: String, link| {
        Acted::Came(Came { number: item.number, outcome, detail, link })
    };
    match work(app, actor, job, item).await {
        Ok((outcome, detail, link)) => Ok(came(outcome, detail, link)),
        Err(Error::NotFound(_)) => Ok(came(Outcome::Skipped, voice::job_gone().into(), None)),
        // In a state in which there is nothing to do, or in which it may not be done.
        Err(Error::Conflict(conflict)) => Ok(came(Outcome::Skipped, conflict.why, None)),
        Err(error @ Error::ReauthRequired(_)) => {
            Ok(came(Outcome::Skipped, error.problem().message, None))
        }
        Err(error) => {
            let problem = error.problem();
            if problem.code == Code::Unavailable || app.stopping().is_cancelled() {
                return Err(error);
            }
            // That its turn has not come yet says nothing of the connection.
            if let (Action::Refresh, Error::ProviderUnavailable { retry_after, .. }) =
                (job.action, &error)
            {
                return Ok(Acted::PutOff {
                    number: item.number,
                    client_id: item.client_id,
                    wait: retry_after.unwrap_or_default(),
                });
            }
            if problem.code == Code::Internal {
                let error = format!("{error:#}");
                tracing::error!(job = %job.id, connection = %item.connection_id, error, "a job failed at one");
            }
            Ok(came(Outcome::Failed, problem.message, None))
        }
    }
}

type Worked = (Outcome, String, Option<Link>);

async fn work(app: &App, actor: &Actor, job: &Job, item: &Item) -> Result<Worked> {
    let id = item.connection_id;
    let before = connection::get(app, &Actor::System, id).await?;
    let done = |text: &str| Ok((Outcome::Done, text.to_owned(), None));
    let skipped = |text: &str| Ok((Outcome::Skipped, text.to_owned(), None));
    match job.action {
        Action::Refresh => {
            let attempt = connection::refresh_in_turn(app, actor, id).await?;
            let mut conn = app.pool().acquire().await?;
            let name = provider::load(app, &mut conn, &before.provider).await?.name.clone();
            let (text, _) = voice::attempt(&attempt, &name);
            let outcome = match attempt.verdict {
                Some(Verdict::Refreshed) => Outcome::Done,
                _ => Outcome::Failed,
            };
            Ok((outcome, text, None))
        }
        // They may have begun since the job was made.
        Action::Relink if job.stragglers_of.is_some() && relink::is_busy(app, id).await? => {
            skipped(voice::job_customer_busy())
        }
        Action::Relink => {
            let made = relink::create_for(app, actor, id, job.client_scopes).await?;
            let place = link_place(job.id, item.number);
            let sealed = app.keyring().seal(app.rng(), place, made.url.as_bytes())?;
            let link = Link { relink_id: made.id, sealed };
            Ok((Outcome::Done, voice::job_relink(made.expires_at), Some(link)))
        }
        Action::Pause if before.state == State::Disconnected => skipped(voice::job_disconnected()),
        Action::Pause if matches!(before.state, State::NeedsReauth { .. }) => {
            skipped(voice::job_nothing_rests())
        }
        Action::Pause if before.paused_at.is_some() => skipped(voice::job_nothing_to_do()),
        Action::Pause => {
            connection::pause(app, actor, id).await?;
            done(voice::job_done(job.action))
        }
        Action::Resume if before.state == State::Disconnected => skipped(voice::job_disconnected()),
        Action::Resume if before.paused_at.is_none() => skipped(voice::job_nothing_to_do()),
        Action::Resume => {
            connection::resume(app, actor, id, Some(RESUME_SPREAD)).await?;
            done(match before.state {
                State::NeedsReauth { .. } => voice::job_still_dead(),
                _ => voice::job_done(job.action),
            })
        }
        Action::Tag | Action::Untag => {
            let tag = job.tag.clone().unwrap_or_default();
            let mut tags = before.tags.clone();
            match job.action {
                Action::Tag => tags.push(tag),
                _ => tags.retain(|one| *one != tag),
            }
            tags.sort();
            tags.dedup();
            if tags == before.tags {
                return skipped(voice::job_nothing_to_do());
            }
            let patch = ConnectionPatch { tags: Some(tags), ..ConnectionPatch::default() };
            connection::update(app, actor, id, patch).await?;
            done(voice::job_done(job.action))
        }
        Action::Disconnect if before.state == State::Disconnected => {
            skipped(voice::job_nothing_to_do())
        }
        Action::Disconnect => {
            let told = connection::disconnect(app, actor, id, job.revoke).await?;
            done(match told {
                Told::Told => voice::job_revoked(),
                _ => voice::job_done(job.action),
            })
        }
    }
}

/// Where a job's link is sealed for.
pub fn link_place(job: Uuid, number: i64) -> Place {
    Place { table: "job_items", column: "sealed_link", row: job, generation: number }
}

/// What the audit log says of a job that is over.
pub fn summary(job: &Job) -> serde_json::Value {
    json!({
        "action": job.action,
        "connections": job.total,
        "done": job.done,
        "skipped": job.skipped,
        "failed": job.failed,
    })
}
