//! What was done is said in words, on the page that the form leads to, and what can't be taken back is
//! asked about before.

use std::collections::BTreeSet;

use leptos::server_fn::axum::server_fn_paths;
use sqlx::PgPool;

use super::support::{Page, World};
use crate::{
    domain::{
        access::{Role, Scope},
        job::{Action, NewJob},
        voice,
    },
    server::app,
};

/// The functions that no form of a page calls to change something.
const READ: &[&str] = &[
    "api_key/list",
    "api_key/made",
    "audit/list",
    "brand/get",
    "campaign/list",
    "campaign/progress",
    "campaign/reasons",
    "client/checked",
    "client/get",
    "client/list",
    "client/names",
    "client/redirect_uri",
    "connection/attempts",
    "connection/get",
    "connection/list",
    "connection/made_relink",
    "connection/revealed",
    "dry_run/last",
    "dry_run/requests",
    "import/get",
    "import/list",
    "job/failed",
    "job/get",
    "job/list",
    "job/outcomes",
    "job/preview",
    "overview/get",
    "provider/edit",
    "provider/get",
    "provider/list",
    "rehearsal/prospects",
    "relink/detail",
    "relink/get",
    "relink/handed",
    "relink/list",
    "relink/others",
    "saved_filter/list",
    "session/current",
    "session/setup_link",
    "user/get",
    "user/list",
];
/// Those after which a page of its own shows what came of it, or the form says so itself.
const SHOWN: &[&str] = &[
    "brand/update",
    "campaign/create",
    "client/check",
    "client/create",
    "client/replace_secret",
    "connection/connect",
    "connection/connect_device",
    "connection/exchange",
    "connection/grant_client_credentials",
    "connection/import",
    "connection/introspect",
    "connection/reauthorize",
    "connection/reauthorize_device",
    "connection/refresh",
    "connection/relink",
    "connection/reveal",
    "dry_run/read",
    "job/create",
    "job/stop",
    "provider/discover",
    "rehearsal/set",
    "relink/create",
    "saved_filter/create",
    "session/change_password",
    "session/login",
    "session/logout",
    "session/setup",
    "user/set_password",
];
/// Those that do one thing or its opposite.
const TWO: &[(&str, [&str; 2])] = &[
    ("client/set_disabled", ["client/switched_off", "client/switched_on"]),
    ("user/set_disabled", ["user/shut_out", "user/let_in"]),
];

/// Whoever adds a function says here how a person hears that it worked, or gives it a sentence.
#[test]
fn every_action_has_its_words() {
    let quiet: BTreeSet<&str> = [READ, SHOWN].concat().into_iter().collect();
    for (path, _) in server_fn_paths() {
        let function = path.strip_prefix("/rpc/").expect("one of ours");
        let said = match TWO.iter().find(|(name, _)| *name == function) {
            Some((_, ways)) => ways.iter().all(|way| voice::done(way).is_some()),
            None => voice::done(function).is_some(),
        };
        assert!(said != quiet.contains(function), "{function}");
    }
}

const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// What is said aloud above the page.
fn said(page: &Page) -> Option<&str> {
    let part = page.text.split("role=\"status\" class=\"was-done\"").nth(1)?;
    part.split("<span>").nth(1)?.split("</span>").next()
}

