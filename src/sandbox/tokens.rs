//! Making tokens: random text or JWTs, as the client's realm has them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    accounts::Account,
    clients::{Client, TokenForm},
    keys::Keys,
};
use crate::server::clock::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
}

/// What a JWT may say about itself.
pub struct Facts<'a> {
    pub kind: Kind,
    pub issuer: &'a str,
    pub client: &'a Client,
    pub account: Option<&'static Account>,
    pub scope: &'a [String],
    pub session: Uuid,
    pub at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
}

impl Facts<'_> {
    /// The claims of RFC 9068, with a `jti`, so that two tokens of one second differ.
    pub fn claims(&self, jti: &str) -> Value {
        json!({
            "iss": self.issuer,
            "aud": self.issuer,
            "client_id": self.client.id,
            "sub": self.account.map_or(self.client.id.as_str(), |account| account.sub),
            "scope": self.scope.join(" "),
            "iat": self.at.unix_timestamp(),
            "exp": self.expires_at.map(OffsetDateTime::unix_timestamp),
            "jti": jti,
        })
    }
}

/// Random text from this alphabet, unbiased: bytes past its last multiple are thrown away.
pub fn random_text(rng: &dyn Rng, alphabet: &[u8], length: usize) -> String {
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    let mut byte = [0];
    while text.len() < length {
        rng.fill(&mut byte);
        let at = usize::from(byte[0]);
        if at < limit {
            text.push(char::from(alphabet[at % alphabet.len()]));
        }
    }
    text
}

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// 256 random bits as text: codes, tickets, opaque tokens.
pub fn opaque(rng: &dyn Rng) -> String {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A new token in the client's form.
pub fn mint(rng: &dyn Rng, keys: &Keys, facts: &Facts<'_>) -> String {
    match (facts.client.token_form, facts.kind) {
        (TokenForm::Text32, _) => random_text(rng, ALPHANUMERIC, 32),
        (TokenForm::Jwt, _) | (TokenForm::JwtAccess, Kind::Access) => {
            let jti = random_text(rng, ALPHANUMERIC, 16);
            keys.sign_private(&facts.client.realm.dialect().claims(facts, &jti))
        }
        (TokenForm::Opaque | TokenForm::JwtAccess, _) => opaque(rng),
    }
}

/// The id token of OpenID Connect Core section 2.
pub fn id_token(keys: &Keys, facts: &Facts<'_>, access: &str, nonce: Option<&str>) -> String {
    let half = &Sha256::digest(access)[..16];
    let mut claims = json!({
        "iss": facts.issuer,
        "aud": facts.client.id,
        "iat": facts.at.unix_timestamp(),
        "exp": facts.expires_at.map(OffsetDateTime::unix_timestamp),
        "at_hash": BASE64_URL_SAFE_NO_PAD.encode(half),
    });
    if let Some(account) = facts.account {
        about(account, facts.scope, &mut claims);
    }
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    keys.sign_public(&claims)
}

/// Adds what `scope` lets a client know of an account (OpenID Connect Core section 5.4).
pub fn about(account: &Account, scope: &[String], claims: &mut Value) {
    let has = |name: &str| scope.iter().any(|scope| scope == name);
    claims["sub"] = json!(account.sub);
    if has("profile") {
        claims["name"] = json!(account.name);
    }
    if has("email") {
        claims["email"] = json!(account.email);
        claims["email_verified"] = json!(true);
    }
}
