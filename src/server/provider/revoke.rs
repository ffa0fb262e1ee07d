//! Telling the provider that a grant is over (RFC 7009).

use secrecy::SecretString;
use time::OffsetDateTime;
use url::Url;

use super::{
    Error, Http, Refusal, Registration, classify,
    dialect::{self, Given, Prepared},
    token,
};
use crate::{
    domain::{
        provider::{Call, RevokedBy},
        refusal::ErrorClass,
    },
    server::clock::Rng,
};

/// Revokes a grant: its refresh token, and then, because a server need not do it of itself, its
/// access token, whose refusal no longer matters. False: the provider has no revocation endpoint.
///
/// A token that the provider no longer knows counts as revoked (RFC 7009 section 2.2).
pub async fn revoke(
    http: &Http,
    registration: &Registration<'_>,
    refresh_token: Option<&SecretString>,
    access_token: Option<&SecretString>,
) -> Result<bool, Refusal> {
    match endpoint(registration) {
        Ok(_) => {}
        Err(Error::NoEndpoint(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let by = registration.profile.policy.revoked_by;
    let refresh_token = refresh_token.filter(|_| by != RevokedBy::AccessToken);
    let access_token = access_token.filter(|_| by != RevokedBy::RefreshToken);
    let mut refused = None;
    if let Some(token) = refresh_token {
        match one(http, registration, "refresh_token", token).await {
            // Some servers revoke by the access token only (RFC 7009 section 2.2.1).
            Err(refusal) if refusal.code.as_deref() == Some("unsupported_token_type") => {
                refused = Some(refusal);
            }
            Err(refusal) => return Err(refusal),
            Ok(()) => {}
        }
    }
    if let Some(token) = access_token {
        let over = one(http, registration, "access_token", token).await;
        if refresh_token.is_none() || refused.is_some() {
            return over.map(|()| true);
        }
    }
    refused.map_or(Ok(true), Err)
}

fn endpoint(registration: &Registration<'_>) -> Result<Url, Error> {
    let template = registration.profile.endpoints.revocation.as_deref();
    registration.endpoint("revocation", template)
}

/// The request that revokes one token. `hint`: what it is (RFC 7009 section 2.1).
pub(super) fn prepare(
    registration: &Registration<'_>,
    hint: &'static str,
    token: &SecretString,
    now: OffsetDateTime,
    rng: &dyn Rng,
) -> Result<Prepared, Error> {
    let given = [("token", Given::Secret(token)), ("token_type_hint", Given::Plain(hint))];
    dialect::build(registration, Call::Revocation, endpoint(registration)?, &given, now, rng)
}

async fn one(
    http: &Http,
    registration: &Registration<'_>,
    hint: &'static str,
    token: &SecretString,
) -> Result<(), Refusal> {
    let (now, rng) = (http.0.clock.now(), http.0.rng.as_ref());
    let prepared = prepare(registration, hint, token, now, rng)?;
    let (answer, redactor, sent_basic) = token::send(http, prepared).await?;
    let (value, now) = (token::data(&answer), http.0.clock.now());
    let errors = &registration.profile.errors;
    let refusal = classify::refusal(errors, &answer, value.as_ref(), sent_basic, &redactor, now);
    // A success says nothing, or nothing that reads as an error.
    let silent = (200..300).contains(&answer.status) && refusal.class == ErrorClass::AnswerLost;
    let unknown = refusal.code.as_deref() == Some("invalid_token");
    if silent || unknown { Ok(()) } else { Err(refusal) }
}
