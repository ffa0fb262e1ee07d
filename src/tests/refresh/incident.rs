//! Point 7: incidents are not deaths. An unusual share of refusals suspends verdicts, a canary is
//! tried, and only what is confirmed condemns.

use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        access::{Role, Scope},
        attempt::{Trigger, Verdict},
        client::{self, ClientPatch},
        connection::{Reason, State, StateName},
        incident::Incident,
        provider::IncidentPolicy,
        refusal::ErrorClass,
    },
    sandbox::{self, Fault, Hold, Rule},
    server::app::{self, refresh::LEASE},
    tests::support::World,
};

/// A client with so many connections.
async fn with(world: &World, name: &str, count: usize) -> (Uuid, Vec<Uuid>) {
    let client = world.client(name, |_| {}).await;
    (client, connect(world, client, "alice", count).await)
}

async fn connect(world: &World, client: Uuid, account: &str, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.import_of(client, account).await);
    }
    ids
}

/// The provider refuses every refresh of this client, though the grants live.
fn refuse(world: &World, client: &str) {
    let rule = Rule { probability: 1.0, client: Some(client.into()), ..Rule::default() };
    world.control().rule(Fault::InvalidGrant, rule);
}

async fn press(world: &World, id: Uuid) -> Option<Verdict> {
    app::connection::refresh(&world.app, &world.admin, id).await.unwrap().verdict
}

async fn names(world: &World, ids: &[Uuid]) -> Vec<StateName> {
    let mut names = Vec::new();
    for id in ids {
        names.push(world.state(*id).await.name());
    }
    names
}

async fn incident(world: &World, client: Uuid) -> Option<Incident> {
    let client = world.client_now(client).await;
    assert_eq!(client.incident.is_some(), client.state == client::StateName::Incident);
    client.incident
}

/// How many incidents have begun.
async fn begun(world: &World) -> i64 {
    world.count("SELECT count(*) FROM audit WHERE action = 'client.incident'").await
}

/// Moves the clock to the next canary and lets the worker look; how many refreshes that were.
async fn canary(world: &World, client: Uuid) -> usize {
    let at = incident(world, client).await.expect("an incident").canary_at;
    if at > world.now() {
        world.clock.set(at);
    }
    world.tick().await
}

#[sqlx::test]
async fn a_mass_of_refusals_condemns_none_and_tells_once(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let (client, ids) = with(&world, "one", 24).await;
    let (other, others) = with(&world, "other", 1).await;
    world.pass(Duration::minutes(9));
    refuse(&world, "one");
    let (one, two) =
        tokio::join!(app::refresh::run_due(&world.app, 12), app::refresh::run_due(&second, 12));
    while app::refresh::run_due(&second, 12).await.unwrap() > 0 {}
    let refused = world.refreshes().iter().filter(|request| request.error.is_some()).count();
    assert!(refused >= 5 && one.unwrap() + two.unwrap() >= 12, "{refused}");

    let seen = incident(&world, client).await.expect("an incident");
    assert_eq!(seen.held, i64::try_from(refused).unwrap());
    assert!(seen.refused >= 5, "{seen:?}");
    assert_eq!(begun(&world).await, 1);
    for id in &ids {
        let connection = world.connection(*id).await;
        let attempts = world.attempts(*id).await;
        match attempts.last() {
            None => assert_eq!(connection.state, State::Active),
            Some(attempt) => {
                assert_eq!(attempt.verdict, Some(Verdict::Suspended));
                let State::Retrying { last_error, .. } = connection.state else {
                    panic!("{:?}", connection.state)
                };
                assert_eq!(last_error, ErrorClass::GrantRefused);
                assert!(connection.due_at.is_some());
            }
        }
        // What lives is given, though nobody may refresh.
        assert!(world.token(*id, Duration::minutes(9)).await.is_ok());
    }
    let pressed = app::connection::refresh(&world.app, &world.admin, ids[0]).await;
    assert!(matches!(pressed, Err(app::Error::Conflict(_))));
    // Another client of the same provider has its own luck.
    assert_eq!(world.generation(others[0]).await, 2);
    assert_eq!(incident(&world, other).await, None);
}

