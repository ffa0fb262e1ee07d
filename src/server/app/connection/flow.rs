//! The authorization code flow (RFC 6749 section 4.1 with PKCE, RFC 7636): out through a browser
//! and back.
//!
//! A flow begins at a one-time address of ours. Whoever opens it binds the flow to their browser;
//! only that browser can bring the code back, and only once. So an address that an automation asked
//! for can be handed to a person, and a code that a stranger planted is refused.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result,
    arrival::{self, Arrival, Purpose},
    audit,
    audit::{Party, Subject},
    consent::{self, Consent},
    load,
    make::{self, NewConnection},
    settle::{self, Brought, Settled},
};
use crate::{
    domain::{
        access::Permission,
        connection::{Connection, GrantType, State},
        problem::Obstacle,
        provider::GrantType as Offered,
    },
    server::{
        app::{client::Caller, keys},
        provider::{self, Grant, token},
        secret::{seal::Place, token as secret},
        store::{self, flow::Flow},
    },
};

pub use super::consent::Outcome;

/// A consent page may stay open for so long.
const LIFETIME: Duration = Duration::minutes(30);

/// Whoever holds a relink may have so many of them open.
const AT_ONCE: i64 = 30;

/// Where the browser goes from the callback: to the connection, or to a page that needs no login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// `None`: what the provider gave is here, and not stored yet.
    pub outcome: Option<Outcome>,
    /// The connection, for whoever is signed in; `None` when the flow came by a relink.
    pub connection_id: Option<Uuid>,
    /// That relink.
    pub relink_id: Option<Uuid>,
    /// The connection that has the grant already, for whoever is signed in.
    pub home: Option<Uuid>,
}

impl Landing {
    /// Where nothing is known of the flow.
    pub fn lost(outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), connection_id: None, relink_id: None, home: None }
    }
}

/// What the browser brought back (RFC 6749 section 4.1.2, RFC 9207). Which parameter is the code is
/// known once the flow is: providers have names of their own.
pub struct Callback(Vec<(String, SecretString)>);

impl Callback {
    /// No provider sends more parameters than are looked at.
    const MOST: usize = 32;

    /// The parameters of an address.
    pub fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).take(Self::MOST);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect())
    }

    /// The value of a parameter. One that stands there twice is none (RFC 6749 section 3.1).
    fn get(&self, name: &str) -> Option<&SecretString> {
        let mut values = self.0.iter().filter(|(had, _)| had == name).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }

    /// What may be the state: a provider may call it otherwise.
    fn states(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|(_, value)| secret::hash(value.expose_secret())).collect()
    }
}

/// Makes a connection that waits for consent; the address at which consent begins.
pub async fn connect(app: &App, actor: &Actor, new: NewConnection) -> Result<String> {
    Ok(create(app, actor, new).await?.1)
}

/// [`connect`], with the connection itself.
pub async fn create(app: &App, actor: &Actor, new: NewConnection) -> Result<(Connection, String)> {
    actor.require(Permission::ConnectionsWrite)?;
    // What can't be asked for is refused before anything is kept.
    make::caller(app, &new).await?;
    let mut tx = app.begin().await?;
    let id = make::insert(app, &mut tx, &new, GrantType::AuthorizationCode).await?;
    let connection = load(&mut tx, id).await?;
    let subject = Subject::new(id, connection.name());
    audit::record(app, &mut tx, actor, "connection.create", subject, json!({})).await?;
    let url = open(app, &mut tx, actor, &connection, None).await?;
    tx.commit().await?;
    Ok((connection, url))
}

/// The address at which an existing connection is authorized again, in place.
pub async fn authorize(app: &App, actor: &Actor, id: Uuid) -> Result<String> {
    actor.require(Permission::ConnectionsWrite)?;
    let mut tx = app.begin().await?;
    let connection = load(&mut tx, id).await?;
    let subject = Subject::new(id, connection.name());
    audit::record(app, &mut tx, actor, "connection.authorize", subject, json!({})).await?;
    let url = open(app, &mut tx, actor, &connection, None).await?;
    tx.commit().await?;
    Ok(url)
}

