//! What the first page tells: of the time ahead and behind, of what needs a person; and that it hears of
//! what changes.

use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgListener};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::support::World;
use crate::{
    domain::{
        access::{Role, Scope},
        client::{self, ClientPatch},
        connection::{ConnectionFilter, Reason, Standing, StateName},
        overview::{Ending, IN_TROUBLE, MANY, Overview, Scale},
        page::{Count, Paging},
        voice,
    },
    sandbox::{Fault, Rule},
    server::app::{
        self, Actor,
        demo::{Life, Plan},
    },
};

async fn look(world: &World, over: Scale) -> Overview {
    app::overview::get(&world.app, &Actor::System, over).await.expect("the overview")
}

/// How many a filter lets through, and when what is asked by `at` happens to them, in their order.
async fn listed(world: &World, filter: &ConnectionFilter) -> (i64, Vec<Uuid>) {
    let paging = Paging { cursor: None, limit: Some(200) };
    let list = app::connection::list(&world.app, &Actor::System, filter, &paging).await.unwrap();
    let Count::Exactly(count) = list.count else { panic!("{filter:?} lets too many through") };
    (count, list.page.items.into_iter().map(|one| one.id).collect())
}

#[sqlx::test]
async fn behind_each_bar_is_the_list_of_what_it_counts(pool: PgPool) {
    let world = World::new(pool).await;
    let clients = vec![world.client("one", |_| {}).await, world.client("two", |_| {}).await];
    let plan = Plan { clients, numbers: 0..300, attempts: 1, seed: 3, life: Life::Grown };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
    // Some on the very edges of a bar, some far ahead.
    world
        .execute(
            "UPDATE connections SET refresh_expires_at = timestamptz '2026-03-01 12:00+00' + right(id::text, 1)::int * interval '1 day',
                    needs_human_by = timestamptz '2026-03-01 00:00+00' + right(id::text, 1)::int * interval '1 month'
             WHERE right(id::text, 1) BETWEEN '0' AND '9' AND state = 'active'",
        )
        .await;
    for scale in Scale::ALL {
        let overview = look(&world, scale).await;
        assert_eq!(overview.expiries.first().map(|first| first.from), Some(overview.as_of));
        let mut seen = 0;
        for bucket in &overview.expiries {
            for ending in Ending::ALL {
                let count = bucket.count(ending);
                let (found, ids) = listed(&world, &bucket.filter(ending)).await;
                assert_eq!(found, count, "{ending:?} {bucket:?}");
                let mut times = Vec::new();
                for id in ids.iter().take(3) {
                    let one = world.connection(*id).await;
                    times.push(match ending {
                        Ending::NeedsHuman => one.needs_human_by,
                        Ending::Refresh => one.refresh_expires_at,
                        Ending::Access => one.access_expires_at,
                    });
                }
                assert!(times.is_sorted(), "{ending:?} {bucket:?}");
                seen += count;
            }
        }
        assert!(seen > 40, "{scale:?}: {seen}");
    }
}

#[sqlx::test]
async fn behind_each_count_is_the_list_of_what_it_counts(pool: PgPool) {
    let world = World::new(pool).await;
    let names = ["well", "refused", "odd", "off", "held"];
    let mut clients = Vec::new();
    for name in names {
        clients.push(world.client(name, |_| {}).await);
    }
    let plan = Plan { clients, numbers: 0..400, attempts: 1, seed: 5, life: Life::Grown };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
    for sql in [
        "UPDATE clients SET state = 'credentials_rejected' WHERE name = 'Client refused'",
        "UPDATE clients SET state = 'incident' WHERE name = 'Client odd'",
        "UPDATE clients SET state = 'disabled' WHERE name = 'Client off'",
        "UPDATE clients SET paused_until = timestamptz '2026-03-01 14:00+00' WHERE name = 'Client held'",
        "UPDATE connections SET paused_at = now() WHERE right(id::text, 1) = '7'",
        "UPDATE connections SET needs_human_by = timestamptz '2026-03-03 00:00+00'
         WHERE right(id::text, 1) = '5' AND state = 'active'",
    ] {
        world.execute(sql).await;
    }
    let overview = look(&world, Scale::Day).await;
    let mut seen = 0;
    for standing in Standing::ALL {
        let counted = overview.counts.iter().find(|(known, _)| *known == standing);
        let count = counted.map_or(0, |(_, count)| *count);
        let filter = ConnectionFilter { standing: Some(standing), ..ConnectionFilter::default() };
        let (found, ids) = listed(&world, &filter).await;
        assert_eq!(found, count, "{standing:?}");
        for id in ids.into_iter().take(5) {
            assert_eq!(world.connection(id).await.standing(overview.as_of), standing);
        }
        let rare = matches!(
            standing,
            Standing::Pending | Standing::Disconnected | Standing::Retrying | Standing::NeedsPerson
        );
        assert!(rare || count > 0, "{standing:?} is in the sample");
        seen += count;
        // Its client narrows it further.
        let of = ConnectionFilter { provider: Some("nobody".into()), ..filter };
        assert_eq!(listed(&world, &of).await.0, 0);
    }
    assert_eq!(seen, 400);
}

