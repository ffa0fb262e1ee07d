//! Signing in: the first admin, the login limit, and how sessions begin, live and end.

mod overtaken;
mod seen;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use futures::future::join_all;
use sqlx::PgPool;
use time::Duration;

use crate::{
    domain::{access::Role, overview::Viewer, problem::Code},
    server::app,
    tests::support::{Browser, PASSWORD, Page, World, email, form_of, new_connection},
};

impl Browser {
    async fn viewer(&mut self) -> Option<Viewer> {
        self.call("session/current", &[]).await.json()
    }
}

async fn set_up(browser: &mut Browser, token: &str, password: &str) -> Page {
    let form = [("token", token), ("email", "first@people.test"), ("password", password)];
    browser.call("session/setup", &form).await
}

fn token_of(address: &str) -> String {
    address.rsplit('/').next().unwrap_or_default().to_owned()
}

#[sqlx::test]
async fn the_setup_link_makes_one_admin_once(pool: PgPool) {
    let world = World::new(pool).await;
    let voided = app::session::offer_setup(&world.app).await.unwrap().unwrap();
    let address = app::session::offer_setup(&world.app).await.unwrap().unwrap();
    let mut browser = world.browser();
    assert_eq!(browser.get(&address).await.status, StatusCode::OK);
    for wrong in [token_of(&voided), "nonsense".into(), String::new()] {
        let refused = set_up(&mut browser, &wrong, PASSWORD).await.problem();
        assert_eq!(refused.code, Code::Conflict);
    }
    // A password that is too short does not spend the link.
    let refused = set_up(&mut browser, &token_of(&address), "short").await.problem();
    assert!(refused.field("password").is_some(), "{refused:?}");
    assert_eq!(browser.viewer().await, None);

    let made = set_up(&mut browser, &token_of(&address), PASSWORD).await;
    assert_eq!((made.status, made.location().as_str()), (StatusCode::OK, "/"));
    assert_eq!(browser.viewer().await.unwrap().role, Role::Admin);
    let again = set_up(&mut world.browser(), &token_of(&address), PASSWORD).await.problem();
    assert_eq!(again.code, Code::Conflict);
    assert_eq!(app::session::offer_setup(&world.app).await.unwrap(), None);
    assert_eq!(world.count("SELECT count(*) FROM users").await, 1);
}

/// The token of a link that was never used opens nothing once there is a user.
#[sqlx::test]
async fn an_old_setup_link_is_void_when_there_is_a_user(pool: PgPool) {
    let world = World::new(pool).await;
    let address = app::session::offer_setup(&world.app).await.unwrap().unwrap();
    world.person(Role::Support).await;
    let refused = set_up(&mut world.browser(), &token_of(&address), PASSWORD).await.problem();
    assert_eq!(refused.code, Code::Conflict);
}

/// Whoever opens the link is told before they type what it is good for.
#[sqlx::test]
async fn a_setup_link_says_what_it_is_good_for(pool: PgPool) {
    let world = World::new(pool).await;
    let voided = app::session::offer_setup(&world.app).await.unwrap().unwrap();
    let newest = app::session::offer_setup(&world.app).await.unwrap().unwrap();
    let mut browser = world.browser();
    assert!(browser.get("/login").await.text.contains("Nobody can sign in yet"));
    assert!(browser.get(&newest).await.text.contains("Create the first admin"));
    let old = browser.get(&voided).await.text;
    assert!(old.contains("it is not the newest") && !old.contains("Create the first admin"));
    let refused = set_up(&mut browser, &token_of(&newest), "First@People.test").await.problem();
    assert!(refused.field("password").is_some(), "the address is no password: {refused:?}");
    set_up(&mut browser, &token_of(&newest), PASSWORD).await;
    for link in [voided.as_str(), newest.as_str(), "/setup/nonsense"] {
        let page = world.browser().get(link).await.text;
        assert!(page.contains("makes nobody an admin any more"), "{link}: {page}");
        assert!(!page.contains("has no users yet") && !page.contains("name=\"password\""));
    }
    assert!(!world.browser().get("/login").await.text.contains("Nobody can sign in yet"));
}

