//! Whose account a grant is for.

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::{Account, Error, Grant, Http, Registration, dialect, jwt, response::Seen, token};
use crate::domain::provider::{IdentityOrigin, Method};

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
    let Ok(Some(userinfo)) = ask(http, registration, grant).await else {
        return known.cloned();
    };
    let id_token = grant.id_token.as_ref().and_then(|token| jwt::claims(token.expose_secret()));
    // OpenID Connect Core section 5.3.2: another subject's claims must not be used.
    let subject = id_token.as_ref().and_then(|claims| claims.get("sub"));
    if userinfo.get("sub").is_some() && subject.is_some() && userinfo.get("sub") != subject {
        return known.cloned();
    }
    let seen = Seen { userinfo: Some(&userinfo), ..Seen::default() };
    match known {
        Some(account) => Some(Account { label: seen.label(registration), ..account.clone() }),
        None => seen.account(registration),
    }
}

async fn ask(
    http: &Http,
    registration: &Registration<'_>,
    grant: &Grant,
) -> Result<Option<serde_json::Value>, Error> {
    let request = prepare(registration, &grant.access_token)?;
    let answer = http.0.client.send(request).await;
    Ok(answer
        .ok()
        .filter(|answer| (200..300).contains(&answer.status))
        .and_then(|answer| token::data(&answer)))
}

/// The request that asks the userinfo endpoint.
pub(super) fn prepare(
    registration: &Registration<'_>,
    access_token: &SecretString,
) -> Result<reqwest::Request, Error> {
    let profile = registration.profile;
    let url = registration.endpoint("userinfo", profile.endpoints.userinfo.as_deref())?;
    let unfit = || Error::Credentials("the access token fits into no header".into());
    let method = profile.userinfo.method.unwrap_or(Method::Get);
    let mut request = reqwest::Request::new(dialect::wire(method), url);
    let bearer = format!("Bearer {}", access_token.expose_secret());
    let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| unfit())?;
    bearer.set_sensitive(true);
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, bearer);
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
