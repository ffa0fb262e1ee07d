//! Authorization servers that rotate refresh tokens and, when one is used again, revoke all that came
//! of the same consent. They remember every token and every request.

use std::sync::Arc;

use time::Duration;
use uuid::Uuid;

use super::{
    executor::{Group, MINUTE, Micros, SECOND},
    faults::Fault,
    history::Event,
    world::State,
};
use crate::{
    domain::{provider::Profile, refusal::ErrorClass},
    server::provider::Refusal,
};

/// What a used refresh token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// For nothing: whoever presents it again loses all that came of it.
    Revoking,
    /// For nothing, and that is all.
    Refusing,
    /// For another one, for so long; after that as with `Revoking`.
    Grace(Micros),
    /// It stays valid.
    Never,
}

/// A client as its provider knows it.
pub struct Registration {
    pub id: Uuid,
    pub profile: Arc<Profile>,
    pub rotation: Rotation,
    /// How long access tokens live.
    pub life: Micros,
    /// How long it thinks about a request, at least and at most.
    pub thinks: (Micros, Micros),
    /// The generation of our secret that is right.
    pub secret: i64,
    pub outage_until: Micros,
    /// Until when it refuses all grants.
    pub refuses_until: Micros,
    /// Whether it can't even be reached during its outage.
    pub is_dark: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    ByOwner,
    /// A token was presented again, by this request.
    ByReuse {
        token: usize,
        request: usize,
    },
}

pub struct Token {
    pub connection: usize,
    pub family: usize,
    /// When it was first replaced, and by which request.
    pub replaced: Option<(Micros, usize)>,
}

/// A refresh as it is sent, and what became of it.
pub struct Request {
    pub connection: usize,
    pub client: usize,
    pub token: usize,
    pub attempt_id: Uuid,
    pub secret: i64,
    pub group: Group,
    pub sent_at: Micros,
    /// When whoever sent it stopped waiting.
    pub ended_at: Option<Micros>,
    /// What the provider said, at each time it saw the request.
    pub said: Vec<Said>,
    /// What came to whoever sent it.
    pub received: Option<Said>,
    /// Faults that explain why its answer, or what it gave, may have been lost.
    pub excuses: Vec<Excuse>,
    /// Its outcome is stored, or its token set needed no more.
    pub is_settled: bool,
    /// When its answer came.
    pub received_at: Option<Micros>,
    /// The replica in whose journal its outcome waits, since its process ended.
    pub waits_at: Option<usize>,
    /// The journal could not be written when its answer had come.
    pub has_no_journal: bool,
}

impl Request {
    pub fn is_excused_by(&self, excuses: &[Excuse]) -> bool {
        self.excuses.iter().any(|excuse| excuses.contains(excuse))
    }
}

/// Why an answer may have been lost without the engine's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// The network or the provider did not bring a readable answer in time.
    NoAnswer,
    /// The provider failed after it had acted.
    FailedAfterActing,
    /// The network sent it twice.
    Duplicated,
    /// The provider refused a token that was good.
    InError,
    /// It came to the provider when nobody waited for its answer any more.
    Stray,
    /// Its process ended, and what it had was nowhere else, or could not be brought from there in time.
    Crashed,
    /// Its process was stopped for a while.
    Paused,
    /// Its process could not reach the store, while others could.
    CutOff,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Granted { token: usize },
    Refused(Refusal),
}

pub fn refusal(class: ErrorClass, status: Option<u16>) -> Refusal {
    Refusal {
        class,
        status,
        code: None,
        description: None,
        retry_after: None,
        sent: status.is_some() || class == ErrorClass::AnswerLost,
    }
}

#[derive(Default)]
pub struct Provider {
    pub clients: Vec<Registration>,
    pub tokens: Vec<Token>,
    /// By family: what came of one consent.
    pub families: Vec<Option<Revoked>>,
    pub requests: Vec<Request>,
}

impl Provider {
    /// A person consents.
    pub fn consent(&mut self, connection: usize) -> usize {
        self.families.push(None);
        self.tokens.push(Token { connection, family: self.families.len() - 1, replaced: None });
        self.tokens.len() - 1
    }

    pub fn family_of(&self, token: usize) -> Option<Revoked> {
        self.families[self.tokens[token].family]
    }
}

/// A token as it is written down.
pub fn name(token: usize) -> String {
    format!("rt-{token}")
}

