//! What nothing renews: all that is told of it is one truth.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::PgPool;
use time::{Duration, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{Connection, Reason},
        overview::Scale,
        provider::Renewal,
    },
    sandbox::{Fault, Rule},
    server::app::{self, Actor},
    tests::support::{Browser, World},
};

async fn page(browser: &mut Browser, id: Uuid) -> String {
    browser.get(&format!("/connections/{id}")).await.text
}

async fn import(world: &World, client: Uuid, response: serde_json::Value) -> Connection {
    world.import_text(client, response.to_string()).await.expect("an import")
}

/// How many refreshes the overview expects within a day.
async fn ahead(world: &World) -> i64 {
    let told = app::overview::get(&world.app, &Actor::System, Scale::Day).await.unwrap();
    told.refreshes.buckets.iter().map(|bucket| bucket.due).sum()
}

#[sqlx::test]
async fn what_nothing_renews_has_no_next_refresh(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let lives = world.import(client).await;
    let told = page(&mut admin, lives).await;
    assert!(told.contains("Refresh now") && told.contains("ext refresh in"), "{told}");
    let response = json!({ "access_token": "a", "expires_in": 36_000 });
    let id = import(&world, client, response).await.id;
    let told = page(&mut admin, id).await;
    assert!(!told.contains("Refresh now") && told.contains("none planned"), "{told}");
    assert!(!told.contains("ext refresh in") && !told.contains("is-due"), "{told}");
    assert_eq!(ahead(&world).await, 1, "the one that is renewed");
}

