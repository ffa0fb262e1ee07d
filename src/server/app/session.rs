//! Signing in, and the first admin.

mod tries;

use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use tries::Try;
pub(super) use tries::forget as forget_tries;

use super::{Actor, App, Error, Result, audit, audit::Subject};
use crate::{
    domain::{
        access::Role,
        problem::Obstacle,
        user::{PASSWORD_MAX, PASSWORD_MIN, SetupLink, User, is_guessed},
    },
    server::{
        secret::{password, token},
        store,
    },
};

/// A session ends after so long without a request.
pub const IDLE_LIMIT: Duration = Duration::hours(8);
/// And after so long whatever happens.
pub const ABSOLUTE_LIMIT: Duration = Duration::days(7);

/// A hash takes 19 MiB and tens of milliseconds of a core: so many at once and no more.
static HASHING: Semaphore = Semaphore::const_new(4);

async fn hashing() -> Result<SemaphorePermit<'static>> {
    HASHING.acquire().await.map_err(|error| Error::Internal(error.into()))
}

/// A hash that no password has; verified against when there is no such account, so that the time
/// an answer takes does not tell who has one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                      4JbxsQ3ZqVcTJcRkVGN1HkeZ2hsqlGYMnr0Vvn9tIjw";

/// A person who may have a session, and of which generation their credentials are. A session that was made
/// under another one is void, however late it is stored.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub user: User,
    pub generation: i64,
}

/// Where a login comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub address: String,
}

/// Checks an e-mail address and a password. Errors: `RateLimited` after too many failures,
/// `Invalid` without a word on which of the two is wrong.
pub async fn login(app: &App, origin: &Origin, email: &str, password: String) -> Result<SignedIn> {
    let password = SecretString::from(password);
    let email = email.trim();
    let mut conn = app.pool().acquire().await?;
    let tried = Try::sign_in(app, &mut conn, origin, email).await?;
    let found = store::user::find_credentials(&mut conn, email).await?;
    drop(conn);
    let (id, hash) = match found {
        Some((id, hash)) => (Some(id), hash),
        None => (None, NOBODY.to_owned()),
    };
    let right = verify(hash.clone(), password).await?;
    let mut tx = app.begin().await?;
    let found = match id {
        Some(id) if right => Proof { id, hash }.find(&mut tx).await?,
        _ => None,
    };
    let Some(SignedIn { user, generation }) = found else {
        audit::record(
            app,
            &mut tx,
            &Actor::Anonymous,
            "session.refused",
            Subject { id: None, label: if id.is_some() { email } else { "unknown account" } },
            json!({ "address": origin.address }),
        )
        .await?;
        tx.commit().await?;
        return Err(Error::invalid("", "The e-mail address or the password is not right."));
    };
    tried.end_well(&mut tx).await?;
    store::user::touch_login(&mut tx, user.id, app.now()).await?;
    audit::record(
        app,
        &mut tx,
        &actor_of(&user),
        "session.begin",
        Subject::new(user.id, &user.email),
        json!({ "address": origin.address }),
    )
    .await?;
    tx.commit().await?;
    Ok(SignedIn { user, generation })
}

/// The actor that a signed-in person is.
pub fn actor_of(user: &User) -> Actor {
    Actor::User { id: user.id, email: user.email.clone(), role: user.role }
}

/// The person a session belongs to, unless they were shut out.
pub async fn find_user(app: &App, id: Uuid) -> Result<Option<SignedIn>> {
    let mut conn = app.pool().acquire().await?;
    let found = store::user::find_with_generation(&mut conn, id).await?;
    let found = found.filter(|(user, _)| user.disabled_at.is_none());
    Ok(found.map(|(user, generation)| SignedIn { user, generation }))
}

/// The one-time address at which the first admin is made; `None` once there is a user. Each call
/// makes a new one and voids those before.
pub async fn offer_setup(app: &App) -> Result<Option<String>> {
    let mut tx = app.begin().await?;
    if store::user::any(&mut tx).await? {
        return Ok(None);
    }
    let secret = token::make(app.rng(), "");
    let text = secrecy::ExposeSecret::expose_secret(&secret);
    store::setup_token::replace(&mut tx, &token::hash(text), app.now()).await?;
    tx.commit().await?;
    Ok(Some(app.address(&format!("setup/{text}"))))
}