/// Nobody's password is what stands on their business card.
#[sqlx::test]
async fn an_address_is_no_password(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let form =
        [("email", "longer@people.test"), ("role", "support"), ("password", "Longer@people.test")];
    let refused = admin.call("user/create", &form).await.problem();
    assert!(refused.field("password").is_some(), "{refused:?}");
    let own = email("admin");
    let form = [("current", PASSWORD), ("new", own.as_str())];
    let refused = admin.call("session/change_password", &form).await.problem();
    assert!(refused.field("new").is_some(), "{refused:?}");
    let other = world.person(Role::Support).await.to_string();
    let theirs = email("support");
    let form = [("id", other.as_str()), ("own", PASSWORD), ("password", theirs.as_str())];
    let refused = admin.call("user/set_password", &form).await.problem();
    assert!(refused.field("password").is_some(), "{refused:?}");
}

#[sqlx::test]
async fn two_who_open_the_setup_link_at_once_make_one_admin(pool: PgPool) {
    let world = World::new(pool).await;
    let address = app::session::offer_setup(&world.app).await.unwrap().unwrap();
    let token = token_of(&address);
    let made = join_all((0..4).map(async |n| {
        let address = format!("admin{n}@people.test");
        app::session::setup(&world.app, &token, &address, PASSWORD.into()).await.is_ok()
    }))
    .await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
}

#[sqlx::test]
async fn a_wrong_login_tells_nothing_and_is_on_record(pool: PgPool) {
    let world = World::new(pool).await;
    world.person(Role::Support).await;
    let mut browser = world.browser();
    let wrong = browser.sign_in("support", "not the password").await.problem();
    let nobody = browser.sign_in("nobody", "not the password").await.problem();
    assert_eq!((wrong.code, &wrong), (Code::Invalid, &nobody));
    assert_eq!(browser.viewer().await, None);
    let entries = world.audit("session.refused").await;
    let labels: Vec<_> = entries.iter().map(|entry| entry.subject_label.as_str()).collect();
    // What was typed for an unknown account may be a password.
    assert_eq!(labels, ["unknown account", &email("support")]);
}

#[sqlx::test]
async fn many_wrong_passwords_shut_the_account_for_a_while(pool: PgPool) {
    let world = World::new(pool).await;
    world.person(Role::Support).await;
    world.person(Role::Auditor).await;
    let mut browser = world.browser();
    for _ in 0..9 {
        assert_eq!(browser.sign_in("support", "wrong").await.problem().code, Code::Invalid);
    }
    // A right one in between takes the count back.
    assert_eq!(browser.sign_in("support", PASSWORD).await.status, StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(browser.sign_in("SUPPORT", "wrong").await.problem().code, Code::Invalid);
    }
    let mut elsewhere = world.browser();
    elsewhere.address = [192, 0, 2, 99].into();
    for browser in [&mut browser, &mut elsewhere] {
        let refused = browser.sign_in("support", PASSWORD).await.problem();
        assert_eq!(refused.code, Code::RateLimited);
    }
    assert_eq!(elsewhere.sign_in("auditor", PASSWORD).await.status, StatusCode::OK);
    world.pass(Duration::minutes(16));
    assert_eq!(browser.sign_in("support", PASSWORD).await.status, StatusCode::OK);
}

#[sqlx::test]
async fn many_wrong_accounts_shut_the_address_for_a_while(pool: PgPool) {
    let world = World::new(pool).await;
    world.person(Role::Support).await;
    let mut browser = world.browser();
    for n in 0..50 {
        let refused = browser.sign_in(&format!("guess{n}"), "wrong").await.problem();
        assert_eq!(refused.code, Code::Invalid, "{n}");
    }
    assert_eq!(browser.sign_in("support", PASSWORD).await.problem().code, Code::RateLimited);
    let mut elsewhere = world.browser();
    elsewhere.address = [192, 0, 2, 99].into();
    assert_eq!(elsewhere.sign_in("support", PASSWORD).await.status, StatusCode::OK);
    world.pass(Duration::minutes(16));
    assert_eq!(browser.sign_in("support", PASSWORD).await.status, StatusCode::OK);
}

