//! What admins do: secrets, switches, and what they decide about incidents.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::client,
    tests::simulation::{
        executor::{MINUTE, Micros, SECOND, WORLD},
        faults::Fault,
        history::Event,
        incidents::SPREAD,
        store::{
            Client,
            transaction::{Gone, Statements},
        },
        world::World,
    },
};

/// For how long no admin meddles with incidents when everything works again.
const SETTLING: Micros = 10 * MINUTE;

/// What an admin decides about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Resume,
    Condemn,
    EndPause,
    SwitchOff,
    SwitchOn,
}

impl Decision {
    /// Whether there is something to decide.
    fn fits(self, client: &Client, now: OffsetDateTime) -> bool {
        use client::StateName::{Disabled, Incident};
        match self {
            Self::Resume | Self::Condemn => client.state == Incident,
            Self::EndPause => client.paused_until.is_some_and(|until| until > now),
            Self::SwitchOff => client.state != Disabled,
            Self::SwitchOn => client.state == Disabled,
        }
    }
}

impl World {
    /// An admin enters the secret that the provider has.
    pub async fn enter_secret(&self, client: usize) {
        loop {
            let (id, ours, theirs) = {
                let state = self.state();
                let known = &state.provider.clients[client];
                (known.id, state.db.tables.clients[&known.id].secret_generation, known.secret)
            };
            let state = self.state().db.tables.clients[&id].state;
            if ours == theirs && state != client::StateName::CredentialsRejected {
                return;
            }
            let entered = async {
                let mut tx = self.begin(None).await?;
                let mut dice = self.dice();
                tx.run("enter a secret", |view| {
                    let now = view.now;
                    view.replace_secret(id, |_| now + SPREAD * dice.fraction())
                })
                .await?;
                tx.commit().await
            };
            if entered.await.is_ok() {
                let mut state = self.state();
                state.note_for_all(Event::SecretEntered);
                let known = state.db.tables.clients[&id].secret_generation;
                // The provider's secret has the generation under which we know it.
                state.provider.clients[client].secret = known;
                return;
            }
            self.sleep(SECOND).await;
        }
    }

    /// An admin hears of incidents, and looks at them sooner or later.
    pub async fn look_at_incidents(&self) {
        let alert = self.state().alert.clone();
        loop {
            alert.notified().await;
            let news = std::mem::take(&mut self.state().incidents);
            for id in news {
                let (world, wait) =
                    (self.clone(), self.state().dice.spread(10 * SECOND, 15 * MINUTE));
                self.spawn(WORLD, async move {
                    world.sleep(wait).await;
                    let decision = world.wants(id);
                    let client = world.client(id);
                    if let Some(decision) = decision {
                        world.decide(client, decision).await;
                    }
                });
            }
        }
    }

    fn client(&self, id: Uuid) -> usize {
        let state = self.state();
        state.provider.clients.iter().position(|client| client.id == id).unwrap_or_default()
    }

    fn wants(&self, id: Uuid) -> Option<Decision> {
        let mut state = self.state();
        let goes_on = state.db.tables.clients[&id].state == client::StateName::Incident;
        if !goes_on {
            None
        } else if state.strikes(Fault::Resumed) {
            Some(Decision::Resume)
        } else if state.strikes(Fault::CondemnedAnyway) {
            Some(Decision::Condemn)
        } else {
            None
        }
    }

    /// An admin gives a client a rest.
    pub async fn rest(&self, client: usize, time: i64) {
        self.decide(client, Decision::SwitchOff).await;
        let world = self.clone();
        self.spawn(WORLD, async move {
            world.sleep(time).await;
            world.decide(client, Decision::SwitchOn).await;
        });
    }

    /// When everything works again: what is switched off is switched on, and what is refused after a while
    /// is believed, where it is refused rightly. Other incidents have to end by themselves.
    pub async fn tidy_up(&self, client: usize) {
        self.enter_secret(client).await;
        self.decide(client, Decision::SwitchOn).await;
        let settled = self.state().schedule.now + SETTLING;
        loop {
            self.sleep(MINUTE).await;
            self.decide(client, Decision::SwitchOn).await;
            let is_for_people = {
                let state = self.state();
                let id = state.provider.clients[client].id;
                state.schedule.now >= settled && !state.can_end(id)
            };
            if is_for_people {
                self.decide(client, Decision::Condemn).await;
            }
        }
    }

    /// Carries a decision out, if there is something to decide.
    pub async fn decide(&self, client: usize, decision: Decision) {
        let id = self.state().provider.clients[client].id;
        let patience = self.state().schedule.now + 10 * MINUTE;
        while self.state().schedule.now < patience {
            match self.try_to(id, decision).await {
                Ok(false) => return,
                Ok(true) => {
                    let mut state = self.state();
                    let event = match decision {
                        Decision::Resume => Event::Resumed,
                        Decision::Condemn => Event::Condemned,
                        Decision::SwitchOff => Event::SwitchedOff,
                        Decision::SwitchOn => Event::SwitchedOn,
                        Decision::EndPause => {
                            state.faults.note(Fault::PauseEnded);
                            Event::Resumed
                        }
                    };
                    state.note_for_all(event);
                    return;
                }
                Err(_) => self.sleep(SECOND).await,
            }
        }
    }

    /// Whether there was something to decide.
    async fn try_to(&self, id: Uuid, decision: Decision) -> Result<bool, Gone> {
        {
            let state = self.state();
            if !decision.fits(&state.db.tables.clients[&id], state.shared_time()) {
                return Ok(false);
            }
        }
        let mut tx = self.begin(None).await?;
        let mut dice = self.dice();
        let done = tx.run("decide about a client", |view| {
            view.lock_clients(&[id])?;
            let Some(client) = view.client(id) else { return Ok(false) };
            let now = view.now;
            if !decision.fits(client, now) {
                return Ok(false);
            }
            let due = |_| now + SPREAD * dice.fraction();
            match decision {
                Decision::Condemn => {
                    view.condemn(id, now)?;
                    view.go_on(id, due)?;
                }
                Decision::Resume => view.go_on(id, due)?,
                Decision::EndPause => {
                    view.end_pause(id)?;
                    view.spread(id, due)?;
                }
                Decision::SwitchOff => view.switch_off(id)?,
                Decision::SwitchOn => {
                    view.set_ready(id)?;
                    view.spread(id, due)?;
                }
            }
            Ok(true)
        });
        let done = done.await?;
        tx.commit().await?;
        Ok(done)
    }
}
