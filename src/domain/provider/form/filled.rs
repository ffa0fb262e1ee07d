//! What stands in a form: as typed, whether it makes sense or not.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Kind;

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Filled {
    Text(String),
    Switch(bool),
    Several(Vec<String>),
    Rows(Vec<Filled>),
    Named(Vec<(String, Filled)>),
    /// In the order of the group's fields.
    Group(Vec<Filled>),
    Perhaps(Option<Box<Filled>>),
}

impl Filled {
    /// What a field of this kind shows of `value`. What does not fit is shown as JSON.
    pub fn of(kind: &Kind, value: Option<&Value>) -> Self {
        let value = value.filter(|value| !value.is_null());
        let list = || value.and_then(Value::as_array).into_iter().flatten();
        match kind {
            Kind::Text { optional: true, .. } => Self::Text(match value {
                Some(Value::String(text)) => guarded(text),
                other => plain(other),
            }),
            Kind::Text { .. } | Kind::Number { .. } | Kind::Choice { .. } | Kind::Verdict => {
                Self::Text(plain(value))
            }
            Kind::Json => Self::Text(
                value
                    .and_then(|value| serde_json::to_string_pretty(value).ok())
                    .unwrap_or_default(),
            ),
            Kind::Switch => Self::Switch(value.and_then(Value::as_bool).unwrap_or_default()),
            Kind::Several { .. } => Self::Several(list().map(|item| plain(Some(item))).collect()),
            Kind::Lines => {
                let lines = list().map(|item| line(&plain(Some(item)))).collect::<Vec<_>>();
                Self::Text(lines.join("\n"))
            }
            Kind::Rows(item) => {
                Self::Rows(list().map(|value| Self::of(&item.kind, Some(value))).collect())
            }
            Kind::Named(item) => {
                let entries = value.and_then(Value::as_object).into_iter().flatten();
                let row = |(name, value): (&String, &Value)| {
                    (name.clone(), Self::of(&item.kind, Some(value)))
                };
                Self::Named(entries.map(row).collect())
            }
            Kind::Group(fields) => Self::Group(
                fields
                    .iter()
                    .map(|field| match value.and_then(|value| value.get(&field.name)) {
                        Some(value) => Self::of(&field.kind, Some(value)),
                        None => field.untouched(),
                    })
                    .collect(),
            ),
            Kind::Perhaps(inner) => {
                Self::Perhaps(value.map(|value| Box::new(Self::of(inner, Some(value)))))
            }
        }
    }

    /// The text of a field that has one.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Where an empty field means none, a text that is empty is written as JSON does, in quotes; and so
/// is one that would be taken for that.
fn guarded(text: &str) -> String {
    if text.is_empty() || quoted(text).is_some() {
        Value::from(text).to_string()
    } else {
        text.into()
    }
}

/// Likewise for what a line can't hold as it is.
fn line(text: &str) -> String {
    let odd = text.trim() != text || text.contains(['\n', '\r']);
    if odd { Value::from(text).to_string() } else { guarded(text) }
}

/// What `text` says in quotes.
pub(super) fn quoted(text: &str) -> Option<String> {
    text.starts_with('"').then(|| serde_json::from_str(text).ok()).flatten()
}
