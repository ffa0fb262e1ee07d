//! What a deserializer complains of, as the name of a field and words for people.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};

use crate::domain::problem::FieldProblem;

/// Of a field that there is not.
pub const UNKNOWN: &str = "is no field that is known here";

/// serde's message as the name of a field and a message for people. What was given is not repeated:
/// it may be a secret.
pub fn explain(path: &Path, message: &str) -> (String, String) {
    let message = without_place(message);
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
        return (field, UNKNOWN.into());
    }
    if message.starts_with("duplicate field ") {
        return (path, "stands there more than once".into());
    }
    (path, wanted(message))
}

/// serde's message without where in the text it was: of one row of a file that is no place a person knows.
fn without_place(message: &str) -> &str {
    match message.rsplit_once(" at line ") {
        Some((said, place)) if place.contains(" column ") => said,
        _ => message,
    }
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

/// So many problems are told at once; who has more has not begun well.
const MOST: usize = 50;

/// So often one value is read again to find them. Each field may need some tries before it is out of the way.
const READINGS: usize = 100;

/// What was read out of a JSON value.
pub struct Reading<T> {
    /// All that is wrong with it, each field once.
    pub problems: Vec<FieldProblem>,
    /// What it is; where something is wrong, with something else in its place. `None`: it can't be known.
    pub read: Option<T>,
}

impl<T: DeserializeOwned> Reading<T> {
    /// Reads `value`, of which `problems` are known already. serde stops at the first fault, so what is
    /// wrong is replaced by something that fits, and the rest is read again.
    pub fn of(mut value: Value, problems: Vec<FieldProblem>) -> Self {
        let mut reading = Self { problems, read: None };
        let mut tried = BTreeMap::new();
        for _ in 0..READINGS {
            if reading.problems.len() >= MOST {
                break;
            }
            let mut ignored = Vec::new();
            let mut ignore = |path: serde_ignored::Path<'_>| ignored.push(path.to_string());
            let reader = serde_ignored::Deserializer::new(&value, &mut ignore);
            let error = match serde_path_to_error::deserialize(reader) {
                Ok(read) => {
                    reading.read = Some(read);
                    // What a type passes over in silence, however deep: a filter, say, that lets more through
                    // without it. `?` stands for what is optional.
                    let fields = ignored.iter().map(|path| path.replace(".?", ""));
                    let problems = fields.map(|field| FieldProblem::new(field, UNKNOWN));
                    let room = MOST.saturating_sub(reading.problems.len());
                    reading.problems.extend(problems.take(room));
                    break;
                }
                Err(error) => error,
            };
            let message = error.inner().to_string();
            let (field, told) = explain(error.path(), &message);
            if !reading.problems.iter().any(|known| is_within(&field, &known.field)) {
                reading.problems.push(FieldProblem::new(field, told));
            }
            if !mend(&mut value, error.path(), &message, &mut tried) {
                break;
            }
        }
        reading
    }

    /// What was read, if nothing is wrong with it.
    pub fn whole(self) -> Result<T, Vec<FieldProblem>> {
        match self.read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => Err(self.problems),
        }
    }
}

/// Whether a field is another, or part of it.
pub fn is_within(field: &str, other: &str) -> bool {
    let rest = field.strip_prefix(other);
    rest.is_some_and(|rest| rest.is_empty() || other.is_empty() || rest.starts_with(['.', '[']))
}

/// Takes what serde complains of out of its way. `false`: it can't be done.
fn mend(
    value: &mut Value,
    path: &Path,
    message: &str,
    tried: &mut BTreeMap<String, usize>,
) -> bool {
    let mut steps: Vec<&Segment> = path.iter().collect();
    let named = message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("unknown field ") {
        if matches!(steps.last(), Some(Segment::Map { key }) if key == named) {
            steps.pop();
        }
        let object = follow(value, &steps).and_then(Value::as_object_mut);
        return object.is_some_and(|object| object.remove(named).is_some());
    }
    if message.starts_with("missing field ") {
        let Some(object) = follow(value, &steps).and_then(Value::as_object_mut) else {
            return false;
        };
        return object.insert(named.to_owned(), Value::Null).is_none();
    }
    let Some(place) = follow(value, &steps).filter(|_| !steps.is_empty()) else { return false };
    // "unknown variant `x`, expected one of `a`, `b`"
    let variant = message.split_once("expected ").and_then(|(_, rest)| rest.split('`').nth(1));
    if let Some(variant) =
        variant.filter(|name| message.starts_with("unknown variant ") && *place != **name)
    {
        *place = variant.into();
        return true;
    }
    let fits = [Value::Null, "".into(), 0.into(), false.into(), json!([]), json!({})];
    let next = tried.entry(path.to_string()).or_default();
    let Some(other) = fits.into_iter().nth(*next) else { return false };
    *next += 1;
    *place = other;
    true
}

fn follow<'a>(value: &'a mut Value, steps: &[&Segment]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Segment::Seq { index } => value.get_mut(*index),
        Segment::Map { key } | Segment::Enum { variant: key } => value.get_mut(key),
        Segment::Unknown => None,
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        count: u32,
        #[serde(default)]
        kind: Kind,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        #[default]
        First,
        Second,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        id: String,
        #[serde(default)]
        on: bool,
    }

    fn told(value: Value) -> (Vec<String>, Option<Outer>) {
        let reading = Reading::<Outer>::of(value, Vec::new());
        (reading.problems.into_iter().map(|problem| problem.field).collect(), reading.read)
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_and_each_thing_once() {
        let (fields, read) = told(json!({
            "count": "many", "kind": "third", "colour": 1,
            "inner": [{ "id": "a", "on": 7 }, 5, { "od": "b" }, { "id": "c" }],
        }));
        let mut wanted =
            vec!["colour", "count", "kind", "inner[0].on", "inner[1]", "inner[2].od", "name"];
        wanted.push("inner[2].id");
        wanted.sort_unstable();
        let mut fields = fields;
        fields.sort();
        assert_eq!(fields, wanted);
        // What is right stays as it is.
        let read = read.expect("the rest can be read");
        assert_eq!(read.inner[3], Inner { id: "c".into(), on: false });
    }

    #[test]
    fn what_is_right_is_read() {
        let (fields, read) = told(json!({ "name": "a", "count": 1, "kind": "second" }));
        assert!(fields.is_empty() && read.is_some_and(|read| read.kind == Kind::Second));
    }

    #[test]
    fn what_can_not_be_mended_is_told_and_no_more() {
        let (fields, read) = told(json!("text"));
        assert_eq!((fields, read), (vec![String::new()], None));
        let many: serde_json::Map<_, _> = (0..500).map(|n| (format!("f{n}"), 1.into())).collect();
        let (fields, read) = told(many.into());
        assert_eq!((fields.len(), read), (MOST, None));
    }
}
