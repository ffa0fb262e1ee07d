//! What a list shows, as a file: everything but the tokens.

use futures::Stream;
use serde::Serialize;
use serde_json::json;

use super::{Actor, App, Result, audit, audit::Subject, find};
use crate::{
    domain::{
        access::Permission,
        connection::{Connection, ConnectionFilter, Standing, State},
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
            let seen = |connection: Connection| {
                let standing = connection.standing(app.now());
                Exported { connection, standing }
            };
            Ok((rows.into_iter().map(seen).collect(), next))
        }
    })
}

/// A connection, and what a person sees of it.
#[derive(Serialize)]
struct Exported {
    #[serde(flatten)]
    connection: Connection,
    standing: Standing,
}

impl Row for Exported {
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
        "standing",
    ];

    fn cells(&self) -> Vec<String> {
        let Self { connection, standing } = self;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let reason = match &connection.state {
            State::NeedsReauth { reason, .. } => reason.as_str(),
            _ => "",
        };
        vec![
            connection.id.to_string(),
            connection.label.clone(),
            text(&connection.external_id),
            connection.client_id.to_string(),
            connection.client_name.clone(),
            connection.provider.clone(),
            text(&connection.account_id),
            text(&connection.account_label),
            connection.state.name().as_str().to_owned(),
            reason.to_owned(),
            connection.tags.join(" "),
            connection.scopes_granted.join(" "),
            moment(connection.obtained_at),
            moment(connection.access_expires_at),
            moment(connection.refresh_expires_at),
            moment(connection.needs_human_by),
            moment(Some(connection.created_at)),
            standing.as_str().to_owned(),
        ]
    }
}
