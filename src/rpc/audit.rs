//! Who did what, and when.

use leptos::prelude::*;

use super::Answer;
use crate::domain::{
    audit::{AuditEntry, AuditFilter},
    page::{Page, Paging},
};

#[server(prefix = "/rpc", endpoint = "audit/list")]
pub async fn list(
    #[server(default)] filter: AuditFilter,
    #[server(default)] paging: Paging,
) -> Answer<Page<AuditEntry>> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::audit::list(&app, &actor, &filter, &paging)).await
}
