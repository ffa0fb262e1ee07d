//! The code flow: bound to one browser, used once, for the connection's own account.

use axum::http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use time::Duration;
use url::Url;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{GrantType, State, StateName},
        problem::Code,
        provider::Profile,
        voice,
    },
    sandbox::{Fault, TokenRequest},
    server::app::{self, Actor},
    tests::support::{Browser, World},
};

/// The address at which a person leaves for the provider to make a connection, and the connection.
async fn begun(world: &World, browser: &mut Browser, client: Uuid) -> (String, Uuid) {
    let form = [("client_id", &*client.to_string()), ("label", "Books")];
    let answer = browser.call("connection/connect", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let newest = "SELECT id FROM connections WHERE client_id = $1 ORDER BY created_at DESC LIMIT 1";
    let id = sqlx::query_scalar(newest).bind(client).fetch_one(&world.pool).await;
    (answer.location(), id.expect("the connection"))
}

fn exchanges(world: &World) -> Vec<TokenRequest> {
    let is_exchange =
        |request: &TokenRequest| request.grant.as_deref() == Some("authorization_code");
    world.sandbox.log().into_iter().filter(is_exchange).collect()
}

/// An address with one parameter replaced, or without it.
fn with(address: &str, name: &str, value: Option<&str>) -> String {
    let mut url = Url::parse(address).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let kept = pairs.into_iter().filter(|(had, _)| had != name);
    let added = value.map(|value| (name.to_owned(), value.to_owned()));
    url.query_pairs_mut().clear().extend_pairs(kept.chain(added));
    url.into()
}

fn parameter(address: &str, name: &str) -> Option<String> {
    let url = Url::parse(address).unwrap();
    url.query_pairs().find(|(had, _)| had == name).map(|(_, value)| value.into_owned())
}

#[sqlx::test]
async fn consent_connects_an_account(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    assert_eq!(world.state(id).await, State::Pending);
    let leaving = browser.get(&start).await;
    assert_eq!(leaving.status, StatusCode::SEE_OTHER);
    let leaving = leaving.location();
    assert_eq!(parameter(&leaving, "code_challenge_method").as_deref(), Some("S256"));
    let redirect = parameter(&leaving, "redirect_uri");
    assert_eq!(redirect.as_deref(), Some("http://127.0.0.1:3000/oauth/callback"));
    let callback = world.sandbox.consent(&leaving, "alice").unwrap();
    let landed = browser.get(&callback).await;
    assert_eq!(landed.status, StatusCode::SEE_OTHER);
    assert_eq!(landed.location(), format!("/connections/{id}?connected=1"));
    // Nothing of the code goes on: not in the address, not as a referrer, not in a cache.
    assert_eq!(landed.header("referrer-policy"), "no-referrer");
    assert_eq!(landed.header("cache-control"), "no-store");
    assert!(!landed.text.contains(&parameter(&callback, "code").unwrap()));

    let connection = world.connection(id).await;
    assert_eq!((connection.state, connection.generation), (State::Active, 1));
    assert_eq!(connection.grant_type, GrantType::AuthorizationCode);
    assert_eq!(connection.account_label.as_deref(), Some("alice@example.com"));
    assert_eq!(connection.label, "Books");
    assert_eq!(world.audit("connection.connected").await.len(), 1);
    let page = browser.get(&landed.location()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("alice@example.com"));
}

/// Whoever sends us a forged `Host` gets the redirect URI of our configuration.
#[sqlx::test]
async fn the_redirect_uri_comes_from_no_header(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, _) = begun(&world, &mut browser, client).await;
    let path = start.strip_prefix("http://127.0.0.1:3000").unwrap();
    let request = axum::http::Request::get(path)
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .body(axum::body::Body::empty())
        .unwrap();
    let leaving = browser.send(request).await.location();
    let redirect = parameter(&leaving, "redirect_uri");
    assert_eq!(redirect.as_deref(), Some("http://127.0.0.1:3000/oauth/callback"));
}

