//! What a list shows, as a file: everything but the tokens.

use futures::Stream;
use serde_json::json;

use super::{Actor, App, Result, audit, audit::Subject, find};
use crate::{
    domain::{
        access::Permission,
        connection::{Connection, ConnectionFilter, State},
    },
    server::{
        app::export::{self, BATCH, Format, Row, moment},
        store::connection::list::{self, After},
    },
};

/// All that a filter lets through, in its order, piece by piece. What changes meanwhile may be in it as
/// it was or as it is.
pub async fn export(
    app: &App,
    actor: &Actor,
    filter: ConnectionFilter,
    format: Format,
) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<>> {
    actor.require(Permission::ConnectionsRead)?;
    let mut conn = app.pool().acquire().await?;
    let subject = Subject { id: None, label: "" };
    let detail = json!({ "filter": filter });
    audit::record(app, &mut conn, actor, "connection.export", subject, detail).await?;
    drop(conn);
    let app = app.clone();
    export::file(format, move |after: Option<After>| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let sort = filter.sort.unwrap_or_default();
            let mut tx = app.begin().await?;
            list::plan_by_values(&mut tx).await?;
            let found = find(&app, &mut tx, &filter).await?;
            let rows = list::page(&mut tx, &found, sort, after.as_ref(), BATCH).await?;
            tx.commit().await?;
            let next = export::rest(&rows, |last| list::after(last, sort));
            Ok((rows, next))
        }
    })
}

impl Row for Connection {
    const HEADING: &'static [&'static str] = &[
        "id",
        "label",
        "external_id",
        "client_id",
        "client",
        "provider",
        "account_id",
        "account",
        "state",
        "reason",
        "tags",
        "scopes_granted",
        "refreshed_at",
        "access_expires_at",
        "refresh_expires_at",
        "needs_human_by",
        "created_at",
    ];

    fn cells(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let reason = match &self.state {
            State::NeedsReauth { reason, .. } => reason.as_str(),
            _ => "",
        };
        vec![
            self.id.to_string(),
            self.label.clone(),
            text(&self.external_id),
            self.client_id.to_string(),
            self.client_name.clone(),
            self.provider.clone(),
            text(&self.account_id),
            text(&self.account_label),
            self.state.name().as_str().to_owned(),
            reason.to_owned(),
            self.tags.join(" "),
            self.scopes_granted.join(" "),
            moment(self.obtained_at),
            moment(self.access_expires_at),
            moment(self.refresh_expires_at),
            moment(self.needs_human_by),
            moment(Some(self.created_at)),
        ]
    }
}
