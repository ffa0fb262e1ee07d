//! What Regrant makes of a preset and its samples, as text.

use std::fmt::Write as _;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

use super::Golden;
use crate::{
    domain::provider::{GrantType, Profile, Renewal, RevokedBy},
    server::{
        clock::Rng,
        provider::{
            Account, Error, Grant, account, authorize, classify, device,
            dialect::Prepared,
            guard::Answer,
            introspect, jwt, profile,
            redact::Redactor,
            response::{self, Origin, Seen},
            revoke,
            tests::Owned,
            token::{self, Intent},
        },
    },
};

const NOW: OffsetDateTime = datetime!(2026-01-01 00:00:00 UTC);

/// Stands between two scopes, whatever separates them on the wire.
const SHOWN_SEPARATOR: &str = ", ";

/// Gives the same byte for ever.
struct FixedRng;

impl Rng for FixedRng {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x42);
    }
}

/// The second half of a golden file.
pub(super) fn derive(profile: &Profile, golden: &Golden) -> Result<String, String> {
    let mut owned = Owned::new(profile.clone());
    owned.client_id = golden.client_id.clone().unwrap_or_else(|| "the-client-id".into());
    owned.secret = Some(SecretString::from("the-client-secret"));
    owned.scopes.clone_from(&profile.authorization.default_scopes);
    owned.variables.clone_from(&golden.variables);
    for variable in &profile.variables {
        if variable.default.as_deref().is_none_or(str::is_empty)
            && let Some(first) = variable.choices.first()
        {
            owned.variables.entry(variable.name.clone()).or_insert_with(|| first.value.clone());
        }
    }
    profile::check_variables(profile, &owned.variables, true).map_err(|e| e.to_string())?;

    let mut out = String::new();
    requests(&owned, &mut out);
    reading(&owned, golden, &mut out)?;
    Ok(out)
}

fn section(out: &mut String, title: &str, body: &str) {
    let _ = writeln!(out, "--- {title}\n{}\n", body.trim_end());
}

fn requests(owned: &Owned, out: &mut String) {
    let registration = owned.registration();
    let profile = registration.profile;
    let code = SecretString::from("the-code");
    let refresh_token = SecretString::from("the-refresh-token");
    let access_token = SecretString::from("the-access-token");
    // RFC 7636 appendix B.
    let code_verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let prepare =
        |intent| shown(token::prepare(&registration, intent, NOW, &FixedRng).and_then(wire));

    if profile.allows(GrantType::AuthorizationCode) {
        let request = authorize::Request {
            state: "the-state",
            code_verifier: &code_verifier,
            nonce: Some("the-nonce"),
            login_hint: None,
        };
        let url = authorize::url(&registration, &request);
        section(out, "authorize", &shown(url.map(|url| format!("GET {url}"))));
        let intent = Intent::Exchange { code: &code, code_verifier: &code_verifier };
        section(out, "exchange", &prepare(intent));
    }
    if profile.allows(GrantType::ClientCredentials) {
        section(out, "client credentials", &prepare(Intent::ClientCredentials));
    }
    if profile.allows(GrantType::DeviceCode) {
        let request = device::prepare(&registration, NOW, &FixedRng).and_then(wire);
        section(out, "ask for a code", &shown(request));
        section(out, "ask about the code", &prepare(Intent::Device { device_code: &code }));
    }
    if profile.renewal == Renewal::RefreshToken {
        section(out, "refresh", &prepare(Intent::Refresh { refresh_token: &refresh_token }));
    }
    let revocation = profile.endpoints.revocation.as_deref();
    if registration.endpoint("revocation", revocation).is_ok() {
        let revoke = |hint, token| {
            let request = revoke::prepare(&registration, hint, token, NOW, &FixedRng);
            shown(request.and_then(wire))
        };
        let by = profile.policy.revoked_by;
        if by != RevokedBy::AccessToken {
            section(out, "revoke the refresh token", &revoke("refresh_token", &refresh_token));
        }
        if by != RevokedBy::RefreshToken {
            section(out, "revoke the access token", &revoke("access_token", &access_token));
        }
    }
    if profile.endpoints.introspection.is_some() {
        let hint = "access_token";
        match introspect::prepare(&registration, hint, &access_token, NOW, &FixedRng) {
            Err(Error::NoEndpoint(_)) => {}
            request => section(out, "introspect", &shown(request.and_then(wire))),
        }
    }
    if profile.endpoints.userinfo.is_some() {
        match account::prepare(&registration, &access_token) {
            Err(Error::NoEndpoint(_)) => {}
            request => section(out, "userinfo", &shown(request.map(sent))),
        }
    }
}

