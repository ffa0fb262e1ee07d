//! Lists: every item once, page by page, whatever the list.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;

use super::makers;
use crate::{
    domain::{access::Scope, connection::Standing},
    tests::support::{Program, World},
};

/// Walks a list from page to page; what `pointer` finds in each item.
async fn walk(program: &Program, path: &str, limit: usize, pointer: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = program.get(&format!("{path}{sign}limit={limit}{cursor}")).await.ok();
        let items = page["items"].as_array().expect("items");
        let text = |item: &Value| item.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        found.extend(items.iter().map(text));
        let Some(next) = page["next"].as_str() else {
            assert!(items.len() <= limit);
            return found;
        };
        assert_eq!(items.len(), limit, "{path}");
        cursor =
            format!("&cursor={}", serde_urlencoded::to_string([("", next)]).unwrap().split_off(1));
    }
}

#[sqlx::test]
async fn every_list_gives_each_item_once(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let mut connection = String::new();
    for n in 0..5 {
        connection = admin.import(&world, client).await;
        world.pass(Duration::seconds(1));
        admin.post("/clients", &makers::client(&format!("Client {n}"))).await.ok();
        admin.post("/api-keys", &makers::key(&format!("key {n}"))).await.ok();
        admin.post("/users", &makers::user(&format!("user{n}@people.test"))).await.ok();
    }
    for _ in 0..5 {
        assert_eq!(
            admin.press(&format!("{connection}/refresh")).await.ok()["verdict"],
            "refreshed"
        );
        admin.press(&format!("{connection}/relink")).await.ok();
        world.pass(Duration::minutes(30));
    }
    let (attempts, relinks) = (format!("{connection}/attempts"), format!("{connection}/relinks"));
    for (path, pointer, count) in [
        ("/connections", "/id", 5),
        ("/connections?sort=needs_human_by", "/id", 5),
        ("/connections?sort=expires", "/id", 5),
        ("/connections?sort=label", "/id", 5),
        ("/connections?sort=refreshed", "/id", 5),
        ("/clients", "/id", 6),
        ("/users", "/id", 5),
        ("/api-keys", "/id", 6),
        (attempts.as_str(), "/id", 5),
        (relinks.as_str(), "/id", 5),
        ("/relinks", "/relink/id", 5),
        ("/relinks?show=all", "/relink/id", 5),
        ("/relinks?show=open", "/relink/id", 1),
        ("/audit?action=user", "/id", 5),
    ] {
        let whole = walk(&admin, path, 200, pointer).await;
        assert_eq!(whole.len(), count, "{path}");
        for limit in [1, 2, count.max(2)] {
            assert_eq!(walk(&admin, path, limit, pointer).await, whole, "{path} by {limit}");
        }
    }
    let providers = walk(&admin, "/providers", 200, "/profile/slug").await;
    assert!(providers.len() > 10 && providers.is_sorted());
    assert_eq!(walk(&admin, "/providers", 3, "/profile/slug").await, providers);
    let audit = walk(&admin, "/audit", 200, "/id").await;
    assert_eq!(walk(&admin, "/audit", 7, "/id").await, audit);
}

/// Between two pages the item that the cursor names may go.
#[sqlx::test]
async fn a_cursor_outlives_its_item(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let made = admin.post("/clients", &makers::client(&format!("Client {n}"))).await.ok();
        ids.push(made["id"].as_str().unwrap().to_owned());
        world.pass(Duration::seconds(1));
    }
    let first = admin.get("/clients?limit=2").await.ok();
    assert_eq!(admin.delete(&format!("/clients/{}", ids[1])).await.status, 204);
    let next = first["next"].as_str().unwrap();
    let second = admin.get(&format!("/clients?limit=2&cursor={next}")).await.ok();
    assert_eq!(second["items"][0]["id"], json!(ids[2]));
    assert_eq!(second["next"], Value::Null);
}

