//! Whose connections are that came many at once, where only the userinfo endpoint tells: asked little by little,
//! never in the way of a refresh, and not again and again in vain.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use sqlx::PgPool;
use time::Duration;
use tokio::{net::TcpListener, sync::oneshot};
use uuid::Uuid;

use crate::{
    domain::{
        access::Scope,
        provider::{AccountSource, IdentityOrigin, Profile},
    },
    server::app,
    tests::support::World,
};

/// Says that somebody came, and waits until they may go on.
type Gate = (oneshot::Sender<()>, oneshot::Receiver<()>);

/// A userinfo endpoint: knows each token's account by its number, unless it is told what to say.
#[derive(Clone, Default)]
struct Userinfo {
    heard: Arc<Mutex<Vec<String>>>,
    next: Arc<Mutex<VecDeque<StatusCode>>>,
    /// Says that it was asked, and waits before it answers.
    gate: Arc<Mutex<Option<Gate>>>,
}

impl Userinfo {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let token = headers[header::AUTHORIZATION].to_str().unwrap();
        let token = token.trim_start_matches("Bearer ").to_owned();
        self.heard.lock().unwrap().push(token.clone());
        match self.next.lock().unwrap().pop_front() {
            Some(status) => (status, [(header::RETRY_AFTER, "300")]).into_response(),
            // A name that holds the token would be no name.
            None => {
                let account = token.replace('t', "account-");
                let email = format!("{account}@example.com");
                Json(json!({ "sub": account, "email": email })).into_response()
            }
        }
    }

    async fn open(&self) {
        let gate = self.gate.lock().unwrap().take();
        if let Some((asked, answer)) = gate {
            asked.send(()).unwrap();
            answer.await.unwrap();
        }
    }

    /// Has something happen between the next question and its answer.
    async fn meanwhile<T>(&self, world: &World, happens: impl Future<Output = T>) -> (usize, T) {
        let ((asked, is_asked), (answer, may_answer)) = (oneshot::channel(), oneshot::channel());
        *self.gate.lock().unwrap() = Some((asked, may_answer));
        let happening = async {
            is_asked.await.unwrap();
            let happened = happens.await;
            answer.send(()).unwrap();
            happened
        };
        tokio::join!(ask(world), happening)
    }

    fn says(&self, status: StatusCode, times: usize) {
        self.next.lock().unwrap().extend(std::iter::repeat_n(status, times));
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// A client of a provider that tells accounts by its userinfo endpoint alone.
async fn telling(world: &World, change: impl FnOnce(&mut Profile)) -> (Userinfo, Uuid) {
    let userinfo = Userinfo::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let answering = userinfo.clone();
    let answer = async move |headers: HeaderMap| {
        answering.open().await;
        answering.answer(&headers)
    };
    let router = Router::new().route("/me", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    world
        .provider("telling", |profile| {
            profile.endpoints.userinfo = Some(format!("http://{at}/me"));
            let source = |pointer: &str| AccountSource {
                from: IdentityOrigin::Userinfo,
                pointer: pointer.into(),
            };
            profile.response.account.id = vec![source("/sub")];
            profile.response.account.label = vec![source("/email")];
            change(profile);
        })
        .await;
    let client = world.client_of("telling", "telling", |_| {}).await;
    (userinfo, client)
}

/// Imports connections with these access tokens, which live for an hour.
async fn bring(world: &World, client: Uuid, tokens: &[String]) {
    let row = |token: &String| {
        let response = json!({ "access_token": token, "refresh_token": format!("r-{token}"), "expires_in": 3600 });
        format!("{}\n", json!({ "external_id": token, "token_response": response }))
    };
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let request = Request::post(format!("/api/v1/clients/{client}/imports"))
        .header(header::CONTENT_TYPE, "application/x-ndjson")
        .body(Body::from(tokens.iter().map(row).collect::<String>()))
        .unwrap();
    let done = program.send(request).await.ok();
    assert_eq!(done["imported"], json!(tokens.len()), "{done}");
}

async fn ask(world: &World) -> usize {
    app::connection::account::ask_due(&world.app).await.expect("a round")
}

const NAMED: &str = "SELECT count(*) FROM connections WHERE account_id IS NOT NULL";
const ASKED: &str = "SELECT count(*) FROM account_questions";

fn tokens(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("t{n}")).collect()
}

#[sqlx::test]
async fn what_came_in_bulk_gets_its_accounts_a_few_at_a_time(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(12)).await;
    assert_eq!(userinfo.heard(), Vec::<String>::new(), "an import asks nothing");
    assert_eq!(ask(&world).await, 5);
    // The next round has its time.
    assert_eq!(ask(&world).await, 0);
    for asked in [5, 2, 0] {
        world.pass(Duration::seconds(1));
        assert_eq!(ask(&world).await, asked);
    }
    assert_eq!(userinfo.heard().len(), 12, "each is asked about once");
    assert_eq!(world.count(NAMED).await, 12);
    assert_eq!(world.count(ASKED).await, 0);
    let right = "SELECT count(*) FROM connections
                 WHERE account_id = replace(external_id, 't', 'account-')
                   AND account_label = account_id || '@example.com'";
    assert_eq!(world.count(right).await, 12);
}

