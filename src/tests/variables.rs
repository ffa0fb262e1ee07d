//! What each connection fills in: one client, many shops, and no way for its secret to anywhere else.

use std::{collections::BTreeMap, net::Ipv4Addr};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{ConnectionPatch, State, StateName},
        provider::{AccountSource, FilledBy, GrantType, IdentityOrigin, Profile, Variable},
    },
    sandbox::Hold,
    server::app::{self, connection::device},
    tests::support::{Browser, Page, Program, SECRET, World},
};

/// The shops there are. Each is the whole sandbox, below an address of its own.
const SHOPS: [&str; 2] = ["acme", "bolt"];

struct Mall {
    url: String,
    client: Uuid,
}

fn shop_variable() -> Variable {
    Variable {
        name: "shop".into(),
        label: "Shop".into(),
        pattern: Some("[a-z]{3,8}".into()),
        filled_by: FilledBy::Connection,
        ..Variable::default()
    }
}

impl Mall {
    /// A provider whose every address names a shop, and one client of it.
    async fn open(world: &World) -> Self {
        let shops = SHOPS.iter().fold(Router::new(), |router, shop| {
            router.nest(&format!("/{shop}"), world.sandbox.router())
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, shops).await });
        let at = |path: &str| Some(format!("{url}/{{shop}}{path}"));
        let tenants = |profile: &mut Profile| {
            profile.endpoints.authorization = at("/authorize");
            profile.endpoints.token = at("/token");
            profile.endpoints.revocation = at("/revoke");
            profile.endpoints.userinfo = at("/userinfo");
            profile.endpoints.device_authorization = at("/device_authorization");
            profile.grants.extend([GrantType::DeviceCode, GrantType::TokenExchange]);
            profile.variables = vec![shop_variable()];
            // Only the shop can say it.
            profile.response.id_token.clear();
            profile.response.account.id =
                vec![AccountSource { from: IdentityOrigin::Userinfo, pointer: "/sub".into() }];
        };
        world.provider("mall", tenants).await;
        let client = world.client_of("mall", "one", |_| {}).await;
        Self { url, client }
    }

    /// From the address at which a flow begins through consent at `shop`; the way back.
    async fn consent(
        &self,
        world: &World,
        browser: &mut Browser,
        start: &str,
        shop: &str,
    ) -> String {
        let leaving = browser.get(start).await.location();
        let shop = format!("{}/{shop}", self.url);
        let query = leaving.strip_prefix(&shop).unwrap_or_else(|| panic!("{leaving}"));
        world.sandbox.consent(&format!("{}{query}", world.sandbox.url()), "alice").unwrap()
    }
}

fn shop(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("shop".to_owned(), name.to_owned())])
}

fn id_of(made: &Value) -> Uuid {
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).parse().expect("an id")
}

#[sqlx::test]
async fn a_connection_lives_in_its_own_shop_from_consent_to_revocation(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let page = browser.get(&format!("/connections/new?client={}", mall.client)).await.text;
    assert!(page.contains("name=\"variables[shop]\""), "{page}");
    for name in SHOPS {
        let client = mall.client.to_string();
        let form = [("client_id", &*client), ("label", name), ("variables[shop]", name)];
        let begun = browser.call("connection/connect", &form).await.location();
        let callback = mall.consent(&world, &mut browser, &begun, name).await;
        let landed = browser.get(&callback).await.location();
        let id = landed.strip_prefix("/connections/").and_then(|rest| rest.split_once('?'));
        let id: Uuid = id.expect("the connection's page").0.parse().expect("an id");
        let connection = world.connection(id).await;
        assert_eq!((&connection.state, &connection.variables), (&State::Active, &shop(name)));
        assert!(connection.account_id.is_some(), "the shop was asked whose it is");
        let page = browser.get(&format!("/connections/{id}")).await.text;
        assert!(page.contains("Shop") && page.contains(name), "{page}");
        assert!(!page.contains("variables[shop]"), "tokens do not follow");

        world.until_due(id).await;
        assert_eq!(world.tick().await, 1);
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
        // Dead, and brought back in place by whoever has the link.
        world.sandbox.revoke_account("alice");
        world.until_due(id).await;
        world.tick().await;
        assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);
        let relink = app::relink::create(&world.app, &world.admin, id).await.unwrap();
        let token = relink.url.rsplit('/').next().unwrap();
        let mut owner = world.browser();
        let begun = owner.begin_relink(token).await.location();
        let callback = mall.consent(&world, &mut owner, &begun, name).await;
        assert_eq!(owner.get(&callback).await.location(), "/relink/outcome/done");
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 3));

        app::connection::disconnect(&world.app, &world.admin, id, true).await.unwrap();
        let told = &world.audit("connection.disconnect").await[0];
        assert_eq!(told.detail["revoked_at_provider"], true);
    }
}

