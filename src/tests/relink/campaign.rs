//! Campaigns: links for many, and who is not done yet.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::follow;
use crate::{
    domain::{
        access::{Role, Scope},
        brand::NewBrand,
        campaign::Progress,
        client::ClientPatch,
        connection::ConnectionFilter,
        job::{Action, Job, JobOutcome, NewJob},
        language::Language,
        page::Paging,
        problem::Code,
        relink::{
            CreatedRelink, Ended, HandedRelink, LIFETIME, Need, Outcome, Relink, Stage, mask,
        },
        voice::visitor,
    },
    server::app::{self, Actor},
    tests::support::{Browser, Questions, World, email},
};

/// Whom a campaign is begun by.
async fn staff(world: &World) -> Actor {
    let id = world.person_named("desk", Role::Support).await;
    Actor::User { id, email: email("desk"), role: Role::Support }
}

/// Connections of these, all of which died.
async fn dead(world: &World, accounts: &[&str]) -> (Uuid, Vec<Uuid>) {
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let mut ids = Vec::new();
    for account in accounts {
        ids.push(world.connect(&mut admin, client, account).await);
        world.pass(Duration::seconds(1));
    }
    world
        .execute("UPDATE connections SET state = 'needs_reauth', reason = 'revoked', due_at = NULL")
        .await;
    (client, ids)
}

/// Makes links and says whose they are, in the order of the job.
async fn begin(world: &World, actor: &Actor, new: &NewJob) -> (Job, Vec<(Uuid, String)>) {
    let job = app::job::create(&world.app, actor, new).await.expect("a job");
    app::job::run_due(&world.app).await.expect("the worker's look");
    let paging = Paging { cursor: None, limit: Some(200) };
    let all = app::job::outcomes(&world.app, actor, job.id, &paging).await.expect("outcomes").items;
    let link = |one: JobOutcome| {
        let url = one.link.unwrap_or_else(|| panic!("no link: {:?}", one.detail));
        (one.connection_id, url.rsplit('/').next().unwrap_or_default().to_owned())
    };
    let links = all.into_iter().map(link).collect();
    // The next link of one of them is newer.
    world.pass(Duration::seconds(1));
    (app::job::get(&world.app, actor, job.id).await.expect("the job"), links)
}

fn all() -> NewJob {
    NewJob { filter: Some(ConnectionFilter::default()), ..NewJob::of(Action::Relink) }
}

async fn progress(world: &World, job: &Job) -> Progress {
    app::campaign::progress(&world.app, &Actor::System, job.id).await.expect("the progress")
}

fn counts(progress: &Progress) -> Vec<(Stage, i64)> {
    progress.stages.iter().map(|one| (one.stage, one.count)).collect()
}

async fn stragglers(world: &World, job: &Job, stage: Option<Stage>) -> Vec<Uuid> {
    let paging = Paging::default();
    let page =
        app::campaign::stragglers(&world.app, &Actor::System, job.id, stage, &paging, true).await;
    page.expect("stragglers").items.iter().map(|one| one.entry.relink.connection_id).collect()
}

async fn deny(world: &World, owner: &mut Browser, token: &str) {
    let begun = owner.begin_relink(token).await.location();
    let leaving = owner.get(&begun).await.location();
    owner.get(&world.sandbox.deny(&leaving).expect("a refusal")).await;
}

