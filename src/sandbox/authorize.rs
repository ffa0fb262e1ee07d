//! The authorization endpoint: who may be sent to the consent page, and where its answer goes.
//!
//! An error is only ever sent to a redirect URI that is registered; until that is known, it is
//! shown as a page (RFC 6749 section 4.1.2.1).

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use url::Url;

use super::{
    Inner,
    accounts::{self, Account},
    clients::{AUTHORIZATION_CODE, Client},
    dialects::Realm,
    grants::hash,
    pages, scope,
    state::{CODE_LIFETIME, Code, DeviceState, PAGE_LIFETIME, Pending, Purpose},
    tokens::opaque,
    wire::{OAuthError, Params},
};

/// Why an authorization request goes no further.
pub enum Stop {
    /// The redirect URI is not to be trusted: a person reads this.
    Page(String),
    /// The client is told.
    Redirect(Url),
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Page(text) => pages::problem(StatusCode::BAD_REQUEST, &text),
            Self::Redirect(url) => see_other(&url),
        }
    }
}

fn see_other(url: &Url) -> Response {
    let mut response = Redirect::to(url.as_str()).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// Checks an authorization request and keeps it; gives the ticket of its consent page.
pub fn begin(inner: &Inner, realm: Realm, query: &[u8]) -> Result<String, Stop> {
    let page = |text: &str| Stop::Page(text.to_owned());
    let params = Params::parse(query).map_err(|error| Stop::Page(error.description))?;
    let now = inner.clock.now();
    let mut state = inner.state();
    let client_id = params.get("client_id").ok_or_else(|| page("client_id is missing."))?;
    let client = state.client(realm, client_id).cloned().ok_or_else(|| page("No such client."))?;
    let uri = params.get("redirect_uri").ok_or_else(|| page("redirect_uri is missing."))?;
    if !client.accepts_redirect(uri) {
        return Err(page("This redirect_uri is not registered for this client."));
    }
    let client_state = params.get("state").map(str::to_owned);
    let refuse = |error: OAuthError| match back(inner, realm, uri, client_state.as_deref()) {
        Some(mut url) => {
            url.query_pairs_mut()
                .append_pair("error", error.code)
                .append_pair("error_description", &error.description);
            Stop::Redirect(url)
        }
        None => page("This redirect_uri is no address."),
    };
    let asked = check(&client, &params).map_err(refuse)?;
    let ticket = opaque(&*inner.rng);
    let pending = Pending {
        client: (realm, client.id),
        scope: asked.scope,
        purpose: Purpose::Redirect {
            uri: uri.to_owned(),
            state: client_state.clone(),
            challenge: asked.challenge,
            nonce: params.get("nonce").map(str::to_owned),
        },
        hint: params.get("login_hint").map(str::to_owned),
        expires_at: now + PAGE_LIFETIME,
    };
    state.sweep(now);
    state.pending.insert(ticket.clone(), pending);
    Ok(ticket)
}

struct Asked {
    scope: Vec<String>,
    challenge: Option<String>,
}

fn check(client: &Client, params: &Params) -> Result<Asked, OAuthError> {
    if params.get("request").is_some() {
        return Err(OAuthError::new("request_not_supported", "request objects are not taken"));
    }
    if params.get("request_uri").is_some() {
        return Err(OAuthError::new("request_uri_not_supported", "request_uri is not taken"));
    }
    if params.need("response_type")? != "code" {
        return Err(OAuthError::new("unsupported_response_type", "only response_type=code"));
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(OAuthError::invalid_request("only response_mode=query"));
    }
    if !client.may_use(AUTHORIZATION_CODE) {
        return Err(OAuthError::new("unauthorized_client", "this client may not use codes"));
    }
    let challenge = params.get("code_challenge");
    match (challenge, params.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if challenge.len() != 43 || !challenge.bytes().all(plain) {
                return Err(OAuthError::invalid_request("code_challenge is no SHA-256"));
            }
        }
        (Some(_), _) => {
            return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
        }
        (None, Some(_)) => return Err(OAuthError::invalid_request("code_challenge is missing")),
        (None, None) if client.pkce_required => {
            return Err(OAuthError::invalid_request("PKCE with S256 is required"));
        }
        (None, None) => {}
    }
    for prompt in params.get("prompt").unwrap_or_default().split(' ') {
        match prompt {
            "" | "login" | "consent" | "select_account" => {}
            // Nobody is ever logged in here, so nothing can be granted unseen.
            "none" => return Err(OAuthError::new("login_required", "nobody is logged in")),
            _ => return Err(OAuthError::invalid_request("prompt is not known")),
        }
    }
    let scope = scope::allow(client, params.get("scope"))?;
    Ok(Asked { scope, challenge: challenge.map(str::to_owned) })
}

