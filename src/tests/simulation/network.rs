//! The way to the provider and back: requests and answers are lost, late, doubled and broken.

use tokio::sync::oneshot;

use super::{
    executor::{MILLI, SECOND, WORLD},
    faults::Fault,
    history::Event,
    provider::{Excuse, Request, Said, refusal},
    world::World,
};
use crate::{
    domain::refusal::ErrorClass,
    server::{app::refresh::engine::CALL, provider::Refusal},
};

/// What comes back over a connection.
enum Came {
    Answer(Said),
    Garbage,
}

/// Whoever waits for an answer; when it goes away the request has ended for it.
struct Waiting<'a> {
    world: &'a World,
    id: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.world.state();
        let now = state.schedule.now;
        state.provider.requests[self.id].ended_at.get_or_insert(now);
    }
}

impl World {
    /// Sends a request and waits for its answer: the token that was granted.
    pub async fn ask(&self, request: Request) -> Result<usize, Refusal> {
        self.at("connect to the provider");
        let deadline = self.state().schedule.now + CALL.whole_microseconds() as i64;
        let (dark, time) = {
            let mut state = self.state();
            let client = &state.provider.clients[request.client];
            let outage = client.is_dark && client.outage_until > state.schedule.now;
            let dark = outage || state.strikes(Fault::Unreachable);
            let longest = if dark { 10 * SECOND } else { 80 * MILLI };
            (dark, state.dice.spread(MILLI, longest))
        };
        self.sleep(time).await;
        if dark {
            return Err(refusal(ErrorClass::Transient, None));
        }
        let id = self.state().send(request);
        let _waiting = Waiting { world: self, id };
        let (reply, came) = oneshot::channel();
        let world = self.clone();
        self.spawn(WORLD, async move { carry(&world, id, reply).await });
        self.at("wait for the provider");
        let left = deadline - self.state().schedule.now;
        let came = self.timeout(left, came).await;
        self.strike_now(false);
        let mut state = self.state();
        let said = match came {
            Some(Ok(Came::Answer(said))) => said,
            Some(Ok(Came::Garbage)) => Said::Refused(refusal(ErrorClass::AnswerLost, Some(200))),
            Some(Err(_)) | None => Said::Refused(refusal(ErrorClass::AnswerLost, None)),
        };
        if said == Said::Refused(refusal(ErrorClass::AnswerLost, None)) {
            state.excuse(id, Excuse::NoAnswer);
        }
        let connection = state.provider.requests[id].connection;
        state.provider.requests[id].received = Some(said.clone());
        state.provider.requests[id].received_at = Some(state.schedule.now);
        state.note(connection, Event::Received { request: id, said: said.clone() });
        match said {
            Said::Granted { token } => Ok(token),
            Said::Refused(refusal) => Err(refusal),
        }
    }
}

/// Brings a request to the provider, and its answer back.
async fn carry(world: &World, id: usize, reply: oneshot::Sender<Came>) {
    let silence = 300 * SECOND;
    if world.state().strikes(Fault::RequestLost) {
        // Its connection stays open, for whoever waits.
        world.sleep(silence).await;
        drop(reply);
        return;
    }
    let delay = {
        let mut state = world.state();
        let late = state.strikes(Fault::RequestDelayed);
        late.then(|| state.dice.spread(SECOND, 90 * SECOND))
    };
    if let Some(delay) = delay {
        world.sleep(delay).await;
    }
    let doubled = world.state().strikes(Fault::Duplicated);
    if doubled {
        let again = {
            let mut state = world.state();
            state.excuse(id, Excuse::Duplicated);
            state.dice.spread(MILLI, 20 * SECOND)
        };
        let copy = world.clone();
        world.spawn(WORLD, async move {
            copy.sleep(again).await;
            let time = copy.state().thinking_time(id);
            copy.sleep(time).await;
            copy.state().act(id);
        });
    }
    let thinking = world.state().thinking_time(id);
    world.sleep(thinking).await;
    let mut said = world.state().act(id);
    if doubled && world.state().dice.chance(0.5) {
        // The proxy passes on what its second try brought.
        world.sleep(25 * SECOND).await;
        if let Some(last) = world.state().provider.requests[id].said.last() {
            said = last.clone();
        }
    }
    let (lost, reset, garbled, delay) = {
        let mut state = world.state();
        let lost = state.strikes(Fault::AnswerLost);
        let reset = state.strikes(Fault::AnswerReset);
        let garbled = state.strikes(Fault::AnswerGarbled);
        let late = state.strikes(Fault::AnswerDelayed);
        if lost || reset || garbled {
            state.excuse(id, Excuse::NoAnswer);
        }
        (lost, reset, garbled, late.then(|| state.dice.spread(SECOND, 90 * SECOND)))
    };
    if lost {
        world.sleep(silence).await;
        return;
    }
    if let Some(delay) = delay {
        world.sleep(delay).await;
    }
    if reset {
        return;
    }
    let came = if garbled { Came::Garbage } else { Came::Answer(said) };
    if reply.send(came).is_err() {
        world.state().excuse(id, Excuse::NoAnswer);
    }
}
