//! While a client is refused, consent could not be redeemed: no link is made, and one that was made says
//! so before anybody consents.

use sqlx::PgPool;
use uuid::Uuid;

use super::{dead, invited, made, token_of};
use crate::{
    domain::{
        access::{Role, Scope},
        job::{Action, NewJob},
        problem::Code,
        relink::Invitation,
    },
    sandbox::Realm,
    server::app,
    tests::support::{PASSWORD, World},
};

/// The provider takes the client's secret no longer.
async fn refuse(world: &World, client: Uuid) {
    let other = world.import_of(client, "bob").await;
    world.sandbox.replace_secret(Realm::Standard, "one", "another-secret");
    app::connection::refresh(&world.app, &world.admin, other).await.expect("an attempt");
}

#[sqlx::test]
async fn no_link_is_made_that_could_not_work(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let sent = made(&mut support, id).await;
    let token = token_of(&sent);
    let client = world.connection(id).await.client_id;
    refuse(&world, client).await;

    let refused = support.call("relink/create", &[("id", &id.to_string())]).await;
    assert_eq!(refused.problem().code, Code::Conflict);
    let program = world.program(&[Scope::ConnectionsRelink]).await;
    let page = program.press(&format!("/connections/{id}/relink")).await;
    assert_eq!(page.refusal(), (409, "conflict".into()));
    assert_eq!(page.json::<serde_json::Value>()["reason"], "client_refused");
    let desk = support.get("/relinks?q=alice").await.text;
    assert!(!desk.contains("Create a link"), "{desk}");
    assert!(desk.contains("so no link would work"), "{desk}");
    let job = NewJob { ids: Some(vec![id]), ..NewJob::of(Action::Relink) };
    let selection = app::job::preview(&world.app, &world.admin, &job).await.expect("a selection");
    assert_eq!(selection.refused, ["Client one"]);

    // The one that was sent before says so, too, and leads nobody to a consent in vain.
    let mut owner = world.browser();
    assert_eq!(invited(&mut owner, &token).await, Invitation::NotNow);
    let page = owner.get(&format!("/relink/{token}")).await.text;
    assert!(page.contains("Not just now") && !page.contains("/begin"), "{page}");
    let begun = owner.begin_relink(&token).await.location();
    assert_eq!(begun, format!("/relink/{token}?outcome=failed"));
    let watched = support.get(&format!("/relinks/{}", sent.id)).await.text;
    assert!(watched.contains("an admin has to replace its secret"), "{watched}");

    // Once the secret is mended it works.
    let mut admin = world.browser();
    admin.sign_in(Role::Admin.as_str(), PASSWORD).await;
    let form = [("id", &*client.to_string()), ("client_secret", "another-secret")];
    assert_eq!(admin.call("client/replace_secret", &form).await.status, 200);
    assert!(matches!(invited(&mut owner, &token).await, Invitation::Open { .. }));
}

/// Support is told why, and who can help.
#[sqlx::test]
async fn what_no_link_brings_back_is_found_with_a_reason(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    app::connection::disconnect(&world.app, &world.admin, id, false).await.unwrap();
    let desk = support.get("/relinks?q=alice").await.text;
    assert!(desk.contains("no link brings it back"), "{desk}");
    assert!(!desk.contains("Connect anew"), "{desk}");
    let mut admin = world.browser();
    admin.sign_in(Role::Admin.as_str(), PASSWORD).await;
    assert!(admin.get("/relinks?q=alice").await.text.contains("Connect anew"));
}