/// The redirect URI with what every answer carries: `state`, and `iss` (RFC 9207) where the realm
/// is the standard one; the dialects' documents know no `iss`.
fn back(inner: &Inner, realm: Realm, uri: &str, state: Option<&str>) -> Option<Url> {
    let mut url = Url::parse(uri).ok()?;
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    if realm == Realm::Standard {
        url.query_pairs_mut().append_pair("iss", &inner.issuer(realm));
    }
    Some(url)
}

/// Shows the page of a ticket.
pub fn show(inner: &Inner, realm: Realm, ticket: &str) -> Response {
    let state = inner.state();
    let Some(pending) = state.pending.get(ticket) else {
        return pages::problem(StatusCode::BAD_REQUEST, "This page has expired. Begin again.");
    };
    let Some(client) = state.clients.get(&pending.client) else {
        return pages::problem(StatusCode::BAD_REQUEST, "This client is gone.");
    };
    let chosen = pending.hint.as_deref().and_then(accounts::find).unwrap_or(&accounts::ACCOUNTS[0]);
    let action = format!("{}/decision", realm.dialect().paths().prefix);
    pages::consent(client, pending, chosen, &action, ticket)
}

/// Where a decision leads.
pub enum Decided {
    Back(Url),
    /// A device was answered; nobody is sent anywhere.
    Device {
        allowed: bool,
    },
}

/// Takes the decision on a ticket, once. `None`: no such ticket any more.
pub fn decide(
    inner: &Inner,
    realm: Realm,
    ticket: &str,
    account: Option<&'static Account>,
) -> Option<Decided> {
    let now = inner.clock.now();
    let mut state = inner.state();
    let belongs = state.pending.get(ticket)?.client.0 == realm;
    let pending = if belongs { state.pending.remove(ticket)? } else { return None };
    if now >= pending.expires_at {
        return None;
    }
    match pending.purpose {
        Purpose::Device { code } => {
            let device = state.devices.get_mut(&code).filter(|device| now < device.expires_at)?;
            device.state = account.map_or(DeviceState::Denied, DeviceState::Allowed);
            Some(Decided::Device { allowed: account.is_some() })
        }
        Purpose::Redirect { uri, state: client_state, challenge, nonce } => {
            let mut url = back(inner, realm, &uri, client_state.as_deref())?;
            let Some(account) = account else {
                url.query_pairs_mut()
                    .append_pair("error", "access_denied")
                    .append_pair("error_description", "the account's owner refused");
                return Some(Decided::Back(url));
            };
            let text = opaque(&*inner.rng);
            let code = Code {
                client: pending.client,
                redirect_uri: uri,
                challenge,
                scope: pending.scope,
                nonce,
                account,
                expires_at: now + CODE_LIFETIME,
                redeemed: None,
            };
            state.codes.insert(hash(&text), code);
            url.query_pairs_mut().append_pair("code", &text);
            Some(Decided::Back(url))
        }
    }
}

/// The consent page's form.
pub fn decision(inner: &Inner, realm: Realm, form: &Params) -> Response {
    let Some(ticket) = form.get("ticket") else {
        return pages::problem(StatusCode::BAD_REQUEST, "The ticket is missing.");
    };
    let account = match form.get("decision") {
        Some("deny") => None,
        Some("allow") => match form.get("account").and_then(accounts::find) {
            Some(account) => Some(account),
            None => return pages::problem(StatusCode::BAD_REQUEST, "Choose an account."),
        },
        _ => return pages::problem(StatusCode::BAD_REQUEST, "Neither allowed nor denied."),
    };
    match decide(inner, realm, ticket, account) {
        Some(Decided::Back(url)) => see_other(&url),
        Some(Decided::Device { allowed: true }) => {
            pages::notice("Connected", "The device may go on. You can close this page.")
        }
        Some(Decided::Device { allowed: false }) => {
            pages::notice("Refused", "The device was told. You can close this page.")
        }
        None => pages::problem(StatusCode::BAD_REQUEST, "This page has expired. Begin again."),
    }
}
