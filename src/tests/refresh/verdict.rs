//! Points 5 and 6: what each kind of answer leads to, and that a token that lives is given.

use std::net::Ipv4Addr;

use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        attempt::Verdict,
        client,
        connection::{Reason, State, StateName},
        refusal::ErrorClass,
    },
    sandbox::{Fault, Hold, Realm, Rule, Settings},
    server::app,
    tests::support::World,
};

/// How the provider answers once, and what must follow.
struct Case {
    name: &'static str,
    fault: Fault,
    status: Option<u16>,
    set: fn(&mut Settings),
    class: ErrorClass,
    verdict: Verdict,
    state: StateName,
    reason: Option<Reason>,
    /// When it is tried again, in seconds from now: not before, not after.
    again: Option<(i64, i64)>,
}

const PLAIN: Case = Case {
    name: "",
    fault: Fault::Unavailable,
    status: None,
    set: |_| {},
    class: ErrorClass::Transient,
    verdict: Verdict::Postponed,
    state: StateName::Retrying,
    reason: None,
    again: Some((1, 11)),
};
const CONDEMNED: Case = Case {
    fault: Fault::InvalidGrant,
    class: ErrorClass::GrantRefused,
    verdict: Verdict::Condemned,
    state: StateName::NeedsReauth,
    reason: Some(Reason::Revoked),
    again: None,
    ..PLAIN
};
const DOUBTFUL: Case = Case {
    class: ErrorClass::AnswerLost,
    verdict: Verdict::InDoubt,
    state: StateName::InDoubt,
    again: Some((1, 3)),
    ..PLAIN
};
const CLIENT: Case = Case {
    fault: Fault::InvalidClient,
    class: ErrorClass::ClientRefused,
    verdict: Verdict::ClientRefused,
    state: StateName::Active,
    again: Some((0, 120)),
    ..PLAIN
};
const IN_200: Case = Case { fault: Fault::ErrorIn200, ..PLAIN };
const SLOW_DOWN: Case = Case { fault: Fault::RateLimited, class: ErrorClass::RateLimited, ..PLAIN };

fn cases() -> Vec<Case> {
    let status = |name, status| Case { name, status: Some(status), ..PLAIN };
    vec![
        Case { name: "invalid_grant", ..CONDEMNED },
        Case { name: "503 with HTML", ..PLAIN },
        status("500", 500),
        status("502", 502),
        status("504", 504),
        status("408", 408),
        status("425", 425),
        status("429 without Retry-After", 429).class(ErrorClass::RateLimited),
        Case { name: "outage", set: |settings| settings.outage = true, ..PLAIN },
        Case {
            name: "429 in seconds",
            set: |settings| settings.retry_after = 7200,
            again: Some((7200, 7205)),
            ..SLOW_DOWN
        },
        Case {
            name: "429 by date",
            set: |settings| {
                settings.retry_after = 7200;
                settings.retry_after_as_date = true;
            },
            again: Some((7199, 7205)),
            ..SLOW_DOWN
        },
        Case { name: "redirect", fault: Fault::Redirect, ..PLAIN },
        Case { name: "dropped before", fault: Fault::DropBefore, ..DOUBTFUL },
        Case { name: "dropped after", fault: Fault::DropAfter, ..DOUBTFUL },
        Case { name: "HTML under 200", fault: Fault::Garbage, ..DOUBTFUL },
        Case { name: "truncated", fault: Fault::Truncated, ..DOUBTFUL },
        Case { name: "endless", fault: Fault::Huge, ..DOUBTFUL },
        Case { name: "temporarily_unavailable in 200", ..IN_200 },
        Case {
            name: "invalid_grant in 200",
            fault: Fault::ErrorIn200,
            set: |settings| settings.error_in_200 = "invalid_grant".into(),
            ..CONDEMNED
        },
        Case {
            name: "invalid_scope in 200",
            fault: Fault::ErrorIn200,
            set: |settings| settings.error_in_200 = "invalid_scope".into(),
            class: ErrorClass::ScopeRefused,
            reason: Some(Reason::ScopeMissing),
            ..CONDEMNED
        },
        Case {
            name: "an unknown code in 200",
            set: |settings| settings.error_in_200 = "who_knows".into(),
            class: ErrorClass::RequestRefused,
            again: Some((1, 301)),
            ..IN_200
        },
        Case { name: "invalid_client", ..CLIENT },
        Case {
            name: "unauthorized_client in 200",
            fault: Fault::ErrorIn200,
            set: |settings| settings.error_in_200 = "unauthorized_client".into(),
            ..CLIENT
        },
    ]
}

