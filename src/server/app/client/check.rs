//! Asking a provider whether it accepts a client's credentials, before the first consent or refresh
//! shows it. Its answer changes nothing here, and nothing there that a connection lives by (see
//! `provider::check`).

use serde_json::json;
use tokio::time::{Duration, Instant, timeout_at};
use uuid::Uuid;

use super::{Actor, App, Caller, Error, Result, audit, audit::Subject};
use crate::{
    domain::{
        access::Permission,
        check::{CredentialCheck, Doubt, Heard, Inquiry, Way},
        problem::Obstacle,
    },
    server::{
        app::refresh::turn,
        provider::{
            Registration,
            check::{self, Answer},
        },
        secret::token,
        store,
    },
};

/// So long it takes at most: somebody waits for it, and so do proxies in between.
const DEADLINE: Duration = Duration::from_secs(25);
/// So much of it is left to the last answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Asks by each way that the profile has, until one is answered clearly. It comes to its end, even if
/// whoever asked goes away: what was sent under the client's name is on record, and so is what came of it.
pub async fn run(app: &App, actor: &Actor, id: Uuid) -> Result<CredentialCheck> {
    actor.require(Permission::ClientsWrite)?;
    let (running, actor) = (app.clone(), actor.clone());
    app.finish(async move { check(&running, &actor, id).await }).await
}

async fn check(app: &App, actor: &Actor, id: Uuid) -> Result<CredentialCheck> {
    let mut tx = app.begin().await?;
    let client = super::load(&mut tx, id).await?;
    let scopes = client.scopes.clone();
    let caller = Caller::of(app, &mut tx, client, scopes, None).await?;
    let subject = Subject::new(id, &caller.client.name);
    audit::record(app, &mut tx, actor, "client.begin_check", subject, json!({})).await?;
    tx.commit().await?;
    let inquiry = inquire(app, &caller).await?;
    let found = inquiry.end(caller.registration().client_secret.is_some(), app.now());
    let mut tx = app.begin().await?;
    let now = store::client::find_for_share(&mut tx, id).await?.ok_or(Error::NotFound("client"))?;
    if now.secret_generation != caller.secret_generation
        || now.oauth_client_id != caller.client.oauth_client_id
        || now.variables != caller.client.variables
    {
        return Err(Error::conflict(
            Obstacle::Changed,
            "The client was changed while its provider was asked. Check again.",
        ));
    }
    let subject = Subject::new(id, &now.name);
    let detail = json!({ "finding": found.finding, "way": found.way, "doubt": found.doubt });
    audit::record(app, &mut tx, actor, "client.check", subject, detail).await?;
    tx.commit().await?;
    Ok(found)
}

async fn inquire(app: &App, caller: &Caller) -> Result<Inquiry> {
    let registration = caller.registration();
    let made_up = || token::make(app.rng(), "");
    let (client, profile) = (&caller.client, &caller.profile);
    let fills_in = profile.connection_variables(&client.variables).next().is_some();
    let deadline = Instant::now() + DEADLINE;
    let mut inquiry = Inquiry::default();
    let mut was_asked = false;
    for way in Way::of(profile, registration.client_secret.is_some()) {
        let Answer { heard, said, .. } = match ask(app, caller, registration, way, deadline).await?
        {
            Asked::Answered(answer) => answer,
            Asked::InUse => {
                inquiry.doubt(Doubt::InUse, None);
                continue;
            }
            Asked::NoTurn(_) if was_asked => {
                inquiry.doubt(Doubt::NoTurn, None);
                break;
            }
            Asked::NoTurn(why) => return Err(why),
        };
        was_asked |= !matches!(heard, Heard::Unsent | Heard::Nowhere);
        match heard {
            // Nobody gives a token to whoever asks.
            Heard::Accepted if way == Way::ClientCredentials => {
                inquiry.accept(way);
                break;
            }
            Heard::Accepted => {
                let other = made_up();
                let disguised = check::disguise(registration, way, &other);
                match ask(app, caller, disguised, way, deadline).await? {
                    Asked::Answered(Answer { heard: Heard::Accepted, .. }) => {
                        inquiry.doubt(Doubt::Indifferent, None);
                        continue;
                    }
                    Asked::Answered(Answer { heard: Heard::Unanswered, said, .. }) => {
                        inquiry.doubt(Doubt::Unanswered, said);
                    }
                    Asked::NoTurn(_) => inquiry.doubt(Doubt::NoTurn, None),
                    Asked::Answered(_) | Asked::InUse => inquiry.accept(way),
                }
                break;
            }
            Heard::Refused => inquiry.refuse(way, said),
            Heard::Unclear => inquiry.doubt(Doubt::Unclear, said),
            Heard::Unanswered => {
                inquiry.doubt(Doubt::Unanswered, said);
                break;
            }
            Heard::Unsent if fills_in => inquiry.doubt(Doubt::PerConnection, None),
            Heard::Unsent => inquiry.doubt(Doubt::Unsent, said),
            Heard::Nowhere => {}
        }
    }
    Ok(inquiry)
}

/// What became of one question.
enum Asked {
    Answered(Answer),
    /// It might end what connections live by.
    InUse,
    /// The client's limits left no turn for it in time.
    NoTurn(Error),
}

/// Asks once, within the client's limits.
async fn ask(
    app: &App,
    caller: &Caller,
    registration: Registration<'_>,
    way: Way,
    deadline: Instant,
) -> Result<Asked> {
    if is_dangerous(app, caller, way).await? {
        return Ok(Asked::InUse);
    }
    let turn = turn::take(app, caller.client.id, &caller.profile, deadline - ANSWER).await;
    let question = match turn {
        Err(why @ Error::ProviderUnavailable { .. }) => return Ok(Asked::NoTurn(why)),
        taken => taken?,
    };
    // Somebody may have connected while we waited.
    if is_dangerous(app, caller, way).await? {
        question.answered(app, None).await?;
        return Ok(Asked::InUse);
    }
    let made_up = token::make(app.rng(), "");
    let asked = check::ask(app.http(), &registration, way, &made_up);
    let answer = timeout_at(deadline, asked).await.unwrap_or_else(|_| Answer::none());
    question.answered(app, answer.pause).await?;
    Ok(Asked::Answered(answer))
}

/// Whether a server that keeps one token for each client would end what connections live by: of this
/// registration, or of another one of the same client: a preset is copied under another slug too.
async fn is_dangerous(app: &App, caller: &Caller, way: Way) -> Result<bool> {
    if way != Way::ClientCredentials {
        return Ok(false);
    }
    let mut conn = app.pool().acquire().await?;
    Ok(store::client::is_lived_by(&mut conn, &caller.client.oauth_client_id).await?)
}
