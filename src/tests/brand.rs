//! The brand: set by admins, seen by whoever opens a relink, and nothing but a picture and a colour.

use axum::http::Request;
use serde_json::json;
use sqlx::PgPool;

use crate::{
    domain::{
        access::{Role, Scope},
        brand::{Brand, LOGO_LIMIT},
    },
    tests::support::{Browser, PUBLIC_URL, Page, World},
};

/// The smallest there is.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

async fn send_logo(browser: &mut Browser, bytes: &[u8]) -> Page {
    let mut body = b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"logo.svg\"\r\ncontent-type: image/svg+xml\r\n\r\n".to_vec();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--b--\r\n");
    let request = Request::post("/upload/brand/logo")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "multipart/form-data; boundary=b");
    browser.send(request.body(body.into()).unwrap()).await
}

/// Without a script a refused picture leads back to the page, which says why.
#[sqlx::test]
async fn a_refused_picture_is_told_where_it_was_chosen(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let request = |bytes: usize, scripted: bool| {
        let mut body =
            b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
                .to_vec();
        body.resize(body.len() + bytes, b'x');
        body.extend_from_slice(b"\r\n--b--\r\n");
        let request = Request::post("/upload/brand/logo")
            .header("sec-fetch-site", "same-origin")
            .header("accept", "text/html,application/xhtml+xml")
            .header("referer", format!("{PUBLIC_URL}/settings?__done=%2Frpc%2Fbrand%2Fupdate"))
            .header("content-type", "multipart/form-data; boundary=b");
        let request = if scripted { request.header("x-sent-by", "script") } else { request };
        request.body(body.into()).unwrap()
    };
    for (bytes, why) in [(10, "The picture "), (LOGO_LIMIT + 10_000, "at most 100 KB")] {
        let refused = admin.send(request(bytes, false)).await;
        assert!(refused.status.is_redirection(), "{}: {}", refused.status, refused.text);
        let page = admin.get(&refused.location()).await;
        assert!(page.text.contains("Send the picture"), "{}", page.text);
        assert!(!page.text.contains("Saved."), "{}", page.text);
        let told = page.text.split("data-tone=\"ill\"").nth(1).expect("what was wrong");
        assert!(told.split("</p>").next().unwrap().contains(why), "{told}");
        let scripted = admin.send(request(bytes, true)).await;
        assert!(
            scripted.status.is_client_error() && scripted.text.contains(why),
            "{}",
            scripted.text
        );
    }
}

#[sqlx::test]
async fn the_page_behind_a_link_is_the_houses(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let page = world.browser().get("/relink/nonsense").await.text;
    assert!(page.contains("Regrant"), "{page}");
    assert_eq!(world.browser().get("/brand/style.css").await.text, "");
    let form = [("name", "Acme & Sons"), ("color", "#FFCC00"), ("contact", "help@acme.test")];
    admin.submit("brand/update", &form).await.location();
    let page = world.browser().get("/relink/nonsense").await.text;
    for part in ["Acme &amp; Sons", "mailto:help@acme.test", "/brand/style.css?v="] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let style = world.browser().get("/brand/style.css").await;
    assert_eq!(style.header("content-type"), "text/css");
    assert_eq!(style.text, ":root{--brand:#ffcc00;--brand-ink:#000000}");
    assert!(world.browser().get("/relink/outcome/done").await.text.contains("Acme"));
    assert!(!world.browser().get("/login").await.text.contains("Acme"), "the staff's is ours");

    for (field, value) in [
        ("color", "red;}body{display:none"),
        ("name", &*"x".repeat(81)),
        ("contact", "one\ntwo"),
        ("contact", "javascript:alert(1)"),
    ] {
        let mut form = vec![("name", "Acme")];
        form.retain(|(name, _)| *name != field);
        form.push((field, value));
        if field != "name" {
            assert!(form.iter().any(|(name, _)| *name == "name"));
        }
        let refused = admin.call("brand/update", &form).await.problem();
        assert!(refused.field(field).is_some(), "{field}: {refused:?}");
    }
    assert_eq!(world.audit("brand.update").await.len(), 1);
    // Whoever may not change it reads it all the same.
    let page = world.sign_in(Role::Auditor).await.get("/settings").await.text;
    for part in ["Acme &amp; Sons", "#ffcc00", "help@acme.test", "Only admins change"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("name=\"contact\""));
}

#[sqlx::test]
async fn a_logo_is_a_picture_and_served_as_one(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Role::Admin).await;
    assert_eq!(world.browser().get("/brand/logo").await.status, 404);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let html = b"<!doctype html><script>alert(1)</script>";
    let long = [PNG, &vec![0; LOGO_LIMIT]].concat();
    for (bytes, status) in [(&svg[..], 422), (html, 422), (b"", 422), (&long, 422)] {
        let refused = send_logo(&mut admin, bytes).await;
        assert!(refused.status == status || refused.status == 413, "{}", refused.text);
        assert!(refused.text.starts_with("The picture has to be"), "{}", refused.text);
    }
    assert_eq!(send_logo(&mut admin, PNG).await.location(), "/settings");
    let logo = world.browser().get("/brand/logo").await;
    assert_eq!(logo.header("content-type"), "image/png");
    assert_eq!(logo.header("x-content-type-options"), "nosniff");
    assert!(logo.header("content-security-policy").contains("default-src 'none'"));
    let page = world.browser().get("/relink/outcome/done").await.text;
    assert!(page.contains("src=\"/brand/logo?v=") && page.contains("alt=\"Regrant\""), "{page}");
    assert!(admin.get("/settings").await.text.contains("/brand/logo?v="));

    let mut support = world.sign_in(Role::Support).await;
    assert!(!send_logo(&mut support, PNG).await.status.is_redirection());
    assert_eq!(send_logo(&mut world.browser(), PNG).await.location(), "/login");
    admin.submit("brand/drop_logo", &[]).await.location();
    assert_eq!(world.browser().get("/brand/logo").await.status, 404);
    assert_eq!(world.audit("brand").await.len(), 2);
}

#[sqlx::test]
async fn programs_set_it_too(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let brand: Brand = admin.get("/brand").await.json();
    assert_eq!(brand, Brand::default());
    let new = json!({ "name": " Acme ", "color": "#0A141E", "contact": "" });
    let set: Brand = admin.put("/brand", &new).await.json();
    assert_eq!((set.name.as_str(), set.color.as_deref()), ("Acme", Some("#0a141e")));
    assert_eq!(set.contact, None);
    assert_eq!(admin.put("/brand", &json!({ "color": "blue" })).await.field(), "color");
    let logo = |bytes: &'static [u8]| {
        Request::put("/api/v1/brand/logo")
            .header("content-type", "image/png")
            .body(bytes.into())
            .unwrap()
    };
    assert_eq!(admin.send(logo(b"no picture")).await.field(), "logo");
    assert_eq!(admin.send(logo(PNG)).await.ok()["has_logo"], true);
    let kept: Brand = admin.put("/brand", &new).await.json();
    assert!(kept.has_logo);
    assert_eq!(admin.delete("/brand/logo").await.ok()["has_logo"], false);
}
