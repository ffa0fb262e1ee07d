//! Importing a token response: whatever is handed in, nothing panics and nothing is left half
//! written; and whatever a provider answers, what we hold is not lost.

use proptest::prelude::*;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::Duration;

use crate::{
    domain::{
        access::{Role, Scope},
        connection::{GrantType, State},
        problem::Code,
    },
    server::app::{
        self,
        connection::{NewConnection, TokenResponse},
    },
    tests::support::{START, World, new_connection},
};

const ROWS: &str = "SELECT (SELECT count(*) FROM connections) + (SELECT count(*) FROM token_sets)
                         + (SELECT count(*) FROM audit)";

#[sqlx::test]
async fn what_holds_no_access_token_is_refused_with_the_field_and_leaves_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let before = world.count(ROWS).await;
    let deep = "[".repeat(100_000);
    for body in [
        "",
        " ",
        "null",
        "{}",
        "[]",
        "7",
        "\"access_token\"",
        "{\"access_token\":null}",
        "{\"access_token\":\"\"}",
        "{\"access_token\":5}",
        "{\"access_token\":[\"a\"]}",
        "{\"access_token\":{\"a\":\"b\"}}",
        "{\"access_token\":\"a\"",
        "{\"refresh_token\":\"secret-refresh\"}",
        "{\"error\":\"invalid_grant\"}",
        "access_token=a&expires_in=1",
        "<html>secret</html>",
        deep.as_str(),
    ] {
        let refused = world.import_text(client, body.into()).await.unwrap_err();
        let problem = refused.problem();
        assert_eq!(problem.code, Code::Invalid, "{body:.60}");
        let message = problem.field("token_response");
        assert!(message.is_some(), "{body:.60}: {problem:?}");
        assert!(!message.unwrap_or_default().contains("secret"), "{problem:?}");
        assert_eq!(world.count(ROWS).await, before, "{body:.60}");
    }
}

#[sqlx::test]
async fn what_is_odd_costs_no_token(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    for (n, odd) in oddities().into_iter().enumerate() {
        let refresh = format!("the-refresh-{n}");
        let mut response = json!({ "access_token": "the-token", "refresh_token": refresh });
        for (name, value) in odd.as_object().unwrap() {
            response[name] = value.clone();
        }
        let made = world.import_text(client, response.to_string()).await;
        let made = made.unwrap_or_else(|error| panic!("{odd}: {error:?}"));
        assert_eq!(made.state, State::Active, "{odd}");
        let token = world.token(made.id, Duration::ZERO).await;
        if made.access_expires_at.is_none_or(|end| end > world.now()) {
            let token = token.unwrap_or_else(|error| panic!("{odd}: {error:?}"));
            assert_eq!(secrecy::ExposeSecret::expose_secret(&token.access_token), "the-token");
        }
    }
}

/// Token responses that hold their token and something strange beside it.
fn oddities() -> Vec<Value> {
    let mut odd = vec![
        json!({ "scope": "a\u{0}b c" }),
        json!({ "scope": ["a\u{0}b", 5, null, "c"] }),
        json!({ "token_type": "Bea\u{0}rer" }),
        json!({ "token_type": 5, "scope": {} }),
        json!({ "scope": "x".repeat(100_000) }),
        json!({ "id_token": "not.a.jwt" }),
        json!({ "id_token": "x" }),
        json!({ "refresh_token": null }),
        json!({ "refresh_token": 7 }),
        json!({ "\u{0}": "\u{0}" }),
    ];
    for name in ["expires_in", "refresh_token_expires_in"] {
        for value in [
            json!(null),
            json!(-1),
            json!(0),
            json!(1e300),
            json!(-1e300),
            json!(i64::MAX),
            json!(u64::MAX),
            json!("soon"),
            json!(""),
            json!("1e9999"),
            json!("NaN"),
            json!("9999-12-31T23:59:59Z"),
            json!("0000-01-01T00:00:00Z"),
            json!("-999999-01-01T00:00:00Z"),
            json!([1]),
            json!({ "in": 1 }),
            json!(true),
        ] {
            odd.push(json!({ name: value }));
        }
    }
    odd
}