/// They fall one by one; with the fifth all of them rise.
#[sqlx::test]
async fn those_that_fell_before_it_was_noticed_are_given_back(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, "one", 6).await;
    let before = world.connection(ids[0]).await;
    refuse(&world, "one");
    for id in &ids[..4] {
        assert_eq!(press(&world, *id).await, Some(Verdict::Condemned));
        assert_eq!(world.reason(*id).await, Some(Reason::Revoked));
        world.pass(Duration::seconds(100));
    }
    assert_eq!(world.audit("connection.condemned").await.len(), 4);
    assert_eq!(press(&world, ids[4]).await, Some(Verdict::Suspended));

    assert_eq!(names(&world, &ids[..5]).await, [StateName::Retrying; 5]);
    assert_eq!(names(&world, &ids[5..]).await, [StateName::Active]);
    let after = world.connection(ids[0]).await;
    assert_eq!(after.generation, before.generation);
    assert_eq!(after.needs_human_by, before.refresh_expires_at, "as of any that is in trouble");
    assert!(after.due_at.unwrap() >= world.now());
    for id in &ids[..5] {
        let verdicts: Vec<_> = world.attempts(*id).await.iter().map(|one| one.verdict).collect();
        assert_eq!(verdicts, [Some(Verdict::Suspended)]);
    }
    assert_eq!(world.audit("connection.condemned").await.len(), 4, "no more than were");
    let entries = world.audit("client.incident").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].detail["refused"], 5);
    let seen = incident(&world, client).await.unwrap();
    assert_eq!((seen.refused, seen.refreshed, seen.held), (5, 0, 5));
}

#[sqlx::test]
async fn few_refusals_old_ones_and_expected_ones_are_no_incident(pool: PgPool) {
    let world = World::new(pool).await;
    // Five, but too far apart.
    let (client, ids) = with(&world, "slow", 5).await;
    refuse(&world, "slow");
    for id in &ids {
        assert_eq!(press(&world, *id).await, Some(Verdict::Condemned));
        world.pass(Duration::seconds(151));
    }
    assert_eq!(incident(&world, client).await, None);
    // Five of thirty: less than a fifth.
    let (client, ids) = with(&world, "few", 30).await;
    for id in &ids[5..] {
        assert_eq!(press(&world, *id).await, Some(Verdict::Refreshed));
    }
    refuse(&world, "few");
    for id in &ids[..5] {
        assert_eq!(press(&world, *id).await, Some(Verdict::Condemned));
    }
    assert_eq!(incident(&world, client).await, None);
    world.control().clear();
    // Tokens that had outlived themselves.
    let short = |client: &mut sandbox::Client| client.refresh.lifetime = Some(Duration::hours(2));
    let client = world.client("short", short).await;
    let ids = connect(&world, client, "alice", 7).await;
    world.pass(Duration::hours(2));
    world.tick().await;
    for id in ids {
        assert_eq!(world.reason(id).await, Some(Reason::RefreshTokenExpired));
    }
    assert_eq!(incident(&world, client).await, None);
    assert_eq!(begun(&world).await, 0);
}

#[sqlx::test]
async fn the_profile_says_what_is_unusual(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("touchy", |profile| {
            profile.policy.incident =
                IncidentPolicy { count: 2, share_percent: 100, ..IncidentPolicy::default() };
        })
        .await;
    let client = world.client_of("touchy", "touchy", |_| {}).await;
    let ids = connect(&world, client, "alice", 2).await;
    refuse(&world, "touchy");
    assert_eq!(press(&world, ids[0]).await, Some(Verdict::Condemned));
    assert_eq!(press(&world, ids[1]).await, Some(Verdict::Suspended));
    assert!(incident(&world, client).await.is_some());
}

/// Six connections of which the provider refused five though they live.
async fn in_an_incident(world: &World) -> (Uuid, Vec<Uuid>) {
    let (client, ids) = with(world, "one", 6).await;
    refuse(world, "one");
    for id in &ids[..5] {
        press(world, *id).await;
    }
    assert!(incident(world, client).await.is_some());
    (client, ids)
}