#[sqlx::test]
async fn what_was_done_is_said_on_the_page_that_follows(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let connection = world.import(client).await.to_string();
    let empty = world.client("another", |_| {}).await.to_string();
    let somebody = world.person_named("somebody", Role::Support).await.to_string();
    let mut admin = world.sign_in(Role::Admin).await;
    let client = client.to_string();
    let [clients, connections] =
        [format!("/clients/{client}"), format!("/connections/{connection}")];
    let other = format!("/clients/{empty}");
    for (page, function, form, words) in [
        (
            "/users",
            "user/create",
            vec![
                ("email", "colleague@example.test"),
                ("role", "support"),
                ("password", "a first password 1"),
            ],
            "Added.",
        ),
        (
            "/users",
            "user/set_role",
            vec![("id", &*somebody), ("role", "auditor")],
            "The role is changed",
        ),
        (
            "/users",
            "user/set_disabled",
            vec![("id", &somebody), ("disabled", "true")],
            "no longer sign in",
        ),
        (
            "/users",
            "user/set_disabled",
            vec![("id", &somebody), ("disabled", "false")],
            "can sign in again",
        ),
        (
            &clients,
            "client/set_disabled",
            vec![("id", &client), ("disabled", "true")],
            "Switched off",
        ),
        (
            &clients,
            "client/set_disabled",
            vec![("id", &client), ("disabled", "false")],
            "Switched on",
        ),
        (&connections, "connection/update", vec![("id", &connection), ("label", "One")], "Saved."),
        (&connections, "connection/pause", vec![("id", &connection)], "It rests"),
        (&connections, "connection/resume", vec![("id", &connection)], "kept alive again"),
        (&connections, "connection/disconnect", vec![("id", &connection)], "Disconnected"),
        // That page is gone, and another says it.
        (&other, "client/delete", vec![("id", &empty)], "The client is deleted"),
        ("/settings", "brand/drop_logo", vec![], "The logo is gone"),
    ] {
        let to = admin.submit_on(page, function, &form).await.location();
        let shown = admin.get(&to).await;
        let told = said(&shown).unwrap_or_else(|| panic!("{function}: {to}: {}", shown.text));
        assert!(told.contains(words), "{function}: {told}");
        let address = to.split(['?', '&']).next().unwrap();
        assert_eq!(said(&admin.get(address).await), None, "once");
    }
    let refused =
        admin.submit_on("/users", "user/set_role", &[("id", NIL), ("role", "admin")]).await;
    assert_eq!(said(&admin.get(&refused.location()).await), None, "it was not done");
    let nonsense = admin.get("/users?__done=/rpc/%3Cb%3Ehello").await;
    assert_eq!(said(&nonsense), None);
}

/// Whether a form stands within what asks first.
fn asked_before(page: &Page, action: &str) -> bool {
    let form = format!("action=\"/rpc/{action}\"");
    let at = page.text.find(&form).unwrap_or_else(|| panic!("no {action}: {}", page.text));
    let before = &page.text[..at];
    let opened = before.rfind("<details class=\"confirm");
    opened.is_some_and(|opened| !before[opened..].contains("</details>"))
}

#[sqlx::test]
async fn what_cant_be_taken_back_is_asked_about(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let connection = world.import(client).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let new = NewJob { ids: Some(vec![connection]), ..NewJob::of(Action::Pause) };
    let job = app::job::create(&world.app, &world.admin, &new).await.expect("a job").id;
    world.key(&[Scope::AuditRead]).await;
    let filter = [("name", "mine"), ("filter", r#"{"state":"active"}"#)];
    admin.submit("saved_filter/create", &filter).await;
    let id = client.to_string();
    let next = [("id", &*id), ("client_secret", "another-secret-of-theirs")];
    admin.submit_on(&format!("/clients/{id}"), "rehearsal/set", &next).await;
    world
        .execute(
            "INSERT INTO brand (name, logo, logo_type, updated_at)
             VALUES ('Ours', 'x', 'image/png', now())",
        )
        .await;
    for (page, actions) in [
        (
            format!("/clients/{id}"),
            &["rehearsal/drop", "client/replace_secret", "client/delete"][..],
        ),
        (format!("/jobs/{job}"), &["job/stop"]),
        ("/settings".into(), &["brand/drop_logo"]),
        ("/connections".into(), &["saved_filter/delete"]),
        ("/api-keys".into(), &["api_key/revoke"]),
        (format!("/connections/{connection}"), &["connection/disconnect"]),
    ] {
        let shown = admin.get(&page).await;
        for action in actions {
            assert!(asked_before(&shown, action), "{action} on {page}");
        }
    }
}
