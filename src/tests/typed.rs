//! What was typed into a form that failed, for a browser without a script.

use std::collections::BTreeSet;

use axum::http::{Request, header};
use sqlx::PgPool;

use super::support::{Browser, Page, World, form_of};
use crate::{
    domain::{
        access::Role,
        client::ClientPatch,
        job::{Action, NewJob},
    },
    server::{
        app,
        http::{router::page_paths, typed::may_be_kept},
    },
};

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

/// It has no session, so the browser remembers the address for a moment, and nothing else.
#[sqlx::test]
async fn whoever_mistypes_a_password_finds_the_address_again(pool: PgPool) {
    let world = World::new(pool).await;
    let mut stranger = world.browser();
    let from = format!("{}/login", world.app.public_url().as_str().trim_end_matches('/'));
    let sent = async |browser: &mut Browser, email: &str| {
        let request = Request::post("/rpc/session/login")
            .header("sec-fetch-site", "same-origin")
            .header(header::REFERER, from.clone())
            .header(header::ACCEPT, "text/html");
        let sent = [("email", email), ("password", "planted-and-not-shown")];
        let refused = browser.send(form_of(request, &sent)).await.location();
        let shown = browser.get(&refused).await;
        assert!(!refused.contains("planted-and") && !shown.text.contains("planted-and"));
        (refused, shown)
    };
    let (refused, shown) = sent(&mut stranger, "ruth+regrant@example.test").await;
    assert_eq!(field(&shown, "email"), "ruth+regrant@example.test");
    assert!(stranger.set_cookie.clone().unwrap().contains("HttpOnly"));
    assert!(stranger.cookies.is_empty(), "{:?}", stranger.cookies);
    assert_eq!(field(&stranger.get(&refused).await, "email"), "", "shown once");
    // A password may stand in the wrong place.
    for password in ["ruth keeps the keys 1", "P@ssw0rd2026", "two@signs@example.test"] {
        let (_, shown) = sent(&mut stranger, password).await;
        assert_eq!(field(&shown, "email"), "", "{password}");
    }
    assert!(stranger.cookies.is_empty(), "{:?}", stranger.cookies);
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

/// Where each page is found, so that all its forms are on it.
fn places(path: &str, ids: &[(&str, String)]) -> Vec<String> {
    let id = ids.iter().find(|(of, _)| path.contains(of)).map_or("nothing", |(_, id)| id.as_str());
    let filled = path
        .replace("{id}", id)
        .replace("{slug}", "strict")
        .replace("{kind}", "done")
        .replace("{token}", "nonsense");
    let client = &ids[0].1;
    match path {
        "/clients/new" => vec![format!("{path}?provider=cronofy")],
        "/connections" => vec![format!("{path}?state=active")],
        "/connections/new" | "/connections/import" => vec![format!("{path}?client={client}")],
        "/jobs/new" => {
            Action::ALL.map(|action| format!("{path}?of=all&action={}", action.as_str())).into()
        }
        _ => vec![filled],
    }
}

/// Whoever adds a field says here that it holds a secret, or lets it be kept.
#[sqlx::test]
async fn each_field_is_kept_or_holds_a_secret(pool: PgPool) {
    const SECRET: &[&str] = &[
        "body",
        "client_secret",
        "current",
        "new",
        "own",
        "password",
        "subject_token",
        "token_response",
    ];
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let connection = world.import(client).await;
    let user = world.person_named("somebody", Role::Support).await;
    let new = NewJob { ids: Some(vec![connection]), ..NewJob::of(Action::Pause) };
    let job = app::job::create(&world.app, &world.admin, &new).await.expect("a job").id;
    world.execute("UPDATE connections SET account_id = 'acc_1', account_label = 'alice'").await;
    let relink = app::relink::create(&world.app, &world.admin, connection).await.unwrap().id;
    let ids = [
        ("/clients/", client),
        ("/connections/", connection),
        ("/jobs/", job),
        ("/relinks/", relink),
        ("/users/", user),
    ]
    .map(|(of, id)| (of, id.to_string()));
    let mut admin = world.sign_in(Role::Admin).await;
    let mut fields = BTreeSet::new();
    for path in page_paths() {
        for place in places(&path, &ids) {
            let page = admin.get(&place).await;
            let gone = ["/relink/{token}", "/setup/{token}"].contains(&&*path);
            assert!(!page.status.is_client_error() || gone, "{place}: {}", page.status);
            fields.extend(written(&page));
        }
    }
    for known in [
        "client_scopes",
        "client_secret",
        "color",
        "contact",
        "label",
        "name",
        "own",
        "revoke",
        "tag",
    ] {
        assert!(fields.contains(known), "{known} in {fields:?}");
    }
    for field in fields {
        assert_ne!(may_be_kept(&field), SECRET.contains(&&*field), "{field}");
    }
}

/// A box that was ticked, or was not, stays so.
#[sqlx::test]
async fn a_form_that_failed_turns_no_box_over(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    world.connect(&mut admin, client, "alice").await;
    let more = ["openid", "email", "api:read", "api:write", "offline_access"].map(str::to_owned);
    let patch = ClientPatch { scopes: Some(more.to_vec()), ..ClientPatch::default() };
    app::client::update(&world.app, &world.admin, client, patch, None).await.expect("more scopes");
    let long = "n".repeat(61);
    // Where scopes are missing it is ticked to begin with.
    for (filter, ticked) in [("&drift=true", true), ("&drift=true", false), ("", true), ("", false)]
    {
        let place = format!("/jobs/new?action=relink&of=all{filter}");
        let mut form = vec![("filter", "{}"), ("name", &*long)];
        form.extend(ticked.then_some(("client_scopes", "true")));
        let refused = admin.submit_on(&place, "campaign/create", &form).await;
        let page = admin.get(&refused.location()).await;
        assert_eq!(field(&page, "name"), long);
        let tag =
            page.text.split("name=\"client_scopes\"").nth(1).unwrap().split('>').next().unwrap();
        assert_eq!(tag.contains("checked"), ticked, "{tag}");
    }
    let sent = [("name", "Ours"), ("color", "red"), ("contact", "help@ours.test")];
    let refused = admin.submit_on("/settings", "brand/update", &sent).await;
    let page = admin.get(&refused.location()).await;
    assert_eq!((&*field(&page, "color"), &*field(&page, "contact")), ("red", "help@ours.test"));
}
