//! The history's partitions: each holds the attempts of a span of time, since their ids are UUIDv7.
//!
//! What no partition is for goes to the default one. Changes wait for locks only for a moment, because
//! everybody who reads or writes an attempt would wait behind them.

use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::server::store::{Error, Result};

/// Ids from `from` on, before `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub name: String,
    pub from: Uuid,
    pub until: Uuid,
}

/// Lets only one replica at a time change partitions, until the transaction ends; `false`: another does.
/// Locks are waited for a second at most.
pub async fn begin(conn: &mut PgConnection) -> Result<bool> {
    sqlx::query!("SET LOCAL lock_timeout = '1s'").execute(&mut *conn).await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtext('regrant attempts partitions')) AS "ours!""#
    )
    .fetch_one(conn)
    .await?)
}

/// Whether a lock could not be had within the time that [`begin`] gives.
pub fn is_busy(error: &Error) -> bool {
    match error {
        Error::Database(error) => {
            error.as_database_error().and_then(|refused| refused.code()).as_deref() == Some("55P03")
        }
        _ => false,
    }
}

/// All but the default one, the oldest first.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Partition>> {
    Ok(sqlx::query_as!(
        Partition,
        r#"SELECT name AS "name!", coalesce(substring(bound FROM $$FROM \('([0-9a-f-]+)'\)$$)::uuid, $1) AS "from!",
                  substring(bound FROM $$TO \('([0-9a-f-]+)'\)$$)::uuid AS "until!"
           FROM (SELECT c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
                 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'attempts'::regclass) p
           WHERE bound <> 'DEFAULT' ORDER BY 3"#,
        Uuid::nil()
    )
    .fetch_all(conn)
    .await?)
}

/// Adds a partition; what the default one holds of it moves there. Its name is ours, not anybody's input.
pub async fn add(conn: &mut PgConnection, partition: &Partition) -> Result<()> {
    let Partition { name, from, until } = partition;
    // Every attempt is changed once, soon after it came: room for that beside it, and old versions swept up
    // before they are many.
    let sql = format!(
        "CREATE TABLE {name} (LIKE attempts INCLUDING DEFAULTS)
         WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1,
               autovacuum_analyze_scale_factor = 0.05);
         LOCK TABLE attempts_default IN ACCESS EXCLUSIVE MODE;
         WITH moved AS (DELETE FROM attempts_default WHERE id >= '{from}' AND id < '{until}' RETURNING *)
         INSERT INTO {name} SELECT * FROM moved;
         ALTER TABLE attempts ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{until}')"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Drops a partition and all that it holds.
pub async fn remove(conn: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {name}"))).execute(conn).await?;
    Ok(())
}

/// Deletes some of what is older from the default partition; how much.
pub async fn delete_strays(conn: &mut PgConnection, before: Uuid, limit: i64) -> Result<u64> {
    Ok(sqlx::query!(
        "DELETE FROM attempts_default
         WHERE ctid = ANY (ARRAY (SELECT ctid FROM attempts_default WHERE id < $1 LIMIT $2))",
        before,
        limit
    )
    .execute(conn)
    .await?
    .rows_affected())
}
