//! Lists as files.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::{Stream, TryStreamExt};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    problem::Problem,
    query::{Both, Query},
};
use crate::{
    domain::{access::Permission, audit::AuditFilter, connection::ConnectionFilter},
    server::app::{self, App, export::Format},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(connections)).routes(routes!(audit))
}

/// How a file is written.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// RFC 4180 with a heading. What a spreadsheet would take for a formula begins with an apostrophe.
    Csv,
    /// One JSON object a line.
    #[default]
    Ndjson,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Ndjson => Self::Ndjson,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    /// `ndjson` unless said.
    #[param(inline)]
    pub format: Option<FileFormat>,
}

impl FileQuery {
    pub fn format(&self) -> Format {
        self.format.unwrap_or_default().into()
    }
}

/// Export connections
///
/// All that a filter lets through, as a file that is written as it is sent. Never a token.
#[utoipa::path(
    get,
    path = "/exports/connections",
    tag = "connections",
    extensions(("x-permission" = json!(Permission::ConnectionsRead))),
    params(ConnectionFilter, FileQuery),
    responses(
        (status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv")))
    )
)]
async fn connections(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Both(filter, file)): Query<Both<ConnectionFilter, FileQuery>>,
) -> Result<Response, Problem> {
    let format = file.format();
    Ok(sent(format, app::connection::export(&app, &actor, filter, format).await?))
}

/// Export the audit log
///
/// All that a filter lets through, the newest first, as a file that is written as it is sent.
#[utoipa::path(
    get,
    path = "/exports/audit",
    tag = "audit",
    extensions(("x-permission" = json!(Permission::AuditRead))),
    params(AuditFilter, FileQuery),
    responses(
        (status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv")))
    )
)]
async fn audit(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Both(filter, file)): Query<Both<AuditFilter, FileQuery>>,
) -> Result<Response, Problem> {
    let format = file.format();
    Ok(sent(format, app::audit::export(&app, &actor, filter, format).await?))
}

pub fn sent(
    format: Format,
    pieces: impl Stream<Item = app::Result<Vec<u8>>> + Send + 'static,
) -> Response {
    let pieces = pieces.map_err(std::io::Error::other);
    ([(header::CONTENT_TYPE, format.media_type())], Body::from_stream(pieces)).into_response()
}
