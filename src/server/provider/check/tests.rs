use serde_json::json;

use super::*;
use crate::{
    domain::provider::Variable,
    server::provider::tests::{Act, Owned, Server, http},
};

const MADE_UP: &str = "a-made-up-token-0815-that-nobody-was-given";

fn owned(origin: &str) -> Owned {
    let mut owned = Owned::at(origin);
    owned.profile.endpoints.introspection = Some(format!("{origin}/introspect"));
    owned
}

async fn asked(way: Way, act: Act) -> (Heard, Option<Said>, Vec<String>) {
    let server = Server::new(|_| vec![act]).await;
    let owned = owned(&server.origin);
    let Answer { heard, said, .. } =
        ask(&http(), &owned.registration(), way, &MADE_UP.into()).await;
    (heard, said, server.seen())
}

fn refusal(code: &str) -> String {
    json!({ "error": code }).to_string()
}

#[tokio::test]
async fn each_way_asks_once_about_nothing_and_knows_its_yes() {
    let inactive = r#"{"active":false}"#.to_owned();
    let invalid_grant = refusal("invalid_grant");
    for (way, status, body, path) in [
        (Way::ClientCredentials, 200, r#"{"access_token":"a1"}"#.into(), "/token"),
        (Way::Introspection, 200, inactive, "/introspect"),
        (Way::Revocation, 200, String::new(), "/revoke"),
        (Way::Revocation, 400, refusal("invalid_token"), "/revoke"),
        (Way::Code, 400, invalid_grant.clone(), "/token"),
        (Way::RefreshToken, 400, invalid_grant, "/token"),
    ] {
        let (heard, _, seen) = asked(way, Act::json(status, &body)).await;
        assert_eq!((heard, seen.len()), (Heard::Accepted, 1), "{way:?}");
        assert!(seen[0].starts_with(&format!("POST {path} ")), "{way:?}: {}", seen[0]);
        assert_eq!(seen[0].contains(MADE_UP), way != Way::ClientCredentials, "{}", seen[0]);
    }
}

#[tokio::test]
async fn a_server_that_gives_something_for_nothing_has_said_nothing() {
    for (way, status, body) in [
        (Way::Introspection, 200, r#"{"active":true}"#.to_owned()),
        (Way::Introspection, 200, "{}".to_owned()),
        (Way::Introspection, 400, refusal("invalid_grant")),
        (Way::Revocation, 403, refusal("access_denied")),
        (Way::ClientCredentials, 400, refusal("unauthorized_client")),
        (Way::Code, 200, r#"{"access_token":"a1"}"#.to_owned()),
        (Way::Code, 400, refusal("invalid_request")),
        (Way::RefreshToken, 200, r#"{"access_token":"a1"}"#.to_owned()),
        (Way::RefreshToken, 404, "<html>".to_owned()),
    ] {
        let (heard, ..) = asked(way, Act::json(status, &body)).await;
        assert_eq!(heard, Heard::Unclear, "{way:?}: {body}");
    }
}

#[tokio::test]
async fn a_refused_client_is_refused_by_each_way() {
    for way in Way::ALL {
        let (heard, said, _) = asked(way, Act::json(401, &refusal("invalid_client"))).await;
        assert_eq!(heard, Heard::Refused, "{way:?}");
        assert_eq!(said.unwrap().code.as_deref(), Some("invalid_client"));
        let (heard, ..) = asked(way, Act::json(401, "")).await;
        assert_eq!(heard, Heard::Refused, "{way:?}");
        let (heard, ..) = asked(way, Act::json(503, "")).await;
        assert_eq!(heard, Heard::Unanswered, "{way:?}");
    }
    let (heard, ..) = asked(Way::Code, Act::Stall).await;
    assert_eq!(heard, Heard::Unanswered);
}

#[tokio::test]
async fn what_is_told_holds_nothing_that_was_sent() {
    let secret = "client-secret-4711-very-long";
    let body = json!({
        "error": "invalid_client",
        "error_description": format!("No client has {secret}, nor is {MADE_UP} one of our codes"),
    });
    for way in Way::ALL {
        let (_, said, seen) = asked(way, Act::json(401, &body.to_string())).await;
        let told = said.unwrap().description.unwrap();
        assert!(told.starts_with("No client has [redacted]"), "{told}");
        let was_sent = seen[0].contains(MADE_UP);
        assert!(!told.contains(secret) && told.contains("0815") != was_sent, "{told}");
    }
}

#[tokio::test]
async fn what_can_not_be_put_is_not_sent() {
    let mut owned = owned("http://127.0.0.1:9");
    let variable = |optional| Variable {
        name: "shop".into(),
        label: "Shop".into(),
        optional,
        ..Variable::default()
    };
    owned.profile.endpoints.token = Some("https://{shop}.example/token".into());
    for (optional, heard) in [(false, Heard::Unsent), (true, Heard::Nowhere)] {
        owned.profile.variables = vec![variable(optional)];
        let told = ask(&http(), &owned.registration(), Way::Code, &MADE_UP.into()).await;
        assert_eq!(told.heard, heard);
    }
    owned.profile.endpoints.token = Some("http://127.0.0.1:9/token".into());
    owned.profile.request.authentication.method = AuthenticationMethod::PrivateKeyJwt;
    let told = ask(&http(), &owned.registration(), Way::Code, &MADE_UP.into()).await;
    assert_eq!(told.heard, Heard::Unsent);
    assert!(told.said.unwrap().description.unwrap().contains("key"));
}

#[test]
fn whoever_is_disguised_shows_nothing_of_their_own_credentials() {
    let made_up = SecretString::from(MADE_UP);
    let mut owned = owned("http://127.0.0.1:9");
    let shown = |owned: &Owned| {
        let disguised = disguise(owned.registration(), Way::Code, &made_up);
        let secret = disguised.client_secret.map(|secret| secret.expose_secret().to_owned());
        (disguised.client_id.to_owned(), secret)
    };
    let secret = owned.secret.as_ref().map(|secret| secret.expose_secret().to_owned());
    assert_eq!(shown(&owned), ("the-client".into(), Some(MADE_UP.into())));
    // A key can't be made up.
    owned.profile.request.authentication.method = AuthenticationMethod::PrivateKeyJwt;
    assert_eq!(shown(&owned), (MADE_UP.into(), secret));
    owned.secret = None;
    assert_eq!(shown(&owned), (MADE_UP.into(), None));
}

/// Where revoking takes access tokens alone, one is made up, and is not sent twice.
#[tokio::test]
async fn a_revocation_takes_the_token_that_the_provider_takes() {
    let server = Server::new(|_| vec![Act::json(200, "")]).await;
    let mut owned = owned(&server.origin);
    owned.profile.policy.revoked_by = RevokedBy::AccessToken;
    let told = ask(&http(), &owned.registration(), Way::Revocation, &MADE_UP.into()).await;
    assert_eq!(told.heard, Heard::Accepted);
    assert!(server.seen()[0].contains("token_type_hint=access_token"), "{:?}", server.seen());
}
