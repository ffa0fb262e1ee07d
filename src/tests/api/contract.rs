//! Whether an answer is what the document says: the status is listed, the media type is right, and
//! the body fits the schema.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use serde_json::Value;
use tower::ServiceExt;

use crate::tests::support::Page;

pub struct Contract(pub Value);

impl Contract {
    pub async fn read(router: &Router) -> Self {
        let request = Request::get("/api/v1/openapi.json").body(Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("infallible");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        Self(serde_json::from_slice(&bytes).expect("JSON"))
    }

    /// Each operation: method, path as documented, and what is said of it.
    pub fn operations(&self) -> Vec<(Method, String, &Value)> {
        let paths = self.0["paths"].as_object().expect("paths");
        let mut found = Vec::new();
        for (path, item) in paths {
            for (method, operation) in item.as_object().expect("operations") {
                let method = method.to_ascii_uppercase().parse().expect("a method");
                found.push((method, path.clone(), operation));
            }
        }
        found
    }

    /// Fails when an answer is not what was promised.
    pub fn check(&self, method: &Method, path: &str, page: &Page) {
        let Some(path) = path.strip_prefix("/api/v1") else { return };
        let problem = page.status.as_u16() >= 400;
        let place = format!("{method} {path}: {} {}", page.status, page.text);
        let media = if problem { "application/problem+json" } else { "application/json" };
        if page.status != 204 && !self.is_file(method, path, page) {
            assert_eq!(page.headers[header::CONTENT_TYPE], media, "{place}");
        }
        let schema = match self.operation(method, path) {
            None => {
                assert!(problem, "{place} is not documented");
                "/components/schemas/Problem".to_owned()
            }
            Some(operation) => {
                let responses = format!("{operation}/responses/{}", page.status.as_u16());
                let declared = self.0.pointer(&responses);
                let declared = declared.unwrap_or_else(|| panic!("not documented: {place}"));
                let at = match declared.get("$ref") {
                    Some(reference) => reference.as_str().expect("text")[1..].to_owned(),
                    None => responses,
                };
                let at = format!("{at}/content");
                if self.is_file(method, path, page) {
                    return;
                }
                format!("{at}/{}/schema", media.replace('/', "~1"))
            }
        };
        match self.0.pointer(&schema) {
            Some(schema) => self.fits(schema, &page.json(), &place),
            None => assert_eq!(page.text, "", "{place}"),
        }
    }

    /// Whether an answer is a file, of a type that was promised.
    fn is_file(&self, method: &Method, path: &str, page: &Page) -> bool {
        let media = page.header("content-type").split(';').next().unwrap_or_default();
        let Some(operation) = self.operation(method, path) else { return false };
        let promised = format!("{operation}/responses/{}/content", page.status.as_u16());
        let promised = self.0.pointer(&promised).and_then(|content| content.get(media));
        page.status == 200 && media != "application/json" && promised.is_some()
    }

    /// The pointer to the operation that a path leads to.
    fn operation(&self, method: &Method, path: &str) -> Option<String> {
        let given: Vec<&str> = path.split('/').collect();
        let fits = |pattern: &str| {
            let parts: Vec<&str> = pattern.split('/').collect();
            parts.len() == given.len()
                && parts
                    .iter()
                    .zip(&given)
                    .all(|(part, given)| part.starts_with('{') || part == given)
        };
        let paths = self.0["paths"].as_object()?;
        let mut found: Vec<&String> = paths.keys().filter(|pattern| fits(pattern)).collect();
        found.sort_by_key(|pattern| pattern.contains('{'));
        let pattern = found.first()?;
        let method = method.as_str().to_ascii_lowercase();
        let pointer = format!("/paths/{}/{method}", pattern.replace('/', "~1"));
        self.0.pointer(&pointer).map(|_| pointer)
    }

    /// As much of JSON Schema as the document uses.
    fn fits(&self, schema: &Value, value: &Value, place: &str) {
        if let Err(why) = self.misfit(schema, value) {
            panic!("{place}: {why}");
        }
    }

    fn misfit(&self, schema: &Value, value: &Value) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let target =
                self.0.pointer(&reference[1..]).ok_or(format!("{reference} is nowhere"))?;
            return self.misfit(target, value);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.misfit(part, value)?;
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fitting =
                choices.iter().filter(|choice| self.misfit(choice, value).is_ok()).count();
            if fitting != 1 {
                return Err(format!("{value} fits {fitting} of {}", schema["oneOf"]));
            }
        }
        if let Some(known) = schema["enum"].as_array()
            && !known.contains(value)
        {
            return Err(format!("{value} is none of {known:?}"));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !kinds.is_empty() && !kinds.iter().any(|kind| is_a(kind, value)) {
            return Err(format!("{value} is none of {kinds:?}"));
        }
        if let (Some(format), Some(text)) = (schema["format"].as_str(), value.as_str())
            && !has_format(format, text)
        {
            return Err(format!("{text} is no {format}"));
        }
        for item in value.as_array().into_iter().flatten() {
            self.misfit(&schema["items"], item)?;
        }
        let Some(fields) = value.as_object() else { return Ok(()) };
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !fields.contains_key(name) {
                return Err(format!("{name} is missing"));
            }
        }
        let Some(known) = schema["properties"].as_object() else { return Ok(()) };
        for (name, value) in fields {
            match known.get(name) {
                Some(schema) => {
                    self.misfit(schema, value).map_err(|why| format!("{name}: {why}"))?
                }
                // A part of an `allOf`, or of a tagged choice, does not know its neighbours.
                None if schema["additionalProperties"] == false => {
                    return Err(format!("{name} is not documented"));
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn has_format(format: &str, text: &str) -> bool {
    use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
    match format {
        "uuid" => uuid::Uuid::parse_str(text).is_ok(),
        "date-time" => OffsetDateTime::parse(text, &Rfc3339)
            .is_ok_and(|at| at.offset() == UtcOffset::UTC && text.ends_with('Z')),
        _ => true,
    }
}
