//! Jobs: what was confirmed is done, each once, whoever goes away meanwhile, and by nobody who may not.

mod keys;
mod page;
mod turns;

use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use super::support::World;
use crate::{
    domain::{
        access::{Role, Scope},
        connection::{ConnectionFilter, ConnectionPatch, Standing, State, StateName},
        job::{Action, Job, JobOutcome, JobState, NewJob, Outcome},
        overview::Scale,
        page::Paging,
        user::UserPatch,
    },
    sandbox::Client,
    server::{
        app::{
            self, Actor, App,
            demo::{Life, Plan, REFRESH_TOKEN},
        },
        store,
    },
};

fn inherits(client: &mut Client) {
    client.inherits = Some(REFRESH_TOKEN);
}

/// So many connections that live.
async fn crowd(world: &World, count: u64) -> Uuid {
    let client = world.client("crowd", inherits).await;
    let life = Life::Even { lifetime: Duration::hours(1), way: 0.1..0.1 };
    let plan = Plan { clients: vec![client], numbers: 0..count, attempts: 1, seed: 1, life };
    app::demo::fill(&world.app, &Actor::Operator, plan).await.expect("sample data");
    client
}

fn on_all(action: Action) -> NewJob {
    let filter = Some(ConnectionFilter::default());
    NewJob { filter, ..NewJob::of(action) }
}

fn on(action: Action, ids: &[Uuid]) -> NewJob {
    NewJob { ids: Some(ids.to_vec()), filter: None, ..on_all(action) }
}

async fn admin(world: &World) -> Actor {
    let id = world.person_named("chief", Role::Admin).await;
    Actor::User { id, email: super::support::email("chief"), role: Role::Admin }
}

async fn begin(world: &World, actor: &Actor, new: NewJob) -> Job {
    app::job::create(&world.app, actor, &new).await.expect("a job")
}

async fn run(app: &App) -> usize {
    app::job::run_due(app).await.expect("the worker's look")
}

async fn now(world: &World, job: &Job) -> Job {
    app::job::get(&world.app, &Actor::System, job.id).await.expect("the job")
}

async fn outcomes(world: &World, job: &Job) -> Vec<JobOutcome> {
    let paging = Paging { cursor: None, limit: Some(200) };
    let page = app::job::outcomes(&world.app, &Actor::System, job.id, &paging).await;
    page.expect("outcomes").items
}

#[sqlx::test]
async fn what_was_chosen_is_done_and_nothing_else(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let mut ids = Vec::new();
    for account in ["alice", "bob", "carol"] {
        ids.push(world.import_of(client, account).await);
    }
    let filter = ConnectionFilter { owner: Some("alice".into()), ..ConnectionFilter::default() };
    let job = begin(&world, &admin, NewJob { filter: Some(filter), ..on_all(Action::Pause) }).await;
    // Who comes later was not confirmed.
    let later = world.import_of(client, "alice").await;
    assert_eq!((job.total, run(&world.app).await), (1, 1));
    let job = now(&world, &job).await;
    assert_eq!((job.state, job.done, job.worked()), (JobState::Done, 1, 1));
    assert_eq!(world.connection(ids[0]).await.standing(world.now()), Standing::Paused);
    assert_eq!(world.connection(later).await.paused_at, None);

    let again = begin(&world, &admin, on(Action::Pause, &ids)).await;
    run(&world.app).await;
    let again = now(&world, &again).await;
    assert_eq!((again.done, again.skipped, again.failed), (2, 1, 0));
    let told: Vec<_> = outcomes(&world, &again).await.iter().map(|one| one.outcome).collect();
    assert_eq!(told.iter().filter(|one| **one == Some(Outcome::Skipped)).count(), 1);
    // One entry a job, with how many, and one a connection as by hand.
    let mut counted: Vec<_> = world
        .audit("job.create")
        .await
        .into_iter()
        .map(|one| one.detail["connections"].as_i64())
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, [Some(1), Some(3)]);
    assert_eq!(world.audit("job.done").await.len(), 2);
    let paused = world.audit("connection.pause").await;
    assert_eq!(paused.len(), 3);
    assert!(paused.iter().all(|entry| entry.actor_label == "chief@people.test"));
}