#[sqlx::test]
async fn only_the_browser_that_left_can_come_back(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    let callback = world.consent_only(&mut browser, start, "alice").await;

    world.person_named("other", Role::Admin).await;
    let mut other = world.browser();
    let mut stranger = world.browser();
    other.sign_in("other", crate::tests::support::PASSWORD).await;
    for browser in [&mut other, &mut stranger] {
        assert_eq!(browser.get(&callback).await.location(), "/relink/outcome/expired");
    }
    assert_eq!(world.state(id).await, State::Pending);
    assert_eq!(exchanges(&world).len(), 0, "a stranger's visit costs not even the code");

    assert_eq!(
        browser.get(&callback).await.location(),
        format!("/connections/{id}?connected=1"),
        "and does not keep the right one out"
    );
}

#[sqlx::test]
async fn a_state_is_used_once(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    let callback = world.consent_only(&mut browser, start.clone(), "alice").await;
    browser.get(&callback).await;
    let connected = world.connection(id).await;
    assert_eq!(connected.state, State::Active);
    assert_eq!(browser.get(&callback).await.location(), "/relink/outcome/expired");
    assert_eq!(exchanges(&world).len(), 1, "a second exchange would kill the grant");
    assert_eq!(world.connection(id).await, connected);
    // The address at which it began is spent too.
    let again = browser.get(&start).await.location();
    assert_eq!(again, "/relink/outcome/spent");
    let page = browser.get(&again).await.text;
    assert!(page.contains("This address works no longer"), "{page}");
}

#[sqlx::test]
async fn a_state_that_is_not_ours_or_too_old_leads_nowhere(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    let callback = world.consent_only(&mut browser, start, "alice").await;
    for forged in [
        with(&callback, "state", Some("forged")),
        with(&callback, "state", Some("")),
        with(&callback, "state", None),
        "/oauth/callback".into(),
    ] {
        assert_eq!(browser.get(&forged).await.location(), "/relink/outcome/expired", "{forged}");
    }
    assert_eq!(browser.get("/oauth/start/forged").await.location(), "/relink/outcome/spent");
    world.pass(Duration::minutes(31));
    assert_eq!(browser.get(&callback).await.location(), "/relink/outcome/expired");
    assert_eq!((world.state(id).await, exchanges(&world).len()), (State::Pending, 0));
    // An address that nobody opened in time is spent as well.
    let (start, _) = begun(&world, &mut browser, client).await;
    world.pass(Duration::minutes(31));
    assert_eq!(browser.get(&start).await.location(), "/relink/outcome/spent");
    app::upkeep::sweep(&world.app).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM flows").await, 0);
}

#[sqlx::test]
async fn an_answer_of_another_issuer_is_refused_before_the_code_is_sent(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    world.provider("promises", |profile| profile.authorization.iss_required = true).await;
    for (provider, iss, refused) in [
        ("strict", Some("https://evil.example"), true),
        ("strict", Some("http://127.0.0.1/"), true),
        ("promises", None, true),
        ("strict", None, false),
    ] {
        let name = format!("{provider} {iss:?}");
        let client = world.client_of(provider, &name, |_| {}).await;
        let (start, id) = begun(&world, &mut browser, client).await;
        let callback = world.consent_only(&mut browser, start, "alice").await;
        let before = exchanges(&world).len();
        let landed = browser.get(&with(&callback, "iss", iss)).await.location();
        let end = if refused { "problem=failed" } else { "connected=1" };
        assert_eq!(landed, format!("/connections/{id}?{end}"), "{name}");
        assert_eq!(exchanges(&world).len() - before, usize::from(!refused), "{name}");
        let state = if refused { StateName::Pending } else { StateName::Active };
        assert_eq!(world.state(id).await.name(), state, "{name}");
    }
}

