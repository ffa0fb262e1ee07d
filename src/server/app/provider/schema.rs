//! The JSON Schema of a profile: for editors, for whoever writes a preset, for checking one before
//! it is posted. It is made of the very type that profiles are read into, so it can't fall behind.
//!
//! OpenAPI 3.1 schemas are JSON Schema 2020-12; only where the parts stand differs. What takes more
//! than a schema to say (a pattern that is no regular expression, a template that names no
//! variable) is said when the profile is posted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::provider::{Profile, SCHEMA_VERSION};

const COMPONENTS: &str = "#/components/schemas/";

/// The schema, in the dialect of 2020-12.
pub fn profile() -> Value {
    let mut parts = Vec::new();
    Profile::schemas(&mut parts);
    let parts: BTreeMap<_, _> = parts.into_iter().map(|(name, part)| (name, json!(part))).collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:regrant:provider-profile:{SCHEMA_VERSION}"),
        "title": "Regrant provider profile",
    });
    if let (Value::Object(schema), Value::Object(fields)) = (&mut schema, json!(Profile::schema()))
    {
        schema.extend(fields);
        schema.insert("$defs".into(), json!(parts));
    }
    point_inside(&mut schema);
    for (place, keyword, bound) in bounds() {
        if let Some(Value::Object(part)) = schema.pointer_mut(place) {
            part.insert(keyword.into(), bound);
        }
    }
    schema
}

/// What [`Profile::validate`] asks of single values, where a schema can say it.
fn bounds() -> Vec<(&'static str, &'static str, Value)> {
    let (least, most) = ("minimum", "maximum");
    let slug = json!("^[a-z0-9-]{1,64}$");
    let pointer = json!("^/([^~]|~[01])*$");
    vec![
        ("/properties/schema_version", "const", json!(SCHEMA_VERSION)),
        ("/properties/slug", "pattern", slug.clone()),
        ("/properties/category", "pattern", slug),
        ("/properties/name", "pattern", json!(r"\S")),
        ("/properties/name", "maxLength", json!(100)),
        ("/properties/grants", "uniqueItems", json!(true)),
        ("/$defs/Variable/properties/name", "pattern", json!("^[a-z][a-z0-9_]{0,63}$")),
        ("/$defs/Variable/properties/label", "pattern", json!(r"\S")),
        ("/$defs/Lifetimes/properties/access_seconds", least, json!(1)),
        ("/$defs/Lifetimes/properties/refresh_seconds", least, json!(1)),
        ("/$defs/Lifetimes/properties/refresh_idle_seconds", least, json!(1)),
        ("/$defs/Policy/properties/concurrency", least, json!(1)),
        ("/$defs/Policy/properties/requests_per_minute", least, json!(1)),
        ("/$defs/Response/properties/access_token", "minItems", json!(1)),
        ("/$defs/Response/properties/access_token/items", "pattern", pointer.clone()),
        ("/$defs/Response/properties/refresh_token/items", "pattern", pointer.clone()),
        ("/$defs/Response/properties/id_token/items", "pattern", pointer.clone()),
        ("/$defs/Response/properties/token_type/items", "pattern", pointer.clone()),
        ("/$defs/Response/properties/scope/items", "pattern", pointer.clone()),
        ("/$defs/ExpirySource/properties/pointer", "pattern", pointer.clone()),
        ("/$defs/AccountSource/properties/pointer", "pattern", pointer),
        ("/$defs/ErrorRule/properties/status", least, json!(200)),
        ("/$defs/ErrorRule/properties/status", most, json!(599)),
    ]
}

