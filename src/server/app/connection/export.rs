//! What a list shows, as a file: everything but the tokens.

use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Actor, App, Result, audit, audit::Subject, find};
use crate::{
    domain::{
        access::Permission,
        connection::{Connection, ConnectionFilter, State},
    },
    server::{
        app::export::{self, Format, Row},
        store::connection::list::{self, After},
    },
};

/// So many rows are read at once.
const BATCH: i64 = 500;

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
    let heading = export::heading::<Connection>(format)?;
    let rows = stream::try_unfold(Some(None), move |after: Option<Option<After>>| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let sort = filter.sort.unwrap_or_default();
            let mut tx = app.begin().await?;
            list::plan_by_values(&mut tx).await?;
            let found = find(&mut tx, &filter).await?;
            let rows = list::page(&mut tx, &found, sort, after.as_ref(), BATCH).await?;
            tx.commit().await?;
            let full = i64::try_from(rows.len()).is_ok_and(|count| count == BATCH);
            let next = rows.last().filter(|_| full).map(|last| Some(list::after(last, sort)));
            Ok(Some((export::write(format, &rows)?, next)))
        }
    });
    Ok(stream::once(async move { Ok(heading) })
        .chain(rows)
        .try_filter(|piece| std::future::ready(!piece.is_empty())))
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

fn moment(at: Option<OffsetDateTime>) -> String {
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