/// An address with its parameters under other names.
fn renamed(address: &str, names: &[(&str, &str)]) -> String {
    names.iter().fold(address.to_owned(), |address, (from, to)| {
        let value = parameter(&address, from);
        with(&with(&address, from, None), to, value.as_deref())
    })
}

#[sqlx::test]
async fn a_provider_may_name_what_comes_back_otherwise(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let names = |profile: &mut Profile| {
        let callback = &mut profile.authorization.callback;
        callback.code = Some("oauth_code".into());
        callback.state = Some("context".into());
        callback.error = Some("fault".into());
    };
    world.provider("wordy", names).await;
    let own: &[(&str, &str)] = &[("code", "oauth_code"), ("state", "context")];
    for (provider, names, end) in [
        ("wordy", own, "connected=1"),
        ("wordy", &[("code", "oauth_code")], "problem=failed"),
        ("wordy", &[("state", "context")], "problem=failed"),
        ("strict", own, "problem=failed"),
        ("strict", &[("code", "oauth_code")], "problem=failed"),
    ] {
        let name = format!("{provider} {names:?}");
        let client = world.client_of(provider, &name, |_| {}).await;
        let (start, id) = begun(&world, &mut browser, client).await;
        let callback = world.consent_only(&mut browser, start, "alice").await;
        let before = exchanges(&world).len();
        let landed = browser.get(&renamed(&callback, names)).await.location();
        assert_eq!(landed, format!("/connections/{id}?{end}"), "{name}");
        let asked = usize::from(end == "connected=1");
        assert_eq!(exchanges(&world).len() - before, asked, "{name}");
        // Whatever its name was, it is spent.
        let again = browser.get(&renamed(&callback, own)).await.location();
        assert_eq!(again, "/relink/outcome/expired", "{name}");
    }
    let client = world.client_of("wordy", "denied", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    let leaving = browser.get(&start).await.location();
    let denied = world.sandbox.deny(&leaving).unwrap();
    let denied = renamed(&denied, &[("error", "fault"), ("state", "context")]);
    assert_eq!(browser.get(&denied).await.location(), format!("/connections/{id}?problem=denied"));
}

/// Two codes are none (RFC 6749 section 3.1): it is not for us to choose.
#[sqlx::test]
async fn what_comes_back_twice_is_not_taken(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    let callback = world.consent_only(&mut browser, start, "alice").await;
    let landed = browser.get(&format!("{callback}&code=another")).await.location();
    assert_eq!(landed, format!("/connections/{id}?problem=failed"));
    assert_eq!(exchanges(&world).len(), 0);
}

#[sqlx::test]
async fn a_refusal_and_a_failure_are_told_apart_and_change_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    let leaving = browser.get(&start).await.location();
    let callback = world.sandbox.deny(&leaving).unwrap();
    let landed = browser.get(&callback).await.location();
    assert_eq!(landed, format!("/connections/{id}?problem=denied"));
    assert_eq!(world.state(id).await, State::Pending);
    assert_eq!(world.audit("connection.consent_failed").await.len(), 1);
    let page = browser.get(&landed).await;
    assert_eq!(page.status, StatusCode::OK);

    // The same connection may be tried again, and fail in other ways.
    for (name, value, end) in [
        ("error", Some("server_error"), "problem=failed"),
        ("code", Some("forged"), "problem=failed"),
        ("code", None, "problem=failed"),
        ("nothing", None, "connected=1"),
    ] {
        let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
        let callback = world.consent_only(&mut browser, begun.location(), "alice").await;
        let landed = browser.get(&with(&callback, name, value)).await.location();
        assert_eq!(landed, format!("/connections/{id}?{end}"), "{name}");
    }
    assert_eq!(world.generation(id).await, 1);
}

