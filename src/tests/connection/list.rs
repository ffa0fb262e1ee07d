//! Lists, whatever is asked for: what fits and nothing else, in order, each once, at a bounded cost.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{Connection, ConnectionFilter, ConnectionPatch, Sort, StateName},
        page::{Count, Paging},
    },
    server::{
        app::{
            self, Actor,
            demo::{Life, Plan},
        },
        store::connection::list::COUNTED,
    },
    tests::support::{Questions, World, new_connection},
};

async fn fill(world: &World, clients: &[Uuid], count: u64) {
    let plan = Plan {
        clients: clients.to_vec(),
        numbers: 0..count,
        attempts: 1,
        seed: 1,
        life: Life::Grown,
    };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
}

/// All that a filter gives, page by page, and how many it was said to be.
async fn walk(world: &World, filter: &ConnectionFilter, limit: u32) -> (Vec<Connection>, Count) {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let paging = Paging { cursor, limit: Some(limit) };
        let list = app::connection::list(&world.app, &Actor::System, filter, &paging).await;
        let list = list.expect("a page");
        found.extend(list.page.items);
        cursor = list.page.next;
        if cursor.is_none() {
            return (found, list.count);
        }
    }
}

fn ids(connections: &[Connection]) -> Vec<Uuid> {
    connections.iter().map(|one| one.id).collect()
}

/// What an order means, told without a database.
fn sorted(mut connections: Vec<Connection>, sort: Sort) -> Vec<Uuid> {
    connections.sort_by_key(|one| one.id);
    match sort {
        Sort::Newest => connections.reverse(),
        Sort::NeedsHumanBy => {
            connections.sort_by_key(|one| (one.needs_human_by.is_none(), one.needs_human_by));
        }
        Sort::Expires => {
            connections.sort_by_key(|one| (one.access_expires_at.is_none(), one.access_expires_at));
        }
        Sort::RefreshExpires => {
            connections
                .sort_by_key(|one| (one.refresh_expires_at.is_none(), one.refresh_expires_at));
        }
        Sort::Refreshed => {
            connections.sort_by_key(|one| one.obtained_at);
            connections.reverse();
        }
        Sort::Label => connections.sort_by_key(|one| one.label.to_lowercase()),
    }
    ids(&connections)
}

