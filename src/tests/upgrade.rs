//! A new version starts while replicas of the old one are at work.

use std::time::Duration;

use sqlx::PgPool;
use tokio::{task::yield_now, time::timeout};

use crate::server::start::MIGRATIONS;

/// The last migration before the connections got indexes that know their state.
const BEFORE: i64 = 20_261_126_002_000;

/// Somebody who has read the connections and then writes one, in one transaction, as an old replica does.
#[sqlx::test(migrations = false)]
async fn the_schema_changes_beside_transactions_that_read_and_then_write(pool: PgPool) {
    MIGRATIONS.run_to(BEFORE, &pool).await.unwrap();
    let mut replica = pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM connections").execute(&mut *replica).await.unwrap();
    let upgrading = {
        let pool = pool.clone();
        tokio::spawn(async move { MIGRATIONS.run(&pool).await })
    };
    let waits = "SELECT count(*) FROM pg_locks
                 WHERE NOT granted AND relation = 'connections'::regclass
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let until_it_waits = async {
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool).await.unwrap() == 0 {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), until_it_waits).await.expect("it waits for the reader");
    sqlx::query("UPDATE connections SET label = label").execute(&mut *replica).await.unwrap();
    replica.commit().await.unwrap();
    upgrading.await.unwrap().unwrap();
    let indexes = "SELECT count(*) FROM pg_indexes
                   WHERE tablename = 'connections' AND indexdef LIKE '%, id, state)%'
                     AND indexname IN ('connections_needs_human_by', 'connections_access_expires_at',
                                       'connections_refresh_expires_at')";
    assert_eq!(sqlx::query_scalar::<_, i64>(indexes).fetch_one(&pool).await.unwrap(), 3);
}