#[sqlx::test]
async fn what_rests_is_left_alone_until_it_is_resumed(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let (one, other) = (world.import(client).await, world.import_of(client, "bob").await);
    let due_at = world.connection(one).await.due_at;
    app::connection::pause(&world.app, &admin, one).await.unwrap();
    assert_eq!(world.connection(one).await.due_at, None);
    world.pass(Duration::days(1));
    world.tick().await;
    assert_eq!((world.generation(one).await, world.generation(other).await), (1, 2));
    // Whoever asks gets a token, and it goes on resting.
    app::connection::refresh(&world.app, &admin, one).await.unwrap();
    let rests = world.connection(one).await;
    assert_eq!(
        (rests.generation, rests.due_at, rests.standing(world.now())),
        (2, None, Standing::Paused)
    );

    let job = begin(&world, &admin, on_all(Action::Resume)).await;
    run(&world.app).await;
    assert_eq!(now(&world, &job).await.done, 1);
    let resumed = world.connection(one).await;
    assert_eq!(resumed.paused_at, None);
    assert!(resumed.due_at > due_at, "as the refresh by hand had it");
    world.until_due(one).await;
    world.tick().await;
    assert_eq!(world.generation(one).await, 3);
    // What is overdue by then is due within minutes.
    app::connection::pause(&world.app, &admin, one).await.unwrap();
    world.pass(Duration::days(1));
    begin(&world, &admin, on(Action::Resume, &[one])).await;
    run(&world.app).await;
    let due_at = world.connection(one).await.due_at.unwrap();
    assert!(due_at >= world.now() && due_at <= world.now() + Duration::minutes(2), "{due_at}");
}

/// What died while it rested is not sent to its provider again.
#[sqlx::test]
async fn what_died_while_it_rested_stays_dead(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    app::connection::pause(&world.app, &admin, id).await.unwrap();
    world.sandbox.revoke_account("alice");
    let refused = app::connection::refresh(&world.app, &admin, id).await;
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth, "{refused:?}");
    let asked = world.refreshes().len();
    app::connection::resume(&world.app, &admin, id, None).await.unwrap();
    assert_eq!(world.connection(id).await.due_at, None);
    world.pass(Duration::days(1));
    world.tick().await;
    assert_eq!(world.refreshes().len(), asked);
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);
}

/// Whoever brings it back by a link brings it back to life, not to rest.
#[sqlx::test]
async fn what_died_while_it_rested_lives_once_it_is_brought_back(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let id = world.connect(&mut browser, client, "alice").await;
    let actor = admin(&world).await;
    app::connection::pause(&world.app, &actor, id).await.unwrap();
    world.sandbox.revoke_account("alice");
    let _ = app::connection::refresh(&world.app, &actor, id).await;
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    world.consent(&mut browser, begun.location(), "alice").await;
    let alive = world.connection(id).await;
    assert_eq!((alive.standing(world.now()), alive.paused_at), (Standing::Alive, None));
    assert!(alive.due_at.is_some(), "it is kept alive");
    // One that lives goes on resting, whoever authorizes it again.
    app::connection::pause(&world.app, &actor, id).await.unwrap();
    let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    world.consent(&mut browser, begun.location(), "alice").await;
    assert!(world.connection(id).await.paused_at.is_some());
}

