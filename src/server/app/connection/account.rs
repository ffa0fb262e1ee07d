//! Whose connections are that came many at once, where only the provider's userinfo endpoint says it.
//!
//! Each client is asked about a few a second, one after the other, with what its limits leave over; no refresh
//! waits for that, and nothing waits for the answers. What is not told is asked for a few times more, each time
//! after a longer while, whatever the reason was; only a provider that says it can't answer has the others wait too.
//! An account that another connection of the client has already is noted all the same: they are two grants.

use futures::{StreamExt, stream};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{App, Result, grant};
use crate::{
    domain::{
        client::StateName,
        connection::{Connection, State},
    },
    server::{
        app::{client::Caller, refresh::turn},
        provider::{
            DEADLINE,
            account::{self, Answer},
        },
        store::{
            self,
            account_question::{Question, Round},
        },
    },
};

/// So many are asked about in one round of a client.
const ROUND: i64 = 5;
/// So many clients have their rounds at once.
const CLIENTS: usize = 4;
/// A client's turn that was not given back is over then: each of a round may take as long as a call.
const TURN: Duration = Duration::seconds(ROUND * DEADLINE.as_secs().cast_signed() + 30);
/// When a client that must not be asked for now is looked at again.
const NOT_READY: Duration = Duration::minutes(1);
const NEXT_ROUND: Duration = Duration::seconds(1);
/// When what was asked in vain is asked again. After that it is not.
const AGAIN: [Duration; 3] = [Duration::minutes(10), Duration::hours(3), Duration::days(1)];
/// What a provider that is not able to answer is left alone for, doubled each time.
const BUSY: Duration = Duration::minutes(1);
const BUSIEST: Duration = Duration::hours(1);
/// A token that ends sooner is not asked with.
const LEFT: Duration = Duration::seconds(5);
/// How long after its refresh a connection's turn comes.
const LATER: Duration = Duration::minutes(5);
/// When a connection that rests is looked at again. Whoever resumes it brings its turn forward; one that never is
/// may be gone by then.
const RESTS: Duration = Duration::days(30);
/// So many questions are dropped at once that no provider answers.
const DROPPED: i64 = 5000;

/// Asks about what is due; how many providers' answers that were.
pub async fn ask_due(app: &App) -> Result<usize> {
    let mut conn = app.pool().acquire().await?;
    let now = app.now();
    let limit = i64::try_from(CLIENTS).unwrap_or_default();
    let rounds = store::account_question::claim_rounds(&mut conn, now, now + TURN, limit).await?;
    drop(conn);
    let asked = stream::iter(rounds).map(|round| async move {
        let client = round.client_id;
        run(app, round).await.inspect_err(|error| {
            let error = format!("{error:#}");
            tracing::warn!(%client, error, "accounts could not be asked for");
        })
    });
    Ok(asked
        .buffer_unordered(CLIENTS)
        .filter_map(|asked| async { asked.ok() })
        .collect::<Vec<_>>()
        .await
        .iter()
        .sum())
}

/// What came of a question.
enum Came {
    Answer,
    /// Nothing had to be asked, or nobody is there to be asked.
    Nothing,
    /// The client has no turn to spare.
    NoRoom,
    Busy(Option<Duration>),
}

async fn run(app: &App, round: Round) -> Result<usize> {
    let Round { client_id, failures } = round;
    let mut conn = app.pool().acquire().await?;
    let caller = Caller::load(app, &mut conn, client_id, Vec::new()).await?;
    if !account::is_told_by_userinfo(&caller.profile) {
        store::account_question::delete_some(&mut conn, client_id, DROPPED).await?;
        return end(app, client_id, NEXT_ROUND, 0).await.map(|()| 0);
    }
    let paused = caller.client.paused_until.is_some_and(|until| until > app.now());
    if caller.client.state != StateName::Ready || paused {
        return end(app, client_id, NOT_READY, failures).await.map(|()| 0);
    }
    let questions = store::account_question::due(&mut conn, client_id, app.now(), ROUND).await?;
    drop(conn);
    let mut count = 0;
    for question in questions {
        let asked = ask(app, &caller, &question).await;
        let came = match asked {
            Ok(came) => came,
            // It is not to stand before the others for ever.
            Err(error) => {
                vain(app, &question, Duration::ZERO).await?;
                return Err(error);
            }
        };
        match came {
            Came::Answer => count += 1,
            Came::Nothing => {}
            Came::NoRoom => break,
            Came::Busy(wait) => {
                let doubled = BUSY * 2_i32.pow(failures.clamp(0, 6).cast_unsigned());
                let wait = doubled.min(BUSIEST).max(wait.unwrap_or_default());
                return end(app, client_id, wait, failures.saturating_add(1)).await.map(|()| count);
            }
        }
    }
    let failures = if count > 0 { 0 } else { failures };
    end(app, client_id, NEXT_ROUND, failures).await?;
    Ok(count)
}