fn wire(prepared: Prepared) -> Result<String, Error> {
    Ok(sent(prepared.into_request().0))
}

fn shown(request: Result<String, Error>) -> String {
    request.unwrap_or_else(|error| format!("none: {error}"))
}

/// A request as it goes out: method and address, headers in order, body.
fn sent(request: reqwest::Request) -> String {
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(body).replace('\r', "");
    format!("{} {}\n{}\n\n{body}", request.method(), request.url(), headers.join("\n"))
}

fn reading(owned: &Owned, golden: &Golden, out: &mut String) -> Result<(), String> {
    let registration = owned.registration();
    let sample = golden.response.as_ref().ok_or("has no sample response")?;
    let issuer = registration.issuer().map_err(|error| error.to_string())?;
    let expected = jwt::Expected {
        issuer: issuer.as_deref(),
        client_id: registration.client_id,
        nonce: None,
        now: OffsetDateTime::UNIX_EPOCH,
    };
    let (grant, verdict) =
        response::grant(&registration, sample, Origin::Beginning, NOW, &expected)
            .ok_or("the sample response holds no access token")?;
    section(out, "read from the sample response", &told(&grant, verdict));

    if let Some(userinfo) = &golden.userinfo {
        let seen = Seen { userinfo: Some(userinfo), ..Seen::default() };
        let account = seen.account(&registration);
        let label = seen.label(&registration);
        let mut text = String::new();
        let _ = writeln!(text, "account: {}", account_text(account.as_ref()));
        if account.is_none() {
            let _ = writeln!(text, "label: {}", label.as_deref().unwrap_or("none"));
        }
        section(out, "read from the sample userinfo", &text);
    }

    let mut text = String::new();
    for (status, body) in &golden.refusals {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = Answer { status: *status, headers, body: body.clone().into_bytes() };
        let value = response::body(&answer.body, Some("application/json"));
        if value.as_ref().is_some_and(|value| {
            (200..300).contains(status)
                && response::grant(&registration, value, Origin::Refresh, NOW, &expected).is_some()
        }) {
            return Err(format!("{status} {body} is read as tokens"));
        }
        let errors = &registration.profile.errors;
        let hidden = Redactor::default();
        let refusal = classify::refusal(errors, &answer, value.as_ref(), false, &hidden, NOW);
        let _ = writeln!(
            text,
            "{status} {} -> {}{}",
            refusal.code.as_deref().unwrap_or("without a code"),
            refusal.class.as_str(),
            refusal.description.map(|text| format!(" ({text})")).unwrap_or_default()
        );
    }
    if !text.is_empty() {
        section(out, "read from the sample refusals", &text);
    }
    // One line ends the file.
    out.truncate(out.trim_end().len());
    out.push('\n');
    Ok(())
}

fn told(grant: &Grant, verdict: Result<(), &str>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name}: {value}");
    };
    let secret = |token: Option<&SecretString>| {
        token.map_or_else(|| "none".into(), |token| token.expose_secret().to_owned())
    };
    line("access token", secret(Some(&grant.access_token)));
    line("refresh token", secret(grant.refresh_token.as_ref()));
    if grant.id_token.is_some() {
        line("id token", verdict.map_or_else(|why| format!("unfit: {why}"), |()| "fits".into()));
    }
    line("token type", grant.token_type.clone());
    line(
        "scopes",
        grant.scopes.as_ref().map_or_else(|| "not said".into(), |all| all.join(SHOWN_SEPARATOR)),
    );
    line("access token expires", moment(grant.access_expires_at));
    line("refresh token expires", moment(grant.refresh_expires_at));
    line("account", account_text(grant.account.as_ref()));
    for (name, value) in &grant.extras {
        line(&format!("extra {name}"), value.to_string());
    }
    text
}

fn account_text(account: Option<&Account>) -> String {
    match account {
        None => "not said".into(),
        Some(Account { id, label: None }) => id.clone(),
        Some(Account { id, label: Some(label) }) => format!("{id} ({label})"),
    }
}

fn moment(at: Option<OffsetDateTime>) -> String {
    let Some(at) = at else { return "not said".into() };
    let seconds = (at - NOW).whole_seconds();
    let day = 86_400;
    let span = match seconds {
        _ if seconds >= day && seconds % day == 0 => format!("{} days", seconds / day),
        _ if seconds >= 3_600 && seconds % 3_600 == 0 => format!("{} hours", seconds / 3_600),
        _ if seconds >= 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    };
    format!("{}, {span} from now", at.format(&Rfc3339).unwrap_or_default())
}
