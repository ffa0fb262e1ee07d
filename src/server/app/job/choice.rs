//! What is chosen, before anything is done with it: how much is whose, how it stands, and of how much something
//! can come.

use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        client,
        connection::{GrantType, Standing, StateName},
        job::{Action, StandingCount},
        provider::{self as profile, Profile},
    },
    server::{
        app::{App, Error, Result, grant, provider, relink},
        store::connection::list::choose::Alike,
    },
};

/// What is chosen of one client.
pub(in crate::server::app) struct Weight {
    pub client_id: Uuid,
    pub client: String,
    pub count: i64,
    /// Another one when others of its connections are chosen.
    pub mark: i64,
    /// For how many it can be done.
    pub possible: i64,
    /// For links: of how many of those nobody knows whose account it is.
    pub unknown_accounts: i64,
    pub needs_person: i64,
    pub never_renewed: i64,
}

/// Client by client, the most first.
pub(in crate::server::app) async fn weigh(
    app: &App,
    conn: &mut PgConnection,
    action: Action,
    alike: &[Alike],
) -> Result<Vec<Weight>> {
    let mut profiles: HashMap<&str, Arc<Profile>> = HashMap::new();
    let mut weights: HashMap<Uuid, Weight> = HashMap::new();
    for one in alike {
        let profile = match profiles.entry(one.provider.as_str()) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                let profile = match provider::load(app, conn, &one.provider).await {
                    // Of what is gone nothing is known.
                    Err(Error::NotFound(_)) => Arc::new(Profile::new("", "")),
                    loaded => loaded?,
                };
                Arc::clone(new.insert(profile))
            }
        };
        let weight = weights.entry(one.client_id).or_insert_with(|| Weight {
            client_id: one.client_id,
            client: one.client.clone(),
            count: 0,
            mark: 0,
            possible: 0,
            unknown_accounts: 0,
            needs_person: 0,
            never_renewed: 0,
        });
        let counted = |counts: bool| if counts { one.count } else { 0 };
        let fits = fits(action, one, &profile);
        weight.count += one.count;
        weight.mark ^= one.mark;
        weight.possible += counted(fits);
        weight.unknown_accounts += counted(fits && action == Action::Relink && one.is_unknown);
        weight.needs_person += counted(one.standing == Standing::NeedsPerson);
        weight.never_renewed += counted(one.never_renewed);
    }
    let mut weights: Vec<_> = weights.into_values().collect();
    weights
        .sort_by_cached_key(|one| (Reverse(one.count), one.client.to_lowercase(), one.client_id));
    Ok(weights)
}

/// How many stand how.
pub fn standings(alike: &[Alike]) -> Vec<StandingCount> {
    let count = |standing| {
        alike.iter().filter(|one| one.standing == standing).map(|one| one.count).sum::<i64>()
    };
    let counts = Standing::ALL
        .into_iter()
        .map(|standing| StandingCount { standing, count: count(standing) });
    counts.filter(|one| one.count > 0).collect()
}

/// Whether it can be done, as far as can be told of many at once. What the provider's variables hold is looked at
/// when it is done.
fn fits(action: Action, one: &Alike, profile: &Profile) -> bool {
    let is_kept = matches!(one.state, StateName::Active | StateName::Retrying | StateName::InDoubt);
    match action {
        Action::Refresh => {
            is_kept
                && one.client_state == client::StateName::Ready
                && grant::renewable(profile, one.grant_type, one.has_refresh_token)
        }
        Action::Relink => {
            one.state != StateName::Disconnected
                && one.grant_type != GrantType::ClientCredentials
                && !relink::stops_consent(one.client_state)
                && offers_consent(profile)
                // As `Connection::takes_any_account` has it.
                && (one.is_bound || !is_kept || !one.has_refresh_token)
        }
        Action::Pause => {
            !matches!(one.state, StateName::Disconnected | StateName::NeedsReauth) && !one.rests
        }
        Action::Resume => one.rests,
        Action::Tag | Action::Untag => true,
        Action::Disconnect => one.state != StateName::Disconnected,
    }
}

fn offers_consent(profile: &Profile) -> bool {
    let ways = [
        (profile::GrantType::AuthorizationCode, &profile.endpoints.authorization),
        (profile::GrantType::DeviceCode, &profile.endpoints.device_authorization),
    ];
    ways.into_iter().any(|(grant, endpoint)| profile.allows(grant) && endpoint.is_some())
}
