//! Why connections die, and whether the engine is to blame.

use crate::{
    domain::{attempt::Verdict, connection::Reason, refusal::ErrorClass},
    tests::simulation::{
        provider::{Excuse, Revoked, Said},
        store::{self, Changes, Connection},
        world::State,
    },
};

impl State {
    pub(super) fn check_death(&mut self, connection: usize, changes: &Changes, is: &Connection) {
        let attempt = changes.attempts.values().flatten().find(|attempt| {
            attempt.connection_id == is.id && attempt.verdict == Some(Verdict::Condemned)
        });
        let request = attempt.and_then(|attempt| {
            let mut requests = self.provider.requests.iter();
            requests.rposition(|request| request.attempt_id == attempt.id)
        });
        let Some(request) = request else {
            self.violate(connection, "I6", "condemned without a request");
            return;
        };
        let refused = |said: &Said| matches!(said, Said::Refused(refusal) if refusal.class == ErrorClass::GrantRefused);
        if !self.provider.requests[request].received.as_ref().is_some_and(refused) {
            self.violate(connection, "I6", "condemned without the provider's word");
            return;
        }
        match self.explain(connection, request, is) {
            Ok(why) => *self.oracle.deaths.entry(why).or_default() += 1,
            Err(why) => self.violate(connection, "I4", why),
        }
    }

    /// Why a connection died, if there is a reason that the engine is not to blame for.
    fn explain(
        &self,
        connection: usize,
        request: usize,
        is: &Connection,
    ) -> Result<&'static str, String> {
        let provider = &self.provider;
        if provider.requests[request].is_excused_by(&[Excuse::InError]) {
            return Ok("refused in error");
        }
        let presented = provider.requests[request].token;
        let used = match provider.family_of(presented) {
            Some(Revoked::ByOwner) => {
                let doubted = self.was_in_doubt(connection, is);
                return match is.reason {
                    Some(Reason::Revoked) => Ok("withdrawn by the owner"),
                    Some(Reason::RotationLost) if doubted => Ok("withdrawn, in doubt"),
                    reason => Err(format!("withdrawn by its owner, and called {reason:?}")),
                };
            }
            Some(Revoked::ByReuse { token, request }) => (token, request),
            None => (presented, request),
        };
        let Some((_, replaced_by)) = provider.tokens[used.0].replaced else {
            return Err(format!("token {} was refused although it is good", used.0));
        };
        let requests = [replaced_by, used.1, request];
        let excused = |excuses: &[Excuse]| {
            requests.iter().any(|id| provider.requests[*id].is_excused_by(excuses))
        };
        // Either the answer with the successor was lost, or who presented the token had sent it before.
        let lost = |excuses: &[Excuse]| {
            [replaced_by, used.1.min(replaced_by)]
                .iter()
                .any(|id| provider.requests[*id].is_excused_by(excuses))
        };
        let why = if excused(&[Excuse::Duplicated]) {
            "doubled by the network"
        } else if lost(&[Excuse::NoAnswer, Excuse::FailedAfterActing]) {
            "answer lost"
        } else if lost(&[Excuse::Crashed]) {
            "answer lost with its process"
        } else if excused(&[Excuse::Paused]) {
            "process stopped for too long"
        } else if excused(&[Excuse::CutOff]) {
            "process cut off from the store"
        } else {
            return Err(format!(
                "token {} was replaced in request {replaced_by}, whose answer was not lost, and \
                 presented again in {}",
                used.0, used.1
            ));
        };
        // A request that came twice, or after another had taken its place, is not heard of.
        let stray = provider.requests[used.1].is_excused_by(&[Excuse::Stray]);
        let unknowable = excused(&[Excuse::Duplicated]) || (stray && used.1 != request);
        if is.reason != Some(Reason::RotationLost) && !unknowable {
            return Err(format!("{why}, and called {:?}", is.reason));
        }
        Ok(why)
    }

    /// Whether an answer was missing since the token set that is held came.
    fn was_in_doubt(&self, connection: usize, is: &Connection) -> bool {
        let attempts = self.db.tables.attempts.values().rev();
        let doubtful = |attempt: &store::Attempt| {
            matches!(attempt.verdict, Some(Verdict::InDoubt) | None)
                || matches!(attempt.status, Some(500 | 502 | 504))
        };
        attempts
            .filter(|attempt| attempt.connection_id == is.id)
            .filter(|attempt| attempt.generation_before >= is.generation - 1)
            .any(doubtful)
            || self
                .provider
                .requests
                .iter()
                .rev()
                .take(40)
                .any(|request| request.connection == connection && !request.excuses.is_empty())
    }
}
