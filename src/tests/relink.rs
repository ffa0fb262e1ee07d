//! Relinks: made by support, opened without a login, used once, for one account.

mod campaign;
mod desk;
mod many;
mod refused;
mod unknown;
mod visit;

use axum::http::StatusCode;
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{State, StateName},
        problem::Code,
        provider::GrantType,
        relink::{Consent, CreatedRelink, Ended, Invitation, Need},
    },
    sandbox::Hold,
    server::app::{self, Actor, connection::device},
    tests::support::{Browser, World, new_connection},
};

/// A connection of alice's that has died, and support's browser.
async fn dead(world: &World) -> (Uuid, Browser) {
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let id = world.connect(&mut admin, client, "alice").await;
    world.sandbox.revoke_account("alice");
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);
    (id, world.sign_in(Role::Support).await)
}

async fn made(support: &mut Browser, id: Uuid) -> CreatedRelink {
    support.call("connection/relink", &[("id", &id.to_string())]).await.json()
}

fn token_of(relink: &CreatedRelink) -> String {
    relink.url.strip_prefix("http://127.0.0.1:3000/relink/").expect("our address").to_owned()
}

async fn invited(owner: &mut Browser, token: &str) -> Invitation {
    owner.call("relink/get", &[("token", token)]).await.json()
}

/// From the link through the provider's page; where the owner lands.
async fn follow(world: &World, owner: &mut Browser, token: &str, account: &str) -> String {
    let begun = owner.begin_relink(token).await;
    world.consent(owner, begun.location(), account).await
}

#[sqlx::test]
async fn support_makes_a_link_and_whoever_opens_it_brings_the_connection_back(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let relink = made(&mut support, id).await;
    assert_eq!(relink.expires_at, world.now() + Duration::hours(72));
    // As the API writes times.
    let noted = world.audit("relink.create").await[0].detail["expires_at"].to_string();
    assert_eq!(noted, serde_json::to_value(&relink).unwrap()["expires_at"].to_string());
    let token = token_of(&relink);

    let mut owner = world.browser();
    let page = owner.get(&relink.url).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Service strict"), "which service is meant");
    assert!(page.text.contains("a…@example.com"), "which account is meant");
    assert!(!page.text.contains("alice"), "but a stranger learns no more");
    assert!(!page.text.contains(&id.to_string()));
    let open = Invitation::Open {
        service: "Service strict".into(),
        account: Some("a…@example.com".into()),
        need: Need::Again,
        consent: Consent::Page,
    };
    assert_eq!(invited(&mut owner, &token).await, open);
    assert_eq!(follow(&world, &mut owner, &token, "alice").await, "/relink/outcome/done");
    let page = owner.get("/relink/outcome/done").await;
    assert!(page.text.contains("It worked"), "{}", page.text);

    let connection = world.connection(id).await;
    assert_eq!((connection.state, connection.generation), (State::Active, 2));
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 1);
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.generation(id).await, 3);
    // The page tells where the tokens in between came from.
    let page = support.get(&format!("/connections/{id}")).await.text;
    for part in ["with the first consent", "with consent given anew, by a relink", "re-linked on"] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    let entries = world.audit("connection.reauthorized").await;
    assert_eq!(entries[0].actor_kind, "relink");
    assert_eq!(world.audit("relink.create").await[0].actor_label, "support@people.test");
}

/// Whoever looks for relinks sees all that was done with them, and by whose.
#[sqlx::test]
async fn the_log_tells_the_whole_life_of_a_link(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    follow(&world, &mut owner, &token, "bob").await;
    assert_eq!(follow(&world, &mut owner, &token, "alice").await, "/relink/outcome/done");
    let reader = world.program(&[Scope::AuditRead]).await;
    let customer = "the customer, by a link that support@people.test made";
    let wanted = [
        ("connection.consent_failed", customer),
        ("connection.reauthorized", customer),
        ("relink.create", "support@people.test"),
    ];
    for about in ["relink", "relink."] {
        let page = reader.get(&format!("/audit?action={about}")).await.ok();
        let told: Vec<_> = page["items"].as_array().unwrap().iter().collect();
        let mut told: Vec<_> = told
            .iter()
            .map(|one| (one["action"].as_str().unwrap(), one["actor_label"].as_str().unwrap()))
            .collect();
        // All are of one moment here.
        told.sort_unstable();
        assert_eq!(told, wanted, "{about}");
    }
    let page = reader.get("/audit?action=relink.create").await.ok();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    // What somebody did is not what was done by their links.
    for (who, count) in [("support@people.test", 1), ("Customer", 2)] {
        let page = reader.get(&format!("/audit?subject={id}&actor={who}")).await.ok();
        assert_eq!(page["items"].as_array().map(Vec::len), Some(count), "{who}: {page}");
    }
}

