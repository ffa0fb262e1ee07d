//! What stands as few do is listed by index: its cost is what it is, and not what is stored beside it.

use std::collections::BTreeSet;

use sqlx::{PgConnection, PgPool};
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::connection::{Connection, ConnectionFilter, End, Sort, Standing, State, StateName},
    server::store::connection::list,
    tests::support::World,
};

const TWENTY_THOUSAND_MORE: &str = "
    INSERT INTO connections (id, client_id, grant_type, state, state_since, due_at, created_at, updated_at)
    SELECT gen_random_uuid(), client_id, grant_type, state, state_since, due_at, created_at, updated_at
    FROM connections, generate_series(1, 20000)
    WHERE client_id = (SELECT id FROM clients WHERE name = 'Client on')";

/// How many rows of connections, and of what is searched of them, this transaction has read, whether an index led
/// to them or not.
async fn read(conn: &mut PgConnection) -> i64 {
    let sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
               WHERE relname IN ('connections', 'connection_search')";
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

/// A page of a house where much is dead, and how many rows of connections and of what is searched are read for it.
async fn page_of(world: &World, filter: &ConnectionFilter, sort: Sort) -> (Vec<Connection>, i64) {
    let mut tx = world.pool.begin().await.unwrap();
    list::plan_by_values(&mut tx).await.unwrap();
    let found = list::count(&mut tx, filter, None, world.now()).await.unwrap();
    assert_eq!(found.count, None, "more than is counted");
    let before = read(&mut tx).await;
    let page = list::page(&mut tx, &found, sort, None, 50).await.unwrap();
    let rows = read(&mut tx).await - before;
    assert_eq!(page.len(), 50);
    (page, rows)
}

/// The times of the dead are behind them, so they are the first in these orders.
#[sqlx::test]
async fn the_dead_are_passed_over_by_index_when_the_living_are_listed(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("on", |_| {}).await;
    world.import(client).await;
    world.execute(TWENTY_THOUSAND_MORE).await;
    world
        .execute(
            "UPDATE connections
             SET state = 'needs_reauth', reason = 'revoked', needs_human_by = state_since - interval '1 day',
                 access_expires_at = state_since - interval '1 day', refresh_expires_at = state_since, due_at = NULL
             WHERE id IN (SELECT id FROM connections ORDER BY right(id::text, 12) LIMIT 9000)",
        )
        .await;
    world.execute("ANALYZE").await;
    for sort in [Sort::NeedsHumanBy, Sort::Expires, Sort::RefreshExpires] {
        for filter in [
            ConnectionFilter { state: Some(StateName::Active), ..Default::default() },
            ConnectionFilter { standing: Some(Standing::Alive), ..Default::default() },
        ] {
            let (page, rows) = page_of(&world, &filter, sort).await;
            assert!(rows < 200, "{rows} rows are read by {sort:?}");
            assert!(page.iter().all(|one| one.state == State::Active));
        }
    }
    // Page by page, what has such a time and then what has none, each once.
    for sort in [Sort::NeedsHumanBy, Sort::RefreshExpires] {
        let mut tx = world.pool.begin().await.unwrap();
        let all = ConnectionFilter::default();
        let found = list::count(&mut tx, &all, None, world.now()).await.unwrap();
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = list::page(&mut tx, &found, sort, after.as_ref(), 997).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(list::after(last, sort));
            keys.extend(page.iter().map(|one| {
                let key = list::after(one, sort);
                (key.at.is_none(), key.at, key.id)
            }));
        }
        assert_eq!(keys.len(), 20_001);
        assert!(keys.is_sorted_by(|one, other| one < other), "{sort:?}");
        assert_eq!([keys[8_999].0, keys[9_000].0], [false, true]);
    }
    // Where such a time is asked for, what has none is not looked through for more.
    let before = Some(world.now() + Duration::days(1));
    for (sort, filter) in [
        (
            Sort::NeedsHumanBy,
            ConnectionFilter { needs_human_before: before, ..ConnectionFilter::default() },
        ),
        (
            Sort::RefreshExpires,
            ConnectionFilter { refresh_expires_before: before, ..ConnectionFilter::default() },
        ),
    ] {
        let mut tx = world.pool.begin().await.unwrap();
        list::plan_by_values(&mut tx).await.unwrap();
        let found = list::count(&mut tx, &filter, None, world.now()).await.unwrap();
        assert_eq!(found.count, None, "more than is counted");
        let most = list::page(&mut tx, &found, sort, None, 8_990).await.unwrap();
        let after = list::after(most.last().unwrap(), sort);
        let before = read(&mut tx).await;
        let rest = list::page(&mut tx, &found, sort, Some(&after), 50).await.unwrap();
        let rows = read(&mut tx).await - before;
        assert_eq!(rest.len(), 10, "{sort:?}");
        assert!(rows < 100, "{rows} rows are read for the last page by {sort:?}");
    }
}

