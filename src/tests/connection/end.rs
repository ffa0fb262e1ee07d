//! Ending: told to the provider or not, forgotten here, and what waits for it.

use axum::http::{Request, StatusCode, header};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use tower::ServiceExt;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{State, StateName},
        problem::Code,
    },
    sandbox::Hold,
    server::app,
    tests::support::{SECRET, World, form_of},
};

impl World {
    /// What the provider says of a token of the client `one` (RFC 7662).
    async fn is_active(&self, token: &str) -> bool {
        let basic = BASE64_STANDARD.encode(format!("one:{SECRET}"));
        let request =
            Request::post("/introspect").header(header::AUTHORIZATION, format!("Basic {basic}"));
        let request = form_of(request, &[("token", token)]);
        let response = self.sandbox.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()["active"] == true
    }
}

#[sqlx::test]
async fn disconnecting_with_revocation_ends_both_tokens_at_the_provider(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    for (revoke, alive) in [("true", false), ("false", true)] {
        let response = world.token_response(client, "alice").await;
        let id = world.import_text(client, response.to_string()).await.unwrap().id;
        let access = response["access_token"].as_str().unwrap();
        let refresh = response["refresh_token"].as_str().unwrap();
        assert!(world.is_active(access).await && world.is_active(refresh).await);
        let form = [("id", &*id.to_string()), ("revoke", revoke)];
        let answer = browser.call("connection/disconnect", &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(world.is_active(access).await, alive);
        assert_eq!(world.is_active(refresh).await, alive);

        let connection = world.connection(id).await;
        assert_eq!(connection.state, State::Disconnected);
        assert_eq!((connection.due_at, connection.needs_human_by), (None, None));
        let kept = "SELECT count(*) FROM token_sets WHERE sealed_access_token IS NOT NULL
                    OR sealed_refresh_token IS NOT NULL OR sealed_extras IS NOT NULL";
        assert_eq!(world.count(kept).await, 0);
        let entries = world.audit("connection.disconnect").await;
        let subject = Some(id.to_string());
        let entry = entries.iter().find(|entry| entry.subject_id == subject).unwrap();
        assert_eq!(entry.detail["revoked_at_provider"], !alive);
        let page = browser.get(&format!("/connections/{id}")).await.text;
        let told = if alive { "Service strict was not told" } else { "Service strict was told" };
        assert!(page.contains(told), "{page}");
        assert!(world.token(id, Duration::ZERO).await.is_err());
    }
}

#[sqlx::test]
async fn a_provider_that_can_not_be_told_leaves_everything_as_it_was(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let before = world.connection(id).await;
    world.control().set(|settings| settings.outage = true);
    let refused = app::connection::disconnect(&world.app, &world.admin, id, true).await;
    assert!(matches!(refused, Err(app::Error::ProviderUnavailable { .. })));
    let refused = app::connection::delete(&world.app, &world.admin, id, true).await;
    assert!(matches!(refused, Err(app::Error::ProviderUnavailable { .. })));
    assert_eq!(world.connection(id).await, before);
    assert!(world.token(id, Duration::ZERO).await.is_ok());
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    assert_eq!(world.state(id).await, State::Disconnected);
    // It was ended on purpose.
    let again = app::connection::authorize(&world.app, &world.admin, id).await;
    assert!(matches!(again, Err(app::Error::Conflict(_))));
}

#[sqlx::test]
async fn a_deleted_connection_is_remembered_by_the_audit_log_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let response = world.token_response(client, "alice").await;
    let id = world.import_text(client, response.to_string()).await.unwrap().id;
    app::connection::refresh(&world.app, &world.admin, id).await.unwrap();
    app::relink::create(&world.app, &world.admin, id).await.unwrap();
    let token = world.token(id, Duration::ZERO).await.unwrap().access_token;
    app::connection::delete(&world.app, &world.admin, id, true).await.unwrap();
    assert!(!world.is_active(token.expose_secret()).await);
    for table in ["connections", "token_sets", "attempts", "relinks", "flows"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let left: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&world.pool).await.unwrap();
        assert_eq!(left, 0, "{table}");
    }
    let entries = world.audit("connection.delete").await;
    assert_eq!(entries[0].subject_id, Some(id.to_string()));
}

