//! A file of which nothing can be read is refused, and whoever sent it learns what was expected.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{line, send};
use crate::{
    domain::access::{Role, Scope},
    tests::support::World,
};

#[sqlx::test]
async fn a_file_without_rows_is_refused_with_what_was_expected(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let (csv, ndjson) = ("text/csv", "application/x-ndjson");
    for (kind, file, told) in [
        (ndjson, "", "one JSON object a line"),
        (ndjson, "\n\n", "one JSON object a line"),
        (ndjson, "{\"grants\": []}", "in a list, \"grants\""),
        (ndjson, "{\"grants\": [{\"access_token\": \"SECRET\"}]}", "in a list, \"grants\""),
        (ndjson, "[{\"token_response\": {\"access_token\": \"SECRET\"}}]", "one JSON list"),
        (
            ndjson,
            "{\n  \"token_response\": {\"access_token\": \"SECRET\"}\n}",
            "over several lines",
        ),
        (ndjson, "\u{0}PNG\r\n\u{0}\u{1}", "no text in UTF-8"),
        (csv, "", "a heading such as external_id,access_token"),
        (csv, "external_id,access_token\n", "a heading such as external_id,access_token"),
        (csv, "external_id,Token\n7,SECRET\n", "\"Token\" (column 2) is none of: external_id"),
        (
            csv,
            "7,SECRET\n8,SECRET\n",
            "the heading of column 1 and the heading of column 2 are none of: external_id",
        ),
    ] {
        for dry_run in ["", "?dry_run=true"] {
            let page = send(&program, client, dry_run, kind, file).await;
            assert_eq!(page.refusal(), (422, "invalid".into()), "{file:?}: {}", page.text);
            let said: Value = page.json();
            let said = said["fields"][0]["message"].as_str().unwrap().to_owned();
            assert!(said.contains(told) && !said.contains("SECRET"), "{file:?}: {said}");
            assert!(said.starts_with("Nothing of the file could be read: "), "{said}");
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM imports WHERE state = 'running'").await, 0);
    // One row, whatever it is, is something.
    let done = send(&program, client, "", ndjson, "{\"tags\": []}\n").await.ok();
    assert_eq!((&done["state"], &done["failed"]), (&json!("done"), &json!(1)));
}

#[sqlx::test]
async fn the_page_says_it_too(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for (name, file, told) in [
        ("a.ndjson", "", "Nothing of the file could be read: it holds no row"),
        (
            "a.csv",
            "external_id,Colour\n7,red\n",
            "Nothing of the file could be read: &quot;Colour&quot; (column 2)",
        ),
    ] {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n\
             {file}\r\n--b--\r\n"
        );
        let request = Request::post(format!("/upload/import/{client}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body))
            .unwrap();
        let sent = admin.send(request).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let page = admin.get(&sent.location()).await.text.replace('"', "&quot;");
        assert!(page.contains(told), "{page}");
        assert!(!page.contains("Send the same file again"), "{page}");
    }
}

/// Where a value has another type than it must have, its field and line say where.
#[sqlx::test]
async fn a_value_of_another_type_is_told_by_its_field_and_its_true_line(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let token = json!({ "access_token": "SECRET" });
    let file = [
        line("1", &token),
        "\n".into(),
        format!("{}\n", json!({ "external_id": 7, "token_response": token })),
        format!("{}\n", json!({ "tags": "a b", "token_response": token })),
        format!("{}\n", json!({ "variables": { "shop": ["x"] }, "token_response": token })),
        "[7]\n".into(),
        format!("{}\n", json!({ "external_id": "2" })),
    ];
    let done = send(&program, client, "", "application/x-ndjson", file.concat()).await.ok();
    let told: Vec<_> = done["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| {
            let text = |name: &str| each[name].as_str().unwrap_or_default().to_owned();
            (each["line"].as_i64().unwrap(), text("field"), text("message"))
        })
        .collect();
    let wanted = [
        (3, "external_id", "must be a string"),
        (4, "tags", "must be a list"),
        (5, "variables.shop", "must be a string"),
        (6, "", "must be an object"),
        (7, "token_response", "must be there"),
    ];
    assert_eq!(told, wanted.map(|(line, field, said)| (line, field.to_owned(), said.to_owned())));
}