/// What a set-up link is good for; without one, whether there is anybody who can sign in.
pub async fn setup_link(app: &App, given: Option<&str>) -> Result<SetupLink> {
    let mut conn = app.pool().acquire().await?;
    if store::user::any(&mut conn).await? {
        return Ok(SetupLink::Over);
    }
    let is_open = match given {
        Some(given) => store::setup_token::exists(&mut conn, &token::hash(given)).await?,
        None => false,
    };
    Ok(if is_open { SetupLink::Open } else { SetupLink::Unknown })
}

/// Makes the first admin. The token works once, and only while there is no user.
pub async fn setup(app: &App, given: &str, email: &str, password: String) -> Result<SignedIn> {
    let email = check_email(email)?;
    let mut conn = app.pool().acquire().await?;
    // Looked at before the password is hashed: a stranger must not make us work.
    let open = store::setup_token::exists(&mut conn, &token::hash(given)).await?;
    drop(conn);
    let hash = if open {
        refuse_guessed("password", &password, &email)?;
        hash_password(app, "password", password.into()).await?
    } else {
        String::new()
    };
    let mut tx = app.begin().await?;
    let unused = store::setup_token::take(&mut tx, &token::hash(given)).await?;
    if !unused || store::user::any(&mut tx).await? {
        return Err(Error::conflict(
            Obstacle::LinkOver,
            "This link makes nobody an admin: it was used, or is not the newest. As long as there are no \
             users, the log shows the newest at each start.",
        ));
    }
    let user = super::user::insert(app, &mut tx, &email, Role::Admin, &hash).await?;
    audit::record(
        app,
        &mut tx,
        &actor_of(&user),
        "user.setup",
        Subject::new(user.id, &user.email),
        json!({ "role": "admin" }),
    )
    .await?;
    let made = store::user::find_with_generation(&mut tx, user.id).await?;
    let (user, generation) = made.ok_or(Error::NotFound("user"))?;
    tx.commit().await?;
    Ok(SignedIn { user, generation })
}

/// That somebody knew the password of a person: of use for as long as it is that one's.
pub struct Proof {
    id: Uuid,
    hash: String,
}

impl Proof {
    /// The person, if the password is still theirs and they were not shut out. Keeps that so until the
    /// transaction ends: what is decided here is not overtaken by a new password.
    async fn find(&self, conn: &mut PgConnection) -> Result<Option<SignedIn>> {
        let locked = store::user::lock_credentials(conn, self.id).await?;
        let Some(now) = locked.filter(|now| now.password_hash == self.hash) else {
            return Ok(None);
        };
        let user = store::user::find(conn, self.id).await?;
        let user = user.filter(|user| user.disabled_at.is_none());
        Ok(user.map(|user| SignedIn { user, generation: now.generation }))
    }

    /// [`find`](Self::find), for whoever was signed in: they are no more.
    pub(super) async fn confirm(&self, conn: &mut PgConnection) -> Result<User> {
        Ok(self.find(conn).await?.ok_or(Error::Unauthenticated)?.user)
    }
}

/// Has whoever is signed in show by their password that it is them; how often it may fail is counted. `field`
/// names it in the error.
pub async fn prove(
    app: &App,
    actor: &Actor,
    origin: &Origin,
    field: &str,
    password: String,
) -> Result<Proof> {
    let id = actor.user_id()?;
    let mut conn = app.pool().acquire().await?;
    let tried = Try::prove(app, &mut conn, origin, id, actor.label()).await?;
    let hash = store::user::password_hash(&mut conn, id).await?.ok_or(Error::Unauthenticated)?;
    drop(conn);
    if !verify(hash.clone(), password.into()).await? {
        return Err(Error::invalid(field, "is not your present password"));
    }
    let proof = Proof { id, hash };
    let mut tx = app.begin().await?;
    proof.confirm(&mut tx).await?;
    tried.end_well(&mut tx).await?;
    tx.commit().await?;
    Ok(proof)
}

