//! Secrets go in and never come out, save where they are asked for.

use axum::http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::makers;
use crate::{domain::access::Scope, server::app, tests::support::World};

const SECRETS: [&str; 5] = [
    "canary-client-secret",
    "canary-password-of-a-person",
    "canary-access-token",
    "canary-refresh-token",
    "canary-id-token",
];

/// The paths of everything that can be read.
fn readable(connection: &str, client: &str, user: &str, import: &str) -> Vec<String> {
    [
        "/overview",
        "/redirect-uri",
        "/providers",
        "/providers/schema",
        "/providers/strict",
        "/clients",
        client,
        import,
        "/connections",
        connection,
        "/users",
        user,
        "/api-keys",
        "/audit",
        "/brand",
        "/relinks",
        "/openapi.json",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(
        ["attempts", "device", "readers", "relinks"].map(|below| format!("{connection}/{below}")),
    )
    .chain([format!("{client}/imports")])
    .collect()
}

#[sqlx::test]
async fn no_answer_holds_a_secret_but_the_token_endpoint(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let mut client = makers::client("Guarded");
    client["client_secret"] = json!(SECRETS[0]);
    let mut user = makers::user("guarded@people.test");
    user["password"] = json!(SECRETS[1]);
    let mut answers = Vec::new();
    let page = admin.post("/clients", &client).await;
    let client = page.location().replace("/api/v1", "");
    let client_id = page.ok()["id"].clone();
    answers.push(page.text);
    let page = admin.patch(&client, &json!({ "client_secret": SECRETS[0] })).await;
    answers.push(page.text);
    let page = admin.post("/users", &user).await;
    let user = page.location().replace("/api/v1", "");
    answers.push(page.text);
    let body = json!({ "client_id": client_id, "token_response": {
        "access_token": SECRETS[2],
        "refresh_token": SECRETS[3],
        "id_token": SECRETS[4],
        "token_type": "Bearer",
        "expires_in": 3600,
    }});
    let page = admin.post("/connections", &body).await;
    let connection = page.location().replace("/api/v1", "");
    answers.push(page.text);
    // The provider knows none of these, and its refusal may repeat them.
    answers.push(admin.press(&format!("{connection}/refresh")).await.text);
    let row =
        json!({ "token_response": { "access_token": SECRETS[2], "refresh_token": SECRETS[3] } });
    let request = Request::post(format!("/api/v1{client}/imports"))
        .header("content-type", "application/x-ndjson")
        .body(format!("{row}\n{row}\n").into())
        .unwrap();
    let import = admin.send(request).await.ok();
    let import = format!("/imports/{}", import["id"].as_str().unwrap());
    let id = connection.rsplit('/').next().unwrap();
    let job = json!({ "action": "refresh", "ids": [id] });
    let job = admin.post("/jobs", &job).await.ok()["id"].as_str().unwrap().to_owned();
    app::job::run_due(&world.app).await.unwrap();
    let links = json!({ "action": "relink", "ids": [id] });
    let links = admin.post("/jobs", &links).await.ok()["id"].as_str().unwrap().to_owned();
    let mut paths = readable(&connection, &client, &user, &import);
    paths.extend([
        "/exports/audit".to_owned(),
        "/exports/connections".to_owned(),
        format!("/exports/jobs/{job}"),
        format!("/exports/jobs/{links}/mails"),
        format!("/exports/jobs/{links}/stragglers"),
        format!("/jobs/{links}/progress"),
        format!("/jobs/{links}/stragglers"),
        "/jobs".to_owned(),
        format!("/jobs/{job}"),
        format!("/jobs/{job}/outcomes"),
        "/saved-filters".to_owned(),
    ]);
    world.execute("UPDATE connections SET account_id = 'acc_1'").await;
    // No link is made while the provider refuses the client.
    world.execute("UPDATE clients SET state = 'ready'").await;
    let relink = admin.press(&format!("{connection}/relink")).await.ok();
    paths.push(format!("/relinks/{}", relink["id"].as_str().unwrap()));
    let covered = admin.contract.operations();
    let covered = covered.iter().filter(|(method, path, _)| {
        method == "GET" && !path.ends_with("/token") && path != "/api-keys/{id}"
    });
    assert_eq!(covered.count(), paths.len(), "another thing that can be read");
    for path in paths {
        answers.push(admin.get(&path).await.text);
    }
    for answer in &answers {
        for secret in SECRETS {
            assert!(!answer.contains(secret), "{secret} in {answer}");
        }
        assert!(!answer.contains("sealed_"), "{answer}");
    }
    let reader = world.program(&[Scope::TokensRead]).await;
    let given = reader.get(&format!("{connection}/token")).await;
    assert!(given.text.contains(SECRETS[2]) && !given.text.contains(SECRETS[3]));
}

#[sqlx::test]
async fn a_refusal_does_not_repeat_what_was_given(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = world.client("one", |_| {}).await;
    let import = |response: Value| json!({ "client_id": client, "token_response": response });
    let canary = SECRETS[2];
    for (path, body) in [
        ("/connections", import(json!({ "acess_token": canary }))),
        ("/connections", import(json!({ "access_token": [canary] }))),
        ("/connections", import(json!({ "access_token": { canary: canary } }))),
        ("/connections", import(json!({ "error": canary, "error_description": "no" }))),
        ("/connections", import(json!(canary))),
        ("/connections", json!({ "client_id": canary })),
        ("/clients", json!({ "name": [canary], "provider": "strict", "oauth_client_id": "x" })),
        ("/users", json!({ "email": "a@b.test", "role": canary, "password": canary })),
        ("/users", json!({ "email": "a@b.test", "role": "admin", "password": "canary" })),
    ] {
        let page = admin.post(path, &body).await;
        assert_eq!(page.status, 422, "{}", page.text);
        assert!(!page.text.contains("canary"), "{}", page.text);
    }
}
