//! From what stands in a form to the JSON that is meant.

use serde_json::{Map, Value};

use super::{Filled, Kind, filled::quoted, join, row};
use crate::domain::provider::FieldError;

pub(super) fn value(kind: &Kind, filled: &Filled) -> (Value, Vec<FieldError>) {
    let mut reading = Reading(Vec::new());
    let value = reading.value(kind, filled, "").unwrap_or_default();
    (value, reading.0)
}

/// What is wrong so far.
struct Reading(Vec<FieldError>);

impl Reading {
    fn fail(&mut self, field: &str, message: impl Into<String>) -> Option<Value> {
        self.0.push(FieldError::new(field, message));
        None
    }

    /// `None` where the field is left out.
    fn value(&mut self, kind: &Kind, filled: &Filled, name: &str) -> Option<Value> {
        let text = filled.text();
        Some(match (kind, filled) {
            (Kind::Text { optional: true, .. }, _) if text.is_empty() => return None,
            (Kind::Text { optional: true, .. }, _) => unquoted(text).into(),
            (Kind::Text { .. }, _) => text.into(),
            (Kind::Number { optional, least }, _) => {
                return self.number(text.trim(), *optional, *least, name);
            }
            (Kind::Choice { optional: true, .. } | Kind::Verdict, _) if text.is_empty() => {
                return None;
            }
            (Kind::Choice { values, .. }, _) => {
                if !values.iter().any(|value| value == text) {
                    return self.fail(name, format!("choose one of {}", values.join(", ")));
                }
                text.into()
            }
            (Kind::Verdict, _) => (text == "true").into(),
            (Kind::Switch, Filled::Switch(on)) => (*on).into(),
            (Kind::Several { .. }, Filled::Several(chosen)) => chosen.clone().into(),
            (Kind::Lines, _) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                lines.map(unquoted).collect::<Vec<_>>().into()
            }
            (Kind::Json, _) if text.trim().is_empty() => return None,
            (Kind::Json, _) => match serde_json::from_str(text) {
                Ok(value) => value,
                Err(error) => return self.fail(name, format!("is no JSON: {error}")),
            },
            (Kind::Rows(item), Filled::Rows(rows)) => {
                let value = |(at, filled)| self.value(&item.kind, filled, &row(name, at));
                rows.iter().enumerate().filter_map(value).collect::<Vec<_>>().into()
            }
            (Kind::Named(item), Filled::Named(rows)) => {
                self.named(&item.kind, &item.untouched(), rows, name)
            }
            (Kind::Group(fields), Filled::Group(inside)) => {
                let mut object = Map::new();
                for (field, filled) in fields.iter().zip(inside) {
                    if let Some(value) = self.value(&field.kind, filled, &join(name, &field.name)) {
                        object.insert(field.name.clone(), value);
                    }
                }
                object.into()
            }
            (Kind::Perhaps(inner), Filled::Perhaps(Some(filled))) => {
                return self.value(inner, filled, name);
            }
            _ => return None,
        })
    }

    fn number(
        &mut self,
        text: &str,
        optional: bool,
        least: Option<i64>,
        name: &str,
    ) -> Option<Value> {
        if text.is_empty() && optional {
            return None;
        }
        let number = text.parse::<u64>().map(Value::from);
        match number.or_else(|_| text.parse::<i64>().map(Value::from)) {
            Err(_) => self.fail(name, "must be a whole number"),
            Ok(number) => match least {
                Some(least) if number.as_i64().is_some_and(|number| number < least) => {
                    self.fail(name, format!("must be at least {least}"))
                }
                _ => Some(number),
            },
        }
    }

    /// A row that nobody filled in is none.
    fn named(
        &mut self,
        kind: &Kind,
        untouched: &Filled,
        rows: &[(String, Filled)],
        name: &str,
    ) -> Value {
        let mut object = Map::new();
        for (at, (key, filled)) in rows.iter().enumerate() {
            if key.is_empty() && filled == untouched {
                continue;
            }
            if key.is_empty() {
                self.fail(&row(name, at), "needs a name");
            } else if object.contains_key(key) {
                self.fail(&row(name, at), "stands twice");
            } else if let Some(value) = self.value(kind, filled, &join(name, key)) {
                object.insert(key.clone(), value);
            }
        }
        object.into()
    }
}

fn unquoted(text: &str) -> String {
    quoted(text).unwrap_or_else(|| text.to_owned())
}
