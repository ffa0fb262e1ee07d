//! The audit log.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Result, first_id};
use crate::domain::{
    audit::{AuditEntry, AuditFilter},
    lineage::Consent,
};

pub async fn insert(conn: &mut PgConnection, entry: &AuditEntry) -> Result<()> {
    sqlx::query!(
        "INSERT INTO audit (id, at, actor_kind, actor_id, actor_label, action, subject_id, subject_label, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        entry.id,
        entry.at,
        entry.actor_kind,
        entry.actor_id,
        entry.actor_label,
        entry.action,
        entry.subject_id,
        entry.subject_label,
        entry.detail
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Many at once.
pub async fn insert_many(conn: &mut PgConnection, entries: &[AuditEntry]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO audit (id, at, actor_kind, actor_id, actor_label, action, subject_id, subject_label, detail)
         SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::text[],
                              $7::text[], $8::text[], $9::jsonb[])",
        &column(entries, |entry| entry.id),
        &column(entries, |entry| entry.at),
        &column(entries, |entry| entry.actor_kind.as_str()) as &[&str],
        &column(entries, |entry| entry.actor_id) as &[Option<Uuid>],
        &column(entries, |entry| entry.actor_label.as_str()) as &[&str],
        &column(entries, |entry| entry.action.as_str()) as &[&str],
        &column(entries, |entry| entry.subject_id.as_deref()) as &[Option<&str>],
        &column(entries, |entry| entry.subject_label.as_str()) as &[&str],
        &column(entries, |entry| &entry.detail) as &[&serde_json::Value]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One value of each entry.
fn column<'a, T>(entries: &'a [AuditEntry], value: impl Fn(&'a AuditEntry) -> T) -> Vec<T> {
    entries.iter().map(value).collect()
}

/// The newest first, from before `after` on. What is about relinks is also what was done by one ([`about_relinks`]): not
/// by whoever made it, though the label names them.
///
/// Ids begin with their moment, so a stretch of time is one of ids, which the key has in order.
pub async fn list(
    conn: &mut PgConnection,
    filter: &AuditFilter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    if matches!(filter.action.as_deref(), Some("relink" | "relink.")) {
        return about_relinks(conn, filter, after, limit).await;
    }
    // An id has its moment by the millisecond.
    let end = filter.before.map(|before| first_id(before + Duration::milliseconds(1)));
    Ok(sqlx::query_as!(
        AuditEntry,
        "SELECT id, at, actor_kind, actor_id, actor_label, action, subject_id, subject_label, detail
         FROM audit
         WHERE ($1::text IS NULL OR starts_with(action, $1))
           AND ($2::text IS NULL OR subject_id = $2)
           AND ($3::text IS NULL OR position(lower($3) IN CASE actor_kind
                WHEN 'relink' THEN 'the customer' ELSE lower(actor_label) END) > 0)
           AND ($4::uuid IS NULL OR id < $4)
           AND ($6::uuid IS NULL OR id >= $6)
           AND ($7::uuid IS NULL OR id < $7)
           AND ($8::timestamptz IS NULL OR at >= $8)
           AND ($9::timestamptz IS NULL OR at < $9)
         ORDER BY id DESC LIMIT $5",
        filter.action,
        filter.subject,
        filter.actor,
        after,
        limit,
        filter.from.map(first_id),
        end,
        filter.from,
        filter.before
    )
    .fetch_all(conn)
    .await?)
}

/// What was done to relinks and by them: each by its own index, since none leads to both.
async fn about_relinks(
    conn: &mut PgConnection,
    filter: &AuditFilter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let end = filter.before.map(|before| first_id(before + Duration::milliseconds(1)));
    let before = after.into_iter().chain(end).min();
    Ok(sqlx::query_as!(
        AuditEntry,
        "SELECT id, at, actor_kind, actor_id, actor_label, action, subject_id, subject_label, detail
         FROM audit
         WHERE id = ANY (ARRAY (
             SELECT legs.id FROM (
                 (SELECT id FROM audit
                  WHERE actor_kind = 'relink'
                    AND ($1::text IS NULL OR subject_id = $1)
                    AND ($2::text IS NULL OR position(lower($2) IN 'the customer') > 0)
                    AND ($3::uuid IS NULL OR id < $3)
                    AND ($4::uuid IS NULL OR id >= $4)
                    AND ($5::timestamptz IS NULL OR at >= $5)
                    AND ($6::timestamptz IS NULL OR at < $6)
                  ORDER BY id DESC LIMIT $7)
                 UNION ALL
                 (SELECT id FROM audit
                  WHERE starts_with(action, 'relink') AND actor_kind <> 'relink'
                    AND ($1::text IS NULL OR subject_id = $1)
                    AND ($2::text IS NULL OR position(lower($2) IN lower(actor_label)) > 0)
                    AND ($3::uuid IS NULL OR id < $3)
                    AND ($4::uuid IS NULL OR id >= $4)
                    AND ($5::timestamptz IS NULL OR at >= $5)
                    AND ($6::timestamptz IS NULL OR at < $6)
                  ORDER BY id DESC LIMIT $7)) legs))
         ORDER BY id DESC LIMIT $7",
        filter.subject,
        filter.actor,
        before,
        filter.from.map(first_id),
        filter.from,
        filter.before,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// What was done to one thing, the newest first: asked by itself, so that no plan for other filters serves
/// it.
pub async fn of_subject(
    conn: &mut PgConnection,
    subject_id: &str,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    Ok(sqlx::query_as!(
        AuditEntry,
        "SELECT id, at, actor_kind, actor_id, actor_label, action, subject_id, subject_label, detail
         FROM audit WHERE subject_id = $1 ORDER BY id DESC LIMIT $2",
        subject_id,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// The newest consents that brought a connection tokens, and the import that it began with.
pub async fn consents(
    conn: &mut PgConnection,
    connection_id: Uuid,
    limit: i64,
) -> Result<Vec<Consent>> {
    Ok(sqlx::query_as!(
        Consent,
        r#"SELECT coalesce((detail->>'generation')::bigint, 1) AS "generation!", at,
                  actor_kind = 'relink' AS "by_relink!", action = 'connection.import' AS "by_import!",
                  NULL AS "fingerprint?: String"
           FROM audit
           WHERE subject_id = $1
             AND (action IN ('connection.connected', 'connection.reauthorized') AND detail ? 'generation'
                  OR action = 'connection.import')
           ORDER BY id DESC LIMIT $2"#,
        connection_id.to_string(),
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// What an action was done to that is told of with this in its detail, from a moment on.
pub async fn find_subject(
    conn: &mut PgConnection,
    action: &str,
    detail: &serde_json::Value,
    from: OffsetDateTime,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT subject_id AS "subject_id!" FROM audit
           WHERE action = $1 AND detail @> $2 AND id >= $3 AND subject_id IS NOT NULL LIMIT 1"#,
        action,
        detail,
        first_id(from)
    )
    .fetch_optional(conn)
    .await?)
}
