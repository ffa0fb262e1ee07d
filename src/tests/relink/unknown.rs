//! A link of a connection whose account nobody knows: whoever consents becomes it, and all are told.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{follow, token_of};
use crate::{
    domain::{
        access::{Role, Scope},
        connection::StateName,
        relink::CreatedRelink,
        voice,
    },
    server::app::connection::{self, NewConnection, TokenResponse},
    tests::support::{World, new_connection},
};

#[sqlx::test]
async fn whoever_consents_becomes_the_account_and_support_knows_it(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let response = json!({ "access_token": "a", "expires_in": 60, "refresh_token": "r" });
    let new = NewConnection { label: "Nobody's".into(), ..new_connection(client) };
    let response = TokenResponse::from_text(response.to_string(), None);
    let imported = connection::import_text(&world.app, &world.admin, new, response).await;
    let id = imported.unwrap().0.id;
    world.until_due(id).await;
    world.tick().await;
    assert_eq!(world.state(id).await.name(), StateName::NeedsReauth);

    let mut support = world.sign_in(Role::Support).await;
    for page in [format!("/connections/{id}"), "/relinks?q=nobody".into()] {
        let text = support.get(&page).await.text;
        assert!(text.contains(voice::UNKNOWN_ACCOUNT), "{page}: {text}");
    }
    let made = support.call("connection/relink", &[("id", &id.to_string())]).await;
    let relink: CreatedRelink = made.json();
    let watch = format!("/relinks/{}", relink.id);
    assert!(support.get(&watch).await.text.contains(voice::UNKNOWN_ACCOUNT));

    let program = world.program(&[Scope::ConnectionsRelink, Scope::ConnectionsRead]).await;
    let again = program.press(&format!("/connections/{id}/relink")).await.ok();
    assert_eq!(again.get("account"), Some(&Value::Null));
    let relink: CreatedRelink = serde_json::from_value(again).unwrap();
    let mut owner = world.browser();
    let page = owner.get(&relink.url).await.text;
    assert!(page.contains("sign in with at Service strict is the one that will be"), "{page}");
    let landed = follow(&world, &mut owner, &token_of(&relink), "carol").await;
    assert_eq!(landed, "/relink/outcome/done");

    let page = support.get(&format!("/relinks/{}", relink.id)).await.text;
    assert!(page.contains(", as carol@example.com."), "{page}");
    assert!(!page.contains(voice::UNKNOWN_ACCOUNT), "{page}");
    let told = program.get(&format!("/relinks/{}", relink.id)).await.ok();
    assert_eq!(told["account"], "carol@example.com");
}

/// Nothing else would bring it back, also where nobody has noticed yet that it is over.
#[sqlx::test]
async fn what_nothing_renews_is_relinked_by_whoever_consents(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id =
        world.import_text(client, json!({ "access_token": "a" }).to_string()).await.unwrap().id;
    let mut support = world.sign_in(Role::Support).await;
    let text = support.get(&format!("/connections/{id}")).await.text;
    assert!(text.contains(voice::UNKNOWN_ACCOUNT) && text.contains("Create a relink"), "{text}");
    let made = support.call("connection/relink", &[("id", &id.to_string())]).await;
    let relink: CreatedRelink = made.json();
    let token = token_of(&relink);
    let mut owner = world.browser();
    assert_eq!(follow(&world, &mut owner, &token, "carol").await, "/relink/outcome/done");
    let connection = world.connection(id).await;
    assert_eq!(connection.account(), Some("carol@example.com"));
    assert!(connection.renews());
    // What renewals keep alive stays with whom it is, though nobody knows who that is.
    let alive = world.import(client).await;
    world.execute("UPDATE connections SET account_id = NULL, account_label = NULL").await;
    let program = world.program(&[Scope::ConnectionsRelink]).await;
    let refused = program.press(&format!("/connections/{alive}/relink")).await.refusal();
    assert_eq!(refused.0, 409);
}

#[sqlx::test]
async fn an_account_that_is_known_needs_no_warning(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = super::dead(&world).await;
    let page = support.get(&format!("/connections/{id}")).await.text;
    assert!(page.contains("Create a relink") && !page.contains(voice::UNKNOWN_ACCOUNT), "{page}");
}

/// Whoever may make links, and read no connections, is told no more of the account than the link tells.
#[sqlx::test]
async fn the_account_is_masked_for_a_key_that_reads_no_connections(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, _) = super::dead(&world).await;
    for (scopes, account) in [
        (&[Scope::ConnectionsRelink][..], "a…@example.com"),
        (&[Scope::ConnectionsRelink, Scope::ConnectionsRead][..], "alice@example.com"),
    ] {
        let program = world.program(scopes).await;
        let made = program.press(&format!("/connections/{id}/relink")).await.ok();
        assert_eq!(made["account"], account);
    }
}

/// Consent that staff give themselves is as dangerous as a link.
#[sqlx::test]
async fn whoever_authorizes_again_is_warned_and_told_as_whom(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let id = world.import(client).await;
    let warning = "Authorize it again only as its owner, and look afterwards who it was.";
    let page = format!("/connections/{id}");
    let mut admin = world.sign_in(Role::Admin).await;
    assert!(!admin.get(&page).await.text.contains(warning), "alice is known");
    world.execute("UPDATE connections SET account_id = NULL, account_label = NULL").await;
    let text = admin.get(&page).await.text;
    assert!(text.contains("No relink can be made.") && text.contains(warning), "{text}");
    let mut support = world.sign_in(Role::Support).await;
    assert!(!support.get(&page).await.text.contains(warning), "support can't");

    let begun = admin.call("connection/reauthorize", &[("id", &id.to_string())]).await;
    let landed = world.consent(&mut admin, begun.location(), "bob").await;
    let text = admin.get(&landed).await.text;
    assert!(text.contains(&voice::connected(Some("bob@example.com"))), "{text}");
    assert!(!text.contains(warning), "{text}");

    // Where a link is possible too, both are said.
    world.execute("UPDATE connections SET account_id = NULL, account_label = NULL, state = 'needs_reauth', reason = 'revoked'").await;
    let text = admin.get(&page).await.text;
    assert!(text.contains(voice::UNKNOWN_ACCOUNT), "{text}");
    assert!(text.contains("So it is with consent that you give yourself"), "{text}");
}
