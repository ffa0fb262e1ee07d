//! What has been granted, and when it ends: families of refresh tokens and the access tokens
//! that came of them.
//!
//! Pure state: the moment and the new tokens are handed in, so that every rule of rotation can be
//! tested without a server. A family is one consent; all its tokens die together.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    accounts::Account,
    clients::{OnReuse, RefreshPolicy, Rotation},
    dialects::Realm,
};

/// A client, named across realms.
pub type ClientKey = (Realm, String);

/// A token as the server keeps it.
pub type Hash = [u8; 32];

pub fn hash(token: &str) -> Hash {
    Sha256::digest(token).into()
}

/// The first 16 hexadecimal digits of a token's SHA-256: enough to tell tokens apart in a log.
pub fn fingerprint(token: &str) -> String {
    hash(token)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FamilyId(u64);

/// Why a family is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// A rotated token came again.
    Reuse,
    /// The code that began it came again.
    CodeReuse,
    /// The client revoked it (RFC 7009).
    Revoked,
    /// The account's owner withdrew consent.
    ConsentWithdrawn,
    /// The client's secret was replaced at a server where that ends all grants.
    SecretReplaced,
}

/// Why a refresh token was refused. All are `invalid_grant` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    OtherClient,
    Expired,
    Idle,
    /// Rotated away; the family died of it, or not, by [`OnReuse`].
    Reused,
    Dead(Death),
}

/// One consent and all that came of it.
pub struct Family {
    pub client: ClientKey,
    /// None for client credentials.
    pub account: Option<&'static Account>,
    pub scope: Vec<String>,
    pub nonce: Option<String>,
    pub session: Uuid,
    pub opened_at: OffsetDateTime,
    refresh: Option<Current>,
    refreshes: u32,
    dead: Option<Death>,
}

struct Current {
    generation: u32,
    text: String,
    expires_at: Option<OffsetDateTime>,
    used_at: OffsetDateTime,
    /// When it replaced its predecessor.
    since: OffsetDateTime,
}

/// What a refresh leads to.
pub struct Refreshed {
    pub family: FamilyId,
    /// The refresh token that holds from now on.
    pub refresh_token: String,
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it differs from the one that was presented.
    pub is_new: bool,
}

struct Access {
    family: FamilyId,
    scope: Vec<String>,
    issued_at: OffsetDateTime,
    expires_at: OffsetDateTime,
}

/// A live token, found by its text.
pub struct Live<'a> {
    pub of: &'a Family,
    pub scope: &'a [String],
    pub issued_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
}

/// All families.
#[derive(Default)]
pub struct Book {
    families: HashMap<FamilyId, Family>,
    refresh_tokens: HashMap<Hash, (FamilyId, u32)>,
    access_tokens: HashMap<Hash, Access>,
    next_id: u64,
}

impl Book {
    /// Begins a family, so far without tokens.
    pub fn open(
        &mut self,
        client: ClientKey,
        account: Option<&'static Account>,
        scope: Vec<String>,
        nonce: Option<String>,
        session: Uuid,
        now: OffsetDateTime,
    ) -> FamilyId {
        self.next_id += 1;
        let id = FamilyId(self.next_id);
        let family = Family {
            client,
            account,
            scope,
            nonce,
            session,
            opened_at: now,
            refresh: None,
            refreshes: 0,
            dead: None,
        };
        self.families.insert(id, family);
        id
    }

    pub fn family(&self, id: FamilyId) -> Option<&Family> {
        self.families.get(&id)
    }

    /// All families that have not died.
    pub fn living(&self) -> impl Iterator<Item = &Family> + Clone {
        self.families.values().filter(|family| family.dead.is_none())
    }

    /// Gives a family its first refresh token.
    pub fn add_refresh(
        &mut self,
        id: FamilyId,
        text: String,
        expires_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) {
        if let Some(family) = self.families.get_mut(&id) {
            self.refresh_tokens.insert(hash(&text), (id, 1));
            family.refresh =
                Some(Current { generation: 1, text, expires_at, used_at: now, since: now });
        }
    }