async fn end(app: &App, client_id: Uuid, wait: Duration, failures: i32) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let next_at = app.now() + wait;
    Ok(store::account_question::end_round(&mut conn, client_id, next_at, failures).await?)
}

async fn ask(app: &App, caller: &Caller, question: &Question) -> Result<Came> {
    let mut conn = app.pool().acquire().await?;
    let id = question.connection_id;
    let found = store::connection::find(&mut conn, id).await?;
    let found = found.filter(|connection| connection.account_id.is_none());
    let connection = match found.map(|connection| (moment(&connection, app.now()), connection)) {
        Some((Moment::Now, connection)) => connection,
        Some((Moment::At(at), _)) => {
            store::account_question::postpone(&mut conn, question, at).await?;
            return Ok(Came::Nothing);
        }
        Some((Moment::Rests, _)) => {
            drop(conn);
            return rest(app, question).await.map(|()| Came::Nothing);
        }
        Some((Moment::Never, _)) | None => {
            store::account_question::delete(&mut conn, id).await?;
            return Ok(Came::Nothing);
        }
    };
    let open = grant::open(app, &mut conn, id, connection.generation).await?;
    let (Some(access_token), Some(obtained_at)) = (open.access, connection.obtained_at) else {
        let found = store::connection::find(&mut conn, id).await?;
        if found.is_some_and(|found| found.generation != connection.generation) {
            // It was refreshed between our two looks.
            store::account_question::postpone(&mut conn, question, app.now() + NEXT_ROUND).await?;
        } else {
            store::account_question::delete(&mut conn, id).await?;
        }
        return Ok(Came::Nothing);
    };
    drop(conn);
    let Some(turn) = turn::take_spare(app, connection.client_id, &caller.profile).await? else {
        return Ok(Came::NoRoom);
    };
    let variables = caller.filled(&connection.variables);
    let registration = caller.registration_for(&connection.scopes_requested, &variables);
    let answer = account::look_up(app.http(), &registration, &access_token).await;
    turn.answered(app).await?;
    match answer {
        Answer::Account(account) => {
            let mut tx = app.begin().await?;
            let (label, account) = (account.label.as_deref(), &account.id);
            // Else it is asked about again: with the next token, or not, if it has an account by now.
            if store::connection::name_account(&mut tx, id, obtained_at, account, label).await? {
                store::account_question::delete(&mut tx, id).await?;
            }
            tx.commit().await?;
            Ok(Came::Answer)
        }
        Answer::Silent => vain(app, question, Duration::ZERO).await.map(|()| Came::Answer),
        Answer::Unreached => vain(app, question, Duration::ZERO).await.map(|()| Came::Nothing),
        // Another one goes first then: it may be this one that it has no answer to.
        Answer::Busy(wait) => vain(app, question, BUSIEST).await.map(|()| Came::Busy(wait)),
    }
}

/// Has the question about a connection that rests wait, unless somebody resumes it at this moment.
async fn rest(app: &App, question: &Question) -> Result<()> {
    let mut tx = app.begin().await?;
    let found = store::connection::find_for_update(&mut tx, question.connection_id).await?;
    let rests = found.is_some_and(|connection| connection.paused_at.is_some());
    let ask_at = app.now() + if rests { RESTS } else { NEXT_ROUND };
    store::account_question::postpone(&mut tx, question, ask_at).await?;
    Ok(tx.commit().await?)
}

/// Has what was asked in vain wait, longer each time and at least so long, or go.
async fn vain(app: &App, question: &Question, at_least: Duration) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    let tries = usize::try_from(question.tries).unwrap_or_default();
    let Some(wait) = AGAIN.get(tries) else {
        return Ok(store::account_question::delete(&mut conn, question.connection_id).await?);
    };
    let again = Question { tries: question.tries.saturating_add(1), ..*question };
    Ok(store::account_question::postpone(&mut conn, &again, app.now() + at_least.max(*wait))
        .await?)
}

/// When a connection can be asked about.
#[derive(Debug, PartialEq)]
enum Moment {
    Now,
    At(OffsetDateTime),
    /// After somebody has resumed it.
    Rests,
    /// A person's consent names it, or nobody does.
    Never,
}

fn moment(connection: &Connection, now: OffsetDateTime) -> Moment {
    match connection.state {
        State::Active | State::Retrying { .. } | State::InDoubt { .. } => {}
        State::Pending | State::NeedsReauth { .. } | State::Disconnected => return Moment::Never,
    }
    if connection.paused_at.is_some() {
        return Moment::Rests;
    }
    if connection.access_expires_at.is_none_or(|at| at > now + LEFT) {
        return Moment::Now;
    }
    Moment::At(connection.due_at.unwrap_or(now).max(now) + LATER)
}
