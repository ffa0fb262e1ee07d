//! What stands as few do is listed by index: its cost is what it is, and not what is stored beside it.

use std::collections::BTreeSet;

use sqlx::{PgConnection, PgPool};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::connection::{ConnectionFilter, Sort, Standing},
    server::store::connection::list,
    tests::support::World,
};

const TWENTY_THOUSAND_MORE: &str = "
    INSERT INTO connections (id, client_id, grant_type, state, state_since, due_at, created_at, updated_at)
    SELECT gen_random_uuid(), client_id, grant_type, state, state_since, due_at, created_at, updated_at
    FROM connections, generate_series(1, 20000)
    WHERE client_id = (SELECT id FROM clients WHERE name = 'Client on')";

/// How many rows of connections this transaction has read, whether an index led to them or not.
async fn read(conn: &mut PgConnection) -> i64 {
    let sql = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
               WHERE relname = 'connections'";
    sqlx::query_scalar(sql).fetch_one(conn).await.expect("what was read")
}

#[sqlx::test]
async fn what_is_rare_is_found_without_a_look_at_the_rest(pool: PgPool) {
    let world = World::new(pool).await;
    let mut ones = Vec::new();
    for name in ["on", "off", "waits", "refused"] {
        let client = world.client(name, |_| {}).await;
        ones.push(world.import(client).await);
    }
    world.execute(TWENTY_THOUSAND_MORE).await;
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 20_004);
    for sql in [
        "UPDATE clients SET state = 'disabled' WHERE name = 'Client off'",
        "UPDATE clients SET state = 'incident' WHERE name = 'Client refused'",
        "UPDATE clients SET paused_until = timestamptz '2027-01-01 00:00+00' WHERE name = 'Client waits'",
        "UPDATE connections SET state = 'retrying', failures = 1
         WHERE id IN (SELECT max(id::text)::uuid FROM connections WHERE state = 'active')",
        "UPDATE connections SET state = 'in_doubt', doubtful_attempt_id = gen_random_uuid()
         WHERE id IN (SELECT max(id::text)::uuid FROM connections WHERE state = 'active')",
        "UPDATE connections SET paused_at = now()
         WHERE id IN (SELECT max(id::text)::uuid FROM connections WHERE state = 'active')",
        "ANALYZE",
    ] {
        world.execute(sql).await;
    }
    let now = world.now() + Duration::hours(1);
    for (standing, few) in [
        (Standing::Paused, 3),
        (Standing::Retrying, 2),
        (Standing::NeedsPerson, 0),
        (Standing::Pending, 0),
        (Standing::Disconnected, 0),
    ] {
        let filter = ConnectionFilter { standing: Some(standing), ..ConnectionFilter::default() };
        for sort in Sort::ALL {
            let mut tx = world.pool.begin().await.unwrap();
            list::plan_by_values(&mut tx).await.unwrap();
            let before = read(&mut tx).await;
            let found = list::count(&mut tx, &filter, None, now).await.unwrap();
            let page = list::page(&mut tx, &found, sort, None, 50).await.unwrap();
            let rows = read(&mut tx).await - before;
            assert!(rows < 40, "{rows} rows are read for what is {standing:?} by {sort:?}");
            assert_eq!(found.count, Some(few), "{standing:?}");
            assert!(page.iter().all(|one| one.standing(now) == standing), "{standing:?}");
            let ids: BTreeSet<Uuid> = page.iter().map(|one| one.id).collect();
            assert_eq!(i64::try_from(ids.len()).unwrap(), few, "{standing:?} by {sort:?}");
            for (one, stands) in ones.iter().zip([false, true, true, false]) {
                assert_eq!(ids.contains(one), stands && standing == Standing::Paused);
            }
        }
    }
}
