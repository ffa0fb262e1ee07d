//! The pages: who sees them, and what every one of them carries.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use sqlx::PgPool;

use crate::{
    domain::{
        access::Role::{self, Admin, Auditor, Support},
        job::{Action, NewJob},
    },
    server::{app, http::router::page_paths},
    tests::support::{Page, World},
};

/// Who sees a page besides an admin.
enum Seen {
    ByAnyone,
    By(&'static [Role]),
    /// The others are told that it is for admins, in place of its form.
    ByAdmins,
}
use Seen::{By, ByAdmins, ByAnyone};

const STAFF: Seen = By(&[Auditor, Support]);

fn table() -> BTreeMap<&'static str, Seen> {
    BTreeMap::from([
        ("/", STAFF),
        ("/api-keys", By(&[Auditor])),
        ("/audit", By(&[Auditor])),
        ("/clients", STAFF),
        ("/clients/new", ByAdmins),
        ("/clients/{id}", STAFF),
        ("/clients/{id}/import", STAFF),
        ("/clients/{id}/dry-run", By(&[])),
        ("/connections", STAFF),
        ("/connections/import", ByAdmins),
        ("/connections/new", ByAdmins),
        ("/connections/{id}", STAFF),
        ("/connections/{id}/token", By(&[])),
        ("/jobs", STAFF),
        ("/jobs/new", STAFF),
        ("/jobs/{id}", STAFF),
        ("/login", ByAnyone),
        ("/profile", STAFF),
        ("/providers", STAFF),
        ("/providers/new", ByAdmins),
        ("/providers/{slug}", STAFF),
        ("/providers/{slug}/edit", ByAdmins),
        ("/relink/outcome/{kind}", ByAnyone),
        ("/relink/{token}", ByAnyone),
        ("/relinks", STAFF),
        ("/relinks/many", STAFF),
        ("/relinks/{id}", STAFF),
        ("/settings", ByAdmins),
        ("/setup/{token}", ByAnyone),
        ("/users", By(&[Auditor])),
        ("/users/{id}/password", By(&[Auditor])),
    ])
}

#[tokio::test]
async fn every_page_has_its_row() {
    let mut paths = page_paths();
    paths.sort();
    paths.dedup();
    assert_eq!(paths, table().into_keys().collect::<Vec<_>>());
}

fn check_headers(path: &str, page: &Page) {
    let policy = page.header("content-security-policy");
    for wanted in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(wanted), "{path}: {policy}");
    }
    for loose in ["'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"] {
        assert!(!policy.contains(loose), "{path}: {policy}");
    }
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
    assert_ne!(page.header("referrer-policy"), "", "{path}");
    assert_ne!(page.header("x-request-id"), "", "{path}");
    // Every script of the page has the nonce of its policy, and nothing else makes a script run.
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    for script in page.text.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap_or_default();
        let nonce = nonce.unwrap_or_else(|| panic!("{path}: a script without a nonce"));
        assert!(tag.contains(&format!("nonce=\"{nonce}\"")), "{path}: <script{tag}>");
    }
    for handler in [" onclick=", " onload=", " onerror=", "javascript:", " style=\""] {
        assert!(!page.text.contains(handler), "{path}: {handler}");
    }
}

#[sqlx::test]
async fn each_page_is_shown_to_whom_its_row_says(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let connection = world.import(client).await;
    let new = NewJob { ids: Some(vec![connection]), ..NewJob::of(Action::Pause) };
    let job = app::job::create(&world.app, &world.admin, &new).await.expect("a job").id;
    world.execute("UPDATE connections SET account_id = 'acc_1', account_label = 'alice'").await;
    let relink = app::relink::create(&world.app, &world.admin, connection).await.unwrap().id;
    let user = world.person_named("somebody", Support).await;
    let filled = |path: &str| {
        let id = match path {
            "/relinks/{id}" => relink,
            _ if path.contains("/users") => user,
            _ if path.contains("/jobs") => job,
            _ if path.contains("/clients") => client,
            _ => connection,
        };
        path.replace("{id}", &id.to_string())
            .replace("{slug}", "strict")
            .replace("{kind}", "done")
            .replace("{token}", "nonsense")
    };
    for role in [None, Some(Auditor), Some(Support), Some(Admin)] {
        let mut browser = match role {
            Some(role) => world.sign_in(role).await,
            None => world.browser(),
        };
        let mut nonces = Vec::new();
        for (path, seen) in table() {
            let page = browser.get(&filled(path)).await;
            check_headers(path, &page);
            nonces.extend(
                page.header("content-security-policy").split("'nonce-").nth(1).map(str::to_owned),
            );
            match (seen, role) {
                (ByAnyone, _) | (By(_) | ByAdmins, Some(Admin)) => {
                    let nonsense = path.contains("{token}");
                    assert!(page.status == 200 || nonsense, "{path} as {role:?}: {}", page.status);
                    assert!(!page.text.contains("Only admins"), "{path}");
                }
                (By(_) | ByAdmins, None) => {
                    assert_eq!(page.status, StatusCode::FOUND, "{path}");
                    assert!(page.location().starts_with("/login"), "{path}");
                    for told in ["alice", "Client one", "strict"] {
                        assert!(!page.text.contains(told), "{path} tells {told}");
                    }
                }
                (By(roles), Some(role)) => {
                    let wanted = if roles.contains(&role) { 200 } else { 403 };
                    assert_eq!(page.status.as_u16(), wanted, "{path} as {role}");
                }
                (ByAdmins, Some(role)) => {
                    assert!(page.text.contains("Only admins"), "{path} as {role}");
                    for form in ["client/create", "connection/", "provider/"] {
                        let action = format!("/rpc/{form}");
                        assert!(!page.text.contains(&action), "{path} as {role}: {action}");
                    }
                }
            }
        }
        let count = nonces.len();
        nonces.sort();
        nonces.dedup();
        assert_eq!(nonces.len(), count, "no nonce comes twice");
    }
}

/// What else is served: health, metrics and files, to anyone; an unknown address, to nobody.
#[sqlx::test]
async fn what_else_there_is(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.browser();
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/nothing", 404),
        ("/rpc/nothing", 404),
        ("/connections/../etc/passwd", 404),
        ("/.env", 404),
    ] {
        assert_eq!(browser.get(path).await.status.as_u16(), status, "{path}");
    }
    world.app.stopping().cancel();
    assert_eq!(browser.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.get("/healthz").await.status, StatusCode::OK);
}

#[sqlx::test]
async fn pages_are_small_on_their_way(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let whole = admin.get("/connections").await;
    assert_eq!(whole.header("content-encoding"), "", "nobody asked for it");
    let ask = |path| {
        let request = Request::get(path)
            .header("sec-fetch-site", "none")
            .header(header::ACCEPT, "text/html")
            .header(header::ACCEPT_ENCODING, "gzip, br");
        request.body(Body::empty()).unwrap()
    };
    let page = admin.send(ask("/connections")).await;
    assert_eq!(page.header("content-encoding"), "br");
    assert!(page.header("vary").contains("accept-encoding"), "{:?}", page.headers);
    assert!(page.text.len() < whole.text.len(), "{} of {}", page.text.len(), whole.text.len());
    let file = admin.send(ask("/download/audit.csv")).await;
    assert_eq!(file.header("content-encoding"), "", "a file may hold links");
}
