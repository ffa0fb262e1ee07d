//! What was typed into a form that failed, for a browser without a script.

use std::collections::BTreeSet;

use axum::http::{Request, header};
use sqlx::PgPool;

use super::support::{Page, World, form_of};
use crate::{domain::access::Role, server::http::typed::may_be_kept};

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

/// The fields in which a person writes or chooses, in forms that send them to a function of ours.
fn written(page: &Page) -> BTreeSet<String> {
    let forms = page.text.split("<form").skip(1).map(|form| form.split("</form").next().unwrap());
    let ours = forms.filter(|form| form.split('>').next().unwrap().contains("action=\"/rpc/"));
    let tags = ours.flat_map(|form| form.split('<').skip(1));
    let controls = tags.map(|tag| tag.split('>').next().unwrap()).filter(|tag| {
        let kind = tag.split(' ').next().unwrap();
        ["input", "textarea", "select"].contains(&kind) && !tag.contains("type=\"hidden\"")
    });
    let name = |tag: &str| tag.split_once(" name=\"")?.1.split('"').next().map(str::to_owned);
    controls.filter_map(name).collect()
}

/// Whoever adds a field says here that it holds a secret, or lets it be kept.
#[sqlx::test]
async fn each_field_is_kept_or_holds_a_secret(pool: PgPool) {
    const SECRET: &[&str] =
        &["body", "client_secret", "current", "new", "password", "subject_token", "token_response"];
    /// Boxes that are ticked to confirm what can't be undone are ticked anew.
    const ANEW: &[&str] = &["revoke"];
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let connection = world.import(client).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let mut fields = BTreeSet::new();
    for path in [
        "/api-keys".into(),
        format!("/clients/{client}"),
        format!("/clients/{client}/dry-run"),
        "/clients/new?provider=cronofy".into(),
        format!("/connections/{connection}"),
        format!("/connections/import?client={client}"),
        format!("/connections/new?client={client}"),
        "/profile".into(),
        "/providers/new".into(),
        "/users".into(),
    ] {
        let page = admin.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        fields.extend(written(&page));
    }
    assert!(fields.contains("client_secret") && fields.contains("label"), "{fields:?}");
    for field in fields {
        let secret = SECRET.contains(&&*field) || ANEW.contains(&&*field);
        assert_ne!(may_be_kept(&field), secret, "{field}");
    }
}