fn point_inside(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(COMPONENTS)
            {
                *reference = format!("#/$defs/{name}");
            }
            fields.values_mut().for_each(point_inside);
        }
        Value::Array(items) => items.iter_mut().for_each(point_inside),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::provider::Catalog;

    fn validator() -> jsonschema::Validator {
        let schema = profile();
        assert!(jsonschema::meta::is_valid(&schema), "{schema}");
        jsonschema::draft202012::new(&schema).expect("a schema without loose ends")
    }

    fn complaints(validator: &jsonschema::Validator, value: &Value) -> Vec<String> {
        let errors = validator.iter_errors(value);
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn every_preset_fits_as_it_is_written_and_as_it_is_given() {
        let validator = validator();
        let catalog = Catalog::load(None).unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/provider/catalog");
        for profile in catalog.iter() {
            assert_eq!(complaints(&validator, &json!(profile)), [""; 0], "{}", profile.slug);
            let text = std::fs::read_to_string(format!("{folder}/{}.toml", profile.slug)).unwrap();
            let written: Value = toml::from_str(&text).unwrap();
            assert_eq!(complaints(&validator, &written), [""; 0], "{}", profile.slug);
        }
        let least = json!({ "slug": "a", "name": "A" });
        assert_eq!(complaints(&validator, &least), [""; 0]);
    }

    /// And those of its bounds have a place, and refuse nothing that the profile's own check takes.
    #[test]
    fn each_bound_has_a_place_and_is_one_of_the_profiles_own() {
        let schema = profile();
        for (place, keyword, bound) in bounds() {
            assert_eq!(schema.pointer(place).unwrap_or(&Value::Null)[keyword], bound, "{place}");
        }
        let validator = validator();
        let whole = json!(Catalog::load(None).unwrap().find("cronofy").unwrap());
        for (place, field, value) in [
            ("", "schema_version", json!(2)),
            ("", "slug", json!("Cronofy")),
            ("", "category", json!("two words")),
            ("", "name", json!(" ")),
            ("", "name", json!("a".repeat(101))),
            ("", "grants", json!(["authorization_code", "authorization_code"])),
            ("", "lifetimes", json!({ "access_seconds": 0 })),
            ("", "lifetimes", json!({ "refresh_seconds": 0 })),
            ("", "policy", json!({ "concurrency": 0 })),
            ("", "policy", json!({ "requests_per_minute": 0 })),
            ("/response", "access_token", json!([])),
            ("/response", "access_token", json!(["access_token"])),
            ("/response", "refresh_token", json!(["/a~2"])),
            ("/response", "expiry", json!([{ "pointer": "expires_in" }])),
            ("", "errors", json!({ "rules": [{ "class": "grant_refused", "status": 99 }] })),
        ] {
            let mut spoilt = whole.clone();
            spoilt.pointer_mut(place).unwrap()[field] = value;
            assert!(!validator.is_valid(&spoilt), "{place}/{field}");
            let read = serde_json::from_value::<Profile>(spoilt);
            assert!(read.is_ok_and(|profile| !profile.validate().is_empty()), "{place}/{field}");
        }
    }

    /// The schema and the type refuse the same.
    #[test]
    fn what_can_not_be_read_does_not_fit() {
        let validator = validator();
        let whole = json!(Catalog::load(None).unwrap().find("cronofy").unwrap());
        for (pointer, field, value) in [
            ("", "colour", json!("red")),
            ("", "slug", json!(7)),
            ("", "name", Value::Null),
            ("", "grants", json!("authorization_code")),
            ("", "grants", json!(["implicit"])),
            ("", "renewal", json!("sometimes")),
            ("", "variables", json!([{ "name": "a" }])),
            ("/endpoints", "tokens", json!("https://a.example")),
            ("/endpoints", "token", json!(["https://a.example"])),
            ("/request", "encoding", json!("xml")),
            ("/request", "refresh", json!({ "method": "post" })),
            ("/request", "refresh", json!({ "send_scope": "yes" })),
            ("/request", "parameters", json!({ "code": { "place": "cookie" } })),
            ("/request/authentication", "method", json!("basic_twice")),
            ("/response", "expiry", json!([{ "pointer": "/a", "form": "minutes" }])),
            ("/response", "access_token", json!("/access_token")),
            ("/policy", "rotation", json!(true)),
            ("/policy", "concurrency", json!(-1)),
            ("/policy", "concurrency", json!(1.5)),
            ("", "errors", json!({ "rules": [{ "class": "grant_refused", "colour": 1 }] })),
            ("", "errors", json!({ "rules": [{ "code": "invalid_grant" }] })),
        ] {
            let mut spoilt = whole.clone();
            spoilt.pointer_mut(pointer).unwrap()[field] = value;
            assert!(!validator.is_valid(&spoilt), "{pointer}/{field}");
            assert!(serde_json::from_value::<Profile>(spoilt).is_err(), "{pointer}/{field}");
        }
    }
}
