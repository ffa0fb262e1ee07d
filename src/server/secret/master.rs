//! The master key: wraps the data keys, and never touches a value itself, so that rotating it means
//! rewrapping a handful of rows.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use zeroize::Zeroizing;

use super::seal::{self, KEY_BYTES};
use crate::server::clock::Rng;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the master key is not 32 bytes in base64 (make one with: openssl rand -base64 32)")]
    Malformed,
    #[error("the master key file {path} can't be read: {source}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("the master key file {path} can be read by others; run: chmod 600 {path}")]
    Exposed { path: String },
    #[error("the master key file {path} can't be written: {source}")]
    Unwritable { path: String, source: std::io::Error },
    #[error("the stored keys were wrapped by another master key than the one given")]
    Foreign,
}

/// 256 bits that wrap data keys by AES-256-GCM.
pub struct MasterKey(SecretBox<[u8; KEY_BYTES]>);

impl MasterKey {
    /// Reads 32 bytes in base64.
    pub fn parse(text: &SecretString) -> Result<Self, Error> {
        let bytes = Zeroizing::new(
            BASE64_STANDARD.decode(text.expose_secret().trim()).map_err(|_| Error::Malformed)?,
        );
        let bytes: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| Error::Malformed)?;
        Ok(Self(SecretBox::new(Box::new(bytes))))
    }

    /// Reads a key file, which only its owner may read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let unreadable = |source| Error::Unreadable { path: path.display().to_string(), source };
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::Exposed { path: name });
        }
        Self::parse(&SecretString::from(fs::read_to_string(path).map_err(unreadable)?))
    }

    /// Reads the key file, or makes one with mode 0600 when there is none. Says whether it was made.
    pub fn read_or_make(path: &Path, rng: &dyn Rng) -> Result<(Self, bool), Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rng.fill(bytes.as_mut());
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(mut file) => {
                let text = Zeroizing::new(BASE64_STANDARD.encode(bytes.as_ref()));
                writeln!(file, "{}", text.as_str()).and_then(|()| file.sync_all()).map_err(
                    |source| Error::Unwritable { path: path.display().to_string(), source },
                )?;
                Ok((Self(SecretBox::new(Box::new(*bytes))), true))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Ok((Self::read(path)?, false))
            }
            Err(source) => Err(Error::Unwritable { path: path.display().to_string(), source }),
        }
    }

    /// Wraps a data key for `purpose`.
    pub fn wrap(&self, rng: &dyn Rng, purpose: &str, key: &[u8; KEY_BYTES]) -> Vec<u8> {
        seal::encrypt(self.0.expose_secret(), rng, purpose.as_bytes(), key)
    }

    /// Unwraps what [`wrap`](Self::wrap) made; fails when another master key wrapped it.
    pub fn unwrap_key(
        &self,
        purpose: &str,
        wrapped: &[u8],
    ) -> Result<SecretBox<[u8; KEY_BYTES]>, Error> {
        let plain = seal::decrypt(self.0.expose_secret(), purpose.as_bytes(), wrapped)
            .ok_or(Error::Foreign)?;
        let bytes: [u8; KEY_BYTES] = plain.as_slice().try_into().map_err(|_| Error::Foreign)?;
        Ok(SecretBox::new(Box::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock::SeededRng;

    #[test]
    fn a_key_file_is_made_once_and_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let rng = SeededRng::new(1);
        let (first, made) = MasterKey::read_or_make(&path, &rng).unwrap();
        assert!(made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (second, made) = MasterKey::read_or_make(&path, &rng).unwrap();
        assert!(!made);
        let wrapped = first.wrap(&rng, "seal", &[7; 32]);
        assert_eq!(second.unwrap_key("seal", &wrapped).unwrap().expose_secret(), &[7; 32]);
        assert!(matches!(second.unwrap_key("other", &wrapped), Err(Error::Foreign)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(MasterKey::read(&path), Err(Error::Exposed { .. })));
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(matches!(MasterKey::parse(&"c2hvcnQ=".into()), Err(Error::Malformed)));
    }
}