#[sqlx::test]
async fn a_canary_that_is_granted_ends_it_and_all_go_on(pool: PgPool) {
    let world = World::new(pool).await;
    let second = world.replica("second").await;
    let (client, ids) = in_an_incident(&world).await;
    let before = world.refreshes().len();
    assert_eq!(world.tick().await, 0, "nothing until the canary's time");
    // The provider goes on refusing: one is tried now and then, each time another.
    for tried in 1..=3 {
        assert_eq!(canary(&world, client).await, 1);
        let seen = incident(&world, client).await.unwrap();
        assert_eq!((seen.tried, seen.confirmed, seen.held), (tried, tried, 5));
        assert!(seen.canary_at - world.now() >= Duration::minutes(2) * (1 << tried));
    }
    let mut tokens: Vec<_> =
        world.refreshes()[before..].iter().map(|request| request.refresh_in.clone()).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 3);

    world.control().clear();
    let at = incident(&world, client).await.unwrap().canary_at;
    world.clock.set(at);
    // Both replicas see that it is time; one tries.
    let (one, two) =
        tokio::join!(app::refresh::run_due(&world.app, 9), app::refresh::run_due(&second, 9));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(world.refreshes().len(), before + 4);
    assert_eq!(world.client_now(client).await.state, client::StateName::Ready);
    assert_eq!(begun(&world).await, 1);
    let over = world.audit("client.incident_over").await;
    assert_eq!((over.len(), &over[0].detail["because"]), (1, &"canary_granted".into()));
    assert_eq!(world.tick().await, 0, "with jitter");
    let mut due = Vec::new();
    for id in &ids {
        let connection = world.connection(*id).await;
        if connection.generation == 1 {
            let at = connection.due_at.unwrap();
            assert!(at >= world.now() && at <= world.now() + Duration::minutes(2), "with jitter");
            due.push(at);
        }
    }
    assert_eq!(due.len(), 5);
    due.sort();
    due.dedup();
    assert_eq!(due.len(), 5, "not all at once");
    world.pass(Duration::minutes(2));
    assert_eq!(world.tick().await, 5);
    for id in &ids {
        let connection = world.connection(*id).await;
        assert_eq!((connection.state, connection.generation), (State::Active, 2));
    }
    assert_eq!(world.audit("connection.condemned").await.len(), 4, "those before it was noticed");
    let canaries = "SELECT count(*) FROM attempts WHERE trigger = 'canary'";
    assert_eq!(world.count(canaries).await, 4);
    assert_eq!(world.count("SELECT count(*) FROM suspects").await, 0);
}

/// Many people did withdraw their consent at once, while others of the client's connections work.
/// However long it is away: what waits for the client must not wait an hour more when it is back.
#[sqlx::test]
async fn a_provider_that_is_away_does_not_put_off_the_next_canary(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = in_an_incident(&world).await;
    world.control().clear();
    world.control().fail_next(Fault::Unavailable, 8);
    for _ in 0..8 {
        assert_eq!(canary(&world, client).await, 1);
        let next = incident(&world, client).await.unwrap().canary_at;
        assert!(next - world.now() <= Duration::minutes(5), "{next}");
    }
    assert_eq!(canary(&world, client).await, 1);
    assert!(incident(&world, client).await.is_none(), "the first answer ends it");
    world.pass(Duration::minutes(10));
    world.tick().await;
    assert_eq!(names(&world, &ids).await, [StateName::Active; 6]);
}

#[sqlx::test]
async fn what_canaries_confirm_is_tried_once_more_and_then_condemned(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, rest) = with(&world, "one", 7).await;
    let mut ids = connect(&world, client, "bob", 3).await;
    ids.extend(rest);
    for id in &ids[5..] {
        assert_eq!(press(&world, *id).await, Some(Verdict::Refreshed));
    }
    world.sandbox.revoke_account("bob");
    // Two more are refused by mistake.
    refuse(&world, "one");
    for id in &ids[..5] {
        press(&world, *id).await;
    }
    assert_eq!(incident(&world, client).await.unwrap().refreshed, 5);
    for _ in 0..3 {
        assert_eq!(canary(&world, client).await, 1);
    }
    assert!(incident(&world, client).await.is_some());
    assert_eq!(canary(&world, client).await, 1);
    assert_eq!(incident(&world, client).await, None);
    let over = world.audit("client.incident_over").await;
    assert_eq!(over[0].detail["because"], "confirmed");
    assert_eq!(over[0].detail["last_tries"], 5);

    world.control().clear();
    world.pass(Duration::minutes(2));
    let condemned = world.audit("connection.condemned").await.len();
    world.tick().await;
    for id in &ids[..3] {
        assert_eq!(world.reason(*id).await, Some(Reason::Revoked));
    }
    for id in &ids[3..] {
        assert_eq!(world.state(*id).await, State::Active);
    }
    assert_eq!(world.audit("connection.condemned").await.len(), condemned + 3);
    assert_eq!(begun(&world).await, 1, "last tries make no other one");
    assert_eq!(incident(&world, client).await, None);
}