/// What came alone is asked about at once; where nobody could answer then, as the others are.
#[sqlx::test]
async fn what_came_alone_and_was_not_told_is_asked_for_again(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let body = |token: &str| {
        let response = json!({ "access_token": token, "expires_in": 3600 });
        json!({ "client_id": client, "token_response": response })
    };
    program.post("/connections", &body("t1")).await.ok();
    assert_eq!((world.count(NAMED).await, world.count(ASKED).await), (1, 0));
    userinfo.says(StatusCode::SERVICE_UNAVAILABLE, 1);
    program.post("/connections", &body("t2")).await.ok();
    assert_eq!((world.count(NAMED).await, world.count(ASKED).await), (1, 1));
    assert_eq!(ask(&world).await, 1);
    assert_eq!((world.count(NAMED).await, world.count(ASKED).await), (2, 0));
    assert_eq!(userinfo.heard(), ["t1", "t2", "t2"]);
}

#[sqlx::test]
async fn two_replicas_do_not_ask_for_one_client_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(12)).await;
    let other = world.replica("other").await;
    let (here, there) = tokio::join!(ask(&world), app::connection::account::ask_due(&other));
    assert_eq!(here + there.unwrap(), 5);
    assert_eq!(userinfo.heard().len(), 5);
}

#[sqlx::test]
async fn what_is_not_told_is_asked_for_a_few_times_more_and_then_not(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(1)).await;
    // Its token is to outlive the last question.
    world.execute("UPDATE connections SET access_expires_at = NULL").await;
    userinfo.says(StatusCode::FORBIDDEN, 10);
    assert_eq!(ask(&world).await, 1);
    for wait in [Duration::minutes(10), Duration::hours(3), Duration::days(1)] {
        world.pass(wait - Duration::seconds(1));
        assert_eq!(ask(&world).await, 0, "not before {wait}");
        world.pass(Duration::seconds(1));
        assert_eq!(ask(&world).await, 1, "after {wait}");
    }
    assert_eq!(userinfo.heard().len(), 4);
    world.pass(Duration::days(30));
    assert_eq!(ask(&world).await, 0);
    assert_eq!(world.count(ASKED).await, 0);
}

#[sqlx::test]
async fn a_provider_that_is_busy_is_left_alone_for_as_long_as_it_says(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(3)).await;
    userinfo.says(StatusCode::TOO_MANY_REQUESTS, 1);
    ask(&world).await;
    assert_eq!(userinfo.heard().len(), 1, "the others are not asked about in vain");
    world.pass(Duration::seconds(299));
    assert_eq!(ask(&world).await, 0);
    world.pass(Duration::seconds(1));
    assert_eq!(ask(&world).await, 2, "the one that it had no answer to comes later");
    assert_eq!(world.count(NAMED).await, 2);
    world.pass(Duration::minutes(56));
    world.execute("UPDATE connections SET access_expires_at = NULL").await;
    assert_eq!(ask(&world).await, 1);
    assert_eq!(world.count(NAMED).await, 3);
}