/// Most of a house is gone: what is active is found without a look at it, whether it is due or never will be.
#[sqlx::test]
async fn the_few_that_are_active_are_found_without_a_look_at_the_gone(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("on", |_| {}).await;
    world.import(client).await;
    world.execute(TWENTY_THOUSAND_MORE).await;
    for sql in [
        "UPDATE connections SET needs_human_by = NULL",
        "UPDATE connections SET state = 'disconnected', due_at = NULL
         WHERE id NOT IN (SELECT id FROM connections ORDER BY id LIMIT 8)",
        "UPDATE connections SET due_at = NULL
         WHERE id IN (SELECT id FROM connections WHERE state = 'active' ORDER BY id LIMIT 4)",
        "VACUUM ANALYZE connections",
    ] {
        world.execute(sql).await;
    }
    for filter in [
        ConnectionFilter { state: Some(StateName::Active), ..Default::default() },
        ConnectionFilter { standing: Some(Standing::Alive), ..Default::default() },
    ] {
        for sort in Sort::ALL {
            let mut tx = world.pool.begin().await.unwrap();
            list::plan_by_values(&mut tx).await.unwrap();
            let before = read(&mut tx).await;
            let found = list::count(&mut tx, &filter, None, world.now()).await.unwrap();
            let page = list::page(&mut tx, &found, sort, None, 50).await.unwrap();
            let rows = read(&mut tx).await - before;
            assert!(rows < 60, "{rows} rows are read by {sort:?}");
            assert_eq!((found.count, page.len()), (Some(8), 8));
            assert!(page.iter().all(|one| one.state == State::Active));
        }
    }
}

/// Nothing renews a few of a house; the rest is renewed, is gone, or has an end that is known.
#[sqlx::test]
async fn what_may_be_over_unseen_is_found_without_a_look_at_the_rest(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("on", |_| {}).await;
    world.import(client).await;
    world.execute(TWENTY_THOUSAND_MORE).await;
    world.execute("ANALYZE").await;
    let unseen = ConnectionFilter { end: Some(End::Unknown), ..ConnectionFilter::default() };
    for sort in Sort::ALL {
        let (page, rows) = page_of(&world, &unseen, sort).await;
        assert!(rows < 200, "{rows} rows are read by {sort:?}");
        assert!(page.iter().all(Connection::may_end_unseen));
    }
    for sql in [
        "UPDATE connections SET has_refresh_token = true WHERE right(id::text, 1) < '8'",
        "UPDATE connections SET state = 'disconnected', due_at = NULL
         WHERE right(id::text, 1) BETWEEN '8' AND '9'",
        "UPDATE connections SET access_expires_at = now() WHERE right(id::text, 1) > '9'",
        "UPDATE connections SET state = 'active', has_refresh_token = false, access_expires_at = NULL
         WHERE id IN (SELECT id FROM connections ORDER BY id LIMIT 5)",
        "VACUUM ANALYZE connections",
    ] {
        world.execute(sql).await;
    }
    for standing in [None, Some(Standing::Alive)] {
        let filter = ConnectionFilter { standing, ..unseen.clone() };
        for sort in Sort::ALL {
            let mut tx = world.pool.begin().await.unwrap();
            list::plan_by_values(&mut tx).await.unwrap();
            let before = read(&mut tx).await;
            let found = list::count(&mut tx, &filter, None, world.now()).await.unwrap();
            let page = list::page(&mut tx, &found, sort, None, 50).await.unwrap();
            let rows = read(&mut tx).await - before;
            assert!(rows < 60, "{rows} rows are read by {sort:?}");
            assert_eq!((found.count, page.len()), (Some(5), 5));
            assert!(page.iter().all(Connection::may_end_unseen));
        }
    }
}

/// What many hold is looked for in the rows that are walked along, and not beside them once more.
#[sqlx::test]
async fn a_common_text_is_found_in_the_rows_themselves(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("on", |_| {}).await;
    world.import(client).await;
    world.execute(TWENTY_THOUSAND_MORE).await;
    // Every fifth, in no order; the text is in one place or another.
    for (column, place) in
        [("label", 0), ("account_label", 1), ("account_id", 2), ("external_id", 3)]
    {
        let text = format!(
            "UPDATE connections SET {column} = left(md5(id::text), 12) || ' Harbour'
             WHERE ('x' || left(md5(id::text), 7))::bit(28)::int % 20 = {place}"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&world.pool).await.unwrap();
    }
    world.execute("UPDATE connections SET label = md5(id::text) WHERE label = ''").await;
    world.execute("ANALYZE").await;
    let text = |q: &str| ConnectionFilter { q: Some(q.into()), ..Default::default() };
    for sort in Sort::ALL {
        let (page, rows) = page_of(&world, &text("harbOUR"), sort).await;
        assert!(rows < 700, "{rows} rows are read by {sort:?}");
        let holds = |text: Option<&str>| text.is_some_and(|text| text.contains("Harbour"));
        for one in &page {
            let texts = [
                one.account_label.as_deref(),
                one.account_id.as_deref(),
                one.external_id.as_deref(),
            ];
            assert!(holds(Some(&one.label)) || texts.into_iter().any(holds), "{one:?}");
        }
    }
    // The beginning of a word, the first of a text among them.
    let (page, _) = page_of(&world, &text("ha"), Sort::Label).await;
    let begins = |text: Option<&str>| text.is_some_and(|text| format!(" {text}").contains(" Ha"));
    assert!(page.iter().all(|one| {
        begins(Some(&one.label))
            || [&one.account_label, &one.account_id, &one.external_id]
                .into_iter()
                .any(|text| begins(text.as_deref()))
    }));
}
