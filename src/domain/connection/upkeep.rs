//! What keeps a connection alive, and what is known of its end.

use time::OffsetDateTime;

use super::{Connection, GrantType, Reason, State};
use crate::domain::client;

impl Connection {
    /// Whether new tokens come without a person. What nothing renews lasts as long as its access token.
    pub fn renews(&self) -> bool {
        self.has_refresh_token || self.grant_type == GrantType::ClientCredentials
    }

    /// When it is refreshed next; never while its client is switched off. What nothing renews is only looked at,
    /// once its access token ends.
    pub fn refresh_at(&self, as_of: OffsetDateTime) -> Option<OffsetDateTime> {
        let is_off = self.client_state == client::StateName::Disabled;
        self.held_until(as_of).or(self.due_at).filter(|_| self.renews() && !is_off)
    }

    /// Whether it works, nothing renews it, and no end of its access token is known: nobody can be told before
    /// it is over. The function `ends_unseen` is the same for rows.
    pub fn may_end_unseen(&self) -> bool {
        self.state == State::Active && !self.renews() && self.access_expires_at.is_none()
    }

    /// Whether it could be renewed, but nobody said when its access token ends, so that no refresh is planned.
    pub fn is_unplanned(&self) -> bool {
        let is_open = self.due_at.or(self.access_expires_at).or(self.paused_at).is_none();
        self.state == State::Active && self.renews() && is_open
    }

    /// Whether its access token is over while refreshing fails: whoever asks for it gets none. The overview counts
    /// rows by the same rule.
    pub fn lacks_token(&self, as_of: OffsetDateTime) -> bool {
        let is_tried = matches!(self.state, State::Retrying { .. } | State::InDoubt { .. });
        is_tried && self.access_expires_at.is_some_and(|end| end < as_of)
    }

    /// Whether consent may be given to it by an account that nobody knows yet: nothing else brings it on. Of one
    /// that renewals keep alive, a link could put another account in its place.
    pub fn takes_any_account(&self) -> bool {
        matches!(self.state, State::NeedsReauth { .. } | State::Pending) || !self.renews()
    }

    /// Since when only a person can bring it back. Where nothing renewed it, that is its access token's end, however
    /// late that was seen: it may have been imported when it was over.
    pub fn dead_since(&self) -> Option<OffsetDateTime> {
        match self.state {
            State::NeedsReauth { reason: Reason::NoRefreshToken, since } => {
                Some(self.access_expires_at.map_or(since, |end| end.min(since)))
            }
            State::NeedsReauth { since, .. } => Some(since),
            _ => None,
        }
    }

    /// Whether its refresh token was handed in, and none has brought anything since: it may never have been
    /// good.
    pub fn never_renewed(&self) -> bool {
        self.grant_type == GrantType::Import && self.generation == 1
    }
}