/// The same in an answer to a refresh: the new tokens are kept, or the old ones are.
#[sqlx::test]
async fn an_odd_answer_to_a_refresh_loses_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let (stub, id) = world.stub().await;
    let mut number = 0;
    for odd in oddities() {
        number += 1;
        let mut answer = json!({
            "access_token": format!("a{number}"), "refresh_token": format!("r{number}"),
            "expires_in": 600
        });
        for (name, value) in odd.as_object().unwrap() {
            answer[name] = value.clone();
        }
        stub.answers(answer);
        let attempt = app::connection::refresh(&world.app, &world.admin, id).await;
        let attempt = attempt.unwrap_or_else(|error| panic!("{odd}: {error:?}"));
        assert_eq!(attempt.generation_after, Some(number + 1), "{odd}");
        assert_eq!(world.state(id).await, State::Active, "{odd}");
        assert!(world.connection(id).await.has_refresh_token, "{odd}");
    }
    // And what is no token response at all leaves the last one as it was.
    for nonsense in [
        "",
        "null",
        "[]",
        "7",
        "{}",
        "{\"access_token\":null}",
        "{\"error\":\"a\\u0000b\"}",
        "\u{0}",
    ] {
        stub.answers(nonsense);
        let _ = app::connection::refresh(&world.app, &world.admin, id).await;
        let connection = world.connection(id).await;
        assert_eq!(connection.generation, number + 1, "{nonsense:?}");
        assert!(!matches!(connection.state, State::NeedsReauth { .. }), "{nonsense:?}");
        assert!(world.attempts(id).await.last().unwrap().verdict.is_some(), "{nonsense:?}");
        let kept = "SELECT count(*) FROM token_sets WHERE sealed_refresh_token IS NOT NULL";
        assert_eq!(world.count(kept).await, 1);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("access_token".to_owned()),
        Just("refresh_token".to_owned()),
        Just("expires_in".to_owned()),
        Just("scope".to_owned()),
        Just("id_token".to_owned()),
        Just("token_type".to_owned()),
        any::<String>(),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Any JSON at all: it becomes a connection that works, or a refusal that leaves nothing.
#[sqlx::test]
async fn any_json_is_taken_whole_or_not_at_all(pool: PgPool) {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..150 {
        let body = any_json().new_tree(&mut runner).unwrap().current();
        let before = world.count(ROWS).await;
        let new = new_connection(client);
        match app::connection::import(&world.app, &world.admin, new, &body, None).await {
            Ok((made, _)) => {
                assert_eq!((made.state, made.generation), (State::Active, 1), "{body}");
                assert_eq!(world.count(ROWS).await, before + 3, "{body}");
            }
            // The same refresh token can't be twice here, even if it is nonsense.
            Err(app::Error::Invalid(_) | app::Error::Conflict(_)) => {
                assert_eq!(world.count(ROWS).await, before, "{body}");
            }
            Err(other) => panic!("{body}: {other:?}"),
        }
    }
}

#[sqlx::test]
async fn an_import_counts_from_when_it_was_obtained(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let import = async |obtained_at: &str| {
        let body = json!({ "access_token": "a", "expires_in": 3600 }).to_string();
        let response = TokenResponse::from_text(body, Some(obtained_at.into()));
        app::connection::import_text(&world.app, &world.admin, new_connection(client), response)
            .await
    };
    let (made, odd) = import("2026-03-01T11:30:00Z").await.unwrap();
    assert_eq!(odd, []);
    assert_eq!(made.access_expires_at, Some(START + Duration::minutes(30)));
    assert_eq!(made.grant_type, GrantType::Import);
    let (made, _) = import("2026-03-01T13:30:00+02:00").await.unwrap();
    assert_eq!(made.access_expires_at, Some(START + Duration::minutes(30)));
    for wrong in
        ["2026-03-01T12:06:00Z", "yesterday", "2026-03-01", "9999999999", "1969-12-31T23:59:59Z"]
    {
        let refused = import(wrong).await.unwrap_err().problem();
        assert!(refused.field("obtained_at").is_some(), "{wrong}: {refused:?}");
    }
}

/// It costs no token, but it is said: by the API beside the connection, to a person on its page.
#[sqlx::test]
async fn an_expiry_that_nobody_can_read_is_told_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let program = world.program(&[Scope::ConnectionsWrite]).await;
    let response = json!({
        "access_token": "a", "refresh_token": "r", "expires_in": "soon",
        "refresh_token_expires_in": "late"
    });
    let new = json!({ "client_id": client, "token_response": response });
    let made = program.post("/connections", &new).await.ok();
    assert_eq!(made["state"]["name"], "active");
    let told = made["warnings"].to_string();
    assert!(told.contains("/expires_in") && told.contains("/refresh_token_expires_in"), "{made}");
    let new = json!({ "client_id": client, "token_response": { "access_token": "b" } });
    let made = program.post("/connections", &new).await.ok();
    assert_eq!(made.get("warnings"), None, "{made}");

    let mut browser = world.sign_in(Role::Admin).await;
    let client = client.to_string();
    let warning = "an expiry can't be read";
    for (token, expires_in, obtained_at) in [("c", "soon", ""), ("d", "60", "2026-03-01T11:59:30Z")]
    {
        let response = json!({ "access_token": token, "expires_in": expires_in }).to_string();
        let form = [
            ("client_id", client.as_str()),
            ("label", ""),
            ("token_response", response.as_str()),
            ("obtained_at", obtained_at),
        ];
        let made = browser.submit("connection/import", &form).await;
        let address = made.location();
        let page = browser.get(&address).await.text;
        assert_eq!(page.contains(warning), token == "c", "{page}");
        let id = address.trim_start_matches("/connections/").split('?').next().unwrap();
        let connection = world.connection(id.parse().unwrap()).await;
        let end = (token == "d").then_some(START + Duration::seconds(30));
        assert_eq!(connection.access_expires_at, end);
    }
}