/// Nor does it hide behind its pause: it needs a person, and says so wherever it is counted.
#[sqlx::test]
async fn what_is_dead_does_not_rest(pool: PgPool) {
    let world = World::new(pool).await;
    let actor = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let (dead, alive) = (world.import(client).await, world.import_of(client, "bob").await);
    app::connection::pause(&world.app, &actor, dead).await.unwrap();
    world.sandbox.revoke_account("alice");
    let _ = app::connection::refresh(&world.app, &actor, dead).await;
    let connection = world.connection(dead).await;
    assert_eq!(connection.standing(world.now()), Standing::NeedsPerson);
    let glance = app::overview::get(&world.app, &actor, Scale::Day).await.unwrap();
    let count = |standing| glance.count(standing);
    assert_eq!((count(Standing::NeedsPerson), count(Standing::Paused)), (1, 0));
    let program = world.program(&[Scope::ConnectionsRead]).await;
    for (standing, found) in [("needs-person", 1), ("paused", 0)] {
        let page = program.get(&format!("/connections?standing={standing}")).await.ok();
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{standing}: {page}");
    }
    let page = world.sign_in(Role::Support).await.get(&format!("/connections/{dead}")).await.text;
    assert!(!page.contains("Resume it, and Regrant keeps it alive again"), "{page}");

    // It can't be paused, and to go on means nothing for it.
    begin(&world, &actor, on(Action::Resume, &[dead])).await;
    run(&world.app).await;
    let job = begin(&world, &actor, on_all(Action::Pause)).await;
    run(&world.app).await;
    let told = now(&world, &job).await;
    assert_eq!((told.done, told.skipped), (1, 1));
    assert_eq!(world.connection(dead).await.paused_at, None);
    assert!(app::connection::pause(&world.app, &actor, dead).await.is_err());

    // What rests alive runs on to the end of its refresh token.
    world
        .execute("UPDATE connections SET refresh_expires_at = created_at + interval '30 days', needs_human_by = NULL")
        .await;
    let rests = world.connection(alive).await;
    assert_eq!(rests.standing(world.now()), Standing::Paused);
    assert_eq!(rests.person_by(), rests.refresh_expires_at);
}

/// The process that works at a job dies between two batches, and in the middle of one.
#[sqlx::test]
async fn another_goes_on_where_one_died(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    crowd(&world, 70).await;
    let job = begin(&world, &admin, on_all(Action::Pause)).await;
    assert_eq!(job.total, 70);
    let mut conn = world.pool.acquire().await.unwrap();
    let lease = Uuid::from_u128(4711);
    let dead = store::job::claim(&mut conn, lease, 60.0, Some(world.now())).await.unwrap();
    let dead = dead.expect("a job");
    // It had done some, and told nobody.
    let done: Vec<_> = outcomes(&world, &job).await.into_iter().take(5).collect();
    for one in &done {
        app::connection::pause(&world.app, &admin, one.connection_id).await.unwrap();
    }
    let other = world.replica("other").await;
    assert_eq!(run(&other).await, 0, "somebody works at it");
    world.pass(Duration::seconds(61));
    assert_eq!(run(&other).await, 1);
    let over = now(&world, &job).await;
    assert_eq!((over.state, over.worked(), over.failed), (JobState::Done, 70, 0));
    assert_eq!((over.done, over.skipped), (65, 5));
    assert_eq!(world.audit("connection.pause").await.len(), 70, "each once");
    assert!(outcomes(&world, &job).await.iter().all(|one| one.outcome.is_some()));
    // The dead one wakes up, and nothing it says counts.
    let tally = store::job::Tally { done: 9, skipped: 0, failed: 0 };
    assert!(!store::job::add(&mut conn, &dead, tally, 9, 9).await.unwrap());
    assert_eq!(now(&world, &job).await.worked(), 70);
}

#[sqlx::test]
async fn a_refresh_of_many_tells_what_came_of_each(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let (alive, dead) = (world.import(client).await, world.import_of(client, "bob").await);
    world.execute("UPDATE connections SET state = 'needs_reauth', reason = 'revoked' WHERE account_label LIKE 'bob%'").await;
    let gone = world.import_of(client, "carol").await;
    let job = begin(&world, &admin, on_all(Action::Refresh)).await;
    app::connection::delete(&world.app, &admin, gone, false).await.unwrap();
    run(&world.app).await;
    let job = now(&world, &job).await;
    assert_eq!((job.total, job.done, job.skipped, job.failed), (3, 1, 2, 0));
    let of = |id: Uuid| {
        let world = &world;
        let job = &job;
        async move {
            outcomes(world, job).await.into_iter().find(|one| one.connection_id == id).unwrap()
        }
    };
    assert_eq!(of(alive).await.outcome, Some(Outcome::Done));
    assert!(of(dead).await.detail.unwrap().contains("person"));
    assert!(of(gone).await.detail.unwrap().contains("deleted"));
    assert_eq!(world.generation(alive).await, 2);
}

