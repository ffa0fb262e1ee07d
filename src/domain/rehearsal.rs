//! Rehearsals: a client's next secret is tried with one connection before it takes the place of the
//! one in use.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// Stands in the place of what the provider said when it accepted a next secret that can't be opened any more.
pub const UNREADABLE: &str = "unreadable";

/// When the first try came to nothing, the second comes about so much later; each further one after
/// twice the time before.
const WAIT: Duration = Duration::minutes(1);
const WAIT_CAP: Duration = Duration::hours(1);

/// How long until the next try, after `made` of them without an answer about the secret. `jitter` is a
/// fraction in 0..1.
pub fn wait(made: u32, jitter: f64) -> Duration {
    let wait = WAIT.saturating_mul(1 << made.min(16)).min(WAIT_CAP);
    wait + wait * (jitter / 4.0)
}

/// A secret that is to take the place of a client's, as people and programs see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NextSecret {
    #[serde(with = "time::serde::rfc3339")]
    pub set_at: OffsetDateTime,
    /// How often it was tried.
    pub tried: i32,
    /// When it is tried next, unless it was refused.
    #[serde(with = "time::serde::rfc3339::option")]
    pub try_at: Option<OffsetDateTime>,
    /// What the provider said when it refused it.
    pub refused: Option<String>,
}

/// What there is to tell of a client's rehearsals beside the secret that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prospects {
    /// When the secret in use took its place, if a rehearsal proved it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub proved_at: Option<OffsetDateTime>,
    /// Whether there is a connection that a secret could be tried with.
    pub has_understudy: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_ever_later_up_to_a_cap() {
        let waits = [0, 1, 2, 6, u32::MAX].map(|made| wait(made, 0.0).whole_minutes());
        assert_eq!(waits, [1, 2, 4, 60, 60]);
        assert!(wait(0, 0.999) < Duration::seconds(75));
    }
}
