//! What was typed into a form that failed, for a browser without a script.

use axum::http::{Request, header};
use sqlx::PgPool;

use super::support::{Page, World, form_of};
use crate::domain::access::Role;

fn field(page: &Page, name: &str) -> String {
    let at = page.text.find(&format!(" name=\"{name}\""));
    let at = at.unwrap_or_else(|| panic!("no {name} in {}", page.text));
    let tag = page.text[at..].split('>').next().unwrap();
    let value = tag.split_once(" value=\"").and_then(|(_, rest)| rest.split('"').next());
    value.unwrap_or_default().to_owned()
}

#[sqlx::test]
async fn a_form_that_failed_shows_what_was_typed_but_no_secret(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let page = "/clients/new?provider=cronofy";
    let sent = [
        ("provider", "cronofy"),
        ("name", "A name of \"ours\""),
        ("oauth_client_id", "an-id"),
        ("client_secret", "planted-and-not-shown"),
        ("variables[data_center]", "nowhere"),
        ("scopes", "read_events, write"),
    ];
    let request = |scripted: bool| {
        let from = format!("{}{}", world.app.public_url().as_str().trim_end_matches('/'), page);
        let request = Request::post("/rpc/client/create")
            .header("sec-fetch-site", "same-origin")
            .header(header::REFERER, from)
            .header(header::ACCEPT, "text/html");
        let request = if scripted { request.header("x-sent-by", "script") } else { request };
        form_of(request, &sent)
    };
    let refused = admin.send(request(false)).await;
    assert!(!refused.location().contains("an-id"), "{}", refused.location());
    let shown = admin.get(&refused.location()).await;
    assert_eq!(field(&shown, "name"), "A name of &quot;ours&quot;");
    assert_eq!(field(&shown, "oauth_client_id"), "an-id");
    assert_eq!(field(&shown, "scopes"), "read_events, write");
    assert_eq!(field(&shown, "client_secret"), "");
    assert!(shown.text.contains("separated by blanks"), "{}", shown.text);
    assert!(!shown.text.contains("planted-and"));
    let again = admin.get(&refused.location()).await;
    assert_eq!(field(&again, "oauth_client_id"), "", "shown once");

    let elsewhere = admin.send(request(false)).await;
    admin.get("/connections").await;
    let mut other = world.sign_in(Role::Support).await;
    assert!(!other.get(&elsewhere.location()).await.text.contains("an-id"));
    let plain = admin.get(page).await;
    assert_eq!(field(&plain, "oauth_client_id"), "", "nothing failed on this page");
}

#[sqlx::test]
async fn what_our_script_keeps_is_not_kept_twice(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let from = format!("{}/users", world.app.public_url().as_str().trim_end_matches('/'));
    let sent = [("email", "no address"), ("role", "auditor"), ("password", "short")];
    let request = |scripted: bool| {
        let request = Request::post("/rpc/user/create")
            .header("sec-fetch-site", "same-origin")
            .header(header::REFERER, from.clone())
            .header(header::ACCEPT, "text/html");
        let request = if scripted { request.header("x-sent-by", "script") } else { request };
        form_of(request, &sent)
    };
    let refused = admin.send(request(true)).await;
    let shown = admin.get(refused.header("x-go-to")).await;
    assert_eq!(field(&shown, "email"), "");
    let refused = admin.send(request(false)).await;
    let shown = admin.get(&refused.location()).await;
    assert_eq!(field(&shown, "email"), "no address");
    assert!(shown.text.contains("<option value=\"auditor\" selected"), "{}", shown.text);
}
