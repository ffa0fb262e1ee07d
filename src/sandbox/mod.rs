//! A strict OAuth 2.0 / OpenID Connect authorization server, in memory: for `regrant demo`, for
//! `regrant sandbox` and for tests.
//!
//! It exists to refuse. What a real server would reject, it rejects; refresh tokens are used once
//! and a second use ends the family; faults come on request (`/__ctl`), and every token request is
//! on record. It holds no data worth protecting and must never stand in for a real provider.
//!
//! The standard realm is at the root: discovery, `/authorize`, `/token`, `/revoke`, `/introspect`,
//! `/userinfo`, `/jwks`, `/device_authorization`, `/device`. Five dialects stand below a prefix
//! each (`/eventix`, `/wetix`, `/apiax`, `/cronofy`, `/partner`), with the addresses of their
//! documents and a consent page at `{prefix}/authorize`. `/accounts` is where an account's owner
//! withdraws consent; `/` says what all this is. Scopes `ttl:60` and `refresh_ttl:600` ask for short lives.

mod accounts;
mod authorize;
mod clients;
mod ctl;
pub mod demo;
mod device;
mod dialects;
mod discovery;
mod faults;
mod front;
mod grants;
mod inspect;
mod keys;
mod log;
mod pages;
mod routes;
mod scope;
mod serve;
mod state;
#[cfg(test)]
mod tests;
mod token;
mod tokens;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use secrecy::SecretString;
use time::OffsetDateTime;

pub use self::{
    accounts::{ACCOUNTS, Account},
    clients::{
        Client, ClientAuth, ExpiryForm, Issue, OnReuse, RateLimit, RedirectUri, RefreshPolicy,
        Rotation, TokenForm,
    },
    dialects::Realm,
    faults::{Control, Fault, Hold, Rule, Settings},
    grants::fingerprint,
    log::TokenRequest,
    serve::{Running, serve, serve_on},
};
use self::{grants::Death, keys::Keys, log::Log, state::State, wire::Params};
use crate::server::clock::{Clock, Rng};

/// One server with all it remembers. A cheap clone; all clones are the same server.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    base: String,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    keys: Keys,
    started_at: OffsetDateTime,
    state: Mutex<State>,
    control: Control,
    log: Log,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issuer(&self, realm: Realm) -> String {
        format!("{}{}", self.base, realm.dialect().paths().prefix)
    }
}

impl Sandbox {
    /// A server that calls itself `base_url` (its issuer, without a slash at the end), with the
    /// clients `demo` (Basic, `demo-secret`), `demo-post`, `demo-public` and one in each dialect.
    pub fn new(base_url: &str, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let sandbox = Self(Arc::new(Inner {
            base: base_url.trim_end_matches('/').to_owned(),
            keys: Keys::new(&*rng),
            started_at: clock.now(),
            clock,
            rng,
            state: Mutex::default(),
            control: Control::new(),
            log: Log::default(),
        }));
        for client in clients::seeded() {
            sandbox.add_client(client);
        }
        sandbox
    }

    /// The issuer, and where every address begins.
    pub fn url(&self) -> &str {
        &self.0.base
    }

    /// All addresses, with the state in them.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// Registers a client, or replaces the one of the same id in the same realm.
    pub fn add_client(&self, client: Client) {
        self.0.state().clients.insert((client.realm, client.id.clone()), client);
    }

    /// The clients of a realm, by their ids.
    fn clients(&self, realm: Realm) -> Vec<Client> {
        let state = self.0.state();
        let mut clients: Vec<Client> =
            state.clients.values().filter(|client| client.realm == realm).cloned().collect();
        clients.sort_by(|one, other| one.id.cmp(&other.id));
        clients
    }

    /// The switches for faults, and their counters.
    pub fn control(&self) -> &Control {
        &self.0.control
    }

    /// The account's owner withdraws consent: every grant of that account dies. Takes an address,
    /// the name before its `@`, or a `sub`; says how many grants were alive.
    pub fn revoke_account(&self, account: &str) -> usize {
        let Some(account) = accounts::find(account) else { return 0 };
        self.0
            .state()
            .book
            .kill_where(Death::ConsentWithdrawn, |family| family.account == Some(account))
    }

