//! The page behind a link: in its reader's language, and told to nobody else.

use axum::{body::Body, http::Request};
use sqlx::PgPool;
use time::Duration;

use super::{dead, follow, made, token_of};
use crate::{
    domain::problem::Obstacle,
    server::app,
    tests::support::{Page, World},
};

async fn read(world: &World, address: &str, language: &str) -> Page {
    let path = address.strip_prefix("http://127.0.0.1:3000").unwrap_or(address);
    let request =
        Request::get(path).header("accept-language", language).header("accept", "text/html");
    world.browser().send(request.body(Body::empty()).unwrap()).await
}

#[sqlx::test]
async fn it_speaks_its_readers_language(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let url = made(&mut support, id).await.url;
    for (address, accepted, tag, words) in [
        (url.clone(), "de-CH,de;q=0.9,en;q=0.5", "de", "Weiter zu Service strict"),
        (url.clone(), "fr", "en", "Continue to Service strict"),
        (format!("{url}?lang=de"), "en", "de", "Verwenden Sie dieses Konto"),
        ("/relink/outcome/done".into(), "de", "de", "Es hat geklappt"),
        ("/relink/nonsense".into(), "de", "de", "nicht bekannt"),
    ] {
        let page = read(&world, &address, accepted).await;
        assert!(page.text.contains(&format!("<html lang=\"{tag}\"")), "{}", page.text);
        assert!(page.text.contains(words), "{words} in {}", page.text);
    }
    // The staff read English.
    assert!(read(&world, "/login", "de").await.text.contains("<html lang=\"en\""));
}

#[sqlx::test]
async fn its_address_is_told_to_nobody(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let relink = made(&mut support, id).await;
    let token = token_of(&relink);
    let mut owner = world.browser();
    let page = owner.get(&relink.url).await;
    let begun = owner.begin_relink(&token).await;
    for page in [&page, &begun, &owner.get("/relink/outcome/denied").await] {
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("x-robots-tag").contains("noindex"));
        assert_eq!(page.header("x-frame-options"), "DENY");
    }
    assert!(page.text.contains("name=\"referrer\" content=\"no-referrer\""), "{}", page.text);
    let kept = owner.cookies.get("regrant-relink");
    assert_eq!(kept, Some(&token), "by which the visitor finds back");
}

/// The way back is shown only to the browser that left by that very link.
#[sqlx::test]
async fn another_links_visitor_is_not_sent_to_this_one(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    let begun = owner.begin_relink(&token).await.location();
    owner.cookies.insert("regrant-relink".into(), "of-another".into());
    let landed = world.consent(&mut owner, begun, "bob").await;
    assert_eq!(landed, "/relink/outcome/wrong_account");
    assert_eq!(follow(&world, &mut owner, &token, "alice").await, "/relink/outcome/done");
}

/// Whoever holds a link can't fill our tables by pressing its button.
#[sqlx::test]
async fn a_link_is_begun_so_often_and_no_more(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    for _ in 0..30 {
        assert!(owner.begin_relink(&token).await.location().contains("/oauth/start/"));
    }
    let refused = app::relink::begin(&world.app, &token).await.unwrap_err();
    let app::Error::Conflict(conflict) = refused else { panic!("{refused}") };
    assert_eq!(conflict.obstacle, Obstacle::LimitReached);
    assert!(conflict.why.contains("half an hour"), "{}", conflict.why);
    let back = owner.begin_relink(&token).await.location();
    assert!(back.starts_with(&format!("/relink/{token}")), "{back}");
    assert_eq!(world.count("SELECT count(*) FROM flows").await, 30);
    // What was opened before is over by then.
    world.pass(Duration::minutes(31));
    assert_eq!(follow(&world, &mut owner, &token, "alice").await, "/relink/outcome/done");
}

/// The language that was chosen goes along to the provider and back.
#[sqlx::test]
async fn the_chosen_language_lasts_to_the_end(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    let page = owner.get(&format!("/relink/{token}?lang=de")).await.text;
    let action = format!("/relink/{token}/begin?lang=de");
    assert!(page.contains(&action), "{page}");
    let begin = Request::post(&action).header("sec-fetch-site", "same-origin");
    let begun = owner.send(begin.body(Body::empty()).unwrap()).await.location();
    let landed = world.consent(&mut owner, begun, "bob").await;
    assert_eq!(landed, format!("/relink/{token}?outcome=wrong_account"));
    let page = owner.get(&landed).await.text;
    assert!(page.contains("Das war ein anderes Konto"), "{page}");
    assert!(page.contains("Mit dem richtigen Konto noch einmal"), "{page}");
    let begun = owner.send(Request::post(&action).body(Body::empty()).unwrap()).await.location();
    let landed = world.consent(&mut owner, begun, "alice").await;
    let page = owner.get(&landed).await.text;
    assert!(page.contains("Es hat geklappt"), "{page}");
    assert!(page.contains("/relink/outcome/done?lang=en"), "a way to the other language: {page}");
    assert!(owner.get("/relink/outcome/done?lang=en").await.text.contains("It worked"));
}

/// Only whoever came with another account is told to take the right one.
#[sqlx::test]
async fn what_failed_is_not_laid_to_the_account(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let token = token_of(&made(&mut support, id).await);
    let mut owner = world.browser();
    for (outcome, right) in [("wrong_account", true), ("denied", false), ("failed", false)] {
        let page = owner.get(&format!("/relink/{token}?outcome={outcome}")).await.text;
        assert_eq!(page.contains("with the right account"), right, "{outcome}: {page}");
        assert!(page.contains("Try again"), "{page}");
    }
}

#[sqlx::test]
async fn what_was_called_off_is_not_said_to_be_too_old(pool: PgPool) {
    let world = World::new(pool).await;
    let (id, mut support) = dead(&world).await;
    let first = made(&mut support, id).await;
    let second = made(&mut support, id).await;
    let off = support.call("relink/revoke", &[("id", &second.id.to_string())]).await;
    assert_eq!(off.status, 200);
    let mut owner = world.browser();
    for (relink, words) in [(first, "There is a newer link"), (second, "was called off")] {
        let page = owner.get(&relink.url).await.text;
        assert!(page.contains(words), "{page}");
        assert!(!page.contains("expired"), "{page}");
    }
}
