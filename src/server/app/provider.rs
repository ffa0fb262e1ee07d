//! Providers: presets, custom ones, discovery.

pub mod draft;
mod schema;

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;
use sqlx::PgConnection;

use super::{
    Actor, App, Error, Result, audit,
    audit::Subject,
    error,
    explain::{Reading, is_within},
};
use crate::{
    domain::{
        access::Permission,
        catalog::ProviderEntry,
        problem::{FieldProblem, Obstacle},
        provider::{Profile, Response},
    },
    server::{provider, store},
};

/// So many clients are named that stand in a provider's way.
const NAMED: usize = 5;

/// Presets and custom providers, by name.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<ProviderEntry>> {
    actor.require(Permission::ProvidersRead)?;
    let mut conn = app.pool().acquire().await?;
    let counts = store::client::count_by_provider(&mut conn).await?;
    let count = |slug: &str| counts.get(slug).copied().unwrap_or_default();
    let custom = store::provider::list(&mut conn).await?.into_iter().map(|profile| (profile, true));
    let presets = app.catalog().iter().map(|profile| (profile.clone(), false));
    let mut entries: Vec<ProviderEntry> = presets
        .chain(custom)
        .map(|(profile, custom)| ProviderEntry { clients: count(&profile.slug), profile, custom })
        .collect();
    entries.sort_by_key(|entry| entry.profile.name.to_lowercase());
    Ok(entries)
}

pub async fn get(app: &App, actor: &Actor, slug: &str) -> Result<ProviderEntry> {
    actor.require(Permission::ProvidersRead)?;
    let mut conn = app.pool().acquire().await?;
    let profile = Arc::unwrap_or_clone(load(app, &mut conn, slug).await?);
    let clients =
        store::client::count_by_provider(&mut conn).await?.get(slug).copied().unwrap_or_default();
    Ok(ProviderEntry { custom: app.catalog().find(slug).is_none(), profile, clients })
}

/// The JSON Schema of a profile.
pub fn schema(actor: &Actor) -> Result<serde_json::Value> {
    actor.require(Permission::ProvidersRead)?;
    Ok(schema::profile())
}

/// A profile by its slug, preset or custom. A preset is not copied.
pub(crate) async fn load(app: &App, conn: &mut PgConnection, slug: &str) -> Result<Arc<Profile>> {
    if let Some(profile) = app.catalog().find_shared(slug) {
        return Ok(profile);
    }
    let profile = store::provider::find(conn, slug).await?;
    profile.map(Arc::new).ok_or(Error::NotFound("provider"))
}

