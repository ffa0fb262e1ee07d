//! The canary: recognizable secrets are planted through a whole life, with all that goes wrong in
//! it, and then none of them is found anywhere it does not belong.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    http::{Request, header},
};
use base64::{Engine, prelude::*};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row};
use time::Duration;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

use crate::{
    sandbox::Fault,
    server::{
        app::{self, Actor},
        secret::seal::Place,
    },
    tests::support::{Browser, SECRET, World, email},
};

const PASSWORD: &str = "canary-password-4711-perch";
const NEW_PASSWORD: &str = "canary-newpassword-4712-roach";
const NEW_SECRET: &str = "canary-clientsecret-4713-tench";
const TYPED: &str = "canary-typed-4714-bream";

/// All that the process logs, from the finest level up.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn begin() -> Self {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("the first");
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned()
    }
}

/// The secrets, by name.
#[derive(Default)]
struct Canaries(Vec<(String, String)>);

impl Canaries {
    fn plant(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= 12, "{name} is too short to be recognized: {secret}");
        if !self.0.iter().any(|(_, known)| known == secret) {
            self.0.push((name.to_owned(), secret.to_owned()));
        }
    }

    /// Which of them stand in `text`, in any form in which they could.
    fn found_in(&self, text: &str) -> Vec<&str> {
        let folded = text.to_lowercase();
        let stands = |secret: &str| {
            let bytes = secret.as_bytes();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let percent: String = url::form_urlencoded::byte_serialize(bytes).collect();
            // A secret in the middle of a base64 text stands there in one of three ways.
            let inner = (0..3).map(|skip| {
                let mut padded = vec![0; skip];
                padded.extend_from_slice(bytes);
                let text = BASE64_STANDARD.encode(padded);
                text[4..text.len() - 4].to_owned()
            });
            text.contains(secret)
                || folded.contains(&hex)
                || text.contains(&percent)
                || inner.into_iter().any(|form| {
                    text.contains(&form) || text.contains(&form.replace('+', "-").replace('/', "_"))
                })
        };
        let found = self.0.iter().filter(|(_, secret)| stands(secret));
        found.map(|(name, _)| name.as_str()).collect()
    }
}

impl World {
    /// Every row of every table, bytes in hexadecimal.
    async fn dump(&self) -> String {
        let tables = "SELECT table_name::text FROM information_schema.tables
                      WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
        let mut dump = String::new();
        for table in sqlx::query(tables).fetch_all(&self.pool).await.expect("tables") {
            let table: String = table.get(0);
            let rows = format!("SELECT to_jsonb(t)::text FROM {table:?} t");
            for row in sqlx::query(AssertSqlSafe(rows)).fetch_all(&self.pool).await.expect("rows") {
                dump += &format!("{table}: {}\n", row.get::<String, _>(0));
            }
        }
        dump
    }

    /// The refresh token that we hold now.
    async fn refresh_token(&self, id: Uuid) -> String {
        let generation = self.generation(id).await;
        let sql = "SELECT sealed_refresh_token FROM token_sets
                   WHERE connection_id = $1 AND generation = $2";
        let sealed: Vec<u8> = sqlx::query_scalar(sql)
            .bind(id)
            .bind(generation)
            .fetch_one(&self.pool)
            .await
            .expect("a token");
        let place =
            Place { table: "token_sets", column: "sealed_refresh_token", row: id, generation };
        self.app.keyring().open_text(place, &sealed).expect("opens").expose_secret().to_owned()
    }

    async fn plant_tokens(&self, canaries: &mut Canaries, id: Uuid) {
        canaries.plant("refresh token", &self.refresh_token(id).await);
        if let Ok(token) = self.token(id, Duration::ZERO).await {
            canaries.plant("access token", token.access_token.expose_secret());
        }
    }
}

fn plant_cookies(canaries: &mut Canaries, browser: &Browser) {
    for cookie in browser.cookies.values() {
        canaries.plant("session cookie", cookie);
    }
}

async fn api(browser: &mut Browser, method: &str, path: &str, key: &str, body: String) -> Value {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .expect("a request");
    let answer = browser.send(request).await;
    serde_json::from_str(&answer.text).unwrap_or_default()
}

/// Takes the last answer off the record: it shows its secret on purpose, this once.
fn shown_on_purpose(browser: &mut Browser, canaries: &Canaries, name: &str) {
    let answer = browser.transcript.pop().expect("an answer");
    assert!(canaries.found_in(&answer).contains(&name), "the net must catch what is there");
}

