//! Token exchange (RFC 8693): another token in, a connection out.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{GrantType, Reason, State},
        provider::{self, AccountSource, IdentityOrigin, Parameter, Place, Profile},
    },
    sandbox::{self, Fault, Issue},
    tests::support::{SECRET, World},
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

fn offers(profile: &mut Profile) {
    profile.grants.push(provider::GrantType::TokenExchange);
}

/// An access token of alice's that another system got.
async fn subject(world: &World) -> String {
    world.sandbox.add_client(sandbox::Client::confidential("other-system", SECRET));
    let given = world.sandbox.grant(sandbox::Realm::Standard, "other-system", "alice", None);
    given.expect("a token response")["access_token"].as_str().expect("a token").to_owned()
}

fn body(client: Uuid, subject: &str) -> Value {
    json!({
        "client_id": client,
        "grant": "token_exchange",
        "subject_token": subject,
        "subject_token_type": ACCESS_TOKEN,
        "scopes": ["openid", "email"],
    })
}

#[sqlx::test]
async fn another_token_becomes_a_connection_that_renews_itself(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    world.provider("exchanger", offers).await;
    let client = world.client_of("exchanger", "broker", |_| {}).await;
    let subject = subject(&world).await;
    let mut asked = body(client, &subject);
    asked["audience"] = json!("broker");
    asked["resource"] = json!(format!("{}/api", world.sandbox.url()));
    let page = admin.post("/connections", &asked).await;
    assert!(!page.text.contains(&subject));
    let made = page.ok();
    assert_eq!(made["grant_type"], "token_exchange");
    assert_eq!(
        (&made["state"]["name"], &made["account_label"]),
        (&json!("active"), &json!("alice@example.com"))
    );
    let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
    let connection = world.connection(id).await;
    assert_eq!(connection.grant_type, GrantType::TokenExchange);
    assert_eq!(connection.scopes_granted, ["openid", "email"]);
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    let told = world.audit("connection.exchange").await;
    assert_eq!(told[0].detail["subject_token_type"], ACCESS_TOKEN);
    assert!(!told[0].detail.to_string().contains(&subject));
}

#[sqlx::test]
async fn without_a_refresh_token_a_person_is_needed_at_its_end(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    world.provider("exchanger", offers).await;
    let silent = |client: &mut sandbox::Client| client.refresh.issue = Issue::Never;
    let client = world.client_of("exchanger", "broker", silent).await;
    let made = admin.post("/connections", &body(client, &subject(&world).await)).await.ok();
    assert_eq!(made["needs_human_by"], made["access_expires_at"]);
    let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
    world.pass(Duration::minutes(10));
    world.tick().await;
    assert_eq!(world.reason(id).await, Some(Reason::NoRefreshToken));
    assert!(world.refreshes().is_empty());
}

/// Stored before anybody is asked whose it is: what happens then costs a name, not a token.
#[sqlx::test]
async fn whose_it_is_is_asked_after_it_was_stored(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let anonymous = |profile: &mut Profile| {
        offers(profile);
        profile.response.id_token.clear();
        profile.response.account.id =
            vec![AccountSource { from: IdentityOrigin::Userinfo, pointer: "/sub".into() }];
    };
    world.provider("exchanger", anonymous).await;
    let client = world.client_of("exchanger", "broker", |_| {}).await;
    let subject = subject(&world).await;
    let made = admin.post("/connections", &body(client, &subject)).await.ok();
    assert!(made["account_id"].is_string(), "{made}");
    let mut nameless = body(client, &subject);
    nameless["scopes"] = json!(["email"]);
    let made = admin.post("/connections", &nameless).await.ok();
    assert_eq!((&made["state"]["name"], &made["account_id"]), (&json!("active"), &Value::Null));
}

#[sqlx::test]
async fn the_profiles_own_way_of_exchanging_is_followed(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let strange = |profile: &mut Profile| {
        offers(profile);
        let over = &mut profile.request.token_exchange;
        let omit = Parameter { place: Place::Omit, ..Parameter::default() };
        over.parameters.insert("audience".into(), omit);
        over.extra.insert("requested_token_type".into(), ACCESS_TOKEN.into());
        over.send_scope = Some(false);
    };
    world.provider("strange", strange).await;
    let client = world.client_of("strange", "broker", |_| {}).await;
    let mut asked = body(client, &subject(&world).await);
    // The sandbox would refuse both, if they were sent.
    asked["audience"] = json!("nobody");
    asked["scopes"] = json!(["unheard-of"]);
    assert_eq!(admin.post("/connections", &asked).await.status.as_u16(), 201);
}

