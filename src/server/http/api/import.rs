//! Imports of many connections.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
};
use futures::TryStreamExt;
use serde::Deserialize;
use tokio_util::io::StreamReader;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Id, Json},
    list::PageQuery,
    problem::{Code, Problem},
    query::Query,
};
use crate::{
    domain::{access::Permission, import::Import, page::Page},
    server::{
        app::{
            self, App,
            import::{File, Format},
        },
        http::upload::content_length,
    },
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, run)).routes(routes!(get))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RunQuery {
    /// Read and check every row, and store nothing.
    #[serde(default)]
    #[param(default = false, required = false)]
    dry_run: bool,
    /// What the file is called, for people to know it again; the first 200 characters are kept.
    file_name: Option<String>,
}

/// Import connections
///
/// The body is a stream of rows of any length, one connection each: `text/csv` (RFC 4180 with a heading;
/// semicolons or tabs do for commas) or `application/x-ndjson`. A row has `token_response` as the provider gave
/// it (in CSV as JSON, or its fields as columns of their own) and may have `external_id`, `label`, `tags`,
/// `scopes`, `obtained_at` and `variables` (in CSV columns `variables.NAME`). An `expires_in` of 0 says that
/// the token is over: it is renewed at once, and refused where nothing can renew it, since some write it of a
/// token without end. One that is over by its `obtained_at` is imported, and needs a person where nothing can
/// renew it. How many rows bring neither a refresh token nor an expiry (`without_end`), how many tokens are over
/// (`expired`), and how many rows need a person when their access tokens end (`ending`, from `first_end_at` to
/// `last_end_at`), is counted. So is how many name an account (`unverified`) where only an id token or the provider
/// itself is believed: that is not used. The answer comes when the last row is read. Rows with a problem are told, with
/// all that is wrong with each, and cost no other row. Rows whose `external_id` the client has already are
/// skipped, so the same file can be sent again; `GET /connections?import=` lists what an import brought. A file
/// in which there is no row at all, or something else than rows, is refused (422), and the answer says what was
/// expected. An import of which nothing comes for a minute is broken; and when too many run at once, one more is
/// refused (503) before it is read. Where only the provider's userinfo endpoint says whose an account is, it is
/// asked afterwards, a few a second.
#[utoipa::path(
    post,
    path = "/clients/{id}/imports",
    tag = "imports",
    extensions(("x-permission" = json!(Permission::ConnectionsWrite))),
    params(("id" = Uuid, Path), RunQuery),
    request_body(content((String = "application/x-ndjson"), (String = "text/csv"))),
    responses(
        (status = 200, description = "What came of it", body = Import),
        (status = 422, description = "Nothing of the file could be read: it holds no row, or is something else"),
        (status = 415, description = "The content type is neither of the two")
    )
)]
async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(query): Query<RunQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Import>, Problem> {
    // Before anything else is said.
    actor.require(Permission::ConnectionsWrite)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let format = match kind.map(|kind| kind.split(';').next().unwrap_or_default().trim()) {
        Some("text/csv") => Format::Csv,
        Some("application/x-ndjson" | "application/jsonl") => Format::Ndjson,
        _ => {
            let why = "Send the rows as `text/csv` or as `application/x-ndjson`.";
            return Err(Problem::new(Code::UnsupportedMediaType, why));
        }
    };
    let stream = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
    let file = File {
        format,
        dry_run: query.dry_run,
        name: query.file_name,
        bytes: content_length(&headers),
        stream: Box::pin(stream),
    };
    let ended = app::import::run(&app, &actor, id, file).await?;
    match ended.refused {
        Some(why) => Err(Problem::invalid("", why)),
        None => Ok(Json(ended.import)),
    }
}

/// List a client's imports
///
/// The newest 20, without their problems.
#[utoipa::path(
    get,
    path = "/clients/{id}/imports",
    tag = "imports",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of imports", body = Page<Import>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Import>>, Problem> {
    let all = app::import::list(&app, &actor, id).await?;
    Ok(Json(page.cut(all, |import| import.id.to_string())?))
}

/// See an import
#[utoipa::path(
    get,
    path = "/imports/{id}",
    tag = "imports",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The import, with its first 1000 problems", body = Import))
)]
async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
) -> Result<Json<Import>, Problem> {
    Ok(Json(app::import::get(&app, &actor, id).await?))
}
