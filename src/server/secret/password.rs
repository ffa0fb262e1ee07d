//! Passwords: argon2id with the crate's defaults (19 MiB, 2 passes), which follow OWASP.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};

use crate::server::clock::Rng;

/// Hashes a password to a PHC string. Takes tens of milliseconds of a core: call it off the
/// reactor.
pub fn hash(rng: &dyn Rng, password: &SecretString) -> Result<String, Error> {
    let mut salt = [0; 16];
    rng.fill(&mut salt);
    Argon2::default()
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|error| Error(error.to_string()))
}

/// Whether `password` is the one that `hash` was made from. Takes as long as [`hash`].
pub fn verify(hash: &str, password: &SecretString) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the password can't be hashed: {0}")]
pub struct Error(String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock::SeededRng;

    #[test]
    fn only_the_right_password_verifies() {
        let hashed = hash(&SeededRng::new(1), &"correct horse".into()).unwrap();
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify(&hashed, &"correct horse".into()));
        assert!(!verify(&hashed, &"correct horsf".into()));
        assert!(!verify("not a hash", &"correct horse".into()));
    }
}