#[sqlx::test]
async fn what_is_refused_leaves_nothing_behind_and_says_nothing_of_the_token(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let plain = world.client("plain", |_| {}).await;
    world.provider("exchanger", offers).await;
    let client = world.client_of("exchanger", "broker", |_| {}).await;
    let subject = subject(&world).await;
    let with = |name: &str, value: Value| {
        let mut body = body(client, &subject);
        body[name] = value;
        body
    };
    for (name, value) in [
        ("subject_token", json!("")),
        ("subject_token", json!(null)),
        ("subject_token_type", json!(null)),
        ("subject_token_type", json!("access_token")),
        ("audience", json!("")),
        ("resource", json!("not an address")),
        ("resource", json!("https://a.example/#part")),
        ("token_response", json!({})),
        ("label", json!("a\nb")),
    ] {
        let page = admin.post("/connections", &with(name, value.clone())).await;
        assert_eq!(page.field(), name, "{value}: {}", page.text);
    }
    assert!(world.sandbox.log().is_empty(), "nothing was asked");
    let imported = json!({ "client_id": client, "token_response": {}, "subject_token": "x" });
    assert_eq!(admin.post("/connections", &imported).await.field(), "subject_token");
    let wrong = admin.post("/connections", &body(plain, &subject)).await;
    assert_eq!(wrong.refusal(), (409, "conflict".into()));
    for body in [
        with("subject_token", json!("a-token-that-nobody-here-knows")),
        with("audience", json!("nobody")),
        with("scopes", json!(["unheard-of"])),
    ] {
        let page = admin.post("/connections", &body).await;
        assert_eq!(page.refusal(), (409, "conflict".into()), "{}", page.text);
        assert!(!page.text.contains("a-token-that") && !page.text.contains(&subject));
    }
    world.control().fail_next(Fault::DropAfter, 1);
    assert_eq!(admin.post("/connections", &body(client, &subject)).await.refusal().0, 503);
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
}

#[sqlx::test]
async fn people_exchange_a_token_by_a_form(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("exchanger", offers).await;
    let client = world.client_of("exchanger", "broker", |_| {}).await;
    let plain = world.client("plain", |_| {}).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let form = "/rpc/connection/exchange";
    let page = browser.get(&format!("/connections/new?client={plain}")).await.text;
    assert!(!page.contains(form));
    let page = browser.get(&format!("/connections/new?client={client}")).await.text;
    assert!(page.contains(form) && page.contains(ACCESS_TOKEN), "{page}");

    let (client, subject) = (client.to_string(), subject(&world).await);
    let with = |token: &str| {
        [
            ("client_id", client.clone()),
            ("label", "Exchanged".into()),
            ("external_id", String::new()),
            ("scopes", "openid email".into()),
            ("subject_token", format!(" {token}\n")),
            ("subject_token_type", ACCESS_TOKEN.into()),
            ("audience", String::new()),
            ("resource", String::new()),
        ]
    };
    let sent = with(&subject);
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, &**value)).collect();
    let made = browser.submit("connection/exchange", &sent).await.location();
    let id: Uuid = made.rsplit('/').next().unwrap().parse().expect("an id");
    let connection = world.connection(id).await;
    assert_eq!((connection.state, connection.label.as_str()), (State::Active, "Exchanged"));
    assert_eq!(connection.scopes_granted, ["openid", "email"]);

    let sent = with("a-token-that-nobody-here-knows");
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, &**value)).collect();
    let refused = browser.call("connection/exchange", &sent).await;
    assert!(!refused.text.contains("a-token-that"), "{}", refused.text);
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1);
}

/// What can't be stored is not asked for: the other token may be good for one exchange.
#[sqlx::test]
async fn nothing_is_exchanged_for_an_external_id_that_is_taken(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    world.provider("exchanger", offers).await;
    let client = world.client_of("exchanger", "broker", |_| {}).await;
    let mut asked = body(client, &subject(&world).await);
    asked["external_id"] = json!("7");
    admin.post("/connections", &asked).await.ok();
    let before = world.sandbox.log().len();
    let refused = admin.post("/connections", &asked).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("external_id"), "{}", refused.text);
    assert_eq!(world.sandbox.log().len(), before);
}
