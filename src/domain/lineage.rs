//! Which token set of a connection came from what: a refresh of the one before, or a person's consent.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::attempt::Attempt;

/// A consent that brought tokens; or the import that did, which stands for one given elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub generation: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub by_relink: bool,
    pub by_import: bool,
    /// Of the refresh token, while it is held.
    pub fingerprint: Option<String>,
}

/// One token set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation<'a> {
    pub number: i64,
    pub at: OffsetDateTime,
    /// Of its refresh token, where that is known.
    pub fingerprint: Option<&'a str>,
    pub came: Came<'a>,
}

/// What brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came<'a> {
    /// A refresh of this generation, whose refresh token has this fingerprint.
    Refresh {
        from: i64,
        before: Option<&'a str>,
    },
    Consent {
        by_relink: bool,
    },
    Import,
}

/// The generations that these attempts and consents brought, the newest first.
pub fn lineage<'a>(attempts: &'a [Attempt], consents: &'a [Consent]) -> Vec<Generation<'a>> {
    let refreshed = attempts.iter().filter_map(|attempt| {
        Some(Generation {
            number: attempt.generation_after?,
            at: attempt.finished_at.unwrap_or(attempt.started_at),
            fingerprint: attempt.fingerprint_after.as_deref(),
            came: Came::Refresh {
                from: attempt.generation_before,
                before: attempt.fingerprint_before.as_deref(),
            },
        })
    });
    let consented = consents.iter().map(|consent| {
        // What was refreshed since is known by what was sent.
        let sent = attempts.iter().find(|sent| sent.generation_before == consent.generation);
        let sent = sent.and_then(|attempt| attempt.fingerprint_before.as_deref());
        Generation {
            number: consent.generation,
            at: consent.at,
            fingerprint: consent.fingerprint.as_deref().or(sent),
            came: match consent.by_import {
                true => Came::Import,
                false => Came::Consent { by_relink: consent.by_relink },
            },
        }
    });
    let mut all: Vec<Generation<'_>> = refreshed.chain(consented).collect();
    all.sort_by_key(|generation| std::cmp::Reverse(generation.number));
    all
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::attempt::{Trigger, Verdict};

    const AT: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn refresh(from: i64, before: &str, after: &str) -> Attempt {
        Attempt {
            id: Uuid::nil(),
            connection_id: Uuid::nil(),
            trigger: Trigger::Schedule,
            started_at: AT,
            finished_at: Some(AT),
            verdict: Some(Verdict::Refreshed),
            error_class: None,
            status: None,
            error_code: None,
            error_description: None,
            generation_before: from,
            generation_after: Some(from + 1),
            fingerprint_before: Some(before.into()),
            fingerprint_after: Some(after.into()),
            replica: "first".into(),
        }
    }

    #[test]
    fn what_a_consent_brought_stands_between_the_refreshes() {
        let refused = Attempt { generation_after: None, ..refresh(2, "b", "") };
        let attempts = [refresh(3, "c", "d"), refused, refresh(1, "a", "b")];
        let by = |generation, by_relink| Consent {
            generation,
            at: AT,
            by_relink,
            by_import: generation == 1,
            fingerprint: (generation == 5).then(|| "e".into()),
        };
        let consents = [by(5, false), by(3, true), by(1, false)];
        let told: Vec<_> = lineage(&attempts, &consents)
            .into_iter()
            .map(|one| (one.number, one.fingerprint, one.came))
            .collect();
        let refreshed = |from, before| Came::Refresh { from, before: Some(before) };
        assert_eq!(
            told,
            [
                (5, Some("e"), Came::Consent { by_relink: false }),
                (4, Some("d"), refreshed(3, "c")),
                (3, Some("c"), Came::Consent { by_relink: true }),
                (2, Some("b"), refreshed(1, "a")),
                (1, Some("a"), Came::Import),
            ]
        );
    }
}