/// The provider refuses the client at the exchange: trying again mends nothing, another secret does.
#[sqlx::test]
async fn a_client_that_is_refused_leads_to_its_secret(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    world.control().fail_next(Fault::InvalidClient, 1);
    let landed = world.consent(&mut browser, start, "alice").await;
    assert_eq!(landed, format!("/connections/{id}?problem=client_refused"));
    let page = browser.get(&landed).await.text;
    assert!(
        page.contains("The provider refuses the client") && page.contains("invalid_client"),
        "{page}"
    );
    assert!(page.contains(voice::REPLACE_SECRET), "{page}");
    let entries = world.audit("connection.consent_failed").await;
    assert_eq!(entries[0].detail["outcome"], "client_refused");
}

#[sqlx::test]
async fn another_account_is_refused_and_overwrites_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    let before = world.connection(id).await;
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    let landed = world.consent(&mut browser, begun.location(), "bob").await;
    assert_eq!(landed, format!("/connections/{id}?problem=wrong_account"));
    assert_eq!(world.connection(id).await, before);
    assert_eq!(world.count("SELECT count(*) FROM token_sets").await, 1);
    let entries = world.audit("connection.consent_failed").await;
    assert_eq!(entries[0].detail["outcome"], "wrong_account");
    world.until_due(id).await;
    world.tick().await;
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
}

/// A provider that does not say whose account it is can't vouch for the right one.
#[sqlx::test]
async fn an_account_that_is_not_named_is_not_taken_for_the_right_one(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    world.execute("UPDATE connections SET scopes_requested = '{api:read}'").await;
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    let landed = world.consent(&mut browser, begun.location(), "bob").await;
    assert_eq!(landed, format!("/connections/{id}?problem=failed"));
    assert_eq!(world.generation(id).await, 1);
}

#[sqlx::test]
async fn a_dead_connection_comes_back_in_place_with_its_history(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    world.until_due(id).await;
    world.tick().await;
    world.sandbox.revoke_account("alice");
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);
    let history = world.attempts(id).await;
    assert_eq!(history.len(), 2);
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    let landed = world.consent(&mut browser, begun.location(), "alice").await;
    assert_eq!(landed, format!("/connections/{id}?connected=1"));

    let connection = world.connection(id).await;
    assert_eq!((connection.state, connection.generation), (State::Active, 3));
    assert_eq!((connection.last_error, connection.needs_human_by), (None, None));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1);
    assert_eq!(world.attempts(id).await, history);
    let fingerprints = "SELECT count(*) FROM (SELECT fingerprint FROM token_sets
                        UNION SELECT fingerprint_before FROM attempts
                        UNION SELECT fingerprint_after FROM attempts WHERE fingerprint_after IS NOT NULL) AS all_of_them";
    assert_eq!(world.count(fingerprints).await, 3);
    assert_eq!(world.audit("connection.reauthorized").await.len(), 1);
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.generation(id).await, 4);
}

#[sqlx::test]
async fn consent_that_brings_no_refresh_token_keeps_the_one_that_lives(pool: PgPool) {
    use crate::sandbox::Issue;
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    // From the second consent on this provider gives none, as Google does.
    let mut silent = crate::sandbox::Client::confidential("one", crate::tests::support::SECRET);
    silent.refresh.issue = Issue::Never;
    world.sandbox.add_client(silent);
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    world.consent(&mut browser, begun.location(), "alice").await;
    assert_eq!(world.generation(id).await, 2);
    assert!(world.connection(id).await.has_refresh_token);
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 3));
}

/// A lost answer may have spent the token that goes on; a consent beside it proves nothing.
#[sqlx::test]
async fn consent_that_keeps_the_refresh_token_keeps_the_doubt_about_it(pool: PgPool) {
    use crate::{
        domain::connection::Reason,
        sandbox::{Fault, Issue},
    };
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let id = world.connect(&mut browser, client, "alice").await;
    world.control().fail_next(Fault::DropAfter, 1);
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.state(id).await.name(), StateName::InDoubt);

    let mut silent = crate::sandbox::Client::confidential("one", crate::tests::support::SECRET);
    silent.refresh.issue = Issue::Never;
    world.sandbox.add_client(silent);
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    world.consent(&mut browser, begun.location(), "alice").await;
    assert_eq!(world.state(id).await, State::Active);
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.reason(id).await, Some(Reason::RotationLost));
}

