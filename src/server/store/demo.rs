//! Sample data: whole rows, many in a statement, and emptying the tables again.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Result;
use crate::domain::{
    attempt::{Trigger, Verdict},
    connection::{GrantType, Reason, StateName},
    refusal::ErrorClass,
};

/// Empties the tables. Data keys stay, so that nothing is opened with the wrong one.
pub async fn clear(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "TRUNCATE users, setup_tokens, sessions, notes, login_failures, api_keys, providers, clients, scopes_asked,
                  connections, connection_search, token_sets, token_readers, attempts, relinks, flows,
                  device_codes, imports, audit, jobs, job_items, saved_filters, client_windows,
                  attempt_windows, suspects, incidents, account_questions, account_rounds"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts the attempts that ended from `since` on, as if they had been counted when they did.
pub async fn count_attempts(
    conn: &mut PgConnection,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO attempt_windows (began_at, verdict, replica, attempts)
         SELECT date_bin(make_interval(secs => $4), finished_at, timestamptz '1970-01-01 00:00+00'), verdict,
                'sample', count(*)
         FROM attempts
         WHERE id >= $3 AND finished_at >= $1 AND finished_at <= $2 AND verdict IS NOT NULL
         GROUP BY 1, 2
         ON CONFLICT (began_at, verdict, replica) DO UPDATE SET attempts = excluded.attempts",
        since,
        now,
        super::attempt::first_id(since - Duration::HOUR),
        super::attempt_window::WINDOW.as_seconds_f64()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets the next query be planned by what is there now.
pub async fn analyze(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("ANALYZE connections, connection_search, token_sets, attempts, audit")
        .execute(conn)
        .await?;
    Ok(())
}

/// A connection's row, without a lease. Its scopes are its client's.
pub struct ConnectionRow {
    pub id: Uuid,
    pub client_id: Uuid,
    pub label: String,
    pub external_id: Option<String>,
    pub tags: Vec<&'static str>,
    pub account_id: Option<String>,
    pub account_label: Option<String>,
    pub grant_type: GrantType,
    pub state: StateName,
    pub state_since: OffsetDateTime,
    pub reason: Option<Reason>,
    pub failures: i32,
    pub doubtful_attempt_id: Option<Uuid>,
    pub last_error: Option<serde_json::Value>,
    pub generation: i64,
    pub has_refresh_token: bool,
    pub consented_at: Option<OffsetDateTime>,
    pub obtained_at: Option<OffsetDateTime>,
    pub access_expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// One field of many rows, as `unnest` takes it.
macro_rules! column {
    ($rows:expr, $row:ident => $value:expr) => {
        &$rows.iter().map(|$row| $value).collect::<Vec<_>>()
    };
}

pub async fn insert_connections(conn: &mut PgConnection, rows: &[ConnectionRow]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO connections (id, client_id, label, external_id, tags, account_id, account_label, grant_type,
                                  state, state_since, reason, failures, doubtful_attempt_id, last_error,
                                  generation, scopes_requested, scopes_granted, scopes_consented, has_refresh_token,
                                  consented_at, obtained_at, access_expires_at, refresh_expires_at,
                                  needs_human_by, due_at, created_at, updated_at)
         SELECT n.id, n.client_id, n.label, n.external_id, string_to_array(n.tags, ' '), n.account_id,
                n.account_label, n.grant_type, n.state, n.state_since, n.reason, n.failures,
                n.doubtful_attempt_id, n.last_error, n.generation, c.scopes, c.scopes, c.scopes, n.has_refresh_token,
                n.consented_at, n.obtained_at, n.access_expires_at, n.refresh_expires_at,
                n.needs_human_by, n.due_at, n.created_at, n.updated_at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::timestamptz[], $11::text[], $12::integer[], $13::uuid[],
                     $14::jsonb[], $15::bigint[], $16::boolean[], $17::timestamptz[], $18::timestamptz[],
                     $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::timestamptz[],
                     $23::timestamptz[], $24::timestamptz[])
              AS n (id, client_id, label, external_id, tags, account_id, account_label, grant_type, state,
                    state_since, reason, failures, doubtful_attempt_id, last_error, generation,
                    has_refresh_token, consented_at, obtained_at, access_expires_at, refresh_expires_at,
                    needs_human_by, due_at, created_at, updated_at)
         JOIN clients c ON c.id = n.client_id",
        column!(rows, row => row.id),
        column!(rows, row => row.client_id),
        column!(rows, row => row.label.as_str()) as &[&str],
        column!(rows, row => row.external_id.as_deref()) as &[Option<&str>],
        column!(rows, row => row.tags.join(" ")),
        column!(rows, row => row.account_id.as_deref()) as &[Option<&str>],
        column!(rows, row => row.account_label.as_deref()) as &[Option<&str>],
        column!(rows, row => row.grant_type.as_str()) as &[&str],
        column!(rows, row => row.state.as_str()) as &[&str],
        column!(rows, row => row.state_since),
        column!(rows, row => row.reason.map(Reason::as_str)) as &[Option<&str>],
        column!(rows, row => row.failures),
        column!(rows, row => row.doubtful_attempt_id) as &[Option<Uuid>],
        column!(rows, row => row.last_error.as_ref()) as &[Option<&serde_json::Value>],
        column!(rows, row => row.generation),
        column!(rows, row => row.has_refresh_token),
        column!(rows, row => row.consented_at) as &[Option<OffsetDateTime>],
        column!(rows, row => row.obtained_at) as &[Option<OffsetDateTime>],
        column!(rows, row => row.access_expires_at) as &[Option<OffsetDateTime>],
        column!(rows, row => row.refresh_expires_at) as &[Option<OffsetDateTime>],
        column!(rows, row => row.needs_human_by) as &[Option<OffsetDateTime>],
        column!(rows, row => row.due_at) as &[Option<OffsetDateTime>],
        column!(rows, row => row.created_at),
        column!(rows, row => row.updated_at)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An attempt's row.
pub struct AttemptRow {
    pub id: Uuid,
    pub connection_id: Uuid,
    pub client_id: Uuid,
    pub lease_id: Uuid,
    pub trigger: Trigger,
    pub actor: &'static str,
    pub started_at: OffsetDateTime,
    pub finished_at: OffsetDateTime,
    pub verdict: Verdict,
    pub error_class: Option<ErrorClass>,
    pub status: Option<i32>,
    pub error_code: Option<&'static str>,
    pub error_description: Option<&'static str>,
    pub generation_before: i64,
    pub generation_after: Option<i64>,
    pub fingerprint_before: String,
    pub fingerprint_after: Option<String>,
    pub replica: &'static str,
}

pub async fn insert_attempts(conn: &mut PgConnection, rows: &[&AttemptRow]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO attempts (id, connection_id, client_id, lease_id, trigger, actor, started_at, finished_at,
                               verdict, error_class, status, error_code, error_description,
                               generation_before, generation_after, fingerprint_before, fingerprint_after,
                               replica)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[],
                              $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[],
                              $11::integer[], $12::text[], $13::text[], $14::bigint[], $15::bigint[],
                              $16::text[], $17::text[], $18::text[])",
        column!(rows, row => row.id),
        column!(rows, row => row.connection_id),
        column!(rows, row => row.client_id),
        column!(rows, row => row.lease_id),
        column!(rows, row => row.trigger.as_str()) as &[&str],
        column!(rows, row => row.actor) as &[&str],
        column!(rows, row => row.started_at),
        column!(rows, row => row.finished_at),
        column!(rows, row => row.verdict.as_str()) as &[&str],
        column!(rows, row => row.error_class.map(ErrorClass::as_str)) as &[Option<&str>],
        column!(rows, row => row.status) as &[Option<i32>],
        column!(rows, row => row.error_code) as &[Option<&str>],
        column!(rows, row => row.error_description) as &[Option<&str>],
        column!(rows, row => row.generation_before),
        column!(rows, row => row.generation_after) as &[Option<i64>],
        column!(rows, row => row.fingerprint_before.as_str()) as &[&str],
        column!(rows, row => row.fingerprint_after.as_deref()) as &[Option<&str>],
        column!(rows, row => row.replica) as &[&str]
    )
    .execute(conn)
    .await?;
    Ok(())
}
