//! Links for many: what is said before they are made, whom they leave out and why, and what became of each since.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use super::dead;
use crate::{
    domain::{
        access::{Role, Scope},
        client::ClientPatch,
        voice,
    },
    server::app,
    tests::support::{Program, World},
};

async fn maker(world: &World) -> Program {
    world.program(&[Scope::ConnectionsRead, Scope::ConnectionsRelink]).await
}

/// A job of relinks on all that there is, carried out; its path.
async fn links_for_all(world: &World, maker: &Program) -> String {
    let job = maker.post("/jobs", &json!({ "action": "relink", "filter": {} })).await.ok();
    app::job::run_due(&world.app).await.expect("the worker's look");
    format!("/jobs/{}", job["id"].as_str().expect("an id"))
}

/// One whose account is known, one that nothing renews and nobody knows, and one that renewals keep alive and
/// nobody knows either, to which no link can be made.
async fn three(world: &World) -> [Uuid; 3] {
    let client = world.client("one", |_| {}).await;
    let known = world.import(client).await;
    let unknown = world.import_text(client, json!({ "access_token": "a" }).to_string()).await;
    let kept = world.import_of(client, "bob").await;
    world
        .execute(
            "UPDATE connections SET account_id = NULL, account_label = NULL
             WHERE account_label LIKE 'bob%'",
        )
        .await;
    [known, unknown.expect("an import").id, kept]
}

#[sqlx::test]
async fn whose_account_nobody_knows_is_said_before_links_are_made(pool: PgPool) {
    let world = World::new(pool).await;
    let [_, unknown, kept] = three(&world).await;
    let maker = maker(&world).await;
    for new in [
        json!({ "action": "relink", "filter": {} }),
        json!({ "action": "relink", "ids": [unknown, kept] }),
    ] {
        let all = new.get("ids").is_none();
        let seen = maker.post("/jobs/preview", &new).await.ok();
        assert_eq!(seen["total"], json!(if all { 3 } else { 2 }), "{seen}");
        assert_eq!(seen["possible"], json!(if all { 2 } else { 1 }), "{seen}");
        assert_eq!(seen["unknown_accounts"], json!(1), "{seen}");
        assert_eq!(seen["clients"][0]["unknown_accounts"], json!(1), "{seen}");
        let stand = seen["standings"].as_array().expect("standings").iter();
        assert_eq!(stand.map(|one| one["count"].as_i64().unwrap()).sum::<i64>(), seen["total"]);
    }
    let mut support = world.sign_in(Role::Support).await;
    let page = support.get("/jobs/new?action=relink&of=all").await.text;
    for part in [&*voice::job_unknown_accounts(1), "Create 2 relinks", "How they stand: "] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(page.contains("A link can be made for 2 of them"), "{page}");
    // Nobody's account is concerned where nobody gives consent.
    let page = support.get("/jobs/new?action=refresh&of=all").await.text;
    assert!(page.contains("Refresh 2") && !page.contains("whose account"), "{page}");
}

#[sqlx::test]
async fn a_job_of_links_tells_whom_it_left_out_and_whose_account_nobody_knows(pool: PgPool) {
    let world = World::new(pool).await;
    let [known, unknown, kept] = three(&world).await;
    let path = links_for_all(&world, &maker(&world).await).await;
    let mut support = world.sign_in(Role::Support).await;
    let page = support.get(&path).await.text;
    assert!(page.contains("Done: 2 of 3 links made, 1 was left out."), "{page}");
    let (far, without) = page.split_once("aria-label=\"Who got no link\"").expect("a table");
    assert_eq!(far.matches(voice::UNKNOWN_ACCOUNT_SHORT).count(), 1, "{page}");
    assert!(without.contains(&format!("href=\"/connections/{kept}\"")), "{page}");
    assert!(without.contains("does not know whose account it is"), "{page}");
    assert!(!page.contains("othing to do"), "{page}");

    let each = support.get(&format!("{path}?show=each")).await.text;
    let each = each.split("aria-label=\"What came of each\"").nth(1).expect("a table");
    for id in [known, unknown, kept] {
        assert!(each.contains(&format!("href=\"/connections/{id}\"")), "{each}");
    }
    assert!(each.contains("Left out") && each.contains("A link was made."), "{each}");
}

