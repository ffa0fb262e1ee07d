//! From the rows of a file to batches that can be stored: checked, dated and sealed. It is work for
//! the processor, so it has a thread of its own.

use std::{
    collections::{BTreeSet, HashSet},
    hash::{BuildHasher, RandomState},
    io::{self, Read},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::mpsc;

use super::{
    Job,
    rows::{self, Format, Row},
    shape,
};
use crate::{
    domain::{
        connection::GrantType,
        import::{RowPlace, RowProblem},
        provider::Profile,
    },
    server::{
        app::{
            Error, Result,
            connection::{fields, make},
            grant,
        },
        provider::{profile::Fillable, token, unread},
        store::connection::bulk::Imported,
    },
};

/// So many rows are stored in one transaction, and less if they are long.
const ROWS: usize = 500;
const BYTES: u64 = 4 * 1024 * 1024;

/// A row with its place in the file.
pub(super) type Placed = (RowPlace, Imported);

/// Rows that are stored together.
#[derive(Default)]
pub(super) struct Batch {
    pub rows: Vec<Placed>,
    pub problems: Vec<RowProblem>,
    begins_at: u64,
    /// Where in the file it ends.
    pub ends_at: u64,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.rows.len() + self.problems.len() >= ROWS || self.ends_at - self.begins_at >= BYTES
    }
}

/// How the reading of a file ended.
pub(super) enum End {
    Whole,
    /// Too soon, and why.
    Broken(String),
    /// Before its first row: it holds none, or nothing that is meant for us. Why.
    Nothing(String),
}

/// Reads `stream` to its end, or until nobody takes batches any more.
pub(super) fn all(
    job: &Job,
    format: Format,
    stream: impl Read,
    batches: &mpsc::Sender<Batch>,
) -> End {
    let fillable = Fillable::new(&job.caller.profile, &job.caller.client.variables);
    let mut seen = Seen::default();
    let mut batch = Batch::default();
    let fields = fields(&job.caller.profile);
    let mut begun = false;
    let end = rows::read(stream, format, &fields, |row, at| {
        begun = true;
        match row.and_then(|row| prepare(job, &fillable, row)).and_then(|row| seen.take(row)) {
            Ok(row) => batch.rows.push(row),
            Err(problem) => batch.problems.push(problem),
        }
        batch.ends_at = at;
        if !batch.is_full() {
            return true;
        }
        let next = Batch { begins_at: at, ends_at: at, ..Batch::default() };
        batches.blocking_send(std::mem::replace(&mut batch, next)).is_ok()
    });
    // What came whole before the stream broke is stored too.
    if batch.ends_at > batch.begins_at {
        _ = batches.blocking_send(batch);
    }
    match end {
        Ok(()) if begun => End::Whole,
        Ok(()) => End::Nothing(format!("it holds no row; expected is {}", shape::expected(format))),
        Err(error) if !begun && error.kind() == io::ErrorKind::InvalidData => {
            End::Nothing(error.to_string())
        }
        Err(error) => End::Broken(error.to_string()),
    }
}

/// The fields of a token response that the profile reads, as columns of a table: those at its top.
fn fields(profile: &Profile) -> BTreeSet<String> {
    let response = &profile.response;
    let lists = [
        &response.access_token,
        &response.refresh_token,
        &response.id_token,
        &response.token_type,
        &response.scope,
    ];
    let expiries = response.expiry.iter().chain(&response.refresh_expiry);
    let accounts = response.account.id.iter().chain(&response.account.label);
    lists
        .into_iter()
        .flatten()
        .chain(expiries.map(|source| &source.pointer))
        .chain(response.extras.iter().map(|extra| &extra.pointer))
        .chain(accounts.map(|source| &source.pointer))
        .filter_map(|pointer| pointer.strip_prefix('/'))
        .filter(|name| !name.contains(['/', '~']))
        .map(str::to_owned)
        .collect()
}

/// What stood in the file before: a few bytes of each row.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    external_ids: HashSet<u64>,
    tokens: HashSet<u64>,
}