#[sqlx::test]
async fn each_customer_is_counted_where_they_are_and_who_is_left_gets_a_new_link(pool: PgPool) {
    let world = World::new(pool).await;
    let names = ["alice", "bob", "carol", "alice", "bob", "carol"];
    let (_, ids) = dead(&world, &names).await;
    let staff = staff(&world).await;
    let (job, links) =
        begin(&world, &staff, &NewJob { name: Some(" June ".into()), ..all() }).await;
    assert_eq!((job.name.as_deref(), job.done), (Some("June"), 6));
    assert_eq!(counts(&progress(&world, &job).await), [(Stage::Sent, 6)]);

    let token = |at: usize| {
        let link = links.iter().find(|(id, _)| *id == ids[at]);
        link.map(|(_, token)| token.clone()).expect("a link")
    };
    let mut owner = world.browser();
    assert_eq!(follow(&world, &mut owner, &token(0), "alice").await, "/relink/outcome/done");
    owner.get(&format!("/relink/{}", token(1))).await;
    follow(&world, &mut world.browser(), &token(2), "bob").await;
    deny(&world, &mut world.browser(), &token(3)).await;
    world.browser().begin_relink(&token(4)).await;
    let now = progress(&world, &job).await;
    assert_eq!(
        counts(&now),
        [
            (Stage::Done, 1),
            (Stage::Away, 1),
            (Stage::Opened, 1),
            (Stage::Sent, 1),
            (Stage::WrongAccount, 1),
            (Stage::Denied, 1),
        ]
    );
    assert_eq!((now.total, now.done, now.stragglers()), (6, 1, 5));
    assert_eq!(stragglers(&world, &job, None).await, ids[1..]);
    assert_eq!(stragglers(&world, &job, Some(Stage::Denied)).await, [ids[3]]);

    // Whoever is at the provider just now is not thrown out.
    let again = NewJob { stragglers_of: Some(job.id), ..NewJob::of(Action::Relink) };
    let seen = app::job::preview(&world.app, &staff, &again).await.expect("a preview");
    assert_eq!(seen.total, 4);
    // Half an hour later they are gone; and one was called off, which makes them no less a straggler.
    world.pass(Duration::minutes(31));
    let list = app::relink::list(&world.app, &staff, ids[5]).await.expect("links");
    app::relink::revoke(&world.app, &staff, list[0].id).await.expect("a revoked link");
    let (second, links) = begin(&world, &staff, &again).await;
    let given: Vec<_> = links.iter().map(|(id, _)| *id).collect();
    assert_eq!(given, ids[1..], "the done one never, the others each once");
    assert_eq!((second.stragglers_of, second.name.as_deref()), (Some(job.id), Some("June")));
    // The newest link counts, for the first job too.
    assert_eq!(counts(&progress(&world, &job).await), [(Stage::Done, 1), (Stage::Sent, 5)]);
    assert_eq!(counts(&progress(&world, &second).await), [(Stage::Sent, 5)]);
    assert_eq!(
        follow(&world, &mut world.browser(), &links[0].1, "bob").await,
        "/relink/outcome/done"
    );
    assert_eq!(counts(&progress(&world, &job).await), [(Stage::Done, 2), (Stage::Sent, 4)]);

    world.pass(LIFETIME);
    assert_eq!(counts(&progress(&world, &job).await), [(Stage::Done, 2), (Stage::Expired, 4)]);
    let seen = app::job::preview(&world.app, &staff, &again).await.expect("a preview");
    assert_eq!((seen.total, seen.clients[0].client.as_str()), (4, "Client one"));
    // Whose connection is gone is nobody's straggler.
    app::connection::delete(&world.app, &world.admin, ids[5], false).await.expect("it is deleted");
    assert_eq!(progress(&world, &job).await.total, 5);
    let campaigns = app::campaign::list(&world.app, &staff).await.expect("campaigns");
    let shown: Vec<_> = campaigns.iter().map(|one| one.job.id).collect();
    assert_eq!(shown, [job.id], "the second counts with the first");
}