#[sqlx::test]
async fn many_tries_at_once_do_not_slip_past_the_limit(pool: PgPool) {
    let world = World::new(pool).await;
    world.person(Role::Support).await;
    let origin = app::session::Origin { address: "192.0.2.1".into() };
    let address = email("support");
    let tries = (0..40).map(|_| app::session::login(&world.app, &origin, &address, "wrong".into()));
    let tried = join_all(tries).await;
    let limited = tried.iter().filter(|one| matches!(one, Err(app::Error::RateLimited(_)))).count();
    assert!(40 - limited <= 10, "{} were tried", 40 - limited);
}

#[sqlx::test]
async fn the_sessions_id_changes_at_login_and_the_old_one_is_nobodys(pool: PgPool) {
    let world = World::new(pool).await;
    world.person(Role::Support).await;
    let mut browser = world.browser();
    // The address of a flow gives even a stranger a session; one that leads nowhere does not.
    browser.get("/oauth/start/nonsense").await;
    assert_eq!(browser.cookies.len(), 0);
    let client = world.client("one", |_| {}).await;
    let connecting = app::connection::connect(&world.app, &world.admin, new_connection(client));
    browser.get(&connecting.await.unwrap()).await;
    let before = browser.clone();
    assert_eq!(before.cookies.len(), 1);
    browser.sign_in("support", PASSWORD).await;
    assert_ne!(browser.cookies, before.cookies);
    let signed_in = browser.clone();
    assert!(signed_in.clone().viewer().await.is_some());
    assert_eq!(before.clone().viewer().await, None);
    browser.sign_in("support", PASSWORD).await;
    assert_ne!(browser.cookies, signed_in.cookies);

    let copied = browser.clone();
    assert_eq!(browser.call("session/logout", &[]).await.location(), "/login");
    assert_eq!(browser.viewer().await, None);
    assert_eq!(copied.clone().viewer().await, None, "a copied cookie ends with the session");
    // The table opens no session either: it holds no cookie.
    let ids = "SELECT count(*) FROM sessions WHERE length(id) <> 64";
    assert_eq!(world.count(ids).await, 0);
}

#[sqlx::test]
async fn a_session_ends_when_nobody_comes_and_in_any_case_after_a_week(pool: PgPool) {
    let world = World::new(pool).await;
    let mut used = world.sign_in(Role::Support).await;
    let mut idle = used.clone();
    idle.cookies.clear();
    idle.sign_in("support", PASSWORD).await;
    let begun = world.now();
    world.pass(Duration::hours(7) + Duration::minutes(50));
    assert!(used.viewer().await.is_some());
    world.pass(Duration::minutes(11));
    assert!(used.viewer().await.is_some(), "its limit counts from the last request");
    assert_eq!(idle.viewer().await, None);
    while world.now() + Duration::hours(7) < begun + Duration::days(7) {
        world.pass(Duration::hours(7));
        assert!(used.viewer().await.is_some());
    }
    world.clock.set(begun + Duration::days(7) + Duration::seconds(1));
    assert_eq!(used.viewer().await, None);
    // Nothing of them is left after the sweep.
    world.pass(Duration::hours(9));
    app::upkeep::sweep(&world.app).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM sessions").await, 0);
}

#[sqlx::test]
async fn whoever_is_shut_out_is_out_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let mut support = world.sign_in(Role::Support).await;
    let mut elsewhere = world.browser();
    elsewhere.sign_in("support", PASSWORD).await;
    let id = support.viewer().await.unwrap().id.to_string();
    let switch = [("id", id.as_str()), ("disabled", "true")];
    assert_eq!(admin.call("user/set_disabled", &switch).await.status, StatusCode::OK);
    assert_eq!((support.viewer().await, elsewhere.viewer().await), (None, None));
    assert_eq!(support.sign_in("support", PASSWORD).await.problem().code, Code::Invalid);
    // Let in again, they sign in again: no old session comes back to life.
    let switch = [("id", id.as_str()), ("disabled", "false")];
    assert_eq!(admin.call("user/set_disabled", &switch).await.status, StatusCode::OK);
    assert_eq!((support.viewer().await, elsewhere.viewer().await), (None, None));
    assert_eq!(support.sign_in("support", PASSWORD).await.status, StatusCode::OK);
    // A role counts from the next request on.
    let promoted = [("id", id.as_str()), ("role", "auditor")];
    assert_eq!(admin.call("user/set_role", &promoted).await.status, StatusCode::OK);
    assert_eq!(support.viewer().await.unwrap().role, Role::Auditor);
}