#[sqlx::test]
async fn disconnecting_voids_what_could_bring_it_back(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    let relink = app::relink::create(&world.app, &world.admin, id).await.unwrap();
    let form = [("id", &*id.to_string()), ("revoke", "false")];
    browser.call("connection/disconnect", &form).await;
    let token = relink.url.rsplit('/').next().unwrap();
    let refused = world.browser().begin_relink(token).await;
    assert_eq!(refused.location(), format!("/relink/{token}?outcome=failed"));
    let refused = app::relink::create(&world.app, &world.admin, id).await;
    assert!(matches!(refused, Err(app::Error::Conflict(_))));
    assert_eq!(world.state(id).await.name(), StateName::Disconnected);
}

#[sqlx::test]
async fn a_client_goes_after_its_connections(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let client = client.to_string();
    let refused = browser.call("client/delete", &[("id", &client)]).await.problem();
    assert_eq!(refused.code, Code::Conflict);
    let refused = browser.call("provider/delete", &[("slug", "strict")]).await.problem();
    assert_eq!(refused.code, Code::Conflict);
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    let deleted = browser.call("client/delete", &[("id", &client)]).await;
    assert_eq!(deleted.location(), "/clients");
    let deleted = browser.call("provider/delete", &[("slug", "strict")]).await;
    assert_eq!(deleted.location(), "/providers");
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
}

#[sqlx::test]
async fn a_disconnect_says_whether_the_provider_knows(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    world.provider("deaf", |profile| profile.endpoints.revocation = None).await;
    let deaf = world.client_of("deaf", "deaf", |_| {}).await;
    let client = world.client("one", |_| {}).await;
    for (client, query, told) in [
        (client, "?revoke=true", "told"),
        (client, "", "not_asked"),
        (deaf, "?revoke=true", "unable"),
        (deaf, "", "not_asked"),
    ] {
        let path = format!("/connections/{}", world.import(client).await);
        let end = format!("{path}/disconnect{query}");
        assert_eq!(admin.press(&end).await.ok()["provider"], told, "{query}");
        // Whoever asks again is told the same.
        assert_eq!(admin.press(&format!("{path}/disconnect")).await.ok()["provider"], told);
    }
    let body = json!({ "client_id": client, "grant": "authorization_code" });
    let id = admin.post("/connections", &body).await.ok()["id"].as_str().unwrap().to_owned();
    let end = format!("/connections/{id}/disconnect?revoke=true");
    assert_eq!(admin.press(&end).await.ok()["provider"], "nothing");
}

/// A consent page that was left open does not bring it back.
#[sqlx::test]
async fn disconnecting_voids_consent_that_is_on_its_way(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await.location();
    let callback = world.consent_only(&mut browser, begun, "alice").await;
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    assert_eq!(browser.get(&callback).await.location(), "/relink/outcome/expired");
    assert_eq!(world.state(id).await, State::Disconnected);
}

/// And one whose code is being redeemed is waited for: its tokens would be thrown away.
#[sqlx::test]
async fn what_is_being_stored_is_not_disconnected(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await.location();
    let callback = world.consent_only(&mut browser, begun, "alice").await;
    world.control().hold(Hold::BeforeAnswering);
    let landing = tokio::spawn(async move { browser.get(&callback).await.location() });
    world.control().until_held(1).await;
    for revoke in [true, false] {
        let refused = app::connection::disconnect(&world.app, &world.admin, id, revoke).await;
        assert!(matches!(refused, Err(app::Error::Conflict(_))), "{revoke}: {refused:?}");
        let refused = app::connection::delete(&world.app, &world.admin, id, revoke).await;
        assert!(matches!(refused, Err(app::Error::Conflict(_))), "{revoke}: {refused:?}");
    }
    world.control().release();
    assert_eq!(landing.await.unwrap(), format!("/connections/{id}?connected=1"));
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    app::connection::disconnect(&world.app, &world.admin, id, true).await.unwrap();
}

/// The provider was told of other tokens than the ones that are here by now.
#[sqlx::test]
async fn a_consent_that_comes_while_the_provider_is_told_is_not_forgotten(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await.location();
    world.control().hold(Hold::BeforeAnswering);
    let (app, actor) = (world.app.clone(), world.admin.clone());
    let ending =
        tokio::spawn(async move { app::connection::disconnect(&app, &actor, id, true).await });
    world.control().until_held(1).await;
    world.control().hold_no_more();
    let landed = world.consent(&mut browser, begun, "alice").await;
    assert_eq!(landed, format!("/connections/{id}?connected=1"));
    world.control().release();
    let refused = ending.await.unwrap();
    assert!(matches!(refused, Err(app::Error::Conflict(_))), "{refused:?}");
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    assert_eq!(world.audit("connection.disconnect").await.len(), 0);
    app::connection::disconnect(&world.app, &world.admin, id, true).await.unwrap();
    assert_eq!(world.state(id).await, State::Disconnected);
}
