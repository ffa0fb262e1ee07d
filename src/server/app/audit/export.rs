//! The log as a file, for those who keep it elsewhere.

use futures::Stream;
use serde_json::json;
use uuid::Uuid;

use super::{Subject, record};
use crate::{
    domain::{
        access::Permission,
        audit::{AuditEntry, AuditFilter},
    },
    server::{
        app::{
            Actor, App, Result,
            export::{self, BATCH, Format, Row, moment},
        },
        store,
    },
};

/// All that a filter lets through, the newest first, piece by piece. That it was taken is an entry of
/// its own.
pub async fn export(
    app: &App,
    actor: &Actor,
    filter: AuditFilter,
    format: Format,
) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<>> {
    actor.require(Permission::AuditRead)?;
    let mut conn = app.pool().acquire().await?;
    let subject = Subject { id: None, label: "" };
    record(app, &mut conn, actor, "audit.export", subject, json!({ "filter": filter })).await?;
    drop(conn);
    let app = app.clone();
    export::file(format, move |after: Option<Uuid>| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let mut conn = app.pool().acquire().await?;
            let rows = store::audit::list(&mut conn, &filter, after, BATCH).await?;
            let next = export::rest(&rows, |last| last.id);
            Ok((rows, next))
        }
    })
}

impl Row for AuditEntry {
    const HEADING: &'static [&'static str] = &[
        "id",
        "at",
        "actor_kind",
        "actor_id",
        "actor_label",
        "action",
        "subject_id",
        "subject_label",
        "detail",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            moment(Some(self.at)),
            self.actor_kind.clone(),
            self.actor_id.map(|id| id.to_string()).unwrap_or_default(),
            self.actor_label.clone(),
            self.action.clone(),
            self.subject_id.clone().unwrap_or_default(),
            self.subject_label.clone(),
            self.detail.to_string(),
        ]
    }
}
