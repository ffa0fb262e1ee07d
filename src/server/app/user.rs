//! People who may sign in.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Actor, App, Error, Result, audit,
    audit::Subject,
    session::{self, Origin, Proof},
};
use crate::{
    domain::{
        access::{Permission, Role},
        problem::Obstacle,
        user::{User, UserPatch},
    },
    server::store,
};

pub async fn list(app: &App, actor: &Actor) -> Result<Vec<User>> {
    actor.require(Permission::UsersRead)?;
    let mut conn = app.pool().acquire().await?;
    Ok(store::user::list(&mut conn).await?)
}

pub async fn get(app: &App, actor: &Actor, id: Uuid) -> Result<User> {
    actor.require(Permission::UsersRead)?;
    let mut conn = app.pool().acquire().await?;
    store::user::find(&mut conn, id).await?.ok_or(Error::NotFound("user"))
}

pub async fn create(
    app: &App,
    actor: &Actor,
    email: &str,
    role: Role,
    password: SecretString,
) -> Result<User> {
    actor.require(Permission::UsersWrite)?;
    let email = session::check_email(email)?;
    session::refuse_guessed("password", password.expose_secret(), &email)?;
    let hash = session::hash_password(app, "password", password).await?;
    let mut tx = app.begin().await?;
    let user = insert(app, &mut tx, &email, role, &hash).await?;
    let subject = Subject::new(user.id, &user.email);
    audit::record(app, &mut tx, actor, "user.create", subject, json!({ "role": role })).await?;
    tx.commit().await?;
    Ok(user)
}

pub(super) async fn insert(
    app: &App,
    conn: &mut PgConnection,
    email: &str,
    role: Role,
    password_hash: &str,
) -> Result<User> {
    let (id, created_at) = (app.new_id(), app.now());
    let new = store::user::NewUser { id, email, password_hash, role, created_at };
    store::user::insert(conn, &new).await?;
    Ok(User { id, email: email.into(), role, disabled_at: None, last_login_at: None, created_at })
}

/// Changes a role, or shuts a person out (which ends all their sessions) or lets them in again.
/// The last admin who can sign in stays one.
pub async fn update(app: &App, actor: &Actor, id: Uuid, patch: UserPatch) -> Result<User> {
    actor.require(Permission::UsersWrite)?;
    let mut tx = app.begin().await?;
    let admins = store::user::count_active_admins(&mut tx).await?;
    let mut user =
        store::user::find_for_update(&mut tx, id).await?.ok_or(Error::NotFound("user"))?;
    let was_admin = user.role == Role::Admin && user.disabled_at.is_none();
    if let Some(role) = patch.role.filter(|role| *role != user.role) {
        user.role = role;
        store::user::set_role(&mut tx, id, role).await?;
        let subject = Subject::new(id, &user.email);
        audit::record(app, &mut tx, actor, "user.set_role", subject, json!({ "role": role }))
            .await?;
    }
    if let Some(disabled) = patch.disabled.filter(|want| *want != user.disabled_at.is_some()) {
        user.disabled_at = disabled.then(|| app.now());
        store::user::set_disabled(&mut tx, id, user.disabled_at).await?;
        store::session::delete_of_user(&mut tx, id).await?;
        let action = if disabled { "user.disable" } else { "user.enable" };
        let subject = Subject::new(id, &user.email);
        audit::record(app, &mut tx, actor, action, subject, json!({})).await?;
    }
    let is_admin = user.role == Role::Admin && user.disabled_at.is_none();
    if was_admin && !is_admin && admins <= 1 {
        return Err(Error::conflict(
            Obstacle::LastAdmin,
            "This is the last admin who can sign in. Make another one first.",
        ));
    }
    tx.commit().await?;
    Ok(user)
}

/// [`set_password`] by a person, who shows by their own password that it is them.
pub async fn prove_and_set_password(
    app: &App,
    actor: &Actor,
    origin: &Origin,
    own: String,
    id: Uuid,
    password: SecretString,
) -> Result<()> {
    actor.require(Permission::UsersWrite)?;
    let proof = session::prove(app, actor, origin, "own", own).await?;
    replace_password(app, actor, Some(&proof), id, password).await
}

/// Gives another person a new password. All their sessions end, and wrong passwords that they tried are
/// forgotten.
pub async fn set_password(
    app: &App,
    actor: &Actor,
    id: Uuid,
    password: SecretString,
) -> Result<()> {
    replace_password(app, actor, None, id, password).await
}

async fn replace_password(
    app: &App,
    actor: &Actor,
    proof: Option<&Proof>,
    id: Uuid,
    password: SecretString,
) -> Result<()> {
    actor.require(Permission::UsersWrite)?;
    if matches!(actor, Actor::User { id: own, .. } if *own == id) {
        return Err(Error::invalid("", "Change your own password in your profile."));
    }
    let theirs = get(app, &Actor::System, id).await?.email;
    session::refuse_guessed("password", password.expose_secret(), &theirs)?;
    let hash = session::hash_password(app, "password", password).await?;
    let mut tx = app.begin().await?;
    if let Some(proof) = proof {
        // Two admins who do this to each other wait for each other.
        store::user::lock_two(&mut tx, [actor.user_id()?, id]).await?;
        proof.confirm(&mut tx).await?;
    }
    let user = store::user::find_for_update(&mut tx, id).await?.ok_or(Error::NotFound("user"))?;
    store::user::set_password(&mut tx, id, &hash).await?;
    store::session::delete_of_user(&mut tx, id).await?;
    session::forget_tries(app, &mut tx, &user).await?;
    let subject = Subject::new(id, &user.email);
    audit::record(app, &mut tx, actor, "user.set_password", subject, json!({})).await?;
    tx.commit().await?;
    Ok(())
}
