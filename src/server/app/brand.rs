//! How the house shows itself to people outside of it. Everyone may see that: it is on the page behind
//! a relink.

use serde_json::json;

use super::{Actor, App, Error, Result, audit, audit::Subject};
use crate::{
    domain::{
        access::Permission,
        brand::{Brand, Color, LOGO_LIMIT, NewBrand, TEXT_LIMIT, is_odd_contact},
        problem::FieldProblem,
    },
    server::store,
};

pub async fn get(app: &App) -> Result<Brand> {
    let mut conn = app.pool().acquire().await?;
    Ok(store::brand::find(&mut conn).await?.unwrap_or_default())
}

pub async fn update(app: &App, actor: &Actor, new: NewBrand) -> Result<Brand> {
    actor.require(Permission::SettingsWrite)?;
    let new = check(new)?;
    let mut tx = app.begin().await?;
    store::brand::update(&mut tx, &new, app.now()).await?;
    let detail = json!({ "name": new.name, "color": new.color, "contact": new.contact });
    audit::record(app, &mut tx, actor, "brand.update", subject(), detail).await?;
    tx.commit().await?;
    get(app).await
}

fn check(new: NewBrand) -> Result<NewBrand> {
    let filled = |text: Option<String>| {
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let mut wrong = Vec::new();
    let long = |text: &str| text.chars().count() > TEXT_LIMIT || text.chars().any(char::is_control);
    let too_long = format!("has to be one line of at most {TEXT_LIMIT} characters");
    let name = filled(Some(new.name)).unwrap_or_else(|| Brand::default().name);
    if long(&name) {
        wrong.push(FieldProblem::new("name", too_long.clone()));
    }
    let contact = filled(new.contact);
    if contact.as_deref().is_some_and(long) {
        wrong.push(FieldProblem::new("contact", too_long));
    }
    if contact.as_deref().is_some_and(is_odd_contact) {
        let message =
            "has to be an e-mail address, a telephone number, a page (https://…) or a name";
        wrong.push(FieldProblem::new("contact", message));
    }
    let color = filled(new.color);
    let read = color.as_deref().and_then(Color::parse);
    if color.is_some() && read.is_none() {
        wrong.push(FieldProblem::new("color", "has to be written as #rrggbb"));
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    Ok(NewBrand { name, color: read.map(Color::text), contact })
}

/// The logo and its media type.
pub async fn logo(app: &App) -> Result<(Vec<u8>, String)> {
    let mut conn = app.pool().acquire().await?;
    store::brand::find_logo(&mut conn).await?.ok_or(Error::NotFound("logo"))
}

/// What it is says its beginning, not whoever sends it.
pub async fn set_logo(app: &App, actor: &Actor, bytes: &[u8]) -> Result<Brand> {
    actor.require(Permission::SettingsWrite)?;
    if bytes.len() > LOGO_LIMIT {
        return Err(Error::invalid("logo", "has to be at most 100 KB"));
    }
    let kind = media_type(bytes)
        .ok_or_else(|| Error::invalid("logo", "has to be a picture: PNG, JPEG or WebP"))?;
    keep_logo(app, actor, Some((bytes, kind)), "brand.set_logo").await
}

pub async fn drop_logo(app: &App, actor: &Actor) -> Result<Brand> {
    actor.require(Permission::SettingsWrite)?;
    keep_logo(app, actor, None, "brand.drop_logo").await
}

async fn keep_logo(
    app: &App,
    actor: &Actor,
    logo: Option<(&[u8], &str)>,
    action: &str,
) -> Result<Brand> {
    let mut tx = app.begin().await?;
    let name = Brand::default().name;
    store::brand::set_logo(&mut tx, &name, logo, app.now()).await?;
    let detail = json!({ "bytes": logo.map(|(bytes, _)| bytes.len()) });
    audit::record(app, &mut tx, actor, action, subject(), detail).await?;
    tx.commit().await?;
    get(app).await
}

fn subject() -> Subject<'static> {
    Subject { id: None, label: "the house" }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}
