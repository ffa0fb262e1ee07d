//! Failing on purpose, on request.
//!
//! Each fault can be asked for the next so many requests, or with a probability, for all clients
//! or one, for all grants or one. At most one fires a request, in the order of [`Fault`]. A *hold*
//! keeps requests in flight until they are let go, so that tests of overlap need not sleep.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What can go wrong at a token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is closed before the request is processed.
    DropBefore,
    /// 503 with an HTML page, or the rule's `status`.
    Unavailable,
    /// 429 with `Retry-After`.
    RateLimited,
    /// The server believes the client's secret to be wrong.
    InvalidClient,
    /// The server says `invalid_grant` though the grant lives: an incident on its side.
    InvalidGrant,
    /// An error object under status 200; nothing is processed.
    ErrorIn200,
    /// 307 to another address.
    Redirect,
    /// Processed, then the connection is closed: the answer is lost.
    DropAfter,
    /// Processed, then an HTML page under 200 instead of the answer.
    Garbage,
    /// Processed, then half of the answer, well framed.
    Truncated,
    /// Processed, then the answer followed by 16 MiB of spaces.
    Huge,
}

impl Fault {
    /// Whether the request is processed and only its answer suffers.
    pub fn spoils_the_answer(self) -> bool {
        matches!(self, Self::DropAfter | Self::Garbage | Self::Truncated | Self::Huge)
    }
}

/// When a fault fires.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// For so many requests from now on, whatever the probability.
    pub next: u32,
    /// From 0 (never) to 1 (always).
    pub probability: f64,
    /// Only requests of this client id.
    pub client: Option<String>,
    /// Only requests with this `grant_type`.
    pub grant: Option<String>,
    /// The status of [`Fault::Unavailable`] instead of 503.
    pub status: Option<u16>,
}

/// All that can be asked for. What `PUT /__ctl` takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub faults: BTreeMap<Fault, Rule>,
    /// Every address but `/__ctl` answers 503.
    pub outage: bool,
    /// Every token request waits so long before it is processed.
    pub delay_ms: u64,
    /// What `Retry-After` says in a 429, in seconds.
    pub retry_after: u64,
    /// As an HTTP date instead of seconds.
    pub retry_after_as_date: bool,
    /// The code that [`Fault::ErrorIn200`] gives.
    pub error_in_200: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            faults: BTreeMap::new(),
            outage: false,
            delay_ms: 0,
            retry_after: 1,
            retry_after_as_date: false,
            error_in_200: "temporarily_unavailable".to_owned(),
        }
    }
}

/// Where a held request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It has arrived and nothing has happened.
    BeforeProcessing,
    /// It has been processed and the answer waits.
    BeforeAnswering,
}

/// The switches of one sandbox. A cheap clone; all clones are the same switches.
#[derive(Clone)]
pub struct Control(Arc<Switches>);

struct Switches {
    settings: Mutex<Settings>,
    counts: Mutex<BTreeMap<Fault, u64>>,
    hold: watch::Sender<Option<Hold>>,
    /// Whether a hold also catches requests that are still to come.
    catching: AtomicBool,
    held: watch::Sender<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    pub(super) fn new() -> Self {
        Self(Arc::new(Switches {
            settings: Mutex::default(),
            counts: Mutex::default(),
            hold: watch::Sender::new(None),
            catching: AtomicBool::new(true),
            held: watch::Sender::new(0),
        }))
    }

    /// The next `n` token requests fail so.
    pub fn fail_next(&self, fault: Fault, n: u32) {
        self.rule(fault, Rule { next: n, ..Rule::default() });
    }

    /// This share of all token requests fails so.
    pub fn fail_randomly(&self, fault: Fault, probability: f64) {
        self.rule(fault, Rule { probability, ..Rule::default() });
    }

    /// Sets when a fault fires.
    pub fn rule(&self, fault: Fault, rule: Rule) {
        lock(&self.0.settings).faults.insert(fault, rule);
    }

    /// Changes any of the settings in place.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.0.settings));
    }

    pub fn settings(&self) -> Settings {
        lock(&self.0.settings).clone()
    }

    /// No faults, no outage, no hold. The counters stay.
    pub fn clear(&self) {
        *lock(&self.0.settings) = Settings::default();
        self.release();
    }

    /// How often a fault has fired.
    pub fn count(&self, fault: Fault) -> u64 {
        lock(&self.0.counts).get(&fault).copied().unwrap_or_default()
    }

    pub fn counts(&self) -> BTreeMap<Fault, u64> {
        lock(&self.0.counts).clone()
    }

    /// From now on requests for tokens and codes, and revocations, stop here, until [`Control::release`].
    pub fn hold(&self, at: Hold) {
        self.0.catching.store(true, Ordering::SeqCst);
        self.0.hold.send_replace(Some(at));
    }

    /// What is held stays so; what comes from now on goes through, and so overtakes it.
    pub fn hold_no_more(&self) {
        self.0.catching.store(false, Ordering::SeqCst);
    }

    /// Lets held requests go on.
    pub fn release(&self) {
        self.0.hold.send_replace(None);
    }

    /// Waits until at least `n` requests are held.
    pub async fn until_held(&self, n: usize) {
        // The sender lives as long as `self`, so the channel cannot close.
        let _ = self.0.held.subscribe().wait_for(|held| *held >= n).await;
    }

    /// Stands still while requests are held at this point.
    pub(super) async fn pass(&self, point: Hold) {
        let mut hold = self.0.hold.subscribe();
        if *hold.borrow() != Some(point) || !self.0.catching.load(Ordering::SeqCst) {
            return;
        }
        let _held = Held::new(&self.0.held);
        let _ = hold.wait_for(|hold| *hold != Some(point)).await;
    }

    /// Which fault a request meets, counted; and the rule that chose it.
    pub(super) fn pick(
        &self,
        client: Option<&str>,
        grant: Option<&str>,
        mut fraction: impl FnMut() -> f64,
    ) -> Option<(Fault, Rule)> {
        let mut settings = lock(&self.0.settings);
        for (fault, rule) in &mut settings.faults {
            let concerns = rule.client.as_deref().is_none_or(|only| Some(only) == client)
                && rule.grant.as_deref().is_none_or(|only| Some(only) == grant);
            if !concerns {
                continue;
            }
            if rule.next > 0 {
                rule.next -= 1;
            } else if rule.probability <= 0.0 || fraction() >= rule.probability {
                continue;
            }
            *lock(&self.0.counts).entry(*fault).or_default() += 1;
            return Some((*fault, rule.clone()));
        }
        None
    }
}

/// Counts one held request, also when its caller hangs up meanwhile.
struct Held<'a>(&'a watch::Sender<usize>);

impl<'a> Held<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|held| *held += 1);
        Self(count)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|held| *held -= 1);
    }
}
