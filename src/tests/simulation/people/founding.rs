//! What is there before anything happens: clients and connections, as different as chance makes them.

use std::sync::Arc;

use time::Duration;
use uuid::Uuid;

use crate::{
    domain::{
        client,
        connection::StateName,
        provider::{IncidentPolicy, Profile},
        schedule::{self, Policy, TokenClock},
    },
    server::store::{connection::outcome::Renewal, token_set::TokenSet},
    tests::simulation::{
        executor::{MINUTE, SECOND},
        history::Event,
        provider::{self, Registration, Revoked, Rotation},
        store::{self, Connection},
        world::State,
    },
};

impl State {
    pub fn register(&mut self) {
        let now = self.shared_time();
        let id = self.new_id(now);
        let mut profile = Profile::new("simulated", "Simulated");
        profile.policy.concurrency = Some(*self.dice.pick(&[1, 2, 3, 8]));
        profile.policy.requests_per_minute = self.dice.chance(0.3).then_some(30);
        profile.policy.incident = IncidentPolicy {
            count: *self.dice.pick(&[2, 3, 5]),
            canary_seconds: *self.dice.pick(&[10, 30, 60]),
            confirmations: *self.dice.pick(&[0, 2, 2]),
            confirm_seconds: 120,
            ..IncidentPolicy::default()
        };
        let grace = self.dice.spread(SECOND, 2 * MINUTE);
        let rotations = [
            Rotation::Revoking,
            Rotation::Revoking,
            Rotation::Revoking,
            Rotation::Refusing,
            Rotation::Grace(grace),
            Rotation::Never,
        ];
        let rotation = *self.dice.pick(&rotations);
        let life = *self.dice.pick(&[2 * MINUTE, 5 * MINUTE, 5 * MINUTE, 10 * MINUTE]);
        let thinks = *self.dice.pick(&[
            (1_000, SECOND / 5),
            (SECOND / 50, 2 * SECOND),
            (SECOND / 2, 15 * SECOND),
            (SECOND, 35 * SECOND),
        ]);
        self.provider.clients.push(Registration {
            id,
            profile: Arc::new(profile),
            rotation,
            life,
            thinks,
            secret: 1,
            outage_until: 0,
            refuses_until: 0,
            is_dark: false,
        });
        self.db.tables.clients.insert(
            id,
            store::Client {
                id,
                state: client::StateName::Ready,
                secret_generation: 1,
                paused_until: None,
                next_request_at: None,
                callers_until: None,
                incidents_told: 0,
            },
        );
    }

    pub fn connect(&mut self) {
        let now = self.shared_time();
        let id = self.new_id(now);
        let client = self.dice.below(self.provider.clients.len());
        let client_id = self.provider.clients[client].id;
        let number = self.connections.len();
        self.connections.push(id);
        let row = Connection::new(id, client_id);
        self.db.tables.connections.insert(id, row.clone());
        let token = self.provider.consent(number);
        let (set, given) = self.granted(id, token);
        let row = Connection {
            state: StateName::Active,
            generation: 1,
            has_refresh_token: true,
            consented_at: Some(given.obtained_at),
            obtained_at: Some(given.obtained_at),
            access_expires_at: given.access_expires_at,
            due_at: given.due_at,
            ..row
        };
        self.db.tables.connections.insert(id, row);
        self.db.tables.sets.insert(id, TokenSet { generation: 1, ..set });
        self.make_durable(number, token);
    }

    /// A first token set.
    pub fn granted(&mut self, id: Uuid, token: usize) -> (TokenSet, Renewal) {
        let client_id = self.db.tables.connections[&id].client_id;
        let mut clients = self.provider.clients.iter();
        let client = clients.find(|client| client.id == client_id).expect("a client");
        let obtained_at = self.shared_time();
        let clock = TokenClock {
            obtained_at,
            access_expires_at: Some(obtained_at + Duration::microseconds(client.life)),
            refresh_expires_at: None,
            renewable: true,
        };
        let policy = Policy::from(client.profile.as_ref());
        let due_at = schedule::due_at(&clock, &policy, self.dice.fraction());
        let refresh = provider::name(token);
        let set = TokenSet {
            connection_id: id,
            generation: 0,
            sealed_access_token: Some(format!("at-{token}").into_bytes()),
            sealed_refresh_token: Some(refresh.clone().into_bytes()),
            sealed_extras: None,
            token_type: "Bearer".into(),
            fingerprint: Some(refresh),
            obtained_at,
        };
        let given = Renewal {
            scopes_granted: None,
            has_refresh_token: true,
            obtained_at,
            access_expires_at: clock.access_expires_at,
            refresh_expires_at: None,
            needs_human_by: None,
            due_at,
        };
        (set, given)
    }

    /// The owner of an account withdraws consent: all that came of it is dead.
    pub fn withdraw(&mut self, connection: usize) {
        self.note(connection, Event::Withdrawn);
        let tokens = self.provider.tokens.iter().filter(|token| token.connection == connection);
        let families: Vec<usize> = tokens.map(|token| token.family).collect();
        for family in families {
            self.provider.families[family].get_or_insert(Revoked::ByOwner);
        }
    }
}