pub fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.strip_prefix("rt-")?.parse().ok()
}

impl State {
    /// How long the provider thinks about a request.
    pub fn thinking_time(&mut self, id: usize) -> Micros {
        if self.strikes(Fault::Slow) {
            return self.dice.spread(SECOND, 60 * SECOND);
        }
        let (least, most) = self.provider.clients[self.provider.requests[id].client].thinks;
        let most = if self.is_chaotic { most } else { most.min(20 * SECOND) };
        self.dice.spread(least, most)
    }

    /// The provider acts upon a request.
    pub fn act(&mut self, id: usize) -> Said {
        // Whoever sent it waits no more; or was stopped, and another had an answer in its place.
        let request = &self.provider.requests[id];
        let replaced = self.provider.tokens[request.token].replaced;
        let is_stray = request.ended_at.is_some()
            || self.schedule.is_paused(request.group) && replaced.is_some_and(|(_, by)| by != id);
        if is_stray {
            self.excuse(id, Excuse::Stray);
        }
        let said = self.judge(id);
        self.note(
            self.provider.requests[id].connection,
            Event::Answered { request: id, said: said.clone() },
        );
        self.provider.requests[id].said.push(said.clone());
        said
    }

    fn judge(&mut self, id: usize) -> Said {
        let (client, token, secret) = {
            let request = &self.provider.requests[id];
            (request.client, request.token, request.secret)
        };
        let now = self.schedule.now;
        let registration = &self.provider.clients[client];
        let (rotation, right) = (registration.rotation, registration.secret);
        let refuses = registration.refuses_until > now;
        if registration.outage_until > now {
            return Said::Refused(refusal(ErrorClass::Transient, Some(503)));
        }
        if self.strikes(Fault::Unavailable) {
            return Said::Refused(refusal(ErrorClass::Transient, Some(503)));
        }
        if self.strikes(Fault::RateLimited) {
            let wait = self.dice.spread(SECOND, 3 * MINUTE);
            let retry_after = self.dice.chance(0.7).then(|| Duration::microseconds(wait));
            return Said::Refused(Refusal {
                retry_after,
                ..refusal(ErrorClass::RateLimited, Some(429))
            });
        }
        if secret != right {
            return Said::Refused(refusal(ErrorClass::ClientRefused, Some(401)));
        }
        if refuses {
            self.excuse(id, Excuse::InError);
            return Said::Refused(refusal(ErrorClass::GrantRefused, Some(400)));
        }
        let said = self.rotate(id, token, rotation);
        if matches!(said, Said::Granted { .. }) && self.strikes(Fault::FailedAfterActing) {
            self.excuse(id, Excuse::FailedAfterActing);
            return Said::Refused(refusal(ErrorClass::Transient, Some(500)));
        }
        said
    }

    fn rotate(&mut self, id: usize, token: usize, rotation: Rotation) -> Said {
        let now = self.schedule.now;
        let refused = Said::Refused(refusal(ErrorClass::GrantRefused, Some(400)));
        let provider = &mut self.provider;
        let Token { connection, family, replaced } = provider.tokens[token];
        if provider.families[family].is_some() {
            return refused;
        }
        match (rotation, replaced) {
            (Rotation::Never, _) => return Said::Granted { token },
            (Rotation::Refusing, Some(_)) => return refused,
            (Rotation::Grace(grace), Some((at, _))) if now <= at + grace => {}
            (Rotation::Revoking | Rotation::Grace(_), Some(_)) => {
                provider.families[family] = Some(Revoked::ByReuse { token, request: id });
                return refused;
            }
            (_, None) => {}
        }
        provider.tokens[token].replaced.get_or_insert((now, id));
        provider.tokens.push(Token { connection, family, replaced: None });
        Said::Granted { token: provider.tokens.len() - 1 }
    }

    pub fn excuse(&mut self, id: usize, excuse: Excuse) {
        let request = &mut self.provider.requests[id];
        if !request.excuses.contains(&excuse) {
            request.excuses.push(excuse);
        }
    }

    /// Notes what happens to a process, on all that it has under way.
    pub fn excuse_all(&mut self, group: Group, excuse: Excuse) {
        for request in &mut self.provider.requests {
            if request.group == group && !request.is_settled && !request.excuses.contains(&excuse) {
                request.excuses.push(excuse);
            }
        }
    }
}
