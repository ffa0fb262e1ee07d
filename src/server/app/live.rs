//! Tells the pages of this process that something became of what they show. One connection to the
//! database listens for all of them; what is passed on is a topic, and the page asks for the rest.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::broadcast;
use uuid::Uuid;

use super::{Actor, App, Error, Result};
use crate::{
    domain::{access::Permission, problem::Obstacle},
    server::store::{self, live::Said},
};

/// A page that is so many topics behind is told that it missed some.
const KEPT: usize = 64;

/// So many pages of one session hear at once; a browser opens hardly more tabs.
const PAGES: usize = 60;

/// Where topics are passed on.
pub struct Live {
    said: broadcast::Sender<Topic>,
    /// Those that are on their way.
    held: Mutex<Vec<Topic>>,
    /// Connections whose pages are open, and how many of each. Nobody is told of others.
    shown: Mutex<HashMap<Uuid, usize>>,
    /// How many pages of each session hear.
    pages: Mutex<HashMap<String, usize>>,
}

impl Default for Live {
    fn default() -> Self {
        let said = broadcast::Sender::new(KEPT);
        Self { said, held: Mutex::default(), shown: Mutex::default(), pages: Mutex::default() }
    }
}

impl Live {
    fn say(&self, topic: Topic) {
        let _ = self.said.send(topic);
    }

    /// Whether it is not on its way yet.
    fn hold(&self, topic: Topic) -> bool {
        let mut held = lock(&self.held);
        let is_new = !held.contains(&topic);
        if is_new {
            held.push(topic);
        }
        is_new
    }

    /// Lets go before it is said, so that nothing is lost that happens at that moment.
    fn let_go(&self, topic: Topic) {
        lock(&self.held).retain(|held| *held != topic);
        self.say(topic);
    }

    fn shows(&self, id: Uuid) -> bool {
        lock(&self.shown).contains_key(&id)
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
    /// All that is known of one connection.
    Connection(Uuid),
    /// Some of what was said may be missing.
    All,
}

impl Topic {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relinks => "relinks",
            Self::Connections => "connections",
            Self::Clients => "clients",
            Self::Connection(_) => "connection",
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
            Self::Relinks | Self::Connections | Self::Clients | Self::Connection(_) => {
                Some(Duration::from_secs(1))
            }
            Self::All => None,
        }
    }
}

/// What one page hears.
pub struct Ear {
    app: App,
    said: broadcast::Receiver<Topic>,
    /// The connection that the page shows.
    of: Option<Uuid>,
    session: String,
}

impl Ear {
    /// The next topic; `None`: there will be no more.
    pub async fn next(&mut self) -> Option<Topic> {
        loop {
            match self.said.recv().await {
                Ok(Topic::Connection(id)) if self.of != Some(id) => {}
                Ok(topic) => return Some(topic),
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(Topic::All),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let live = self.app.live();
        take_away(&mut lock(&live.pages), &self.session);
        if let Some(id) = self.of {
            take_away(&mut lock(&live.shown), &id);
        }
    }
}

/// Counts one less.
fn take_away<K: Eq + Hash>(counted: &mut HashMap<K, usize>, key: &K) {
    match counted.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        _ => _ = counted.remove(key),
    }
}

/// Begins to hear what is passed on from now, for a page of a session; also of one connection, for the page
/// that shows it.
pub fn hear(app: &App, actor: &Actor, session: &str, of: Option<Uuid>) -> Result<Ear> {
    actor.require(Permission::ConnectionsRead)?;
    let live = app.live();
    let mut pages = lock(&live.pages);
    let count = pages.entry(session.to_owned()).or_default();
    if *count >= PAGES {
        return Err(Error::conflict(
            Obstacle::LimitReached,
            format!("{PAGES} pages are open and hear what happens. Close some."),
        ));
    }
    *count += 1;
    drop(pages);
    if let Some(id) = of {
        *lock(&live.shown).entry(id).or_default() += 1;
    }
    Ok(Ear { app: app.clone(), said: live.said.subscribe(), of, session: session.to_owned() })
}

/// Passes on what the database says. Ends when its notifications do.
pub async fn listen(app: &App) -> Result<()> {
    let mut said = store::live::listen(app.pool()).await?;
    // What was said before nobody heard.
    app.live().say(Topic::All);
    loop {
        match store::live::heard(&mut said).await? {
            Said::Topic(name) => {
                if let Some(topic) = Topic::named(&name) {
                    pass_on(app, topic);
                }
            }
            Said::Connections(ids) => {
                for id in ids.into_iter().filter(|id| app.live().shows(*id)) {
                    pass_on(app, Topic::Connection(id));
                }
            }
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
