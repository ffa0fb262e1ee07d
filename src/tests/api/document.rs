//! The document: it is sound, and it says of the routes what they do.

use std::collections::BTreeSet;

use axum::http::{Method, header};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{domain::access::Scope, tests::support::World};

/// A path with something in the place of its parameters.
pub fn filled(path: &str) -> String {
    path.replace("{id}", &Uuid::from_u128(77).to_string()).replace("{slug}", "nobody")
}

#[sqlx::test]
async fn every_documented_operation_is_there_and_no_other(pool: PgPool) {
    let world = World::new(pool).await;
    let nobody = world.program_with(None).await;
    let operations = nobody.contract.operations();
    assert!(operations.len() > 30, "{}", operations.len());
    let paths: BTreeSet<&String> = operations.iter().map(|(_, path, _)| path).collect();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let documented = operations.iter().any(|(m, p, _)| *m == method && p == path);
            let page = nobody.call(method.clone(), &filled(path), None).await;
            let expected = match documented {
                true if path == "/openapi.json" => 200,
                true => 401,
                false => 405,
            };
            assert_eq!(page.status, expected, "{method} {path}: {}", page.text);
            if expected == 405 {
                let allowed = page.header("allow").split(',').map(str::trim);
                let allowed: BTreeSet<&str> = allowed.filter(|method| *method != "HEAD").collect();
                let documented = operations.iter().filter(|(_, p, _)| p == path);
                assert_eq!(allowed, documented.map(|(m, _, _)| m.as_str()).collect());
            }
        }
    }
}

#[sqlx::test]
async fn the_document_is_sound(pool: PgPool) {
    let world = World::new(pool).await;
    let nobody = world.program_with(None).await;
    let document = &nobody.contract.0;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    assert_eq!(document["servers"][0]["url"], "/api/v1");
    let mut references = Vec::new();
    collect_references(document, &mut references);
    for reference in references {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        assert!(target.is_some(), "{reference} is nowhere");
    }
    let tags: Vec<&str> = names(&document["tags"], "name");
    let scopes: BTreeSet<&str> = Scope::ALL.into_iter().map(Scope::as_str).collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in nobody.contract.operations() {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty() && ids.insert(id), "{place}: {id:?}");
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{place}");
        assert!(tags.contains(&operation["tags"][0].as_str().unwrap_or_default()), "{place}");
        let inputs: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let declared = operation["parameters"].as_array().into_iter().flatten();
        let declared = declared.filter(|parameter| parameter["in"] == "path");
        let declared = declared.filter_map(|parameter| parameter["name"].as_str()).collect();
        assert_eq!(inputs, declared, "{place}");
        let changes = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
        assert!(changes || operation.get("requestBody").is_none(), "{place}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
        if path == "/openapi.json" {
            continue;
        }
        assert!(responses.contains_key("401"), "{place}");
        for alternative in operation["security"].as_array().expect("security") {
            let needed = alternative["api_key"].as_array().expect("scopes");
            assert!(needed.iter().all(|scope| scopes.contains(scope.as_str().unwrap())), "{place}");
        }
    }
    assert!(document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer");
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[key].as_str()).collect()
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "$ref" => found.push(text.to_owned()),
                    _ => collect_references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

/// Nothing that was sent is left out in silence, however deep it stands.
#[sqlx::test]
async fn what_is_sent_has_no_unknown_fields(pool: PgPool) {
    let world = World::new(pool).await;
    let nobody = world.program_with(None).await;
    let document = &nobody.contract.0;
    let mut waiting = Vec::new();
    for (_, _, operation) in nobody.contract.operations() {
        collect_references(&operation["requestBody"], &mut waiting);
    }
    let mut seen = BTreeSet::new();
    while let Some(reference) = waiting.pop() {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        let schema = target.expect("a schema");
        if seen.insert(reference.clone()) {
            collect_references(schema, &mut waiting);
            // Older replicas and pages read filters of newer ones; what a call is sent is looked at as it is read.
            let is_filter = reference.ends_with("/ConnectionFilter");
            assert!(is_closed(schema) || is_filter, "{reference} takes what it does not know");
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}

/// Whether each object with fields in it takes no others.
fn is_closed(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let is_open = fields.contains_key("properties")
                && fields.get("additionalProperties") != Some(&Value::Bool(false));
            !is_open && fields.values().all(is_closed)
        }
        Value::Array(items) => items.iter().all(is_closed),
        _ => true,
    }
}

#[sqlx::test]
async fn no_call_passes_a_body_over(pool: PgPool) {
    let world = World::new(pool).await;
    let admin = world.program(&[Scope::Admin]).await;
    let mut seen = 0;
    for (method, path, operation) in admin.contract.operations() {
        if method == Method::GET || operation.get("requestBody").is_some() {
            continue;
        }
        let body = serde_json::json!({ "revoke": true });
        let page = admin.call(method.clone(), &filled(&path), Some(&body)).await;
        assert_eq!(page.status, 422, "{method} {path}: {}", page.text);
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[sqlx::test]
async fn the_document_needs_no_key_and_answers_are_not_kept(pool: PgPool) {
    let world = World::new(pool).await;
    let nobody = world.program_with(None).await;
    assert_eq!(nobody.get("/openapi.json").await.header("cache-control"), "no-cache");
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    for path in ["/connections", "/nowhere"] {
        let page = reader.get(path).await;
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store", "{path}");
    }
}

#[sqlx::test]
async fn the_schema_of_a_profile_is_served_and_its_name_is_no_slug(pool: PgPool) {
    let world = World::new(pool).await;
    let reader = world.program(&[Scope::ConnectionsRead]).await;
    let schema: Value = reader.get("/providers/schema").await.json();
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let preset: Value = reader.get("/providers/cronofy").await.json();
    assert!(validator.is_valid(&preset));
    let auditor = world.program(&[Scope::AuditRead]).await;
    assert_eq!(auditor.get("/providers/schema").await.status, 403);

    let writer = world.program(&[Scope::ProvidersWrite]).await;
    for slug in ["discover", "new", "schema"] {
        let mut profile = preset.clone();
        profile["slug"] = slug.into();
        assert!(validator.is_valid(&profile));
        let refused = writer.post("/providers", &profile).await;
        assert_eq!(refused.status, 422, "{slug}: {}", refused.text);
        assert!(refused.text.contains("choose another"), "{}", refused.text);
    }
}

/// A program that filters by it must know what it does not find.
#[sqlx::test]
async fn when_a_person_is_needed_is_told_of_what_lives(pool: PgPool) {
    let world = World::new(pool).await;
    let nobody = world.program_with(None).await;
    let schema = &nobody.contract.0["components"]["schemas"]["ConnectionFacts"];
    let about = schema["properties"]["needs_human_by"]["description"].as_str().unwrap();
    assert!(about.contains("`pending`"), "{about}");
}