/// The sample has ties in every order, and rows without any of the times.
#[sqlx::test]
async fn every_order_holds_over_pages_ties_and_what_has_no_time(pool: PgPool) {
    let world = World::new(pool).await;
    let clients = [world.client("one", |_| {}).await, world.client("two", |_| {}).await];
    // Some are made more than are counted, so that lists are walked as well as gathered.
    let many = u64::try_from(COUNTED).unwrap() + 300;
    fill(&world, &clients, many).await;
    world.execute("UPDATE connections SET label = 'Same' WHERE id::text LIKE '%7'").await;
    world
        .execute(
            "UPDATE connections SET access_expires_at = date_trunc('hour', access_expires_at),
                    obtained_at = date_trunc('day', obtained_at)",
        )
        .await;
    // Some write so what is never over; that is a time as any other.
    world
        .execute(
            "UPDATE connections SET needs_human_by = timestamptz '9999-01-01 00:00+00' WHERE id::text LIKE '%3';
             UPDATE connections SET refresh_expires_at = timestamptz '9999-01-01 00:00+00' WHERE id::text LIKE '%4';
             UPDATE connections SET needs_human_by = timestamptz '9999-12-31 00:00+00',
                    refresh_expires_at = timestamptz '9999-12-31 00:00+00' WHERE id::text LIKE '%5'",
        )
        .await;
    let (all, count) = walk(&world, &ConnectionFilter::default(), 200).await;
    assert_eq!((all.len(), count), (usize::try_from(many).unwrap(), Count::MoreThan(COUNTED)));
    for sort in Sort::ALL {
        let filter = ConnectionFilter { sort: Some(sort), ..ConnectionFilter::default() };
        assert_eq!(ids(&walk(&world, &filter, 199).await.0), sorted(all.clone(), sort), "{sort:?}");
        let some = ConnectionFilter { state: Some(StateName::NeedsReauth), ..filter };
        let fit: Vec<Connection> =
            all.iter().filter(|one| one.state.name() == StateName::NeedsReauth).cloned().collect();
        let (found, count) = walk(&world, &some, 17).await;
        assert_eq!(count, Count::Exactly(i64::try_from(fit.len()).unwrap()));
        assert_eq!(ids(&found), sorted(fit, sort), "{sort:?}, filtered");
    }
    // What is common is walked as what is rare is gathered: the words are in many rows, or in one.
    let filter = |q: &str| ConnectionFilter { q: Some(q.into()), ..ConnectionFilter::default() };
    let holds = |text: &str| {
        let text = text.to_owned();
        move |one: &&Connection| {
            [
                Some(&one.label),
                one.account_label.as_ref(),
                one.account_id.as_ref(),
                one.external_id.as_ref(),
            ]
            .into_iter()
            .flatten()
            .any(|field| field.to_lowercase().contains(&text))
        }
    };
    for text in ["example", "crm-", "same", "crm-0000012", "nobody-has-this"] {
        let fit: BTreeSet<Uuid> = all.iter().filter(holds(text)).map(|one| one.id).collect();
        let found: BTreeSet<Uuid> =
            ids(&walk(&world, &filter(text), 200).await.0).into_iter().collect();
        assert_eq!(found, fit, "{text}");
    }
    // So it is where only a part of what is searched is asked for, beside another filter too.
    let within = |fields: [Option<&String>; 2], text: &str| {
        fields.into_iter().flatten().any(|field| field.to_lowercase().contains(text))
    };
    for (text, state) in
        [("a", None), ("same", None), ("example", None), ("example", Some(StateName::Active))]
    {
        let base = ConnectionFilter { state, ..ConnectionFilter::default() };
        let label = ConnectionFilter { label: Some(text.to_uppercase()), ..base.clone() };
        let owner = ConnectionFilter { owner: Some(text.into()), ..base };
        let stands = |one: &&Connection| state.is_none_or(|state| one.state.name() == state);
        let (mut labelled, mut owned) = (BTreeSet::new(), BTreeSet::new());
        for one in all.iter().filter(stands) {
            if within([Some(&one.label), None], text) {
                labelled.insert(one.id);
            }
            if within([one.account_label.as_ref(), one.account_id.as_ref()], text) {
                owned.insert(one.id);
            }
        }
        for (filter, fit) in [(label, labelled), (owner, owned)] {
            let (found, count) = walk(&world, &filter, 200).await;
            let found: BTreeSet<Uuid> = ids(&found).into_iter().collect();
            assert_eq!(found, fit, "{filter:?}");
            let told = i64::try_from(fit.len()).unwrap();
            let told = if told > COUNTED { Count::MoreThan(COUNTED) } else { Count::Exactly(told) };
            assert_eq!(count, told, "{filter:?}");
        }
    }
}

/// Whoever asks for what there is not is shown nothing, and changes nothing; not everything.
#[sqlx::test]
async fn an_address_that_asks_for_what_there_is_not_gives_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    let patch = ConnectionPatch { label: Some("Alice's books".into()), ..Default::default() };
    app::connection::update(&world.app, &world.admin, one, patch).await.expect("an update");
    let mut admin = world.sign_in(Role::Admin).await;
    for (path, told) in [
        ("/connections?state=unknown", "There is no state “unknown”"),
        ("/connections?q=alice&reason=bored", "There is no reason “bored”"),
        ("/connections?client=nonsense", "“nonsense” is no client's id"),
        ("/connections?expires_before=soon", "“soon” is no day"),
        ("/connections?sort=colour", "There is no order “colour”"),
        ("/jobs/new?action=disconnect&of=all&state=unknown", "There is no state “unknown”"),
        ("/download/connections.csv?state=unknown", "There is no state “unknown”"),
        ("/audit?from=yesterday", "“yesterday” is no day"),
        ("/download/audit.csv?before=then", "“then” is no day"),
        ("/relinks?show=everything", "There are no links “everything”"),
    ] {
        let page = admin.get(path).await;
        assert_eq!(page.status, 400, "{path}");
        assert!(page.text.contains(told), "{path}: {}", page.text);
        assert!(!page.text.contains("books"), "{path}: {}", page.text);
    }
    // The other filters stand in their fields, so that one of them can be mended.
    let page = admin.get("/connections?q=alice&state=unknown").await.text;
    assert!(page.contains("name=\"q\" value=\"alice\""), "{page}");
    let found = admin.get("/connections?q=alice&state=active&reason=&drift=false").await;
    assert!(found.status == 200 && found.text.contains("books"), "{}", found.text);
    let program = world.program(&[Scope::Admin]).await;
    for query in ["/connections?state=unknown", "/exports/connections?client=nonsense"] {
        assert_eq!(program.get(query).await.status, 422, "{query}");
    }
}