/// Opens a flow; the one-time address at which it begins.
pub(in crate::server::app) async fn open(
    app: &App,
    conn: &mut PgConnection,
    actor: &Actor,
    connection: &Connection,
    relink_id: Option<Uuid>,
) -> Result<String> {
    let profile = crate::server::app::provider::load(app, conn, &connection.provider).await?;
    if connection.state == State::Disconnected {
        return Err(Error::disconnected());
    }
    if !connection.can_reauthorize() || !profile.allows(Offered::AuthorizationCode) {
        return Err(Error::conflict(
            Obstacle::NotOffered,
            format!("{} connections of this kind need no consent page.", profile.name),
        ));
    }
    if let Some(relink) = relink_id
        && store::flow::count_open(conn, connection.id, relink, app.now()).await? >= AT_ONCE
    {
        return Err(Error::conflict(
            Obstacle::LimitReached,
            "This link was opened too often of late. Try again in half an hour.",
        ));
    }
    let id = app.new_id();
    let verifier = secret::make(app.rng(), "");
    let start = secret::make(app.rng(), "");
    let now = app.now();
    let flow = Flow {
        id,
        connection_id: connection.id,
        relink_id,
        state_hash: None,
        browser_hash: None,
        sealed_code_verifier: app.keyring().seal(
            app.rng(),
            verifier_place(id),
            verifier.expose_secret().as_bytes(),
        )?,
        nonce: secret::make(app.rng(), "").expose_secret().to_owned(),
        actor_kind: actor.kind().into(),
        actor_id: actor.id(),
        actor_label: actor.label().into(),
        created_at: now,
        expires_at: now + LIFETIME,
        used_at: None,
    };
    store::flow::insert(conn, &flow, &secret::hash(start.expose_secret())).await?;
    Ok(app.address(&format!("oauth/start/{}", start.expose_secret())))
}

fn verifier_place(row: Uuid) -> Place {
    Place { table: "flows", column: "sealed_code_verifier", row, generation: 0 }
}

/// Whether an address still begins a flow; asked before a stranger is given a session.
pub async fn is_open(app: &App, start: &str) -> Result<bool> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::flow::is_open(&mut conn, &secret::hash(start), app.now()).await?)
}

/// Binds a flow to the browser that opened its address; where that browser goes now.
/// `browser` is a secret that only this browser holds.
pub async fn begin(app: &App, start: &str, browser: &str) -> Result<String> {
    let state = secret::make(app.rng(), "");
    let mut tx = app.begin().await?;
    let flow = store::flow::begin(
        &mut tx,
        &secret::hash(start),
        &secret::hash(state.expose_secret()),
        &secret::hash(browser),
        app.now(),
    )
    .await?
    .ok_or(Error::NotFound("authorization in progress; begin again"))?;
    let connection = load(&mut tx, flow.connection_id).await?;
    let scopes = consent::scopes(&mut tx, &connection, flow.relink_id).await?;
    let caller = Caller::load(app, &mut tx, connection.client_id, scopes).await?;
    let caller = caller.for_connection(&connection);
    let code_verifier = open_verifier(app, &mut tx, &flow).await?;
    // A relink goes to a stranger until consent says otherwise: no hint of whom we expect.
    let login_hint = connection.account_label.as_deref().filter(|_| flow.relink_id.is_none());
    let request = provider::authorize::Request {
        state: state.expose_secret(),
        code_verifier: &code_verifier,
        nonce: Some(&flow.nonce),
        login_hint,
    };
    let url = provider::authorize::url(&caller.registration(), &request)?;
    tx.commit().await?;
    Ok(url.into())
}

/// Takes a callback: spends the flow, exchanges the code, checks the account, and gives the
/// connection its next generation. Once the flow is spent it runs to its end, even if the browser
/// goes away: the code works once.
pub async fn complete(app: &App, browser: &str, callback: Callback) -> Result<Landing> {
    let (running, browser) = (app.clone(), browser.to_owned());
    app.finish(async move { spend(&running, &browser, callback).await }).await
}

