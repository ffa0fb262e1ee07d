//! A provider's grant, made fit to be stored: sealed, dated, fingerprinted.

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{App, Result, keys};
use crate::{
    domain::{
        connection::GrantType,
        provider::{Profile, RefreshLifetime, Renewal},
        schedule::{self, Policy, TokenClock},
    },
    server::{
        provider::Grant,
        secret::seal::Place,
        store::{self, token_set::TokenSet},
    },
};

/// What a provider said beside the tokens, by the names of its profile.
pub type Extras = serde_json::Map<String, serde_json::Value>;

pub(super) fn access_place(row: Uuid, generation: i64) -> Place {
    Place { table: "token_sets", column: "sealed_access_token", row, generation }
}

pub(super) fn refresh_place(row: Uuid, generation: i64) -> Place {
    Place { table: "token_sets", column: "sealed_refresh_token", row, generation }
}

pub(super) fn extras_place(row: Uuid, generation: i64) -> Place {
    Place { table: "token_sets", column: "sealed_extras", row, generation }
}

/// A connection's tokens, in the clear.
pub(super) struct Open {
    pub access: Option<SecretString>,
    pub refresh: Option<SecretString>,
}

/// Opens the tokens of a generation; there may be none.
pub(super) async fn open(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    generation: i64,
) -> Result<Open> {
    let Some(set) = store::token_set::find(conn, id, generation).await? else {
        return Ok(Open { access: None, refresh: None });
    };
    let mut open = async |place, sealed: Option<Vec<u8>>| match sealed {
        Some(sealed) => keys::open_text(app, conn, place, &sealed).await.map(Some),
        None => Ok(None),
    };
    let access = open(access_place(id, generation), set.sealed_access_token).await?;
    let refresh = open(refresh_place(id, generation), set.sealed_refresh_token).await?;
    Ok(Open { access, refresh })
}

/// Seals a grant as generation `generation` of a connection. When the response brought no refresh
/// token, `kept` goes on (RFC 6749 section 6); so does each of `extras` that it does not name.
pub(super) fn seal(
    app: &App,
    connection_id: Uuid,
    generation: i64,
    grant: &Grant,
    kept: Option<&SecretString>,
    extras: &Extras,
) -> Result<TokenSet> {
    let (ring, rng) = (app.keyring(), app.rng());
    let refresh_token = grant.refresh_token.as_ref().or(kept);
    let mut extras = extras.clone();
    extras.extend(grant.extras.clone());
    let extras = (!extras.is_empty()).then(|| serde_json::to_vec(&extras)).transpose()?;
    Ok(TokenSet {
        connection_id,
        generation,
        sealed_access_token: Some(ring.seal(
            rng,
            access_place(connection_id, generation),
            grant.access_token.expose_secret().as_bytes(),
        )?),
        sealed_refresh_token: refresh_token
            .map(|token| {
                let place = refresh_place(connection_id, generation);
                ring.seal(rng, place, token.expose_secret().as_bytes())
            })
            .transpose()?,
        sealed_extras: extras
            .map(|extras| ring.seal(rng, extras_place(connection_id, generation), &extras))
            .transpose()?,
        token_type: grant.token_type.clone(),
        fingerprint: refresh_token.map(|token| ring.fingerprint(token)),
        obtained_at: grant.obtained_at,
    })
}

/// The dates that follow from a grant.
pub(super) struct Dates {
    pub clock: TokenClock,
    pub due_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
}

/// What is known of the connection before the grant.
pub(super) struct Before {
    pub grant_type: GrantType,
    pub has_refresh_token: bool,
    pub obtained_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub consented_at: Option<OffsetDateTime>,
}

impl Before {
    /// Whether this refresh showed that refreshing does not lengthen the refresh token's life,
    /// whatever the profile says: as much time has passed as its end did not move.
    fn shows_fixed_end(&self, clock: &TokenClock) -> bool {
        let (Some(from), Some(was), Some(is)) =
            (self.obtained_at, self.refresh_expires_at, clock.refresh_expires_at)
        else {
            return false;
        };
        let elapsed = clock.obtained_at - from;
        // Lifetimes come in whole seconds, so that a moment proves nothing.
        elapsed > Duration::seconds(10) && is - was < elapsed / 2
    }
}

pub(super) fn dates(app: &App, profile: &Profile, before: &Before, grant: &Grant) -> Dates {
    dates_with(profile, before, grant, app.rng().fraction())
}

/// [`dates`], with the jitter given: a fraction in 0..1.
pub(super) fn dates_with(profile: &Profile, before: &Before, grant: &Grant, jitter: f64) -> Dates {
    let mut policy = policy(profile, before.grant_type);
    let has_refresh_token = grant.refresh_token.is_some() || before.has_refresh_token;
    let clock = TokenClock {
        obtained_at: grant.obtained_at,
        access_expires_at: grant.access_expires_at,
        refresh_expires_at: refresh_end(profile, before, grant).filter(|_| has_refresh_token),
        renewable: renewable(profile, before.grant_type, has_refresh_token),
    };
    policy.fixed |= before.shows_fixed_end(&clock);
    Dates {
        clock,
        due_at: schedule::due_at(&clock, &policy, jitter),
        needs_human_by: schedule::needs_human_by(&clock, &policy, false),
    }
}

/// A fixed lifetime counts from the consent, so a response that is silent about it changes nothing.
fn refresh_end(profile: &Profile, before: &Before, grant: &Grant) -> Option<OffsetDateTime> {
    let said = grant.refresh_expires_at;
    if profile.lifetimes.refresh_kind == RefreshLifetime::Sliding {
        return said;
    }
    let fixed = before.consented_at.zip(profile.lifetimes.refresh_seconds);
    let fixed = fixed.map(|(from, life)| from + schedule::seconds(life));
    match (said, fixed) {
        (Some(said), Some(fixed)) => Some(said.min(fixed)),
        (said, fixed) => said.or(fixed).or(before.refresh_expires_at),
    }
}

pub(super) fn policy(profile: &Profile, grant_type: GrantType) -> Policy {
    let mut policy = Policy::from(profile);
    policy.by_client_credentials |= grant_type == GrantType::ClientCredentials;
    policy
}

/// Whether a connection is renewed by the client's own credentials.
pub(super) fn by_client_credentials(profile: &Profile, grant_type: GrantType) -> bool {
    grant_type == GrantType::ClientCredentials || profile.renewal == Renewal::ClientCredentials
}

/// Whether a connection can be renewed without a person.
pub(super) fn renewable(profile: &Profile, grant_type: GrantType, has_refresh_token: bool) -> bool {
    by_client_credentials(profile, grant_type)
        || (profile.renewal == Renewal::RefreshToken && has_refresh_token)
}