/// The database and the domain say the same of every link there can be.
#[sqlx::test]
async fn the_database_knows_the_stages(pool: PgPool) {
    let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let ago = |time: Duration| Some(now - time);
    let mut seen = std::collections::BTreeSet::new();
    for used_at in [None, ago(Duration::hours(1))] {
        for ended in [None, Some(Ended::Replaced), Some(Ended::Revoked)] {
            for expires_at in [now, now + Duration::seconds(1)] {
                for outcome in Outcome::ALL.map(Some).into_iter().chain([None]) {
                    for returned_at in
                        [None, ago(Duration::minutes(2)), ago(Duration::seconds(121))]
                    {
                        for (left_at, opened_at) in
                            [(None, None), (None, Some(now)), (Some(now), Some(now))]
                        {
                            let relink = Relink {
                                id: Uuid::nil(),
                                connection_id: Uuid::nil(),
                                created_by: String::new(),
                                created_at: now,
                                expires_at,
                                opened_at,
                                left_at,
                                returned_at,
                                used_at,
                                outcome,
                                detail: None,
                                ended,
                            };
                            let said: String = sqlx::query_scalar(
                                "SELECT relink_stage($1, $2, $3, $4, $5, $6, $7, $8)",
                            )
                            .bind(used_at)
                            .bind(ended.map(Ended::as_str))
                            .bind(expires_at)
                            .bind(outcome.map(Outcome::as_str))
                            .bind(returned_at)
                            .bind(left_at)
                            .bind(opened_at)
                            .bind(now)
                            .fetch_one(&pool)
                            .await
                            .expect("a stage");
                            let stage = Stage::of(&relink, now);
                            assert_eq!(said, stage.as_str(), "{relink:?}");
                            assert_eq!(said.parse(), Ok(stage));
                            seen.insert(said);
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), Stage::ALL.len());
}

/// Nobody is to write to who was authorized again by an admin since they got their link, and not before.
#[sqlx::test]
async fn whoever_came_back_by_another_door_is_done(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let alice = world.connect(&mut admin, client, "alice").await;
    let bob = world.connect(&mut admin, client, "bob").await;
    world.pass(Duration::seconds(1));
    let staff = staff(&world).await;
    let (job, _) = begin(&world, &staff, &all()).await;
    assert_eq!(counts(&progress(&world, &job).await), [(Stage::Sent, 2)]);
    let begun = admin.call("connection/reauthorize", &[("id", &alice.to_string())]).await;
    world.consent(&mut admin, begun.location(), "alice").await;
    assert_eq!(counts(&progress(&world, &job).await), [(Stage::Done, 1), (Stage::Sent, 1)]);
    assert_eq!(stragglers(&world, &job, None).await, [bob]);
    let outcomes =
        app::job::outcomes(&world.app, &staff, job.id, &Paging::default()).await.unwrap();
    for one in outcomes.items {
        let is_open = one.connection_id == bob;
        assert_eq!((one.link.is_some(), one.link_state == Some(Stage::Done)), (is_open, !is_open));
    }

    // A link that asks for more is still to be followed.
    let more = ["openid", "email", "api:read", "api:write", "offline_access"].map(str::to_owned);
    let patch = ClientPatch { scopes: Some(more.to_vec()), ..ClientPatch::default() };
    app::client::update(&world.app, &world.admin, client, patch, None).await.expect("more scopes");
    let (job, _) = begin(&world, &staff, &NewJob { client_scopes: true, ..all() }).await;
    world.execute("UPDATE connections SET consented_at = now() + interval '100 years'").await;
    assert_eq!(counts(&progress(&world, &job).await), [(Stage::Sent, 2)]);
}

/// A job may come to somebody long after it was made; who went to the provider meanwhile is left alone.
#[sqlx::test]
async fn who_has_begun_meanwhile_keeps_their_link(pool: PgPool) {
    let world = World::new(pool).await;
    dead(&world, &["alice"]).await;
    let staff = staff(&world).await;
    let (job, links) = begin(&world, &staff, &all()).await;
    let again = NewJob { stragglers_of: Some(job.id), ..NewJob::of(Action::Relink) };
    let again = app::job::create(&world.app, &staff, &again).await.expect("a job");
    let mut owner = world.browser();
    let start = owner.begin_relink(&links[0].1).await.location();
    app::job::run_due(&world.app).await.expect("the worker's look");
    assert_eq!(app::job::get(&world.app, &staff, again.id).await.expect("the job").skipped, 1);
    let landed = world.consent(&mut owner, start, "alice").await;
    assert_eq!(landed, "/relink/outcome/done");
}

/// A client that asks for more than it did: who is concerned is found, and a link asks for the rest.
#[sqlx::test]
async fn drift_is_found_and_a_link_asks_for_the_rest(pool: PgPool) {
    let world = World::new(pool).await;
    let (client, other) = (world.client("one", |_| {}).await, world.client("two", |_| {}).await);
    let mut admin = world.sign_in(Role::Admin).await;
    let alice = world.connect(&mut admin, client, "alice").await;
    world.pass(Duration::seconds(1));
    let bob = world.connect(&mut admin, client, "bob").await;
    world.connect(&mut admin, other, "alice").await;
    let program = world.program(&[Scope::ConnectionsRead]).await;
    let found = async || {
        let page = program.get("/connections?drift=true").await.ok();
        let items = page["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|one| one["id"].as_str().unwrap().parse::<Uuid>().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found().await.len(), 0, "a scope that no provider tells of is no drift");
    let more = ["openid", "email", "api:read", "api:write", "offline_access"].map(str::to_owned);
    let patch = ClientPatch { scopes: Some(more.to_vec()), ..ClientPatch::default() };
    app::client::update(&world.app, &world.admin, client, patch, None).await.expect("more scopes");
    assert_eq!(found().await, [bob, alice]);
    let occasions = app::campaign::occasions(&world.app, &world.admin, world.now()).await.unwrap();
    assert_eq!((occasions.drift.len(), occasions.drift[0].count), (1, 2));
    assert_eq!(occasions.drift[0].client_id, client);
    assert!(occasions.dead.is_empty() && occasions.secrets.is_empty());

    let staff = staff(&world).await;
    let drift = ConnectionFilter { drift: true, ..ConnectionFilter::default() };
    let new = NewJob { filter: Some(drift), ..NewJob::of(Action::Relink) };
    // As it was asked for so far, nothing is gained.
    let (_, links) = begin(&world, &staff, &new).await;
    assert_eq!(links.len(), 2);
    follow(&world, &mut world.browser(), &links[0].1, "alice").await;
    assert_eq!(found().await, [bob, alice]);
    let new = NewJob { client_scopes: true, ..new };
    let (job, links) = begin(&world, &staff, &new).await;
    assert_eq!(
        follow(&world, &mut world.browser(), &links[0].1, "alice").await,
        "/relink/outcome/done"
    );
    assert_eq!(found().await, [bob]);
    let granted = world.connection(alice).await;
    assert!(granted.scopes_granted.contains(&"api:write".to_owned()), "{granted:?}");
    assert!(granted.scopes_requested.contains(&"api:write".to_owned()), "so does what follows");
    world.until_due(alice).await;
    world.tick().await;
    assert_eq!(world.connection(alice).await.generation, granted.generation + 1);

    // A link that takes the place of such a one asks for as much, whoever makes it.
    let made = app::relink::create(&world.app, &staff, bob).await.expect("a link");
    let token = made.url.rsplit('/').next().unwrap();
    assert_eq!(follow(&world, &mut world.browser(), token, "bob").await, "/relink/outcome/done");
    assert_eq!(found().await.len(), 0);
    let now = progress(&world, &job).await;
    assert_eq!((now.total, now.done), (2, 2));
}

#[sqlx::test]
async fn what_an_outage_left_behind_is_found_by_when_it_came(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, ids) = dead(&world, &["alice", "bob"]).await;
    let before = world.now();
    world.execute("UPDATE connections SET state_since = state_since - interval '9 days' WHERE account_label LIKE 'bob%'").await;
    let program = world.program(&[Scope::ConnectionsRead]).await;
    let found = async |since: OffsetDateTime| {
        let since = since.format(&time::format_description::well_known::Rfc3339).unwrap();
        let page = program.get(&format!("/connections?dead_since={since}")).await.ok();
        page["items"].as_array().expect("items").len()
    };
    assert_eq!(found(before - Duration::days(7)).await, 1);
    assert_eq!(found(before - Duration::days(10)).await, 2);
    assert_eq!(found(before + Duration::days(1)).await, 0);
    let week = before - Duration::days(7);
    let occasions = app::campaign::occasions(&world.app, &world.admin, week).await.unwrap();
    assert_eq!(occasions.dead[0].count, 1);
    // One that lives again is not dead, whenever it died.
    let staff = staff(&world).await;
    let (_, links) = begin(&world, &staff, &all()).await;
    let alice = links.iter().find(|(id, _)| *id == ids[0]).expect("a link");
    follow(&world, &mut world.browser(), &alice.1, "alice").await;
    assert_eq!(found(before - Duration::days(10)).await, 1);
}

#[sqlx::test]
async fn who_is_at_a_provider_that_ends_grants_with_the_secret_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("harsh", |profile| profile.policy.replacing_secret_revokes_grants = true).await;
    let harsh = world.client_of("harsh", "one", |_| {}).await;
    let other = world.client("two", |_| {}).await;
    for (client, account) in [(harsh, "alice"), (harsh, "bob"), (other, "alice")] {
        world.import_of(client, account).await;
    }
    let occasions = app::campaign::occasions(&world.app, &world.admin, world.now()).await.unwrap();
    let told: Vec<_> = occasions.secrets.iter().map(|one| (one.client_id, one.count)).collect();
    assert_eq!(told, [(harsh, 2)]);
}

/// Nobody needs a link because a secret could be replaced.
#[sqlx::test]
async fn links_are_offered_to_those_whom_a_new_secret_threw_out(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("harsh", |profile| profile.policy.replacing_secret_revokes_grants = true).await;
    let client = world.client_of("harsh", "one", |_| {}).await;
    let ids = [world.import_of(client, "alice").await, world.import_of(client, "bob").await];
    let die = async |id: Uuid| {
        let sql =
            "UPDATE connections SET state = 'needs_reauth', reason = 'revoked', due_at = NULL,
                          state_since = $2 WHERE id = $1";
        let died = sqlx::query(sql).bind(id).bind(world.now()).execute(&world.pool);
        died.await.expect("it died");
    };
    let told = async || {
        let found = app::campaign::occasions(&world.app, &world.admin, world.now()).await.unwrap();
        found.secrets.iter().map(|one| (one.count, one.replaced_at, one.dead)).collect::<Vec<_>>()
    };
    // One that died before has nothing to do with it.
    die(ids[0]).await;
    assert_eq!(told().await, [(2, None, 0)]);
    world.pass(Duration::days(8));
    let mut support = world.sign_in(Role::Support).await;
    let page = support.get("/relinks/many").await.text;
    assert!(page.contains("never") && !page.contains("Create links"), "{page}");

    // The provider had the new secret first.
    die(ids[1]).await;
    world.pass(Duration::hours(2));
    let secret = Some("another secret".to_owned().into());
    app::client::replace_secret(&world.app, &world.admin, client, secret).await.expect("it");
    let replaced = world.now();
    assert_eq!(told().await, [(2, Some(replaced), 1)]);
    let page = support.get("/relinks/many?since=2099-01-01").await.text;
    assert!(page.contains("Create links for 1 connection of"), "{page}");
    let since = page.split("dead_since=").nth(1).and_then(|rest| rest.split(['&', '"']).next());
    let program = world.program(&[Scope::ConnectionsRead]).await;
    let found = program.get(&format!("/connections?dead_since={}", since.unwrap())).await.ok();
    assert_eq!(found["items"][0]["id"], json!(ids[1]));
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    // Much later it is no reason any more, whoever died meanwhile.
    world.pass(Duration::days(31));
    die(ids[0]).await;
    assert_eq!(told().await, [(2, Some(replaced), 0)]);
}

#[sqlx::test]
async fn more_clients_are_no_more_questions(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("harsh", |profile| profile.policy.replacing_secret_revokes_grants = true).await;
    let mut asked = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let client = world.client_of("harsh", name, |_| {}).await;
        world.import(client).await;
        let questions = Questions::count();
        let found = app::campaign::occasions(&world.app, &world.admin, world.now()).await.unwrap();
        asked.push(questions.so_far());
        assert_eq!(found.secrets.len(), asked.len());
    }
    assert!(asked.iter().all(|count| *count == asked[0]), "{asked:?}");
}

#[sqlx::test]
async fn support_begins_and_an_auditor_looks(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, ids) = dead(&world, &["alice", "bob"]).await;
    let mut support = world.sign_in(Role::Support).await;
    let mut auditor = world.sign_in(Role::Auditor).await;
    let reasons = support.get("/relinks/many?since=day").await.text;
    assert!(reasons.contains("2 connections") && reasons.contains("Create links"), "{reasons}");
    assert!(!auditor.get("/relinks/many").await.text.contains("Create links"));
    let confirm =
        support.get("/jobs/new?action=relink&of=all&state=needs_reauth&name=After+an+outage").await;
    assert!(confirm.text.contains("2 connections of 1 client"), "{}", confirm.text);
    assert!(confirm.text.contains("value=\"After an outage\""), "{}", confirm.text);

    let form = [("filter", r#"{"state":"needs_reauth"}"#), ("name", "After an outage")];
    let place = support.submit("campaign/create", &form).await.location();
    app::job::run_due(&world.app).await.unwrap();
    let page = support.get(&place).await.text;
    for part in
        ["After an outage", "0 of 2 customers done", "2 not opened", "I have sent you a link"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(
        page.contains("New links for the stragglers") && page.contains("http-equiv=\"refresh\"")
    );
    let desk = auditor.get("/relinks").await.text;
    assert!(desk.contains("After an outage") && desk.contains("0 of 2 customers done"), "{desk}");
    let page = auditor.get(&place).await.text;
    assert!(page.contains("2 not opened") && !page.contains("New links for"), "{page}");
    assert!(support.get(&format!("{place}?stage=expired")).await.status.is_success());

    // A file with the links, for whoever may make them.
    let job = place.rsplit('/').next().unwrap();
    let file = support.get(&format!("/download/stragglers/{job}.csv")).await.text;
    assert_eq!(file.lines().count(), 3, "{file}");
    assert_eq!(file.matches("/relink/").count(), 2, "{file}");
    let file = auditor.get(&format!("/download/stragglers/{job}.csv")).await.text;
    assert_eq!((file.lines().count(), file.contains("/relink/")), (3, false), "{file}");
    let refused = auditor.call("campaign/create", &[("stragglers_of", job)]).await;
    assert_eq!(refused.problem().code, Code::Forbidden);

    let confirm = support.get(&format!("/jobs/new?action=relink&stragglers={job}")).await.text;
    assert!(confirm.contains("Everyone who is not done gets a new link"), "{confirm}");
    let second = support.submit("campaign/create", &[("stragglers_of", job)]).await.location();
    app::job::run_due(&world.app).await.unwrap();
    assert!(support.get(&second).await.text.contains("For the stragglers of"));
    let made = app::relink::list(&world.app, &world.admin, ids[0]).await.unwrap();
    assert_eq!(made.len(), 2);
}

/// The desk's own text, for each whose link works, in a file.
#[sqlx::test]
async fn each_link_has_its_mail(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, ids) = dead(&world, &["alice", "bob", "carol"]).await;
    world
        .execute("UPDATE connections SET label = 'Bob, and his books' WHERE account_id = 'acc_b0b'")
        .await;
    let brand =
        NewBrand { name: "Kontor".into(), color: None, contact: Some("help@kontor.test".into()) };
    app::brand::update(&world.app, &world.admin, brand).await.expect("a brand");
    let staff = staff(&world).await;
    let (job, links) = begin(&world, &staff, &all()).await;
    let token = |id: Uuid| &links.iter().find(|(one, _)| *one == id).expect("a link").1;
    assert_eq!(
        follow(&world, &mut world.browser(), token(ids[0]), "alice").await,
        "/relink/outcome/done"
    );
    let mut support = world.sign_in(Role::Support).await;
    let page = support.get(&format!("/jobs/{}", job.id)).await.text;
    for (language, greeting) in [("en", "Hello,"), ("de", "Guten Tag!")] {
        let address = format!("/download/mails/{language}/{}.csv", job.id);
        assert!(page.contains(&format!("href=\"{address}\"")), "{page}");
        let file = support.get(&address).await.text;
        let mut reader = csv::Reader::from_reader(file.as_bytes());
        let heading: Vec<String> = reader.headers().unwrap().iter().map(Into::into).collect();
        let cells = |row: &csv::StringRecord, name: &str| {
            let at = heading.iter().position(|one| one == name).expect("a column");
            row[at].to_owned()
        };
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
        assert_eq!(rows.len(), 2, "nobody who is done: {file}");
        for (row, id) in rows.iter().zip(&ids[1..]) {
            assert_eq!(cells(row, "connection_id"), id.to_string());
            let link = cells(row, "link");
            assert!(link.ends_with(&format!("/relink/{}", token(*id))), "{link}");
            let text = cells(row, "text");
            for part in [greeting, &link, "Kontor", "help@kontor.test", "@example.com"] {
                assert!(text.contains(part), "{part} is in {text}");
            }
            assert!(!text.contains(&cells(row, "account")), "the account is masked: {text}");
            assert!(!cells(row, "subject").contains('{') && !text.contains('{'), "{text}");
        }
        assert_eq!(cells(&rows[0], "label"), "Bob, and his books");
    }
    // The same as the desk's for one.
    let wanted = visitor::mail(
        Language::German,
        &HandedRelink {
            made: CreatedRelink {
                id: Uuid::nil(),
                url: world.app.address(&format!("relink/{}", token(ids[1]))),
                expires_at: links_end(&world, ids[1]).await,
                account: Some("bob@example.com".into()),
            },
            service: "Service strict".into(),
            account: Some(mask("bob@example.com")),
            need: Need::Again,
            house: Some("Kontor".into()),
            contact: Some("help@kontor.test".into()),
            picture: None,
        },
    );
    let maker = world.program(&[Scope::ConnectionsRelink]).await;
    let file = maker.get(&format!("/exports/jobs/{}/mails?language=de", job.id)).await.text;
    let mails: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(mails.len(), 2);
    assert_eq!((&mails[0]["subject"], &mails[0]["text"]), (&json!(wanted.0), &json!(wanted.1)));

    // Whoever can make no link is shown none, and one that leads to a closed door is not sent.
    let mut auditor = world.sign_in(Role::Auditor).await;
    let page = auditor.get(&format!("/jobs/{}", job.id)).await.text;
    assert!(!page.contains("/download/mails"), "{page}");
    assert_eq!(auditor.get(&format!("/download/mails/en/{}.csv", job.id)).await.status, 403);
    assert_eq!(support.get(&format!("/download/mails/fr/{}.csv", job.id)).await.status, 404);
    world.execute("UPDATE clients SET state = 'disabled'").await;
    let file = maker.get(&format!("/exports/jobs/{}/mails", job.id)).await.text;
    let left: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(left.len(), 2);
    for one in &left {
        assert_eq!(
            (&one["link"], &one["account"], &one["text"]),
            (&json!(""), &Value::Null, &json!(""))
        );
        assert!(one["left_out"].as_str().unwrap().contains("switched off"), "{one}");
    }
    let noted = world.audit("job.export").await;
    assert!(noted.iter().all(|one| one.detail == json!({ "what": "mails", "links": true })));
}

/// When a connection's newest link ends.
async fn links_end(world: &World, id: Uuid) -> OffsetDateTime {
    let links = app::relink::list(&world.app, &Actor::System, id).await.expect("links");
    links[0].expires_at
}

/// All of it by the API, with the right to each part.
#[sqlx::test]
async fn a_program_does_as_much(pool: PgPool) {
    let world = World::new(pool).await;
    let (_, ids) = dead(&world, &["alice", "bob", "carol"]).await;
    let maker = world.program(&[Scope::ConnectionsRead, Scope::ConnectionsRelink]).await;
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let made = maker
        .post(
            "/jobs",
            &json!({ "action": "relink", "filter": { "state": "needs_reauth" }, "name": "Spring" }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.ok()["id"].as_str().unwrap().to_owned();
    app::job::run_due(&world.app).await.unwrap();
    let path = format!("/jobs/{id}");
    let expected = json!({ "total": 3, "done": 0, "stages": [{ "stage": "sent", "count": 3 }] });
    assert_eq!(reader.get(&format!("{path}/progress")).await.ok(), expected);
    let first = maker.get(&format!("{path}/stragglers?limit=2&stage=sent")).await.ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert!(first["items"][0]["link"].as_str().unwrap().contains("/relink/"));
    assert!(first["items"][0]["say"].as_str().unwrap().contains("sent you a link"));
    let next = first["next"].as_str().unwrap();
    let rest = reader.get(&format!("{path}/stragglers?limit=2&cursor={next}")).await.ok();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!((&rest["items"][0]["link"], &rest["next"]), (&Value::Null, &Value::Null));
    assert_eq!(reader.get(&format!("{path}/stragglers?stage=nonsense")).await.status, 422);
    let export = format!("/exports{path}/stragglers");
    assert_eq!(maker.get(&export).await.text.matches("/relink/").count(), 3);
    assert!(!reader.get(&export).await.text.contains("/relink/"));

    let again = json!({ "action": "relink", "stragglers_of": id });
    assert_eq!(maker.post("/jobs/preview", &again).await.ok()["total"], json!(3));
    assert_eq!(reader.post("/jobs", &again).await.status, 403);
    let both = json!({ "action": "relink", "stragglers_of": id, "filter": {} });
    assert_eq!(maker.post("/jobs", &both).await.field(), "ids");
    let nobody = json!({ "action": "relink", "stragglers_of": Uuid::nil() });
    assert_eq!(maker.post("/jobs", &nobody).await.status, 404);
    let long = json!({ "action": "relink", "filter": {}, "name": "a".repeat(61) });
    assert_eq!(maker.post("/jobs", &long).await.field(), "name");
    // Other jobs have no customers.
    let admin = world.program(&[Scope::Admin]).await;
    let other = admin.post("/jobs", &json!({ "action": "pause", "ids": [ids[0]] })).await.ok();
    let other = format!("/jobs/{}/progress", other["id"].as_str().unwrap());
    assert_eq!(reader.get(&other).await.status, 404);
}
