//! The partner API: `POST /v1/auth/token` with what others put in the body as headers.
//!
//! `partnerId` (int32) and `grantType` are headers, the body is JSON in camelCase, and there is
//! no client secret. The text says 24 hours beside an example that says 3600: the text is
//! followed. A new refresh token comes "if applicable": at every second refresh here, and
//! otherwise the field is absent.
//!
//! Ours, the document being silent: the code exchange in the same style (`grantType:
//! authorization_code`, body `code`, `redirectUri`, optionally `codeVerifier`), 400 for its two
//! documented errors, 401 `invalid_client` for an unknown partner, the refusal of an
//! `Authorization` header, 90 days for refresh tokens, consent and userinfo. The consent page
//! takes the partner id as `client_id`.

use serde_json::{Map, Value, json};
use time::Duration;

use super::{
    super::clients::{AUTHORIZATION_CODE, ClientAuth, OnReuse, REFRESH_TOKEN, Rotation, TokenForm},
    Call, Caller, Client, Dialect, Endpoint, Grant, Issued, OAuthError, Params, Paths, Proof, Raw,
    Realm,
};

pub struct Partner;

impl Dialect for Partner {
    fn paths(&self) -> Paths {
        Paths {
            prefix: "/partner",
            authorize: &["/authorize"],
            token: "/v1/auth/token",
            refresh: None,
            userinfo: "/userinfo",
            revoke: None,
        }
    }

    fn defaults(&self, client: &mut Client) {
        client.auth = ClientAuth::None;
        client.grants = vec![AUTHORIZATION_CODE, REFRESH_TOKEN];
        client.pkce_required = false;
        client.access_ttl = Duration::hours(24);
        client.token_form = TokenForm::JwtAccess;
        client.refresh.rotation = Rotation::Every(2);
        client.refresh.on_reuse = OnReuse::Refuse;
        client.refresh.lifetime = Some(Duration::days(90));
    }

    fn seeded(&self) -> Client {
        Client::of(Realm::Partner, "1001", None)
    }

    fn read(&self, raw: &Raw, _: Endpoint) -> Result<Call, OAuthError> {
        if raw.header("authorization")?.is_some() {
            return Err(OAuthError::invalid_request("no Authorization header belongs here"));
        }
        let missing = |name: &str| OAuthError::invalid_request(format!("Missing {name} header."));
        let partner = raw.header("partnerId")?.ok_or_else(|| missing("partnerId"))?;
        let Ok(partner) = partner.parse::<i32>() else {
            return Err(OAuthError::invalid_request("partnerId must be an int32."));
        };
        let grant_type = raw.header("grantType")?.ok_or_else(|| missing("grantType"))?;
        let params = raw.json()?;
        let caller = Caller { client_id: partner.to_string(), proof: Proof::Nothing };
        Ok(Call { caller, grant: grant(grant_type, &params) })
    }

    fn answer(&self, issued: &Issued<'_>) -> Value {
        let mut body = Map::new();
        body.insert("access_token".into(), json!(issued.access_token));
        if issued.refresh_is_new {
            body.insert("refresh_token".into(), json!(issued.refresh_token));
        }
        body.insert("expires_in".into(), json!(issued.expires_in()));
        body.insert("token_type".into(), json!("Bearer"));
        Value::Object(body)
    }

    fn refuse(&self, mut error: OAuthError) -> axum::response::Response {
        if error.code == "invalid_grant" {
            error.description = "Refresh token has expired or is invalid.".to_owned();
        }
        error.into_standard()
    }
}

fn grant(grant_type: &str, params: &Params) -> Result<Grant, OAuthError> {
    let need = |name: &str, text: &str| match params.get(name) {
        Some(value) => Ok(value.to_owned()),
        None => Err(OAuthError::invalid_request(text)),
    };
    match grant_type {
        REFRESH_TOKEN => Ok(Grant::Refresh {
            token: need("refreshToken", "Missing refresh token.")?,
            scope: None,
        }),
        AUTHORIZATION_CODE => Ok(Grant::Code {
            code: need("code", "Missing code.")?,
            redirect_uri: Some(need("redirectUri", "Missing redirect URI.")?),
            verifier: params.get("codeVerifier").map(str::to_owned),
        }),
        _ => Err(OAuthError::new("unsupported_grant_type", "Unknown grantType.")),
    }
}
