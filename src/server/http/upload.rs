//! Files that people send from a page. They are read as they come, whatever their length. Our script shows
//! why one is refused; a browser without it is led back to the page, which says it.

use axum::{
    Extension, Router, body,
    extract::{DefaultBodyLimit, Multipart, Path, Request, State, multipart::Field},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use futures::{SinkExt, channel::mpsc};
use leptos::server_fn::error::ServerFnUrlError;
use std::{io, pin::pin};
use tokio_util::io::StreamReader;
use uuid::Uuid;

use super::{done::SENT_BY, router::Web};
use crate::{
    domain::{
        access::Permission,
        brand::LOGO_LIMIT,
        problem::{Code, Problem},
    },
    server::app::{
        self, Actor, App,
        import::{File, Format},
    },
    ui::path,
};

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/upload/import/{client}", post(import::<false>))
        // Whoever does not know this path stores nothing: not so a parameter, which would be passed over.
        .route("/upload/import/{client}/trial", post(import::<true>))
        .layer(DefaultBodyLimit::disable())
        .merge(
            Router::new()
                .route(path::UPLOAD_LOGO, post(logo))
                .layer(DefaultBodyLimit::max(LOGO_FORM)),
        )
        .layer(middleware::from_fn(lead_back))
}

/// Why a file was refused is never longer.
const WHY: usize = 4096;

/// From which page a browser sent a file by itself.
fn page_of(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let by_itself = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
        && !headers.contains_key(SENT_BY);
    text(header::REFERER).filter(|_| by_itself).map(ToOwned::to_owned)
}

/// Leads back to the page that the file came from, with why it was refused, as a form's function does.
async fn lead_back(request: Request, next: Next) -> Response {
    let (page, form) = (page_of(request.headers()), request.uri().path().to_owned());
    let answer = next.run(request).await;
    let Some(page) = page.filter(|_| !answer.status().is_redirection()) else { return answer };
    let (parts, body) = answer.into_parts();
    let Ok(why) = body::to_bytes(body, WHY).await else { return parts.status.into_response() };
    let message = String::from_utf8_lossy(&why).into_owned();
    let problem = Problem { code: Code::Invalid, message, fields: Vec::new(), request_id: None };
    // What was said there before is not said again.
    let page = page.split('?').next().unwrap_or_default();
    match ServerFnUrlError::new(form, problem).to_url(page) {
        Ok(to) => Redirect::to(to.as_str()).into_response(),
        Err(_) => (parts.status, why).into_response(),
    }
}

/// Takes a form with a `file`, and goes to the page of what came of it. Nothing is read of whoever may not send
/// one, nor of what else a form may hold: it has no end that is known.
async fn import<const DRY_RUN: bool>(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Path(client): Path<Uuid>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Response {
    if let Err(error) = actor.require(Permission::ConnectionsWrite) {
        return not_taken(error);
    }
    // Of the whole form, which is hardly longer than the file in it.
    let bytes = content_length(&headers);
    let field = match form.next_field().await {
        Ok(Some(field)) => field,
        Ok(None) => return refused(StatusCode::BAD_REQUEST, "The form holds no file."),
        Err(error) => return refused(error.status(), "The form could not be read."),
    };
    if field.name() != Some("file") {
        return refused(StatusCode::BAD_REQUEST, "The form holds a field of another name.");
    }
    let name = field.file_name().map(ToOwned::to_owned);
    let is_csv = name.as_ref().is_some_and(|name| name.to_ascii_lowercase().ends_with(".csv"));
    let format = if is_csv { Format::Csv } else { Format::Ndjson };
    let file = File { format, dry_run: DRY_RUN, name, bytes, stream: field };
    take(&app, &actor, client, file).await
}

/// A form with a logo in it is hardly longer than the logo.
const LOGO_FORM: usize = LOGO_LIMIT + 4096;

/// Takes a picture as the house's logo, and goes back to the settings.
async fn logo(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    mut form: Multipart,
) -> Response {
    if let Err(error) = actor.require(Permission::SettingsWrite) {
        return not_taken(error);
    }
    let bytes = match form.next_field().await {
        Ok(Some(field)) => field.bytes().await,
        Ok(None) => return refused(StatusCode::BAD_REQUEST, "The form holds no file."),
        Err(error) => Err(error),
    };
    let Ok(bytes) = bytes else {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "The picture has to be at most 100 KB.");
    };
    match app::brand::set_logo(&app, &actor, &bytes).await {
        Ok(_) => {
            let done = path::done("brand/set_logo");
            Redirect::to(&format!("{}?{}={done}", path::SETTINGS, path::DONE)).into_response()
        }
        Err(app::Error::Unauthenticated) => Redirect::to("/login").into_response(),
        Err(app::Error::Internal(error)) => {
            tracing::error!(error = format!("{error:#}"), "a logo could not be kept");
            refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong in Regrant. It was logged.",
            )
        }
        Err(error) => {
            let problem = error.problem();
            let why = problem.field("logo").map(|why| format!("The picture {why}."));
            refused(StatusCode::UNPROCESSABLE_ENTITY, &why.unwrap_or(problem.message))
        }
    }
}

/// A part of a form lives no longer than its request, and an import must; so its bytes are handed
/// over one chunk after the other.
async fn take(app: &App, actor: &Actor, client: Uuid, file: File<Field<'_>>) -> Response {
    let File { format, dry_run, name, bytes, stream: mut field } = file;
    let (mut sender, chunks) = mpsc::channel(4);
    let file = File { format, dry_run, name, bytes, stream: StreamReader::new(chunks) };
    let hand_over = async move {
        loop {
            let Some(chunk) = field.chunk().await.map_err(io::Error::other).transpose() else {
                break;
            };
            let broken = chunk.is_err();
            if sender.send(chunk).await.is_err() || broken {
                break;
            }
        }
    };
    let mut run = pin!(app::import::run(app, actor, client, file));
    // Whoever falls silent is not waited for when the import is over.
    let done = tokio::select! {
        done = &mut run => done,
        () = hand_over => run.await,
    };
    match done {
        // Also of a file in which nothing could be read: that is what its page says.
        Ok(ended) => Redirect::to(&format!("/clients/{client}/import?run={}", ended.import.id))
            .into_response(),
        Err(error) => not_taken(error),
    }
}

/// Why a form was not taken.
fn not_taken(error: app::Error) -> Response {
    match error {
        app::Error::Unauthenticated => Redirect::to("/login").into_response(),
        app::Error::Internal(error) => {
            tracing::error!(error = format!("{error:#}"), "a form could not be taken");
            refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong in Regrant. It was logged.",
            )
        }
        error @ app::Error::Busy(_) => {
            refused(StatusCode::SERVICE_UNAVAILABLE, &error.problem().message)
        }
        error => refused(StatusCode::FORBIDDEN, &error.problem().message),
    }
}

/// How long a body is, where its sender says so.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, why.to_owned()).into_response()
}
