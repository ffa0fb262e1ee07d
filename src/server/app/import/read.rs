//! From the rows of a file to batches that can be stored: checked, dated and sealed. It is work for
//! the processor, so it has a thread of its own.

use std::{
    collections::{BTreeSet, HashSet},
    hash::{BuildHasher, RandomState},
    io::{self, Read},
};

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::mpsc;

use super::{
    Job,
    rows::{self, Format, Misfit, Row},
    shape::{self, Fields},
};
use crate::{
    domain::{
        connection::GrantType,
        import::{RowPlace, RowProblem},
        problem::FieldProblem,
        provider::{IdentityOrigin, Profile},
        voice,
    },
    server::{
        app::{
            App, Error, Result,
            connection::{fields, make},
            explain::is_within,
            grant,
        },
        provider::{Grant, Registration, profile::Fillable, token, unread},
        store::connection::bulk::Imported,
    },
};

/// So many rows are stored in one transaction, and less if they are long.
const ROWS: usize = 500;
const BYTES: u64 = 4 * 1024 * 1024;

/// A row with its place in the file.
pub(super) type Placed = (RowPlace, Imported);

/// A row, else all that is wrong with it.
type Checked<T> = std::result::Result<T, Vec<RowProblem>>;

/// Rows that are stored together.
#[derive(Default)]
pub(super) struct Batch {
    pub rows: Vec<Placed>,
    /// How many rows have `problems`, of which a row may have several.
    pub failed: i64,
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
        let row = match row {
            Ok(row) => prepare(job, &fillable, &fields, row),
            Err(misfit) => Err(all_wrong(job, &fillable, &fields, misfit)),
        };
        match row.and_then(|row| seen.take(job, row)) {
            Ok(row) => batch.rows.push(row),
            Err(problems) => {
                batch.failed += 1;
                batch.problems.extend(problems);
            }
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

/// The fields of a token response that the profile reads, as columns of a table: those at its top. Where an account
/// is read elsewhere, its name in the file is a claim of whoever wrote that.
fn fields(profile: &Profile) -> Fields {
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
    let (own, elsewhere): (Vec<_>, Vec<_>) =
        accounts.partition(|source| source.from == IdentityOrigin::Response);
    let at_top = |pointer: &String| {
        let name = pointer.strip_prefix('/')?;
        (!name.contains(['/', '~'])).then(|| name.to_owned())
    };
    let read: BTreeSet<String> = lists
        .into_iter()
        .flatten()
        .chain(expiries.map(|source| &source.pointer))
        .chain(response.extras.iter().map(|extra| &extra.pointer))
        .chain(own.into_iter().map(|source| &source.pointer))
        .filter_map(at_top)
        .collect();
    let claims = elsewhere
        .into_iter()
        .filter(|source| source.from != IdentityOrigin::Variable)
        .filter_map(|source| at_top(&source.pointer))
        .filter(|name| !read.contains(name))
        .collect();
    Fields { read, claims }
}

/// Whether a token response names an account by one of these, which nobody but the provider is believed.
fn claims_account(response: &Value, fields: &Fields) -> bool {
    let is_said = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        other => other.is_number(),
    };
    fields.claims.iter().any(|name| response.get(name).is_some_and(is_said))
}

/// What stood in the file before: a few bytes of each row.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    external_ids: HashSet<u64>,
    tokens: HashSet<u64>,
}

impl Seen {
    fn take(&mut self, job: &Job, (at, row): Placed) -> Checked<Placed> {
        let external_id = row.external_id.as_ref().map(|id| self.hasher.hash_one(id));
        let token = row.set.fingerprint.as_ref().map(|print| self.hasher.hash_one(print));
        let mut twice = Vec::new();
        if external_id.is_some_and(|id| self.external_ids.contains(&id)) {
            twice.push(("external_id", "stands in this file twice"));
        }
        if token.is_some_and(|token| self.tokens.contains(&token)) {
            twice.push((
                job.refresh_field(at),
                "holds a refresh token that stands in this file twice",
            ));
        }
        if !twice.is_empty() {
            let told =
                |(field, why)| RowProblem::new(at, field, why).of(row.external_id.as_deref());
            return Err(twice.into_iter().map(told).collect());
        }
        self.external_ids.extend(external_id);
        self.tokens.extend(token);
        Ok((at, row))
    }
}

/// All that is wrong with a row of which something has another form than it must have.
fn all_wrong(
    job: &Job,
    fillable: &Fillable<'_>,
    fields: &Fields,
    misfit: Misfit,
) -> Vec<RowProblem> {
    let Misfit { mut problems, rest } = misfit;
    if let Some(Err(more)) = rest.map(|row| prepare(job, fillable, fields, *row)) {
        let told: Vec<String> = problems.iter().map(|problem| problem.field.clone()).collect();
        let is_told = |problem: &RowProblem| told.iter().any(|at| is_within(&problem.field, at));
        problems.extend(more.into_iter().filter(|problem| !is_told(problem)));
    }
    problems
}