/// Replaces one's own password and ends all of one's sessions.
pub async fn change_password(
    app: &App,
    actor: &Actor,
    origin: &Origin,
    current: String,
    new: String,
) -> Result<SignedIn> {
    let id = actor.user_id()?;
    let proof = prove(app, actor, origin, "current", current).await?;
    refuse_guessed("new", &new, actor.label())?;
    let hash = hash_password(app, "new", new.into()).await?;
    let mut tx = app.begin().await?;
    let user = proof.confirm(&mut tx).await?;
    let generation = store::user::set_password(&mut tx, id, &hash).await?;
    store::session::delete_of_user(&mut tx, id).await?;
    let subject = Subject::new(user.id, &user.email);
    audit::record(app, &mut tx, actor, "user.change_password", subject, json!({})).await?;
    tx.commit().await?;
    Ok(SignedIn { user, generation })
}

/// Refuses the address itself for a password.
pub(crate) fn refuse_guessed(field: &str, password: &str, email: &str) -> Result<()> {
    if is_guessed(password, email) {
        return Err(Error::invalid(field, "must be another than the e-mail address"));
    }
    Ok(())
}

/// Hashes a password that is long enough; `field` names it in the error.
pub(crate) async fn hash_password(
    app: &App,
    field: &str,
    password: SecretString,
) -> Result<String> {
    let text = secrecy::ExposeSecret::expose_secret(&password);
    if text.chars().count() < PASSWORD_MIN {
        return Err(Error::invalid(field, format!("must have at least {PASSWORD_MIN} characters")));
    }
    if text.len() > PASSWORD_MAX {
        return Err(Error::invalid(
            field,
            format!(
                "is too long: {PASSWORD_MAX} letters and digits fit, fewer with accents among them"
            ),
        ));
    }
    let app = app.clone();
    let _permit = hashing().await?;
    let hash = tokio::task::spawn_blocking(move || password::hash(app.rng(), &password))
        .await
        .map_err(|error| Error::Internal(error.into()))??;
    Ok(hash)
}

async fn verify(hash: String, password: SecretString) -> Result<bool> {
    let length = secrecy::ExposeSecret::expose_secret(&password).len();
    let _permit = hashing().await?;
    let right = tokio::task::spawn_blocking(move || password::verify(&hash, &password))
        .await
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(right && length <= PASSWORD_MAX)
}

/// An address that could be one: what is before the @ is the mail server's business.
pub(crate) fn check_email(email: &str) -> Result<String> {
    let email = email.trim();
    let sound = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@')
        });
    if sound {
        Ok(email.to_owned())
    } else {
        Err(Error::invalid("email", "is not an e-mail address"))
    }
}

/// What identifies a browser to a flow: random, and of no use without its session.
pub fn browser_secret(app: &App) -> String {
    secrecy::ExposeSecret::expose_secret(&token::make(app.rng(), "")).to_owned()
}

/// The id under which a session is stored: the cookie's hash, so that a copy of the table opens no
/// session.
pub(super) fn stored_id(id: &str) -> String {
    token::hash(id).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keeps a new session. `false`: the id is taken.
pub async fn insert(
    app: &App,
    id: &str,
    user_id: Option<Uuid>,
    data: &serde_json::Value,
    until: OffsetDateTime,
) -> Result<bool> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::session::insert(&mut conn, &stored_id(id), user_id, data, until).await?)
}

/// Has a session that is in use go on for as long as one may be idle.
pub async fn touch(app: &App, id: &str) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::session::prolong(&mut conn, &stored_id(id), app.now() + IDLE_LIMIT).await?)
}

/// Writes a session that was not ended meanwhile.
pub async fn update(
    app: &App,
    id: &str,
    user_id: Option<Uuid>,
    data: &serde_json::Value,
    until: OffsetDateTime,
) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::session::update(&mut conn, &stored_id(id), user_id, data, until).await?)
}

pub async fn find(app: &App, id: &str) -> Result<Option<(serde_json::Value, OffsetDateTime)>> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::session::find(&mut conn, &stored_id(id), app.now()).await?)
}

pub async fn delete(app: &App, id: &str) -> Result<()> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::session::delete(&mut conn, &stored_id(id)).await?)
}
