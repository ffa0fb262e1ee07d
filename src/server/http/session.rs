//! Browser sessions: the cookie, the store behind it, and who a request comes from.
//!
//! A session is written as a whole, from what a request found at its beginning. So it holds only what is
//! settled when it is made; what comes and goes has rows of its own (`app::note`), and its end is moved
//! without it.

use std::collections::HashMap;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use time::OffsetDateTime;
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{self, Id, Record},
    session_store,
};
use uuid::Uuid;

use super::live::LIVE;
use crate::{
    domain::voice,
    server::app::{self, Actor, App, session::SignedIn},
};

const USER: &str = "user_id";
const BEGAN: &str = "began_at";
const SEEN: &str = "seen_at";
const BROWSER: &str = "browser";
const GENERATION: &str = "credential_generation";
/// What sessions that name none were made under.
const FIRST: i64 = 1;
/// The end of a session in use is moved this often, so that reading pages does not write rows.
const TOUCH: time::Duration = time::Duration::minutes(5);

/// The cookie's layer. Over https the cookie has the `__Host-` prefix (RFC 6265bis section 4.1.3.2),
/// which browsers accept only from this very host.
pub fn layer(app: &App) -> SessionManagerLayer<Store> {
    let secure = app.public_url().scheme() == "https";
    SessionManagerLayer::new(Store(app.clone()))
        .with_name(if secure { "__Host-regrant" } else { "regrant" })
        .with_secure(secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        // How long it may be idle says its row, which is moved without sending the cookie again.
        .with_expiry(Expiry::OnInactivity(app::session::ABSOLUTE_LIMIT))
}

/// Sessions in Postgres.
#[derive(Clone)]
pub struct Store(App);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

fn backend(error: app::Error) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

/// What is stored of a session: whose it is, what it holds, and when it ends if nobody comes. The
/// end goes by our clock; the record's own goes by the system's.
fn encode(
    app: &App,
    record: &Record,
) -> session_store::Result<(Option<Uuid>, serde_json::Value, OffsetDateTime)> {
    let user = record.data.get(USER).and_then(|id| serde_json::from_value(id.clone()).ok());
    let mut data = record.data.clone();
    data.remove(SEEN);
    let data = serde_json::to_value(&data)
        .map_err(|error| session_store::Error::Encode(error.to_string()))?;
    Ok((user, data, app.now() + app::session::IDLE_LIMIT))
}

#[async_trait::async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        loop {
            let (user, data, until) = encode(&self.0, record)?;
            let id = record.id.to_string();
            if app::session::insert(&self.0, &id, user, &data, until).await.map_err(backend)? {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let (user, data, until) = encode(&self.0, record)?;
        let id = record.id.to_string();
        app::session::update(&self.0, &id, user, &data, until).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = app::session::find(&self.0, &id.to_string()).await.map_err(backend)?;
        found
            .map(|(data, expiry_date)| {
                let mut data: HashMap<String, serde_json::Value> = serde_json::from_value(data)
                    .map_err(|error| session_store::Error::Decode(error.to_string()))?;
                // Its end says when it was last in use.
                let seen = expiry_date - app::session::IDLE_LIMIT;
                data.insert(SEEN.into(), seen.unix_timestamp().into());
                Ok(Record { id: *id, data, expiry_date })
            })
            .transpose()
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        app::session::delete(&self.0, &id.to_string()).await.map_err(backend)
    }
}

/// Puts the actor behind the session into the request. A session past its absolute limit, or of a
/// person who was shut out, is nobody's.
pub async fn identify(
    State(app): State<App>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let by_itself = is_look(request.headers()) || request.uri().path() == LIVE;
    let actor = match find(&app, &session, by_itself).await {
        Ok(actor) => actor,
        // What is stored is of no use to anybody.
        Err(Unread::Session(
            error @ (session::Error::SerdeJson(_)
            | session::Error::Store(session_store::Error::Decode(_))),
        )) => {
            tracing::error!(%error, "a session can't be understood");
            Actor::Anonymous
        }
        // Whoever is signed in is not to be told that they are not.
        Err(error) => {
            tracing::error!(error = error.to_string(), "a session can't be read");
            return unread(request.method() == Method::GET);
        }
    };
    request.extensions_mut().insert(actor);
    next.run(request).await
}

/// Says that our script looks at a page again by itself, and nobody may be there.
pub const LOOK: HeaderName = HeaderName::from_static("x-look");

/// Whether nobody asked for the page anew.
pub fn is_look(headers: &HeaderMap) -> bool {
    headers.contains_key(LOOK)
}

/// Nobody is told that they are signed out when that is not known. A page comes again by itself.
fn unread(is_page: bool) -> Response {
    let told = [voice::AWAY, voice::UNDONE].join(" ");
    let mut answer =
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], told).into_response();
    if is_page {
        answer.headers_mut().insert(header::REFRESH, HeaderValue::from_static("5"));
    }
    answer
}

#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Session(#[from] session::Error),
    #[error(transparent)]
    App(#[from] app::Error),
}

/// `by_itself`: nobody may be there to whom the session is of use.
async fn find(app: &App, session: &Session, by_itself: bool) -> Result<Actor, Unread> {
    let Some(id) = session.get::<Uuid>(USER).await? else {
        return Ok(Actor::Anonymous);
    };
    let now = app.now();
    let began = session.get::<i64>(BEGAN).await?.unwrap_or_default();
    let generation = session.get::<i64>(GENERATION).await?.unwrap_or(FIRST);
    let is_over = now.unix_timestamp() - began > app::session::ABSOLUTE_LIMIT.whole_seconds();
    let found = if is_over { None } else { app::session::find_user(app, id).await? };
    let Some(found) = found.filter(|found| found.generation == generation) else {
        session.flush().await?;
        return Ok(Actor::Anonymous);
    };
    let seen = session.get::<i64>(SEEN).await?.unwrap_or_default();
    if !by_itself
        && now.unix_timestamp() - seen > TOUCH.whole_seconds()
        && let Some(id) = session.id()
    {
        app::session::touch(app, &id.to_string()).await?;
    }
    Ok(app::session::actor_of(&found.user))
}

/// Makes the session this person's, under a new id (session fixation).
pub async fn begin(
    session: &Session,
    signed_in: &SignedIn,
    now: OffsetDateTime,
) -> Result<(), session::Error> {
    session.clear().await;
    session.cycle_id().await?;
    session.insert(USER, signed_in.user.id).await?;
    session.insert(GENERATION, signed_in.generation).await?;
    session.insert(BEGAN, now.unix_timestamp()).await
}

/// The secret by which this browser is known to a flow; made when there is none. It is drawn from
/// the session, so it lives as long and is as hard to steal.
pub async fn browser(app: &App, session: &Session) -> Result<String, session::Error> {
    if let Some(known) = known_browser(session).await? {
        return Ok(known);
    }
    let made = app::session::browser_secret(app);
    session.insert(BROWSER, &made).await?;
    Ok(made)
}

/// [`browser`], if it was made.
pub async fn known_browser(session: &Session) -> Result<Option<String>, session::Error> {
    session.get::<String>(BROWSER).await
}