#[sqlx::test]
async fn a_link_that_another_replaced_stands_in_no_file(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let maker = maker(&world).await;
    let path = links_for_all(&world, &maker).await;
    let outcome = async || maker.get(&format!("{path}/outcomes")).await.ok()["items"][0].clone();
    let first = outcome().await;
    assert_eq!(first["link_state"], "sent");
    let link = first["link"].as_str().expect("a link").to_owned();
    let mails = format!("/exports{path}/mails?format=csv");
    assert!(maker.get(&mails).await.text.contains(&link));

    world.pass(Duration::seconds(1));
    assert!(maker.press(&format!("/connections/{id}/relink")).await.status.is_success());
    let now = outcome().await;
    assert_eq!((&now["link_state"], &now["link"]), (&json!("replaced"), &Value::Null));
    assert!(now["detail"].as_str().unwrap().contains("newer one has taken its place"), "{now}");
    for file in [format!("/exports{path}?format=csv"), mails.clone()] {
        assert!(!maker.get(&file).await.text.contains("/relink/"), "{file}");
    }
    let file = maker.get(&format!("/exports{path}?format=csv")).await.text;
    assert!(file.lines().next().unwrap().ends_with(",external_id,link_state"), "{file}");
    assert!(file.lines().nth(1).unwrap().ends_with(",replaced"), "{file}");
    // Whom no e-mail is for is named, and nothing is there to be sent.
    let file = maker.get(&format!("/exports{path}/mails")).await.text;
    let left: Value = serde_json::from_str(file.trim()).expect("one row");
    assert_eq!(left["connection_id"], json!(id));
    assert!(left["left_out"].as_str().unwrap().contains("not by a job"), "{left}");
    assert_eq!((&left["account"], &left["text"]), (&Value::Null, &json!("")));
    let page = support.get(&format!("{path}?show=each")).await.text;
    assert!(page.contains("A newer one has taken its place since."), "{page}");
}

#[sqlx::test]
async fn an_occasion_tells_who_needs_a_person_anyway_and_whom_no_outage_threw_out(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for account in ["alice", "bob"] {
        world.connect(&mut admin, client, account).await;
    }
    let more = ["openid", "email", "api:read", "api:write", "offline_access"].map(str::to_owned);
    let patch = ClientPatch { scopes: Some(more.to_vec()), ..ClientPatch::default() };
    app::client::update(&world.app, &world.admin, client, patch, None).await.expect("more scopes");
    let other = world.client("two", |_| {}).await;
    world.import_of(other, "carol").await;
    world
        .execute(
            "UPDATE connections SET state = 'needs_reauth', reason = 'revoked', due_at = NULL
             WHERE account_label NOT LIKE 'alice%'",
        )
        .await;
    let since = world.now() - Duration::days(1);
    world.execute("UPDATE connections SET state_since = created_at").await;
    let found = app::campaign::occasions(&world.app, &world.admin, since).await.unwrap();
    let drift: Vec<_> =
        found.drift.iter().map(|one| (one.count, one.possible, one.needs_person)).collect();
    assert_eq!(drift, [(2, 2, 1)]);
    let mut dead: Vec<_> =
        found.dead.iter().map(|one| (one.client_id, one.count, one.never_renewed)).collect();
    dead.sort_unstable();
    let mut expected = [(client, 1, 0), (other, 1, 1)];
    expected.sort_unstable();
    assert_eq!(dead, expected);
    let mut support = world.sign_in(Role::Support).await;
    let page = support.get("/relinks/many").await.text;
    for part in ["1 needs a person anyway", "never worked here, outage or not"] {
        assert_eq!(page.matches(part).count(), 1, "{part} in {page}");
    }
}

/// It may be the better one, or the one that should have been brought back.
#[sqlx::test]
async fn whoever_was_connected_already_is_named_to_the_desk(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let relink = super::made(&mut support, id).await;
    let watch = format!("/relinks/{}", relink.id);
    let client = world.connection(id).await.client_id;
    let (twin, _) = (world.import(client).await, world.import_of(client, "bob").await);
    let told = voice::twins("alice@example.com", 1);
    assert!(!support.get(&watch).await.text.contains(&told));
    let token = super::token_of(&relink);
    let mut owner = world.browser();
    assert_eq!(super::follow(&world, &mut owner, &token, "alice").await, "/relink/outcome/done");
    let page = support.get(&watch).await.text;
    assert!(page.contains(&told), "{page}");
    assert!(page.contains(&format!("href=\"/connections/{twin}\"")), "{page}");
}