#[sqlx::test]
async fn every_way_to_a_connection_takes_them(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let admin = world.program(&[Scope::Admin]).await;
    let subject = world.token_response(mall.client, "alice").await["access_token"].clone();
    let response = world.token_response(mall.client, "alice").await;
    let ways = [
        json!({ "grant": "client_credentials" }),
        json!({ "grant": "authorization_code" }),
        json!({ "grant": "device_code" }),
        json!({ "grant": "import", "token_response": response }),
        json!({
            "grant": "token_exchange",
            "subject_token": subject,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "scopes": ["email"],
        }),
    ];
    for mut body in ways {
        body["client_id"] = json!(mall.client);
        body["variables"] = json!({ "shop": "acme" });
        let made = admin.post("/connections", &body).await.ok();
        assert_eq!(made["variables"], json!({ "shop": "acme" }), "{made}");
        let seen = admin.get(&format!("/connections/{}", id_of(&made))).await.ok();
        assert_eq!(seen["variables"], json!({ "shop": "acme" }));
        if body["grant"] == "device_code" {
            let code = made["device"]["user_code"].as_str().unwrap();
            assert!(world.sandbox.approve_device(code, "alice"));
            world.pass(Duration::seconds(5));
            assert_eq!(device::run_due(&world.app, 10).await.unwrap(), 1);
            assert_eq!(world.state(id_of(&made)).await, State::Active);
        }
        // A shop that is not there gives nothing, whichever way.
        body["variables"] = json!({ "shop": "nowhere" });
        if body["grant"] == "import" {
            body["token_response"] = json!({ "access_token": "another" });
        }
        let before = world.count("SELECT count(*) FROM connections").await;
        let page = admin.post("/connections", &body).await;
        let asks = !["import", "authorization_code"].contains(&body["grant"].as_str().unwrap());
        assert_eq!(!page.status.is_success(), asks, "{body}: {}", page.text);
        let after = world.count("SELECT count(*) FROM connections").await;
        assert_eq!(after - before, i64::from(!asks));
    }
    assert_eq!(world.audit("connection.create").await.len(), 3);
}