/// A dead token says nothing; the next one does.
#[sqlx::test]
async fn a_token_that_is_over_is_not_asked_with(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(2)).await;
    world.pass(Duration::hours(2));
    world.execute("UPDATE connections SET state = 'disconnected' WHERE external_id = 't1'").await;
    ask(&world).await;
    assert_eq!(userinfo.heard(), Vec::<String>::new());
    assert_eq!(world.count(ASKED).await, 1, "nobody can be asked about the other");
    // As a refresh would have it.
    let refreshed =
        "UPDATE connections SET access_expires_at = timestamptz '2026-03-01 16:00:00+00'
                     WHERE external_id = 't0'";
    world.execute(refreshed).await;
    world.pass(Duration::minutes(5));
    assert_eq!(ask(&world).await, 1);
    assert_eq!(userinfo.heard(), ["t0"]);
}

/// However many rest, they are in nobody's way.
#[sqlx::test]
async fn what_rests_is_asked_about_once_it_is_resumed(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(2)).await;
    world.execute("UPDATE connections SET access_expires_at = NULL").await;
    let rests: Uuid = sqlx::query_scalar("SELECT id FROM connections WHERE external_id = 't0'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    app::connection::pause(&world.app, &world.admin, rests).await.unwrap();
    assert_eq!(ask(&world).await, 1);
    assert_eq!(userinfo.heard(), ["t1"]);
    let soon = "SELECT count(*) FROM account_questions
                WHERE ask_at <= timestamptz '2026-03-08 12:00:00+00'";
    assert_eq!((world.count(ASKED).await, world.count(soon).await), (1, 0));
    world.pass(Duration::hours(1));
    assert_eq!(ask(&world).await, 0);
    app::connection::resume(&world.app, &world.admin, rests, None).await.unwrap();
    assert_eq!(ask(&world).await, 1);
    assert_eq!(userinfo.heard(), ["t0"]);
    assert_eq!((world.count(NAMED).await, world.count(ASKED).await), (2, 0));
}

/// Somebody resumes it between the look at it and the note that it rests.
#[sqlx::test]
async fn what_is_resumed_at_this_moment_is_not_left_to_rest(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(1)).await;
    world.execute("UPDATE connections SET access_expires_at = NULL, paused_at = created_at").await;
    let mut resume = world.pool.begin().await.unwrap();
    sqlx::query("UPDATE connections SET paused_at = NULL").execute(&mut *resume).await.unwrap();
    let resuming = async {
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE wait_event_type = 'Lock' AND datname = current_database()";
        world.until_count(waits, 1).await;
        resume.commit().await.unwrap();
    };
    assert_eq!(tokio::join!(ask(&world), resuming).0, 0);
    world.pass(Duration::seconds(1));
    assert_eq!(ask(&world).await, 1);
    assert_eq!(userinfo.heard(), ["t0"]);
}

#[sqlx::test]
async fn an_account_that_is_known_meanwhile_stays(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(1)).await;
    let named = world.execute("UPDATE connections SET account_id = 'somebody'");
    assert_eq!(userinfo.meanwhile(&world, named).await.0, 1);
    let known = "SELECT count(*) FROM connections WHERE account_id = 'somebody'";
    assert_eq!(world.count(known).await, 1);
    world.pass(Duration::seconds(1));
    ask(&world).await;
    assert_eq!(userinfo.heard(), ["t0"], "nothing is left to be asked");
    assert_eq!((world.count(known).await, world.count(ASKED).await), (1, 0));
}

/// A grant that was replaced while it was asked about may be another account's.
#[sqlx::test]
async fn what_is_told_of_a_grant_is_not_said_of_the_next(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(1)).await;
    let replaced =
        world.execute("UPDATE connections SET obtained_at = obtained_at + interval '1 second'");
    userinfo.meanwhile(&world, replaced).await;
    assert_eq!((world.count(NAMED).await, world.count(ASKED).await), (0, 1));
    world.pass(Duration::seconds(1));
    assert_eq!(ask(&world).await, 1);
    assert_eq!((world.count(NAMED).await, world.count(ASKED).await), (1, 0));
}