#[sqlx::test]
async fn what_is_secret_is_found_nowhere(pool: PgPool) {
    let log = Log::begin();
    let world = World::new(pool).await;
    let mut canaries = Canaries::default();
    for (name, secret) in [
        ("password", PASSWORD),
        ("new password", NEW_PASSWORD),
        ("client secret", SECRET),
        ("new client secret", NEW_SECRET),
        ("what was typed into the wrong place", TYPED),
        ("master key", crate::tests::support::MASTER_KEY),
    ] {
        canaries.plant(name, secret);
    }

    // The first admin.
    let setup = app::session::offer_setup(&world.app).await.unwrap().unwrap();
    let setup = setup.rsplit('/').next().unwrap().to_owned();
    canaries.plant("set-up token", &setup);
    let address = email("first");
    let form = [("token", setup.as_str()), ("email", &address), ("password", PASSWORD)];
    let mut admin = world.browser();
    admin.get(&format!("/setup/{setup}")).await;
    // The page repeats the token in its form: it is the visitor's own.
    shown_on_purpose(&mut admin, &canaries, "set-up token");
    admin.call("session/setup", &form).await;
    plant_cookies(&mut canaries, &admin);
    let form = [("current", PASSWORD), ("new", NEW_PASSWORD)];
    assert_eq!(admin.call("session/change_password", &form).await.status, 200);
    plant_cookies(&mut canaries, &admin);

    // A client, and a connection by consent that lives and dies.
    let client = world.client("one", |_| {}).await;
    let form = [("client_id", &*client.to_string()), ("label", "a")];
    let begun = admin.call("connection/connect", &form).await.location();
    let callback = world.consent_only(&mut admin, begun, "alice").await;
    let (_, code) = url::Url::parse(&callback)
        .unwrap()
        .query_pairs()
        .find(|(name, _)| name == "code")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .unwrap();
    canaries.plant("authorization code", &code);
    let landed = admin.get(&callback).await.location();
    let id: Uuid = landed[13..49].parse().unwrap();
    world.plant_tokens(&mut canaries, id).await;
    for fault in [Fault::Unavailable, Fault::RateLimited, Fault::InvalidClient] {
        world.control().fail_next(fault, 1);
        let _ = app::connection::refresh(&world.app, &world.admin, id).await;
        let form = [("id", &*client.to_string()), ("client_secret", SECRET)];
        admin.call("client/replace_secret", &form).await;
        // The pause that the provider asked for goes by.
        world.pass(Duration::seconds(2));
        app::connection::refresh(&world.app, &world.admin, id).await.unwrap();
        world.plant_tokens(&mut canaries, id).await;
    }
    world.sandbox.revoke_account("alice");
    world.until_due(id).await;
    world.tick().await;
    assert!(world.reason(id).await.is_some());

    // A relink, by a script and by a plain form, whose next page shows it once.
    for plain in [false, true] {
        let form = [("id", &*id.to_string())];
        let url = if plain {
            admin.submit("connection/relink", &form).await;
            admin.transcript.pop();
            let made: Value = admin.call("connection/made_relink", &form).await.json();
            made["url"].as_str().unwrap().to_owned()
        } else {
            let made: Value = admin.call("connection/relink", &form).await.json();
            made["url"].as_str().unwrap().to_owned()
        };
        canaries.plant("relink token", url.rsplit('/').next().unwrap());
        shown_on_purpose(&mut admin, &canaries, "relink token");
    }
    let relink = canaries.0.last().unwrap().1.clone();
    let mut owner = world.browser();
    owner.get(&format!("/relink/{relink}")).await;
    shown_on_purpose(&mut owner, &canaries, "relink token");
    let begun = owner.begin_relink(&relink).await.location();
    let landed = world.consent(&mut owner, begun, "alice").await;
    assert_eq!(landed, "/relink/outcome/done");
    plant_cookies(&mut canaries, &owner);
    world.plant_tokens(&mut canaries, id).await;
    app::connection::disconnect(&world.app, &world.admin, id, true).await.unwrap();

    // A provider that repeats what it was sent.
    let (stub, echoed) = world.stub().await;
    canaries.plant("refresh token", "canary-refresh-4715-pike");
    canaries.plant("access token", "canary-access-4716-eel");
    stub.answers(json!({
        "access_token": "canary-access-4716-eel", "refresh_token": "canary-refresh-4715-pike",
        "expires_in": 600, "scope": "a b"
    }));
    app::connection::refresh(&world.app, &world.admin, echoed).await.unwrap();
    for error in
        ["temporarily_unavailable", "invalid_request", "canary-refresh-4715-pike", "invalid_grant"]
    {
        stub.answers(json!({
            "error": error,
            "error_description":
                format!("the token canary-refresh-4715-pike of a client with {SECRET} is {error}"),
        }));
        let _ = app::connection::refresh(&world.app, &world.admin, echoed).await;
    }
    assert!(world.reason(echoed).await.is_some());

    // A key, and tokens read with it.
    let form = [("name", "a key"), ("scopes[0]", "admin")];
    let made: Value = admin.call("api_key/create", &form).await.json();
    let key = made["key"].as_str().unwrap().to_owned();
    canaries.plant("API key", &key);
    shown_on_purpose(&mut admin, &canaries, "API key");
    let mut program = world.browser();
    let response = world.token_response(client, "bob").await;
    for name in ["access_token", "refresh_token"] {
        canaries.plant(name, response[name].as_str().unwrap());
    }
    let body = json!({ "client_id": client, "token_response": response }).to_string();
    let imported = api(&mut program, "POST", "/connections", &key, body).await;
    let imported = imported["id"].as_str().unwrap().to_owned();
    let path = format!("/connections/{imported}/token");
    api(&mut program, "GET", &path, &key, String::new()).await;
    shown_on_purpose(&mut program, &canaries, "access_token");

    // Secrets in the wrong places.
    for form in [
        vec![("email", TYPED), ("password", TYPED)],
        vec![("password", TYPED)],
        vec![("email", address.as_str()), ("password", TYPED)],
    ] {
        world.browser().call("session/login", &form).await;
        admin.clone().submit("session/login", &form).await;
    }
    let broken = format!("{{\"access_token\": \"{TYPED}\", ");
    let odd = format!("{{\"refresh_token\": \"{TYPED}\", \"access_token\": [\"{TYPED}\"]}}");
    let client_text = client.to_string();
    for body in [broken.as_str(), odd.as_str(), TYPED] {
        let form = [("client_id", client_text.as_str()), ("label", ""), ("token_response", body)];
        admin.call("connection/import", &form).await;
        admin.submit("connection/import", &form).await;
        let form = [("client_id", TYPED), ("label", ""), ("token_response", body)];
        admin.call("connection/import", &form).await;
        admin.submit("connection/import", &form).await;
        api(&mut program, "POST", "/connections", &key, body.into()).await;
        let body = format!("{{\"client_id\": \"{client}\", \"token_response\": {body}}}");
        api(&mut program, "POST", "/connections", &key, body).await;
        for path in ["/clients", "/users", "/providers"] {
            let body = format!(
                "{{\"client_secret\": {{\"a\": \"{TYPED}\"}}, \"password\": [\"{TYPED}\"]}}"
            );
            api(&mut program, "POST", path, &key, body).await;
        }
    }
    let form =
        [("provider", "strict"), ("name", ""), ("oauth_client_id", "a"), ("client_secret", TYPED)];
    admin.call("client/create", &form).await;
    admin.submit("client/create", &form).await;
    admin.call("client/replace_secret", &[("id", "nonsense"), ("client_secret", TYPED)]).await;
    admin.submit("client/replace_secret", &[("id", "nonsense"), ("client_secret", TYPED)]).await;
    let form = [("id", client_text.as_str()), ("client_secret", NEW_SECRET)];
    admin.call("client/replace_secret", &form).await;
    let form = [("email", ""), ("role", "admin"), ("password", TYPED)];
    admin.call("user/create", &form).await;
    admin.submit("user/create", &form).await;
    api(&mut program, "GET", "/connections", TYPED, String::new()).await;
    for name in ["code", "state", "error", "error_description", "iss"] {
        admin.get(&format!("/oauth/callback?state=a&{name}={TYPED}")).await;
    }
    admin.get(&format!("/oauth/start/{TYPED}")).await;
    // The database, away in the middle of a save.
    world.execute("ALTER TABLE token_sets RENAME TO away").await;
    let _ = app::connection::token(&world.app, &Actor::System, id, Duration::ZERO).await;
    admin.get(&format!("/connections/{imported}")).await;
    world.execute("ALTER TABLE away RENAME TO token_sets").await;

    // Everything that can be looked at.
    for path in [
        "/".to_owned(),
        "/connections".into(),
        format!("/connections/{id}"),
        format!("/connections/{echoed}"),
        format!("/connections/{imported}"),
        "/connections/new".into(),
        "/clients".into(),
        "/clients/new".into(),
        format!("/clients/{client}"),
        "/providers".into(),
        "/providers/strict".into(),
        "/users".into(),
        "/api-keys".into(),
        "/audit".into(),
        "/profile".into(),
        "/metrics".into(),
    ] {
        assert_eq!(admin.get(&path).await.status, 200, "{path}");
    }
    for path in [
        "/overview",
        "/connections",
        &format!("/connections/{id}"),
        &format!("/connections/{echoed}/attempts"),
        &format!("/connections/{id}/relinks"),
        "/clients",
        "/providers",
        "/users",
        "/api-keys",
        "/audit",
    ] {
        api(&mut program, "GET", path, &key, String::new()).await;
    }
    assert!(canaries.0.len() > 20, "{}", canaries.0.len());
    let mut found = Vec::new();
    let mut look = |place: &str, text: &str| {
        let names = canaries.found_in(text);
        if !names.is_empty() {
            found.push(format!("{names:?} in {place}: {text:.2000}"));
        }
    };
    for browser in [&admin, &owner, &program] {
        browser.transcript.iter().for_each(|answer| look("an answer", answer));
    }
    let dump = world.dump().await;
    dump.lines().for_each(|line| look("the database", line));
    let log = log.text();
    log.lines().for_each(|line| look("the log", line));
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(dump.contains("connection.import"), "the audit log is part of it");
    assert!(log.contains("a refresh failed") || log.contains("request"), "the log is caught");
}
