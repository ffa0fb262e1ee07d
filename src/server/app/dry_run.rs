//! Trying a client's dialect without sending anything.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{Actor, App, Error, Result, client::Caller, connection::fields, grant};
use crate::{
    domain::{
        access::Permission,
        connection::GrantType,
        dry_run::{Answered, DryRun, GrantReading, Reading, RefusalReading, Sample},
        provider::Renewal,
    },
    server::provider::{
        dry_run::{self, Taken, Untaken},
        profile::Fillable,
    },
};

/// A sample is no longer than this, in bytes.
const SAMPLE_LIMIT: usize = 256 * 1024;

/// The requests that a client's connections would make, and what would be read out of `sample`.
/// `variables` are what one connection would fill in; a request that needs more says so. Nothing is
/// sent, and nothing of the sample is kept.
pub async fn run(
    app: &App,
    actor: &Actor,
    client_id: Uuid,
    variables: &BTreeMap<String, String>,
    sample: Option<Sample>,
) -> Result<DryRun> {
    actor.require(Permission::ClientsWrite)?;
    let mut conn = app.pool().acquire().await?;
    let mut caller = Caller::load(app, &mut conn, client_id, Vec::new()).await?;
    drop(conn);
    caller.scopes = caller.client.scopes.clone();
    let own = fields::filled(variables);
    Fillable::new(&caller.profile, &caller.client.variables).check(&own, false)?;
    let caller = caller.with_variables(own);
    let requests = dry_run::requests(&caller.registration(), app.now(), app.rng());
    let reading = sample.map(|sample| read(app, &caller, &sample)).transpose()?;
    Ok(DryRun { requests, reading })
}

fn read(app: &App, caller: &Caller, sample: &Sample) -> Result<Reading> {
    if sample.body.trim().is_empty() {
        return Err(Error::invalid("body", "must be filled in"));
    }
    if sample.body.len() > SAMPLE_LIMIT {
        return Err(Error::invalid(
            "body",
            "is too long: it must have at most 262144 bytes (256 KB)",
        ));
    }
    if sample.status.is_some_and(|status| !(100..=599).contains(&status)) {
        return Err(Error::invalid("status", "must be a status from 100 to 599"));
    }
    let read = dry_run::read(&caller.registration(), sample, app.now());
    Ok(match read {
        Ok(taken) => Reading::Grant(Box::new(grant_reading(app, caller, taken, sample.answers))),
        Err(Untaken { refusal, body_problem, unread }) => Reading::Refusal(RefusalReading {
            class: refusal.class,
            code: refusal.code,
            description: refusal.description,
            body_problem,
            unread_fields: unread,
        }),
    })
}

fn grant_reading(app: &App, caller: &Caller, taken: Taken, answers: Answered) -> GrantReading {
    let Taken { grant: given, id_token, unreadable, unread } = taken;
    let before = grant::Before {
        grant_type: match answers {
            Answered::ClientCredentials => GrantType::ClientCredentials,
            Answered::Exchange | Answered::Refresh => GrantType::AuthorizationCode,
        },
        has_refresh_token: answers == Answered::Refresh,
        obtained_at: None,
        refresh_expires_at: None,
        consented_at: Some(given.obtained_at),
    };
    let dates = grant::dates(app, &caller.profile, &before, &given);
    let renews = given.refresh_token.is_some()
        || before.has_refresh_token
        || caller.profile.renewal == Renewal::ClientCredentials;
    let is_open = |name: &str| {
        caller.profile.response.extras.iter().any(|extra| extra.name == name && !extra.encrypted)
    };
    let account = given.account.clone();
    GrantReading {
        access_token: masked(&given.access_token),
        refresh_token: given.refresh_token.as_ref().map(masked),
        token_type: given.token_type.clone(),
        scopes: given.scopes.clone(),
        access_expires_at: dates.clock.access_expires_at,
        refresh_expires_at: dates.clock.refresh_expires_at,
        // Without a refresh token that is when its end is noticed.
        due_at: dates.due_at.filter(|_| renews),
        needs_human_by: dates.needs_human_by,
        account_label: account.as_ref().and_then(|account| account.label.clone()),
        account_id: account.map(|account| account.id),
        id_token_problem: id_token.err().map(Into::into),
        unreadable_expiries: unreadable,
        unread_fields: unread,
        extras: given
            .extras
            .iter()
            .filter(|(name, _)| is_open(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    }
}

/// Enough of a token to know it by, if it is long, and how long it is.
fn masked(token: &SecretString) -> String {
    let text = token.expose_secret();
    let length = text.chars().count();
    let beginning: String =
        if length >= 24 { text.chars().take(4).collect() } else { String::new() };
    format!("{beginning}… ({length} characters)")
}