/// From a moment on, before another one; what has no such time is within none of them.
#[sqlx::test]
async fn a_stretch_of_time_takes_its_beginning_and_leaves_its_end(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let (one, _) = (world.import(client).await, world.import_of(client, "bob").await);
    let at = world.now() + Duration::HOUR;
    world.execute("UPDATE connections SET access_expires_at = NULL, refresh_expires_at = NULL, needs_human_by = NULL").await;
    sqlx::query("UPDATE connections SET access_expires_at = $2, refresh_expires_at = $2, needs_human_by = $2 WHERE id = $1")
        .bind(one)
        .bind(at)
        .execute(&world.pool)
        .await
        .unwrap();
    type Within = fn(&mut ConnectionFilter) -> [&mut Option<OffsetDateTime>; 2];
    let kinds: [Within; 3] = [
        |filter| [&mut filter.expires_after, &mut filter.expires_before],
        |filter| [&mut filter.refresh_expires_after, &mut filter.refresh_expires_before],
        |filter| [&mut filter.needs_human_after, &mut filter.needs_human_before],
    ];
    let moment = Duration::MICROSECOND;
    for within in kinds {
        for (from, before, is_found) in [
            (Some(at), Some(at + moment), true),
            (Some(at), None, true),
            (None, Some(at + moment), true),
            (Some(at - moment), Some(at), false),
            (Some(at + moment), None, false),
        ] {
            let mut filter = ConnectionFilter::default();
            let [after, until] = within(&mut filter);
            (*after, *until) = (from, before);
            let wanted = if is_found { vec![one] } else { Vec::new() };
            assert_eq!(ids(&walk(&world, &filter, 50).await.0), wanted, "{filter:?}");
        }
    }
}

#[sqlx::test]
async fn what_people_type_is_found(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let (one, other) = (world.import(client).await, world.import_of(client, "bob").await);
    let patch = |label: &str, external_id: &str, tags: &[&str]| ConnectionPatch {
        label: Some(label.into()),
        external_id: Some(external_id.into()),
        tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()),
        variables: None,
        scopes: None,
    };
    let update = async |id, patch| {
        app::connection::update(&world.app, &world.admin, id, patch).await.expect("an update");
    };
    update(one, patch("Bücher & 100% _Records_", "K-7", &["eu", "big"])).await;
    update(other, patch("Shop \\ north", "K-8", &["eu"])).await;
    let all = vec![other, one];
    let none = Vec::<Uuid>::new;
    let found = async |filter: ConnectionFilter| ids(&walk(&world, &filter, 50).await.0);
    let q = |text: &str| ConnectionFilter { q: Some(text.into()), ..ConnectionFilter::default() };
    for (text, wanted) in [
        ("BÜCH", vec![one]),
        ("100%", vec![one]),
        ("0%_", vec![]),
        ("%", vec![]),
        ("p \\ n", vec![other]),
        ("k-7", vec![one]),
        // Of a letter or two: how a word begins.
        ("K", all.clone()),
        ("7", vec![]),
        ("no", vec![other]),
        ("op", vec![]),
        ("alice", vec![one]),
    ] {
        assert_eq!(found(q(text)).await, wanted, "{text}");
    }
    let label = |text: &str| ConnectionFilter { label: Some(text.into()), ..Default::default() };
    let owner = |text: &str| ConnectionFilter { owner: Some(text.into()), ..Default::default() };
    let tag = |text: &str| ConnectionFilter { tag: Some(text.into()), ..Default::default() };
    assert_eq!(found(label("alice")).await, none());
    assert_eq!(found(label("records")).await, vec![one]);
    assert_eq!(found(owner("ALICE")).await, vec![one]);
    assert_eq!(found(owner("shop")).await, none());
    assert_eq!(found(tag("eu")).await, all);
    assert_eq!(found(tag("big")).await, vec![one]);
    assert_eq!(found(tag("bi")).await, none());
    let both = ConnectionFilter { tag: Some("eu".into()), owner: Some("bob".into()), ..q("K-") };
    assert_eq!(found(both).await, vec![other]);
    let nobody =
        ConnectionFilter { provider: Some("other".into()), client: Some(client), ..q("k-") };
    assert_eq!(found(nobody).await, none());

    // What is gone is found no more, nor what it was called before.
    update(one, patch("Renamed", "", &[])).await;
    assert_eq!(found(q("Büch")).await, none());
    assert_eq!(found(tag("big")).await, none());
    assert_eq!(found(q("renamed")).await, vec![one]);
    app::connection::delete(&world.app, &world.admin, one, false).await.expect("a deletion");
    assert_eq!(world.count("SELECT count(*) FROM connection_search").await, 1);
}

