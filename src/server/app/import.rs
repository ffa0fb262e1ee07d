//! Bringing many connections over from elsewhere.
//!
//! A file is read as it comes and stored in batches, each whole or not at all. What breaks off can be
//! sent again: rows whose external id is there are skipped.

mod rows;

use std::collections::HashSet;

use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{io::AsyncRead, sync::mpsc};
use tokio_util::io::SyncIoBridge;
use uuid::Uuid;

pub use rows::Format;
use rows::{Parsed, Row};

use super::{
    Actor, App, Error, Result,
    audit::{self, Subject},
    client::{self, Caller},
    connection::make,
    grant,
};
use crate::{
    domain::{
        access::Permission,
        connection::GrantType,
        import::{Import, PROBLEMS_KEPT, RowProblem},
    },
    server::{
        provider::{profile::Fillable, token},
        store::{self, connection::bulk, connection::bulk::Imported, import::Progress},
    },
};

/// So many rows are stored in one transaction.
const BATCH: usize = 500;
/// So many batches are read ahead.
const AHEAD: usize = 2;

/// Imports what `stream` holds for a client. In a dry run rows are read and checked and nothing is
/// stored. It runs to its end even if the caller goes away; the stream ends then, and so does it.
pub async fn run(
    app: &App,
    actor: &Actor,
    client_id: Uuid,
    format: Format,
    dry_run: bool,
    stream: impl AsyncRead + Send + Unpin + 'static,
) -> Result<Import> {
    actor.require(Permission::ConnectionsWrite)?;
    let mut conn = app.pool().acquire().await?;
    let scopes = client::load(&mut conn, client_id).await?.scopes;
    let caller = Caller::load(app, &mut conn, client_id, scopes).await?;
    let id = app.new_id();
    store::import::insert(&mut conn, id, client_id, dry_run, app.now()).await?;
    drop(conn);
    let job = Job { app: app.clone(), actor: actor.clone(), caller, id, dry_run };
    app.finish(async move {
        let ended = job.take_all(format, stream).await;
        job.end(ended).await
    })
    .await
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<Import> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    store::import::find(&mut conn, id).await?.ok_or(Error::NotFound("import"))
}

/// The newest first, without their problems.
pub async fn list(app: &App, actor: &Actor, client_id: Uuid) -> Result<Vec<Import>> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    client::load(&mut conn, client_id).await?;
    Ok(store::import::list(&mut conn, client_id).await?)
}

struct Job {
    app: App,
    actor: Actor,
    caller: Caller,
    id: Uuid,
    dry_run: bool,
}

