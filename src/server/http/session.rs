//! Browser sessions: the cookie, the store behind it, and who a request comes from.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use time::OffsetDateTime;
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store,
};
use uuid::Uuid;

use crate::{
    domain::{user::User, voice},
    server::app::{self, Actor, App},
};

const USER: &str = "user_id";
const BEGAN: &str = "began_at";
const SEEN: &str = "seen_at";
const BROWSER: &str = "browser";
const NOTE: &str = "note";
const TYPED: &str = "typed";
/// A session in use is written again this often, so that reading pages does not write rows.
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
        .with_expiry(Expiry::OnInactivity(app::session::IDLE_LIMIT))
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
    let data = serde_json::to_value(&record.data)
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
                let data = serde_json::from_value(data)
                    .map_err(|error| session_store::Error::Decode(error.to_string()))?;
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
    let actor = match find(&app, &session).await {
        Ok(actor) => actor,
        Err(error) => {
            tracing::error!(error, "the session can't be read");
            return unreadable();
        }
    };
    request.extensions_mut().insert(actor);
    next.run(request).await
}

/// Nobody is told that they are signed out when that is not known. A page comes again by itself.
fn unreadable() -> Response {
    let headers = [(header::RETRY_AFTER, "5"), (header::REFRESH, "5")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, voice::AWAY).into_response()
}

async fn find(app: &App, session: &Session) -> Result<Actor, String> {
    let text = |error: tower_sessions::session::Error| error.to_string();
    let Some(id) = session.get::<Uuid>(USER).await.map_err(text)? else {
        return Ok(Actor::Anonymous);
    };
    let now = app.now();
    let began = session.get::<i64>(BEGAN).await.map_err(text)?.unwrap_or_default();
    if now.unix_timestamp() - began > app::session::ABSOLUTE_LIMIT.whole_seconds() {
        session.flush().await.map_err(text)?;
        return Ok(Actor::Anonymous);
    }
    let Some(user) = app::session::find_user(app, id).await.map_err(|error| error.to_string())?
    else {
        session.flush().await.map_err(text)?;
        return Ok(Actor::Anonymous);
    };
    let seen = session.get::<i64>(SEEN).await.map_err(text)?.unwrap_or_default();
    if now.unix_timestamp() - seen > TOUCH.whole_seconds() {
        session.insert(SEEN, now.unix_timestamp()).await.map_err(text)?;
    }
    Ok(app::session::actor_of(&user))
}

/// Makes the session this person's, under a new id (session fixation).
pub async fn begin(
    session: &Session,
    user: &User,
    now: OffsetDateTime,
) -> Result<(), tower_sessions::session::Error> {
    session.clear().await;
    session.cycle_id().await?;
    session.insert(USER, user.id).await?;
    session.insert(BEGAN, now.unix_timestamp()).await?;
    session.insert(SEEN, now.unix_timestamp()).await
}

/// The secret by which this browser is known to a flow; made when there is none. It is drawn from
/// the session, so it lives as long and is as hard to steal.
pub async fn browser(
    app: &App,
    session: &Session,
) -> Result<String, tower_sessions::session::Error> {
    if let Some(known) = known_browser(session).await? {
        return Ok(known);
    }
    let made = app::session::browser_secret(app);
    session.insert(BROWSER, &made).await?;
    Ok(made)
}

/// [`browser`], if it was made.
pub async fn known_browser(
    session: &Session,
) -> Result<Option<String>, tower_sessions::session::Error> {
    session.get::<String>(BROWSER).await
}

/// Keeps a sealed note for the next page.
pub async fn put_note(
    session: &Session,
    sealed: Vec<u8>,
) -> Result<(), tower_sessions::session::Error> {
    session.insert(NOTE, sealed).await
}

/// Takes the note of the page before.
pub async fn take_note(
    session: &Session,
) -> Result<Option<Vec<u8>>, tower_sessions::session::Error> {
    session.remove(NOTE).await
}

/// Keeps, sealed, what was typed into a form that failed.
pub async fn put_typed(
    session: &Session,
    sealed: Vec<u8>,
) -> Result<(), tower_sessions::session::Error> {
    session.insert(TYPED, sealed).await
}

/// Takes what [`put_typed`] kept.
pub async fn take_typed(
    session: &Session,
) -> Result<Option<Vec<u8>>, tower_sessions::session::Error> {
    session.remove(TYPED).await
}
