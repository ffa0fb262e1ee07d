//! A token response that somebody else obtained and hands in.
//!
//! It is read like an answer to a request of ours, but for an expiry of zero. A server that answers so tells
//! nothing of an end: it would not hand out what is over. What lay somewhere for a while is over then, as RFC
//! 6749 section 5.1 has it; unless the token says otherwise itself, or tokens have no end at this provider.

use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    domain::{
        provider::{ExpirySource, Profile, Renewal},
        refusal::ErrorClass,
    },
    server::provider::{
        Grant, Refusal, Registration, expiry, jwt,
        response::{self, Origin},
    },
};

/// Reads a token response as the provider gave it. Its refusal says what is missing and was never sent.
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
    let read = response::grant(registration, response, Origin::Beginning, obtained_at, &expected);
    let Some((mut grant, _)) = read else {
        let places = registration.profile.response.access_token.join(" or ");
        let message = format!("the response has no access token at {places}");
        return Err(Refusal::unsent(ErrorClass::RequestRefused, message));
    };
    let is_over = over(registration, response, obtained_at).is_some();
    if is_over && is_renewable(registration.profile, &grant) {
        grant.access_expires_at = Some(obtained_at);
    }
    Ok(grant)
}

/// Whether an access token stands where the profile looks for it.
pub fn is_given(profile: &Profile, response: &Value) -> bool {
    response::text(response, &profile.response.access_token).is_some()
}

/// Where a token response says that its token is over, and nothing in it could renew that.
pub fn over_for_good<'p>(
    registration: &Registration<'p>,
    response: &Value,
    given: &Grant,
    obtained_at: OffsetDateTime,
) -> Option<&'p str> {
    over(registration, response, obtained_at).filter(|_| !is_renewable(registration.profile, given))
}

/// Where a token response says something of an expiry that nobody can read. It costs no token; but
/// whoever hands it over can mend it before it counts as living for ever.
pub fn unreadable_expiries<'p>(
    registration: &Registration<'p>,
    response: &Value,
    obtained_at: OffsetDateTime,
) -> impl Iterator<Item = &'p ExpirySource> {
    let profile = registration.profile;
    let unreadable = |sources| expiry::unreadable(response, sources, obtained_at);
    let says_never = |source: &&ExpirySource| {
        let said = response.pointer(&source.pointer).and_then(Value::as_f64);
        profile.is_endless() && said.is_some_and(|number| number <= 0.0)
    };
    let access = unreadable(&profile.response.expiry).filter(|source| !says_never(source));
    access.into_iter().chain(unreadable(&profile.response.refresh_expiry))
}

fn over<'p>(
    registration: &Registration<'p>,
    response: &Value,
    obtained_at: OffsetDateTime,
) -> Option<&'p str> {
    let profile = registration.profile;
    let zero = expiry::zero(response, &profile.response.expiry, obtained_at)?;
    let token = response::text(response, &profile.response.access_token)?;
    let says_itself = jwt::claims(token).as_ref().and_then(jwt::expiry).is_some();
    (!says_itself && !profile.is_endless()).then_some(zero)
}

fn is_renewable(profile: &Profile, given: &Grant) -> bool {
    match profile.renewal {
        Renewal::RefreshToken => given.refresh_token.is_some(),
        Renewal::ClientCredentials => true,
        Renewal::None => false,
    }
}
