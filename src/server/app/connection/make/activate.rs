//! The next generation of a connection, from a grant that did not come by refreshing.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        attempt::Verdict,
        connection::{Connection, GrantType},
    },
    server::{
        app::{App, Error, Result, client::Caller, connection::arrival, grant, keys},
        provider::Grant,
        secret::seal,
        store,
    },
};

/// Gives a connection its next generation from a grant that did not come by refreshing. `false`:
/// the generation has moved.
pub(in crate::server::app::connection) async fn activate(
    app: &App,
    conn: &mut PgConnection,
    connection: &Connection,
    caller: &Caller,
    given: &Grant,
    consented_at: Option<OffsetDateTime>,
) -> Result<bool> {
    let kept = kept_refresh_token(app, conn, connection, given).await?;
    let before = grant::Before {
        grant_type: connection.grant_type,
        has_refresh_token: kept.is_some(),
        obtained_at: kept.as_ref().and(connection.obtained_at),
        refresh_expires_at: kept.as_ref().and(connection.refresh_expires_at),
        consented_at,
    };
    let dates = grant::dates(app, &caller.profile, &before, given);
    let generation = connection.generation + 1;
    let none = grant::Extras::new();
    let set = grant::seal(app, connection.id, generation, given, kept.as_ref(), &none)?;
    // A holder that died left its attempt open, and nobody has looked since.
    let lost_attempt_id = match &kept {
        Some(_) => {
            let (id, before) = (connection.id, connection.generation);
            let client = [connection.client_id];
            let abandoned =
                store::attempt::abandon(conn, &client, &[id], Uuid::nil(), Uuid::nil(), app.now())
                    .await?;
            if !abandoned.is_empty() {
                let count = i64::try_from(abandoned.len()).unwrap_or(i64::MAX);
                let ended = [(Verdict::InDoubt, count)];
                store::attempt_window::add(conn, &ended, app.replica(), app.now()).await?;
            }
            abandoned
                .into_iter()
                .filter(|attempt| attempt.generation_before == before)
                .map(|attempt| attempt.id)
                .max()
        }
        None => None,
    };
    let facts = store::connection::make::TokenFacts {
        generation,
        scopes_granted: given.scopes.as_deref(),
        has_refresh_token: set.sealed_refresh_token.is_some(),
        keeps_refresh_token: kept.is_some(),
        lost_attempt_id,
        obtained_at: given.obtained_at,
        access_expires_at: dates.clock.access_expires_at,
        refresh_expires_at: dates.clock.refresh_expires_at,
        needs_human_by: dates.needs_human_by,
        due_at: dates.due_at,
        consented_at,
        account_id: given.account.as_ref().map(|account| account.id.as_str()),
        account_label: given.account.as_ref().and_then(|account| account.label.as_deref()),
    };
    if !store::connection::make::activate(conn, connection.id, &facts, app.now()).await? {
        return Ok(false);
    }
    store::token_set::replace(conn, &[&set]).await?;
    let is_somebodys = connection.grant_type != GrantType::ClientCredentials;
    if is_somebodys && connection.account_id.is_none() && arrival::is_nameless(given, caller) {
        let (client, ask_at) = (connection.client_id, app.now() + arrival::NAMED_WITHIN);
        store::account_question::insert(conn, client, &[connection.id], ask_at).await?;
    }
    Ok(true)
}

/// Some providers give a refresh token only at the first consent; the one we hold goes on then,
/// unless it is known to be dead.
async fn kept_refresh_token(
    app: &App,
    conn: &mut PgConnection,
    connection: &Connection,
    given: &Grant,
) -> Result<Option<secrecy::SecretString>> {
    use crate::domain::connection::State;
    if given.refresh_token.is_some()
        || matches!(connection.state, State::NeedsReauth { .. } | State::Disconnected)
    {
        return Ok(None);
    }
    let (id, generation) = (connection.id, connection.generation);
    let set = store::token_set::find(conn, id, generation).await?;
    let Some(sealed) = set.and_then(|set| set.sealed_refresh_token) else { return Ok(None) };
    let place = grant::refresh_place(id, generation);
    match keys::open_text(app, conn, place, &sealed).await {
        // Nobody can use it any more, and what came need not be lost for that.
        Err(Error::Internal(error)) if error.is::<seal::Error>() => {
            let error = format!("{error:#}");
            tracing::error!(connection = %id, error, "the refresh token that is held is lost");
            Ok(None)
        }
        opened => opened.map(Some),
    }
}
