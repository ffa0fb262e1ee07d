//! The audit log.

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::Json,
    list::PageQuery,
    problem::Problem,
    query::{Both, Query},
};
use crate::{
    domain::{
        access::Permission,
        audit::{AuditEntry, AuditFilter},
        page::Page,
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List audit entries
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    extensions(("x-permission" = json!(Permission::AuditRead))),
    params(AuditFilter, PageQuery),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Both(filter, page)): Query<Both<AuditFilter, PageQuery>>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    Ok(Json(app::audit::list(&app, &actor, &filter, &page.paging()?).await?))
}