/// Programs know their connections by the ids they gave them.
#[sqlx::test]
async fn an_external_id_finds_its_own_connection_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let clients = [world.client("one", |_| {}).await, world.client("two", |_| {}).await];
    let mut made = Vec::new();
    for (client, external_id) in [
        (clients[0], "acme/7"),
        (clients[0], "acme/70"),
        (clients[0], "ACME/7"),
        (clients[1], "acme/7"),
    ] {
        let new = app::connection::NewConnection {
            external_id: Some(external_id.into()),
            ..new_connection(client)
        };
        let response = world.token_response(client, "alice").await;
        let made_one =
            app::connection::import(&world.app, &world.admin, new, &response, None).await;
        made.push(made_one.expect("a connection").0.id);
    }
    let program = world.program(&[Scope::ConnectionsRead]).await;
    let found = async |query: &str| {
        let page = program.get(&format!("/connections?sort=newest{query}")).await.ok();
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap())
            .collect::<BTreeSet<_>>()
    };
    let both = BTreeSet::from([made[0], made[3]]);
    assert_eq!(found("&external_id=acme%2F7").await, both);
    let of = |client: Uuid| format!("&external_id=acme%2F7&client={client}");
    assert_eq!(found(&of(clients[1])).await, BTreeSet::from([made[3]]));
    assert_eq!(found("&external_id=acme%2F7&q=acme&state=active").await, both);
    for query in [
        "&external_id=acme",
        "&external_id=acme%2F7&q=nothing",
        "&external_id=acme%2F7&state=pending",
        "&external_id=acme%2F7&drift=true",
        "&external_id=acme%2F7&tag=none",
    ] {
        assert_eq!(found(query).await, BTreeSet::<Uuid>::new(), "{query}");
    }
    // The same on the page, in a file and for a job.
    let mut browser = world.sign_in(Role::Admin).await;
    let page = browser.get("/connections?external_id=acme%2F70").await.text;
    let link = |id: Uuid| format!("href=\"/connections/{id}\"");
    assert!(page.contains(&link(made[1])) && !page.contains(&link(made[0])), "{page}");
    assert!(page.contains("value=\"acme/70\""), "the form keeps it: {page}");
    let file = program.get("/exports/connections?external_id=acme%2F70").await.text;
    assert!(file.contains(&made[1].to_string()), "{file}");
    assert_eq!(file.lines().count(), 1);
    let admin = world.program(&[Scope::Admin]).await;
    let filter = json!({ "external_id": "acme/70" });
    let job = admin.post("/jobs", &json!({ "action": "pause", "filter": filter })).await.ok();
    assert_eq!(job["total"], 1, "{job}");
    let saved =
        admin.post("/saved-filters", &json!({ "name": "One", "filter": filter })).await.ok();
    assert_eq!(saved["filter"]["external_id"], "acme/70");
}

/// Each client's own index finds it: with a million rows as with ten.
#[sqlx::test]
async fn an_external_id_is_found_by_index(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    fill(&world, &[client], 3000).await;
    let ask = "SELECT id FROM connections
               WHERE external_id = 'acme/7' AND client_id = ANY (coalesce(NULL::uuid[], ARRAY (SELECT id FROM clients)))";
    let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("EXPLAIN {ask}")))
        .fetch_all(&world.pool)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("connections_external_id_unique"), "{plan}");
}

/// A page asks the same number of questions, however many rows there are.
#[sqlx::test]
async fn each_page_asks_a_bounded_number_of_questions(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut browser = world.sign_in(Role::Admin).await;
    fill(&world, &[client], 10).await;
    let one = world.import(client).await;
    let paths = [
        ("/".to_owned(), 16),
        ("/?over=year".to_owned(), 16),
        ("/connections".to_owned(), 10),
        (format!("/connections?client={client}&state=active&sort=label"), 10),
        ("/connections?provider=strict&q=example&sort=refreshed".to_owned(), 11),
        (format!("/connections/{one}"), 14),
    ];
    let mut asked = Vec::new();
    for (path, most) in &paths {
        // Once for what is read at first only.
        browser.get(path).await;
        let questions = Questions::count();
        assert_eq!(browser.get(path).await.status, 200, "{path}");
        let count = questions.so_far();
        assert!((3..=*most).contains(&count), "{path} asks {count} questions");
        asked.push(count);
    }
    let more = [world.client("two", |_| {}).await, world.client("three", |_| {}).await];
    let plan =
        Plan { clients: more.to_vec(), numbers: 10..400, attempts: 3, seed: 1, life: Life::Grown };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
    for ((path, _), before) in paths.iter().zip(asked) {
        let questions = Questions::count();
        browser.get(path).await;
        assert_eq!(questions.so_far(), before, "{path}");
    }
}
