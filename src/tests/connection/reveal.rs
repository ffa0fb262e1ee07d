//! A token is shown to an admin who enters the password again: once, for a moment, and written down.

use axum::http::StatusCode;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::Role::{self, Admin, Auditor, Support},
        problem::Code,
    },
    server::app,
    tests::support::{Browser, PASSWORD, Page, World, email},
};

async fn begin(pool: PgPool) -> (World, Uuid) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    (world, id)
}

async fn held(world: &World, id: Uuid) -> String {
    let live = world.token(id, Duration::ZERO).await.expect("a token");
    live.access_token.expose_secret().to_owned()
}

async fn ask(browser: &mut Browser, id: Uuid, password: &str) -> Page {
    let form = [("id", &*id.to_string()), ("password", password)];
    browser.submit("connection/reveal", &form).await
}

/// What the server function itself answers.
async fn refused(browser: &mut Browser, id: Uuid, password: &str) -> Code {
    let form = [("id", &*id.to_string()), ("password", password)];
    browser.call("connection/reveal", &form).await.problem().code
}

async fn look(browser: &mut Browser, id: Uuid) -> Page {
    let page = browser.get(&format!("/connections/{id}/token")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert_eq!(page.header("cache-control"), "no-store");
    page
}

#[sqlx::test]
async fn the_right_password_shows_the_token_once(pool: PgPool) {
    let (world, id) = begin(pool).await;
    let token = held(&world, id).await;
    let mut admin = world.sign_in(Admin).await;
    let page = admin.get(&format!("/connections/{id}")).await;
    assert!(page.text.contains("/rpc/connection/reveal") && !page.text.contains(&token));
    let answer = ask(&mut admin, id, PASSWORD).await;
    assert_eq!(answer.location(), format!("/connections/{id}/token"));
    let shown = look(&mut admin, id).await;
    assert_eq!(shown.text.matches(&token).count(), 1, "{}", shown.text);
    assert_eq!(shown.header("refresh"), format!("30; url=/connections/{id}"));
    // Neither a look back nor a reload shows it.
    let again = look(&mut admin, id).await;
    assert!(!again.text.contains(&token) && again.header("refresh").is_empty());
    let seen = admin.transcript.iter().filter(|answer| answer.contains(&token)).count();
    assert_eq!(seen, 1);
    let written = world.audit("token.").await;
    assert_eq!(written.len(), 1);
    assert_eq!(
        (&*written[0].action, &*written[0].actor_label, written[0].subject_id.as_deref()),
        ("token.revealed", &*email("admin"), Some(&*id.to_string()))
    );
    assert!(!written[0].detail.to_string().contains(&token));
    app::token_reader::flush(&world.app).await.expect("a visit to the database");
    let page = admin.get(&format!("/connections/{id}")).await;
    for told in ["token.revealed", "to whom it was revealed"] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
}

#[sqlx::test]
async fn a_wrong_password_says_so_and_is_written_down(pool: PgPool) {
    let (world, id) = begin(pool).await;
    let token = held(&world, id).await;
    let mut admin = world.sign_in(Admin).await;
    let form = [("id", &*id.to_string()), ("password", "a wrong password")];
    let problem = admin.call("connection/reveal", &form).await.problem();
    assert_eq!(problem.code, Code::Invalid);
    assert_eq!(problem.field("password"), Some("is not your present password"));
    ask(&mut admin, id, "a wrong password").await;
    assert!(!look(&mut admin, id).await.text.contains(&token));
    assert_eq!(world.audit("token.refused").await.len(), 2);
    assert_eq!(world.audit("token.revealed").await.len(), 0);
}

/// Tries are counted with those of the login, and with those of a change of password.
#[sqlx::test]
async fn the_password_can_not_be_guessed(pool: PgPool) {
    let (world, id) = begin(pool).await;
    let mut admin = world.sign_in(Admin).await;
    for guess in 0..5 {
        assert_eq!(refused(&mut admin, id, &format!("guess {guess}")).await, Code::Invalid);
        let form = [("current", &*format!("other {guess}")), ("new", PASSWORD)];
        let problem = admin.call("session/change_password", &form).await.problem();
        assert_eq!(problem.code, Code::Invalid);
    }
    assert_eq!(refused(&mut admin, id, PASSWORD).await, Code::RateLimited);
    let mut other = world.browser();
    assert_eq!(other.sign_in("admin", PASSWORD).await.problem().code, Code::RateLimited);
    world.pass(Duration::minutes(16));
    assert_eq!(ask(&mut admin, id, PASSWORD).await.status, StatusCode::FOUND);
}

#[sqlx::test]
async fn whoever_is_no_admin_sees_nothing(pool: PgPool) {
    let (world, id) = begin(pool).await;
    let token = held(&world, id).await;
    for role in Role::ALL.into_iter().filter(|role| *role != Admin) {
        let mut browser = world.sign_in(role).await;
        assert!(matches!(role, Support | Auditor));
        assert_eq!(refused(&mut browser, id, PASSWORD).await, Code::Forbidden, "{role}");
        ask(&mut browser, id, PASSWORD).await;
        let page = browser.get(&format!("/connections/{id}/token")).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{role}");
        let page = browser.get(&format!("/connections/{id}")).await;
        assert!(!page.text.contains("/rpc/connection/reveal"), "{role}");
        assert!(browser.transcript.iter().all(|answer| !answer.contains(&token)), "{role}");
    }
    assert_eq!(world.audit("token.").await.len(), 0);
}

/// A permit is for one connection and for now.
#[sqlx::test]
async fn a_permit_is_good_for_nothing_else(pool: PgPool) {
    let (world, id) = begin(pool).await;
    let client = world.client("two", |_| {}).await;
    let other = world.import_of(client, "bob").await;
    let tokens = [held(&world, id).await, held(&world, other).await];
    let mut admin = world.sign_in(Admin).await;
    ask(&mut admin, id, PASSWORD).await;
    look(&mut admin, other).await;
    look(&mut admin, id).await;
    ask(&mut admin, id, PASSWORD).await;
    world.pass(Duration::seconds(30));
    look(&mut admin, id).await;
    for token in tokens {
        assert!(admin.transcript.iter().all(|answer| !answer.contains(&token)));
    }
    assert_eq!(world.audit("token.").await.len(), 0);
}
