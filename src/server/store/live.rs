//! What is said to pages that are open: that something became of a kind of rows, never what. It is a
//! hint, which may be lost; the rows are asked again.

use sqlx::{PgPool, postgres::PgListener};

use super::Result;

/// The channel on which topics are named. Triggers speak on it.
const CHANNEL: &str = "regrant_live";

/// Begins to hear what is said.
pub async fn listen(pool: &PgPool) -> Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// The next topic. After a broken connection some may be missing.
pub async fn heard(listener: &mut PgListener) -> Result<String> {
    Ok(listener.recv().await?.payload().to_owned())
}
