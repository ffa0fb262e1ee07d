//! Asking a provider whether it accepts a client's credentials, before the first consent or refresh
//! shows it. Its answer changes nothing here, and nothing there that a connection lives by (see
//! `provider::check`).

use serde_json::json;
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::{Actor, App, Caller, Error, Result, audit, audit::Subject};
use crate::{
    domain::{
        access::Permission,
        check::{CredentialCheck, Doubt, Heard, Inquiry, Way},
        problem::Obstacle,
    },
    server::{app::refresh::turn, provider::check, secret::token, store},
};

/// So long is waited for the client's limits to leave room for the questions.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks by each way that the profile has, until one is answered clearly.
pub async fn run(app: &App, actor: &Actor, id: Uuid) -> Result<CredentialCheck> {
    actor.require(Permission::ClientsWrite)?;
    let mut conn = app.pool().acquire().await?;
    let client = super::load(&mut conn, id).await?;
    let scopes = client.scopes.clone();
    let caller = Caller::of(app, &mut conn, client, scopes, None).await?;
    drop(conn);
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
    let deadline = Instant::now() + PATIENCE;
    let turn = || turn::take(app, client.id, profile, deadline);
    let mut inquiry = Inquiry::default();
    for way in Way::of(profile, registration.client_secret.is_some()) {
        if way == Way::ClientCredentials && client.connections > 0 {
            inquiry.doubt(Doubt::InUse, None);
            continue;
        }
        turn().await?;
        let (heard, said) = check::ask(app.http(), &registration, way, &made_up()).await;
        match heard {
            // Nobody gives a token to whoever asks.
            Heard::Accepted if way == Way::ClientCredentials => {
                inquiry.accept(way);
                break;
            }
            Heard::Accepted => {
                let other = made_up();
                let disguised = check::disguise(registration, way, &other);
                turn().await?;
                match check::ask(app.http(), &disguised, way, &made_up()).await {
                    (Heard::Accepted, _) => inquiry.doubt(Doubt::Indifferent, None),
                    (Heard::Unanswered, said) => {
                        inquiry.doubt(Doubt::Unanswered, said);
                        break;
                    }
                    _ => {
                        inquiry.accept(way);
                        break;
                    }
                }
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