/// A refresh that comes between the look at the connection and the look at its token.
#[sqlx::test]
async fn a_token_that_is_replaced_before_it_is_read_is_asked_with_later(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(1)).await;
    let mut refresh = world.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE token_sets").execute(&mut *refresh).await.unwrap();
    let refreshing = async {
        let waits = "SELECT count(*) FROM pg_locks
                     WHERE NOT granted AND relation = 'token_sets'::regclass
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while world.count(waits).await == 0 {
            tokio::task::yield_now().await;
        }
        for table in ["token_sets", "connections"] {
            let next = format!("UPDATE {table} SET generation = generation + 1");
            sqlx::query(sqlx::AssertSqlSafe(next)).execute(&mut *refresh).await.unwrap();
        }
        refresh.commit().await.unwrap();
    };
    assert_eq!(tokio::join!(ask(&world), refreshing).0, 0);
    assert_eq!(userinfo.heard(), Vec::<String>::new());
    assert_eq!(world.count(ASKED).await, 1);
}

/// Hosts that are gone, among many: each has its few tries, and none makes the others wait.
#[sqlx::test]
async fn who_is_not_there_is_asked_in_vain_and_keeps_nobody_waiting(pool: PgPool) {
    let world = World::new(pool).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let (_, client) = telling(&world, |profile| {
        profile.endpoints.userinfo = Some(format!("http://{nobody}/me"));
    })
    .await;
    bring(&world, client, &tokens(7)).await;
    world.execute("UPDATE connections SET access_expires_at = NULL").await;
    let tried = "SELECT count(*) FROM account_questions WHERE tries = 1";
    for count in [5, 7] {
        ask(&world).await;
        assert_eq!(world.count(tried).await, count);
        world.pass(Duration::seconds(1));
    }
    for wait in [Duration::minutes(10), Duration::hours(3), Duration::days(1)] {
        assert_eq!(world.count(ASKED).await, 7);
        world.pass(wait);
        ask(&world).await;
        world.pass(Duration::seconds(1));
        ask(&world).await;
    }
    assert_eq!(world.count(ASKED).await, 0);
}

#[sqlx::test]
async fn a_provider_that_is_always_busy_is_not_asked_for_ever(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(1)).await;
    world.execute("UPDATE connections SET access_expires_at = NULL").await;
    userinfo.says(StatusCode::SERVICE_UNAVAILABLE, 10);
    ask(&world).await;
    for wait in [Duration::hours(1), Duration::hours(3), Duration::days(1)] {
        world.pass(wait - Duration::seconds(1));
        ask(&world).await;
        assert_eq!(world.count(ASKED).await, 1, "not before {wait}");
        userinfo.heard();
        world.pass(Duration::seconds(1));
        ask(&world).await;
        assert_eq!(userinfo.heard().len(), 1, "after {wait}");
    }
    assert_eq!(world.count(ASKED).await, 0);
}

/// A provider that allows one request at a time.
#[sqlx::test]
async fn a_question_and_a_refresh_are_not_under_way_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |profile| profile.policy.concurrency = Some(1)).await;
    bring(&world, client, &tokens(2)).await;
    let begins = async {
        world.execute("UPDATE connections SET due_at = timestamptz '2026-03-01 12:00:00+00' WHERE external_id = 't1'").await;
        app::refresh::begin_due(&world.app, 10).await.unwrap().len()
    };
    let (asked, begun) = userinfo.meanwhile(&world, begins).await;
    assert_eq!((asked, begun), (1, 0), "its refresh goes before the second question");
    let begun = app::refresh::begin_due(&world.app, 10).await.unwrap();
    assert_eq!(begun.len(), 1, "the place was given back");
    futures::future::join_all(begun).await;
}