impl Case {
    fn class(self, class: ErrorClass) -> Self {
        Self { class, ..self }
    }
}

#[sqlx::test]
async fn each_answer_has_its_verdict(pool: PgPool) {
    let world = World::new(pool).await;
    for case in cases() {
        let name = case.name;
        let client = world.client(name, |client| client.refresh.grace = Duration::hours(3)).await;
        let id = world.import(client).await;
        world.until_due(id).await;
        world.control().rule(case.fault, Rule { next: 1, status: case.status, ..Rule::default() });
        world.control().set(case.set);
        assert_eq!(world.tick().await, 1, "{name}");
        world.control().clear();

        let connection = world.connection(id).await;
        assert_eq!(connection.state.name(), case.state, "{name}");
        assert_eq!(world.reason(id).await, case.reason, "{name}");
        let attempt = world.attempts(id).await.pop().unwrap();
        assert_eq!(attempt.verdict, Some(case.verdict), "{name}");
        assert_eq!(attempt.error_class, Some(case.class), "{name}");
        let is_refused = case.state != StateName::Active;
        let said = connection.last_error.as_ref().map(|error| error.class);
        assert_eq!(said, is_refused.then_some(case.class).or(said), "{name}");
        assert_eq!(connection.generation, 1, "{name}");
        let wait = connection.due_at.map(|due_at| (due_at - world.now()).whole_seconds());
        match (case.again, wait) {
            (None, None) => {}
            (Some((from, to)), Some(wait)) if (from..=to).contains(&wait) => {}
            (wanted, wait) => panic!("{name}: again in {wait:?}, wanted {wanted:?}"),
        }
        // Whatever it was, the token that lives is given: it has minutes left.
        assert!(world.token(id, Duration::ZERO).await.is_ok(), "{name}");

        let refused = world.client_now(client).await.state;
        let wanted = match case.class {
            ErrorClass::ClientRefused => client::StateName::CredentialsRejected,
            _ => client::StateName::Ready,
        };
        assert_eq!(refused, wanted, "{name}");
        if case.again.is_some() && wanted == client::StateName::Ready {
            world.until_due(id).await;
            assert_eq!(world.tick().await, 1, "{name}");
            let connection = world.connection(id).await;
            assert_eq!((connection.state, connection.generation), (State::Active, 2), "{name}");
            assert_eq!(connection.last_error, None, "{name}");
        }
        app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    }
}

#[sqlx::test]
async fn a_provider_that_is_not_there_is_tried_again_with_patience(pool: PgPool) {
    let world = World::new(pool).await;
    let closed = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    world
        .provider("gone", |profile| {
            profile.endpoints.token = Some(format!("http://{address}/token"));
        })
        .await;
    let client = world.client_of("gone", "gone", |_| {}).await;
    let id = world.import(client).await;
    for attempts in 1..=8 {
        world.until_due(id).await;
        let now = world.now();
        world.tick().await;
        let connection = world.connection(id).await;
        let State::Retrying { attempts: seen, next_at, last_error } = connection.state else {
            panic!("{:?}", connection.state)
        };
        assert_eq!((seen, last_error), (attempts, ErrorClass::Transient));
        assert_eq!(connection.due_at, Some(next_at));
        let window = Duration::seconds(10 << (attempts - 1)).min(Duration::minutes(15));
        assert!(next_at - now <= window + Duration::seconds(1), "attempt {attempts}");
        assert!(next_at - now >= Duration::seconds(1));
    }
}

/// Three connections of one client, due; a fourth that is not.
async fn of_one_client(world: &World) -> (Uuid, Vec<Uuid>, Uuid) {
    let client = world.client("one", |_| {}).await;
    let mut due = Vec::new();
    for account in ["alice", "bob", "carol"] {
        due.push(world.import_of(client, account).await);
    }
    world.pass(Duration::minutes(9));
    let fresh = world.import(client).await;
    (client, due, fresh)
}

