//! The house's colours and logo, from our own origin and in a form that can be nothing else.

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::router::Web;
use crate::{
    domain::brand::Color,
    server::app::{self, App},
    ui::path,
};

/// An address with a version in it never means something else.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

pub fn routes() -> Router<Web> {
    Router::new().route(path::BRAND_STYLE, get(style)).route(path::BRAND_LOGO, get(logo))
}

async fn style(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let brand = match app::brand::get(&app).await {
        Ok(brand) => brand,
        Err(error) => return failed(&error),
    };
    let color = brand.color.as_deref().and_then(Color::parse);
    let style = color.map_or_else(String::new, |color| {
        format!(":root{{--brand:{};--brand-ink:{}}}", color.text(), color.ink().text())
    });
    ([(header::CONTENT_TYPE, "text/css"), (header::CACHE_CONTROL, kept(query))], style)
        .into_response()
}

async fn logo(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    match app::brand::logo(&app).await {
        Ok((bytes, kind)) => {
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept(query).to_owned())], bytes)
                .into_response()
        }
        Err(error) => failed(&error),
    }
}

fn kept(query: Option<String>) -> &'static str {
    if query.is_some() { FOR_EVER } else { "no-cache" }
}

fn failed(error: &app::Error) -> Response {
    if matches!(error, app::Error::NotFound(_)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    tracing::error!(error = format!("{error:#}"), "the brand can't be read");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
