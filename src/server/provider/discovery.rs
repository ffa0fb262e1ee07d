//! A profile from what an issuer says of itself (RFC 8414, OpenID Connect Discovery 1.0).

use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::{Error, Http, guard::Failure, profile};
use crate::domain::provider::{
    AccountIdentity, AccountSource, AuthenticationMethod, GrantType, IdentityOrigin, Pkce, Profile,
};

/// What is read of the metadata (RFC 8414 section 2).
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    grant_types_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    service_documentation: Option<String>,
}

/// A draft profile for `issuer`, whose metadata must name exactly this issuer, byte for byte
/// (RFC 8414 section 3.3).
///
/// Whoever gives the metadata's own address gets the issuer that has it there; whether that ends in a slash does
/// not show, so it may be either.
pub async fn discover(http: &Http, issuer: &str) -> Result<Profile, Error> {
    let failed = |why: String| Error::Discovery(why);
    let url = Url::parse(issuer).map_err(|_| {
        failed(format!("{issuer:?} is no address; one looks like https://login.example.com"))
    })?;
    if url.query().is_some() || url.fragment().is_some() || url.cannot_be_a_base() {
        return Err(failed("an issuer has neither query nor fragment".into()));
    }
    let cut = issuer_at(&url);
    if cut.is_none() && url.path().contains("/.well-known/") {
        return Err(failed(format!("{issuer} is the address of something else than metadata")));
    }
    let asked = Asked { issuer: cut.as_deref().unwrap_or(issuer), or_with_slash: cut.is_some() };
    let url = Url::parse(asked.issuer).unwrap_or(url);
    let (mut wrong, mut absent) = (None, None);
    for address in places(&url) {
        match look(http, &address, asked).await {
            Ok(metadata) => {
                let draft = draft(metadata, &url);
                profile::check(&draft)?;
                return Ok(draft);
            }
            Err(Miss::Blocked(why)) => return Err(Error::Blocked(why)),
            Err(Miss::Wrong(why)) => wrong = wrong.or(Some(why)),
            Err(Miss::Absent(why)) => absent = absent.or(Some(why)),
        }
    }
    // That nothing is there says least: it stands in one of the places only.
    Err(failed(wrong.or(absent).unwrap_or_default()))
}

/// The issuer that has its metadata at `url`, without a slash at its end; `None`: no metadata stands there.
fn issuer_at(url: &Url) -> Option<String> {
    let (before, after) = url.path().split_once("/.well-known/")?;
    let names = ["openid-configuration", "oauth-authorization-server"];
    let rest = names.into_iter().find_map(|name| after.strip_prefix(name))?;
    let whole = rest.is_empty() || rest.starts_with('/');
    let origin = url.origin().ascii_serialization();
    whole.then(|| format!("{origin}{before}{}", rest.trim_end_matches('/')))
}

/// Why a place has no metadata for us. Another may have.
enum Miss {
    /// Nothing is there, or nothing came from there.
    Absent(String),
    /// Something else is there: a page for people, the metadata of another.
    Wrong(String),
    /// It is not for us to ask.
    Blocked(String),
}

/// Whose metadata is asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    issuer: &'a str,
    /// The same with a slash at its end will do too.
    or_with_slash: bool,
}

impl Asked<'_> {
    fn is(self, issuer: &str) -> bool {
        issuer == self.issuer || self.or_with_slash && issuer.strip_suffix('/') == Some(self.issuer)
    }
}

/// Reads the metadata of `asked` at `address`.
async fn look(http: &Http, address: &Url, asked: Asked<'_>) -> Result<Metadata, Miss> {
    let mut request = reqwest::Request::new(reqwest::Method::GET, address.clone());
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = http.0.client.send(request).await.map_err(|failure| match failure {
        Failure::Blocked(why) => Miss::Blocked(why),
        Failure::Connect(why) => Miss::Absent(format!("{why} (asked {address})")),
        Failure::Lost { what, .. } => Miss::Absent(format!("{what} (asked {address})")),
    })?;
    if answer.status != 200 {
        return Err(Miss::Absent(format!("{address} answered {}", answer.status)));
    }
    let metadata: Metadata = serde_json::from_slice(&answer.body).map_err(|error| {
        Miss::Wrong(format!("{address} holds no metadata: {}", unfit(&answer.body, &error)))
    })?;
    if !asked.is(&metadata.issuer) {
        let issuer = asked.issuer;
        let other: String = metadata.issuer.chars().take(200).collect();
        return Err(Miss::Wrong(format!(
            "{address} speaks for the issuer {other:?}, not for {issuer:?}; they must be equal to \
             the last character"
        )));
    }
    Ok(metadata)
}

