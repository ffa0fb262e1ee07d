//! Asking a provider whether it takes a client's credentials, without touching any grant.
//!
//! What is presented besides them is made up: 256 random bits that were never given out. A server
//! authenticates the client before it looks at the rest (RFC 6749 sections 4.1.3 and 6, RFC 7009
//! section 2.1, RFC 7662 section 2.1), so that its word on the rest tells whether it did. None of it can
//! end a grant:
//!
//! - A code that comes twice may end the tokens that it was redeemed for (RFC 6749 sections 4.1.2 and
//!   10.5), and a refresh token that comes twice the whole family (RFC 6749 section 10.4, RFC 9700
//!   section 4.14.2). Both are found by what was presented: what was never issued belongs to no grant.
//! - Revoking what is no token is an empty success (RFC 7009 section 2.2).
//! - Looking up what is no token says that it is not active and changes nothing (RFC 7662 section 2.2).
//! - A token of the client's own (RFC 6749 section 4.4) begins a grant. Nobody holds it, and it ends by
//!   itself; but a server that keeps one token for each client would end the one before, so whoever asks
//!   has to know that there is none.
//!
//! Some servers say yes to all that is asked about nothing: they find that there is no such token before
//! they look at who asks. So a yes counts only where the same question in [`disguise`] gets another
//! answer.

use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::{Error, Http, Refusal, Registration, introspect, revoke, token};
use crate::domain::{
    check::{Heard, Said, Way, weigh},
    provider::{AuthenticationMethod, RevokedBy},
    refusal::ErrorClass,
};

/// What came of one question.
#[derive(Debug)]
pub struct Answer {
    pub heard: Heard,
    /// What was said, where that was no yes.
    pub said: Option<Said>,
    /// For how long the provider asks to be left alone.
    pub pause: Option<Duration>,
}

impl Answer {
    fn plain(heard: Heard) -> Self {
        Self { heard, said: None, pause: None }
    }

    /// None came in time.
    pub fn none() -> Self {
        Self::plain(Heard::Unanswered)
    }
}

/// Asks by one way. `made_up` stands for the token, the code or whatever else the way presents.
pub async fn ask(
    http: &Http,
    registration: &Registration<'_>,
    way: Way,
    made_up: &SecretString,
) -> Answer {
    if let Err(Error::NoEndpoint(_)) = address(registration, way) {
        return Answer::plain(Heard::Nowhere);
    }
    let answer = match way {
        Way::ClientCredentials => {
            token::client_credentials(http, registration).await.map(|_| Heard::Accepted)
        }
        Way::Introspection => {
            let asked = introspect::introspect(http, registration, "access_token", made_up).await;
            // What calls this one active knows nothing.
            asked.map(|status| if status.active { Heard::Unclear } else { Heard::Accepted })
        }
        Way::Revocation => {
            let by_access = registration.profile.policy.revoked_by == RevokedBy::AccessToken;
            let (refresh, access) =
                if by_access { (None, Some(made_up)) } else { (Some(made_up), None) };
            revoke::revoke(http, registration, refresh, access).await.map(|_| Heard::Accepted)
        }
        // Nor does what gives a token for these.
        Way::Code => token::exchange(http, registration, made_up, made_up, None)
            .await
            .map(|_| Heard::Unclear),
        Way::RefreshToken => {
            token::refresh(http, registration, made_up).await.map(|_| Heard::Unclear)
        }
    };
    match answer {
        Ok(heard) => Answer::plain(heard),
        Err(refusal) => {
            let limited = refusal.class == ErrorClass::RateLimited;
            let (heard, pause) = (heard(way, &refusal), refusal.retry_after.filter(|_| limited));
            Answer { heard, said: Some(said(refusal)), pause }
        }
    }
}

/// The same client with a made-up secret. Where none is shown, or one can't be made up because it is a key,
/// it has a made-up id.
pub fn disguise<'a>(
    registration: Registration<'a>,
    way: Way,
    made_up: &'a SecretString,
) -> Registration<'a> {
    let method = registration.profile.request.authentication(way.call()).method;
    match registration.client_secret {
        Some(_) if method != AuthenticationMethod::PrivateKeyJwt => {
            Registration { client_secret: Some(made_up), ..registration }
        }
        _ => Registration { client_id: made_up.expose_secret(), ..registration },
    }
}

fn address(registration: &Registration<'_>, way: Way) -> Result<url::Url, Error> {
    let endpoints = &registration.profile.endpoints;
    let (name, template) = match way {
        Way::Introspection => ("introspection", &endpoints.introspection),
        Way::Revocation => ("revocation", &endpoints.revocation),
        Way::RefreshToken if endpoints.refresh.is_some() => ("refresh", &endpoints.refresh),
        Way::ClientCredentials | Way::Code | Way::RefreshToken => ("token", &endpoints.token),
    };
    registration.endpoint(name, template.as_deref())
}

fn heard(way: Way, refusal: &Refusal) -> Heard {
    let heard = match (refusal.sent, refusal.class) {
        (false, ErrorClass::RequestRefused) => Heard::Unsent,
        _ => weigh(refusal.class, refusal.status, refusal.code.as_deref()),
    };
    // Only of what presents a grant can it be said that the grant is refused.
    match way {
        Way::Code | Way::RefreshToken => heard,
        Way::ClientCredentials | Way::Introspection | Way::Revocation => match heard {
            Heard::Accepted => Heard::Unclear,
            other => other,
        },
    }
}

fn said(refusal: Refusal) -> Said {
    let Refusal { status, code, description, .. } = refusal;
    Said { status, code, description }
}

#[cfg(test)]
mod tests;
