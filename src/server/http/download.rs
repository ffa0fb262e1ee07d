//! Files that people take from a page, written as they are sent.

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use futures::{Stream, TryStreamExt};
use leptos_router::params::ParamsMap;
use url::form_urlencoded;
use uuid::Uuid;

use super::router::Web;
use crate::{
    domain::{language::Language, voice},
    server::app::{self, Actor, App, Error, export::Format},
    ui::path::{self, Unread},
};

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/download/{file}", get(list))
        .route("/download/jobs/{file}", get(job))
        .route("/download/stragglers/{file}", get(stragglers))
        .route("/download/mails/{language}/{file}", get(mails))
}

/// What a list shows, with the filters of its page.
async fn list(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Path(file): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let params: ParamsMap = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let named = file.split_once('.').and_then(|(list, name)| Some((list, Format::named(name)?)));
    match named {
        Some(("connections", format)) => {
            if let Some(unread) = path::connection_unread(&params) {
                return not_asked_for(&unread);
            }
            let filter = path::connection_filter(&params);
            answer(&file, format, app::connection::export(&app, &actor, filter, format).await)
        }
        Some(("audit", format)) => {
            if let Some(unread) = path::audit_unread(&params) {
                return not_asked_for(&unread);
            }
            let filter = path::audit_filter(&params);
            answer(&file, format, app::audit::export(&app, &actor, filter, format).await)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn job(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Path(file): Path<String>,
) -> Response {
    let Some((id, format)) = named(&file) else { return StatusCode::NOT_FOUND.into_response() };
    answer(&format!("job-{file}"), format, app::job::export(&app, &actor, id, format).await)
}

fn answer(
    name: &str,
    format: Format,
    file: app::Result<impl Stream<Item = app::Result<Vec<u8>>> + Send + 'static>,
) -> Response {
    match file {
        Ok(pieces) => sent(name, format, pieces),
        Err(error) => refused(&error),
    }
}

async fn stragglers(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Path(file): Path<String>,
) -> Response {
    let Some((id, format)) = named(&file) else { return StatusCode::NOT_FOUND.into_response() };
    let stragglers = app::campaign::export(&app, &actor, id, format).await;
    answer(&format!("stragglers-{file}"), format, stragglers)
}

async fn mails(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Path((language, file)): Path<(String, String)>,
) -> Response {
    let asked = language.parse::<Language>().ok().zip(named(&file));
    let Some((language, (id, format))) = asked else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mails = app::campaign::mails(&app, &actor, id, language, format).await;
    answer(&format!("mails-{}-{file}", language.tag()), format, mails)
}

/// Of which job, and in which format.
fn named(file: &str) -> Option<(Uuid, Format)> {
    let (id, format) = file.split_once('.')?;
    Some((id.parse().ok()?, Format::named(format)?))
}

/// A file, piece by piece. One that breaks off is cut, so that nobody takes it for the whole.
fn sent(
    name: &str,
    format: Format,
    pieces: impl Stream<Item = app::Result<Vec<u8>>> + Send + 'static,
) -> Response {
    let pieces = pieces.inspect_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a file could not be written to its end");
    });
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, Body::from_stream(pieces.map_err(std::io::Error::other))).into_response()
}

fn not_asked_for(unread: &Unread) -> Response {
    let (title, _) = voice::unread(unread.name, &unread.value);
    (StatusCode::BAD_REQUEST, title).into_response()
}

fn refused(error: &Error) -> Response {
    match error {
        Error::Unauthenticated => Redirect::to(path::LOGIN).into_response(),
        Error::Internal(error) => {
            tracing::error!(error = format!("{error:#}"), "a file could not be written");
            let told = "Something went wrong in Regrant. It was logged.";
            (StatusCode::INTERNAL_SERVER_ERROR, told).into_response()
        }
        Error::NotFound(_) => StatusCode::NOT_FOUND.into_response(),
        error => (StatusCode::FORBIDDEN, error.problem().message).into_response(),
    }
}