async fn spend(app: &App, browser: &str, callback: Callback) -> Result<Landing> {
    let mut conn = app.pool().acquire().await?;
    // Spent before anything else, so that no second request can follow with the same state.
    let (states, browser, now) = (callback.states(), secret::hash(browser), app.now());
    let flow = store::flow::take(&mut conn, &states, &browser, now).await?;
    let Some(flow) = flow else {
        return Ok(Landing::lost(Outcome::Expired));
    };
    if let Some(id) = flow.relink_id {
        store::relink::mark_returned(&mut conn, id, app.now()).await?;
    }
    let connection = load(&mut conn, flow.connection_id).await?;
    let scopes = consent::scopes(&mut conn, &connection, flow.relink_id).await?;
    let caller = Caller::load(app, &mut conn, connection.client_id, scopes).await?;
    let caller = caller.for_connection(&connection);
    let verifier = open_verifier(app, &mut conn, &flow).await?;
    let newest = store::connection::consented_at(&mut conn, connection.id).await?;
    // Asked before the code is spent too: where an account has one grant, a second one kills the
    // first.
    let open = match flow.relink_id {
        Some(id) => store::relink::is_open(&mut conn, id, now).await?,
        None => true,
    };
    drop(conn);
    let received = if open {
        receive(app, &flow, &caller, &verifier, &callback).await
    } else {
        Err((Outcome::Expired, "the relink was used or had expired".into()))
    };
    let consent = Consent {
        connection_id: flow.connection_id,
        flow_id: Some(flow.id),
        relink: flow.relink_id.map(|id| (id, now)),
        device: None,
        newest,
        who: who(&flow),
    };
    let settled = match received {
        Ok(given) => {
            let arrival = Arrival::new(app, given, &caller, Purpose::Consent(consent))
                .of_known(connection.account_id.is_some());
            arrival::receive(app, arrival, caller).await?
        }
        Err((outcome, why)) => {
            let refused = Settled::refused(outcome, why);
            let mut conn = app.pool().acquire().await?;
            settle::fail(app, &mut conn, &consent, &refused, Brought::Nothing).await?;
            Some(refused)
        }
    };
    let connection_id = flow.relink_id.is_none().then_some(flow.connection_id);
    let home = settled.as_ref().and_then(|settled| settled.home);
    Ok(Landing {
        outcome: settled.map(|settled| settled.outcome),
        connection_id,
        relink_id: flow.relink_id,
        home: home.filter(|_| connection_id.is_some()),
    })
}

async fn open_verifier(app: &App, conn: &mut PgConnection, flow: &Flow) -> Result<SecretString> {
    keys::open_text(app, conn, verifier_place(flow.id), &flow.sealed_code_verifier).await
}

/// From the callback to a grant.
async fn receive(
    app: &App,
    flow: &Flow,
    caller: &Caller,
    verifier: &SecretString,
    callback: &Callback,
) -> std::result::Result<Grant, (Outcome, String)> {
    let failed = |why: String| (Outcome::Failed, why);
    let registration = caller.registration();
    let names = &caller.profile.authorization.callback;
    let text = |name: &str| callback.get(name).map(|value| value.expose_secret());
    let state = text(names.state()).map(secret::hash);
    if state != flow.state_hash {
        return Err(failed("the state came back under another name".into()));
    }
    provider::authorize::check_issuer(&registration, text("iss"))
        .map_err(|error| failed(error.to_string()))?;
    if let Some(error) = text(names.error()) {
        let outcome = if error == "access_denied" { Outcome::Denied } else { Outcome::Failed };
        let more = text("error_description").map(|more| format!(": {more}")).unwrap_or_default();
        let said = format!("{error}{more}");
        return Err((outcome, said.chars().filter(|c| !c.is_control()).take(300).collect()));
    }
    let code = callback.get(names.code()).ok_or_else(|| failed("no code came back".into()))?;
    token::exchange(app.http(), &registration, code, verifier, Some(&flow.nonce))
        .await
        .map_err(|refusal| (Outcome::of_refusal(refusal.class), refusal.to_string()))
}

/// Who began the flow.
fn who(flow: &Flow) -> Party {
    Party { kind: flow.actor_kind.clone(), id: flow.actor_id, label: flow.actor_label.clone() }
}
