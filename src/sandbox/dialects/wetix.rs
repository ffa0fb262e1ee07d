//! WeTix: `POST https://oauth.wetix.my/auth/refresh`, an address for refreshing only.
//!
//! Basic over the bare `client_id:client_secret`, a JSON body with `grant_type` and
//! `refresh_token`, and tokens that are JWTs. The document's table says that `grant_type` is
//! "client credentials or authorisation code" while its example sends `refresh_token`; only the
//! example can work, so that is what is taken. The example's answer repeats the refresh token it
//! was sent: no rotation. Access lives 60 days, refresh 365.
//!
//! Ours, the document being silent: the token endpoint's address (`/auth/token`), the errors
//! (RFC 6749), `jti` in the JWTs, so that two of the same second differ, and `sub`.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{
    super::{
        clients::{
            AUTHORIZATION_CODE, CLIENT_CREDENTIALS, ClientAuth, REFRESH_TOKEN, Rotation, TokenForm,
        },
        tokens::{Facts, Kind},
    },
    Call, Client, Dialect, Endpoint, Grant, Issued, OAuthError, Paths, Raw, Realm, caller,
};

pub struct Wetix;

impl Dialect for Wetix {
    fn paths(&self) -> Paths {
        Paths {
            prefix: "/wetix",
            authorize: &["/authorize"],
            token: "/auth/token",
            refresh: Some("/auth/refresh"),
            userinfo: "/userinfo",
            revoke: None,
        }
    }

    fn defaults(&self, client: &mut Client) {
        client.auth = ClientAuth::BasicRaw;
        client.grants = vec![AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS];
        client.pkce_required = false;
        client.access_ttl = Duration::days(60);
        client.token_form = TokenForm::Jwt;
        client.refresh.rotation = Rotation::Never;
        client.refresh.lifetime = Some(Duration::days(365));
    }

    fn seeded(&self) -> Client {
        Client::of(Realm::Wetix, "1612417576451877743", Some("wetix-demo-secret"))
    }

    fn read(&self, raw: &Raw, endpoint: Endpoint) -> Result<Call, OAuthError> {
        let params = raw.json()?;
        let why = "the client authenticates with the Basic header only";
        params.forbid(&["client_id", "client_secret"], why)?;
        if raw.header("authorization")?.is_none() {
            return Err(OAuthError::invalid_client("the Basic header is missing").challenged());
        }
        let caller = caller(raw, &params)?;
        let grant = Grant::read(&params).and_then(|grant| {
            let is_refresh = matches!(grant, Grant::Refresh { .. });
            if is_refresh == (endpoint == Endpoint::Refresh) {
                return Ok(grant);
            }
            let text = format!("grant_type {} does not belong at this address", grant.name());
            Err(OAuthError::new("unsupported_grant_type", text))
        });
        Ok(Call { caller, grant })
    }

    fn claims(&self, facts: &Facts<'_>, jti: &str) -> Value {
        let open = format!("{}/open", facts.issuer);
        let at = facts.at.unix_timestamp();
        json!({
            "aud": [open, format!("{open}/graphql")],
            "client_key": facts.client.id,
            "exp": facts.expires_at.map(OffsetDateTime::unix_timestamp),
            "iat": at,
            "iss": facts.issuer,
            "nbf": at,
            "tokenType": match facts.kind {
                Kind::Access => "ACCESS_TOKEN",
                Kind::Refresh => "REFRESH_TOKEN",
            },
            "sub": facts.account.map(|account| account.sub),
            "jti": jti,
        })
    }

    fn answer(&self, issued: &Issued<'_>) -> Value {
        let mut body = serde_json::Map::new();
        body.insert("access_token".into(), json!(issued.access_token));
        body.insert("expires_in".into(), json!(issued.expires_in()));
        if let Some(token) = &issued.refresh_token {
            body.insert("refresh_token".into(), json!(token));
            body.insert("refresh_token_expires_in".into(), json!(issued.refresh_expires_in()));
        }
        body.insert("token_type".into(), json!("Bearer"));
        Value::Object(body)
    }
}
