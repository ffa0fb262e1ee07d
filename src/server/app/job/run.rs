//! Carrying jobs out, a batch at a time. After each, what came of it and how far the job is are written
//! in one transaction; whoever takes over goes on from there, and does again at most the batch that
//! was under way.
//!
//! A refresh whose client has no turn is put off, and those that come after it go on, however many are put off:
//! a job goes round. It comes back to what it put off when all that comes after had its turn.
//!
//! Jobs take turns, so that a short one does not wait for a long one to end: a provider that allows a request
//! a second keeps a job of many busy for days.

use std::{future::ready, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::time::sleep;
use uuid::Uuid;

use super::act::{Acted, act, summary};
use crate::{
    domain::{
        job::{Job, Outcome},
        voice,
    },
    server::{
        app::{Actor, App, Result, audit, audit::Subject},
        store::{
            self,
            job::{
                Leased, Tally,
                item::{self, Came, Item},
            },
        },
    },
};

/// How many connections are worked at between two records.
const BATCH: i64 = 32;
/// A turn lasts for so many batches,
const TURN: usize = 4;
/// or for so long: what is begun by then comes to its end, and the rest of the batch waits.
const SLICE: time::Duration = time::Duration::seconds(5);
/// How many of them at once: most of the pool is left to those who wait for an answer.
const AT_ONCE: usize = 6;
/// For how long a job is taken, in seconds.
const LEASE: f64 = 60.0;
/// Well within that.
const BEAT: Duration = Duration::from_secs(15);
/// After a turn in which all was put off a job rests for at least so many seconds, and at the end of a round for
/// at most so many: whoever asked for a pause may say for how long, and an admin may end it earlier.
const REST: (f64, f64) = (1.0, 60.0);

/// Carries out all jobs that nobody works at, in turns. How many it brought to their end.
pub async fn run_due(app: &App) -> Result<usize> {
    let mut ended = 0;
    while !app.stopping().is_cancelled() {
        let lease_id = app.rng().uuid(app.now());
        let mut conn = app.pool().acquire().await?;
        let taken = store::job::claim(&mut conn, lease_id, LEASE, app.database_now()).await?;
        drop(conn);
        let Some(leased) = taken else { break };
        match run(app, &leased).await {
            Ok(true) => ended += 1,
            Ok(false) => {}
            Err(error) => {
                let mut conn = app.pool().acquire().await?;
                store::job::release(&mut conn, &leased, None, app.database_now()).await?;
                return Err(error);
            }
        }
    }
    Ok(ended)
}

/// Works at one job until it is over, another's, its turn ends, or we stop. Whether it is over.
async fn run(app: &App, leased: &Leased) -> Result<bool> {
    let begun = app.elapsed();
    let is_up = || app.elapsed() - begun >= SLICE;
    let mut turn = Turn::begin(leased);
    for batch in 0.. {
        let mut conn = app.pool().acquire().await?;
        if batch == TURN || is_up() || app.stopping().is_cancelled() {
            let rests = turn.rests(false);
            store::job::release(&mut conn, leased, rests, app.database_now()).await?;
            return Ok(false);
        }
        let Some(job) = store::job::find(&mut conn, leased.id).await? else { return Ok(false) };
        if !job.is_running() {
            return Ok(true);
        }
        let items = item::list_open(&mut conn, job.id, turn.seen, &turn.waiting, BATCH).await?;
        if items.is_empty() {
            if turn.leaves_some() {
                store::job::begin_round(&mut conn, leased).await?;
                let rests = turn.rests(true);
                store::job::release(&mut conn, leased, rests, app.database_now()).await?;
                return Ok(false);
            }
            drop(conn);
            end(app, &job, None).await?;
            return Ok(true);
        }
        let actor = actor(&mut conn, leased).await?;
        drop(conn);
        let Some(actor) = actor.filter(|actor| actor.allows(job.action.permission())) else {
            end(app, &job, Some(voice::job_not_allowed())).await?;
            return Ok(true);
        };
        let (actor, job) = (&actor, &job);
        // They are begun in order, so that those which came to their end are the first of the batch.
        let works = stream::iter(items)
            .take_while(|_| ready(!is_up()))
            .map(|item| async move { guarded(job, &item, act(app, actor, job, &item)).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<Acted>>();
        let acted = tokio::select! {
            acted = works => acted?,
            () = beat(app, leased) => return Ok(false),
        };
        let came = turn.take(acted);
        if !record(app, leased, &came, &turn).await? {
            return Ok(false);
        }
    }
    Ok(false)
}

/// How far one turn is.
struct Turn {
    /// Up to which item nothing of the job is open.
    position: i64,
    /// Up to which item all had their turn in this round.
    seen: i64,
    /// Whether the round began with this turn, so that it sees the first that is open.
    is_first: bool,
    /// Whether something came of any.
    worked: bool,
    /// The first that was put off, and the shortest time after which one of them may be asked.
    put_off: Option<(i64, time::Duration)>,
    /// Clients whose providers asked for a pause: the rest of what is theirs waits for the next round.
    waiting: Vec<Uuid>,
}

impl Turn {
    fn begin(leased: &Leased) -> Self {
        Self {
            position: leased.position,
            seen: leased.seen,
            is_first: leased.seen == leased.position,
            worked: false,
            put_off: None,
            waiting: Vec::new(),
        }
    }

    /// Takes note of a batch; what came of it.
    fn take(&mut self, acted: Vec<Acted>) -> Vec<Came> {
        let mut came = Vec::with_capacity(acted.len());
        for one in acted {
            let number = match one {
                Acted::Came(one) => {
                    let number = one.number;
                    came.push(one);
                    number
                }
                Acted::PutOff { number, client_id, wait } => {
                    let (first, known) = self.put_off.unwrap_or((number, wait));
                    self.put_off = Some((first.min(number), known.min(wait)));
                    let waiting =
                        client_id.filter(|id| wait.is_positive() && !self.waiting.contains(id));
                    self.waiting.extend(waiting);
                    number
                }
            };
            self.seen = self.seen.max(number);
        }
        self.worked |= !came.is_empty();
        if self.is_first {
            self.position = self.put_off.map_or(self.seen, |(first, _)| first - 1);
        }
        came
    }

    /// Whether something is open when nothing is left to be looked at in this round.
    fn leaves_some(&self) -> bool {
        self.put_off.is_some() || !self.is_first
    }

    /// For how many seconds the job rests after the turn. Where something came of any, or nothing was looked at,
    /// more may come at once; and what comes later in the round is not to wait for what was put off.
    fn rests(&self, is_round_over: bool) -> Option<f64> {
        let (_, wait) = self.put_off.filter(|_| !self.worked)?;
        let (least, most) = REST;
        Some(if is_round_over { wait.as_seconds_f64().clamp(least, most) } else { least })
    }
}

/// What came of one, also where our own code breaks off at it: the others go on.
async fn guarded(
    job: &Job,
    item: &Item,
    work: impl Future<Output = Result<Acted>>,
) -> Result<Acted> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(job = %job.id, connection = %item.connection_id, "a job broke off at one");
        let detail = voice::job_broke_off().into();
        Ok(Acted::Came(Came { number: item.number, outcome: Outcome::Failed, detail, link: None }))
    })
}