/// A provider that refuses everybody proves nothing by going on to do so.
#[sqlx::test]
async fn without_proof_it_waits_for_an_admin(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = in_an_incident(&world).await;
    for _ in 0..30 {
        assert_eq!(canary(&world, client).await, 1);
    }
    assert!(world.now() > crate::tests::support::START + Duration::hours(20));
    assert_eq!(incident(&world, client).await.unwrap().confirmed, 30);
    assert_eq!(names(&world, &ids[..5]).await, [StateName::Retrying; 5]);

    world.control().clear();
    let mut admin = world.sign_in(Role::Admin).await;
    let page = admin.get(&format!("/clients/{client}")).await;
    for told in ["refused all 5 connections", "30, of which 30 were refused again", "Condemn"] {
        assert!(page.text.contains(told), "{told}");
    }
    let mut support = world.sign_in(Role::Support).await;
    let page = support.get(&format!("/clients/{client}")).await;
    assert!(page.text.contains("refused all 5") && !page.text.contains("incident/resume"));
    let answer = admin.call("incident/resume", &[("id", &client.to_string())]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(incident(&world, client).await, None);
    assert_eq!(world.audit("client.resume").await[0].actor_kind, "user");
    world.pass(Duration::minutes(2));
    assert_eq!(world.tick().await, 6);
    for id in &ids {
        assert_eq!((world.state(*id).await, world.generation(*id).await), (State::Active, 2));
    }
    let again = app::incident::resume(&world.app, &world.admin, client).await;
    assert!(matches!(again, Err(app::Error::Conflict(_))));
}

#[sqlx::test]
async fn an_admin_may_condemn_what_was_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = in_an_incident(&world).await;
    let program = world.program(&[Scope::ClientsWrite]).await;
    let path = format!("/clients/{client}");
    let seen = program.get(&path).await.ok();
    assert_eq!((&seen["state"], &seen["incident"]["held"]), (&"incident".into(), &5.into()));
    let before = world.refreshes().len();
    let after = program.press(&format!("{path}/condemn")).await.ok();
    assert_eq!((&after["state"], &after["incident"]), (&"ready".into(), &serde_json::Value::Null));
    for id in &ids[..5] {
        assert_eq!(world.reason(*id).await, Some(Reason::Revoked));
        assert_eq!(world.connection(*id).await.due_at, None);
    }
    assert_eq!(world.state(ids[5]).await, State::Active);
    assert_eq!(world.audit("client.condemn").await[0].detail["condemned"], 5);
    assert_eq!(world.audit("connection.condemned").await.len(), 4 + 5);
    world.control().clear();
    world.pass(Duration::hours(1));
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.refreshes().len(), before + 1, "the dead are left in peace");
    assert_eq!(program.press(&format!("{path}/condemn")).await.refusal().0, 409);
    assert_eq!(program.press(&format!("{path}/resume")).await.refusal().0, 409);
}

/// An answer was lost before: that is not forgotten, and explains the death if it comes to that.
#[sqlx::test]
async fn doubt_outlives_an_incident(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, "one", 5).await;
    world.control().fail_next(Fault::DropAfter, 1);
    assert_eq!(press(&world, ids[0]).await, Some(Verdict::InDoubt));
    world.pass(Duration::seconds(3));
    // This one is refused since its token was replaced; the others by mistake.
    assert_eq!(press(&world, ids[0]).await, Some(Verdict::Condemned));
    assert_eq!(world.reason(ids[0]).await, Some(Reason::RotationLost));
    refuse(&world, "one");
    for id in &ids[1..] {
        press(&world, *id).await;
    }
    assert!(incident(&world, client).await.is_some());
    assert_eq!(names(&world, &ids[..2]).await, [StateName::InDoubt, StateName::Retrying]);
    world.control().clear();
    app::incident::resume(&world.app, &world.admin, client).await.unwrap();
    world.pass(Duration::minutes(2));
    world.tick().await;
    assert_eq!(world.reason(ids[0]).await, Some(Reason::RotationLost));
    for id in &ids[1..] {
        assert_eq!(world.state(*id).await, State::Active);
    }
}

