//! Eventix / OpenTicket: `POST https://auth.openticket.tech/tokens`.
//!
//! The document's sample sends an array through curl (multipart) under a JSON header. The header
//! is the only encoding it names, so JSON is what is taken; id and secret stand in the body.
//! Refresh tokens can "only be used once"; access lives three days, refresh 365. The sample shows
//! 31535999, a second less than 365 days: what is left once the answer is written.
//!
//! Ours, the document being silent: the errors (RFC 6749), the end of a family when a used token
//! returns, the fields of `info`, and the addresses of consent and userinfo.

use serde_json::{Value, json};
use time::Duration;

use super::{
    super::clients::{AUTHORIZATION_CODE, ClientAuth, REFRESH_TOKEN},
    Call, Client, Dialect, Endpoint, Grant, Issued, OAuthError, Paths, Raw, Realm, caller,
};

pub struct Eventix;

impl Dialect for Eventix {
    fn paths(&self) -> Paths {
        Paths {
            prefix: "/eventix",
            authorize: &["/authorize"],
            token: "/tokens",
            refresh: None,
            userinfo: "/userinfo",
            revoke: None,
        }
    }

    fn defaults(&self, client: &mut Client) {
        client.auth = ClientAuth::Post;
        client.grants = vec![AUTHORIZATION_CODE, REFRESH_TOKEN];
        client.pkce_required = false;
        client.access_ttl = Duration::days(3);
        client.refresh.lifetime = Some(Duration::days(365));
    }

    fn seeded(&self) -> Client {
        Client::of(Realm::Eventix, "eventix-demo", Some("eventix-demo-secret"))
    }

    fn read(&self, raw: &Raw, _: Endpoint) -> Result<Call, OAuthError> {
        let params = raw.json()?;
        if raw.header("authorization")?.is_some() {
            return Err(OAuthError::invalid_client(
                "client_id and client_secret belong in the body",
            ));
        }
        Ok(Call { caller: caller(raw, &params)?, grant: Grant::read(&params) })
    }

    fn answer(&self, issued: &Issued<'_>) -> Value {
        let info = issued.account.map(
            |account| json!({ "guid": account.sub, "name": account.name, "email": account.email }),
        );
        json!({
            "token_type": "Bearer",
            "expires_in": issued.expires_in(),
            "access_token": issued.access_token,
            "refresh_token": issued.refresh_token,
            "refresh_token_expires_in": issued.refresh_expires_in().map(|left| left - 1),
            "info": info,
        })
    }
}
