//! Why connections die, and whether the engine is to blame.

use crate::{
    domain::{attempt::Verdict, connection::Reason, refresh, refusal::ErrorClass},
    tests::simulation::{
        provider::{Excuse, Revoked, Said},
        store::{self, Changes, Connection},
        world::State,
    },
};

/// By these an answer is lost, or comes when somebody else has taken its place.
pub(super) const LOSING: &[Excuse] =
    &[Excuse::NoAnswer, Excuse::FailedAfterActing, Excuse::Crashed, Excuse::Paused, Excuse::CutOff];
/// The provider refused what was good.
const IN_ERROR: &str = "refused in error";

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
        match self.explain(request, is) {
            Ok(why) => {
                *self.oracle.deaths.entry(why).or_default() += 1;
                self.remember(request, is);
                self.check_unusual(connection, changes, is.client_id);
            }
            Err(why) => self.violate(connection, "I4", why),
        }
    }

    /// Why a connection died, if there is a reason that the engine is not to blame for.
    fn explain(&self, request: usize, is: &Connection) -> Result<&'static str, String> {
        let provider = &self.provider;
        let in_error = provider.requests[request].is_excused_by(&[Excuse::InError]);
        let presented = provider.requests[request].token;
        let used = match provider.family_of(presented) {
            Some(Revoked::ByOwner) => {
                let doubted = self.was_in_doubt(request, is);
                return match is.reason {
                    Some(Reason::Revoked) => Ok("withdrawn by the owner"),
                    Some(Reason::RotationLost) if doubted => Ok("withdrawn, in doubt"),
                    reason => Err(format!("withdrawn by its owner, and called {reason:?}")),
                };
            }
            Some(Revoked::ByReuse { token, request }) => (token, request),
            None if in_error && self.is_good(presented) => {
                let doubted = self.was_in_doubt(request, is);
                return match is.reason {
                    Some(Reason::Revoked) => Ok(IN_ERROR),
                    Some(Reason::RotationLost) if doubted => Ok(IN_ERROR),
                    reason => Err(format!("refused in error, and called {reason:?}")),
                };
            }
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

    /// Whether an answer was lost since the token set that is held came, or somebody else had its predecessor
    /// when it came (DESIGN 3.3). That this one has no verdict yet says nothing.
    fn was_in_doubt(&self, request: usize, is: &Connection) -> bool {
        if self.oracle.came_late.get(&is.id) == Some(&is.generation) {
            return true;
        }
        let this = self.provider.requests[request].attempt_id;
        let mut attempts = self.db.tables.attempts.values().rev();
        attempts.any(|attempt| {
            attempt.connection_id == is.id
                && attempt.id != this
                && attempt.generation_before == is.generation
                && self.lost_its_answer(attempt)
        })
    }

    /// Whether an attempt got no answer, and a fault explains it; of one whose request was never sent nobody
    /// knows that.
    fn lost_its_answer(&self, attempt: &store::Attempt) -> bool {
        let is_doubted = self.oracle.doubted.contains(&attempt.id)
            || attempt.status.is_some_and(refresh::may_have_acted);
        let mut requests = self.provider.requests.iter().rev();
        let request = requests.find(|request| request.attempt_id == attempt.id);
        is_doubted && request.is_none_or(|request| request.is_excused_by(LOSING))
    }
}
