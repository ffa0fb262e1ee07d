//! Providers: presets, custom ones, discovery.

pub mod draft;
mod schema;

use serde_json::json;
use sqlx::PgConnection;

use super::{Actor, App, Error, Result, audit, audit::Subject};
use crate::{
    domain::{access::Permission, catalog::ProviderEntry, provider::Profile},
    server::{provider, store},
};

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
    let profile = load(app, &mut conn, slug).await?;
    let clients =
        store::client::count_by_provider(&mut conn).await?.get(slug).copied().unwrap_or_default();
    Ok(ProviderEntry { custom: app.catalog().find(slug).is_none(), profile, clients })
}

/// The JSON Schema of a profile.
pub fn schema(actor: &Actor) -> Result<serde_json::Value> {
    actor.require(Permission::ProvidersRead)?;
    Ok(schema::profile())
}

/// A profile by its slug, preset or custom.
pub(crate) async fn load(app: &App, conn: &mut PgConnection, slug: &str) -> Result<Profile> {
    match app.catalog().find(slug) {
        Some(profile) => Ok(profile.clone()),
        None => store::provider::find(conn, slug).await?.ok_or(Error::NotFound("provider")),
    }
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

pub async fn create(app: &App, actor: &Actor, profile: Profile) -> Result<ProviderEntry> {
    actor.require(Permission::ProvidersWrite)?;
    provider::profile::check(&profile)?;
    if app.catalog().find(&profile.slug).is_some() {
        return Err(Error::invalid("slug", "a preset has this slug; choose another"));
    }
    let mut tx = app.begin().await?;
    store::provider::insert(&mut tx, &profile, app.now()).await?;
    if store::client::count_by_provider(&mut tx).await?.contains_key(&profile.slug) {
        // Whoever writes the profile says where the secrets of its clients go.
        return Err(Error::Conflict(
            "Clients of an earlier provider use this slug. Delete them first, or choose another."
                .into(),
        ));
    }
    let subject = Subject::new(&profile.slug, &profile.name);
    audit::record(app, &mut tx, actor, "provider.create", subject, json!({})).await?;
    tx.commit().await?;
    Ok(ProviderEntry { profile, custom: true, clients: 0 })
}

/// Replaces a custom provider's profile. Refused when it would send the stored secret of a client
/// to another address: endpoints of a provider whose clients hold secrets stay.
pub async fn update(
    app: &App,
    actor: &Actor,
    slug: &str,
    profile: Profile,
) -> Result<ProviderEntry> {
    actor.require(Permission::ProvidersWrite)?;
    if app.catalog().find(slug).is_some() {
        return Err(Error::Conflict(
            "This is a preset. Copy it under another slug and change the copy.".into(),
        ));
    }
    if profile.slug != slug {
        return Err(Error::invalid("slug", "can't be changed; copy the provider instead"));
    }
    provider::profile::check(&profile)?;
    let mut tx = app.begin().await?;
    let old = store::provider::find_for_update(&mut tx, slug)
        .await?
        .ok_or(Error::NotFound("provider"))?;
    if moves_secrets(&old, &profile) {
        let holders = store::client::names_with_secrets(&mut tx, slug).await?;
        if !holders.is_empty() {
            return Err(Error::Conflict(format!(
                "Where secrets are sent can't change while clients hold secrets or tokens of this \
                 provider ({}). Copy the provider under another slug and register its clients there, \
                 entering their secrets anew.",
                holders.join(", ")
            )));
        }
    }
    store::provider::update(&mut tx, &profile, app.now()).await?;
    let subject = Subject::new(slug, &profile.name);
    audit::record(app, &mut tx, actor, "provider.update", subject, json!({})).await?;
    tx.commit().await?;
    get(app, actor, slug).await
}

/// Whether secrets or tokens would go somewhere else, or by another way, than before. Variables
/// take part: their defaults fill the templates.
fn moves_secrets(old: &Profile, new: &Profile) -> bool {
    old.endpoints != new.endpoints
        || old.variables != new.variables
        || old.request != new.request
        || old.issuer != new.issuer
        || old.userinfo != new.userinfo
}

pub async fn delete(app: &App, actor: &Actor, slug: &str) -> Result<()> {
    actor.require(Permission::ProvidersWrite)?;
    if app.catalog().find(slug).is_some() {
        return Err(Error::Conflict("This is a preset; presets can't be deleted.".into()));
    }
    let mut tx = app.begin().await?;
    let profile = store::provider::find_for_update(&mut tx, slug)
        .await?
        .ok_or(Error::NotFound("provider"))?;
    if store::client::count_by_provider(&mut tx).await?.contains_key(slug) {
        return Err(Error::Conflict("Clients use this provider. Delete them first.".into()));
    }
    store::provider::delete(&mut tx, slug).await?;
    let subject = Subject::new(slug, &profile.name);
    audit::record(app, &mut tx, actor, "provider.delete", subject, json!({})).await?;
    tx.commit().await?;
    Ok(())
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

/// Discovers an issuer and keeps it as a custom provider.
pub async fn adopt(app: &App, actor: &Actor, issuer: &str, name: &str) -> Result<ProviderEntry> {
    let profile = discover_named(app, actor, issuer, name).await?;
    create(app, actor, profile).await
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
