//! Requests that are built and not sent, and answers that came from nowhere.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Error, Grant, Refusal, Registration, account, authorize, device,
    dialect::Prepared,
    guard::Answer,
    introspect, jwt, oddity,
    redact::{self, Redactor},
    response::Origin,
    revoke,
    token::{self, Intent},
    unread,
};
use crate::{
    domain::{
        dry_run::{Answered, DryHeader, DryRequest, Sample},
        provider::{AuthenticationMethod, Call, GrantType, Profile, Renewal},
        refusal::ErrorClass,
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
    let (device_code, subject_token) = (stand_in("DEVICE-CODE"), stand_in("SUBJECT-TOKEN"));
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
    if profile.allows(GrantType::DeviceCode) {
        requests.push(shown(registration, Call::Device, &secret, |registration| {
            device::prepare(registration, now, rng)
        }));
        requests.push(ask(Call::DeviceToken, Intent::Device { device_code: &device_code }));
    }
    if profile.allows(GrantType::TokenExchange) {
        let subject = token::Subject {
            token: &subject_token,
            token_type: "urn:ietf:params:oauth:token-type:access_token",
            audience: None,
            resource: None,
        };
        requests.push(ask(Call::TokenExchange, Intent::TokenExchange(subject)));
    }
    if profile.allows(GrantType::ClientCredentials) || profile.renewal == Renewal::ClientCredentials
    {
        requests.push(ask(Call::ClientCredentials, Intent::ClientCredentials));
    }
    if profile.renewal == Renewal::RefreshToken {
        requests.push(ask(Call::Refresh, Intent::Refresh { refresh_token: &refresh_token }));
    }
    let access_token = stand_in("ACCESS-TOKEN");
    if profile.endpoints.userinfo.is_some() {
        requests.push(userinfo(account::prepare(registration, &access_token)));
    }
    if profile.endpoints.introspection.is_some() {
        requests.push(shown(registration, Call::Introspection, &secret, |registration| {
            introspect::prepare(registration, "access_token", &access_token, now, rng)
        }));
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
        problem,
        ..DryRequest::default()
    }
}

fn userinfo(prepared: Result<reqwest::Request, Error>) -> DryRequest {
    let mut shown = DryRequest { call: "userinfo".into(), ..DryRequest::default() };
    match prepared {
        Ok(request) => {
            shown.method = request.method().to_string();
            shown.url = request.url().to_string();
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            shown.headers = request
                .headers()
                .iter()
                .map(|(name, value)| DryHeader { name: name.to_string(), value: text(value) })
                .collect();
            shown.headers.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Err(error) => shown.problem = Some(error.to_string()),
    }
    shown
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
    let mut request = DryRequest { call: name(call).into(), ..DryRequest::default() };
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
        Call::Introspection => "introspect",
        Call::Device => "device_authorization",
        Call::DeviceToken => "device_token",
        Call::TokenExchange => "token_exchange",
    }
}

/// What would be taken of a sample.
pub struct Taken {
    pub grant: Grant,
    /// Whether its id token would be taken after a consent.
    pub id_token: Result<(), &'static str>,
    /// Where it says something of an expiry that can't be read.
    pub unreadable: Vec<String>,
    /// Where it holds what looks like a token or its end, and nothing looks.
    pub unread: Vec<String>,
}

/// Why nothing would be taken of a sample.
pub struct Untaken {
    pub refusal: Refusal,
    /// What its body is, where it is no data.
    pub body_problem: Option<String>,
    /// Where it holds what looks like a token or its end, and nothing looks.
    pub unread: Vec<String>,
}

impl From<Error> for Untaken {
    fn from(error: Error) -> Self {
        Self { refusal: error.into(), body_problem: None, unread: Vec::new() }
    }
}

/// Reads a sample as if it had just come.
pub fn read(
    registration: &Registration<'_>,
    sample: &Sample,
    now: OffsetDateTime,
) -> Result<Taken, Untaken> {
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
    let data = token::data(&answer);
    let body_problem = match &data {
        None => Some(oddity::of_text(&sample.body, kind)),
        Some(value) => oddity::of_data(value).map(str::to_owned),
    };
    let value = data.unwrap_or_default();
    let hidden = tokens(registration, &value);
    let read = token::read(registration, &answer, origin, &expected, &hidden, false, now);
    let (grant, id_token) = read.map_err(|refusal| Untaken {
        body_problem,
        // A refusal that says what it is has no token to hide.
        unread: match refusal.class {
            ErrorClass::AnswerLost => unread::all(registration, &value, None, now),
            _ => Vec::new(),
        },
        refusal: without_tokens(refusal),
    })?;
    let unreadable = token::unreadable_expiries(registration, &value, now);
    let unreadable: Vec<String> = unreadable.map(|source| source.pointer.clone()).collect();
    let mut unread = unread::all(registration, &value, Some(&grant), now);
    unread.retain(|place| !unreadable.contains(place));
    Ok(Taken { grant, id_token, unreadable, unread })
}

/// The tokens of a sample, which it may repeat in its error.
fn tokens(registration: &Registration<'_>, value: &Value) -> Redactor {
    let response = &registration.profile.response;
    let mut hidden = Redactor::default();
    [&response.access_token, &response.refresh_token, &response.id_token]
        .into_iter()
        .flatten()
        .filter_map(|pointer| value.pointer(pointer)?.as_str())
        .for_each(|token| hidden.hide(token));
    hidden
}

/// Of a call of ours we know which tokens an error may repeat; whoever pastes a sample may have cut
/// them out, and not of the error's own words.
fn without_tokens(mut refusal: Refusal) -> Refusal {
    for text in [&mut refusal.code, &mut refusal.description].into_iter().flatten() {
        *text = redact::clear_lookalikes(text);
    }
    refusal
}