#[sqlx::test]
async fn what_is_missing_unknown_or_unfit_is_told_by_its_field_and_nothing_is_sent(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let plain = world.client("plain", |_| {}).await;
    let admin = world.program(&[Scope::Admin]).await;
    for grant in ["client_credentials", "authorization_code", "device_code", "import"] {
        let mut body = json!({ "client_id": mall.client, "grant": grant });
        if grant == "import" {
            body["token_response"] = json!({ "access_token": "a" });
        }
        for (values, field) in [
            (json!({}), "variables.shop"),
            (json!({ "shop": "" }), "variables.shop"),
            (json!({ "shop": "  " }), "variables.shop"),
            (json!({ "shop": "evil.example/" }), "variables.shop"),
            (json!({ "shop": "a@evil" }), "variables.shop"),
            (json!({ "shop": "acme\n" }), "variables.shop"),
            (json!({ "shop": "acme", "colour": "red" }), "variables.colour"),
        ] {
            body["variables"] = values.clone();
            let page = admin.post("/connections", &body).await;
            // Blanks around a value are typing, not content.
            let fits = values["shop"] == "acme\n";
            match fits {
                true => assert!(page.status.is_success() || page.status == 503, "{}", page.text),
                false => assert_eq!(page.field(), field, "{grant} {values}: {}", page.text),
            }
            if fits {
                world.execute("DELETE FROM connections").await;
            }
        }
    }
    let body = json!({ "client_id": plain, "grant": "client_credentials", "variables": { "shop": "acme" } });
    assert_eq!(admin.post("/connections", &body).await.field(), "variables.shop");
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
    let mut browser = world.sign_in(Role::Admin).await;
    let form = [("client_id", &*mall.client.to_string()), ("label", ""), ("variables[shop]", "X")];
    let refused = browser.call("connection/connect", &form).await.problem();
    assert!(refused.field("variables.shop").is_some(), "{refused:?}");
}

/// People paste the address that stands in their browser.
#[sqlx::test]
async fn whoever_pastes_a_whole_address_is_told_which_part_is_asked_for(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let admin = world.program(&[Scope::Admin]).await;
    let mut browser = world.sign_in(Role::Admin).await;
    for (pasted, told) in [
        (format!("{}/acme/settings?x=1", mall.url), "Of this address only \"acme\" is asked for"),
        ("https://acme.example.com".into(), "is only a part of one: Shop"),
    ] {
        let body = json!({ "client_id": mall.client, "grant": "client_credentials",
                           "variables": { "shop": pasted } });
        let page = admin.post("/connections", &body).await;
        assert_eq!(page.field(), "variables.shop");
        let said = page.json::<Value>()["fields"][0]["message"].as_str().unwrap().to_owned();
        assert!(said.starts_with("must match [a-z]{3,8}. ") && said.contains(told), "{said}");
        let client = mall.client.to_string();
        let form = [("client_id", &*client), ("label", ""), ("variables[shop]", &pasted)];
        let refused = browser.call("connection/connect", &form).await.problem();
        assert_eq!(refused.field("variables.shop"), Some(&*said));
    }
    // What is no address is wrong as it was.
    let body = json!({ "client_id": mall.client, "grant": "client_credentials",
                       "variables": { "shop": "ACME" } });
    let page = admin.post("/connections", &body).await;
    assert_eq!(page.json::<Value>()["fields"][0]["message"], "must match [a-z]{3,8}");
}

#[sqlx::test]
async fn tokens_do_not_follow_to_another_shop(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let admin = world.program(&[Scope::Admin]).await;
    let body = json!({
        "client_id": mall.client, "grant": "client_credentials", "variables": { "shop": "acme" },
    });
    let made = admin.post("/connections", &body).await.ok();
    let path = format!("/connections/{}", id_of(&made));
    let to = |name: &str| json!({ "variables": { "shop": name } });
    assert_eq!(admin.patch(&path, &to("bolt")).await.refusal(), (409, "conflict".into()));
    assert_eq!(admin.patch(&path, &to("Bolt!")).await.field(), "variables.shop");
    admin.patch(&path, &to("acme")).await.ok();
    let named = json!({ "label": "Acme", "variables": { "shop": "acme" } });
    assert_eq!(admin.patch(&path, &named).await.ok()["label"], "Acme");
    assert_eq!(
        admin.patch(&path, &json!({ "tags": ["x"] })).await.ok()["variables"],
        to("acme")["variables"]
    );
    admin.press(&format!("{path}/disconnect")).await;
    let moved = admin.patch(&path, &to("bolt")).await.ok();
    assert_eq!(moved["variables"], json!({ "shop": "bolt" }));
    let told = world.audit("connection.update").await;
    assert!(told.iter().any(|entry| entry.detail["variables"] == json!({ "shop": "bolt" })));
}

