//! Waiting for a place among the requests that a client may make of its provider: of the refresh that is
//! waited for, or of a question that is no refresh and counts against the same limits.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;
use uuid::Uuid;

use super::{ROOM_LOOK, decide::PAUSE_CAP, intent, room};
use crate::{
    domain::{client::StateName, provider::Profile, voice},
    server::{
        app::{App, Error, Result},
        store,
    },
};

/// For how long the worker leaves places to callers after one found none.
const CALLERS: Duration = Duration::seconds(2);

/// For how long a question holds its place if nobody comes back to say that it was answered: for longer than
/// an answer is waited for.
const HELD: Duration = Duration::seconds(35);

/// A place is to spare if no refresh comes due for so long: most answers take less.
const QUIET: Duration = Duration::seconds(5);

/// A question that is no refresh, under way at a client's provider.
pub struct Question {
    client_id: Uuid,
    id: Uuid,
}

/// Takes a turn for a question that is asked now, whatever state the client is in. It is counted against the
/// client's rate, and holds one of its places until it is [answered](Question::answered).
pub async fn take(
    app: &App,
    client_id: Uuid,
    profile: &Profile,
    deadline: Instant,
) -> Result<Question> {
    let limit = intent::limit(client_id, Some(profile));
    let question = Question { client_id, id: app.new_id() };
    loop {
        let (mut tx, now) = (app.begin().await?, app.database_now());
        let rooms = room::of(app, &mut tx, &[limit], &StateName::ALL).await?;
        if rooms.iter().any(|room| room.room > 0) && question.hold(&mut tx, now).await? {
            if let Some(seconds) = limit.interval {
                store::client::limit::spend(&mut tx, client_id, seconds, now).await?;
            }
            tx.commit().await?;
            return Ok(question);
        }
        tx.rollback().await?;
        wait(app, client_id, deadline, &QUESTION).await?;
    }
}

/// A turn that was to spare; with a place, where there is a limit.
pub struct Spare(Option<Question>);

/// Takes a turn if no refresh is made to wait by it, as far as can be told: where the profile has limits, while more
/// than half of what they allow is free or, where that is next to nothing, while no refresh comes due before there is
/// a turn again. It holds one of the client's places until it is [answered](Spare::answered). Nobody waits here, and
/// whoever holds the client goes first.
pub async fn take_spare(app: &App, client_id: Uuid, profile: &Profile) -> Result<Option<Spare>> {
    if profile.policy.concurrency.is_none() && profile.policy.requests_per_minute.is_none() {
        return Ok(Some(Spare(None)));
    }
    let limit = intent::limit(client_id, Some(profile));
    let seconds = limit.interval.unwrap_or_default();
    let most = f64::from(limit.concurrency);
    let most = limit.interval.map_or(most, |_| most.min(limit.burst));
    let by = app.now() + Duration::seconds_f64(2.0 * seconds).max(QUIET);
    let mut tx = app.begin().await?;
    let is_quiet = !store::account_question::is_refresh_due(&mut tx, client_id, by).await?;
    // Who claims refreshes passes by a client that we hold; so it is held as short as can be.
    let rooms = room::of(app, &mut tx, &[limit], &[StateName::Ready]).await?;
    let room = rooms.first().map_or(0, |room| room.room);
    let is_spare = room > 0 && (is_quiet || most >= 2.0 && f64::from(room) > most / 2.0);
    let (question, now) = (Question { client_id, id: app.new_id() }, app.database_now());
    if !is_spare || !question.hold(&mut tx, now).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    if limit.interval.is_some() {
        store::client::limit::spend(&mut tx, client_id, seconds, now).await?;
    }
    tx.commit().await?;
    Ok(Some(Spare(Some(question))))
}

impl Spare {
    pub async fn answered(self, app: &App) -> Result<()> {
        match self.0 {
            Some(question) => question.answered(app, None).await,
            None => Ok(()),
        }
    }
}

/// What is said to whoever did not get a turn.
pub struct Words {
    /// After it was said until when the provider is left alone.
    paused: &'static str,
    full: &'static str,
}

pub const REFRESH: Words = Words {
    paused: "Regrant refreshes again when it is over, or when an admin ends it on the client's page.",
    full: "This client has as many refreshes under way as its provider allows. Try again in a moment.",
};

const QUESTION: Words = Words {
    paused: "So it was not asked. Ask again when the pause is over, or when an admin has ended it on the \
             client's page.",
    full: "This client has as many requests under way as its provider allows, so the provider was not \
           asked. Try again in a moment.",
};

impl Question {
    async fn hold(&self, conn: &mut PgConnection, now: Option<OffsetDateTime>) -> Result<bool> {
        let (client, id, seconds) = (self.client_id, self.id, HELD.as_seconds_f64());
        Ok(store::client::limit::hold(conn, client, id, seconds, now).await?)
    }

    /// Gives the place back. `pause`: for so long the provider asks us to leave it alone.
    pub async fn answered(self, app: &App, pause: Option<Duration>) -> Result<()> {
        let mut tx = app.begin().await?;
        store::client::limit::let_go(&mut tx, self.client_id, self.id).await?;
        if let Some(pause) = pause {
            let until = app.now() + pause.clamp(Duration::ZERO, PAUSE_CAP);
            store::client::limit::pause(&mut tx, self.client_id, until).await?;
        }
        tx.commit().await?;
        app.tell_of_places();
        Ok(())
    }
}

/// Waits a moment for the client to have room. Refuses when the deadline is over, or when the provider
/// asked for a pause.
pub async fn wait(app: &App, client_id: Uuid, deadline: Instant, words: &Words) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let paused_until = store::client::limit::paused_until(&mut conn, client_id).await?;
    match paused_until.map(|until| until - app.now()) {
        Some(wait) if wait.is_positive() => {
            let why = paused(words, app.now() + wait);
            Err(Error::ProviderUnavailable { why, retry_after: Some(wait) })
        }
        _ if Instant::now() >= deadline => Err(Error::unavailable(words.full)),
        _ => {
            let (seconds, now) = (CALLERS.as_seconds_f64(), app.database_now());
            store::client::limit::call_for_room(&mut conn, client_id, seconds, now).await?;
            drop(conn);
            tokio::time::sleep(ROOM_LOOK).await;
            Ok(())
        }
    }
}

/// That nothing is asked of the provider before a moment.
pub fn paused(words: &Words, until: OffsetDateTime) -> String {
    format!("The provider asked for a pause until {}. {}", voice::exact(until), words.paused)
}

pub fn busy() -> Error {
    Error::unavailable(REFRESH.full)
}