#[sqlx::test]
async fn filters_choose(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let (one, two) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let first = admin.import(&world, one).await;
    world.pass(Duration::seconds(1));
    let second = admin.import(&world, two).await;
    world.pass(Duration::seconds(1));
    admin.patch(&first, &json!({ "label": "Books & records" })).await.ok();
    admin.press(&format!("{second}/disconnect")).await;
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let first = vec![id(&first)];
    let second = vec![id(&second)];
    for (query, expected) in [
        ("state=active".to_owned(), &first),
        ("state=disconnected".into(), &second),
        ("standing=alive".into(), &first),
        ("standing=disconnected".into(), &second),
        ("standing=client-refused".into(), &Vec::new()),
        (format!("client={one}"), &first),
        (format!("client={two}"), &second),
        ("q=BOOKS+%26".into(), &first),
        ("expires_before=2026-03-02T00:00:00Z".into(), &first),
        ("expires_before=2026-03-02T02:00:00%2B02:00".into(), &first),
        ("provider=strict&state=active".into(), &first),
        ("provider=nobody".into(), &Vec::new()),
        ("drift=true".into(), &Vec::new()),
        ("end=unknown".into(), &Vec::new()),
        ("dead_since=2026-03-01T12:00:00Z".into(), &Vec::new()),
        ("expires_before=2026-03-01T12:00:00Z".into(), &Vec::new()),
    ] {
        let found = walk(&admin, &format!("/connections?{query}"), 50, "/id").await;
        assert_eq!(found, *expected, "{query}");
    }
    let made = walk(&admin, "/audit?action=connection.import", 50, "/subject_id").await;
    assert_eq!(made, [second[0].clone(), first[0].clone()]);
    let of_first = format!("/audit?subject={}&action=connection", first[0]);
    assert_eq!(
        walk(&admin, &of_first, 50, "/action").await,
        ["connection.update", "connection.import"]
    );
}

/// The word on a connection is the word it is found by.
#[sqlx::test]
async fn each_connection_stands_as_the_filter_says(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let (one, refused) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let mut paths = Vec::new();
    for account in ["a", "b", "c", "d", "e"] {
        let path = admin.import(&world, one).await;
        admin.patch(&path, &json!({ "label": account })).await.ok();
        paths.push(path);
    }
    paths.push(admin.import(&world, refused).await);
    let pending = json!({ "client_id": one, "grant": "authorization_code" });
    let begun = admin.post("/connections", &pending).await.ok();
    assert_eq!(begun["standing"], "pending");
    let paused = admin.press(&format!("{}/pause", paths[4])).await.ok();
    assert_eq!(paused["standing"], "paused");
    for sql in [
        "UPDATE connections SET state = 'needs_reauth', reason = 'revoked', due_at = NULL,
                needs_human_by = timestamptz '2026-03-01 00:00+00' WHERE label = 'b'",
        "UPDATE connections SET state = 'retrying', failures = 1 WHERE label = 'c'",
        "UPDATE connections SET needs_human_by = timestamptz '2026-03-03 00:00+00' WHERE label = 'd'",
        "UPDATE clients SET state = 'credentials_rejected' WHERE name = 'Client two'",
    ] {
        world.execute(sql).await;
    }
    let whole = admin.get("/connections").await.ok();
    let whole = whole["items"].as_array().unwrap();
    for standing in Standing::ALL {
        let word = json!(standing);
        let page = admin.get(&format!("/connections?standing={}", standing.as_str())).await.ok();
        let found = page["items"].as_array().unwrap();
        let stand: Vec<_> = whole.iter().filter(|one| one["standing"] == word).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), stand, "{standing:?}");
        assert_eq!(found.len(), usize::from(standing != Standing::Disconnected), "{standing:?}");
        for one in found {
            let path = format!("/connections/{}", one["id"].as_str().unwrap());
            assert_eq!(admin.get(&path).await.ok()["standing"], word);
        }
    }
    let soon = &admin.get("/overview").await.ok()["needs_human"];
    let soon: Vec<_> = soon.as_array().unwrap().iter().map(|one| &one["standing"]).collect();
    assert_eq!(soon, ["needs-person", "soon"]);
}

/// What it would go on with has no place in another order: nothing would follow, and whoever reads the list
/// would take it for its end.
#[sqlx::test]
async fn a_cursor_goes_on_in_its_own_order_only(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    for _ in 0..3 {
        admin.import(&world, client).await;
        world.pass(Duration::seconds(1));
    }
    let first = admin.get("/connections?sort=label&limit=1").await.ok();
    let next = first["next"].as_str().unwrap();
    let on = admin.get(&format!("/connections?sort=label&limit=1&cursor={next}")).await.ok();
    assert_eq!(on["items"].as_array().unwrap().len(), 1);
    for other in ["", "sort=expires&", "sort=newest&"] {
        let refused = admin.get(&format!("/connections?{other}cursor={next}")).await;
        assert_eq!((refused.refusal().0, refused.field()), (422, "cursor".into()), "{other}");
        assert!(refused.text.contains("label"), "{}", refused.text);
    }
}
