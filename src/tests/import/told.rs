//! What is to be known of an import before it is too late, and the way to what it brought.

use serde_json::{Value, json};
use sqlx::PgPool;
use time::{Duration, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::{line, send};
use crate::{
    domain::{
        access::{Role, Scope},
        provider::{AccountSource, IdentityOrigin},
    },
    tests::support::{Browser, World},
};

const NDJSON: &str = "application/x-ndjson";

/// The page of an import, as it is read.
async fn page(admin: &mut Browser, client: Uuid, done: &Value) -> String {
    let run = done["id"].as_str().unwrap();
    let address = format!("/clients/{client}/import?run={run}");
    let page = admin.get(&address).await.text;
    page.replace("&#x27;", "'").replace("&quot;", "\"")
}

/// They are known by their ends before anybody has to look for them.
#[sqlx::test]
async fn what_nothing_renews_and_ends_is_told_with_its_ends(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let file = [
        line("1", &json!({ "access_token": "a", "expires_in": 7200 })),
        line("2", &json!({ "access_token": "b", "expires_in": 90 })),
        line("3", &json!({ "access_token": "c", "expires_in": 60, "refresh_token": "r" })),
        line("4", &json!({ "access_token": "d" })),
    ]
    .concat();
    let at = |ahead: i64| {
        let at = world.now() + Duration::seconds(ahead);
        (at.format(&Rfc3339).unwrap(), crate::domain::voice::exact(at))
    };
    let ((first_at, first), (last_at, last)) = (at(90), at(7200));
    let mut admin = world.sign_in(Role::Admin).await;
    for query in ["?dry_run=true", ""] {
        let done = send(&program, client, query, NDJSON, file.clone()).await.ok();
        assert_eq!((&done["ending"], &done["without_end"]), (&json!(2), &json!(1)), "{done}");
        let ends = (&done["first_end_at"], &done["last_end_at"]);
        assert_eq!(ends, (&json!(first_at), &json!(last_at)), "{done}");
        let page = page(&mut admin, client, &done).await;
        let said = format!("the first by {first}, the last by {last}.");
        assert!(
            page.contains("2 of them bring no refresh token") && page.contains(&said),
            "{page}"
        );
    }
    let again = send(&program, client, "", NDJSON, file).await.ok();
    assert_eq!((&again["ending"], &again["first_end_at"]), (&json!(0), &Value::Null), "{again}");
}

/// Who wrote a file is not believed to know whose a token is; but they learn it.
#[sqlx::test]
async fn an_account_that_a_file_names_is_told_not_to_be_used(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("named", |profile| {
            let source = |pointer: &str| {
                vec![AccountSource { from: IdentityOrigin::IdToken, pointer: pointer.into() }]
            };
            profile.response.account.id = source("/sub");
            profile.response.account.label = source("/email");
        })
        .await;
    let client = world.client_of("named", "one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let csv = "external_id,access_token,refresh_token,sub,email\n\
               1,a,r1,alice,alice@example.com\n2,b,r2,,\n";
    let json = line("3", &json!({ "access_token": "c", "refresh_token": "r3", "sub": "bob" }));
    let mut admin = world.sign_in(Role::Admin).await;
    for query in ["?dry_run=true", ""] {
        for (kind, file, count) in [("text/csv", csv, 2), (NDJSON, json.as_str(), 1)] {
            let done = send(&program, client, query, kind, file.to_owned()).await.ok();
            let counts = (&done["imported"], &done["unverified"]);
            assert_eq!(counts, (&json!(count), &json!(1)), "{done}");
            let page = page(&mut admin, client, &done).await;
            assert!(page.contains("1 of them names an account, as sub or email do."), "{page}");
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM connections WHERE account_id IS NULL").await, 3);
    let form = admin.get(&format!("/clients/{client}/import")).await;
    assert!(form.text.contains("a name of the account beside that is not used"), "{}", form.text);
    // It is none of what a heading may be.
    let refused = send(&program, client, "", "text/csv", "access_token,nobody\na,b\n").await;
    assert!(!refused.text.contains("email"), "{}", refused.text);
}

#[sqlx::test]
async fn all_unknown_columns_are_told_at_once_with_what_was_meant(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let csv = "externalid,label,colour,refreshtoken\n1,a,red,SECRET\n";
    let refused: Value = send(&program, client, "?dry_run=true", "text/csv", csv).await.json();
    let said = refused["fields"][0]["message"].as_str().unwrap();
    let told = "\"externalid\" (column 1; did you mean external_id?), \"colour\" (column 3) and \
                \"refreshtoken\" (column 4; did you mean refresh_token?) are none of: external_id";
    assert!(said.contains(told) && said.contains("take the columns out"), "{said}");
    // Among other imports the names of all columns are not told again.
    let list =
        world.sign_in(Role::Admin).await.get(&format!("/clients/{client}/import")).await.text;
    assert!(list.contains("are no columns that are known here."), "{list}");
    assert!(!list.contains("are none of: external_id"), "{list}");
}

/// As in a table: of another form, and of a wrong value.
#[sqlx::test]
async fn all_mistakes_of_a_json_row_are_told_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let row = json!({
        "external_id": "7",
        "label": 8,
        "lable": "x",
        "obtained_at": "soon",
        "token_response": { "access_token": "SECRET", "expires_in": "soon" },
    });
    let done = send(&program, client, "?dry_run=true", NDJSON, format!("{row}\n")).await.ok();
    assert_eq!((&done["rows"], &done["failed"]), (&json!(1), &json!(1)), "{done}");
    let problems = done["problems"].as_array().unwrap();
    let mut fields: Vec<_> = problems.iter().map(|one| one["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["label", "lable", "obtained_at", "token_response"], "{done}");
    assert!(problems.iter().all(|one| one["external_id"] == "7" && one["line"] == 1), "{done}");
    assert!(!done.to_string().contains("SECRET"), "{done}");
}

/// And to no other import's, however near in time.
#[sqlx::test]
async fn an_import_leads_to_what_it_brought(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite, Scope::ConnectionsRead]).await;
    let row = |id: &str| line(id, &json!({ "access_token": id, "expires_in": 3600 }));
    let first = send(&program, client, "", NDJSON, row("ours-1") + &row("ours-2")).await.ok();
    let second = send(&program, client, "", NDJSON, row("foreign-1")).await.ok();
    world.import(client).await;
    let tried = send(&program, client, "?dry_run=true", NDJSON, row("more")).await.ok();
    let id = first["id"].as_str().unwrap();
    let names = async |query: String| {
        let found = program.get(&format!("/connections?{query}")).await.ok();
        let items = found["items"].as_array().unwrap().iter();
        let mut names: Vec<_> =
            items.map(|one| one["external_id"].as_str().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(format!("import={id}")).await, ["ours-1", "ours-2"]);
    for (also, found) in [
        ("external_id=ours-2", vec!["ours-2"]),
        ("external_id=foreign-1", vec![]),
        ("q=ours-1", vec!["ours-1"]),
        ("q=foreign-1", vec![]),
        ("standing=soon&sort=label", vec!["ours-1", "ours-2"]),
        ("state=pending", vec![]),
    ] {
        assert_eq!(names(format!("import={id}&{also}")).await, found, "{also}");
    }
    assert_eq!(names(format!("import={}", second["id"].as_str().unwrap())).await, ["foreign-1"]);
    assert!(names(format!("import={}", tried["id"].as_str().unwrap())).await.is_empty());

    let to = format!("href=\"/connections?import={id}\"");
    let mut admin = world.sign_in(Role::Admin).await;
    let told = page(&mut admin, client, &first).await;
    assert!(told.contains("See the connections that came of it") && told.contains(&to), "{told}");
    let told = page(&mut admin, client, &tried).await;
    assert!(!told.contains("See the connections that came of it"), "{told}");
    assert!(told.contains(&to) && told.contains("See them"), "it stands in the list: {told}");
    let mut support = world.sign_in(Role::Support).await;
    let list = support.get(&format!("/connections?import={id}")).await.text;
    assert!(list.contains("ours-1") && !list.contains("foreign-1"), "{list}");
    assert!(list.contains("name=\"import\""), "what is asked besides is asked of it: {list}");
}

/// What a connection began with stands in its lineage, whatever came after it.
#[sqlx::test]
async fn a_lineage_begins_with_the_import(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let response = world.token_response(client, "alice").await;
    send(&program, client, "", NDJSON, line("alice", &response)).await.ok();
    let find = "SELECT id FROM connections WHERE external_id = 'alice'";
    let many: Uuid = sqlx::query_scalar(find).fetch_one(&world.pool).await.unwrap();
    let alone = world.import_of(client, "bob").await;
    let mut admin = world.sign_in(Role::Admin).await;
    for id in [many, alone] {
        world.until_due(id).await;
    }
    world.tick().await;
    for id in [many, alone] {
        assert!(world.generation(id).await > 1);
        let page = admin.get(&format!("/connections/{id}")).await.text;
        assert_eq!(page.matches("with an import").count(), 1, "{page}");
    }
}

/// Too many to be found beforehand: then each row is asked for its import.
#[sqlx::test]
async fn a_long_import_leads_to_what_it_brought_too(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite, Scope::ConnectionsRead]).await;
    let row = |id: &str| line(id, &json!({ "access_token": id, "expires_in": 3600 }));
    let file: String = (0..2_010).map(|number| row(&format!("ours-{number}"))).collect();
    let first = send(&program, client, "", NDJSON, file).await.ok();
    assert_eq!(first["imported"], json!(2_010), "{first}");
    let foreign = ["a-foreign", "z-foreign"].map(row).concat();
    send(&program, client, "", NDJSON, foreign).await.ok();
    let id = first["id"].as_str().unwrap();
    for (also, wanted) in [("", 50), ("&q=foreign", 0), ("&q=ours-2009", 1)] {
        let found = program.get(&format!("/connections?limit=50&import={id}{also}")).await.ok();
        let items = found["items"].as_array().unwrap();
        let is_ours = |one: &Value| one["external_id"].as_str().unwrap().starts_with("ours-");
        assert!(items.len() == wanted && items.iter().all(is_ours), "{also}: {found}");
    }
}
