//! Everything the server remembers, behind one lock.

use std::collections::{HashMap, VecDeque};

use time::{Duration, OffsetDateTime};

use super::{
    accounts::Account,
    clients::Client,
    dialects::Realm,
    grants::{Book, ClientKey, FamilyId, Hash},
};

/// How long a code can be redeemed.
pub const CODE_LIFETIME: Duration = Duration::seconds(60);
/// How long a consent page can be answered.
pub const PAGE_LIFETIME: Duration = Duration::minutes(10);
/// How long a device code can be approved.
pub const DEVICE_LIFETIME: Duration = Duration::minutes(10);
/// How many seconds a device waits between two polls, at first (RFC 8628 section 3.2).
pub const POLL_SECONDS: i64 = 5;

/// An authorization code.
pub struct Code {
    pub client: ClientKey,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub scope: Vec<String>,
    pub nonce: Option<String>,
    pub account: &'static Account,
    pub expires_at: OffsetDateTime,
    /// The family it began.
    pub redeemed: Option<FamilyId>,
}

/// What a consent page decides.
pub enum Purpose {
    Redirect {
        uri: String,
        state: Option<String>,
        challenge: Option<String>,
        nonce: Option<String>,
    },
    Device {
        code: Hash,
    },
}

/// A consent page that has been shown and not answered.
pub struct Pending {
    pub client: ClientKey,
    pub scope: Vec<String>,
    pub purpose: Purpose,
    pub hint: Option<String>,
    pub expires_at: OffsetDateTime,
}

pub enum DeviceState {
    Pending,
    Denied,
    Allowed(&'static Account),
}

/// A device authorization (RFC 8628).
pub struct Device {
    pub client: ClientKey,
    pub scope: Vec<String>,
    pub user_code: String,
    pub state: DeviceState,
    pub expires_at: OffsetDateTime,
    pub interval: Duration,
    pub polled_at: Option<OffsetDateTime>,
}

#[derive(Default)]
pub struct State {
    pub clients: HashMap<ClientKey, Client>,
    pub book: Book,
    pub codes: HashMap<Hash, Code>,
    pub pending: HashMap<String, Pending>,
    pub devices: HashMap<Hash, Device>,
    requests: HashMap<ClientKey, VecDeque<OffsetDateTime>>,
}

impl State {
    pub fn client(&self, realm: Realm, id: &str) -> Option<&Client> {
        self.clients.get(&(realm, id.to_owned()))
    }

    /// Counts a token request against the client's limit; past it, the seconds to wait.
    pub fn count_request(&mut self, client: &Client, now: OffsetDateTime) -> Result<(), u64> {
        let Some(limit) = client.rate_limit else { return Ok(()) };
        let seen = self.requests.entry((client.realm, client.id.clone())).or_default();
        while seen.front().is_some_and(|at| *at + limit.per <= now) {
            seen.pop_front();
        }
        match seen.front() {
            Some(oldest) if seen.len() >= limit.requests => {
                let wait = (*oldest + limit.per - now).whole_milliseconds();
                Err(u64::try_from(wait).unwrap_or_default().div_ceil(1000))
            }
            _ => {
                seen.push_back(now);
                Ok(())
            }
        }
    }

    /// Forgets pages, codes and device codes that ended more than a day ago.
    pub fn sweep(&mut self, now: OffsetDateTime) {
        let long_ago = now - Duration::days(1);
        self.pending.retain(|_, page| page.expires_at > now);
        self.codes.retain(|_, code| code.expires_at > long_ago);
        self.devices.retain(|_, device| device.expires_at > long_ago);
    }
}
