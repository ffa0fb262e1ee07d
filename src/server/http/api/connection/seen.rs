//! A connection as a program sees it: with the one word that a person sees over its state. That word is of a
//! moment, so it is said where the answer is made.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    domain::connection::{Connection, Standing},
    server::app::App,
};

/// A connection, and how it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub struct Seen {
    #[serde(flatten)]
    connection: Connection,
    /// How it stands all in all: the trouble of its client over its own state. The filter `standing` of the
    /// list asks for it.
    standing: Standing,
}

impl Seen {
    pub fn at(connection: Connection, as_of: OffsetDateTime) -> Self {
        Self { standing: connection.standing(as_of), connection }
    }

    pub fn now(app: &App, connection: Connection) -> Self {
        Self::at(connection, app.now())
    }
}
