//! Tells the pages of this process that something became of what they show. One connection to the
//! database listens for all of them; what is passed on is a topic, and the page asks for the rest.

use tokio::sync::broadcast;

use super::{Actor, App, Result};
use crate::{domain::access::Permission, server::store};

/// A page that is so many topics behind is told that it missed some.
const KEPT: usize = 64;

/// Where topics are passed on.
pub struct Live(broadcast::Sender<Topic>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

/// What something became of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Relinks,
    /// Some of what was said may be missing.
    All,
}

impl Topic {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relinks => "relinks",
            Self::All => "all",
        }
    }

    /// Topics of a later version are nothing to us.
    fn named(name: &str) -> Option<Self> {
        [Self::Relinks, Self::All].into_iter().find(|topic| topic.as_str() == name)
    }
}

/// What one page hears.
pub struct Ear(broadcast::Receiver<Topic>);

impl Ear {
    /// The next topic; `None`: there will be no more.
    pub async fn next(&mut self) -> Option<Topic> {
        match self.0.recv().await {
            Ok(topic) => Some(topic),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Topic::All),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Begins to hear what is passed on from now.
pub fn hear(app: &App, actor: &Actor) -> Result<Ear> {
    actor.require(Permission::ConnectionsRead)?;
    Ok(Ear(app.live().0.subscribe()))
}

/// Passes on what the database says. Ends when its notifications do.
pub async fn listen(app: &App) -> Result<()> {
    let mut said = store::live::listen(app.pool()).await?;
    // What was said before nobody heard.
    let _ = app.live().0.send(Topic::All);
    loop {
        if let Some(topic) = Topic::named(&store::live::heard(&mut said).await?) {
            let _ = app.live().0.send(topic);
        }
    }
}
