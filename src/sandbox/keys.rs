//! The key that signs id tokens, and the one that signs the JWTs only this server reads.
//!
//! ES256 and not RS256: an RSA key takes seconds to make, an EC key is 32 random bytes. OpenID
//! Connect Discovery wants RS256 to be offered too; this is the one place where the sandbox asks
//! for less than the specification.

use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};

use crate::server::clock::Rng;

/// PKCS #8 (RFC 5208) around an EC private key (RFC 5915) on P-256, up to the key itself.
const PKCS8_P256: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

const KEY_ID: &str = "sandbox-1";

pub struct Keys {
    ec: EncodingKey,
    public: Value,
    hmac: EncodingKey,
}

impl Keys {
    pub fn new(rng: &dyn Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let hmac = EncodingKey::from_secret(&secret);
        // Nearly every 32 bytes are a key; the few that are not are thrown again.
        loop {
            rng.fill(&mut secret);
            let ec = EncodingKey::from_ec_der(&[&PKCS8_P256[..], &secret[..]].concat());
            let Ok(public) = Jwk::from_encoding_key(&ec, Algorithm::ES256) else { continue };
            let mut public = json!(public);
            public["kid"] = json!(KEY_ID);
            public["use"] = json!("sig");
            return Self { ec, public, hmac };
        }
    }

    /// The JWK set (RFC 7517 section 5).
    pub fn set(&self) -> Value {
        json!({ "keys": [self.public] })
    }

    /// A JWT that anyone can check with [`Keys::set`]; empty if signing fails, which it does not.
    pub fn sign_public(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(KEY_ID.to_owned());
        jsonwebtoken::encode(&header, claims, &self.ec).unwrap_or_default()
    }

    /// A JWT that only this server can check.
    pub fn sign_private(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = None;
        jsonwebtoken::encode(&header, claims, &self.hmac).unwrap_or_default()
    }
}