#[sqlx::test]
async fn the_last_admin_stays_one(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id = admin.viewer().await.unwrap().id.to_string();
    let shut_out = [("id", id.as_str()), ("disabled", "true")];
    let demoted = [("id", id.as_str()), ("role", "auditor")];
    assert_eq!(admin.call("user/set_disabled", &shut_out).await.problem().code, Code::Conflict);
    assert_eq!(admin.call("user/set_role", &demoted).await.problem().code, Code::Conflict);
    assert_eq!(admin.viewer().await.unwrap().role, Role::Admin);
    world.person_named("other", Role::Admin).await;
    assert_eq!(admin.call("user/set_role", &demoted).await.status, StatusCode::OK);
}

#[sqlx::test]
async fn a_new_password_ends_all_other_sessions(pool: PgPool) {
    let world = World::new(pool).await;
    let mut here = world.sign_in(Role::Support).await;
    let mut elsewhere = world.browser();
    elsewhere.sign_in("support", PASSWORD).await;
    let new = "another long enough one";
    let wrong = [("current", "wrong"), ("new", new)];
    let refused = here.call("session/change_password", &wrong).await.problem();
    assert!(refused.field("current").is_some());
    let short = [("current", PASSWORD), ("new", "short")];
    let refused = here.call("session/change_password", &short).await.problem();
    assert!(refused.field("new").is_some());
    assert!(elsewhere.viewer().await.is_some());

    let before = here.clone();
    let right = [("current", PASSWORD), ("new", new)];
    assert_eq!(here.call("session/change_password", &right).await.status, StatusCode::OK);
    assert!(here.viewer().await.is_some());
    assert_eq!((before.clone().viewer().await, elsewhere.viewer().await), (None, None));
    assert_eq!(elsewhere.sign_in("support", PASSWORD).await.problem().code, Code::Invalid);
    assert_eq!(elsewhere.sign_in("support", new).await.status, StatusCode::OK);
}

/// Whoever forgot theirs is given a new one: by an admin, who shows that it is them.
#[sqlx::test]
async fn an_admin_gives_somebody_a_new_password(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let mut support = world.sign_in(Role::Support).await;
    let id = support.viewer().await.unwrap().id.to_string();
    let new = "another long enough one";
    let form = |own, password| [("id", id.as_str()), ("password", password), ("own", own)];
    let refused = admin.call("user/set_password", &form("wrong", new)).await.problem();
    assert!(refused.field("own").is_some(), "{refused:?}");
    let refused = admin.call("user/set_password", &form(PASSWORD, "short")).await.problem();
    assert!(refused.field("password").is_some(), "{refused:?}");
    assert!(support.viewer().await.is_some());
    for _ in 0..10 {
        world.browser().sign_in("support", "forgotten").await;
    }
    let shut = support.clone().sign_in("support", PASSWORD).await.problem();
    assert_eq!(shut.code, Code::RateLimited);

    assert_eq!(admin.call("user/set_password", &form(PASSWORD, new)).await.status, 200);
    assert_eq!(support.viewer().await, None, "their sessions end");
    assert!(admin.viewer().await.is_some());
    assert_eq!(support.sign_in("support", PASSWORD).await.problem().code, Code::Invalid);
    assert_eq!(support.sign_in("support", new).await.status, StatusCode::OK);
    let told = world.audit("user.set_password").await;
    let told: Vec<_> = told.iter().map(|one| (&*one.actor_label, &*one.subject_label)).collect();
    assert_eq!(told, [(&*email("admin"), &*email("support"))]);

    // One's own is changed where the present one is asked for.
    let own = admin.viewer().await.unwrap().id.to_string();
    let form = [("id", own.as_str()), ("password", new), ("own", PASSWORD)];
    assert_eq!(admin.call("user/set_password", &form).await.problem().code, Code::Invalid);
    let page = admin.get(&format!("/users/{own}/password")).await.text;
    assert!(page.contains("in your profile") && !page.contains("user/set_password"), "{page}");
    // Whoever is shut out stays so.
    let switch = [("id", id.as_str()), ("disabled", "true")];
    admin.call("user/set_disabled", &switch).await;
    let page = admin.get(&format!("/users/{id}/password")).await.text;
    assert!(page.contains("stay so until they are let in again"), "{page}");
    let form = [("id", id.as_str()), ("password", PASSWORD), ("own", PASSWORD)];
    assert_eq!(admin.call("user/set_password", &form).await.status, 200);
    assert_eq!(support.sign_in("support", PASSWORD).await.problem().code, Code::Invalid);
}