/// A row as it will be stored, else all that is wrong with it.
fn prepare(job: &Job, fillable: &Fillable<'_>, fields: &Fields, row: Row) -> Checked<Placed> {
    let checked = check(job, fillable, fields, &row).map_err(|wrong| {
        let told = |wrong: FieldProblem| {
            RowProblem::new(row.at, &wrong.field, &wrong.message).of(row.external_id.as_deref())
        };
        wrong.into_iter().map(told).collect::<Vec<_>>()
    });
    Ok((row.at, checked?))
}

/// What is wrong with a row.
#[derive(Default)]
struct Wrong(Vec<FieldProblem>);

impl Wrong {
    /// Takes what is well, and keeps what is wrong for the end.
    fn sift<T>(&mut self, checked: Result<T>) -> Option<T> {
        match checked {
            Ok(well) => return Some(well),
            Err(Error::Invalid(fields)) => self.0.extend(fields),
            Err(other) => self.0.push(FieldProblem::new("", other.problem().message)),
        }
        None
    }
}

fn check(
    job: &Job,
    fillable: &Fillable<'_>,
    read: &Fields,
    row: &Row,
) -> std::result::Result<Imported, Vec<FieldProblem>> {
    let Job { app, caller, .. } = job;
    let mut wrong = Wrong::default();
    let own = fields::filled(&row.variables);
    let filled = wrong.sift(fillable.check(&own, true).map_err(Error::from));
    let label = wrong.sift(fields::check_label(&row.label));
    let external_id = wrong.sift(fields::check_external_id(row.external_id.as_deref()));
    let tags = wrong.sift(fields::check_tags(&row.tags));
    let scopes = row.scopes.clone().unwrap_or_else(|| caller.scopes.clone());
    let scopes = wrong.sift(fields::check_scopes(scopes));
    let said_at = wrong.sift(obtained_at(row.obtained_at.as_deref(), app.now()));
    let obtained_at = said_at.unwrap_or_else(|| app.now());
    // Where the tokens stand may depend on what is filled in.
    let granted = filled.and_then(|()| {
        let variables = caller.filled(&own);
        let registration = caller.registration_for(&caller.scopes, &variables);
        wrong.sift(granted(app, &registration, row, obtained_at))
    });
    let (Some(label), Some(external_id), Some(tags), Some(scopes), Some(_), Some((given, dates))) =
        (label, external_id, tags, scopes, said_at, granted)
    else {
        return Err(wrong.0);
    };
    let id = app.new_id();
    let set = wrong.sift(grant::seal(app, id, 1, &given, None, &grant::Extras::new()));
    let set = set.ok_or(wrong.0)?;
    let is_unverified = given.account.is_none() && claims_account(&row.token_response, read);
    Ok(Imported {
        id,
        is_unverified,
        label,
        external_id,
        tags,
        variables: own,
        account_id: given.account.as_ref().map(|account| account.id.clone()),
        account_label: given.account.and_then(|account| account.label),
        scopes_requested: scopes,
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

/// What a row's token response gives, and when that ends; else all that is wrong with it, in the words of the
/// file.
fn granted(
    app: &App,
    registration: &Registration<'_>,
    row: &Row,
    obtained_at: OffsetDateTime,
) -> Result<(Grant, grant::Dates)> {
    let (at, response, profile) = (row.at, &row.token_response, registration.profile);
    let expiry = |pointer: &str, odd: &str| match at.in_columns {
        true => FieldProblem::new(at.field(pointer), odd),
        false => FieldProblem::new(at.field(pointer), make::expiry(pointer, odd)),
    };
    let mut wrong: Vec<_> = token::unreadable_expiries(registration, response, obtained_at)
        .map(|source| expiry(&source.pointer, voice::expiry_wanted(source.form)))
        .collect();
    let given = match token::import(registration, response, obtained_at) {
        Ok(given) => given,
        Err(refusal) => {
            let field = profile.response.access_token.first().map_or("", |first| at.field(first));
            let why = match at.in_columns && !token::is_given(profile, response) {
                true => voice::ACCESS_TOKEN_WANTED.to_owned(),
                false => make::reading(&refusal),
            };
            wrong.insert(0, FieldProblem::new(field, why));
            return Err(Error::Invalid(wrong));
        }
    };
    if let Some(pointer) = token::over_for_good(registration, response, &given, obtained_at) {
        wrong.push(expiry(pointer, voice::ZERO_EXPIRY));
    }
    let before = grant::Before {
        grant_type: GrantType::Import,
        has_refresh_token: false,
        obtained_at: None,
        refresh_expires_at: None,
        consented_at: Some(obtained_at),
    };
    let dates = grant::dates(app, profile, &before, &given);
    let expires = dates.clock.access_expires_at.is_some() || !wrong.is_empty();
    if let Some(name) = unread::first(response, &given, expires) {
        wrong.push(FieldProblem::new("token_response", make::unread(&name)));
    }
    if wrong.is_empty() { Ok((given, dates)) } else { Err(Error::Invalid(wrong)) }
}

fn obtained_at(text: Option<&str>, now: OffsetDateTime) -> Result<OffsetDateTime> {
    let Some(text) = text else { return Ok(now) };
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| Error::invalid("obtained_at", "is not a time like 2026-01-31T12:00:00Z"))?;
    fields::check_obtained_at(at, now)
}