#[sqlx::test]
async fn tags_come_and_go_and_ends_are_told(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let (one, other) = (world.import(client).await, world.import_of(client, "bob").await);
    let has = ConnectionPatch { tags: Some(vec!["eu".into()]), ..ConnectionPatch::default() };
    app::connection::update(&world.app, &admin, one, has).await.unwrap();
    let tag = |action, tag: &str| NewJob { tag: Some(tag.into()), ..on_all(action) };
    let job = begin(&world, &admin, tag(Action::Tag, " eu ")).await;
    run(&world.app).await;
    let job = now(&world, &job).await;
    assert_eq!((job.done, job.skipped), (1, 1));
    assert_eq!(world.connection(other).await.tags, ["eu"]);
    begin(&world, &admin, tag(Action::Untag, "eu")).await;
    run(&world.app).await;
    assert!(world.connection(one).await.tags.is_empty());

    let job = begin(&world, &admin, NewJob { revoke: true, ..on_all(Action::Disconnect) }).await;
    run(&world.app).await;
    assert_eq!(now(&world, &job).await.done, 2);
    assert_eq!(world.state(one).await, State::Disconnected);
    assert!(outcomes(&world, &job).await[0].detail.as_ref().unwrap().contains("revoked"));
    let left = ConnectionFilter { state: Some(StateName::Active), ..ConnectionFilter::default() };
    let nothing = NewJob { filter: Some(left), ..on_all(Action::Pause) };
    let refused = app::job::create(&world.app, &admin, &nothing).await.unwrap_err();
    assert!(matches!(refused, app::Error::Invalid(_)), "{refused}");
}

/// The links are told to whoever may make links, and to nobody else; and not for longer than they work.
#[sqlx::test]
async fn links_are_told_to_whom_they_may_be(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    world.import(client).await;
    let maker = world.program(&[Scope::ConnectionsRead, Scope::ConnectionsRelink]).await;
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let job = maker.post("/jobs", &json!({ "action": "relink", "filter": {} })).await;
    assert_eq!(job.status, 201, "{}", job.text);
    let path = format!("/jobs/{}", job.json::<Value>()["id"].as_str().unwrap());
    run(&world.app).await;
    let told = maker.get(&format!("{path}/outcomes")).await.ok();
    let link = told["items"][0]["link"].as_str().expect("a link").to_owned();
    assert_eq!(world.browser().get(&link).await.status, 200);
    let export = format!("/exports{path}?format=csv");
    assert!(maker.get(&export).await.text.contains(&link));
    assert_eq!(reader.get(&format!("{path}/outcomes")).await.ok()["items"][0]["link"], Value::Null);
    assert!(!reader.get(&export).await.text.contains(&link));
    let taken = world.audit("job.export").await;
    assert_eq!(taken.iter().map(|one| &one.detail["links"]).collect::<Vec<_>>(), [false, true]);
    let stored: Vec<u8> = sqlx::query_scalar("SELECT sealed_link FROM job_items")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    // Whoever sends them has to know to whom.
    world
        .execute("UPDATE connections SET external_id = 'customer 7', account_label = 'Alice'")
        .await;
    for file in [export.clone(), format!("/exports{path}/stragglers?format=csv")] {
        let file = maker.get(&file).await.text;
        for part in ["account", "external_id", "customer 7", "Alice", link.as_str()] {
            assert!(file.contains(part), "{part} in {file}");
        }
    }
    assert_eq!(told["items"][0].get("external_id"), Some(&Value::Null));
    let secret = link.rsplit('/').next().unwrap().as_bytes();
    assert!(!stored.windows(secret.len()).any(|part| part == secret));
    world.pass(Duration::hours(73));
    app::upkeep::sweep(&world.app).await.unwrap();
    assert_eq!(maker.get(&format!("{path}/outcomes")).await.ok()["items"][0]["link"], Value::Null);
}

