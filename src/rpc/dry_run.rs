//! What a client would send, and how an answer would be read.

use std::collections::BTreeMap;

use leptos::prelude::*;
use uuid::Uuid;

use super::Answer;
use crate::domain::dry_run::{Answered, DryRun, LastReading, Reading};

#[server(prefix = "/rpc", endpoint = "dry_run/requests")]
pub async fn requests(
    client: Uuid,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<DryRun> {
    let (app, actor) = crate::server::http::caller::actor().await?;
    app.call(crate::server::app::dry_run::run(&app, &actor, client, &variables, None)).await
}

/// Reads a sample answer; nothing is sent and nothing of its tokens is kept.
#[server(prefix = "/rpc", endpoint = "dry_run/read")]
pub async fn read(
    client: Uuid,
    body: String,
    #[server(default)] status: String,
    content_type: Option<String>,
    answers: Answered,
    #[server(default)] variables: BTreeMap<String, String>,
) -> Answer<Option<Reading>> {
    use crate::server::{app::note::Name, http::caller};
    let (app, actor) = caller::actor().await?;
    let (typed, kind) = (status.clone(), content_type.clone().unwrap_or_default());
    // What is no number is no status.
    let status = super::filled(Some(status)).map(|text| text.parse().unwrap_or_default());
    let content_type = super::filled(content_type);
    let sample = crate::domain::dry_run::Sample { status, content_type, body, answers };
    let run = crate::server::app::dry_run::run(&app, &actor, client, &variables, Some(sample));
    let run = app.call(run).await?;
    if let Some(reading) = run.reading.clone() {
        let last = LastReading { reading, status: typed, content_type: kind, answers };
        caller::keep_for_next_page(&app, Name::of("dry_run", client), &last).await?;
    }
    Ok(run.reading)
}

/// What the form before this page had read for this client.
#[server(prefix = "/rpc", endpoint = "dry_run/last")]
pub async fn last(client: Uuid) -> Answer<Option<LastReading>> {
    use crate::server::{app::note::Name, http::caller};
    let (app, _) = caller::actor().await?;
    caller::take_from_last_page(&app, Name::of("dry_run", client)).await
}