#[sqlx::test]
async fn a_link_works_once(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let relink = made(&mut support, id).await;
    let token = token_of(&relink);
    let (mut owner, mut second) = (world.browser(), world.browser());
    // Two open it and both begin; one of them comes first.
    let begun = second.begin_relink(&token).await.location();
    let late = world.consent_only(&mut second, begun, "alice").await;
    assert_eq!(follow(&world, &mut owner, &token, "alice").await, "/relink/outcome/done");
    let connection = world.connection(id).await;
    assert_eq!(second.get(&late).await.location(), format!("/relink/{token}?outcome=expired"));
    assert_eq!(world.connection(id).await, connection);

    assert_eq!(invited(&mut owner, &token).await, Invitation::Used);
    let page = owner.get(&relink.url).await;
    assert!(page.text.contains("This link has been used"), "{}", page.text);
    assert_eq!(
        owner.begin_relink(&token).await.location(),
        format!("/relink/{token}?outcome=failed")
    );
}

#[sqlx::test]
async fn an_expired_and_a_foreign_link_say_so(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let relink = made(&mut support, id).await;
    let token = token_of(&relink);
    let mut owner = world.browser();
    world.pass(Duration::hours(72) - Duration::seconds(1));
    assert!(matches!(invited(&mut owner, &token).await, Invitation::Open { .. }));
    world.pass(Duration::seconds(1));
    assert_eq!(invited(&mut owner, &token).await, Invitation::Expired);
    assert!(owner.get(&relink.url).await.text.contains("This link has expired"));
    assert_eq!(
        owner.begin_relink(&token).await.location(),
        format!("/relink/{token}?outcome=failed")
    );

    assert_eq!(invited(&mut owner, "forged").await, Invitation::Unknown);
    let page = owner.get("/relink/forged").await;
    assert!(!page.text.contains("Continue to"), "{}", page.text);
    assert_eq!(owner.begin_relink("forged").await.location(), "/relink/forged?outcome=failed");
    assert_eq!(world.generation(id).await, 1);
}

/// The link runs out while its owner reads the provider's page.
#[sqlx::test]
async fn consent_that_comes_after_the_links_end_changes_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    world.pass(Duration::hours(72) - Duration::seconds(20));
    let begun = owner.begin_relink(&token).await.location();
    let callback = world.consent_only(&mut owner, begun, "alice").await;
    world.pass(Duration::seconds(21));
    let late = format!("/relink/{token}?outcome=expired");
    assert_eq!(owner.get(&callback).await.location(), late);
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);
}

/// What was spent while the first link worked is not thrown away by a second.
#[sqlx::test]
async fn a_new_link_throws_no_consent_away(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    let start = owner.begin_relink(&token).await.location();
    let callback = world.consent_only(&mut owner, start, "alice").await;
    world.control().hold(Hold::BeforeAnswering);
    let mut coming = owner.clone();
    let landing = tokio::spawn(async move { coming.get(&callback).await.location() });
    world.control().until_held(1).await;
    world.pass(Duration::seconds(1));
    made(&mut support, id).await;
    world.control().release();
    assert_eq!(landing.await.unwrap(), "/relink/outcome/done");
    assert_eq!(world.state(id).await, State::Active);
}

