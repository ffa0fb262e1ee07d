//! Whether a provider was told that a connection is over.

use serde::{Deserialize, Serialize};

/// What became of the tokens at the provider when a connection was disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Told {
    /// It was told, and the tokens are void.
    Told,
    /// It was not to be told; the tokens work until they run out.
    NotAsked,
    /// It has no way to be told; the tokens work until they run out.
    Unable,
    /// There were no tokens.
    Nothing,
}
