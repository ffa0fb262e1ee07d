//! The desk: a link from its making to its end, as support sees it.

use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use super::{dead, dead_by_code, follow, token_of, typed};
use crate::{
    domain::{
        access::Role,
        connection::State,
        page::Paging,
        problem::Code,
        relink::{HandedRelink, RelinkDetail, RelinkList, RelinkShow, Stage},
    },
    sandbox::Fault,
    server::app::{self, connection::device},
    tests::support::{Browser, World},
};

async fn handed(support: &mut Browser, id: Uuid) -> HandedRelink {
    support.call("relink/create", &[("id", &id.to_string())]).await.json()
}

async fn stage(support: &mut Browser, id: Uuid) -> Stage {
    let detail: RelinkDetail =
        support.call("relink/detail", &[("id", &id.to_string())]).await.json();
    detail.entry.stage
}

/// Who gave consent by a link is not whoever the account belongs to after another consent.
#[sqlx::test]
async fn an_old_link_does_not_name_the_account_of_today(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let handed = handed(&mut support, id).await;
    let mut owner = world.browser();
    let landed = follow(&world, &mut owner, &token_of(&handed.made), "alice").await;
    assert_eq!(landed, "/relink/outcome/done");
    let (watch, own) = (format!("/relinks/{}", handed.made.id), format!("/connections/{id}"));
    for page in [watch.as_str(), "/relinks", &own] {
        let told = support.get(page).await.text;
        assert!(told.contains(", as alice@example.com."), "{page}: {told}");
    }
    world
        .execute(
            "UPDATE connections SET account_id = 'dave', account_label = 'dave@example.com',
                    consented_at = consented_at + interval '1 hour'",
        )
        .await;
    for page in [watch.as_str(), "/relinks"] {
        let told = support.get(page).await.text;
        assert!(told.contains("The connection was linked"), "{page}: {told}");
        assert!(!told.contains(", as dave@example.com"), "{page}: {told}");
    }
}

#[sqlx::test]
async fn support_begins_at_the_desk_finds_and_sends(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, _) = dead(&world).await;
    world.person_named("desk", Role::Support).await;
    let mut support = world.browser();
    let form = [("email", "desk@people.test"), ("password", crate::tests::support::PASSWORD)];
    assert_eq!(support.submit("session/login", &form).await.location(), "/relinks");
    for q in ["ALICE@example", "alice"] {
        let page = support.get(&format!("/relinks?q={q}")).await.text;
        assert!(page.contains(&format!("/connections/{id}")), "{q}: {page}");
        assert!(page.contains("Create a link"), "{page}");
    }
    assert!(support.get("/relinks?q=nobody").await.text.contains("No connection fits"));

    // As a browser without a script does.
    let sent = support.submit("relink/create", &[("id", &id.to_string())]).await.location();
    let page = support.get(&sent).await.text;
    let url =
        page.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:3000/relink/"), "{url}");
    for part in ["The link as a QR code", "mailto:?subject=", "Deutsch", "Nobody has opened"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let token = url.rsplit('/').next().unwrap();
    let page = support.get(&sent).await.text;
    assert!(!page.contains(token), "shown once");
    assert!(page.contains("http-equiv=\"refresh\""), "watched without a script");
    assert!(!support.get("/relinks").await.text.contains(token));
}

#[sqlx::test]
async fn each_step_of_the_visitor_is_seen(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let made = handed(&mut support, id).await.made;
    let token = token_of(&made);
    let mut owner = world.browser();
    assert_eq!(stage(&mut support, made.id).await, Stage::Sent);
    owner.get(&made.url).await;
    assert_eq!(stage(&mut support, made.id).await, Stage::Opened);

    let begun = owner.begin_relink(&token).await.location();
    assert_eq!(stage(&mut support, made.id).await, Stage::Away);
    world.consent(&mut owner, begun, "bob").await;
    assert_eq!(stage(&mut support, made.id).await, Stage::WrongAccount);
    let page = support.get(&format!("/relinks/{}", made.id)).await.text;
    assert!(page.contains("with another account") && page.contains("Sign out there"), "{page}");

    let begun = owner.begin_relink(&token).await.location();
    assert_eq!(stage(&mut support, made.id).await, Stage::Away, "a new try");
    let leaving = owner.get(&begun).await.location();
    owner.get(&world.sandbox.deny(&leaving).unwrap()).await;
    assert_eq!(stage(&mut support, made.id).await, Stage::Denied);

    follow(&world, &mut owner, &token, "alice").await;
    assert_eq!(stage(&mut support, made.id).await, Stage::Done);
    let list: RelinkList = support.call("relink/list", &[]).await.json();
    assert_eq!(list.page.items.len(), 1);
    assert_eq!(list.page.items[0].account.as_deref(), Some("alice@example.com"));
    world.pass(Duration::days(1));
    for (show, count) in [(RelinkShow::Recent, 0), (RelinkShow::All, 1)] {
        let all = app::relink::list_all(&world.app, &world.admin, show, &Paging::default()).await;
        assert_eq!(all.unwrap().items.len(), count, "{show:?}");
    }
}