#[sqlx::test]
async fn a_canary_whose_holder_dies_is_followed_by_another(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _) = in_an_incident(&world).await;
    world.control().clear();
    let at = incident(&world, client).await.unwrap().canary_at;
    world.clock.set(at);
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    assert_eq!(world.tick().await, 0, "one at a time");
    for task in begun {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    world.control().release();
    world.pass(LEASE);
    assert_eq!(canary(&world, client).await, 1);
    assert_eq!(incident(&world, client).await, None);
}

/// Refusals that were under way when it began, and whatever else goes wrong with a canary.
#[sqlx::test]
async fn late_refusals_are_held_too_and_a_failing_canary_proves_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = with(&world, "one", 7).await;
    refuse(&world, "one");
    world.until_due(ids[6]).await;
    world.control().hold(Hold::BeforeProcessing);
    let mut late = Vec::new();
    for id in &ids[5..] {
        let (app, admin, id) = (world.app.clone(), world.admin.clone(), *id);
        late.push(tokio::spawn(async move { app::connection::refresh(&app, &admin, id).await }));
    }
    world.control().until_held(2).await;
    world.control().hold_no_more();
    for id in &ids[..5] {
        press(&world, *id).await;
    }
    assert_eq!(incident(&world, client).await.unwrap().held, 5);
    world.control().release();
    for task in late {
        assert_eq!(task.await.unwrap().unwrap().verdict, Some(Verdict::Suspended));
    }
    assert_eq!(incident(&world, client).await.unwrap().held, 7);
    assert_eq!(names(&world, &ids).await, [StateName::Retrying; 7]);

    world.control().clear();
    world.control().fail_next(Fault::Unavailable, 1);
    assert_eq!(canary(&world, client).await, 1);
    let seen = incident(&world, client).await.unwrap();
    assert_eq!((seen.tried, seen.confirmed, seen.held), (1, 0, 7));
    // Switching the client off ends the incident too, and forgets what was counted.
    let switch = async |disabled| {
        let patch = ClientPatch { disabled: Some(disabled), ..ClientPatch::default() };
        app::client::update(&world.app, &world.admin, client, patch, None).await.unwrap()
    };
    assert_eq!(switch(true).await.incident, None);
    assert_eq!(switch(false).await.state, client::StateName::Ready);
    world.pass(Duration::minutes(10));
    assert_eq!(world.tick().await, 7);
    assert_eq!(names(&world, &ids).await, [StateName::Active; 7]);
    let of_canary =
        world.attempts(ids[0]).await.iter().filter(|one| one.trigger == Trigger::Canary).count();
    assert_eq!(of_canary, 1);
}

/// The people concerned gave consent again meanwhile: there is nobody left to ask about.
#[sqlx::test]
async fn an_incident_without_suspects_is_over(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = in_an_incident(&world).await;
    for id in &ids[..5] {
        app::connection::disconnect(&world.app, &world.admin, *id, false).await.unwrap();
    }
    assert_eq!(canary(&world, client).await, 0);
    assert_eq!(incident(&world, client).await, None);
    assert_eq!(world.audit("client.incident_over").await[0].detail["because"], "no_suspects");
}

