//! Whose account a grant is for.

use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::{
    Account, Error, Grant, Http, Registration, classify, dialect, jwt,
    response::{Seen, Tokens},
    token,
};
use crate::domain::provider::{IdentityOrigin, Method, Profile, TokenPlace};

/// Whether the userinfo endpoint says whose a grant is.
pub fn is_told_by_userinfo(profile: &Profile) -> bool {
    profile.response.account.id.iter().any(|source| source.from == IdentityOrigin::Userinfo)
}

/// What the grant itself says, completed by the userinfo endpoint (OpenID Connect Core section
/// 5.3) where the profile looks there. A failure is no error: a grant is worth keeping even when
/// it can't be named, so then what the grant said stands, which may be nothing.
pub async fn identify(
    http: &Http,
    registration: &Registration<'_>,
    grant: &Grant,
) -> Option<Account> {
    let identity = &registration.profile.response.account;
    let looks_there = |sources: &[crate::domain::provider::AccountSource]| {
        sources.iter().any(|source| source.from == IdentityOrigin::Userinfo)
    };
    let known = grant.account.as_ref();
    let missing = match known {
        None => looks_there(&identity.id),
        Some(account) => account.label.is_none() && looks_there(&identity.label),
    };
    if !missing {
        return known.cloned();
    }
    let Ok(Heard::Told(userinfo)) = ask(http, registration, &grant.access_token).await else {
        return known.cloned();
    };
    let id_token = grant.id_token.as_ref().and_then(|token| jwt::claims(token.expose_secret()));
    // OpenID Connect Core section 5.3.2: another subject's claims must not be used.
    let subject = id_token.as_ref().and_then(|claims| claims.get("sub"));
    if userinfo.get("sub").is_some() && subject.is_some() && userinfo.get("sub") != subject {
        return known.cloned();
    }
    let tokens = [Some(&grant.access_token), grant.refresh_token.as_ref(), grant.id_token.as_ref()];
    let tokens = Tokens(tokens.map(|token| token.map(|token| token.expose_secret())));
    let seen = Seen { userinfo: Some(&userinfo), tokens, ..Seen::default() };
    match known {
        Some(account) => Some(Account { label: seen.label(registration), ..account.clone() }),
        None => seen.account(registration),
    }
}

/// What the userinfo endpoint says of whose an access token is.
pub enum Answer {
    Account(Account),
    /// It answers, and does not say it.
    Silent,
    /// Nobody answers at its address.
    Unreached,
    /// It is not able to answer now; for how long, where it says so.
    Busy(Option<Duration>),
}

/// Asks the userinfo endpoint whose an access token is.
pub async fn look_up(
    http: &Http,
    registration: &Registration<'_>,
    access_token: &SecretString,
) -> Answer {
    let userinfo = match ask(http, registration, access_token).await {
        Ok(Heard::Told(userinfo)) => userinfo,
        Ok(Heard::Nothing) | Err(_) => return Answer::Silent,
        Ok(Heard::Unreached) => return Answer::Unreached,
        Ok(Heard::Busy(wait)) => return Answer::Busy(wait),
    };
    let tokens = Tokens([Some(access_token.expose_secret()), None, None]);
    let seen = Seen { userinfo: Some(&userinfo), tokens, ..Seen::default() };
    seen.account(registration).map_or(Answer::Silent, Answer::Account)
}

enum Heard {
    Told(serde_json::Value),
    Nothing,
    Unreached,
    Busy(Option<Duration>),
}

async fn ask(
    http: &Http,
    registration: &Registration<'_>,
    access_token: &SecretString,
) -> Result<Heard, Error> {
    let request = prepare(registration, access_token)?;
    let Ok(answer) = http.0.client.send(request).await else { return Ok(Heard::Unreached) };
    Ok(match answer.status {
        200..300 => token::data(&answer).map_or(Heard::Nothing, Heard::Told),
        408 | 425 | 429 | 500.. => {
            Heard::Busy(classify::retry_after(&answer.headers, http.0.clock.now()))
        }
        _ => Heard::Nothing,
    })
}

/// The request that asks the userinfo endpoint.
pub(super) fn prepare(
    registration: &Registration<'_>,
    access_token: &SecretString,
) -> Result<reqwest::Request, Error> {
    let profile = registration.profile;
    let mut url = registration.endpoint("userinfo", profile.endpoints.userinfo.as_deref())?;
    let unfit = || Error::Credentials("the access token fits into no header".into());
    let method = profile.userinfo.method.unwrap_or(Method::Get);
    let (presented, token) = (&profile.userinfo.token, access_token.expose_secret());
    if presented.place == TokenPlace::Query {
        url.query_pairs_mut().append_pair(presented.name(), token);
    }
    let mut request = reqwest::Request::new(dialect::wire(method), url);
    let headers = request.headers_mut();
    if presented.place == TokenPlace::Header {
        let name = HeaderName::from_bytes(presented.name().as_bytes()).map_err(|_| unfit())?;
        let value = match presented.scheme() {
            Some(scheme) => HeaderValue::from_str(&format!("{scheme} {token}")),
            None => HeaderValue::from_str(token),
        };
        let mut value = value.map_err(|_| unfit())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(body) = &profile.userinfo.json {
        headers.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.clone().into());
    }
    for (name, template) in &profile.userinfo.headers {
        let Some(value) = registration.fill(template)? else { continue };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        let value = HeaderValue::from_str(&value).map_err(|_| unfit())?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::prepare;
    use crate::{
        domain::provider::{Presentation, TokenPlace},
        server::provider::tests::Owned,
    };

    #[test]
    fn the_token_is_presented_as_the_profile_says() {
        let at = "https://service.example";
        let shown = |place, name: Option<&str>, scheme: Option<&str>| {
            let mut owned = Owned::at(at);
            owned.profile.userinfo.token =
                Presentation { place, name: name.map(Into::into), scheme: scheme.map(Into::into) };
            let request = prepare(&owned.registration(), &SecretString::from("the/token")).unwrap();
            let mut headers: Vec<_> = request
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .filter(|header| !header.starts_with("accept:"))
                .collect();
            headers.sort();
            (request.url().as_str().strip_prefix(at).unwrap().to_owned(), headers)
        };
        let (header, query) = (TokenPlace::Header, TokenPlace::Query);
        for (name, scheme, wanted) in [
            (None, None, "authorization: Bearer the/token"),
            (None, Some("Zoho-oauthtoken"), "authorization: Zoho-oauthtoken the/token"),
            (None, Some(""), "authorization: the/token"),
            (Some("authorization"), None, "authorization: Bearer the/token"),
            (Some("X-Token"), None, "x-token: the/token"),
            (Some("X-Token"), Some("Token"), "x-token: Token the/token"),
        ] {
            assert_eq!(shown(header, name, scheme), ("/userinfo".into(), vec![wanted.into()]));
        }
        let (url, headers) = shown(query, None, None);
        assert_eq!((url.as_str(), headers), ("/userinfo?access_token=the%2Ftoken", vec![]));
        assert_eq!(shown(query, Some("key"), None).0, "/userinfo?key=the%2Ftoken");
    }
}
