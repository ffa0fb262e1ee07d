//! Apiax, a Keycloak: `POST /auth/realms/apiax/protocol/openid-connect/token`.
//!
//! A form, the public client `integration-api`, no secret. `expires_in` and `not-before-policy`
//! are Java timestamps (milliseconds since 1970), as the document's sample has them, though its
//! text says 1800 seconds; [`ExpiryForm`] turns that for a client. Access lives 30 minutes,
//! refresh 14 days; `refresh_expires_in` counts the seconds left.
//!
//! Ours, the document being silent: rotation at every refresh with the end of the family on
//! reuse, and the texts and codes of errors, which are Keycloak's (415 for another encoding).
//! The first token comes by code, or by `grant_type=password` ("1FA").

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use time::Duration;

use super::{
    super::{
        clients::{AUTHORIZATION_CODE, ClientAuth, ExpiryForm, PASSWORD, REFRESH_TOKEN, TokenForm},
        tokens::{Facts, Kind},
    },
    Call, Client, Dialect, Endpoint, Grant, Issued, OAuthError, Paths, Raw, Realm, caller, millis,
};

pub struct Apiax;

impl Dialect for Apiax {
    fn paths(&self) -> Paths {
        Paths {
            prefix: "/apiax",
            authorize: &["/auth/realms/apiax/protocol/openid-connect/auth", "/authorize"],
            token: "/auth/realms/apiax/protocol/openid-connect/token",
            refresh: None,
            userinfo: "/auth/realms/apiax/protocol/openid-connect/userinfo",
            revoke: Some("/auth/realms/apiax/protocol/openid-connect/revoke"),
        }
    }

    fn defaults(&self, client: &mut Client) {
        client.auth = ClientAuth::None;
        client.grants = vec![AUTHORIZATION_CODE, REFRESH_TOKEN, PASSWORD];
        client.access_ttl = Duration::minutes(30);
        client.expiry_form = ExpiryForm::EpochMillis;
        client.token_form = TokenForm::Jwt;
        client.pkce_required = false;
        client.refresh.lifetime = Some(Duration::days(14));
    }

    fn seeded(&self) -> Client {
        Client::of(Realm::Apiax, "integration-api", None)
    }

    fn read(&self, raw: &Raw, _: Endpoint) -> Result<Call, OAuthError> {
        if !raw.is_form() {
            let mut error = OAuthError::invalid_request("HTTP 415 Unsupported Media Type");
            error.status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(error);
        }
        let params = raw.form()?;
        Ok(Call { caller: caller(raw, &params)?, grant: Grant::read(&params) })
    }

    fn claims(&self, facts: &Facts<'_>, jti: &str) -> Value {
        let mut claims = facts.claims(jti);
        claims["azp"] = json!(facts.client.id);
        claims["session_state"] = json!(facts.session);
        claims["typ"] = json!(match facts.kind {
            Kind::Access => "Bearer",
            Kind::Refresh => "Refresh",
        });
        claims
    }

    fn answer(&self, issued: &Issued<'_>) -> Value {
        json!({
            "access_token": issued.access_token,
            "expires_in": issued.expires_in(),
            "refresh_expires_in": issued.refresh_expires_in().unwrap_or(0),
            "refresh_token": issued.refresh_token,
            "token_type": "bearer",
            "not-before-policy": millis(issued.since),
            "session_state": issued.session,
            "scope": issued.scope.join(" "),
        })
    }

    fn refuse(&self, error: OAuthError) -> Response {
        if error.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return (error.status, error.description).into_response();
        }
        error.into_standard()
    }
}