/// Each wrong field is named, over the browser's door.
#[sqlx::test]
async fn a_wrong_field_is_named(pool: PgPool) {
    let world = World::new(pool).await;
    let mut browser = world.sign_in(Role::Admin).await;
    let client = world.client("one", |_| {}).await.to_string();
    let body = json!({ "access_token": "a" }).to_string();
    let long = "x".repeat(201);
    let right = [
        ("client_id", client.as_str()),
        ("label", "a"),
        ("external_id", "e"),
        ("token_response", body.as_str()),
        ("obtained_at", ""),
    ];
    let made = browser.call("connection/import", &right).await;
    assert!(made.location().starts_with("/connections/"));
    let before = world.count(ROWS).await;
    for (field, value) in [
        ("client_id", "00000000-0000-0000-0000-000000000000"),
        ("label", long.as_str()),
        ("label", "a\u{0}b"),
        ("external_id", long.as_str()),
        ("external_id", "a\u{0}b"),
        ("external_id", "e"),
        ("token_response", "{"),
        ("obtained_at", "then"),
    ] {
        let mut form = right;
        form[2].1 = "other";
        for pair in form.iter_mut().filter(|(name, _)| *name == field) {
            pair.1 = value;
        }
        let problem = browser.call("connection/import", &form).await.problem();
        assert_eq!(problem.code, Code::Invalid, "{field}={value:.20}: {problem:?}");
        assert!(problem.field(field).is_some(), "{field}={value:.20}: {problem:?}");
        assert_eq!(world.count(ROWS).await, before, "{field}");
    }
    let refused = app::connection::import(
        &world.app,
        &world.admin,
        NewConnection { tags: vec![String::new()], ..new_connection(client.parse().unwrap()) },
        &json!({ "access_token": "a" }),
        None,
    )
    .await;
    assert!(refused.unwrap_err().problem().field("tags").is_some());
}

/// A file from another program often has no names, but always its own ids.
#[sqlx::test]
async fn what_has_no_name_goes_by_its_external_id(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let response = json!({ "access_token": "a", "expires_in": 600 });
    let new = NewConnection { external_id: Some("acme-7".into()), ..new_connection(client) };
    let (made, _) =
        app::connection::import(&world.app, &world.admin, new, &response, None).await.unwrap();
    assert_eq!(made.name(), "acme-7");
    assert_eq!(world.audit("connection.import").await[0].subject_label, "acme-7");
    let mut browser = world.sign_in(Role::Admin).await;
    for path in ["/connections".to_owned(), format!("/connections/{}", made.id)] {
        let page = browser.get(&path).await.text;
        assert!(page.contains("acme-7") && !page.contains("(no name yet)"), "{page}");
    }
    world.execute("UPDATE connections SET state = 'needs_reauth', reason = 'revoked'").await;
    app::relink::create(&world.app, &world.admin, made.id).await.expect("a relink");
    let desk = browser.get("/relinks").await.text;
    assert!(desk.contains("acme-7") && !desk.contains("(no name yet)"), "{desk}");
}
