//! Sealing of values at rest with AES-256-GCM.
//!
//! A sealed value is `version ‖ key id ‖ nonce ‖ ciphertext+tag`. Its associated data names the
//! place it belongs to, so that a value copied to another row, column or generation does not open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicI32, AtomicI64, Ordering},
    },
};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::server::clock::Rng;

pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + 4;

/// A data key seals at most this many values, far below the 2³² that random nonces allow
/// (NIST SP 800-38D section 8.3); then a new one takes over.
pub const MAX_USES: i64 = 1 << 30;
/// And for at most this long.
pub const MAX_AGE: time::Duration = time::Duration::days(90);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Changed, moved from its place, or sealed by a key that no longer exists.
    #[error("a sealed value does not open in {table}.{column}")]
    DoesNotOpen { table: &'static str, column: &'static str },
    #[error("a value was sealed by data key {0}, which is not known here")]
    UnknownKey(i32),
    #[error("there is no data key yet")]
    NoKey,
}

/// Where a sealed value belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    pub row: Uuid,
    pub generation: i64,
}

impl Place {
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(64);
        for part in [self.table.as_bytes(), self.column.as_bytes(), self.row.as_bytes()] {
            data.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
            data.extend_from_slice(part);
        }
        data.extend_from_slice(&self.generation.to_be_bytes());
        data
    }

    fn does_not_open(&self) -> Error {
        Error::DoesNotOpen { table: self.table, column: self.column }
    }
}

type Key = SecretBox<[u8; KEY_BYTES]>;

/// The data keys, opened. The newest seals; all of them open.
pub struct Keyring {
    keys: RwLock<BTreeMap<i32, Key>>,
    fingerprint: Key,
    uses: AtomicI64,
    sealed_anew: AtomicI32,
    damaged: Mutex<BTreeSet<Uuid>>,
}

impl Keyring {
    pub fn new(keys: BTreeMap<i32, Key>, fingerprint: Key) -> Self {
        Self {
            keys: RwLock::new(keys),
            fingerprint,
            uses: AtomicI64::new(0),
            sealed_anew: AtomicI32::new(0),
            damaged: Mutex::default(),
        }
    }

    /// Adds a key that another replica, or a rotation, made.
    pub fn add(&self, id: i32, key: Key) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(id, key);
        // It may be the one that they were sealed by.
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The key that seals now.
    pub fn current(&self) -> Option<i32> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.last_key_value().map(|(id, _)| *id)
    }

    /// How many values were sealed since this was asked last.
    pub fn take_uses(&self) -> i64 {
        self.uses.swap(0, Ordering::Relaxed)
    }

    /// Whether all that is stored and opens was found sealed by `key`, so that nobody has to look again.
    pub fn is_sealed_anew(&self, key: i32) -> bool {
        self.sealed_anew.load(Ordering::Relaxed) == key
    }

    pub fn set_sealed_anew(&self, key: i32) {
        self.sealed_anew.store(key, Ordering::Relaxed);
    }

    /// Rows that hold what does not open, and so can't be sealed anew.
    pub fn damaged(&self) -> Vec<Uuid> {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.iter().copied().collect()
    }

    pub fn note_damaged(&self, row: Uuid) {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(row);
    }

    /// Seals `plain` for `place` with the newest key.
    pub fn seal(&self, rng: &dyn Rng, place: Place, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let (id, key) = keys.last_key_value().ok_or(Error::NoKey)?;
        self.uses.fetch_add(1, Ordering::Relaxed);
        let mut sealed = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(&id.to_be_bytes());
        sealed.extend(encrypt(key.expose_secret(), rng, &place.associated_data(), plain));
        Ok(sealed)
    }

    /// Opens what was sealed for `place`, and nothing else.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (header, body) =
            sealed.split_at_checked(HEADER_BYTES).ok_or_else(|| place.does_not_open())?;
        let id = key_id(header).ok_or_else(|| place.does_not_open())?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(&id).ok_or(Error::UnknownKey(id))?;
        decrypt(key.expose_secret(), &place.associated_data(), body)
            .ok_or_else(|| place.does_not_open())
    }

    /// [`open`](Self::open), for text.
    pub fn open_text(&self, place: Place, sealed: &[u8]) -> Result<SecretString, Error> {
        let plain = self.open(place, sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| place.does_not_open())?;
        Ok(SecretString::from(text))
    }

    /// A keyed hash of a token, by which generations are told apart without the token.
    pub fn fingerprint(&self, token: &SecretString) -> String {
        // HMAC takes a key of any length, so this can't fail for 32 bytes.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.fingerprint.expose_secret()) else {
            return String::new();
        };
        mac.update(token.expose_secret().as_bytes());
        mac.finalize().into_bytes().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Which key sealed a value; `None` when it is not a sealed value.
