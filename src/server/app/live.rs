//! Tells the pages of this process that something became of what they show. One connection to the
//! database listens for all of them; what is passed on is a topic, and the page asks for the rest.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::broadcast;

use super::{Actor, App, Result};
use crate::{domain::access::Permission, server::store};

/// A page that is so many topics behind is told that it missed some.
const KEPT: usize = 64;

/// Where topics are passed on.
pub struct Live {
    said: broadcast::Sender<Topic>,
    /// Those that are on their way.
    held: Mutex<Vec<Topic>>,
}

impl Default for Live {
    fn default() -> Self {
        Self { said: broadcast::Sender::new(KEPT), held: Mutex::default() }
    }
}

impl Live {
    fn say(&self, topic: Topic) {
        let _ = self.said.send(topic);
    }

    /// Whether it is not on its way yet.
    fn hold(&self, topic: Topic) -> bool {
        let mut held = self.held();
        let is_new = !held.contains(&topic);
        if is_new {
            held.push(topic);
        }
        is_new
    }

    /// Lets go before it is said, so that nothing is lost that happens at that moment.
    fn let_go(&self, topic: Topic) {
        self.held().retain(|held| *held != topic);
        self.say(topic);
    }

    fn held(&self) -> MutexGuard<'_, Vec<Topic>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What something became of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Relinks,
    /// How connections stand.
    Connections,
    /// How clients stand.
    Clients,
    /// Some of what was said may be missing.
    All,
}

impl Topic {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relinks => "relinks",
            Self::Connections => "connections",
            Self::Clients => "clients",
            Self::All => "all",
        }
    }

    /// Topics of a later version are nothing to us.
    fn named(name: &str) -> Option<Self> {
        [Self::Relinks, Self::Connections, Self::Clients, Self::All]
            .into_iter()
            .find(|topic| topic.as_str() == name)
    }

    /// What happens all the time is passed on so often at most, all that was said meanwhile as one.
    fn pace(self) -> Option<Duration> {
        match self {
            Self::Relinks | Self::Connections | Self::Clients => Some(Duration::from_secs(1)),
            Self::All => None,
        }
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
    Ok(Ear(app.live().said.subscribe()))
}

/// Passes on what the database says. Ends when its notifications do.
pub async fn listen(app: &App) -> Result<()> {
    let mut said = store::live::listen(app.pool()).await?;
    // What was said before nobody heard.
    app.live().say(Topic::All);
    loop {
        if let Some(topic) = Topic::named(&store::live::heard(&mut said).await?) {
            pass_on(app, topic);
        }
    }
}

fn pass_on(app: &App, topic: Topic) {
    match topic.pace() {
        None => app.live().say(topic),
        Some(pace) if app.live().hold(topic) => {
            let app = app.clone();
            tokio::spawn(async move {
                tokio::time::sleep(pace).await;
                app.live().let_go(topic);
            });
        }
        Some(_) => {}
    }
}