#[sqlx::test]
async fn who_may_not_do_it_once_may_not_do_it_often(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let one = world.import(client).await;
    let support = world.person(Role::Support).await;
    let staff =
        Actor::User { id: support, email: super::support::email("support"), role: Role::Support };
    for action in Action::ALL {
        let new = NewJob { tag: action.takes_tag().then(|| "a".into()), ..on(action, &[one]) };
        let made = app::job::preview(&world.app, &staff, &new).await;
        let may = matches!(action, Action::Refresh | Action::Relink);
        assert_eq!(made.is_ok(), may, "{action:?}");
        let refused = app::job::create(&world.app, &staff, &new).await;
        assert_eq!(refused.is_ok(), may, "{action:?}");
    }
    // Nor what they may do no longer.
    let job = begin(&world, &staff, on(Action::Refresh, &[one])).await;
    let out = UserPatch { disabled: Some(true), ..UserPatch::default() };
    app::user::update(&world.app, &world.admin, support, out).await.unwrap();
    run(&world.app).await;
    let job = now(&world, &job).await;
    assert_eq!((job.state, job.worked()), (JobState::Stopped, 0));
    assert_eq!(world.generation(one).await, 1);
}

#[sqlx::test]
async fn a_job_can_be_stopped_and_what_was_done_stays(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    crowd(&world, 3).await;
    let job = begin(&world, &admin, on_all(Action::Pause)).await;
    let stopped = app::job::stop(&world.app, &admin, job.id).await.unwrap();
    assert_eq!(stopped.state, JobState::Stopped);
    run(&world.app).await;
    assert_eq!(now(&world, &job).await.worked(), 0);
    assert_eq!(
        world.count("SELECT count(*) FROM connections WHERE paused_at IS NOT NULL").await,
        0
    );
}

/// What stands in a field of a page that nobody sees.
fn hidden(page: &str, name: &str) -> String {
    let field = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let field = field.unwrap_or_else(|| panic!("no {name} in {page}"));
    field.split('"').next().unwrap().to_owned()
}

