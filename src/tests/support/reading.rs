//! What a test looks at: rows, history, and the provider's log.

use sqlx::{PgPool, Row, postgres::PgRow};
use time::Duration;
use uuid::Uuid;

use super::World;
use crate::{
    domain::{
        attempt::Attempt,
        audit::{AuditEntry, AuditFilter},
        client::Client,
        connection::{Connection, Reason, State},
        page::Paging,
    },
    sandbox::TokenRequest,
    server::app::{self, Actor, connection::LiveToken},
};

impl World {
    pub async fn connection(&self, id: Uuid) -> Connection {
        app::connection::get(&self.app, &Actor::System, id).await.expect("a connection")
    }

    pub async fn state(&self, id: Uuid) -> State {
        self.connection(id).await.state
    }

    pub async fn generation(&self, id: Uuid) -> i64 {
        self.connection(id).await.generation
    }

    /// Why it needs a person, if it does.
    pub async fn reason(&self, id: Uuid) -> Option<Reason> {
        match self.state(id).await {
            State::NeedsReauth { reason, .. } => Some(reason),
            _ => None,
        }
    }

    pub async fn client_now(&self, id: Uuid) -> Client {
        app::client::get(&self.app, &Actor::System, id).await.expect("a client")
    }

    /// The history, oldest first.
    pub async fn attempts(&self, id: Uuid) -> Vec<Attempt> {
        let paging = Paging { cursor: None, limit: Some(200) };
        let page = app::connection::attempts(&self.app, &Actor::System, id, &paging).await;
        let mut attempts = page.expect("attempts").items;
        attempts.reverse();
        attempts
    }

    /// The audit entries of an action, newest first.
    pub async fn audit(&self, action: &str) -> Vec<AuditEntry> {
        let filter = AuditFilter { action: Some(action.into()), ..AuditFilter::default() };
        let paging = Paging { cursor: None, limit: Some(200) };
        app::audit::list(&self.app, &Actor::System, &filter, &paging).await.expect("audit").items
    }

    pub async fn token(&self, id: Uuid, min_ttl: Duration) -> app::Result<LiveToken> {
        app::connection::token(&self.app, &Actor::System, id, min_ttl).await
    }

    /// Moves the clock to the moment at which the worker acts on this connection.
    pub async fn until_due(&self, id: Uuid) {
        let due_at = self.connection(id).await.due_at.expect("a due time");
        if due_at > self.now() {
            self.clock.set(due_at);
        }
    }

    /// The token requests that were refreshes, oldest first.
    pub fn refreshes(&self) -> Vec<TokenRequest> {
        let is_refresh = |request: &TokenRequest| request.grant.as_deref() == Some("refresh_token");
        self.sandbox.log().into_iter().filter(is_refresh).collect()
    }

    /// One row of a query whose words a test made up.
    pub async fn row(&self, sql: &'static str) -> PgRow {
        row(&self.pool, sql).await
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        self.row(sql).await.get(0)
    }

    pub async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.expect("a statement");
    }

    /// Waits until a query gives `wanted`. Each look is a round trip to the database, in which
    /// everything else goes on.
    pub async fn until_count(&self, sql: &'static str, wanted: i64) {
        let reached = async {
            while self.count(sql).await < wanted {
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(20);
        tokio::time::timeout(patience, reached).await.unwrap_or_else(|_| panic!("never: {sql}"));
    }
}

async fn row(pool: &PgPool, sql: &'static str) -> PgRow {
    sqlx::query(sql).fetch_one(pool).await.expect("a row")
}
