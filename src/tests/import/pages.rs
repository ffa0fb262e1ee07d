//! The page of a client's imports: sending a file, and seeing how far it is.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use futures::{StreamExt, stream};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Slow, row};
use crate::{
    domain::access::Role,
    tests::support::{PUBLIC_URL, World},
};

#[sqlx::test]
async fn people_send_a_file_from_a_page(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.CSV\"\r\n\r\n\
                external_id,access_token\n1,one-token\n2,\n\r\n--b--\r\n";
    let request = |trial: &str| {
        Request::post(format!("/upload/import/{client}{trial}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body))
            .unwrap()
    };
    let mut admin = world.sign_in(Role::Admin).await;
    let sent = admin.send(request("/trial")).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let page = admin.get(&sent.location()).await.text;
    assert!(page.contains("Dry run, nothing was stored: 1 of 2 rows would be imported"), "{page}");
    assert!(
        page.contains("choose “a.CSV” again") && page.contains("What has a problem is left out"),
        "{page}"
    );
    assert_eq!(world.count("SELECT count(*) FROM connections").await, 0);
    let sent = admin.send(request("")).await;
    let page = admin.get(&sent.location()).await.text;
    assert!(page.contains("1 row has a problem and was left out."), "{page}");
    assert!(
        page.contains("Done: 1 of 2 rows imported.") && !page.contains("Import it now"),
        "{page}"
    );
    assert!(!page.contains("one-token"));
    for role in [Role::Support, Role::Auditor] {
        let refused = world.sign_in(role).await.send(request("")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    let elsewhere = Request::post(format!("/upload/import/{client}"))
        .header("sec-fetch-site", "cross-site")
        .body(Body::empty())
        .unwrap();
    assert_eq!(admin.send(elsewhere).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.browser().send(request("")).await.location(), "/login");
}

/// A form that does not come to its file for ten megabytes, and how many pieces of it were read.
fn endless(client: Uuid) -> (Request<Body>, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let begin = b"--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n".to_vec();
    let pieces = stream::iter(0..10_000).then({
        let read = read.clone();
        move |n| {
            let piece = if n == 0 { begin.clone() } else { vec![b'x'; 1024] };
            read.fetch_add(1, Ordering::Relaxed);
            // It comes over a network, piece by piece.
            async move {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(piece)
            }
        }
    });
    let request = Request::post(format!("/upload/import/{client}"))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from_stream(pieces))
        .unwrap();
    (request, read)
}

/// Nobody keeps us reading who may not send a file, or sends none.
#[sqlx::test]
async fn nothing_is_read_of_what_is_not_taken(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let (request, read) = endless(client);
    assert_eq!(world.browser().send(request).await.location(), "/login");
    assert_eq!(read.load(Ordering::Relaxed), 0);
    let (request, read) = endless(client);
    let refused = world.sign_in(Role::Auditor).await.send(request).await;
    assert_eq!((refused.status, read.load(Ordering::Relaxed)), (StatusCode::FORBIDDEN, 0));
    let (request, read) = endless(client);
    let refused = world.sign_in(Role::Admin).await.send(request).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(read.load(Ordering::Relaxed) < 100, "its first field says that it is none of ours");
}

#[sqlx::test]
async fn a_page_moves_as_long_as_an_import_runs(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut browser = world.sign_in(Role::Auditor).await;
    let mut slow = Slow::begin(&world.app, client, Some(200_000));
    slow.send((0..700).map(row).collect::<String>());
    world.until_count("SELECT coalesce(max(imported), 0) FROM imports", 500).await;
    let list = format!("/clients/{client}/import");
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM imports").fetch_one(&world.pool).await.unwrap();
    let own = format!("{list}?run={id}");
    let reloads = "http-equiv=\"refresh\"";

    let page = browser.get(&own).await.text;
    let told = "% of the file read: 500 of 500 rows imported so far.";
    assert!(page.contains(told) && page.contains("<progress"), "{page}");
    assert!(page.contains("data-live=\"moving\"") && page.contains(reloads), "{page}");
    // Where somebody may be choosing a file, nothing is loaded anew over their head.
    let page = browser.get(&list).await.text;
    assert!(page.contains("data-live=\"moving\"") && !page.contains(reloads), "{page}");

    slow.finish().await;
    for address in [&own, &list] {
        let page = browser.get(address).await.text;
        assert!(page.contains("Done: 700 of 700 rows imported."), "{page}");
        assert!(!page.contains("data-live=\"moving\"") && !page.contains(reloads), "{page}");
        assert!(!page.contains("<progress"), "{page}");
    }
}

#[sqlx::test]
async fn an_import_is_reached_from_the_list_of_connections(pool: PgPool) {
    let world = World::new(pool).await;
    let one = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let to = |client: Uuid| format!("href=\"/clients/{client}/import\"");
    assert!(admin.get("/connections").await.text.contains(&to(one)), "the only client there is");
    let two = world.client("two", |_| {}).await;
    assert!(admin.get("/connections").await.text.contains("href=\"/connections/import\""));
    let chosen = admin.get(&format!("/connections?client={two}")).await.text;
    assert!(chosen.contains(&to(two)), "{chosen}");
    let page = admin.get("/connections/import").await.text;
    assert!(page.contains(&to(one)) && page.contains(&to(two)), "{page}");
    let mut support = world.sign_in(Role::Support).await;
    assert!(!support.get("/connections").await.text.contains("/import"));
}

/// Whoever tried a file and found it well has the way to import it before them. Which of the two it is, the path
/// says that the button sends it to: an older version that does not know it stores nothing.
#[sqlx::test]
async fn a_good_dry_run_leads_to_the_import_of_the_same_file(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let page = admin.get(&format!("/clients/{client}/import")).await.text;
    let upload = format!("/upload/import/{client}/trial");
    assert!(page.contains(&format!("formaction=\"{upload}\"")), "{page}");
    let request = Request::post(upload)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"ours.ndjson\"\r\n\r\n\
             {}\r\n--b--\r\n",
            row(1)
        )))
        .unwrap();
    let place = admin.send(request).await.location();
    let page = admin.get(&place).await.text;
    let form = page.split("class=\"form is-kept\"").nth(1).expect("a form").split("</form>").next();
    let form = form.unwrap_or_default();
    assert!(form.contains("Import it now") && !form.contains("trial"), "{form}");
    assert!(page.contains("choose “ours.ndjson” again"), "{page}");
    let mut auditor = world.sign_in(Role::Auditor).await;
    assert!(!auditor.get(&place).await.text.contains("Import it now"));
}

/// Without a script, whichever of the two buttons sent it.
#[sqlx::test]
async fn a_refused_file_is_told_where_it_was_chosen(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    for trial in ["", "/trial"] {
        let request = Request::post(format!("/upload/import/{client}{trial}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(header::REFERER, format!("{PUBLIC_URL}/clients/{client}/import"))
            .header("sec-fetch-site", "same-origin")
            .body(Body::from("--b--\r\n"))
            .unwrap();
        let refused = admin.send(request).await;
        assert!(refused.status.is_redirection(), "{}: {}", refused.status, refused.text);
        let page = admin.get(&refused.location()).await.text;
        let told = page.split("data-tone=\"ill\"").nth(1).expect("what was wrong");
        assert!(told.split("</p>").next().unwrap().contains("The form "), "{told}");
    }
}