impl Job {
    /// Reads and stores everything. `Ok(Some)`: why it broke off.
    async fn take_all(
        &self,
        format: Format,
        stream: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Option<String>> {
        let (sender, mut batches) = mpsc::channel::<Vec<Parsed>>(AHEAD);
        let stream = SyncIoBridge::new(stream);
        let reader = tokio::task::spawn_blocking(move || {
            let mut batch = Vec::new();
            let end = rows::read(stream, format, |row| {
                batch.push(row);
                batch.len() < BATCH || sender.blocking_send(std::mem::take(&mut batch)).is_ok()
            });
            // What came whole before the stream broke is stored too.
            _ = sender.blocking_send(batch);
            end.err().map(|error| error.to_string())
        });
        let (mut seen, mut problems) = (HashSet::new(), 0);
        let fillable = Fillable::new(&self.caller.profile, &self.caller.client.variables);
        while let Some(batch) = batches.recv().await {
            if self.app.stopping().is_cancelled() {
                return Ok(Some("Regrant was stopped".into()));
            }
            self.store(&fillable, batch, &mut seen, &mut problems).await?;
        }
        reader.await.map_err(|error| Error::Internal(error.into()))
    }

    async fn store(
        &self,
        fillable: &Fillable<'_>,
        batch: Vec<Parsed>,
        seen: &mut HashSet<String>,
        problems: &mut usize,
    ) -> Result<()> {
        let mut progress = Progress::default();
        let mut fail = |problem: RowProblem| {
            progress.failed += 1;
            if *problems < PROBLEMS_KEPT {
                *problems += 1;
                progress.problems.push(problem);
            }
        };
        let mut ready = Vec::new();
        for row in batch {
            match row.and_then(|row| self.prepare(fillable, row)) {
                Ok(row) => ready.push(row),
                Err(problem) => fail(problem),
            }
        }
        let mut tx = self.app.begin().await?;
        let external_ids: Vec<String> =
            ready.iter().filter_map(|(_, row)| row.external_id.clone()).collect();
        let client_id = self.caller.client.id;
        let known: HashSet<String> = bulk::known_external_ids(&mut tx, client_id, &external_ids)
            .await?
            .into_iter()
            .collect();
        let before = ready.len();
        ready.retain(|(_, row)| row.external_id.as_ref().is_none_or(|id| !known.contains(id)));
        let mut skipped = before - ready.len();

        let prints: Vec<String> =
            ready.iter().filter_map(|(_, row)| row.set.fingerprint.clone()).collect();
        let homes: HashSet<String> =
            store::token_set::find_homes(&mut tx, &prints).await?.into_iter().collect();
        let mut rows = Vec::with_capacity(ready.len());
        for (number, row) in ready {
            let twice = |field: &str, message: &str| RowProblem {
                row: number,
                external_id: row.external_id.clone(),
                field: field.into(),
                message: message.into(),
            };
            if row.external_id.as_ref().is_some_and(|id| !seen.insert(format!("id:{id}"))) {
                fail(twice("external_id", "stands in this file twice"));
            } else if let Some(print) = &row.set.fingerprint
                && (homes.contains(print) || !seen.insert(format!("token:{print}")))
            {
                fail(twice("token_response", "its refresh token belongs to a connection already"));
            } else {
                rows.push(row);
            }
        }
        progress.imported = count(rows.len());
        if !self.dry_run && !rows.is_empty() {
            let now = self.app.now();
            let stored: HashSet<Uuid> =
                bulk::insert_imported(&mut tx, client_id, &rows, now).await?.into_iter().collect();
            let sets: Vec<_> =
                rows.iter().filter(|row| stored.contains(&row.id)).map(|row| &row.set).collect();
            store::token_set::insert_many(&mut tx, &sets).await?;
            progress.imported = count(sets.len());
            skipped += rows.len() - sets.len();
            let name = &self.caller.client.name;
            let detail = json!({ "import": self.id, "connections": sets.len() });
            let subject = Subject::new(client_id, name);
            audit::record(
                &self.app,
                &mut tx,
                &self.actor,
                "connection.import_many",
                subject,
                detail,
            )
            .await?;
        }
        progress.skipped = count(skipped);
        store::import::add(&mut tx, self.id, &progress).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A row as it will be stored.
    fn prepare(
        &self,
        fillable: &Fillable<'_>,
        row: Row,
    ) -> std::result::Result<(i64, Imported), RowProblem> {
        let number = row.number;
        let external_id = row.external_id.clone();
        self.read(fillable, row).map(|row| (number, row)).map_err(|error| {
            let (field, message) = match error {
                Error::Invalid(fields) => match fields.into_iter().next() {
                    Some(first) => (first.field, first.message),
                    None => (String::new(), "is not valid".into()),
                },
                other => (String::new(), other.problem().message),
            };
            RowProblem { row: number, external_id, field, message }
        })
    }

    fn read(&self, fillable: &Fillable<'_>, row: Row) -> Result<Imported> {
        let app = &self.app;
        let own = make::filled(&row.variables);
        fillable.check(&own, true)?;
        let variables = self.caller.filled(&own);
        let registration = self.caller.registration_for(&self.caller.scopes, &variables);
        let label = make::check_label(&row.label)?;
        let external_id = make::check_external_id(row.external_id.as_deref())?;
        let tags = make::check_tags(&row.tags)?;
        let obtained_at = obtained_at(row.obtained_at.as_deref(), app.now())?;
        let given = token::import(&registration, &row.token_response, obtained_at)
            .map_err(|refusal| Error::invalid("token_response", make::reading(&refusal)))?;
        if let Some(at) = token::unreadable_expiry(&registration, &row.token_response, obtained_at)
        {
            return Err(Error::invalid(
                "token_response",
                format!("the expiry at {at} can't be read"),
            ));
        }
        let before = grant::Before {
            grant_type: GrantType::Import,
            has_refresh_token: false,
            obtained_at: None,
            refresh_expires_at: None,
            consented_at: Some(obtained_at),
        };
        let dates = grant::dates(app, &self.caller.profile, &before, &given);
        let id = app.new_id();
        let set = grant::seal(app, id, 1, &given, None)?;
        Ok(Imported {
            id,
            label,
            external_id,
            tags,
            variables: own,
            account_id: given.account.as_ref().map(|account| account.id.clone()),
            account_label: given.account.and_then(|account| account.label),
            scopes_requested: row.scopes.unwrap_or_else(|| self.caller.scopes.clone()),
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

    async fn end(&self, ended: Result<Option<String>>) -> Result<Import> {
        let broken = match &ended {
            Ok(why) => why.clone(),
            Err(error) => {
                tracing::error!(import = %self.id, error = format!("{error:#}"), "an import broke off");
                Some("something went wrong in Regrant; it was logged".into())
            }
        };
        let mut conn = self.app.pool().acquire().await?;
        store::import::end(&mut conn, self.id, broken.as_deref(), self.app.now()).await?;
        drop(conn);
        self.app.wake_worker();
        get(&self.app, &Actor::System, self.id).await
    }
}

fn obtained_at(text: Option<&str>, now: OffsetDateTime) -> Result<OffsetDateTime> {
    let Some(text) = text else { return Ok(now) };
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| Error::invalid("obtained_at", "is not a time like 2026-01-31T12:00:00Z"))?;
    if at > now + Duration::minutes(5) {
        return Err(Error::invalid("obtained_at", "lies in the future"));
    }
    Ok(at)
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
