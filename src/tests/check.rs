//! Asking the provider whether it takes a client's credentials: by each way, with a right secret and a
//! wrong one, and without a trace on any grant.

mod limits;

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        client::StateName,
        connection::State,
        provider::{AuthenticationMethod, FilledBy, GrantType, Profile, Renewal, Variable},
    },
    sandbox::Realm,
    server::app,
    tests::support::{PROVIDER, SECRET, World},
};

async fn check(world: &World, client: Uuid) -> Value {
    let program = world.program(&[Scope::ClientsWrite]).await;
    program.press(&format!("/clients/{client}/check")).await.ok()
}

fn found(check: &Value) -> (&str, Option<&str>, Option<&str>) {
    let finding = check["finding"].as_str().expect("a finding");
    (finding, check["way"].as_str(), check["doubt"].as_str())
}

/// The provider wants another secret from now on.
fn provider_wants_another(world: &World, client: &str) {
    assert!(world.sandbox.replace_secret(Realm::Standard, client, "another secret"));
}

/// Leaves one way.
fn only(way: &'static str, url: String) -> impl FnOnce(&mut Profile) {
    move |profile| {
        profile.endpoints.revocation = None;
        profile.grants = Vec::new();
        profile.renewal = Renewal::None;
        match way {
            "client_credentials" => profile.grants = vec![GrantType::ClientCredentials],
            "introspection" => profile.endpoints.introspection = Some(format!("{url}/introspect")),
            "revocation" => profile.endpoints.revocation = Some(format!("{url}/revoke")),
            "code" => profile.grants = vec![GrantType::AuthorizationCode],
            _ => profile.renewal = Renewal::RefreshToken,
        }
    }
}

#[sqlx::test]
async fn each_way_tells_a_right_secret_from_a_wrong_one(pool: PgPool) {
    let world = World::new(pool).await;
    for way in ["client_credentials", "introspection", "revocation", "code", "refresh_token"] {
        let slug = way.replace('_', "-");
        world.provider(&slug, only(way, world.sandbox.url().to_owned())).await;
        let client = world.client_of(&slug, way, |_| {}).await;
        let right = check(&world, client).await;
        assert_eq!(found(&right), ("accepted", Some(way), None));
        assert_eq!((&right["said"], &right["with_secret"]), (&Value::Null, &json!(true)), "{way}");
        provider_wants_another(&world, way);
        let wrong = check(&world, client).await;
        assert_eq!(found(&wrong), ("refused", Some(way), None));
        assert_eq!(wrong["said"]["code"], "invalid_client", "{way}");
        assert_eq!(wrong["said"]["status"], 401, "{way}");
        assert!(!wrong.to_string().contains(SECRET));
        assert_eq!(world.client_now(client).await.state, StateName::Ready, "nothing is changed");
    }
    let told = world.audit("client.check").await;
    assert_eq!(told.len(), 10);
    let detail = json!({ "finding": "refused", "way": "refresh_token", "doubt": null });
    assert!(told.iter().any(|one| one.actor_kind == "api_key" && one.detail == detail), "{told:?}");
}

/// An id that nobody knows is refused as a wrong secret is.
#[sqlx::test]
async fn an_unknown_client_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let new = app::client::NewClient {
        provider: PROVIDER.into(),
        name: "Nobody".into(),
        oauth_client_id: "nobody".into(),
        client_secret: Some(SECRET.into()),
        scopes: Vec::new(),
        variables: Default::default(),
    };
    let client = app::client::create(&world.app, &world.admin, new).await.unwrap().id;
    assert_eq!(found(&check(&world, client).await).0, "refused");
}

/// What lives is as it was, whatever was asked and however it was answered.
#[sqlx::test]
async fn no_grant_is_touched(pool: PgPool) {
    let world = World::new(pool).await;
    let endpoint = format!("{}/introspect", world.sandbox.url());
    world.provider("open", |profile| profile.endpoints.introspection = Some(endpoint)).await;
    let client = world.client_of("open", "one", |_| {}).await;
    let ids = [world.import(client).await, world.import_of(client, "bob").await];
    let before = [world.connection(ids[0]).await, world.connection(ids[1]).await];
    assert_eq!(found(&check(&world, client).await), ("accepted", Some("introspection"), None));
    world.sandbox.replace_secret(Realm::Standard, "one", "another secret");
    assert_eq!(found(&check(&world, client).await).0, "refused");
    world.sandbox.replace_secret(Realm::Standard, "one", SECRET);
    // A client that has connections is given no token of its own.
    let own = world.sandbox.log();
    assert!(
        own.iter().all(|asked| asked.grant.as_deref() != Some("client_credentials")),
        "{own:?}"
    );
    for (id, before) in ids.into_iter().zip(before) {
        assert_eq!(world.connection(id).await, before);
        world.until_due(id).await;
        world.tick().await;
        assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    }
}