pub fn key_id(sealed: &[u8]) -> Option<i32> {
    let header = sealed.get(..HEADER_BYTES)?;
    (header[0] == VERSION).then(|| header[1..].try_into().ok().map(i32::from_be_bytes)).flatten()
}

/// `nonce ‖ ciphertext+tag`.
pub(super) fn encrypt(
    key: &[u8; KEY_BYTES],
    rng: &dyn Rng,
    associated_data: &[u8],
    plain: &[u8],
) -> Vec<u8> {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill(&mut nonce);
    let mut out = nonce.to_vec();
    let cipher = Aes256Gcm::new(&(*key).into());
    // Encryption fails only for messages of 64 GiB and more.
    if let Ok(text) =
        cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: associated_data })
    {
        out.extend(text);
    }
    out
}

pub(super) fn decrypt(
    key: &[u8; KEY_BYTES],
    associated_data: &[u8],
    body: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = body.split_at_checked(NONCE_BYTES)?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
    let cipher = Aes256Gcm::new(&(*key).into());
    cipher
        .decrypt(&Nonce::from(nonce), Payload { msg: text, aad: associated_data })
        .ok()
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock::SeededRng;

    fn place() -> Place {
        Place {
            table: "token_sets",
            column: "sealed_access_token",
            row: Uuid::from_u128(1),
            generation: 3,
        }
    }

    fn keyring() -> Keyring {
        let key = |byte| SecretBox::new(Box::new([byte; KEY_BYTES]));
        Keyring::new(BTreeMap::from([(1, key(1))]), key(9))
    }

    #[test]
    fn a_value_opens_in_its_place_only() {
        let (ring, rng) = (keyring(), SeededRng::new(1));
        let sealed = ring.seal(&rng, place(), b"secret").unwrap();
        assert_eq!(ring.open(place(), &sealed).unwrap().as_slice(), b"secret");
        for moved in [
            Place { table: "clients", ..place() },
            Place { column: "sealed_refresh_token", ..place() },
            Place { row: Uuid::from_u128(2), ..place() },
            Place { generation: 4, ..place() },
        ] {
            assert!(matches!(ring.open(moved, &sealed), Err(Error::DoesNotOpen { .. })));
        }
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let (ring, rng) = (keyring(), SeededRng::new(2));
        let sealed = ring.seal(&rng, place(), b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(ring.open(place(), &changed).is_err(), "byte {at}");
            assert!(ring.open(place(), &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_new_key_seals_and_old_ones_still_open() {
        let (ring, rng) = (keyring(), SeededRng::new(3));
        let old = ring.seal(&rng, place(), b"old").unwrap();
        ring.add(2, SecretBox::new(Box::new([2; KEY_BYTES])));
        let new = ring.seal(&rng, place(), b"new").unwrap();
        assert_eq!((key_id(&old), key_id(&new)), (Some(1), Some(2)));
        assert_eq!(ring.open(place(), &old).unwrap().as_slice(), b"old");
        assert_eq!(ring.open(place(), &new).unwrap().as_slice(), b"new");
        assert_eq!(ring.take_uses(), 2);
    }

    #[test]
    fn the_same_text_is_sealed_differently_and_fingerprinted_alike() {
        let (ring, rng) = (keyring(), SeededRng::new(4));
        assert_ne!(
            ring.seal(&rng, place(), b"x").unwrap(),
            ring.seal(&rng, place(), b"x").unwrap()
        );
        let print = |text: &str| ring.fingerprint(&SecretString::from(text));
        assert_eq!(print("token"), print("token"));
        assert_ne!(print("token"), print("Token"));
        assert_eq!(print("token").len(), 24);
    }
}