    /// Records an access token.
    pub fn add_access(
        &mut self,
        id: FamilyId,
        text: &str,
        scope: Vec<String>,
        now: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) {
        if self.access_tokens.len() % 1024 == 1023 {
            self.access_tokens.retain(|_, access| access.expires_at > now);
        }
        let access = Access { family: id, scope, issued_at: now, expires_at };
        self.access_tokens.insert(hash(text), access);
    }

    /// The family a refresh token belongs to, whatever its state.
    pub fn family_of_refresh(&self, presented: &str) -> Option<(FamilyId, &Family)> {
        let (id, _) = self.refresh_tokens.get(&hash(presented))?;
        Some((*id, self.families.get(id)?))
    }

    /// Takes a refresh token: refuses it, keeps it or rotates it, by the client's policy.
    ///
    /// `mint` makes a new token from its end of life; it is called only when one is needed.
    pub fn refresh(
        &mut self,
        presented: &str,
        client: &ClientKey,
        policy: &RefreshPolicy,
        lifetime: Option<Duration>,
        now: OffsetDateTime,
        mint: impl FnOnce(&Family, Option<OffsetDateTime>) -> String,
    ) -> Result<Refreshed, Refused> {
        let &(id, generation) =
            self.refresh_tokens.get(&hash(presented)).ok_or(Refused::Unknown)?;
        let family = self.families.get_mut(&id).ok_or(Refused::Unknown)?;
        if family.client != *client {
            return Err(Refused::OtherClient);
        }
        if let Some(death) = family.dead {
            return Err(Refused::Dead(death));
        }
        let Some(current) = family.refresh.as_mut() else { return Err(Refused::Unknown) };

        if generation != current.generation {
            let in_grace =
                generation + 1 == current.generation && now < current.since + policy.grace;
            if !in_grace {
                if policy.on_reuse == OnReuse::RevokeFamily {
                    family.dead = Some(Death::Reuse);
                }
                return Err(Refused::Reused);
            }
            return Ok(Refreshed {
                family: id,
                refresh_token: current.text.clone(),
                expires_at: current.expires_at,
                is_new: true,
            });
        }

        if current.expires_at.is_some_and(|end| now >= end) {
            return Err(Refused::Expired);
        }
        if policy.idle.is_some_and(|idle| now >= current.used_at + idle) {
            return Err(Refused::Idle);
        }
        current.used_at = now;
        family.refreshes += 1;
        let rotate = match policy.rotation {
            Rotation::Always => true,
            Rotation::Every(n) => family.refreshes.is_multiple_of(n.max(1)),
            Rotation::Never => false,
        };
        if rotate {
            let from = if policy.sliding { now } else { family.opened_at };
            let expires_at = lifetime.map(|lifetime| from + lifetime);
            let text = mint(family, expires_at);
            let generation = generation + 1;
            self.refresh_tokens.insert(hash(&text), (id, generation));
            family.refresh =
                Some(Current { generation, text, expires_at, used_at: now, since: now });
        }
        let current = family.refresh.as_ref().ok_or(Refused::Unknown)?;
        Ok(Refreshed {
            family: id,
            refresh_token: current.text.clone(),
            expires_at: current.expires_at,
            is_new: rotate,
        })
    }