#[sqlx::test]
async fn client_credentials_leave_nothing_behind_when_they_are_refused(pool: PgPool) {
    use crate::sandbox::Fault;
    let world = World::new(pool).await;
    let client = world.client("machine", |_| {}).await;
    world.provider("people", |profile| profile.grants.truncate(1)).await;
    let people = world.client_of("people", "people", |_| {}).await;
    world.control().fail_next(Fault::Unavailable, 1);
    let new = crate::tests::support::new_connection;
    let refused =
        app::connection::grant_client_credentials(&world.app, &world.admin, new(client)).await;
    assert!(matches!(refused, Err(app::Error::ProviderUnavailable { .. })));
    let refused =
        app::connection::grant_client_credentials(&world.app, &world.admin, new(people)).await;
    assert!(matches!(refused, Err(app::Error::Conflict(_))));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
    let made = app::connection::grant_client_credentials(&world.app, &world.admin, new(client))
        .await
        .unwrap();
    assert_eq!(made.state, State::Active);
    // There is nobody who could consent to it.
    let begun = app::connection::authorize(&world.app, &world.admin, made.id).await;
    assert!(matches!(begun, Err(app::Error::Conflict(_))));
    let relink = app::relink::create(&world.app, &Actor::Operator, made.id).await;
    assert!(matches!(relink, Err(app::Error::Conflict(_))));
}

/// Whoever gave up at the provider's page may begin again with the same external id.
#[sqlx::test]
async fn a_connection_that_nobody_consented_to_is_taken_over(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let other = world.client("two", |_| {}).await;
    let connect = async |browser: &mut Browser, client: Uuid, label: &str| {
        let client = client.to_string();
        let form = [("client_id", &*client), ("label", label), ("external_id", "customer 7")];
        browser.call("connection/connect", &form).await
    };
    let first = connect(&mut browser, client, "First").await.location();
    let abandoned = world.consent_only(&mut browser, first, "bob").await;
    let find = "SELECT id FROM connections WHERE external_id = 'customer 7'";
    let id: Uuid = sqlx::query_scalar(find).fetch_one(&world.pool).await.unwrap();
    let relink = app::relink::create(&world.app, &world.admin, id).await.unwrap();

    let second = connect(&mut browser, client, "Second").await.location();
    let again: Uuid = sqlx::query_scalar(find).fetch_one(&world.pool).await.unwrap();
    assert_eq!((again, world.connection(id).await.label.as_str()), (id, "Second"));
    // What was begun before is void, also by way of a relink.
    assert_eq!(browser.get(&abandoned).await.location(), "/relink/outcome/expired");
    let token = relink.url.rsplit('/').next().unwrap();
    let refused = world.browser().begin_relink(token).await;
    assert_eq!(refused.location(), format!("/relink/{token}?outcome=failed"));
    let landed = world.consent(&mut browser, second, "alice").await;
    assert_eq!(landed, format!("/connections/{id}?connected=1"));

    // From then on the external id is taken; another client may have it.
    let refused = connect(&mut browser, client, "Third").await.problem();
    assert!(refused.field("external_id").is_some(), "{refused:?}");
    connect(&mut browser, other, "Other").await.location();
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 2);
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    let refused = connect(&mut browser, client, "Fourth").await.problem();
    assert!(refused.field("external_id").is_some(), "its history stays: {refused:?}");
}