/// One of the people concerned gave consent again meanwhile: what was refused is gone, whatever is decided.
#[sqlx::test]
async fn a_suspect_with_a_newer_token_is_none_any_more(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = in_an_incident(&world).await;
    let mut admin = world.sign_in(Role::Admin).await;
    world.control().clear();
    let begun = admin.call("connection/reauthorize", &[("id", &ids[0].to_string())]).await;
    world.consent(&mut admin, begun.location(), "alice").await;
    assert_eq!((world.state(ids[0]).await, world.generation(ids[0]).await), (State::Active, 2));
    // Four are left to be tried.
    refuse(&world, "one");
    let before = world.refreshes().len();
    for _ in 0..5 {
        assert_eq!(canary(&world, client).await, 1);
    }
    let mut tried: Vec<_> =
        world.refreshes()[before..].iter().map(|one| one.refresh_in.clone()).collect();
    tried.sort();
    tried.dedup();
    assert_eq!(tried.len(), 4);
    app::incident::condemn(&world.app, &world.admin, client).await.unwrap();
    assert_eq!(world.audit("client.condemn").await[0].detail["condemned"], 4);
    let expected = [StateName::Active, StateName::NeedsReauth];
    assert_eq!(names(&world, &ids[..2]).await, expected);
}

/// A canary is under way when an admin condemns: its own verdict decides about it, and nothing else.
#[sqlx::test]
async fn what_is_being_tried_is_left_to_its_own_verdict(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, ids) = in_an_incident(&world).await;
    world.control().clear();
    let at = incident(&world, client).await.unwrap().canary_at;
    world.clock.set(at);
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    app::incident::condemn(&world.app, &world.admin, client).await.unwrap();
    assert_eq!(world.audit("client.condemn").await[0].detail["condemned"], 4);
    let dead = |names: Vec<StateName>| {
        names.into_iter().filter(|name| *name == StateName::NeedsReauth).count()
    };
    assert_eq!(dead(names(&world, &ids).await), 4);
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(dead(names(&world, &ids).await), 4);
    let canary = "SELECT count(*) FROM connections WHERE state = 'active' AND generation = 2";
    assert_eq!(world.count(canary).await, 1);
    assert_eq!(world.client_now(client).await.state, client::StateName::Ready);
    assert_eq!(world.audit("client.incident_over").await, [], "an admin ended it");
}

/// Somebody has the suspect whose turn it is: its turn comes when that has ended, and no other is tried
/// in the same look.
#[sqlx::test]
async fn a_suspect_that_somebody_has_keeps_its_turn(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _) = in_an_incident(&world).await;
    world.control().clear();
    let before = incident(&world, client).await.unwrap();
    world.clock.set(before.canary_at);
    let next = "UPDATE connections SET lease_id = gen_random_uuid(), leased_until = $1
                WHERE id = (SELECT s.connection_id FROM suspects s WHERE s.standing = 'held'
                            ORDER BY s.refused_at, s.connection_id LIMIT 1)";
    sqlx::query(next).bind(world.now() + LEASE).execute(&world.pool).await.unwrap();
    assert_eq!(world.tick().await, 0);
    let after = incident(&world, client).await.unwrap();
    assert_eq!((after.tried, after.canary_at), (before.tried, before.canary_at));
    world.execute("UPDATE connections SET lease_id = NULL, leased_until = NULL").await;
    assert_eq!(canary(&world, client).await, 1);
    assert_eq!(incident(&world, client).await, None);
}

/// The credentials are refused while verdicts wait: the page says so, and a new secret helps.
#[sqlx::test]
async fn credentials_that_are_refused_meanwhile_are_told_of(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, _) = with(&world, "one", 6).await;
    world.pass(Duration::minutes(9));
    refuse(&world, "one");
    world.tick().await;
    assert!(incident(&world, id).await.is_some());
    world.control().clear();
    world.sandbox.replace_secret(sandbox::Realm::Standard, "one", "another secret");
    for _ in 0..2 {
        assert_eq!(canary(&world, id).await, 1);
    }
    assert!(incident(&world, id).await.is_some());
    assert_eq!(world.client_now(id).await.state_detail.as_deref(), Some("invalid_client"));
    assert_eq!(world.audit("client.credentials_rejected").await.len(), 1);
    let mut admin = world.sign_in(Role::Admin).await;
    let page = admin.get(&format!("/clients/{id}")).await;
    assert!(page.text.contains("credentials, too"), "{}", page.text);
    let secret = Some("another secret".into());
    app::client::replace_secret(&world.app, &world.admin, id, secret).await.unwrap();
    assert_eq!(world.client_now(id).await.state_detail, None);
    assert_eq!(canary(&world, id).await, 1);
    assert_eq!(world.client_now(id).await.state, client::StateName::Ready);
}
