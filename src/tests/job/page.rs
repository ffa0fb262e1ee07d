//! The page of a job: what it does, and what came of each.

use serde_json::json;
use sqlx::PgPool;

use super::{admin, begin, crowd, on, on_all, run};
use crate::{
    domain::{
        access::Role,
        job::{Action, NewJob},
    },
    tests::support::World,
    ui::path,
};

#[sqlx::test]
async fn a_named_job_says_what_it_does_and_what_came_of_each(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let ids = [world.import_of(client, "alice").await, world.import_of(client, "bob").await];
    let tag =
        NewJob { tag: Some("vip".into()), name: Some("Spring".into()), ..on(Action::Tag, &ids) };
    let job = begin(&world, &admin, tag).await;
    run(&world.app).await;
    let mut auditor = world.sign_in(Role::Auditor).await;
    let page = auditor.get(&format!("/jobs/{}", job.id)).await.text;
    assert!(page.contains("Spring") && page.contains("Tag: vip"), "{page}");
    let came = page.split("aria-label=\"What came of each\"").nth(1).expect("a table");
    for id in ids {
        assert!(came.contains(&format!("href=\"/connections/{id}\"")), "{came}");
    }
    assert_eq!(came.matches("It has the tag.").count(), 2, "{came}");
    // Who reads the log knows which job it was.
    let made = world.audit("job.create").await;
    assert_eq!((&*made[0].subject_label, &made[0].detail["tag"]), ("Spring", &json!("vip")));
}

/// What a person has to do is not nothing to do.
#[sqlx::test]
async fn who_is_left_out_by_a_refresh_is_not_said_to_need_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    let client = world.client("one", |_| {}).await;
    let ids = [world.import_of(client, "alice").await, world.import_of(client, "bob").await];
    world
        .execute(
            "UPDATE connections SET state = 'needs_reauth', reason = 'revoked'
             WHERE account_label LIKE 'bob%'",
        )
        .await;
    let job = begin(&world, &admin, on(Action::Refresh, &ids)).await;
    run(&world.app).await;
    let mut auditor = world.sign_in(Role::Auditor).await;
    let page = auditor.get(&format!("/jobs/{}", job.id)).await.text;
    assert!(page.contains("Done: 1 of 2 done, 1 was left out."), "{page}");
    assert!(page.contains("Left out") && !page.contains("Nothing to do"), "{page}");
    // What stood so already is left as it is, and is all right.
    let again = begin(&world, &admin, on(Action::Pause, &ids)).await;
    run(&world.app).await;
    let second = begin(&world, &admin, on(Action::Pause, &ids)).await;
    run(&world.app).await;
    assert_ne!(again.id, second.id);
    let page = auditor.get(&format!("/jobs/{}", second.id)).await.text;
    assert!(page.contains("2 had nothing to do") && page.contains("Nothing to do"), "{page}");
}

/// What failed stands first where not all of it is on one page.
#[sqlx::test]
async fn a_long_job_shows_page_after_page(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = admin(&world).await;
    crowd(&world, 60).await;
    let job = begin(&world, &admin, on_all(Action::Pause)).await;
    run(&world.app).await;
    world.execute("UPDATE job_items SET outcome = 'failed' WHERE number = 60").await;
    world.execute("UPDATE jobs SET failed = 1, done = done - 1").await;
    let mut auditor = world.sign_in(Role::Auditor).await;
    let page = auditor.get(&format!("/jobs/{}", job.id)).await.text;
    let (failed, came) = page.split_once("aria-label=\"What came of each\"").expect("a table");
    assert!(failed.contains("What could not be done"), "{page}");
    assert_eq!(came.matches("It rests.").count(), 50, "{page}");
    assert!(came.contains("rel=\"next\""), "{came}");
    let page = auditor.get(&format!("/jobs/{}?{}=50", job.id, path::AFTER)).await.text;
    assert_eq!(page.matches("Could not be done").count(), 1, "{page}");
}