/// What a body is that is no metadata.
fn unfit(body: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with('<') {
        return "it is a page for people (HTML)".into();
    }
    if error.classify() != serde_json::error::Category::Data {
        return "it is not JSON".into();
    }
    let said = error.to_string();
    match said.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((name, _)) => format!("it does not say its {name:?}"),
        None => "its fields are not those of RFC 8414".into(),
    }
}

/// Where metadata may stand: OpenID's place after the issuer's path, RFC 8414's before it.
fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut found: Vec<Url> = Vec::new();
    for place in [
        format!("{path}/.well-known/openid-configuration"),
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
    ] {
        let mut url = issuer.clone();
        url.set_path(&place);
        if !found.contains(&url) {
            found.push(url);
        }
    }
    found
}

fn draft(metadata: Metadata, issuer: &Url) -> Profile {
    let host = issuer.host_str().unwrap_or_default();
    let mut profile = Profile::new(slug(issuer), host);
    profile.issuer = Some(metadata.issuer);
    profile.links.docs = metadata.service_documentation.filter(|link| link.starts_with("https://"));
    let endpoints = &mut profile.endpoints;
    endpoints.authorization = metadata.authorization_endpoint;
    endpoints.token = metadata.token_endpoint;
    endpoints.revocation = metadata.revocation_endpoint;
    endpoints.introspection = metadata.introspection_endpoint;
    endpoints.userinfo = metadata.userinfo_endpoint;
    endpoints.device_authorization = metadata.device_authorization_endpoint;

    // RFC 8414's defaults, where the metadata is silent.
    let offers = |grant: &str| match &metadata.grant_types_supported {
        Some(grants) => grants.iter().any(|each| each == grant),
        None => grant == "authorization_code",
    };
    profile.grants = [
        (GrantType::AuthorizationCode, offers("authorization_code")),
        (GrantType::ClientCredentials, offers("client_credentials")),
        (
            GrantType::DeviceCode,
            offers("urn:ietf:params:oauth:grant-type:device_code")
                && profile.endpoints.device_authorization.is_some(),
        ),
        (GrantType::TokenExchange, offers("urn:ietf:params:oauth:grant-type:token-exchange")),
    ]
    .into_iter()
    .filter_map(|(grant, offered)| offered.then_some(grant))
    .collect();
    profile.request.authentication.method =
        authentication(metadata.token_endpoint_auth_methods_supported.as_deref());
    // A server that names no method most likely ignores the proof; S256 does no harm there.
    if let Some(methods) = metadata.code_challenge_methods_supported
        && !methods.iter().any(|method| method == "S256")
        && methods.iter().any(|method| method == "plain")
    {
        profile.authorization.pkce = Pkce::Plain;
    }
    profile.authorization.iss_required = metadata.authorization_response_iss_parameter_supported;

    let has = |scope: &str| metadata.scopes_supported.iter().any(|each| each == scope);
    profile.authorization.default_scopes = ["openid", "email", "profile", "offline_access"]
        .into_iter()
        .filter(|scope| has(scope))
        .map(Into::into)
        .collect();
    if has("offline_access") {
        // OpenID Connect Core section 11.
        profile.authorization.extra.insert("prompt".into(), "consent".into());
    }
    profile.response.account = identity(profile.endpoints.userinfo.is_some());
    profile
}

fn authentication(offered: Option<&[String]>) -> AuthenticationMethod {
    let Some(offered) = offered else { return AuthenticationMethod::Basic };
    [
        ("client_secret_basic", AuthenticationMethod::Basic),
        ("client_secret_post", AuthenticationMethod::Post),
        ("private_key_jwt", AuthenticationMethod::PrivateKeyJwt),
        ("client_secret_jwt", AuthenticationMethod::ClientSecretJwt),
        ("none", AuthenticationMethod::None),
    ]
    .into_iter()
    .find(|(name, _)| offered.iter().any(|each| each == name))
    .map_or(AuthenticationMethod::Basic, |(_, method)| method)
}

fn identity(userinfo: bool) -> AccountIdentity {
    let sources = |pointers: &[&str]| {
        let origins = [IdentityOrigin::IdToken, IdentityOrigin::Userinfo];
        origins
            .into_iter()
            .filter(|from| userinfo || *from != IdentityOrigin::Userinfo)
            .flat_map(|from| {
                pointers
                    .iter()
                    .map(move |pointer| AccountSource { from, pointer: (*pointer).into() })
            })
            .collect()
    };
    AccountIdentity {
        id: sources(&["/sub"]),
        label: sources(&["/email", "/preferred_username", "/name"]),
    }
}

/// The issuer's host and path, as a slug.
fn slug(issuer: &Url) -> String {
    let text = format!("{}{}", issuer.host_str().unwrap_or_default(), issuer.path());
    let mut slug = String::new();
    for c in text.to_ascii_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(64);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
