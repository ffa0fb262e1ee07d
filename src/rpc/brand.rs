//! How the house shows itself to people outside of it.

use leptos::prelude::*;

use super::Answer;
use crate::domain::brand::Brand;

/// What everyone may see.
#[server(prefix = "/rpc", endpoint = "brand/get")]
pub async fn get() -> Answer<Brand> {
    let (app, _) = crate::server::http::caller::anyone().await?;
    app.call(crate::server::app::brand::get(&app)).await
}

#[server(prefix = "/rpc", endpoint = "brand/update")]
pub async fn update(name: String, color: Option<String>, contact: Option<String>) -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    let new = crate::domain::brand::NewBrand { name, color, contact };
    app.call(crate::server::app::brand::update(&app, &actor, new)).await?;
    Ok(())
}

#[server(prefix = "/rpc", endpoint = "brand/drop_logo")]
pub async fn drop_logo() -> Answer<()> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::brand::drop_logo(&app, &actor)).await?;
    Ok(())
}
