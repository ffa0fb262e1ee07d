//! What is said to pages that are open: that something became of a kind of rows, or of one connection,
//! never what. It is a hint, which may be lost; the rows are asked again.

use sqlx::{PgPool, postgres::PgListener};
use uuid::Uuid;

use super::{Result, connection};

/// The channel on which topics are named. Triggers speak on it.
const CHANNEL: &str = "regrant_live";

/// What something became of.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A kind of rows, by its name.
    Topic(String),
    Connections(Vec<Uuid>),
}

/// Begins to hear what is said.
pub async fn listen(pool: &PgPool) -> Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([CHANNEL, connection::CHANNEL]).await?;
    Ok(listener)
}

/// What is said next. After a broken connection some may be missing.
pub async fn heard(listener: &mut PgListener) -> Result<Said> {
    let said = listener.recv().await?;
    Ok(if said.channel() == CHANNEL {
        Said::Topic(said.payload().to_owned())
    } else {
        Said::Connections(connection::named(said.payload()))
    })
}