#[sqlx::test]
async fn what_is_typed_elsewhere_is_seen_too(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead_by_code(&world).await;
    let made = handed(&mut support, id).await.made;
    let token = token_of(&made);
    let mut owner = world.browser();
    owner.begin_relink(&token).await;
    assert_eq!(stage(&mut support, made.id).await, Stage::Away);
    world.sandbox.deny_device(&super::code_of(&world, id).await);
    world.pass(Duration::seconds(5));
    device::run_due(&world.app, 10).await.unwrap();
    assert_eq!(stage(&mut support, made.id).await, Stage::Denied);
    owner.begin_relink(&token).await;
    typed(&world, &super::code_of(&world, id).await, "alice").await;
    assert_eq!(stage(&mut support, made.id).await, Stage::Done);
}

/// Whoever unticks a box is asked again, while nothing is lost by it.
#[sqlx::test]
async fn a_permission_that_is_missing_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let made = handed(&mut support, id).await.made;
    let token = token_of(&made);
    let mut owner = world.browser();
    let begun = owner.begin_relink(&token).await.location();
    let leaving = owner.get(&begun).await.location();
    let part = world.sandbox.consent_in_part(&leaving, "alice", |scope| scope != "api:read");
    let landed = owner.get(&part.unwrap()).await.location();
    assert_eq!(landed, format!("/relink/{token}?outcome=missing_scope"));
    assert!(owner.get(&landed).await.text.contains("A permission is missing"));
    assert_eq!(stage(&mut support, made.id).await, Stage::MissingScope);
    assert_eq!((world.generation(id).await, world.reason(id).await.is_some()), (1, true));
    follow(&world, &mut owner, &token, "alice").await;
    assert_eq!(stage(&mut support, made.id).await, Stage::Done);
}

/// The provider refuses the client: that is not whoever consented to mend, nor does it pass by itself.
#[sqlx::test]
async fn a_refused_client_is_told_as_ours_to_mend(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let made = handed(&mut support, id).await.made;
    let token = token_of(&made);
    let mut owner = world.browser();
    world.control().fail_next(Fault::InvalidClient, 1);
    let landed = follow(&world, &mut owner, &token, "alice").await;
    assert_eq!(landed, format!("/relink/{token}?outcome=client_refused"));
    let told = owner.get(&landed).await.text;
    assert!(
        told.contains("put right on our side first") && !told.contains("a few minutes"),
        "{told}"
    );
    assert_eq!(stage(&mut support, made.id).await, Stage::ClientRefused);
    let page = support.get(&format!("/relinks/{}", made.id)).await.text;
    assert!(page.contains("refused the client") && page.contains("replace the client"), "{page}");
    // The link lasts until that is done.
    follow(&world, &mut owner, &token, "alice").await;
    assert_eq!(stage(&mut support, made.id).await, Stage::Done);
}

/// What an import did not tell of is held against nobody.
#[sqlx::test]
async fn an_import_that_named_no_scopes_can_be_linked_again(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let silent = r#"{"access_token":"a0","refresh_token":"unheard-of","expires_in":600}"#;
    let id = world.import_text(client, silent.into()).await.unwrap().id;
    world.until_due(id).await;
    world.tick().await;
    assert!(world.reason(id).await.is_some());
    let mut support = world.sign_in(Role::Support).await;
    let made = handed(&mut support, id).await.made;
    let token = token_of(&made);
    let mut owner = world.browser();
    let begun = owner.begin_relink(&token).await.location();
    let leaving = owner.get(&begun).await.location();
    let part = world.sandbox.consent_in_part(&leaving, "alice", |scope| scope != "api:read");
    let landed = owner.get(&part.unwrap()).await.location();
    assert_eq!(landed, "/relink/outcome/done");
    assert_eq!(world.state(id).await, State::Active);
}

#[sqlx::test]
async fn a_link_is_called_off_also_for_whoever_is_on_the_way(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let first = handed(&mut support, id).await.made;
    let second = handed(&mut support, id).await.made;
    assert_eq!(stage(&mut support, first.id).await, Stage::Replaced);
    let token = token_of(&second);
    let mut owner = world.browser();
    let begun = owner.begin_relink(&token).await.location();
    let callback = world.consent_only(&mut owner, begun, "alice").await;
    support.call("relink/revoke", &[("id", &second.id.to_string())]).await;
    assert_eq!(stage(&mut support, second.id).await, Stage::Revoked);
    let landed = owner.get(&callback).await.location();
    assert_eq!(landed, format!("/relink/{token}?outcome=expired"));
    assert_eq!(world.generation(id).await, 1);
    assert!(owner.get(&second.url).await.text.contains("This link was called off"));
    let refused = support.call("relink/revoke", &[("id", &second.id.to_string())]).await.problem();
    assert_eq!(refused.code, Code::Conflict);
    assert_eq!(world.audit("relink.revoke").await.len(), 1);
}

/// What the browser's script listens to.
#[sqlx::test]
async fn a_page_hears_of_a_step_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    assert_eq!(world.browser().get("/live").await.status, 401);
    let mut ear = support.listen("").await;
    let listening = world.app.clone();
    let listener = tokio::spawn(async move { app::live::listen(&listening).await });
    // Once it listens it says that it may have missed something.
    assert!(ear.next().await.unwrap().contains("data: all"));
    let made = handed(&mut support, id).await.made;
    assert!(ear.next().await.unwrap().contains("data: relinks"));
    world.browser().get(&made.url).await;
    assert!(ear.next().await.unwrap().contains("data: relinks"));
    world.app.stopping().cancel();
    assert_eq!(ear.next().await, None);
    listener.abort();
}
