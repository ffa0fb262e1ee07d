//! Cronofy: `POST {data_center_url}/oauth/token`.
//!
//! JSON (`application/json`, with or without a charset) or a form, id and secret in the body.
//! Every token is 32 ASCII characters. The refresh token is rotated "periodically": at every
//! third refresh here; "the old one will no longer be valid", which refuses the request but ends
//! nothing else. Errors are 400 with nothing but `error`, `invalid_client` included. A new client
//! secret revokes all tokens. Refresh tokens do not expire.
//!
//! Ours, from Cronofy's other documents: `account_id` and `sub` beside the first tokens, and the
//! addresses of consent, revocation and userinfo.

use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};
use time::Duration;

use super::{
    super::clients::{AUTHORIZATION_CODE, ClientAuth, OnReuse, REFRESH_TOKEN, Rotation, TokenForm},
    Call, Caller, Client, Dialect, Endpoint, Grant, Issued, OAuthError, Params, Paths, Raw, Realm,
    caller,
};

pub struct Cronofy;

impl Cronofy {
    fn params(raw: &Raw) -> Result<Params, OAuthError> {
        let params = if raw.is_json() { raw.json()? } else { raw.form()? };
        if raw.header("authorization")?.is_some() {
            return Err(OAuthError::invalid_client(
                "client_id and client_secret belong in the body",
            ));
        }
        Ok(params)
    }
}

impl Dialect for Cronofy {
    fn paths(&self) -> Paths {
        Paths {
            prefix: "/cronofy",
            authorize: &["/oauth/authorize", "/authorize"],
            token: "/oauth/token",
            refresh: None,
            userinfo: "/v1/userinfo",
            revoke: Some("/oauth/token/revoke"),
        }
    }

    fn defaults(&self, client: &mut Client) {
        client.auth = ClientAuth::Post;
        client.grants = vec![AUTHORIZATION_CODE, REFRESH_TOKEN];
        client.scopes = ["create_event", "delete_event", "read_events", "read_account"]
            .map(str::to_owned)
            .to_vec();
        client.pkce_required = false;
        client.access_ttl = Duration::hours(1);
        client.token_form = TokenForm::Text32;
        client.refresh.rotation = Rotation::Every(3);
        client.refresh.on_reuse = OnReuse::Refuse;
        client.refresh.lifetime = None;
        client.new_secret_revokes = true;
    }

    fn seeded(&self) -> Client {
        Client::of(Realm::Cronofy, "cronofy-demo", Some("cronofy-demo-secret"))
    }

    fn read(&self, raw: &Raw, _: Endpoint) -> Result<Call, OAuthError> {
        let params = Self::params(raw)?;
        Ok(Call { caller: caller(raw, &params)?, grant: Grant::read(&params) })
    }

    fn caller(&self, raw: &Raw) -> Result<(Caller, Params), OAuthError> {
        let params = Self::params(raw)?;
        Ok((caller(raw, &params)?, params))
    }

    fn answer(&self, issued: &Issued<'_>) -> Value {
        let mut body = json!({
            "token_type": "bearer",
            "access_token": issued.access_token,
            "expires_in": issued.expires_in(),
            "refresh_token": issued.refresh_token,
            "scope": issued.scope.join(" "),
        });
        if let (AUTHORIZATION_CODE, Some(account)) = (issued.grant, issued.account) {
            body["account_id"] = json!(account.sub);
            body["sub"] = json!(account.sub);
        }
        body
    }

    fn refuse(&self, mut error: OAuthError) -> Response {
        if error.code == "invalid_client" {
            error.status = StatusCode::BAD_REQUEST;
        }
        error.challenge = false;
        let body = json!({ "error": error.code });
        error.with_body(&body)
    }
}