/// The one place is not taken for a question when a refresh is about to come due.
#[sqlx::test]
async fn no_question_takes_the_last_place_before_a_refresh(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |profile| profile.policy.concurrency = Some(1)).await;
    bring(&world, client, &tokens(1)).await;
    world.execute("UPDATE connections SET due_at = timestamptz '2026-03-01 12:00:01+00'").await;
    assert_eq!(ask(&world).await, 0);
    assert_eq!(userinfo.heard(), Vec::<String>::new());
    world.execute("UPDATE connections SET due_at = timestamptz '2026-03-01 12:30:00+00'").await;
    world.pass(Duration::seconds(1));
    assert_eq!(ask(&world).await, 1);
}

/// A provider that allows ten requests a minute: the next one belongs to the refresh that is due.
#[sqlx::test]
async fn no_refresh_waits_for_a_question(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) =
        telling(&world, |profile| profile.policy.requests_per_minute = Some(10)).await;
    bring(&world, client, &tokens(3)).await;
    assert_eq!(ask(&world).await, 1, "one turn in six seconds");
    world.pass(Duration::seconds(5));
    assert_eq!(ask(&world).await, 0);
    world.pass(Duration::seconds(1));
    // Before the turn after next, that is.
    world.execute("UPDATE connections SET due_at = timestamptz '2026-03-01 12:00:10+00' WHERE external_id = 't2'").await;
    assert_eq!(ask(&world).await, 0);
    assert_eq!(userinfo.heard().len(), 1);
    world.execute("UPDATE connections SET due_at = timestamptz '2026-03-01 13:00:00+00'").await;
    world.pass(Duration::seconds(1));
    assert_eq!(ask(&world).await, 1);
}

#[sqlx::test]
async fn a_client_that_is_refused_or_paused_is_not_asked_for(pool: PgPool) {
    let world = World::new(pool).await;
    let (userinfo, client) = telling(&world, |_| {}).await;
    bring(&world, client, &tokens(1)).await;
    world.execute("UPDATE clients SET paused_until = timestamptz '2026-03-01 12:00:50+00'").await;
    assert_eq!(ask(&world).await, 0);
    world.execute("UPDATE clients SET paused_until = NULL, state = 'credentials_rejected'").await;
    world.pass(Duration::minutes(1));
    assert_eq!(ask(&world).await, 0);
    assert_eq!(userinfo.heard(), Vec::<String>::new());
    world.execute("UPDATE clients SET state = 'ready'").await;
    world.pass(Duration::minutes(1));
    assert_eq!(ask(&world).await, 1);
}

/// Where the provider does not tell, or the answer itself did, nothing is asked.
#[sqlx::test]
async fn nothing_is_asked_where_nobody_tells(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    bring(&world, client, &tokens(2)).await;
    assert_eq!(world.count(ASKED).await, 0);
    let (_, telling) = telling(&world, |profile| {
        let own =
            AccountSource { from: IdentityOrigin::Response, pointer: "/access_token_of".into() };
        profile.response.account.id.insert(0, own);
    })
    .await;
    let response = json!({ "access_token": "a", "access_token_of": "somebody" });
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let request = Request::post(format!("/api/v1/clients/{telling}/imports"))
        .header(header::CONTENT_TYPE, "application/x-ndjson")
        .body(Body::from(json!({ "token_response": response }).to_string()))
        .unwrap();
    assert_eq!(program.send(request).await.ok()["imported"], 1);
    assert_eq!((world.count(NAMED).await, world.count(ASKED).await), (1, 0));
    // What an older version left, of a provider that does not tell.
    world.execute("INSERT INTO account_questions (connection_id, client_id, ask_at) SELECT id, client_id, created_at FROM connections WHERE account_id IS NULL").await;
    world.execute("INSERT INTO account_rounds (client_id, next_at) SELECT DISTINCT client_id, timestamptz '-infinity' FROM account_questions ON CONFLICT DO NOTHING").await;
    assert_eq!(ask(&world).await, 0);
    assert_eq!(world.count(ASKED).await, 0);
}
