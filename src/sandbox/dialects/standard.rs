//! RFC 6749 and OpenID Connect as written: a form in, JSON out, discovery beside it.

use serde_json::{Value, json};

use super::{
    Call, Client, Dialect, Endpoint, Exchange, Grant, Issued, OAuthError, Paths, Raw, Realm, caller,
};
use crate::sandbox::clients::TOKEN_EXCHANGE;

pub struct Standard;

impl Dialect for Standard {
    fn paths(&self) -> Paths {
        Paths {
            prefix: "",
            authorize: &["/authorize"],
            token: "/token",
            refresh: None,
            userinfo: "/userinfo",
            revoke: Some("/revoke"),
        }
    }

    fn defaults(&self, _: &mut Client) {}

    fn seeded(&self) -> Client {
        let mut demo = Client::of(Realm::Standard, "demo", Some("demo-secret"));
        demo.name = "Regrant demo".to_owned();
        demo
    }

    fn read(&self, raw: &Raw, _: Endpoint) -> Result<Call, OAuthError> {
        let params = raw.form()?;
        let caller = caller(raw, &params)?;
        Ok(Call { caller, grant: Grant::read(&params) })
    }

    fn answer(&self, issued: &Issued<'_>) -> Value {
        let mut body = issued.body("Bearer");
        body.insert("scope".into(), json!(issued.scope.join(" ")));
        if issued.grant == TOKEN_EXCHANGE {
            body.insert("issued_token_type".into(), json!(Exchange::ACCESS_TOKEN));
        }
        if let Some(id_token) = &issued.id_token {
            body.insert("id_token".into(), json!(id_token));
        }
        Value::Object(body)
    }
}