#[sqlx::test]
async fn where_only_a_token_would_tell_it_is_not_asked_for_while_others_are_held(pool: PgPool) {
    let world = World::new(pool).await;
    let url = world.sandbox.url().to_owned();
    world.provider("own", only("client_credentials", url.clone())).await;
    let client = world.client_of("own", "own", |_| {}).await;
    world.import(client).await;
    assert_eq!(found(&check(&world, client).await), ("unknown", None, Some("in_use")));
    world
        .provider("none", |profile| {
            only("code", url)(profile);
            profile.request.authentication.method = AuthenticationMethod::None;
            profile.request.revocation.authentication = Some(Default::default());
        })
        .await;
    let client = world.client_of("none", "none", |_| {}).await;
    assert_eq!(found(&check(&world, client).await), ("unknown", None, Some("no_way")));
    assert!(world.sandbox.log().is_empty(), "nothing was asked");
}

/// A public client has an id alone, and that is told.
#[sqlx::test]
async fn a_client_without_a_secret_is_known_or_not(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("public", |profile| {
            profile.request.authentication.method = AuthenticationMethod::None;
        })
        .await;
    for (id, finding) in [("demo-public", "accepted"), ("nobody", "refused")] {
        let new = app::client::NewClient {
            provider: "public".into(),
            name: id.into(),
            oauth_client_id: id.into(),
            client_secret: None,
            scopes: Vec::new(),
            variables: Default::default(),
        };
        let client = app::client::create(&world.app, &world.admin, new).await.unwrap().id;
        let told = check(&world, client).await;
        assert_eq!(found(&told), (finding, Some("code"), None), "{id}");
        assert_eq!(told["with_secret"], false);
    }
}

/// What a server answers to anybody proves nothing.
#[sqlx::test]
async fn an_answer_counts_only_if_a_made_up_secret_gets_another(pool: PgPool) {
    let world = World::new(pool).await;
    let change = |profile: &mut Profile| profile.endpoints.revocation = None;
    let (stub, connection) = world.stub_with(change).await;
    let client = world.connection(connection).await.client_id;
    let program = world.program(&[Scope::ClientsWrite]).await;
    for (body, doubt, code) in [
        (json!({ "error": "invalid_grant" }), "indifferent", Value::Null),
        (json!({ "error": "unauthorized_client" }), "unclear", json!("unauthorized_client")),
        (json!({ "access_token": "a1" }), "unclear", Value::Null),
        (
            json!({ "error": "temporarily_unavailable" }),
            "unclear",
            json!("temporarily_unavailable"),
        ),
    ] {
        stub.answers(&body);
        let told = program.press(&format!("/clients/{client}/check")).await.ok();
        assert_eq!(found(&told), ("unknown", None, Some(doubt)), "{body}");
        assert_eq!(told["said"]["code"], code, "{body}");
    }
    assert_eq!(world.generation(connection).await, 1);
}

#[sqlx::test]
async fn what_can_not_be_asked_says_why(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("shops", |profile| {
            profile.endpoints.token = Some("https://{shop}.shops.example/token".into());
            profile.endpoints.revocation = None;
            profile.variables = vec![Variable {
                name: "shop".into(),
                label: "Shop".into(),
                pattern: Some("[a-z]+".into()),
                filled_by: FilledBy::Connection,
                ..Variable::default()
            }];
        })
        .await;
    let client = world.client_of("shops", "shops", |_| {}).await;
    assert_eq!(found(&check(&world, client).await), ("unknown", None, Some("per_connection")));
    world.provider("signed", |_| {}).await;
    let client = world.client_of("signed", "signed", |_| {}).await;
    // A client of an older time: today its key would be refused.
    world
        .execute(
            "UPDATE providers
             SET profile = profile || '{\"request\": {\"authentication\": {\"method\": \"private_key_jwt\"}}}'
             WHERE slug = 'signed'",
        )
        .await;
    let told = check(&world, client).await;
    assert_eq!(found(&told), ("unknown", None, Some("unsent")));
    assert!(told["said"]["description"].as_str().unwrap().contains("key"), "{told}");
}

/// The button, what it found, once; and the first steps of a new client.
#[sqlx::test]
async fn the_page_offers_the_check_before_the_first_consent(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let path = format!("/clients/{client}");
    let mut admin = world.sign_in(Role::Admin).await;
    let page = admin.get(&path).await.text;
    assert!(page.contains("First steps") && page.contains("Check credentials"), "{page}");
    assert_eq!(page.matches("id=\"redirect-uri\"").count(), 1);
    let form = [("id", &*client.to_string())];
    let answer = admin.submit("client/check", &form).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (302, path.clone()));
    let page = admin.get(&path).await.text;
    assert!(page.contains("The credentials are accepted"), "{page}");
    assert!(!admin.get(&path).await.text.contains("The credentials are accepted"));

    provider_wants_another(&world, "one");
    admin.submit("client/check", &form).await;
    // Of another client it says nothing.
    let other = world.client("other", |_| {}).await;
    assert!(!admin.get(&format!("/clients/{other}")).await.text.contains("are refused"));
    admin.submit("client/check", &form).await;
    let page = admin.get(&path).await.text;
    for told in ["The credentials are refused", "What Service strict said", "invalid_client"] {
        assert!(page.contains(told), "{told} is missing in {page}");
    }

    world.import(client).await;
    let page = admin.get(&path).await.text;
    assert!(!page.contains("First steps") && page.contains("Check credentials"), "{page}");
    let mut support = world.sign_in(Role::Support).await;
    let page = support.get(&path).await.text;
    assert!(!page.contains("Check credentials") && !page.contains("First steps"), "{page}");
}