/// While the question stood open, more came to be meant.
#[sqlx::test]
async fn only_what_was_shown_is_done(pool: PgPool) {
    let world = World::new(pool).await;
    let client = crowd(&world, 2).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let place = "/jobs/new?action=disconnect&of=all";
    let page = admin.get(place).await.text;
    assert!(page.contains("Disconnect 2"), "{page}");
    let form = |page: &str| {
        let [expected, key] = ["expected", "key"].map(|name| hidden(page, name));
        [
            ("action", "disconnect".to_owned()),
            ("filter", "{}".into()),
            ("expected", expected),
            ("key", key),
        ]
    };
    let send = async |admin: &mut super::support::Browser, form: &[(&str, String)]| {
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
        admin.submit_on(place, "job/create", &form).await.location()
    };
    world.import_of(client, "alice").await;
    let back = send(&mut admin, &form(&page)).await;
    let again = admin.get(&back).await.text;
    assert!(
        again.contains("Nothing was done") && again.contains("it is 3 connections now"),
        "{again}"
    );
    assert!(again.contains("Disconnect 3"), "{again}");
    // Who did not want the provider to be told is not made to.
    let tick = again.split("name=\"revoke\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(!tick.contains("checked"), "{tick}");
    assert_eq!(world.count("SELECT count(*) FROM jobs").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM job_items").await, 0);
    let job = send(&mut admin, &form(&again)).await;
    assert_eq!(world.count("SELECT total FROM jobs").await, 3);

    // More, and of another client.
    let other = world.client("other", inherits).await;
    let page = admin.get(place).await.text;
    world.import_of(other, "bob").await;
    let back = send(&mut admin, &form(&page)).await;
    assert_ne!(back, job);
    assert!(admin.get(&back).await.text.contains("it is 4 connections now"));
}

/// A form that is sent twice, because nobody saw that it worked.
#[sqlx::test]
async fn a_form_sent_twice_makes_one_job(pool: PgPool) {
    let world = World::new(pool).await;
    crowd(&world, 2).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for (place, function) in [
        ("/jobs/new?action=pause&of=all", "job/create"),
        ("/jobs/new?action=relink&of=all", "campaign/create"),
    ] {
        let page = admin.get(place).await.text;
        let [expected, key] = ["expected", "key"].map(|name| hidden(&page, name));
        let form = [("action", "pause"), ("filter", "{}"), ("expected", &expected), ("key", &key)];
        let form = if function == "job/create" { &form[..] } else { &form[1..] };
        let mut twin = admin.clone();
        let (one, other) = tokio::join!(admin.submit(function, form), twin.submit(function, form));
        assert_eq!(one.location(), other.location());
        assert_eq!(admin.submit(function, form).await.location(), one.location(), "later, too");
    }
    assert_eq!(world.count("SELECT count(*) FROM jobs").await, 2);
    assert_eq!(world.audit("job.create").await.len(), 2);
}

#[sqlx::test]
async fn a_program_says_how_many_it_means(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    world.import(client).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let new = json!({ "action": "pause", "filter": {} });
    let seen = program.post("/jobs/preview", &new).await.ok();
    let with = |name: &str, value: Value| {
        let mut new = new.clone();
        new[name] = value;
        new
    };
    let refused = program.post("/jobs", &with("expected_total", json!(2))).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json::<Value>()["reason"]),
        (409, &json!("changed"))
    );
    let refused = program.post("/jobs", &with("expected", json!("another"))).await;
    assert_eq!(refused.status, 409);
    assert_eq!(program.post("/jobs", &with("expected", seen["digest"].clone())).await.status, 201);
    assert_eq!(program.post("/jobs", &with("expected_total", json!(1))).await.status, 201);
    assert_eq!(program.post("/jobs", &new).await.status, 201);
}

/// From the list to what came of it, as a browser without a script goes.
#[sqlx::test]
async fn a_person_chooses_confirms_and_sees(pool: PgPool) {
    let world = World::new(pool).await;
    crowd(&world, 4).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let list = admin.get("/connections").await.text;
    assert!(list.contains("4 connections") && list.contains("With all 4"), "{list}");
    let confirm = admin.get("/jobs/new?state=active&action=pause&of=all").await;
    assert!(confirm.text.contains("4 connections of 1 client"), "{}", confirm.text);
    assert!(confirm.text.contains("Client crowd") && confirm.text.contains("Pause 4"));
    let form = [("action", "pause"), ("filter", r#"{"state":"active"}"#)];
    let made = admin.submit("job/create", &form).await;
    let place = made.location();
    assert!(admin.get(&place).await.text.contains("It begins in a moment"));
    // The list moves as long as something does, also without a script.
    let reloads = "http-equiv=\"refresh\"";
    assert!(admin.get("/jobs").await.text.contains(reloads));
    run(&world.app).await;
    let page = admin.get(&place).await.text;
    assert!(page.contains("Done: 4 of 4 done."), "{page}");
    let list = admin.get("/jobs").await.text;
    assert!(list.contains("Done: 4 of 4 done.") && !list.contains(reloads), "{list}");
    let file = admin.get(&format!("/download{place}.csv")).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.text.lines().count(), 5);
    assert!(
        admin
            .get("/jobs/new?action=pause&of=chosen")
            .await
            .text
            .contains("No connection is chosen")
    );

    let mut support = world.sign_in(Role::Support).await;
    let list = support.get("/connections").await.text;
    assert!(list.contains("Create relinks") && !list.contains(">Pause<"), "{list}");
    let mut auditor = world.sign_in(Role::Auditor).await;
    assert!(!auditor.get("/connections").await.text.contains("With the ticked"));
}