/// So many connections of a client, each of which has needed a person since an hour longer.
async fn dead(world: &World, client: Uuid, count: i64, reason: Reason) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for hours in 1..=count {
        let id = world.import(client).await;
        sqlx::query(
            "UPDATE connections SET state = 'needs_reauth', reason = $2, state_since = $3, needs_human_by = $3,
                    due_at = NULL WHERE id = $1",
        )
        .bind(id)
        .bind(reason.as_str())
        .bind(world.now() - Duration::HOUR * i32::try_from(hours).unwrap())
        .execute(&world.pool)
        .await
        .unwrap();
        ids.push(id);
    }
    ids
}

#[sqlx::test]
async fn one_cause_that_explains_many_is_told_once(pool: PgPool) {
    let world = World::new(pool).await;
    let one = world.client("one", |_| {}).await;
    let revoked = dead(&world, one, MANY + 2, Reason::Revoked).await;
    let lost = dead(&world, one, MANY - 1, Reason::RotationLost).await;
    let began = world.now();
    world.pass(Duration::minutes(1));
    let other = world.client("two", |_| {}).await;
    let revoked_too = dead(&world, other, 1, Reason::Revoked).await;
    let overview = look(&world, Scale::Day).await;
    let [group] = overview.needs_human_groups.as_slice() else { panic!("{overview:?}") };
    assert_eq!(
        (group.client_id, group.reason, group.count),
        (one, Some(Reason::Revoked), MANY + 2)
    );
    assert_eq!(group.state, Some(StateName::NeedsReauth));
    let hours = |hours: i64| began - Duration::HOUR * i32::try_from(hours).unwrap();
    assert_eq!((group.first_at, group.last_at), (hours(MANY + 2), hours(1)));
    let (count, ids) = listed(&world, &group.filter).await;
    // The longest first.
    assert_eq!((count, ids), (group.count, revoked.iter().rev().copied().collect()));
    let told: Vec<Uuid> = overview.needs_human.iter().map(|one| one.id).collect();
    assert_eq!(told, [lost[2], lost[1], lost[0], revoked_too[0]]);
    assert_eq!((overview.needs_human_count, overview.hidden_needs()), (2 * MANY + 2, 0));

    // What is mended is gone from the list, whoever counted it a moment ago.
    app::connection::delete(&world.app, &world.admin, lost[2], false).await.unwrap();
    assert_eq!(look(&world, Scale::Day).await.needs_human[0].id, lost[1]);

    // Of a client that the provider refuses, all wait for the client; of one that is off, none is wanted.
    let name = |state: client::StateName| state.as_str();
    let set = async |client: Uuid, state| {
        sqlx::query("UPDATE clients SET state = $2 WHERE id = $1")
            .bind(client)
            .bind(name(state))
            .execute(&world.pool)
            .await
            .unwrap();
    };
    set(one, client::StateName::CredentialsRejected).await;
    set(other, client::StateName::Disabled).await;
    let overview = look(&world, Scale::Day).await;
    let [group] = overview.needs_human_groups.as_slice() else { panic!("{overview:?}") };
    assert_eq!((group.state, group.reason, group.count), (None, None, 2 * MANY));
    assert_eq!(listed(&world, &group.filter).await.0, group.count);
    assert_eq!(overview.needs_human, []);
    let page = world.sign_in(Role::Admin).await.get("/").await.text;
    assert!(page.contains("8 connections of Client one"));
    assert!(page.contains("#secret"));
}