impl Seen {
    fn take(&mut self, (at, row): Placed) -> std::result::Result<Placed, RowProblem> {
        let external_id = row.external_id.as_ref().map(|id| self.hasher.hash_one(id));
        let token = row.set.fingerprint.as_ref().map(|print| self.hasher.hash_one(print));
        let twice = if external_id.is_some_and(|id| self.external_ids.contains(&id)) {
            Some(("external_id", "stands in this file twice"))
        } else if token.is_some_and(|token| self.tokens.contains(&token)) {
            Some(("token_response", "its refresh token stands in this file twice"))
        } else {
            None
        };
        if let Some((field, message)) = twice {
            return Err(RowProblem::new(at, field, message).of(row.external_id.as_deref()));
        }
        self.external_ids.extend(external_id);
        self.tokens.extend(token);
        Ok((at, row))
    }
}

/// A row as it will be stored.
fn prepare(
    job: &Job,
    fillable: &Fillable<'_>,
    row: Row,
) -> std::result::Result<Placed, RowProblem> {
    let at = row.at;
    let external_id = row.external_id.clone();
    check(job, fillable, row).map(|row| (at, row)).map_err(|error| {
        let (field, message) = match error {
            Error::Invalid(fields) => match fields.into_iter().next() {
                Some(first) => (first.field, first.message),
                None => (String::new(), "is not valid".into()),
            },
            other => (String::new(), other.problem().message),
        };
        RowProblem::new(at, &field, &message).of(external_id.as_deref())
    })
}

fn check(job: &Job, fillable: &Fillable<'_>, row: Row) -> Result<Imported> {
    let Job { app, caller, .. } = job;
    let own = fields::filled(&row.variables);
    fillable.check(&own, true)?;
    let variables = caller.filled(&own);
    let registration = caller.registration_for(&caller.scopes, &variables);
    let label = fields::check_label(&row.label)?;
    let external_id = fields::check_external_id(row.external_id.as_deref())?;
    let tags = fields::check_tags(&row.tags)?;
    let obtained_at = obtained_at(row.obtained_at.as_deref(), app.now())?;
    let given = token::import(&registration, &row.token_response, obtained_at)
        .map_err(|refusal| Error::invalid("token_response", make::reading(&refusal)))?;
    let mut unreadable =
        token::unreadable_expiries(&registration, &row.token_response, obtained_at);
    if let Some(at) = unreadable.next() {
        return Err(Error::invalid("token_response", make::unreadable_expiry(at)));
    }
    if let Some(at) = token::over_for_good(&registration, &row.token_response, &given, obtained_at)
    {
        return Err(Error::invalid("token_response", make::over_for_good(at)));
    }
    let before = grant::Before {
        grant_type: GrantType::Import,
        has_refresh_token: false,
        obtained_at: None,
        refresh_expires_at: None,
        consented_at: Some(obtained_at),
    };
    let dates = grant::dates(app, &caller.profile, &before, &given);
    let expires = dates.clock.access_expires_at.is_some();
    if let Some(name) = unread::first(&row.token_response, &given, expires) {
        return Err(Error::invalid("token_response", make::unread(&name)));
    }
    let id = app.new_id();
    let set = grant::seal(app, id, 1, &given, None, &grant::Extras::new())?;
    Ok(Imported {
        id,
        label,
        external_id,
        tags,
        variables: own,
        account_id: given.account.as_ref().map(|account| account.id.clone()),
        account_label: given.account.and_then(|account| account.label),
        scopes_requested: fields::check_scopes(
            row.scopes.unwrap_or_else(|| caller.scopes.clone()),
        )?,
        scopes_granted: given.scopes,
        has_refresh_token: set.sealed_refresh_token.is_some(),
        obtained_at,
        access_expires_at: dates.clock.access_expires_at,
        refresh_expires_at: dates.clock.refresh_expires_at,
        needs_human_by: dates.needs_human_by,
        due_at: dates.due_at,
        set,
    })
}

fn obtained_at(text: Option<&str>, now: OffsetDateTime) -> Result<OffsetDateTime> {
    let Some(text) = text else { return Ok(now) };
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| Error::invalid("obtained_at", "is not a time like 2026-01-31T12:00:00Z"))?;
    fields::check_obtained_at(at, now)
}