#[sqlx::test]
async fn a_refused_client_makes_its_connections_wait_and_condemns_none(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, due, fresh) = of_one_client(&world).await;
    let later = world.connection(fresh).await.due_at;
    world.sandbox.replace_secret(Realm::Standard, "one", "another secret");
    assert_eq!(world.tick().await, 3);
    let refused = world.client_now(client).await;
    assert_eq!(refused.state, client::StateName::CredentialsRejected);
    assert_eq!(world.audit("client.credentials_rejected").await.len(), 1);
    assert_eq!(world.audit("connection.condemned").await, []);
    for id in &due {
        assert_eq!(world.state(*id).await, State::Active);
        assert!(world.token(*id, Duration::ZERO).await.is_ok());
    }
    // Nobody asks with that secret again: not the worker, not a button, not a reader.
    world.pass(Duration::hours(12));
    assert_eq!(world.tick().await, 0);
    let pressed = app::connection::refresh(&world.app, &world.admin, due[0]).await;
    assert!(matches!(pressed, Err(app::Error::Conflict(_))));
    assert!(world.token(due[0], Duration::ZERO).await.is_err());
    assert_eq!(world.refreshes().len(), 3);

    let secret = Some("another secret".into());
    app::client::replace_secret(&world.app, &world.admin, client, secret).await.unwrap();
    assert_eq!(world.client_now(client).await.state, client::StateName::Ready);
    assert_eq!(world.tick().await, 0, "with jitter");
    let mut resumes = Vec::new();
    for id in due.iter().chain([&fresh]) {
        let at = world.connection(*id).await.due_at.unwrap();
        assert!(at >= world.now() && at <= world.now() + Duration::minutes(2), "with jitter");
        resumes.push(at);
    }
    resumes.dedup();
    assert_eq!(resumes.len(), 4, "not all at once");
    assert!(later.is_some_and(|later| later < world.now()));
    world.pass(Duration::minutes(2));
    assert_eq!(world.tick().await, 4);
    for id in due.iter().chain([&fresh]) {
        let connection = world.connection(*id).await;
        assert_eq!((connection.state, connection.generation), (State::Active, 2));
    }
}

#[sqlx::test]
async fn resuming_leaves_alone_what_is_not_due(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, _, fresh) = of_one_client(&world).await;
    let later = world.connection(fresh).await.due_at;
    world.sandbox.replace_secret(Realm::Standard, "one", "another secret");
    world.tick().await;
    let secret = Some("another secret".into());
    app::client::replace_secret(&world.app, &world.admin, client, secret).await.unwrap();
    assert_eq!(world.connection(fresh).await.due_at, later);
}

#[sqlx::test]
async fn a_late_refusal_of_the_old_secret_does_not_hit_the_new_one(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.until_due(id).await;
    world.control().hold(Hold::BeforeProcessing);
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    world.control().until_held(1).await;
    world.sandbox.replace_secret(Realm::Standard, "one", "another secret");
    let secret = Some("another secret".into());
    app::client::replace_secret(&world.app, &world.admin, client, secret).await.unwrap();
    world.control().release();
    futures::future::join_all(begun).await;
    assert_eq!(world.refreshes()[0].error.as_deref(), Some("invalid_client"));
    assert_eq!(world.client_now(client).await.state, client::StateName::Ready);
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.generation(id).await, 2);
}

#[sqlx::test]
async fn a_valid_token_is_never_withheld(pool: PgPool) {
    let world = World::new(pool).await;
    for case in cases() {
        let name = case.name;
        let client = world.client(name, |_| {}).await;
        let id = world.import(client).await;
        world
            .control()
            .rule(case.fault, Rule { probability: 1.0, status: case.status, ..Rule::default() });
        world.control().set(case.set);
        // Its reader wants more life than is left, so it is refreshed first, and that fails.
        world.pass(Duration::minutes(3));
        let before = world.refreshes().len();
        let wanted = Duration::minutes(30);
        for _ in 0..2 {
            let given = world.token(id, wanted).await;
            let given = given.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(given.generation, 1, "{name}");
            assert!(given.expires_at.unwrap() > world.now(), "{name}");
        }
        // During an outage the front door is shut, and nothing is logged behind it.
        let asked = world.refreshes().len() - before;
        assert_eq!(asked, usize::from(name != "outage"), "{name}: tried once and no more");
        world.pass(Duration::minutes(10));
        assert!(world.token(id, Duration::ZERO).await.is_err(), "{name}: it has expired");
        world.control().clear();
    }
}

/// However many read an expired token: the provider has asked for a pause, and gets it.
#[sqlx::test]
async fn readers_heed_retry_after_too(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    world.pass(Duration::hours(1));
    world.control().set(|settings| settings.retry_after = 600);
    world.control().fail_next(Fault::RateLimited, 1);
    for _ in 0..5 {
        let read = world.token(id, Duration::ZERO).await;
        assert!(matches!(read, Err(app::Error::ProviderUnavailable { .. })));
    }
    assert_eq!(world.refreshes().len(), 1);
    world.until_due(id).await;
    assert_eq!(world.token(id, Duration::ZERO).await.unwrap().generation, 2);
}
