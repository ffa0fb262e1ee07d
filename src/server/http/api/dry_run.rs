//! Dry runs.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    json::{Id, Json},
    problem::Problem,
};
use crate::{
    domain::{
        access::Permission,
        dry_run::{Answered, DryRun, Sample},
    },
    server::app::{self, App},
};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(run))
}

/// What is to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// Values of the provider's variables that each connection fills, as one would have them.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// A token endpoint's answer to be read; without one only the requests are shown.
    sample: Option<SampleAnswer>,
}

/// A token endpoint's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleAnswer {
    /// The body as the provider sent it, at most 262144 bytes.
    #[schema(write_only)]
    body: String,
    /// 200 unless given.
    status: Option<u16>,
    /// `application/json` unless given.
    content_type: Option<String>,
    /// What it answers; `exchange` unless given.
    #[serde(default)]
    answers: Answered,
}

/// Try a client without sending anything
///
/// The exact requests that its connections would make, with words in capitals for secrets, and what
/// would be read out of a sample answer, with tokens masked. Nothing is sent or kept.
#[utoipa::path(
    post,
    path = "/clients/{id}/dry-run",
    tag = "clients",
    extensions(("x-permission" = json!(Permission::ClientsWrite))),
    params(("id" = Uuid, Path)),
    request_body = DryRunRequest,
    responses((status = 200, description = "Requests, and the reading", body = DryRun))
)]
async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Id(id): Id,
    Json(body): Json<DryRunRequest>,
) -> Result<Json<DryRun>, Problem> {
    let sample = body.sample.map(|sample| Sample {
        status: sample.status,
        content_type: sample.content_type,
        body: sample.body,
        answers: sample.answers,
    });
    Ok(Json(app::dry_run::run(&app, &actor, id, &body.variables, sample).await?))
}
