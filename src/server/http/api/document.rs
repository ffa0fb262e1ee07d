//! The OpenAPI document: what the handlers declare, and what holds for all of them.
//!
//! A handler names the permission its use case asks for (`x-permission`); from the table of access
//! follow the scopes that give it, so that the document says what `app` enforces.

use axum::{
    Extension,
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    BASE,
    problem::{self, Code, Problem},
};
use crate::{
    domain::{
        access::{Permission, Scope},
        connection,
        problem::Obstacle,
    },
    server::app::App,
};

const PERMISSION: &str = "x-permission";
const ABOUT: &str = "\
Everything the dashboard can do, for programs.

Times are RFC 3339 in UTC, ids are UUIDv7. A list is `{\"items\": […], \"next\": …}`; give `next` back \
as `cursor` to see what follows, until it is null. In a PATCH an absent field stays as it is. Fields \
and parameters that are not known are refused. Secrets and passwords go in and never come out.

A refusal is a problem of RFC 9457 with a stable `code`; `detail` is for people and may change. What \
can't be done in the present state has the code `conflict` and a stable `reason` as well:";

#[derive(OpenApi)]
#[openapi(
    info(title = "Regrant", description = ABOUT, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers((url = BASE)),
    tags(
        (name = "overview", description = "What needs attention, at a glance."),
        (name = "providers", description = "How to talk to authorization servers: presets and custom profiles."),
        (name = "clients", description = "OAuth client registrations at providers."),
        (name = "connections", description = "Grants: one account at a provider, authorized for one client."),
        (name = "jobs", description = "One action on many connections."),
        (name = "saved_filters", description = "Filters of the list of connections that were given a name."),
        (name = "imports", description = "Many connections brought over from elsewhere."),
        (name = "relinks", description = "One-time links by which a dead connection is authorized again, in place."),
        (name = "brand", description = "How the house shows itself to people outside, on the page behind a relink."),
        (name = "users", description = "People who sign in."),
        (name = "api_keys", description = "Keys for programs."),
        (name = "audit", description = "Who did what to what, and when."),
        (name = "meta", description = "About this interface."),
    ),
    // What only parameters mention is not found by itself.
    components(schemas(Problem, connection::Sort, connection::StateName)),
)]
struct Frame;

/// The document without its paths.
pub fn frame() -> utoipa::openapi::OpenApi {
    Frame::openapi()
}

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(openapi))
}

/// This document
///
/// OpenAPI 3.1. Needs no key.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "meta",
    responses((status = 200, description = "The document", body = Object))
)]
async fn openapi(Extension(document): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document.0)
        .into_response()
}

/// The finished document, written out.
#[derive(Clone)]
pub struct Document(Bytes);

impl Document {
    pub fn new(declared: utoipa::openapi::OpenApi) -> Self {
        let mut document = json!(declared);
        complete(&mut document);
        Self(Bytes::from(document.to_string()))
    }
}

fn complete(document: &mut Value) {
    let operations = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for (method, operation) in operations.filter_map(Value::as_object_mut).flatten() {
        if operation.get("responses").is_some() {
            complete_operation(method, operation);
        }
    }
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (name, schema) in schemas {
        // A page repeats its item in full; it had better name it. And `next` always stands there.
        if let Some(item) = name.strip_prefix("Page_") {
            let reference = format!("#/components/schemas/{item}");
            schema["properties"]["items"]["items"] = json!({ "$ref": reference });
            schema["required"] = json!(["items", "next"]);
        }
    }
    let responses: Map<String, Value> = Code::ALL
        .into_iter()
        .map(|code| (status(code), code.status()))
        .map(|(key, status)| {
            let name = status.canonical_reason().unwrap_or_default();
            (component(&key), json!({ "description": name, "content": content() }))
        })
        .collect();
    document["components"]["responses"] = Value::Object(responses);
    let about = document["info"]["description"].as_str().unwrap_or_default();
    let reasons = Obstacle::ALL.iter().map(|it| format!("- `{}`: {}.", it.as_str(), it.about()));
    let about = format!("{about}\n\n{}", reasons.collect::<Vec<_>>().join("\n"));
    document["info"]["description"] = about.into();
    document["components"]["securitySchemes"] = json!({
        "api_key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "rgk_…",
            "description": "An API key, made in the dashboard, by `regrant api-key create` or by `POST /api-keys`."
        }
    });
}

/// Says of an operation what follows from its method, its permission and its inputs.
fn complete_operation(method: &str, operation: &mut Value) {
    let name = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
    let tag = operation["tags"][0].as_str().unwrap_or_default();
    operation["operationId"] = json!(format!("{tag}_{}", name("operationId")));
    let mut problems = vec![Code::Internal, Code::Unavailable];
    let fields = operation.as_object_mut().map(|fields| fields.remove(PERMISSION));
    let permission = fields.flatten();
    if let Some(permission) = permission {
        let scopes = scopes(&permission);
        let list = scopes.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(", ");
        let needs = match list.as_str() {
            "" => "Needs any valid key.".to_owned(),
            list => format!("Needs a key with one of the scopes {list}."),
        };
        let about = operation["description"].as_str().unwrap_or_default();
        operation["description"] = json!(format!("{about}\n\n{needs}").trim());
        // Any one of these alternatives is enough.
        operation["security"] = match scopes.is_empty() {
            true => json!([{ "api_key": [] }]),
            false => scopes.iter().map(|scope| json!({ "api_key": [scope] })).collect(),
        };
        operation["x-required-scope"] = json!(scopes);
        problems.push(Code::Unauthenticated);
        if !scopes.is_empty() {
            problems.push(Code::Forbidden);
        }
    }
    let parameters = operation["parameters"].as_array();
    if parameters.is_some_and(|all| all.iter().any(|one| one["in"] == "path")) {
        problems.push(Code::NotFound);
    }
    if operation.get("requestBody").is_some() {
        problems.push(Code::UnsupportedMediaType);
    }
    // A body is read wherever something is changed, if only to see that there is none.
    if method != "get" {
        problems.extend([Code::Malformed, Code::TooLarge, Code::Invalid]);
    }
    if parameters.is_some() {
        problems.push(Code::Invalid);
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (_, declared) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
        declared["content"] = content();
    }
    for code in problems {
        let key = status(code);
        let reference = json!({ "$ref": format!("#/components/responses/{}", component(&key)) });
        responses.entry(key).or_insert(reference);
    }
    responses.sort_keys();
}

fn status(code: Code) -> String {
    code.status().as_u16().to_string()
}

fn component(status: &str) -> String {
    format!("Problem{status}")
}

fn content() -> Value {
    json!({ problem::CONTENT_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } })
}

/// The scopes that give a permission, or one of several; none for what any key may do.
fn scopes(permission: &Value) -> Vec<Scope> {
    let several = permission.as_array().cloned().unwrap_or_else(|| vec![permission.clone()]);
    let permissions: Vec<Permission> =
        several.into_iter().filter_map(|one| serde_json::from_value(one).ok()).collect();
    Scope::ALL
        .into_iter()
        .filter(|scope| permissions.iter().any(|permission| scope.allows(*permission)))
        .collect()
}