#[sqlx::test]
async fn what_may_be_over_unseen_is_not_told_to_have_no_end(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id = import(&world, client, json!({ "access_token": "a" })).await.id;
    let told = page(&mut admin, id).await;
    for part in ["Alive, but nobody knows until when.", "no end known", "Create a relink"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    for part in ["no end in sight", "Refresh now", "No relink can be made."] {
        assert!(!told.contains(part), "{part} is in {told}");
    }
    let list = admin.get("/connections").await.text;
    assert!(list.contains("no end known") && !list.contains("not in sight"), "{list}");
    let told = admin.get("/").await.text;
    assert!(told.contains("1 connection works, but nothing renews it"), "{told}");
    let program = world.program(&[Scope::ConnectionsRead]).await;
    assert_eq!(program.get("/overview").await.ok()["unseen_ends"], 1);
}

#[sqlx::test]
async fn what_has_no_end_is_told_so_where_the_provider_says_it(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("lasting", |profile| profile.renewal = Renewal::None).await;
    let client = world.client_of("lasting", "one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id = import(&world, client, json!({ "access_token": "a" })).await.id;
    let told = page(&mut admin, id).await;
    assert!(told.contains("Alive, with no end in sight."), "{told}");
    assert!(told.contains("the access tokens of Service lasting have no end"), "{told}");
    assert!(told.contains("not in sight") && !told.contains("no end known"), "{told}");
}

/// One beside it may end at any time: it alone is counted, and told of so.
#[sqlx::test]
async fn what_has_no_end_is_not_counted_among_what_may_end_unseen(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("lasting", |profile| profile.renewal = Renewal::None).await;
    let lasting = world.client_of("lasting", "one", |_| {}).await;
    let other = world.client("two", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for (client, token) in [(lasting, "a"), (lasting, "b"), (other, "c")] {
        import(&world, client, json!({ "access_token": token })).await;
    }
    let list = admin.get("/connections").await.text;
    let told = |text: &str| list.matches(text).count();
    assert_eq!((told("not in sight"), told("no end known")), (2, 1), "{list}");
    let rows = list.matches("Works until access is removed. It needs no refresh.").count();
    assert_eq!(rows, 2, "{list}");
    let told = admin.get("/").await.text;
    assert!(told.contains("1 connection works, but nothing renews it"), "{told}");
    let program = world.program(&[Scope::ConnectionsRead]).await;
    assert_eq!(program.get("/overview").await.ok()["unseen_ends"], 1);
}

/// Its page says everywhere when that was, and of no refresh token that it ended.
#[sqlx::test]
async fn what_was_over_when_it_came_is_dated_from_its_end(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let obtained_at = (world.now() - Duration::hours(7)).format(&Rfc3339).unwrap();
    let new = json!({
        "client_id": client,
        "obtained_at": obtained_at,
        "token_response": { "access_token": "a", "expires_in": 3600 },
    });
    let made = program.post("/connections", &new).await.ok();
    world.pass(Duration::minutes(1));
    world.tick().await;
    let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.reason(id).await, Some(Reason::NoRefreshToken));
    let mut admin = world.sign_in(Role::Admin).await;
    let told = page(&mut admin, id).await;
    assert!(told.contains("Has needed a person for 6 hours."), "{told}");
    assert!(told.contains("and the import brought no refresh token"), "{told}");
    assert!(told.contains("there is none") && !told.contains("no longer accepted"), "{told}");
}

/// That the provider did not name it is not that it was granted.
#[sqlx::test]
async fn a_scope_that_is_seldom_named_is_not_shown_as_granted(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    world.execute("UPDATE clients SET scopes = ARRAY['openid', 'api:read']").await;
    let response = json!({ "access_token": "a", "refresh_token": "r", "scope": "api:read" });
    let id = import(&world, client, response).await.id;
    let mut admin = world.sign_in(Role::Admin).await;
    let told = page(&mut admin, id).await;
    assert_eq!(told.matches("not named by the provider").count(), 1, "{told}");
    assert!(!told.contains("not granted"), "{told}");
}

#[sqlx::test]
async fn what_is_not_held_does_not_end(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("short", |profile| profile.lifetimes.refresh_seconds = Some(86_400)).await;
    let client = world.client_of("short", "one", |_| {}).await;
    let without = import(&world, client, json!({ "access_token": "a", "expires_in": 9 })).await;
    assert_eq!(without.refresh_expires_at, None);
    let response = json!({ "access_token": "b", "expires_in": 9, "refresh_token": "r" });
    let with = import(&world, client, response).await;
    assert_eq!(with.refresh_expires_at, Some(world.now() + Duration::days(1)));
}

/// Nobody need have withdrawn anything.
#[sqlx::test]
async fn a_refresh_token_that_never_worked_may_have_been_mistyped(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let worked = world.import(client).await;
    world.until_due(worked).await;
    world.tick().await;
    world.sandbox.revoke_account("alice");
    let response = json!({ "access_token": "a", "expires_in": 60, "refresh_token": "mistyped" });
    let never = import(&world, client, response).await.id;
    world.until_due(worked).await;
    world.tick().await;
    for id in [worked, never] {
        assert_eq!(world.reason(id).await, Some(Reason::Revoked));
    }
    let told = page(&mut admin, never).await;
    assert!(told.contains("it never worked here") && told.contains("mistyped"), "{told}");
    let told = page(&mut admin, worked).await;
    assert!(told.contains("consent was withdrawn, the password"), "{told}");
}

/// The overview's sentence leads to what it counts, and to nothing else.
#[sqlx::test]
async fn what_may_be_over_unseen_is_found_by_a_filter(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("lasting", |profile| profile.renewal = Renewal::None).await;
    let lasting = world.client_of("lasting", "one", |_| {}).await;
    let (two, off) = (world.client("two", |_| {}).await, world.client("off", |_| {}).await);
    let mut alive = BTreeSet::new();
    for token in ["a", "b"] {
        alive.insert(import(&world, two, json!({ "access_token": token })).await.id);
    }
    let paused = import(&world, off, json!({ "access_token": "c" })).await.id;
    world.execute("UPDATE clients SET state = 'disabled' WHERE name = 'Client off'").await;
    // Each of these lacks something of it.
    import(&world, lasting, json!({ "access_token": "d" })).await;
    import(&world, two, json!({ "access_token": "e", "expires_in": 36_000 })).await;
    world.import(two).await;
    let gone = import(&world, two, json!({ "access_token": "f" })).await.id;
    let program = world.program(&[Scope::Admin]).await;
    program.press(&format!("/connections/{gone}/disconnect")).await;

    let found = async |query: &str| {
        let page = program.get(&format!("/connections?{query}")).await.ok();
        let items = page["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(program.get("/overview").await.ok()["unseen_ends"], 2);
    assert_eq!(found("standing=alive&end=unknown").await, alive);
    let all: BTreeSet<Uuid> = alive.iter().copied().chain([paused]).collect();
    assert_eq!(found("end=unknown").await, all);
    for query in [
        format!("end=unknown&client={lasting}"),
        "end=unknown&provider=lasting".into(),
        "end=unknown&q=nobody-is-called-so".into(),
        "end=unknown&state=disconnected".into(),
        "end=unknown&expires_after=2020-01-01T00:00:00Z".into(),
    ] {
        assert_eq!(found(&query).await, BTreeSet::new(), "{query}");
    }

    let list = "/connections?standing=alive&end=unknown";
    let mut admin = world.sign_in(Role::Admin).await;
    let told = admin.get("/").await.text.replace("&amp;", "&");
    assert!(told.contains(&format!("href=\"{list}\"")), "{told}");
    let page = admin.get(list).await.text;
    for id in found("sort=newest").await {
        let link = format!("href=\"/connections/{id}\"");
        assert_eq!(page.contains(&link), alive.contains(&id), "{page}");
    }
    assert!(page.contains("2 connections") && page.contains("name=\"end\""), "{page}");

    // The same in a file, kept under a name, and for a job.
    let file = program.get("/exports/connections?standing=alive&end=unknown").await.text;
    assert_eq!(file.lines().count(), 2, "{file}");
    let filter = json!({ "standing": "alive", "end": "unknown" });
    let saved = json!({ "name": "Unseen", "filter": filter });
    let saved = program.post("/saved-filters", &saved).await.ok();
    assert_eq!(saved["filter"]["end"], "unknown");
    let job = program.post("/jobs", &json!({ "action": "pause", "filter": filter })).await.ok();
    assert_eq!(job["total"], 2, "{job}");
}

/// Refreshing fails in a way that passes, and meanwhile the token is over: whoever asks for it gets none.
#[sqlx::test]
async fn what_has_no_live_token_while_it_is_tried_again_is_told_first(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let program = world.program(&[Scope::ConnectionsRead]).await;
    let mut admin = world.sign_in(Role::Admin).await;
    world.control().rule(Fault::Unavailable, Rule { probability: 1.0, ..Rule::default() });
    world.until_due(id).await;
    world.tick().await;
    let told = page(&mut admin, id).await;
    assert!(told.contains("Retrying. The next try is"), "{told}");
    assert_eq!(program.get("/overview").await.ok()["without_token"], 0);

    let end = world.connection(id).await.access_expires_at.unwrap();
    world.clock.set(end + Duration::minutes(2));
    world.tick().await;
    let told = page(&mut admin, id).await;
    assert!(told.contains("No live token: retrying."), "{told}");
    let list = admin.get("/connections").await.text;
    assert!(list.contains("Its access token ended 2 minutes ago, and refreshing fails."), "{list}");
    let overview = program.get("/overview").await.ok();
    assert_eq!(
        (&overview["without_token"], &overview["counts"]["retrying"]),
        (&json!(1), &json!(1))
    );
    let told = admin.get("/").await.text.replace("&amp;", "&");
    assert!(told.contains("1 connection has no live token just now"), "{told}");
    assert!(told.contains("no refresh has brought another yet"), "{told}");
    let at = told.find("/connections?standing=retrying&").expect("the way to it");
    let list = told[at..].split('"').next().unwrap();
    assert!(admin.get(list).await.text.contains(&format!("href=\"/connections/{id}\"")));
}

#[sqlx::test]
async fn what_was_disconnected_neither_rests_nor_goes_on(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let program = world.program(&[Scope::Admin]).await;
    program.press(&format!("/connections/{id}/disconnect")).await;
    for what in ["pause", "resume"] {
        let refused = program.press(&format!("/connections/{id}/{what}")).await;
        assert_eq!(refused.refusal().0, 409, "{}", refused.text);
        assert_eq!(refused.json::<Value>()["reason"], "disconnected", "{what}");
    }
}
