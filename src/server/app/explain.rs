//! What a deserializer complains of, as the name of a field and words for people.

use serde_path_to_error::Path;

/// serde's message as the name of a field and a message for people. What was given is not repeated:
/// it may be a secret.
pub fn explain(path: &Path, message: &str) -> (String, String) {
    let path = path.to_string();
    let path = if path == "." { String::new() } else { path };
    let within = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let quoted = |rest: &str| rest.split('`').nth(1).unwrap_or_default().to_owned();
    if let Some(rest) = message.strip_prefix("missing field ") {
        return (within(&quoted(rest)), "must be there".into());
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let name = quoted(rest);
        let last = path.rsplit('.').next().unwrap_or_default();
        let field = if last == name { path } else { within(&name) };
        return (field, "is no field that is known here".into());
    }
    if message.starts_with("duplicate field ") {
        return (path, "stands there more than once".into());
    }
    (path, wanted(message))
}

/// What was expected, from the many ways in which libraries say it.
fn wanted(message: &str) -> String {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["UUID"]) {
        return "must be a UUID".into();
    }
    if says(&["RFC3339", "component", "literal was not valid", "trailing characters"]) {
        return "must be a time like 2026-01-31T12:00:00Z".into();
    }
    if says(&["invalid digit", "parse integer"]) {
        return "must be a whole number, 0 or more".into();
    }
    if says(&["number too large", "out of range"]) {
        return "is too large".into();
    }
    if says(&["`true` or `false`"]) {
        return "must be true or false".into();
    }
    match message.split_once(", expected ") {
        Some((_, expected)) if expected.starts_with("struct ") => "must be an object".into(),
        Some((_, "a sequence")) => "must be a list".into(),
        Some((_, "a map")) => "must be an object".into(),
        Some((_, "string or map")) => "must be a name, or an object".into(),
        Some((_, "i32" | "i64" | "u16" | "u32" | "u64")) => "must be a whole number".into(),
        Some((_, expected)) => format!("must be {expected}"),
        None => "can't be read".into(),
    }
}