/// But not while its code is being redeemed: its tokens would be thrown away.
#[sqlx::test]
async fn what_is_being_stored_is_not_taken_over(pool: PgPool) {
    use crate::sandbox::Hold;
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await.to_string();
    let form = [("client_id", &*client), ("label", ""), ("external_id", "7")];
    let first = browser.call("connection/connect", &form).await.location();
    let callback = world.consent_only(&mut browser, first, "bob").await;
    world.control().hold(Hold::BeforeAnswering);
    let mut coming = browser.clone();
    let landing = tokio::spawn(async move { coming.get(&callback).await.location() });
    world.control().until_held(1).await;
    let refused = browser.call("connection/connect", &form).await.problem();
    assert_eq!(refused.code, Code::Conflict, "{refused:?}");
    world.control().release();
    assert!(landing.await.unwrap().ends_with("?connected=1"));
    assert_eq!(world.count("SELECT count(*) FROM token_sets").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1);
}

/// One that came to nothing keeps nobody waiting, and one whose process died not for long.
#[sqlx::test]
async fn what_failed_is_taken_over_at_once_and_what_was_left_behind_in_time(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await.to_string();
    let form = [("client_id", &*client), ("label", ""), ("external_id", "7")];
    let first = browser.call("connection/connect", &form).await.location();
    let leaving = browser.get(&first).await.location();
    let state = parameter(&leaving, "state").unwrap();
    let denied = format!("/oauth/callback?error=access_denied&state={state}");
    assert!(browser.get(&denied).await.location().ends_with("?problem=denied"));
    let second = browser.call("connection/connect", &form).await.location();

    let leaving = browser.get(&second).await.location();
    assert!(leaving.contains("state="));
    world.execute("UPDATE flows SET used_at = timestamptz '2026-03-01 12:00:00+00'").await;
    let refused = browser.call("connection/connect", &form).await.problem();
    assert_eq!(refused.code, Code::Conflict, "{refused:?}");
    world.pass(Duration::minutes(4));
    let third = browser.call("connection/connect", &form).await.location();
    let landed = world.consent(&mut browser, third, "alice").await;
    assert!(landed.ends_with("?connected=1"), "{landed}");
}

/// What waits at a page belongs to the client as it was, whether or not anybody has left for it yet.
#[sqlx::test]
async fn another_client_id_voids_the_pages_that_wait(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (unopened, first) = begun(&world, &mut browser, client).await;
    let (opened, second) = begun(&world, &mut browser, client).await;
    let callback = world.consent_only(&mut browser, opened, "alice").await;
    let program = world.program(&[Scope::Admin]).await;
    let change = json!({ "oauth_client_id": "another", "client_secret": "another-secret" });
    program.patch(&format!("/clients/{client}"), &change).await.ok();
    assert_eq!(world.count("SELECT count(*) FROM flows").await, 0);
    assert_eq!(browser.get(&callback).await.location(), "/relink/outcome/expired");
    assert_eq!(browser.get(&unopened).await.location(), "/relink/outcome/spent");
    assert_eq!(exchanges(&world).len(), 0);
    for id in [first, second] {
        assert_eq!(world.state(id).await, State::Pending);
    }
}

/// But not one whose code is being redeemed.
#[sqlx::test]
async fn a_client_keeps_its_id_while_a_consent_is_being_stored(pool: PgPool) {
    use crate::sandbox::Hold;
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await;
    let (start, id) = begun(&world, &mut browser, client).await;
    let callback = world.consent_only(&mut browser, start, "alice").await;
    world.control().hold(Hold::BeforeAnswering);
    let landing = tokio::spawn(async move { browser.get(&callback).await.location() });
    world.control().until_held(1).await;
    let program = world.program(&[Scope::Admin]).await;
    let change = json!({ "oauth_client_id": "another", "client_secret": "another-secret" });
    let refused = program.patch(&format!("/clients/{client}"), &change).await;
    assert_eq!(refused.refusal(), (409, "conflict".into()), "{}", refused.text);
    world.control().release();
    assert_eq!(landing.await.unwrap(), format!("/connections/{id}?connected=1"));
}
