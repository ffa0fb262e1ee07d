//! The simulated ports of a process.

use std::{sync::atomic::Ordering, time::Duration as StdDuration};

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Process, Secret};
use crate::{
    server::{
        app::refresh::{
            decide::{Change, Outcome},
            engine::{Ports, Saved, Task, Unconfirmed},
        },
        provider::{Grant, Refusal},
        store::token_set::TokenSet,
    },
    tests::simulation::{
        executor::Micros,
        history::Event,
        provider::{self, Request},
        world::Broken,
    },
};

impl Ports for Process {
    type Caller = Secret;
    type Record = ();

    fn now(&self) -> OffsetDateTime {
        let off = self.agreed.load(Ordering::Relaxed) + self.clock_off;
        self.world.state().time_by(off)
    }

    fn elapsed(&self) -> Duration {
        Duration::microseconds(self.world.state().schedule.now)
    }

    fn jitter(&self) -> f64 {
        self.world.state().dice.fraction()
    }

    async fn sleep(&self, time: StdDuration) {
        self.world.at("wait to save again");
        self.world.sleep(time.as_micros() as Micros).await;
    }

    async fn ask(&self, task: &Task<Secret>) -> Result<Grant, Refusal> {
        let held = task.held.as_ref().expect("a refresh token").expose_secret().as_bytes();
        let token = provider::number(held).expect("a token of ours");
        let request = {
            let state = self.world.state();
            let is_client = |client: &provider::Registration| client.id == task.leased.client_id;
            Request {
                connection: state.index_of(task.leased.id),
                client: state.provider.clients.iter().position(is_client).expect("a client"),
                token,
                attempt_id: task.attempt_id,
                secret: task.caller,
                group: self.group,
                sent_at: 0,
                ended_at: None,
                said: Vec::new(),
                received: None,
                excuses: Vec::new(),
                is_settled: false,
                received_at: None,
                waits_at: None,
                has_no_journal: false,
            }
        };
        let (client, obtained_at) = (request.client, self.now());
        let given = self.world.ask(request).await?;
        let life = self.world.state().provider.clients[client].life;
        Ok(Grant {
            access_token: SecretString::from(format!("at-{given}")),
            refresh_token: (given != token).then(|| SecretString::from(provider::name(given))),
            id_token: None,
            token_type: "Bearer".into(),
            scopes: None,
            access_expires_at: Some(obtained_at + Duration::microseconds(life)),
            refresh_expires_at: None,
            account: None,
            extras: serde_json::Map::new(),
            obtained_at,
        })
    }

    fn answered(&self, attempt_id: Uuid) {
        self.flights.answer(attempt_id);
        if self.flights.is_hungry() {
            self.woken.notify_one();
        }
    }

    fn seal(&self, task: &Task<Secret>, given: &Grant) -> anyhow::Result<TokenSet> {
        let refresh = given.refresh_token.as_ref().or(task.held.as_ref());
        let refresh = refresh.map(|token| token.expose_secret().to_owned());
        Ok(TokenSet {
            connection_id: task.leased.id,
            generation: task.leased.generation + 1,
            sealed_access_token: Some(given.access_token.expose_secret().as_bytes().to_vec()),
            sealed_refresh_token: refresh.clone().map(String::into_bytes),
            sealed_extras: None,
            token_type: given.token_type.clone(),
            fingerprint: refresh,
            obtained_at: given.obtained_at,
        })
    }

    async fn save(&self, outcome: &Outcome) -> Result<Saved, Unconfirmed> {
        self.world.at("wait to be saved with others");
        self.saver.save(self, outcome).await
    }

    async fn journal(&self, outcome: &Outcome) -> Option<()> {
        if self.world.state().broken == Broken::NoJournal {
            return None;
        }
        if !self.world.append(self.group, outcome).await {
            return None;
        }
        let mut state = self.world.state();
        let connection = state.index_of(outcome.fence.id);
        let token = token_of(outcome);
        state.note(connection, Event::Journaled { replica: self.replica, token });
        if let Some(token) = token {
            state.make_durable(connection, token);
        }
        Some(())
    }

    fn settle(&self, (): ()) {
        self.world.state().journals.settle(self.group);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// The refresh token that an outcome brings.
pub fn token_of(outcome: &Outcome) -> Option<usize> {
    match &outcome.change {
        Change::Renew(_, set) => provider::number(set.sealed_refresh_token.as_deref()?),
        Change::SetBack(_) | Change::Release(_) => None,
    }
}