#[sqlx::test]
async fn nor_one_by_a_code(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead_by_code(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    owner.begin_relink(&token).await.location();
    assert!(world.sandbox.approve_device(&code_of(&world, id).await, "alice"));
    world.pass(Duration::seconds(5));
    world.control().hold(Hold::BeforeAnswering);
    let asked = device::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.pass(Duration::seconds(46));
    made(&mut support, id).await;
    assert_eq!(device::run_due(&world.app, 10).await.unwrap(), 0, "it is being asked about");
    world.control().release();
    futures::future::join_all(asked).await;
    assert_eq!(world.state(id).await, State::Active);
}

#[sqlx::test]
async fn a_new_link_voids_the_one_before(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let first = token_of(&made(&mut support, id).await);
    let second = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    assert_eq!(invited(&mut owner, &first).await, Invitation::Ended(Ended::Replaced));
    assert_eq!(
        owner.begin_relink(&first).await.location(),
        format!("/relink/{first}?outcome=failed")
    );
    assert_eq!(follow(&world, &mut owner, &second, "alice").await, "/relink/outcome/done");
}

#[sqlx::test]
async fn another_account_or_a_refusal_leaves_the_link_open(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    let landed = follow(&world, &mut owner, &token, "bob").await;
    assert_eq!(landed, format!("/relink/{token}?outcome=wrong_account"));
    let page = owner.get(&landed).await.text;
    assert!(page.contains("That was another account") && page.contains("Try again with"), "{page}");
    let begun = owner.begin_relink(&token).await.location();
    let leaving = owner.get(&begun).await.location();
    let callback = world.sandbox.deny(&leaving).unwrap();
    let denied = format!("/relink/{token}?outcome=denied");
    assert_eq!(owner.get(&callback).await.location(), denied);
    assert_eq!((world.generation(id).await, world.reason(id).await.is_some()), (1, true));
    assert_eq!(follow(&world, &mut owner, &token, "alice").await, "/relink/outcome/done");
}

/// The address of the consent page says nothing of whom we expect: a link may go astray.
#[sqlx::test]
async fn the_way_to_consent_names_nobody(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    let begun = owner.begin_relink(&token).await.location();
    let leaving = owner.get(&begun).await.location();
    assert!(!leaving.contains("alice"), "{leaving}");
}

#[sqlx::test]
async fn a_link_is_not_made_for_what_no_person_can_mend(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, mut support) = dead(&world).await;
    let refused = support.call("connection/relink", &[("id", &Uuid::nil().to_string())]).await;
    assert_eq!(refused.problem().code, Code::NotFound);
    world
        .provider("machines", |profile| {
            profile.grants.remove(0);
        })
        .await;
    let client = world.client_of("machines", "machines", |_| {}).await;
    let id = world.import(client).await;
    let refused = support.call("connection/relink", &[("id", &id.to_string())]).await;
    assert_eq!(refused.problem().code, Code::Conflict);
    assert!(app::relink::invitation(&world.app, "").await.is_ok());
}

/// A connection of alice's that has died, at a provider without a page for consent, and support's
/// browser.
async fn dead_by_code(world: &World) -> (Uuid, Browser) {
    let endpoint = format!("{}/device_authorization", world.sandbox.url());
    world
        .provider("television", |profile| {
            profile.endpoints.authorization = None;
            profile.endpoints.device_authorization = Some(endpoint);
            profile.grants = vec![GrantType::DeviceCode];
        })
        .await;
    let client = world.client_of("television", "tv", |_| {}).await;
    let made = device::create(&world.app, &world.admin, new_connection(client)).await;
    let (connection, asked) = made.expect("a code");
    typed(world, &asked.user_code, "alice").await;
    assert_eq!(world.state(connection.id).await, State::Active);
    world.sandbox.revoke_account("alice");
    world.until_due(connection.id).await;
    world.tick().await;
    assert_eq!(world.state(connection.id).await.name(), StateName::NeedsReauth);
    (connection.id, world.sign_in(Role::Support).await)
}

/// Somebody types the code, and the worker looks.
async fn typed(world: &World, code: &str, account: &str) {
    assert!(world.sandbox.approve_device(code, account));
    world.pass(Duration::seconds(5));
    assert_eq!(device::run_due(&world.app, 10).await.unwrap(), 1);
}

async fn code_of(world: &World, id: Uuid) -> String {
    device::get(&world.app, &Actor::System, id).await.expect("a code").user_code
}

