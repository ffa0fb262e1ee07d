//! The calls that end in tokens. What somebody else obtained is read in [`import`].

mod import;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Error, Grant, Http, Refusal, Registration, classify,
    dialect::{self, Given, Prepared},
    guard::{Answer, Failure},
    jwt,
    redact::Redactor,
    response::{self, Origin},
};
use crate::{
    domain::{
        provider::{Call, Pkce},
        refusal::ErrorClass,
    },
    server::clock::Rng,
};

pub use import::{import, is_given, over_for_good, unreadable_expiries};

/// What is asked of the token endpoint.
#[derive(Clone, Copy)]
pub(super) enum Intent<'a> {
    Exchange { code: &'a SecretString, code_verifier: &'a SecretString },
    Refresh { refresh_token: &'a SecretString },
    ClientCredentials,
    Device { device_code: &'a SecretString },
    TokenExchange(Subject<'a>),
}

/// What a token exchange begins from (RFC 8693 section 2.1).
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub token: &'a SecretString,
    /// What kind of token it is, as a URI (RFC 8693 section 3).
    pub token_type: &'a str,
    pub audience: Option<&'a str>,
    pub resource: Option<&'a str>,
}

/// Redeems an authorization code (RFC 6749 section 4.1.3). An id token that is not the one asked
/// for refuses the whole answer.
pub async fn exchange(
    http: &Http,
    registration: &Registration<'_>,
    code: &SecretString,
    code_verifier: &SecretString,
    nonce: Option<&str>,
) -> Result<Grant, Refusal> {
    let nonce = nonce.filter(|_| registration.asks_for_id_token());
    vouched(ask(http, registration, Intent::Exchange { code, code_verifier }, nonce).await?)
}

/// Asks whether a person has allowed the device (RFC 8628 section 3.4). An id token that is not for
/// us refuses the whole answer, as with a code.
pub async fn device(
    http: &Http,
    registration: &Registration<'_>,
    device_code: &SecretString,
) -> Result<Grant, Refusal> {
    vouched(ask(http, registration, Intent::Device { device_code }, None).await?)
}

/// Exchanges a token for one of the client's own (RFC 8693). An odd id token costs no tokens: the
/// grant then names no account.
pub async fn exchange_token(
    http: &Http,
    registration: &Registration<'_>,
    subject: Subject<'_>,
) -> Result<Grant, Refusal> {
    let (grant, _) = ask(http, registration, Intent::TokenExchange(subject), None).await?;
    Ok(grant)
}

/// A grant whose id token, if it has one, is what it should be.
fn vouched((grant, verdict): (Grant, Result<(), &'static str>)) -> Result<Grant, Refusal> {
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

/// Trades the refresh token for a new token set (RFC 6749 section 6). An odd id token costs no
/// tokens here: the grant then names no account.
pub async fn refresh(
    http: &Http,
    registration: &Registration<'_>,
    refresh_token: &SecretString,
) -> Result<Grant, Refusal> {
    let (grant, _) = ask(http, registration, Intent::Refresh { refresh_token }, None).await?;
    Ok(grant)
}

/// A grant of the client's own (RFC 6749 section 4.4).
pub async fn client_credentials(
    http: &Http,
    registration: &Registration<'_>,
) -> Result<Grant, Refusal> {
    let (grant, _) = ask(http, registration, Intent::ClientCredentials, None).await?;
    Ok(grant)
}

/// The request that `intent` is at this provider.
pub(super) fn prepare(
    registration: &Registration<'_>,
    intent: Intent<'_>,
    now: OffsetDateTime,
    rng: &dyn Rng,
) -> Result<Prepared, Error> {
    let profile = registration.profile;
    let endpoints = &profile.endpoints;
    let token = || registration.endpoint("token", endpoints.token.as_deref());
    let refresh = endpoints.refresh.as_deref();
    let build =
        |call, endpoint, given: &[_]| dialect::build(registration, call, endpoint, given, now, rng);
    let grant_type = |name| ("grant_type", Given::Plain(name));
    match intent {
        Intent::Exchange { code, code_verifier } => {
            let verifier = ("code_verifier", Given::Secret(code_verifier));
            let given = [
                grant_type("authorization_code"),
                ("code", Given::Secret(code)),
                ("redirect_uri", Given::Plain(registration.redirect_uri)),
                verifier,
            ];
            let count = given.len() - usize::from(profile.authorization.pkce == Pkce::Off);
            build(Call::Exchange, token()?, &given[..count])
        }
        Intent::Refresh { refresh_token } => {
            let endpoint = match refresh {
                Some(refresh) => registration.endpoint("refresh", Some(refresh))?,
                None => token()?,
            };
            let given =
                [grant_type("refresh_token"), ("refresh_token", Given::Secret(refresh_token))];
            build(Call::Refresh, endpoint, &given)
        }
        Intent::ClientCredentials => {
            build(Call::ClientCredentials, token()?, &[grant_type("client_credentials")])
        }
        Intent::Device { device_code } => {
            let given = [
                grant_type("urn:ietf:params:oauth:grant-type:device_code"),
                ("device_code", Given::Secret(device_code)),
            ];
            build(Call::DeviceToken, token()?, &given)
        }
        Intent::TokenExchange(subject) => {
            let mut given = vec![
                grant_type("urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", Given::Secret(subject.token)),
                ("subject_token_type", Given::Plain(subject.token_type)),
            ];
            given.extend(subject.audience.map(|text| ("audience", Given::Plain(text))));
            given.extend(subject.resource.map(|text| ("resource", Given::Plain(text))));
            build(Call::TokenExchange, token()?, &given)
        }
    }
}

async fn ask(
    http: &Http,
    registration: &Registration<'_>,
    intent: Intent<'_>,
    nonce: Option<&str>,
) -> Result<(Grant, Result<(), &'static str>), Refusal> {
    let issuer = registration.issuer()?;
    let sent_at = http.0.clock.now();
    let prepared = prepare(registration, intent, sent_at, http.0.rng.as_ref())?;
    let (answer, redactor, sent_basic) = send(http, prepared).await?;

    let origin = match intent {
        Intent::Refresh { .. } => Origin::Refresh,
        Intent::Exchange { .. }
        | Intent::ClientCredentials
        | Intent::Device { .. }
        | Intent::TokenExchange(_) => Origin::Beginning,
    };
    let expected = jwt::Expected {
        issuer: issuer.as_deref(),
        client_id: registration.client_id,
        nonce,
        now: sent_at,
    };
    let now = http.0.clock.now();
    read(registration, &answer, origin, &expected, &redactor, sent_basic, now)
}

/// What an answer gave: tokens, and whether its id token is the one asked for; or a refusal.
pub(super) fn read(
    registration: &Registration<'_>,
    answer: &Answer,
    origin: Origin,
    expected: &jwt::Expected<'_>,
    redactor: &Redactor,
    sent_basic: bool,
    now: OffsetDateTime,
) -> Result<(Grant, Result<(), &'static str>), Refusal> {
    let value = data(answer);
    value
        .as_ref()
        .filter(|_| (200..300).contains(&answer.status))
        .and_then(|value| response::grant(registration, value, origin, expected.now, expected))
        .ok_or_else(|| {
            let errors = &registration.profile.errors;
            classify::refusal(errors, answer, value.as_ref(), sent_basic, redactor, now)
        })
}

/// Sends a prepared request. Says besides whether it proved the client by a header.
pub(super) async fn send(
    http: &Http,
    prepared: Prepared,
) -> Result<(Answer, Redactor, bool), Refusal> {
    let sent_basic = is_basic(&prepared);
    let (request, redactor) = prepared.into_request();
    match http.0.client.send(request).await {
        Ok(answer) => Ok((answer, redactor, sent_basic)),
        Err(failure) => Err(no_answer(failure)),
    }
}

/// Whether a request proves the client by HTTP Basic.
pub(super) fn is_basic(prepared: &Prepared) -> bool {
    let proof = prepared.headers.get(AUTHORIZATION);
    proof.is_some_and(|value| value.as_bytes().starts_with(b"Basic "))
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

#[cfg(test)]
mod tests;
