//! When the tokens of a file end: what is over is renewed, and what can't be told is not passed over in silence.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;

use super::{line, send};
use crate::{
    domain::{
        access::{Role, Scope},
        connection::{ConnectionFilter, State},
        page::Paging,
        provider::{ExpiryForm, ExpirySource},
    },
    server::app,
    tests::support::World,
};

const NDJSON: &str = "application/x-ndjson";

/// RFC 6749 section 5.1: no seconds are left.
#[sqlx::test]
async fn an_expiry_of_zero_is_over_and_needs_something_to_be_renewed_by(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let mut alice = world.token_response(client, "alice").await;
    alice["expires_in"] = json!(0);
    let file =
        line("alice", &alice) + &line("bob", &json!({ "access_token": "b", "expires_in": 0 }));
    for query in ["?dry_run=true", ""] {
        let done = send(&program, client, query, NDJSON, file.clone()).await.ok();
        assert_eq!((&done["imported"], &done["failed"]), (&json!(1), &json!(1)), "{done}");
        assert_eq!((&done["expired"], &done["without_end"]), (&json!(1), &json!(0)), "{done}");
        let problem = &done["problems"][0];
        assert_eq!(
            (&problem["external_id"], &problem["field"]),
            (&json!("bob"), &json!("token_response"))
        );
        let why = problem["message"].as_str().unwrap();
        assert!(
            why.starts_with("the expiry at /expires_in is 0, and there is no refresh token"),
            "{why}"
        );
    }
    world.tick().await;
    let (filter, paging) = (ConnectionFilter::default(), Paging::default());
    let found = app::connection::list(&world.app, &world.admin, &filter, &paging);
    let one = found.await.unwrap().page.items.remove(0);
    assert_eq!((one.generation, one.state), (2, State::Active), "it is refreshed at once");
    assert_eq!(one.access_expires_at, Some(world.now() + Duration::minutes(10)));

    // One response by itself may be the last there is, so it is taken, and said.
    let new =
        json!({ "client_id": client, "token_response": { "access_token": "c", "expires_in": 0 } });
    let made = program.post("/connections", &new).await.ok();
    assert_eq!(
        (&made["state"]["name"], &made["access_expires_at"]),
        (&json!("active"), &Value::Null)
    );
    assert!(made["warnings"].to_string().contains("/expires_in is 0"), "{made}");
}

#[sqlx::test]
async fn what_nothing_renews_and_has_no_known_end_is_counted_and_told(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let file = [
        line("1", &json!({ "access_token": "a" })),
        line("2", &json!({ "access_token": "b" })),
        line("3", &json!({ "access_token": "c", "expires_in": 60 })),
        line("4", &json!({ "access_token": "d", "refresh_token": "r" })),
    ]
    .concat();
    let mut admin = world.sign_in(Role::Admin).await;
    for (query, said) in [
        ("?dry_run=true", "Dry run, nothing was stored: 4 of 4 rows would be imported."),
        ("", "Done: 4 of 4 rows imported."),
    ] {
        let done = send(&program, client, query, NDJSON, file.clone()).await.ok();
        assert_eq!((&done["without_end"], &done["expired"]), (&json!(2), &json!(0)), "{done}");
        let run = done["id"].as_str().unwrap();
        let page = admin.get(&format!("/clients/{client}/import?run={run}")).await.text;
        let means = "2 of them bring neither a refresh token nor an expiry: they can't be renewed, and count as \
                     alive even when they are over.";
        let said = format!("{said} {means}");
        assert!(page.replace("&#x27;", "'").contains(&said), "{said} in {page}");
    }
    // What is here already brings nothing.
    let again = send(&program, client, "", NDJSON, file).await.ok();
    assert_eq!((&again["skipped"], &again["without_end"]), (&json!(4), &json!(0)));
}

/// As programs keep it: a date in a column of its own, where the profile looks for one.
#[sqlx::test]
async fn a_column_may_hold_the_date_that_the_profile_looks_for(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("dated", |profile| {
            let date = ExpirySource { pointer: "/expires_at".into(), form: ExpiryForm::Auto };
            profile.response.expiry.insert(0, date);
        })
        .await;
    let client = world.client_of("dated", "one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let csv =
        "external_id,access_token,refresh_token,expires_at\n1,a,r1,2026-03-01T14:00:00+01:00\n";
    let row =
        json!({ "access_token": "b", "refresh_token": "r2", "expires_at": "2026-03-01T13:00:00Z" });
    for (kind, file) in [("text/csv", csv.to_owned()), (NDJSON, line("2", &row))] {
        let done = send(&program, client, "", kind, file).await.ok();
        assert_eq!(done["imported"], 1, "{done}");
    }
    let ends = "SELECT count(*) FROM connections WHERE access_expires_at = timestamptz '2026-03-01 13:00+00'";
    assert_eq!(world.count(ends).await, 2);
}