#[sqlx::test]
async fn where_there_is_no_page_the_link_shows_a_code(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead_by_code(&world).await;
    let relink = made(&mut support, id).await;
    let token = token_of(&relink);
    let mut owner = world.browser();
    let page = owner.get(&relink.url).await.text;
    assert!(page.contains("Get a code") && !page.contains("Continue to"), "{page}");
    assert!(page.contains("a…@example.com"), "{page}");

    assert_eq!(owner.begin_relink(&token).await.location(), relink.url);
    let code = code_of(&world, id).await;
    let page = owner.get(&relink.url).await.text;
    let address = format!("{}/device", world.sandbox.url());
    assert!(page.contains(&code) && page.contains(&address), "{page}");
    assert!(!page.contains("alice") && !page.contains(&id.to_string()), "{page}");
    owner.begin_relink(&token).await.location();
    assert_eq!(code_of(&world, id).await, code, "the one that waits is good");

    typed(&world, &code, "bob").await;
    let page = owner.get(&relink.url).await.text;
    assert!(page.contains("another account") && page.contains("Get another code"), "{page}");
    owner.begin_relink(&token).await.location();
    world.sandbox.deny_device(&code_of(&world, id).await);
    world.pass(Duration::seconds(5));
    device::run_due(&world.app, 10).await.unwrap();
    assert!(owner.get(&relink.url).await.text.contains("Access was not given"));
    assert_eq!((world.generation(id).await, world.reason(id).await.is_some()), (1, true));

    owner.begin_relink(&token).await.location();
    typed(&world, &code_of(&world, id).await, "alice").await;
    let page = owner.get(&relink.url).await.text;
    assert!(page.contains("It worked"), "{page}");
    assert_eq!(invited(&mut owner, &token).await, Invitation::Done);
    assert_eq!((world.state(id).await, world.generation(id).await), (State::Active, 2));
    assert_eq!(world.audit("connection.reauthorized").await[0].actor_kind, "relink");
    let refused = owner.begin_relink(&token).await;
    assert_eq!(refused.location(), format!("/relink/{token}?outcome=failed"), "once");
}

/// Whoever holds a link is a stranger: they can't keep us asking, nor take what the staff waits for.
#[sqlx::test]
async fn a_link_gets_so_many_codes_and_none_of_the_staffs(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead_by_code(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    world.pass(Duration::seconds(1));
    let theirs = device::authorize(&world.app, &world.admin, id).await.unwrap();
    let refused = owner.begin_relink(&token).await;
    assert_eq!(refused.location(), format!("/relink/{token}?outcome=failed"));
    assert_eq!(code_of(&world, id).await, theirs.user_code);

    // A new link is the staff's own wish.
    world.pass(Duration::seconds(1));
    let token = token_of(&made(&mut support, id).await);
    for _ in 0..10 {
        owner.begin_relink(&token).await.location();
        world.sandbox.deny_device(&code_of(&world, id).await);
        world.pass(Duration::seconds(5));
        device::run_due(&world.app, 10).await.unwrap();
    }
    let asked = world.sandbox.log().len();
    let last = code_of(&world, id).await;
    let refused = owner.begin_relink(&token).await;
    assert_eq!(refused.location(), format!("/relink/{token}?outcome=failed"));
    assert_eq!((world.sandbox.log().len(), code_of(&world, id).await), (asked, last));
}

/// A code is spent with the first answer to it, so it is not redeemed for a link that is void.
#[sqlx::test]
async fn the_code_of_a_void_link_is_not_redeemed(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead_by_code(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    owner.begin_relink(&token).await.location();
    let code = code_of(&world, id).await;
    world.execute("UPDATE relinks SET expires_at = created_at").await;
    let asked = world.sandbox.log().len();
    typed(&world, &code, "alice").await;
    assert_eq!(world.sandbox.log().len(), asked);
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);
    assert_eq!(invited(&mut owner, &token).await, Invitation::Expired);
    let second = token_of(&made(&mut support, id).await);
    let Invitation::Open { consent: Consent::Code, .. } = invited(&mut owner, &second).await else {
        panic!("the second begins afresh")
    };
}

/// Whoever holds a link learns nothing of how we are set up.
#[sqlx::test]
async fn a_stranger_is_not_told_what_the_staff_is(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead_by_code(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    for trouble in
        ["UPDATE clients SET oauth_client_id = 'nobody'", "UPDATE clients SET state = 'disabled'"]
    {
        world.execute(trouble).await;
        let refused = owner.begin_relink(&token).await;
        assert_eq!(refused.location(), format!("/relink/{token}?outcome=failed"));
        let page = owner.get(&refused.location()).await.text;
        assert!(!page.contains("Client tv") && !page.contains("invalid_client"), "{page}");
    }
}

#[sqlx::test]
async fn the_connections_page_offers_what_the_provider_does(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, _) = dead_by_code(&world).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let page = admin.get(&format!("/connections/{id}")).await.text;
    assert!(page.contains("Create a relink") && page.contains("Use a code on another device"));
    assert!(!page.contains("Authorize again at"), "{page}");
}
