//! For how long a session is in use, and what is told when nobody can see whose it is.

use axum::http::StatusCode;
use sqlx::PgPool;
use time::Duration;

use crate::{
    domain::access::Role,
    tests::support::{PASSWORD, World},
};

/// A page that is open looks at itself again and again, and nobody is there.
#[sqlx::test]
async fn what_a_page_does_by_itself_keeps_no_session(pool: PgPool) {
    let world = World::new(pool).await;
    let mut open = world.sign_in(Role::Support).await;
    let mut used = world.browser();
    used.sign_in("support", PASSWORD).await;
    for _ in 0..15 {
        world.pass(Duration::minutes(30));
        assert_eq!(open.look("/relinks").await.status, StatusCode::OK);
        open.listen("").await;
        assert_eq!(used.get("/relinks").await.status, StatusCode::OK);
    }
    world.pass(Duration::minutes(31));
    assert!(open.look("/relinks").await.location().starts_with("/login"));
    assert_eq!(open.viewer().await, None);
    assert!(used.viewer().await.is_some());
}

/// The cookie outlives each use: it is not sent again, and the session's own end decides.
#[sqlx::test]
async fn reading_pages_sends_no_cookie_and_writes_no_session(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let version = "SELECT xmin::text::bigint FROM sessions";
    let (before, sent) = (world.count(version).await, admin.set_cookie.clone());
    assert!(sent.as_ref().unwrap().contains("Max-Age=604800"), "{sent:?}");
    for path in [
        "/api-keys".into(),
        format!("/clients/{client}"),
        format!("/clients/{client}/dry-run"),
        "/connections".into(),
    ] {
        assert_eq!(admin.get(&path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(world.count(version).await, before);
    world.pass(Duration::minutes(6));
    admin.get("/connections").await;
    assert_ne!(world.count(version).await, before, "its end is moved now and then");
    assert_eq!(admin.set_cookie, sent);
}

#[sqlx::test]
async fn a_database_that_is_away_signs_nobody_out(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    world.pool.close().await;
    // A page comes again by itself; what was sent is not sent again.
    let [shown, sent] = [admin.get("/clients").await, admin.submit("user/create", &[]).await];
    assert_eq!((shown.header("refresh"), sent.header("refresh")), ("5", ""));
    for page in [shown, sent] {
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(page.header("retry-after"), "5");
        assert!(page.text.contains("Nothing was done"), "{}", page.text);
    }
    assert_eq!(admin.cookies.len(), 1);
}