    /// Gives a client another secret; the old one is refused from now on. Whether the grants
    /// survive is the client's `new_secret_revokes`. Says whether there is such a client.
    pub fn replace_secret(&self, realm: Realm, client: &str, secret: &str) -> bool {
        let mut state = self.0.state();
        let key = (realm, client.to_owned());
        let Some(client) = state.clients.get_mut(&key) else { return false };
        client.secret = Some(SecretString::from(secret));
        if client.new_secret_revokes {
            state.book.kill_where(Death::SecretReplaced, |family| family.client == key);
        }
        true
    }

    /// Every token request so far, oldest first.
    pub fn log(&self) -> Vec<TokenRequest> {
        self.0.log.all()
    }

    /// Plays the person at the consent page: takes the authorization address that a client made
    /// and gives the address the browser is sent back to. `Err` is what stands on the page when
    /// there is no way back.
    pub fn consent(&self, authorization_url: &str, account: &str) -> Result<String, String> {
        let account = accounts::find(account).ok_or_else(|| format!("no account {account}"))?;
        self.decide(authorization_url, Some(account), |_| true)
    }

    /// Like [`Sandbox::consent`], by a person who unticks what `keep` does not keep.
    pub fn consent_in_part(
        &self,
        authorization_url: &str,
        account: &str,
        keep: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let account = accounts::find(account).ok_or_else(|| format!("no account {account}"))?;
        self.decide(authorization_url, Some(account), keep)
    }

    /// Like [`Sandbox::consent`], by a person who refuses.
    pub fn deny(&self, authorization_url: &str) -> Result<String, String> {
        self.decide(authorization_url, None, |_| true)
    }

    fn decide(
        &self,
        authorization_url: &str,
        account: Option<&'static Account>,
        keep: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let elsewhere = || "this is not an address of an authorization endpoint here".to_owned();
        let rest = authorization_url.strip_prefix(self.url()).ok_or_else(elsewhere)?;
        let (path, query) = rest.split_once('?').ok_or_else(elsewhere)?;
        let realm = routes::realm_of(path).ok_or_else(elsewhere)?;
        let ticket = match authorize::begin(&self.0, realm, query.as_bytes()) {
            Ok(ticket) => ticket,
            Err(authorize::Stop::Page(text)) => return Err(text),
            Err(authorize::Stop::Redirect(url)) => return Ok(url.into()),
        };
        if let Some(pending) = self.0.state().pending.get_mut(&ticket) {
            pending.scope.retain(|scope| keep(scope));
        }
        match authorize::decide(&self.0, realm, &ticket, account) {
            Some(authorize::Decided::Back(url)) => Ok(url.into()),
            _ => Err("the page has expired".to_owned()),
        }
    }

    /// A token response for an account as the realm's code exchange would have given it, to be
    /// imported; it is no request and stands in no log. `Err` says what does not exist.
    pub fn grant(
        &self,
        realm: Realm,
        client: &str,
        account: &str,
        scope: Option<&str>,
    ) -> Result<serde_json::Value, String> {
        let account = accounts::find(account).ok_or_else(|| format!("no account {account}"))?;
        token::give(&self.0, realm, client, account, scope).map_err(|error| error.description)
    }

    /// Plays the person with the device's code in hand. Says whether a device waited for it.
    pub fn approve_device(&self, user_code: &str, account: &str) -> bool {
        let Some(account) = accounts::find(account) else { return false };
        self.decide_device(user_code, state::DeviceState::Allowed(account))
    }

    /// Like [`Sandbox::approve_device`], by a person who refuses.
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.decide_device(user_code, state::DeviceState::Denied)
    }

    fn decide_device(&self, user_code: &str, decision: state::DeviceState) -> bool {
        let now = self.0.clock.now();
        let mut state = self.0.state();
        let waiting =
            |device: &&mut state::Device| device.user_code == user_code && now < device.expires_at;
        match state.devices.values_mut().find(waiting) {
            Some(device) => {
                device.state = decision;
                true
            }
            None => false,
        }
    }
}

/// Parameters of an address or a form, by the rules of the token endpoint.
fn params(text: &[u8]) -> Params {
    Params::parse(text).unwrap_or_default()
}