/// Of which of these providers access tokens have no end.
pub(super) async fn endless(
    app: &App,
    conn: &mut PgConnection,
    slugs: BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let mut endless = BTreeSet::new();
    for slug in slugs {
        match load(app, conn, &slug).await {
            Ok(profile) if !profile.is_endless() => {}
            Ok(_) => {
                endless.insert(slug);
            }
            // Of what is gone nothing is known.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(endless)
}

/// Like [`load`], and keeps a custom profile from changing until the transaction ends.
pub(super) async fn load_for_share(
    app: &App,
    conn: &mut PgConnection,
    slug: &str,
) -> Result<Profile> {
    match app.catalog().find(slug) {
        Some(profile) => Ok(profile.clone()),
        None => {
            store::provider::find_for_share(conn, slug).await?.ok_or(Error::NotFound("provider"))
        }
    }
}

/// Refuses a preset that has the slug of a custom provider: its clients' secrets would be sent to
/// the preset's addresses from one start to the next.
pub async fn refuse_shadows(
    pool: &sqlx::PgPool,
    catalog: &provider::Catalog,
) -> anyhow::Result<()> {
    let mut conn = pool.acquire().await?;
    for profile in store::provider::list(&mut conn).await? {
        anyhow::ensure!(
            catalog.find(&profile.slug).is_none(),
            "the preset {0} has the slug of a custom provider; give one of them another slug",
            profile.slug
        );
    }
    Ok(())
}

/// A profile that was read and can be used, or all that is wrong with it at once: what could not be
/// read, and what does not make sense in the rest. `of`: the provider that it replaces.
pub async fn whole(
    app: &App,
    actor: &Actor,
    reading: Reading<Profile>,
    of: Option<&str>,
) -> Result<Profile> {
    actor.require(Permission::ProvidersWrite)?;
    of.map_or(Ok(()), |slug| refuse_preset(app, slug))?;
    let Reading { mut problems, read } = reading;
    let Some(profile) = read else { return Err(Error::Invalid(problems)) };
    let unread: Vec<String> = problems.iter().map(|problem| problem.field.clone()).collect();
    // What stands in the place of something unreadable says nothing, nor does what depends on it.
    let is_known = |field: &str| {
        unread.iter().any(|other| {
            let group = other.rfind(['.', '[']).and_then(|end| other.get(..end));
            is_within(field, group.unwrap_or(other)) || is_within(other, field)
        })
    };
    let senseless = mistakes(app, &profile, of).await?;
    problems.extend(senseless.into_iter().filter(|problem| !is_known(&problem.field)));
    if problems.is_empty() { Ok(profile) } else { Err(Error::Invalid(problems)) }
}

/// What does not make sense in a profile.
async fn mistakes(app: &App, profile: &Profile, of: Option<&str>) -> Result<Vec<FieldProblem>> {
    let mut problems = match provider::profile::check(profile) {
        Ok(()) => Vec::new(),
        Err(error) => match error.into() {
            Error::Invalid(problems) => problems,
            other => return Err(other),
        },
    };
    let slug = &profile.slug;
    let taken = match of {
        Some(old) => (old != slug).then_some("can't be changed; copy the provider instead"),
        None if app.catalog().find(slug).is_some() => {
            Some("a preset has this slug; choose another")
        }
        None => {
            let mut conn = app.pool().acquire().await?;
            let there = store::provider::find(&mut conn, slug).await?.is_some();
            there.then_some(error::SLUG_TAKEN)
        }
    };
    problems.extend(taken.map(|message| FieldProblem::new("slug", message)));
    Ok(problems)
}

fn refuse_preset(app: &App, slug: &str) -> Result<()> {
    match app.catalog().find(slug) {
        Some(_) => Err(Error::conflict(
            Obstacle::Preset,
            "This is a preset. Copy it under another slug and change the copy.",
        )),
        None => Ok(()),
    }
}

async fn refuse_mistakes(app: &App, profile: &Profile, of: Option<&str>) -> Result<()> {
    let problems = mistakes(app, profile, of).await?;
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

pub async fn create(app: &App, actor: &Actor, profile: Profile) -> Result<ProviderEntry> {
    actor.require(Permission::ProvidersWrite)?;
    refuse_mistakes(app, &profile, None).await?;
    let mut tx = app.begin().await?;
    store::provider::insert(&mut tx, &profile, app.now()).await?;
    if store::client::count_by_provider(&mut tx).await?.contains_key(&profile.slug) {
        // Whoever writes the profile says where the secrets of its clients go.
        return Err(Error::conflict(
            Obstacle::InUse,
            "Clients of an earlier provider use this slug. Delete them first, or choose another.",
        ));
    }
    let subject = Subject::new(&profile.slug, &profile.name);
    audit::record(app, &mut tx, actor, "provider.create", subject, json!({})).await?;
    tx.commit().await?;
    Ok(ProviderEntry { profile, custom: true, clients: 0 })
}

/// Replaces a custom provider's profile. Refused when it would send the stored secret of a client
/// to another address, or read tokens as something else: endpoints of a provider whose clients hold
/// secrets stay, and so does where its answers hold tokens.
pub async fn update(
    app: &App,
    actor: &Actor,
    slug: &str,
    profile: Profile,
) -> Result<ProviderEntry> {
    actor.require(Permission::ProvidersWrite)?;
    refuse_preset(app, slug)?;
    refuse_mistakes(app, &profile, Some(slug)).await?;
    let mut tx = app.begin().await?;
    let old = store::provider::find_for_update(&mut tx, slug)
        .await?
        .ok_or(Error::NotFound("provider"))?;
    if moves_secrets(&old, &profile) {
        let holders = store::client::names_with_secrets(&mut tx, slug).await?;
        if !holders.is_empty() {
            return Err(Error::conflict(
                Obstacle::HoldsTokens,
                format!(
                    "Where secrets are sent can't change, nor where tokens are read, while clients hold \
                 secrets or tokens of this provider ({}). Copy the provider under another slug and register its clients there, \
                 entering their secrets anew.",
                    holders.join(", ")
                ),
            ));
        }
    }
    store::provider::update(&mut tx, &profile, app.now()).await?;
    let subject = Subject::new(slug, &profile.name);
    audit::record(app, &mut tx, actor, "provider.update", subject, json!({})).await?;
    tx.commit().await?;
    get(app, actor, slug).await
}

/// Whether secrets or tokens would go somewhere else, or by another way, than before. Variables
/// take part: their defaults fill the templates. So does what is read out of answers: a token that is
/// read as a label is no secret any more.
fn moves_secrets(old: &Profile, new: &Profile) -> bool {
    old.endpoints != new.endpoints
        || old.variables != new.variables
        || old.request != new.request
        || old.issuer != new.issuer
        || old.userinfo != new.userinfo
        || told(&old.response) != told(&new.response)
}

/// What is kept of an answer as text. Of an expiry only a time is kept.
fn told(response: &Response) -> Response {
    Response { expiry: Vec::new(), refresh_expiry: Vec::new(), ..response.clone() }
}

pub async fn delete(app: &App, actor: &Actor, slug: &str) -> Result<()> {
    actor.require(Permission::ProvidersWrite)?;
    if app.catalog().find(slug).is_some() {
        return Err(Error::conflict(
            Obstacle::Preset,
            "This is a preset; presets can't be deleted.",
        ));
    }
    let mut tx = app.begin().await?;
    let profile = store::provider::find_for_update(&mut tx, slug)
        .await?
        .ok_or(Error::NotFound("provider"))?;
    let users = store::client::names_of_provider(&mut tx, slug).await?;
    if !users.is_empty() {
        return Err(Error::conflict(Obstacle::InUse, in_use(&users)));
    }
    store::provider::delete(&mut tx, slug).await?;
    let subject = Subject::new(slug, &profile.name);
    audit::record(app, &mut tx, actor, "provider.delete", subject, json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// That clients use a provider, and which, as far as a sentence holds them.
fn in_use(clients: &[String]) -> String {
    let named = clients.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match clients.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match clients.len() {
        1 => format!("A client uses this provider: {named}. Delete it first."),
        count => format!("{count} clients use this provider: {named}{more}. Delete them first."),
    }
}

/// A draft profile from an issuer's metadata (RFC 8414, OpenID Connect Discovery). Nothing is kept.
pub async fn discover(app: &App, actor: &Actor, issuer: &str) -> Result<Profile> {
    actor.require(Permission::ProvidersWrite)?;
    let issuer = completed(issuer.trim());
    provider::discovery::discover(app.http(), &issuer).await.map_err(|error| match error {
        provider::Error::Discovery(_) | provider::Error::Blocked(_) => {
            Error::invalid("issuer", error.to_string())
        }
        other => other.into(),
    })
}

/// An address as people write it, with the scheme that they leave out.
fn completed(issuer: &str) -> String {
    let has_scheme = issuer.is_empty() || issuer.contains("://");
    if has_scheme { issuer.to_owned() } else { format!("https://{issuer}") }
}

/// What a discovery led to.
pub struct Adopted {
    pub entry: ProviderEntry,
    /// It was there before, and stays as it is.
    pub was_known: bool,
}

/// Discovers an issuer and keeps it as a custom provider, unless there is one of this issuer. Among several, the
/// one of this name is meant; fails with [`Error::Invalid`] where nothing tells which.
pub async fn adopt(app: &App, actor: &Actor, issuer: &str, name: &str) -> Result<Adopted> {
    let profile = discover_named(app, actor, issuer, name).await?;
    let mut conn = app.pool().acquire().await?;
    let mut known = store::provider::list(&mut conn).await?;
    drop(conn);
    known.retain(|one| one.issuer.is_some() && one.issuer == profile.issuer);
    let meant = name.trim().to_lowercase();
    let chosen = match known.as_slice() {
        [] => {
            let entry = create(app, actor, profile).await?;
            return Ok(Adopted { entry, was_known: false });
        }
        [one] => Some(one),
        several => {
            let mut named = several.iter().filter(|one| one.name.to_lowercase() == meant);
            named.next().filter(|_| named.next().is_none())
        }
    };
    let Some(one) = chosen else {
        let names: Vec<String> = known.iter().map(|one| format!("“{}”", one.name)).collect();
        let names = names.join(", ");
        return Err(Error::invalid(
            "issuer",
            format!("is that of several providers here: {names}. Choose one of them above"),
        ));
    };
    Ok(Adopted { entry: get(app, actor, &one.slug).await?, was_known: true })
}

/// [`discover`], with a name for people if there is one.
async fn discover_named(app: &App, actor: &Actor, issuer: &str, name: &str) -> Result<Profile> {
    let mut profile = discover(app, actor, issuer).await?;
    if !name.trim().is_empty() {
        profile.name = name.trim().to_owned();
        profile.slug = slug_of(&profile.name);
    }
    Ok(profile)
}

/// Letters and digits of a name, joined by hyphens.
fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.truncate(64);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::completed;

    #[test]
    fn an_address_gets_the_scheme_that_it_lacks() {
        for (given, wanted) in [
            ("login.example.com", "https://login.example.com"),
            ("login.example.com:8443/realms/a", "https://login.example.com:8443/realms/a"),
            ("localhost:9", "https://localhost:9"),
            ("https://login.example.com/", "https://login.example.com/"),
            ("http://localhost:9", "http://localhost:9"),
            ("ftp://login.example.com", "ftp://login.example.com"),
            ("", ""),
        ] {
            assert_eq!(completed(given), wanted);
        }
    }
}
