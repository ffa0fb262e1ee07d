//! What a refresh touches in a running server: PostgreSQL, the provider, the journal.

use std::{sync::Arc, time::Duration as StdDuration};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    decide::Outcome,
    engine::{Ports, Saved, Task, Unconfirmed},
    replay,
};
use crate::server::{
    app::{App, client::Caller, grant},
    journal,
    provider::{self, Grant, Refusal},
    store::token_set::TokenSet,
};

impl Ports for App {
    type Caller = Arc<Caller>;
    type Record = journal::Record;

    fn now(&self) -> OffsetDateTime {
        self.now()
    }

    fn elapsed(&self) -> Duration {
        self.elapsed()
    }

    fn jitter(&self) -> f64 {
        self.rng().fraction()
    }

    async fn sleep(&self, time: StdDuration) {
        tokio::time::sleep(time).await;
    }

    async fn ask(&self, task: &Task<Self::Caller>) -> Result<Grant, Refusal> {
        let (caller, leased) = (&task.caller, &task.leased);
        let sent = self.elapsed();
        let variables = caller.filled(&leased.variables);
        let by_client = grant::by_client_credentials(&task.profile, leased.grant_type);
        let answer = match &task.held {
            Some(token) if !by_client => {
                let scopes = super::decide::scopes_to_keep(leased);
                let registration = caller.registration_for(&scopes, &variables);
                provider::token::refresh(self.http(), &registration, token).await
            }
            _ => {
                let registration = caller.registration_for(&leased.scopes_requested, &variables);
                provider::token::client_credentials(self.http(), &registration).await
            }
        };
        self.flights().took(self.elapsed() - sent);
        answer
    }

    fn answered(&self, attempt_id: Uuid) {
        self.flights().answer(attempt_id);
        if self.flights().is_hungry() {
            self.tell_of_places();
        }
    }

    fn seal(&self, task: &Task<Self::Caller>, given: &Grant) -> anyhow::Result<TokenSet> {
        let leased = &task.leased;
        let (kept, extras) = (task.held.as_ref(), &task.extras);
        grant::seal(self, leased.id, leased.generation + 1, given, kept, extras)
            .map_err(|error| anyhow::anyhow!("a grant could not be sealed: {error:#}"))
    }

    async fn save(&self, outcome: &Outcome) -> Result<Saved, Unconfirmed> {
        self.saver().save(self, outcome).await
    }

    async fn journal(&self, outcome: &Outcome) -> Option<journal::Record> {
        replay::keep(self, replay::record(self, outcome)).await
    }

    fn settle(&self, record: journal::Record) {
        record.settle();
    }

    fn is_stopping(&self) -> bool {
        self.stopping().is_cancelled()
    }
}
