//! The device authorization grant (RFC 8628): for whoever has no browser.

use axum::{http::StatusCode, response::Response};
use serde_json::json;
use time::Duration;

use super::{
    Inner, authorize,
    clients::DEVICE_CODE,
    dialects::{Realm, authenticate},
    grants::hash,
    pages, scope,
    state::{DEVICE_LIFETIME, Device, DeviceState, PAGE_LIFETIME, POLL_SECONDS, Pending, Purpose},
    tokens::{opaque, random_text},
    wire::{OAuthError, Params, Raw, answer},
};

/// No vowels and nothing that looks like another letter (RFC 8628 section 6.1).
const USER_CODE: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";

/// `POST /device_authorization`.
pub fn authorize(inner: &Inner, raw: &Raw) -> Result<Response, OAuthError> {
    let realm = Realm::Standard;
    let (caller, params) = realm.dialect().caller(raw)?;
    let now = inner.clock.now();
    let mut state = inner.state();
    let client = state.client(realm, &caller.client_id).cloned();
    authenticate(client.as_ref(), &caller)?;
    let client = client.ok_or_else(|| OAuthError::invalid_client("unknown client"))?;
    if !client.may_use(DEVICE_CODE) {
        return Err(OAuthError::new("unauthorized_client", "this client may not use device codes"));
    }
    let scope = scope::allow(&client, params.get("scope"))?;
    let device_code = opaque(&*inner.rng);
    let mut user_code = random_text(&*inner.rng, USER_CODE, 8);
    user_code.insert(4, '-');
    let device = Device {
        client: (realm, client.id),
        scope,
        user_code: user_code.clone(),
        state: DeviceState::Pending,
        expires_at: now + DEVICE_LIFETIME,
        interval: Duration::seconds(POLL_SECONDS),
        polled_at: None,
    };
    state.sweep(now);
    state.devices.insert(hash(&device_code), device);
    let page = format!("{}/device", inner.base);
    let body = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": DEVICE_LIFETIME.whole_seconds(),
        "interval": POLL_SECONDS,
    });
    Ok(answer(StatusCode::OK, &body))
}

/// `GET /device`: asks for the code, or shows what it stands for.
pub fn page(inner: &Inner, query: &[u8]) -> Response {
    let params = Params::parse(query).unwrap_or_default();
    let Some(typed) = params.get("user_code") else { return pages::user_code(None) };
    let letters = |code: &str| -> String {
        code.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase()).collect()
    };
    let now = inner.clock.now();
    let mut state = inner.state();
    let found = state.devices.iter().find(|(_, device)| {
        letters(&device.user_code) == letters(typed)
            && now < device.expires_at
            && matches!(device.state, DeviceState::Pending)
    });
    let Some((code, device)) = found else {
        return pages::user_code(Some("No device waits with this code. It may have expired."));
    };
    let pending = Pending {
        client: device.client.clone(),
        scope: device.scope.clone(),
        purpose: Purpose::Device { code: *code },
        hint: params.get("login_hint").map(str::to_owned),
        expires_at: now + PAGE_LIFETIME,
    };
    let ticket = opaque(&*inner.rng);
    state.pending.insert(ticket.clone(), pending);
    drop(state);
    authorize::show(inner, Realm::Standard, &ticket)
}
