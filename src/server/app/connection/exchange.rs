//! Token exchange (RFC 8693): a connection made from another token, which is used once and not kept.

use secrecy::SecretString;
use serde_json::json;

use super::{
    Actor, App, Error, Result, audit,
    audit::Subject,
    consent, home, load,
    make::{self, NewConnection},
};
use crate::{
    domain::{
        access::Permission,
        connection::{Connection, GrantType},
        problem::Obstacle,
        provider::GrantType as Offered,
    },
    server::provider::token,
};

/// Longer than any token that fits into a header somewhere.
const TOKEN_LIMIT: usize = 64 * 1024;
const TEXT_LIMIT: usize = 2000;

/// The token to be exchanged.
pub struct Subjected {
    pub token: SecretString,
    /// A URI that says what kind of token it is (RFC 8693 section 3).
    pub token_type: String,
    /// Whom the new token is for, by name.
    pub audience: Option<String>,
    /// Whom the new token is for, by address (RFC 8707).
    pub resource: Option<String>,
}

/// Makes a connection by exchanging a token. What the provider gives is stored even if the caller
/// goes away; the token given in is not.
pub async fn create(
    app: &App,
    actor: &Actor,
    new: NewConnection,
    subject: Subjected,
) -> Result<Connection> {
    actor.require(Permission::ConnectionsWrite)?;
    check(&subject)?;
    let (running, actor) = (app.clone(), actor.clone());
    app.finish(async move { exchange(&running, &actor, new, &subject).await }).await
}

fn check(subject: &Subjected) -> Result<()> {
    use secrecy::ExposeSecret;
    let length = subject.token.expose_secret().len();
    if length == 0 || length > TOKEN_LIMIT {
        return Err(Error::invalid("subject_token", "must be a token of at most 64 KiB"));
    }
    let uri = |text: &str| text.len() <= TEXT_LIMIT && url::Url::parse(text).is_ok();
    if !uri(&subject.token_type) {
        let message = "must be a URI, such as urn:ietf:params:oauth:token-type:access_token";
        return Err(Error::invalid("subject_token_type", message));
    }
    // RFC 8693 section 2.1 with RFC 8707 section 2: an absolute address without a fragment.
    if subject.resource.as_deref().is_some_and(|text| !uri(text) || text.contains('#')) {
        return Err(Error::invalid("resource", "must be an absolute URI without a fragment"));
    }
    if subject.audience.as_deref().is_some_and(|text| text.is_empty() || text.len() > TEXT_LIMIT) {
        return Err(Error::invalid("audience", "must have 1 to 2000 characters"));
    }
    Ok(())
}

async fn exchange(
    app: &App,
    actor: &Actor,
    new: NewConnection,
    subject: &Subjected,
) -> Result<Connection> {
    make::check(&new)?;
    let caller = make::caller(app, &new).await?;
    let name = &caller.profile.name;
    if !caller.profile.allows(Offered::TokenExchange) {
        return Err(Error::conflict(Obstacle::NotOffered, format!("{name} exchanges no tokens.")));
    }
    let registration = caller.registration();
    let asked = token::Subject {
        token: &subject.token,
        token_type: &subject.token_type,
        audience: subject.audience.as_deref(),
        resource: subject.resource.as_deref(),
    };
    let given = token::exchange_token(app.http(), &registration, asked)
        .await
        .map_err(|refusal| make::refused(name, &refusal))?;
    let mut tx = app.begin().await?;
    home::refuse_second(app, &mut tx, &given).await?;
    make::refuse_changed(&caller, &mut tx).await?;
    let id = make::insert(app, &mut tx, &new, GrantType::TokenExchange).await?;
    let connection = load(&mut tx, id).await?;
    make::activate(app, &mut tx, &connection, &caller, &given, Some(given.obtained_at)).await?;
    let about = Subject::new(id, connection.name());
    let detail = json!({ "client": caller.client.name, "subject_token_type": subject.token_type });
    audit::record(app, &mut tx, actor, "connection.exchange", about, detail).await?;
    tx.commit().await?;
    app.wake_worker();
    consent::name(app, id, &caller, &given).await?;
    super::get(app, &Actor::System, id).await
}
