//! Random secrets that we give out: API keys, relinks, one-time addresses. Only their hashes are
//! stored; 256 random bits need no salt and no slow hash.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::server::clock::Rng;

/// `prefix` and 256 random bits in URL-safe base64.
pub fn make(rng: &dyn Rng, prefix: &str) -> SecretString {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill(bytes.as_mut());
    SecretString::from(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

/// What is stored of a token, and what it is looked up by.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// The first characters, by which a person recognises a key: too few to help a guess.
pub fn hint(token: &SecretString, prefix: &str) -> String {
    token.expose_secret().chars().take(prefix.len() + 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock::SeededRng;

    #[test]
    fn tokens_are_long_prefixed_and_distinct() {
        let rng = SeededRng::new(1);
        let (one, two) = (make(&rng, "rgk_"), make(&rng, "rgk_"));
        assert!(one.expose_secret().starts_with("rgk_"));
        assert_eq!(one.expose_secret().len(), 4 + 43);
        assert_ne!(hash(one.expose_secret()), hash(two.expose_secret()));
        assert_eq!(hint(&one, "rgk_").len(), 8);
    }
}