/// The consent page was the old shop's, so its code is not for the new one.
#[sqlx::test]
async fn another_shop_voids_consent_that_is_on_its_way(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = mall.client.to_string();
    let form = [("client_id", &*client), ("label", ""), ("variables[shop]", "acme")];
    let begun = browser.call("connection/connect", &form).await.location();
    let callback = mall.consent(&world, &mut browser, &begun, "acme").await;
    let id: Uuid =
        sqlx::query_scalar("SELECT id FROM connections").fetch_one(&world.pool).await.unwrap();
    let page = browser.get(&format!("/connections/{id}")).await.text;
    assert!(page.contains("name=\"variables[shop]\""), "{page}");
    let form = [("id", &*id.to_string()), ("label", ""), ("variables[shop]", "bolt")];
    assert_eq!(browser.call("connection/update", &form).await.status, StatusCode::OK);
    assert_eq!(browser.get(&callback).await.location(), "/relink/outcome/expired");
    assert!(world.sandbox.log().is_empty());

    // The form of a page without such fields changes nothing.
    let form = [("id", &*id.to_string()), ("label", "Named")];
    assert_eq!(browser.call("connection/update", &form).await.status, StatusCode::OK);
    assert_eq!(world.connection(id).await.variables, shop("bolt"));

    // And none can be made between the code's exchange and its record: the tokens would be lost.
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await.location();
    let callback = mall.consent(&world, &mut browser, &begun, "bolt").await;
    world.control().hold(Hold::BeforeAnswering);
    let (coming, app, admin) = (browser.clone(), world.app.clone(), world.admin.clone());
    let landing = tokio::spawn(async move { { coming }.get(&callback).await.location() });
    world.control().until_held(1).await;
    let patch = ConnectionPatch { variables: Some(shop("acme")), ..ConnectionPatch::default() };
    let refused = app::connection::update(&app, &admin, id, patch).await;
    assert!(matches!(refused, Err(app::Error::Conflict(_))), "{refused:?}");
    world.control().release();
    assert_eq!(landing.await.unwrap(), format!("/connections/{id}?connected=1"));
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 1));
}

#[sqlx::test]
async fn a_client_that_serves_one_shop_fills_it_in_for_all(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let admin = world.program(&[Scope::Admin]).await;
    let client = |shop: &str| {
        json!({
            "provider": "mall", "name": "Acme's own", "oauth_client_id": "one",
            "client_secret": SECRET, "variables": { "shop": shop },
        })
    };
    assert_eq!(admin.post("/clients", &client("evil.example/")).await.field(), "variables.shop");
    let made = admin.post("/clients", &client("acme")).await.ok();
    let id = id_of(&made);
    let body = json!({ "client_id": id, "grant": "client_credentials" });
    let connection = admin.post("/connections", &body).await.ok();
    assert_eq!(connection["variables"], json!({}));
    let mut own = body.clone();
    own["variables"] = json!({ "shop": "bolt" });
    assert_eq!(admin.post("/connections", &own).await.field(), "variables.shop");
    let mut browser = world.sign_in(Role::Admin).await;
    let page = browser.get(&format!("/connections/new?client={id}")).await.text;
    assert!(!page.contains("variables[shop]"), "{page}");
    for page in [format!("/clients/{id}"), "/clients/new?provider=mall".into()] {
        let text = browser.get(&page).await.text;
        assert!(text.contains("name=\"variables[shop]\""), "{page}");
        assert!(text.contains("Leave it empty where each connection has its own."), "{page}");
    }
    // As any of its values, it stays while connections hold tokens.
    let moved = json!({ "variables": { "shop": "bolt" }, "client_secret": SECRET });
    assert_eq!(admin.patch(&format!("/clients/{id}"), &moved).await.refusal().0, 409);
    assert_ne!(id, mall.client);
}