    /// A live access token.
    pub fn find_access(&self, text: &str, now: OffsetDateTime) -> Option<Live<'_>> {
        let access = self.access_tokens.get(&hash(text))?;
        let family = self.families.get(&access.family)?;
        (family.dead.is_none() && now < access.expires_at).then_some(Live {
            of: family,
            scope: &access.scope,
            issued_at: access.issued_at,
            expires_at: Some(access.expires_at),
        })
    }

    /// A refresh token that would be taken now.
    pub fn find_refresh(&self, text: &str, now: OffsetDateTime) -> Option<Live<'_>> {
        let (id, generation) = self.refresh_tokens.get(&hash(text))?;
        let family = self.families.get(id)?;
        let current = family.refresh.as_ref()?;
        let lives = family.dead.is_none()
            && current.generation == *generation
            && current.expires_at.is_none_or(|end| now < end);
        lives.then_some(Live {
            of: family,
            scope: &family.scope,
            issued_at: current.since,
            expires_at: current.expires_at,
        })
    }

    /// Ends a family with all its tokens. The first cause of death stays.
    pub fn kill(&mut self, id: FamilyId, death: Death) {
        if let Some(family) = self.families.get_mut(&id) {
            family.dead.get_or_insert(death);
        }
    }

    /// Ends every family that `matches`; says how many were alive.
    pub fn kill_where(&mut self, death: Death, matches: impl Fn(&Family) -> bool) -> usize {
        let mut killed = 0;
        for family in self.families.values_mut().filter(|family| matches(family)) {
            killed += usize::from(family.dead.is_none());
            family.dead.get_or_insert(death);
        }
        killed
    }

    /// Forgets one access token; the family lives on.
    pub fn drop_access(&mut self, text: &str) {
        self.access_tokens.remove(&hash(text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::sandbox::{accounts::ACCOUNTS, clients::Issue};

    const START: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn policy(grace: i64) -> RefreshPolicy {
        RefreshPolicy {
            issue: Issue::Always,
            rotation: Rotation::Always,
            on_reuse: OnReuse::RevokeFamily,
            grace: Duration::seconds(grace),
            lifetime: None,
            sliding: true,
            idle: None,
        }
    }

    fn book() -> (Book, ClientKey, FamilyId) {
        let mut book = Book::default();
        let key = (Realm::Standard, "demo".to_owned());
        let id = book.open(key.clone(), Some(&ACCOUNTS[0]), vec![], None, Uuid::nil(), START);
        book.add_refresh(id, "token 0".to_owned(), None, START);
        (book, key, id)
    }

    proptest! {
        /// Whatever tokens of a family come in whatever order: only the newest is rotated, the
        /// one before it has its grace, and anything else ends the family for good.
        #[test]
        fn only_the_newest_token_counts(
            grace in 0_i64..20,
            presented in prop::collection::vec((0_usize..6, 0_i64..15), 1..40),
        ) {
            let (mut book, key, _) = book();
            let (mut newest, mut since, mut alive, mut now) = (0_usize, START, true, START);
            for (back, seconds) in presented {
                now += Duration::seconds(seconds);
                let sent = newest.saturating_sub(back);
                let next = format!("token {}", newest + 1);
                let outcome = book.refresh(
                    &format!("token {sent}"), &key, &policy(grace), None, now, |_, _| next,
                );
                let in_grace = sent + 1 == newest && now < since + Duration::seconds(grace);
                if !alive {
                    prop_assert_eq!(outcome.err(), Some(Refused::Dead(Death::Reuse)));
                } else if sent == newest {
                    newest += 1;
                    since = now;
                    prop_assert_eq!(outcome.ok().map(|it| it.refresh_token), Some(format!("token {newest}")));
                } else if in_grace {
                    prop_assert_eq!(outcome.ok().map(|it| it.refresh_token), Some(format!("token {newest}")));
                } else {
                    alive = false;
                    prop_assert_eq!(outcome.err(), Some(Refused::Reused));
                }
            }
        }
    }

    #[test]
    fn the_first_cause_of_death_stays() {
        let (mut book, key, id) = book();
        assert_eq!(book.living().count(), 1);
        book.kill(id, Death::ConsentWithdrawn);
        book.kill(id, Death::Revoked);
        assert_eq!(book.kill_where(Death::Reuse, |_| true), 0);
        let outcome = book.refresh("token 0", &key, &policy(0), None, START, |_, _| String::new());
        assert_eq!(outcome.err(), Some(Refused::Dead(Death::ConsentWithdrawn)));
        assert!(book.find_refresh("token 0", START).is_none());
    }
}
