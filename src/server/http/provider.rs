//! The form in which a profile is written. It is answered with the page itself, so that what was
//! typed stands there again with or without a script, whatever its length.

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, RawForm, Request, State},
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use leptos::prelude::provide_context;
use url::form_urlencoded;

use super::{
    caller,
    router::{Web, provide_page_context},
};
use crate::{
    domain::{problem::Code, provider::form::View},
    server::app::{Actor, provider::draft},
    ui::{self, path},
};

pub fn routes() -> Router<Web> {
    Router::new().route("/providers/new", post(new)).route("/providers/{slug}/edit", post(edit))
}

async fn new(
    State(web): State<Web>,
    Extension(actor): Extension<Actor>,
    parts: Parts,
    RawForm(form): RawForm,
) -> Response {
    step(web, &actor, None, parts, &form).await
}

async fn edit(
    State(web): State<Web>,
    Extension(actor): Extension<Actor>,
    Path(slug): Path<String>,
    parts: Parts,
    RawForm(form): RawForm,
) -> Response {
    step(web, &actor, Some(&slug), parts, &form).await
}

async fn step(web: Web, actor: &Actor, of: Option<&str>, parts: Parts, form: &[u8]) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let asked = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let view = asked(path::VIEW).map_or(View::Form, |value| View::named(&value));
    let from = asked(path::FROM);
    let pairs: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    let posted =
        match web.app.call(draft::step(&web.app, actor, of, from.as_deref(), view, &pairs)).await {
            Ok(draft::Step::Saved(slug)) => {
                return Redirect::to(&path::provider_saved(&slug)).into_response();
            }
            Ok(draft::Step::Left) => return Redirect::to(&path::provider_left(of)).into_response(),
            Ok(draft::Step::Open(editing)) => Ok(*editing),
            Err(mut problem) => {
                if problem.code == Code::Internal {
                    problem.request_id = caller::request_id_of(&parts);
                }
                Err(problem)
            }
        };
    let posted = ui::Posted::new(posted);
    let app = web.app.clone();
    let context = move || {
        provide_page_context(app.clone());
        provide_context(posted.clone());
    };
    let page =
        leptos_axum::render_app_async_with_context(context, move || ui::shell(web.assets.clone()));
    page(Request::from_parts(parts, Body::empty())).await
}
