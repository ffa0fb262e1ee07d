//! The presets: files, one for each service, embedded in the binary, and an operator's own beside
//! them.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use include_dir::{Dir, include_dir};

use super::{Error, profile};
use crate::domain::provider::Profile;

static PRESETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/server/provider/catalog");

/// Every preset, by slug.
#[derive(Clone, Debug)]
pub struct Catalog(BTreeMap<String, Arc<Profile>>);

impl Catalog {
    /// Reads the embedded presets and those in `extra_dir`. One there replaces an embedded one of
    /// the same slug. Fails at the first file that is no valid profile, naming it.
    pub fn load(extra_dir: Option<&Path>) -> Result<Self, Error> {
        let mut profiles = BTreeMap::new();
        for file in PRESETS.files().filter(|file| is_preset(file.path())) {
            let text = file.contents_utf8().ok_or_else(|| broken(file.path(), "is not UTF-8"))?;
            let profile = read(file.path(), text)?;
            profiles.insert(profile.slug.clone(), Arc::new(profile));
        }
        if let Some(directory) = extra_dir {
            let mut seen = BTreeMap::new();
            for path in files(directory)? {
                let text = std::fs::read_to_string(&path).map_err(|error| broken(&path, error))?;
                let profile = read(&path, &text)?;
                if let Some(other) = seen.insert(profile.slug.clone(), path.clone()) {
                    let message = format!("has the slug of {}", other.display());
                    return Err(broken(&path, message));
                }
                profiles.insert(profile.slug.clone(), Arc::new(profile));
            }
        }
        Ok(Self(profiles))
    }

    pub fn find(&self, slug: &str) -> Option<&Profile> {
        self.0.get(slug).map(Arc::as_ref)
    }

    /// [`Catalog::find`], for whoever keeps it: a profile is long, and one is wanted for each call.
    pub fn find_shared(&self, slug: &str) -> Option<Arc<Profile>> {
        self.0.get(slug).cloned()
    }

    /// In the order of their slugs.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values().map(Arc::as_ref)
    }
}

fn files(directory: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let mut paths = std::fs::read_dir(directory)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        })
        .map_err(|error| broken(directory, error))?;
    paths.retain(|path| is_preset(path));
    paths.sort();
    Ok(paths)
}

fn is_preset(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml" || extension == "json")
}

fn read(path: &Path, text: &str) -> Result<Profile, Error> {
    let profile: Profile = if path.extension().is_some_and(|extension| extension == "json") {
        serde_json::from_str(text).map_err(|error| broken(path, error))?
    } else {
        toml::from_str(text).map_err(|error| broken(path, error))?
    };
    profile::check(&profile).map_err(|error| broken(path, error))?;
    Ok(profile)
}

fn broken(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::Catalog(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests;
