//! The list of providers as people see it: presets that ship with Regrant and custom ones.

use serde::{Deserialize, Serialize};

use super::provider::Profile;

/// The category of what a demo makes up, so that nobody takes it for a real service.
pub const SAMPLE: &str = "sample";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ProviderEntry {
    pub profile: Profile,
    /// Written or discovered by an admin, so that it can be changed; a preset can only be copied.
    pub custom: bool,
    /// How many clients use it.
    pub clients: i64,
}

impl ProviderEntry {
    /// Made up for a demo.
    pub fn is_sample(&self) -> bool {
        self.profile.category.as_deref() == Some(SAMPLE)
    }
}
