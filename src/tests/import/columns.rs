//! Mistakes in a table are told in the table's words, all of a row's at once, and never with what stands there.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::send;
use crate::{
    domain::access::{Role, Scope},
    tests::support::World,
};

fn told(done: &Value) -> Vec<(i64, String, String)> {
    let text = |problem: &Value, name: &str| problem[name].as_str().unwrap().to_owned();
    let problems = done["problems"].as_array().unwrap().iter();
    problems
        .map(|one| (one["row"].as_i64().unwrap(), text(one, "field"), text(one, "message")))
        .collect()
}

#[sqlx::test]
async fn all_mistakes_of_a_row_are_told_by_their_columns(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let csv = "external_id,access_token,refresh_token,expires_in,obtained_at,tags\n\
               1,,SECRET-1,SECRET-2,SECRET-3,x\n\
               2,SECRET-4,,0,,x\n\
               3,SECRET-5,SECRET-6,3600,,x\n\
               4,SECRET-7,SECRET-6,3600,,x\n";
    for query in ["?dry_run=true", ""] {
        let done = send(&program, client, query, "text/csv", csv).await.ok();
        let counts = (&done["rows"], &done["imported"], &done["failed"]);
        assert_eq!(counts, (&json!(4), &json!(1), &json!(3)), "{done}");
        let told = told(&done);
        let wanted = [
            (1, "obtained_at", "is not a time like 2026-01-31T12:00:00Z"),
            (1, "access_token", "must hold the access token"),
            (1, "expires_in", "can't be read: it must be a positive number of seconds"),
            (2, "expires_in", "is 0, and there is no refresh token: leave it out"),
            (4, "refresh_token", "holds a refresh token that stands in this file twice"),
        ];
        assert_eq!(told.len(), wanted.len(), "{told:?}");
        for (told, (row, field, why)) in told.iter().zip(wanted) {
            assert_eq!((told.0, &*told.1), (row, field), "{told:?}");
            assert!(told.2.starts_with(why), "{told:?}");
        }
        assert!(!done.to_string().contains("SECRET"), "{done}");
    }
    let moved = "external_id,access_token,refresh_token\n5,SECRET-8,SECRET-6\n";
    let done = send(&program, client, "", "text/csv", moved).await.ok();
    assert_eq!(told(&done)[0].1, "refresh_token", "{done}");
}

/// What is wrong elsewhere is not laid to a column that is filled.
#[sqlx::test]
async fn a_column_with_a_token_is_not_told_to_hold_one(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    world
        .execute(
            "UPDATE providers SET profile = jsonb_set(profile, '{issuer}', '\"https://{gone}.example\"')",
        )
        .await;
    let csv = "external_id,access_token\n1,SECRET-1\n2,\n";
    let done = send(&program, client, "", "text/csv", csv).await.ok();
    let told = told(&done);
    assert_eq!((told.len(), told[0].0, told[1].0), (2, 1, 2), "{told:?}");
    assert_ne!(told[0].2, "must hold the access token");
    assert_eq!(told[1].2, "must hold the access token");
    assert!(!done.to_string().contains("SECRET"), "{done}");
}

/// Where a table holds the response whole, its column is the field, and a pointer says where in it.
#[sqlx::test]
async fn a_response_in_one_column_is_told_by_pointers(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let csv = "external_id,token_response\n1,\"{\"\"access_token\"\":\"\"a\"\",\"\"expires_in\"\":\"\"x\"\"}\"\n";
    let done = send(&program, client, "", "text/csv", csv).await.ok();
    let told = told(&done);
    assert_eq!(told[0].1, "token_response");
    assert!(told[0].2.starts_with("the expiry at /expires_in can't be read: "), "{told:?}");
}

/// What is well is not painted with the row that is not.
#[sqlx::test]
async fn a_row_with_a_problem_is_told_beside_what_is_well(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for (csv, tones) in [
        ("external_id,access_token\n1,a\n2,\n", vec!["well", "unsure", "ill"]),
        ("external_id,access_token\n2,\n", vec!["ill", "ill"]),
    ] {
        let done = send(&program, client, "?dry_run=true", "text/csv", csv).await.ok();
        let run = done["id"].as_str().unwrap();
        let page = admin.get(&format!("/clients/{client}/import?run={run}")).await.text;
        let said: Vec<_> = page.split("<p data-tone=\"").skip(1).collect();
        let seen: Vec<_> = said.iter().map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(seen, tones, "{page}");
        assert!(page.contains("1 row has a problem and would be left out."), "{page}");
    }
}
