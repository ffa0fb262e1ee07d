//! What can be asked about a token, and how it is given back: userinfo, introspection (RFC 7662),
//! revocation (RFC 7009).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Inner,
    clients::{Client, ClientAuth},
    dialects::{Realm, authenticate},
    grants::{Death, Live},
    tokens,
    wire::{OAuthError, Params, Raw, answer},
};

/// Who owns the access token. The standard realm wants the scope `openid`.
pub fn userinfo(inner: &Inner, realm: Realm, raw: &Raw) -> Response {
    let refuse = |code: &str| {
        let status = match code {
            "insufficient_scope" => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        };
        let challenge = match code {
            "" => "Bearer".to_owned(),
            code => format!("Bearer error=\"{code}\""),
        };
        let challenge = HeaderValue::from_str(&challenge)
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        (status, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
    };
    let Some(token) = raw.bearer() else { return refuse("") };
    let state = inner.state();
    let live = state.book.find_access(token, inner.clock.now());
    let Some(live) = live.filter(|live| live.of.client.0 == realm) else {
        return refuse("invalid_token");
    };
    let Some(account) = live.of.account else { return refuse("insufficient_scope") };
    if realm != Realm::Standard {
        let body = json!({ "sub": account.sub, "name": account.name, "email": account.email });
        return answer(StatusCode::OK, &body);
    }
    if !live.scope.iter().any(|scope| scope == "openid") {
        return refuse("insufficient_scope");
    }
    let mut body = json!({});
    tokens::about(account, live.scope, &mut body);
    answer(StatusCode::OK, &body)
}

fn caller(inner: &Inner, realm: Realm, raw: &Raw) -> Result<(Client, Params), OAuthError> {
    let (caller, params) = realm.dialect().caller(raw)?;
    let client = inner.state().client(realm, &caller.client_id).cloned();
    authenticate(client.as_ref(), &caller)?;
    let client = client.ok_or_else(|| OAuthError::invalid_client("unknown client"))?;
    Ok((client, params))
}

/// `POST /introspect`: for confidential clients, about their own tokens.
pub fn introspect(inner: &Inner, raw: &Raw) -> Result<Response, OAuthError> {
    let realm = Realm::Standard;
    let (client, params) = caller(inner, realm, raw)?;
    if client.auth == ClientAuth::None {
        return Err(OAuthError::invalid_client("introspection needs a client with a secret"));
    }
    let token = params.need("token")?;
    let now = inner.clock.now();
    let state = inner.state();
    let access = state.book.find_access(token, now);
    let kind = if access.is_some() { Some("Bearer") } else { None };
    let live = access.or_else(|| state.book.find_refresh(token, now));
    let own = live.filter(|live| live.of.client == (realm, client.id.clone()));
    let body = own.map_or(json!({ "active": false }), |live| describe(&live, kind, inner));
    Ok(answer(StatusCode::OK, &body))
}

fn describe(live: &Live<'_>, kind: Option<&str>, inner: &Inner) -> Value {
    let mut body = json!({
        "active": true,
        "scope": live.scope.join(" "),
        "client_id": live.of.client.1,
        "sub": live.of.account.map_or(live.of.client.1.as_str(), |account| account.sub),
        "iss": inner.issuer(Realm::Standard),
        "iat": live.issued_at.unix_timestamp(),
    });
    if let Some(end) = live.expires_at.map(OffsetDateTime::unix_timestamp) {
        body["exp"] = json!(end);
    }
    if let Some(kind) = kind {
        body["token_type"] = json!(kind);
    }
    body
}

/// Revocation. A refresh token takes its whole family along; an access token goes alone. An
/// unknown token is no error (RFC 7009 section 2.2).
pub fn revoke(inner: &Inner, realm: Realm, raw: &Raw) -> Result<Response, OAuthError> {
    let (client, params) = caller(inner, realm, raw)?;
    let token = params.need("token")?;
    let key = (realm, client.id);
    let now = inner.clock.now();
    let mut state = inner.state();
    let foreign = || OAuthError::invalid_grant("this token was given to another client");
    if let Some((family, of)) = state.book.family_of_refresh(token) {
        if of.client != key {
            return Err(foreign());
        }
        state.book.kill(family, Death::Revoked);
    } else if let Some(live) = state.book.find_access(token, now) {
        if live.of.client != key {
            return Err(foreign());
        }
        state.book.drop_access(token);
    }
    Ok(StatusCode::OK.into_response())
}