/// The soonest dozen, whatever they are; the others are counted.
#[sqlx::test]
async fn no_more_is_shown_than_fits(pool: PgPool) {
    let world = World::new(pool).await;
    for number in 0..6 {
        let client = world.client(&format!("client-{number}"), |_| {}).await;
        dead(&world, client, 3, Reason::Revoked).await;
    }
    let big = world.client("big", |_| {}).await;
    dead(&world, big, 9, Reason::Revoked).await;
    let overview = look(&world, Scale::Day).await;
    assert_eq!(overview.needs_human_groups.len(), 1);
    assert_eq!(overview.needs_human.len(), 11);
    let by: Vec<OffsetDateTime> =
        overview.needs_human.iter().filter_map(|one| one.needs_human_by).collect();
    assert!(by.is_sorted() && by.iter().all(|by| *by < world.now() - Duration::minutes(90)));
    assert_eq!((overview.needs_human_count, overview.hidden_needs()), (27, 7));

    // What can still be saved is not kept from sight by what is dead.
    for days in 1..=5 {
        let id = world.import(big).await;
        sqlx::query("UPDATE connections SET needs_human_by = $2 WHERE id = $1")
            .bind(id)
            .bind(world.now() + Duration::days(days))
            .execute(&world.pool)
            .await
            .unwrap();
        let overview = look(&world, Scale::Day).await;
        let coming = |at: OffsetDateTime| at > world.now();
        let ones = overview.needs_human.iter().filter_map(|one| one.needs_human_by);
        let many = overview.needs_human_groups.iter().map(|group| group.first_at);
        let told = (
            ones.clone().filter(|at| coming(*at)).count(),
            many.clone().filter(|at| coming(*at)).count(),
        );
        // Of one cause they are told in one line once they are many.
        assert_eq!(told, if days < MANY { (usize::try_from(days).unwrap(), 0) } else { (0, 1) });
        assert_eq!(ones.count() + many.count(), 12);
    }
}

#[sqlx::test]
async fn the_day_behind_is_counted_by_how_refreshes_ended(pool: PgPool) {
    let world = World::new(pool).await;
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let client = world.client("one", |client| client.refresh.grace = Duration::hours(3)).await;
    let id = world.import(client).await;
    let refresh = async |fault: Option<Fault>| {
        if let Some(fault) = fault {
            world.control().rule(fault, Rule { next: 1, ..Rule::default() });
        }
        let _ = app::connection::refresh(&world.app, &world.admin, id).await;
        world.control().clear();
    };
    refresh(None).await;
    refresh(Some(Fault::Unavailable)).await;
    world.pass(Duration::minutes(31));
    world.until_due(id).await;
    refresh(None).await;
    refresh(None).await;
    refresh(Some(Fault::InvalidGrant)).await;
    let attempts = reader.get("/overview").await.ok()["attempts"].clone();
    let attempts = attempts.as_array().unwrap();
    // 24 hours, and the half hour that is not over.
    assert_eq!(attempts.len(), 49);
    let figures = |bucket: &Value| {
        let names = ["refreshed", "postponed", "condemned", "in_doubt"];
        names.map(|name| bucket[name].as_i64().unwrap())
    };
    assert_eq!(attempts[47]["from"], json!("2026-03-01T12:00:00Z"));
    assert_eq!(attempts[48]["until"], json!("2026-03-01T13:00:00Z"));
    assert_eq!((figures(&attempts[47]), figures(&attempts[48])), ([1, 1, 0, 0], [2, 0, 1, 0]));
    assert!(attempts[..47].iter().all(|bucket| figures(bucket) == [0; 4]));

    // A day later it is behind the horizon, and then nobody needs the counts.
    world.pass(Duration::hours(24));
    let later = reader.get("/overview").await.ok()["attempts"].clone();
    assert_eq!(figures(&later.as_array().unwrap()[0]), [2, 0, 1, 0]);
    world.pass(Duration::days(2));
    app::upkeep::sweep(&world.app).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM attempt_windows").await, 0);
}

/// What the database says while `work` is done, each topic once in a row.
async fn said(world: &World, work: impl Future<Output = ()>) -> Vec<String> {
    let mut listener = PgListener::connect_with(&world.pool).await.unwrap();
    listener.listen("regrant_live").await.unwrap();
    work.await;
    world.execute("NOTIFY regrant_live, 'over'").await;
    let mut said = Vec::new();
    loop {
        match listener.recv().await.unwrap().payload() {
            "over" => break,
            topic => said.push(topic.to_owned()),
        }
    }
    said.dedup();
    said
}