#[sqlx::test]
async fn the_cookie_is_shut_to_scripts_and_over_https_to_everyone_else(pool: PgPool) {
    let world = World::new(pool.clone()).await;
    let plain = world.sign_in(Role::Support).await.set_cookie.unwrap();
    let parts = |cookie: &str| -> Vec<String> {
        cookie.split("; ").skip(1).map(str::to_ascii_lowercase).collect()
    };
    assert!(plain.starts_with("regrant="), "{plain}");
    for wanted in ["httponly", "samesite=lax", "path=/"] {
        assert!(parts(&plain).contains(&wanted.into()), "{plain}");
    }

    world.execute("DELETE FROM providers").await;
    let world = World::at(pool, "https://regrant.example").await;
    let mut browser = world.browser();
    let signed_in = browser.sign_in("support", PASSWORD).await;
    let cookie = browser.set_cookie.clone().unwrap();
    assert!(cookie.starts_with("__Host-regrant="), "{cookie}");
    for wanted in ["secure", "httponly", "samesite=lax", "path=/"] {
        assert!(parts(&cookie).contains(&wanted.into()), "{cookie}");
    }
    assert!(!cookie.to_ascii_lowercase().contains("domain="), "{cookie}");
    assert!(signed_in.header("strict-transport-security").starts_with("max-age="));
}

#[sqlx::test]
async fn a_request_from_another_site_does_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let ours = "http://127.0.0.1:3000";
    let headers: [(&[(&str, &str)], bool); 10] = [
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "none")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", ours)], false),
        (&[("origin", "http://evil.example")], false),
        (&[("origin", "null")], false),
        (&[("origin", "http://127.0.0.1:3001")], false),
        (&[], false),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("origin", ours)], true),
    ];
    let form = [("email", "new@people.test"), ("role", "admin"), ("password", PASSWORD)];
    for (headers, passes) in headers {
        let mut request = Request::post("/rpc/user/create").header(header::ACCEPT, "*/*");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = browser.send(form_of(request, &form)).await;
        let wanted = if passes { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, wanted, "{headers:?}");
        let made = "SELECT count(*) FROM users WHERE email = 'new@people.test'";
        assert_eq!(world.count(made).await, i64::from(passes), "{headers:?}");
        world.execute("DELETE FROM users WHERE email = 'new@people.test'").await;
    }
    // And by GET, as a link or an image would, there is nothing at all.
    let query = serde_urlencoded::to_string(form).unwrap();
    let request = Request::get(format!("/rpc/user/create?{query}"))
        .header("sec-fetch-site", "same-origin")
        .body(Body::empty())
        .unwrap();
    assert_eq!(browser.send(request).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.count("SELECT count(*) FROM users").await, 1);
}

#[sqlx::test]
async fn signing_in_leads_to_a_page_of_ours_only(pool: PgPool) {
    let world = World::new(pool).await;
    world.person(Role::Support).await;
    for (next, leads_to) in [
        ("/clients?x=1", "/clients?x=1"),
        ("https://evil.example/", "/relinks"),
        ("//evil.example", "/relinks"),
    ] {
        let (address, mut browser) = (email("support"), world.browser());
        let form = [("email", address.as_str()), ("password", PASSWORD), ("next", next)];
        let answer = browser.submit("session/login", &form).await;
        assert_eq!((answer.status, answer.location().as_str()), (StatusCode::FOUND, leads_to));
        assert!(browser.viewer().await.is_some());
    }
}