async fn send(program: &Program, client: Uuid, kind: &str, body: &str) -> Page {
    let request = Request::post(format!("/api/v1/clients/{client}/imports"))
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(body.to_owned()))
        .unwrap();
    program.send(request).await
}

#[sqlx::test]
async fn a_file_brings_each_rows_own(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let csv =
        "external_id,variables.shop,access_token\n1,acme,a1\n2,bolt,a2\n3,,a3\n4,no/where,a4\n";
    let done = send(&program, mall.client, "text/csv", csv).await.ok();
    assert_eq!((&done["imported"], &done["failed"]), (&json!(2), &json!(2)), "{done}");
    let lines = [
        json!({ "external_id": "5", "variables": { "shop": "acme" }, "token_response": { "access_token": "a5" } }),
        json!({ "external_id": "6", "variables": { "colour": "red" }, "token_response": { "access_token": "a6" } }),
        json!({ "external_id": "7", "token_response": { "access_token": "a7" } }),
    ];
    let file: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let told = send(&program, mall.client, "application/x-ndjson", &file).await.ok();
    let problems: Vec<_> = told["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["field"].as_str().unwrap())
        .collect();
    // One row has what is not known, and lacks what is.
    assert_eq!(problems, ["variables.colour", "variables.shop", "variables.shop"]);
    let kept: Vec<(String, Value)> =
        sqlx::query_as("SELECT external_id, variables FROM connections ORDER BY external_id")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    let wanted = [("1", "acme"), ("2", "bolt"), ("5", "acme")];
    assert_eq!(kept, wanted.map(|(id, shop)| (id.to_owned(), json!({ "shop": shop }))));
}

#[sqlx::test]
async fn a_dry_run_shows_the_requests_of_one_shop(pool: PgPool) {
    let world = World::new(pool).await;
    let mall = Mall::open(&world).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let path = format!("/clients/{}/dry-run", mall.client);
    let run = program.post(&path, &json!({ "variables": { "shop": "acme" } })).await.ok();
    let url = format!("{}/acme/token", mall.url);
    let refresh = |run: &Value| {
        let requests = run["requests"].as_array().unwrap();
        requests.iter().find(|request| request["call"] == "refresh").unwrap().clone()
    };
    assert_eq!(refresh(&run)["url"], url);
    let without = program.post(&path, &json!({})).await.ok();
    assert!(refresh(&without)["problem"].as_str().unwrap().contains("shop"));
    let unfit = program.post(&path, &json!({ "variables": { "shop": "no/" } })).await;
    assert_eq!(unfit.field(), "variables.shop");

    let mut admin = world.sign_in(Role::Admin).await;
    let page = format!("/clients/{}/dry-run", mall.client);
    let text = admin.get(&page).await.text;
    assert!(text.contains("name=\"variables.shop\""), "{text}");
    let text = admin.get(&format!("{page}?variables.shop=acme")).await.text;
    assert!(text.contains(&url), "{text}");
    let text = admin.get(&format!("{page}?variables.shop=no%2F")).await.text;
    assert!(text.contains("must match"), "{text}");
    assert!(world.sandbox.log().is_empty());
}

/// Whoever makes connections need not be who says where secrets go.
#[sqlx::test]
async fn a_profile_that_lets_a_connection_choose_the_host_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let mut profile = Profile::new("loose", "Loose");
    profile.endpoints.authorization = Some("https://loose.example/authorize".into());
    profile.endpoints.token = Some("https://{shop}/token".into());
    profile.variables = vec![shop_variable()];
    let refused = admin.post("/providers", &json!(profile)).await;
    assert_eq!(refused.field(), "variables[0].pattern", "{}", refused.text);
    profile.endpoints.token = Some("https://{shop}.loose.example/token".into());
    assert_eq!(admin.post("/providers", &json!(profile)).await.status, StatusCode::CREATED);
}