#[sqlx::test]
async fn pages_hear_of_what_changes_and_not_of_each_refresh(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |client| client.refresh.grace = Duration::hours(3)).await;
    let id = world.import(client).await;
    let refresh = async || {
        let _ = app::connection::refresh(&world.app, &world.admin, id).await;
    };
    assert_eq!(said(&world, refresh()).await, Vec::<String>::new());
    assert_eq!(world.generation(id).await, 2);
    let fail = async {
        world.control().rule(Fault::Unavailable, Rule { next: 1, ..Rule::default() });
        refresh().await;
    };
    assert_eq!(said(&world, fail).await, ["connections"]);
    world.control().clear();
    world.until_due(id).await;
    assert_eq!(said(&world, refresh()).await, ["connections"]);
    let off = ClientPatch { disabled: Some(true), ..ClientPatch::default() };
    let switch = async {
        app::client::update(&world.app, &world.admin, client, off, None).await.unwrap();
    };
    assert_eq!(said(&world, switch).await, ["clients"]);
    let import = async {
        world.import(client).await;
    };
    assert!(said(&world, import).await.contains(&"connections".to_owned()));
}

#[sqlx::test]
async fn refreshes_ahead_are_counted_by_when_they_are_due(pool: PgPool) {
    let world = World::new(pool).await;
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let (one, two) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let now = world.now();
    let due = [
        (one, -Duration::SECOND),
        (one, Duration::ZERO),
        (one, Duration::minutes(30) - Duration::MICROSECOND),
        (two, Duration::minutes(30)),
        (two, Duration::DAY - Duration::MICROSECOND),
        (two, Duration::DAY),
    ];
    for (client, after) in due {
        let id = world.import(client).await;
        sqlx::query("UPDATE connections SET due_at = $2 WHERE id = $1")
            .bind(id)
            .bind(now + after)
            .execute(&world.pool)
            .await
            .unwrap();
    }
    let ahead = reader.get("/overview").await.ok()["refreshes"].clone();
    assert_eq!(ahead["overdue"], 1);
    let buckets = ahead["buckets"].as_array().unwrap();
    assert_eq!(buckets.len(), 48);
    let first =
        json!({ "from": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:30:00Z", "due": 2 });
    assert_eq!(buckets[0], first);
    assert_eq!((&buckets[1]["due"], &buckets[47]["due"]), (&json!(1), &json!(1)));
    let total: i64 = buckets.iter().map(|bucket| bucket["due"].as_i64().unwrap()).sum();
    assert_eq!(total, 4);

    // Nothing of a client that is switched off is refreshed.
    let off = ClientPatch { disabled: Some(true), ..ClientPatch::default() };
    app::client::update(&world.app, &world.admin, one, off, None).await.unwrap();
    let ahead = reader.get("/overview").await.ok()["refreshes"].clone();
    assert_eq!((&ahead["overdue"], &ahead["buckets"][0]["due"]), (&json!(0), &json!(0)));
}

/// What is counted leads to the list of it, and to none that shows something else.
#[sqlx::test]
async fn what_is_paused_leads_to_the_list_of_it(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, refused) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let id = world.import(client).await;
    world.import(refused).await;
    app::connection::pause(&world.app, &world.admin, id).await.expect("a rest");
    world
        .execute("UPDATE clients SET state = 'credentials_rejected' WHERE name = 'Client two'")
        .await;
    let page = world.sign_in(Role::Admin).await.get("/").await.text;
    let cell = |state: &str| {
        let cell = page.split(&format!("<li data-state=\"{state}\"")).nth(1);
        cell.and_then(|rest| rest.split("</li>").next())
            .unwrap_or_else(|| panic!("{page}"))
            .to_owned()
    };
    for state in ["paused", "client-refused"] {
        assert!(cell(state).contains(&format!("/connections?standing={state}")), "{page}");
    }
}

/// Whoever is left out is said to be.
#[sqlx::test]
async fn clients_in_trouble_beyond_the_cards_are_told_of(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for number in 0..IN_TROUBLE {
        world.client(&format!("number {number}"), |_| {}).await;
    }
    world.execute("UPDATE clients SET state = 'credentials_rejected'").await;
    assert!(admin.get("/").await.text.contains(voice::MORE_CLIENTS));
    let one =
        "UPDATE clients SET state = 'ready' WHERE id = (SELECT min(id::text)::uuid FROM clients)";
    world.execute(one).await;
    assert!(!admin.get("/").await.text.contains(voice::MORE_CLIENTS));
}