/// Shows again and again that somebody works at it; ends when it is another's, or over.
async fn beat(app: &App, leased: &Leased) {
    loop {
        sleep(BEAT).await;
        let lives = async {
            let mut conn = app.pool().acquire().await?;
            Result::Ok(store::job::prolong(&mut conn, leased, LEASE, app.database_now()).await?)
        };
        match lives.await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(job = %leased.id, error, "a job could not show that it lives");
            }
        }
    }
}

/// Writes what came of a batch. `false`: the job is another's, or over.
async fn record(app: &App, leased: &Leased, came: &[Came], turn: &Turn) -> Result<bool> {
    let count = |outcome| {
        let count = came.iter().filter(|one| one.outcome == outcome).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    };
    let tally = Tally {
        done: count(Outcome::Done),
        skipped: count(Outcome::Skipped),
        failed: count(Outcome::Failed),
    };
    let mut tx = app.begin().await?;
    item::record(&mut tx, leased.id, came, app.now()).await?;
    let ours = store::job::add(&mut tx, leased, tally, turn.position, turn.seen).await?
        && store::job::prolong(&mut tx, leased, LEASE, app.database_now()).await?;
    if ours {
        tx.commit().await?;
    }
    Ok(ours)
}

async fn end(app: &App, job: &Job, why: Option<&str>) -> Result<()> {
    let mut tx = app.begin().await?;
    if store::job::end(&mut tx, job.id, why, app.now()).await? {
        let action = if why.is_none() { "job.done" } else { "job.stop" };
        let name = voice::job_name(job);
        let subject = Subject::new(job.id, &name);
        audit::record(app, &mut tx, &Actor::System, action, subject, summary(job)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Whoever asked for it, as they are now. `None`: they were shut out, or their key was revoked.
async fn actor(conn: &mut sqlx::PgConnection, leased: &Leased) -> Result<Option<Actor>> {
    let id: Uuid = leased.actor_id;
    Ok(match leased.actor_kind.as_str() {
        "user" => store::user::find(conn, id)
            .await?
            .filter(|user| user.disabled_at.is_none())
            .map(|user| Actor::User { id, email: user.email, role: user.role }),
        "api_key" => store::api_key::find(conn, id)
            .await?
            .filter(|key| key.revoked_at.is_none())
            .map(|key| Actor::ApiKey { id, name: key.name, scopes: key.scopes }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::job::{Action, JobState};

    fn came(number: i64) -> Acted {
        Acted::Came(Came { number, outcome: Outcome::Done, detail: String::new(), link: None })
    }

    fn put_off(number: i64, seconds: i64) -> Acted {
        let client_id = Some(Uuid::from_u128(seconds.unsigned_abs().into()));
        Acted::PutOff { number, client_id, wait: time::Duration::seconds(seconds) }
    }

    fn turn(position: i64, seen: i64) -> Turn {
        Turn::begin(&Leased {
            id: Uuid::nil(),
            lease_id: Uuid::nil(),
            actor_kind: String::new(),
            actor_id: Uuid::nil(),
            position,
            seen,
        })
    }

    /// They come to their end in any order.
    #[test]
    fn a_job_stays_where_the_first_was_put_off() {
        let mut turn = turn(10, 10);
        assert_eq!(turn.take(vec![came(12), came(11)]).len(), 2);
        assert_eq!((turn.position, turn.leaves_some()), (12, false));
        let done = turn.take(vec![put_off(15, 0), came(16), put_off(14, 9), came(13)]);
        assert_eq!((done.len(), turn.position, turn.seen), (2, 13, 16));
        turn.take(vec![came(17)]);
        assert_eq!((turn.position, turn.leaves_some()), (13, true));
        assert_eq!(turn.rests(true), None, "something came of some");
        assert_eq!(turn.waiting, [Uuid::from_u128(9)], "who asked for a pause, and nobody else");
    }

    /// What was put off earlier in the round is behind it, and open.
    #[test]
    fn a_turn_in_the_middle_of_a_round_goes_on_from_there() {
        let mut turn = turn(10, 140);
        turn.take(vec![came(141), put_off(143, 600), came(142)]);
        assert_eq!((turn.position, turn.seen, turn.leaves_some()), (10, 143, true));
    }

    #[test]
    fn a_job_rests_for_as_long_as_all_of_it_must_wait() {
        for (waits, rests) in [(vec![20, 7, 30], 7.0), (vec![600], 60.0), (vec![600, 0], 1.0)] {
            let mut turn = turn(0, 0);
            turn.take((1..).zip(waits).map(|(number, wait)| put_off(number, wait)).collect());
            assert_eq!(turn.rests(true), Some(rests));
            assert_eq!(turn.rests(false), Some(1.0), "the round goes on");
        }
    }

    #[tokio::test]
    async fn a_job_goes_on_where_our_code_breaks_off_at_one() {
        let job = Job {
            id: Uuid::nil(),
            action: Action::Pause,
            name: None,
            tag: None,
            revoke: false,
            client_scopes: false,
            stragglers_of: None,
            state: JobState::Running,
            total: 1,
            done: 0,
            skipped: 0,
            failed: 0,
            detail: None,
            created_by: String::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            ended_at: None,
        };
        let item = Item {
            number: 7,
            connection_id: Uuid::nil(),
            label: String::new(),
            client: String::new(),
            client_id: None,
            account: None,
            external_id: None,
            outcome: None,
            detail: None,
            sealed_link: None,
            at: None,
        };
        let acted = guarded(&job, &item, async { panic!("on purpose") }).await.unwrap();
        let Acted::Came(came) = acted else { panic!("put off") };
        assert_eq!((came.number, came.outcome), (7, Outcome::Failed));
        assert_eq!(came.detail, voice::job_broke_off());
    }
}
