//! The calls that end in tokens.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Grant, Http, Refusal, Registration, classify,
    dialect::{self, Given},
    guard::{Answer, Failure},
    jwt,
    redact::Redactor,
    response::{self, Origin},
};
use crate::domain::{
    provider::{Call, Pkce},
    refusal::ErrorClass,
};

/// Redeems an authorization code (RFC 6749 section 4.1.3). An id token that is not the one asked
/// for refuses the whole answer.
pub async fn exchange(
    http: &Http,
    registration: &Registration<'_>,
    code: &SecretString,
    code_verifier: &SecretString,
    nonce: Option<&str>,
) -> Result<Grant, Refusal> {
    let mut given = vec![
        ("grant_type", Given::Plain("authorization_code")),
        ("code", Given::Secret(code)),
        ("redirect_uri", Given::Plain(registration.redirect_uri)),
    ];
    if registration.profile.authorization.pkce != Pkce::Off {
        given.push(("code_verifier", Given::Secret(code_verifier)));
    }
    let nonce = nonce.filter(|_| registration.asks_for_id_token());
    let (grant, verdict) =
        call(http, registration, Call::Exchange, &given, Origin::Beginning, nonce).await?;
    match verdict {
        Ok(()) => Ok(grant),
        Err(why) => Err(Refusal {
            class: ErrorClass::RequestRefused,
            status: None,
            code: Some("invalid_id_token".into()),
            description: Some(why.into()),
            retry_after: None,
            sent: true,
        }),
    }
}

/// Trades the refresh token for a new token set (RFC 6749 section 6).
pub async fn refresh(
    http: &Http,
    registration: &Registration<'_>,
    refresh_token: &SecretString,
) -> Result<Grant, Refusal> {
    let given = [
        ("grant_type", Given::Plain("refresh_token")),
        ("refresh_token", Given::Secret(refresh_token)),
    ];
    // An odd id token costs no tokens here: the grant then names no account.
    let answered = call(http, registration, Call::Refresh, &given, Origin::Refresh, None).await;
    answered.map(|(grant, _)| grant)
}

/// A grant of the client's own (RFC 6749 section 4.4).
pub async fn client_credentials(
    http: &Http,
    registration: &Registration<'_>,
) -> Result<Grant, Refusal> {
    let given = [("grant_type", Given::Plain("client_credentials"))];
    let call =
        call(http, registration, Call::ClientCredentials, &given, Origin::Beginning, None).await;
    call.map(|(grant, _)| grant)
}

/// Reads a token response that somebody else obtained, as the provider gave it. Its refusal says
/// what is missing and was never sent.
pub fn import(
    registration: &Registration<'_>,
    response: &Value,
    obtained_at: OffsetDateTime,
) -> Result<Grant, Refusal> {
    let issuer = registration.issuer()?;
    let expected = jwt::Expected {
        issuer: issuer.as_deref(),
        client_id: registration.client_id,
        nonce: None,
        now: obtained_at,
    };
    response::grant(registration, response, Origin::Beginning, obtained_at, &expected)
        .map(|(grant, _)| grant)
        .ok_or_else(|| {
            let places = registration.profile.response.access_token.join(" or ");
            let message = format!("the response has no access token at {places}");
            Refusal::unsent(ErrorClass::RequestRefused, message)
        })
}

async fn call(
    http: &Http,
    registration: &Registration<'_>,
    call: Call,
    given: &[(&'static str, Given<'_>)],
    origin: Origin,
    nonce: Option<&str>,
) -> Result<(Grant, Result<(), &'static str>), Refusal> {
    let profile = registration.profile;
    let endpoints = &profile.endpoints;
    let endpoint = match (call, endpoints.refresh.as_deref()) {
        (Call::Refresh, Some(refresh)) => registration.endpoint("refresh", Some(refresh))?,
        _ => registration.endpoint("token", endpoints.token.as_deref())?,
    };
    let issuer = registration.issuer()?;
    let sent_at = http.0.clock.now();
    let prepared =
        dialect::build(registration, call, endpoint, given, sent_at, http.0.rng.as_ref())?;
    let (answer, redactor, sent_basic) = send(http, prepared).await?;

    let value = data(&answer);
    let expected = jwt::Expected {
        issuer: issuer.as_deref(),
        client_id: registration.client_id,
        nonce,
        now: sent_at,
    };
    value
        .as_ref()
        .filter(|_| (200..300).contains(&answer.status))
        .and_then(|value| response::grant(registration, value, origin, sent_at, &expected))
        .ok_or_else(|| {
            let (value, now) = (value.as_ref(), http.0.clock.now());
            classify::refusal(&profile.errors, &answer, value, sent_basic, &redactor, now)
        })
}

/// Sends a prepared request. Says besides whether it proved the client by a header.
pub(super) async fn send(
    http: &Http,
    prepared: dialect::Prepared,
) -> Result<(Answer, Redactor, bool), Refusal> {
    let sent_basic = prepared
        .headers
        .get(AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().starts_with(b"Basic "));
    let (request, redactor) = prepared.into_request();
    match http.0.client.send(request).await {
        Ok(answer) => Ok((answer, redactor, sent_basic)),
        Err(failure) => Err(no_answer(failure)),
    }
}

/// An answer's body as data, if it is any.
pub(super) fn data(answer: &Answer) -> Option<Value> {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    response::body(&answer.body, kind)
}

/// What it means that no whole answer came. A status that refuses was an answer, even if its body
/// was cut.
fn no_answer(failure: Failure) -> Refusal {
    let (class, description, status, sent) = match failure {
        Failure::Blocked(why) => (ErrorClass::RequestRefused, why, None, false),
        Failure::Connect(why) => (ErrorClass::Transient, why, None, false),
        Failure::Lost { what, status } => {
            let class = match status {
                Some(429) => ErrorClass::RateLimited,
                Some(300..) => ErrorClass::Transient,
                _ => ErrorClass::AnswerLost,
            };
            (class, what.to_owned(), status, true)
        }
    };
    Refusal { class, status, code: None, description: Some(description), retry_after: None, sent }
}
