//! Requests that are built and not sent, and answers that came from nowhere.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::{
    Error, Grant, Refusal, Registration, authorize,
    dialect::Prepared,
    guard::Answer,
    jwt,
    redact::Redactor,
    response::Origin,
    revoke,
    token::{self, Intent},
};
use crate::{
    domain::{
        dry_run::{Answered, DryHeader, DryRequest, Sample},
        provider::{AuthenticationMethod, Call, GrantType, Profile, Renewal},
    },
    server::clock::Rng,
};

/// The requests of this client's connections, with words in capitals for what is secret or differs
/// each time.
pub fn requests(
    registration: &Registration<'_>,
    now: OffsetDateTime,
    rng: &dyn Rng,
) -> Vec<DryRequest> {
    let stand_in = |text: &str| SecretString::from(text);
    let (code, verifier) = (stand_in("CODE"), stand_in("CODE-VERIFIER"));
    let (refresh_token, secret) = (stand_in("REFRESH-TOKEN"), stand_in("CLIENT-SECRET"));
    let profile = registration.profile;
    let offers_code = profile.allows(GrantType::AuthorizationCode);
    let ask = |call, intent| {
        shown(registration, call, &secret, |registration| {
            token::prepare(registration, intent, now, rng)
        })
    };
    let mut requests = Vec::new();
    if offers_code {
        let request = authorize::Request {
            state: "STATE",
            code_verifier: &verifier,
            nonce: Some("NONCE"),
            login_hint: None,
        };
        let url = authorize::url(registration, &request);
        requests.push(authorization(url, registration.profile, &verifier));
        let intent = Intent::Exchange { code: &code, code_verifier: &verifier };
        requests.push(ask(Call::Exchange, intent));
    }
    if profile.allows(GrantType::ClientCredentials) || profile.renewal == Renewal::ClientCredentials
    {
        requests.push(ask(Call::ClientCredentials, Intent::ClientCredentials));
    }
    if profile.renewal == Renewal::RefreshToken {
        requests.push(ask(Call::Refresh, Intent::Refresh { refresh_token: &refresh_token }));
    }
    if profile.endpoints.revocation.is_some() {
        requests.push(shown(registration, Call::Revocation, &secret, |registration| {
            revoke::prepare(registration, "refresh_token", &refresh_token, now, rng)
        }));
    }
    requests
}

fn authorization(
    url: Result<url::Url, Error>,
    profile: &Profile,
    verifier: &SecretString,
) -> DryRequest {
    let (url, problem) = match url {
        Ok(url) => {
            let challenge = authorize::challenge(profile.authorization.pkce, verifier);
            let challenge = challenge.map_or_else(|| "CODE-CHALLENGE".into(), |(text, _)| text);
            (String::from(url).replace(&challenge, "CODE-CHALLENGE"), None)
        }
        Err(error) => (String::new(), Some(error.to_string())),
    };
    DryRequest {
        call: "authorize".into(),
        method: "GET".into(),
        url,
        headers: Vec::new(),
        body: String::new(),
        problem,
    }
}

fn shown(
    registration: &Registration<'_>,
    call: Call,
    stand_in: &SecretString,
    build: impl FnOnce(&Registration<'_>) -> Result<Prepared, Error>,
) -> DryRequest {
    // An assertion can be signed with nothing but the key itself.
    let signs = matches!(
        registration.profile.request.authentication(call).method,
        AuthenticationMethod::PrivateKeyJwt | AuthenticationMethod::ClientSecretJwt
    );
    let client_secret = registration.client_secret.map(|real| if signs { real } else { stand_in });
    let mut request = DryRequest {
        call: name(call).into(),
        method: String::new(),
        url: String::new(),
        headers: Vec::new(),
        body: String::new(),
        problem: None,
    };
    let prepared = match build(&Registration { client_secret, ..*registration }) {
        Ok(prepared) => prepared,
        Err(error) => {
            request.problem = Some(error.to_string());
            return request;
        }
    };
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        // Nothing in it is changed by any encoding.
        match &prepared.assertion {
            Some(signed) => text.replace(signed.expose_secret(), "CLIENT-ASSERTION"),
            None => text,
        }
    };
    request.method = prepared.method.to_string();
    request.url = text(prepared.url.as_str().as_bytes());
    request.headers = prepared
        .headers
        .iter()
        .map(|(name, value)| DryHeader { name: name.to_string(), value: text(value.as_bytes()) })
        .collect();
    request.headers.sort_by(|a, b| a.name.cmp(&b.name));
    request.body = text(&prepared.body);
    request
}

fn name(call: Call) -> &'static str {
    match call {
        Call::Exchange => "exchange",
        Call::Refresh => "refresh",
        Call::ClientCredentials => "client_credentials",
        Call::Revocation => "revoke",
        _ => "other",
    }
}

/// Reads a sample as if it had just come: the grant and whether its id token would be taken after a
/// consent, or the refusal.
pub fn read(
    registration: &Registration<'_>,
    sample: &Sample,
    now: OffsetDateTime,
) -> Result<(Grant, Result<(), &'static str>), Refusal> {
    let kind = sample.content_type.as_deref().unwrap_or("application/json");
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(kind) {
        headers.insert(CONTENT_TYPE, value);
    }
    let body = sample.body.trim().as_bytes().to_vec();
    let answer = Answer { status: sample.status.unwrap_or(200), headers, body };
    let issuer = registration.issuer()?;
    let client_id = registration.client_id;
    let expected = jwt::Expected { issuer: issuer.as_deref(), client_id, nonce: None, now };
    let origin = match sample.answers {
        Answered::Refresh => Origin::Refresh,
        Answered::Exchange | Answered::ClientCredentials => Origin::Beginning,
    };
    token::read(registration, &answer, origin, &expected, &Redactor::default(), false, now)
}
