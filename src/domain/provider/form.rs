//! A profile as a form: which fields there are, what stands in them, and the way there and back.
//!
//! The form is read from the JSON Schema of a profile ([`shape`]), so that a new field of
//! [`Profile`](super::Profile) is in it without a word here. What stands in it ([`Filled`]) is kept
//! as it was typed, so that nothing is lost while something is wrong. It travels as pairs of name
//! and text ([`pairs`]) and becomes JSON at the end ([`value`]).
//!
//! A field's name is its path as validation tells it: `endpoints.token`, `variables[2].default`.
//! The rows of a map are numbered too, since a name that is still being typed is no path:
//! `request.extra[0]` is the name in the first row, `request.extra[0].value` what it stands for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FieldError;

mod editing;
mod filled;
mod pairs;
mod parts;
mod rows;
mod shape;
mod value;
mod wrongs;

pub use editing::{Content, Editing, Issuer, View};
pub use filled::Filled;
pub use parts::Part;
pub use rows::Change;
pub use shape::{Field, Kind};
pub use wrongs::Wrongs;

/// The fields of a profile and what stands in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Form {
    root: Field,
    filled: Filled,
}

impl Form {
    /// The form that `schema` asks for, with `profile` in it.
    pub fn fill(schema: &Value, profile: &Value) -> Self {
        let root = Field::root(schema);
        let filled = Filled::of(&root.kind, Some(profile));
        Self { root, filled }
    }

    /// The form as a browser sent it.
    pub fn read(schema: &Value, pairs: &[(String, String)]) -> Self {
        let root = Field::root(schema);
        let filled = pairs::read(&root.kind, pairs);
        Self { root, filled }
    }

    /// What a browser sends of it when nothing is changed.
    pub fn pairs(&self) -> Vec<(String, String)> {
        pairs::write(&self.root.kind, &self.filled)
    }

    /// The JSON that was meant, without the fields that keep it from being any, and what is wrong with
    /// those.
    pub fn value(&self) -> (Value, Vec<FieldError>) {
        value::value(&self.root.kind, &self.filled)
    }

    /// Adds, removes or moves a row. Says which field to go on with.
    pub fn change(&mut self, change: &Change) -> Option<String> {
        rows::change(&self.root.kind, &mut self.filled, change)
    }

    /// The form's parts, as a person thinks of them.
    pub fn parts(&self) -> Vec<Part> {
        parts::parts(&self.root)
    }

    /// Where each of `problems` is to be told.
    pub fn wrongs(&self, problems: &[crate::domain::problem::FieldProblem]) -> Wrongs {
        Wrongs::place(&self.root.kind, &self.filled, problems)
    }

    /// A field that stands in no row, with what stands in it.
    pub fn field(&self, name: &str) -> Option<(&Field, &Filled)> {
        let mut found = (&self.root, &self.filled);
        for step in name.split('.') {
            let (Kind::Group(fields), Filled::Group(inside)) = (&found.0.kind, found.1) else {
                return None;
            };
            found = fields.iter().zip(inside).find(|(field, _)| field.name == step)?;
        }
        Some(found)
    }
}

/// The name of what is called `name` inside `parent`.
pub fn join(parent: &str, name: &str) -> String {
    let dot = if parent.is_empty() || name.is_empty() { "" } else { "." };
    format!("{parent}{dot}{name}")
}

/// The name by which something that might be missing says that it is there.
pub fn mark(name: &str) -> String {
    format!("{name}?")
}

/// The name of a row.
pub fn row(list: &str, at: usize) -> String {
    format!("{list}[{at}]")
}

#[cfg(test)]
mod tests;
