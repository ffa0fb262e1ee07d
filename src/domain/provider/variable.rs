//! What each client or connection fills in, and whether a value may stand there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FieldError, Profile, is_default, validate::is_web_address};

/// A value that a client or a connection fills in, so that one profile serves every region,
/// tenant or environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Variable {
    /// What stands between the braces of a template: `[a-z][a-z0-9_]*`.
    pub name: String,
    /// What the form asks for.
    pub label: String,
    /// A sentence below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(content_media_type = "text/plain"))]
    pub help: Option<String>,
    /// A regular expression that the whole value must match. Without one, and without choices, a
    /// value may hold letters, digits, `.`, `_` and `-` only, so that it can't leave its place in
    /// a URL; a variable that begins a URL may hold an https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Taken when nothing is filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The values there are, when they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// May stay empty; an endpoint whose variable is empty is then absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub optional: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub filled_by: FilledBy,
}

/// One of a variable's values, with its name for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Choice {
    pub value: String,
    pub label: String,
}

/// Whose value a variable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = FilledBy::default))]
pub enum FilledBy {
    #[default]
    Client,
    Connection,
}

impl Variable {
    /// The variable's value: what was filled in, else the default; nothing when both are empty.
    pub fn value<'a>(&'a self, values: &'a BTreeMap<String, String>) -> Option<&'a str> {
        values
            .get(&self.name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .or(self.default.as_deref())
            .filter(|value| !value.is_empty())
    }
}

impl Profile {
    /// What is wrong with `values` as this profile's variables, but for patterns, which the server
    /// checks. `connection` says whether the connection's variables are among them.
    pub fn validate_variables(
        &self,
        values: &BTreeMap<String, String>,
        connection: bool,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut fail = |name: &str, message: String| {
            errors.push(FieldError::new(format!("variables.{name}"), message));
        };
        for name in values.keys().filter(|name| self.variable(name).is_none()) {
            fail(name, format!("{} has no such variable", self.name));
        }
        for variable in &self.variables {
            if !connection && variable.filled_by == FilledBy::Connection {
                continue;
            }
            let value = variable.value(values);
            match value {
                None if variable.optional => {}
                None => fail(&variable.name, format!("{} is needed", variable.label)),
                Some(value) => {
                    if let Err(message) = self.check_value(variable, value) {
                        fail(&variable.name, message);
                    }
                }
            }
        }
        errors
    }

    pub(super) fn check_value(&self, variable: &Variable, value: &str) -> Result<(), String> {
        if value.len() > 2048 || value.chars().any(char::is_control) {
            return Err("too long, or with control characters".into());
        }
        if !variable.choices.is_empty() {
            if variable.choices.iter().any(|choice| choice.value == value) {
                return Ok(());
            }
            let known: Vec<_> = variable.choices.iter().map(|c| c.value.as_str()).collect();
            return Err(format!("must be one of {}", known.join(", ")));
        }
        if variable.pattern.is_some() {
            return Ok(());
        }
        if self.begins_url(&variable.name) {
            return match is_web_address(value) {
                true => Ok(()),
                false => Err("must be an absolute https URL".into()),
            };
        }
        if value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return Ok(());
        }
        Err("may hold letters, digits, '.', '_' and '-' only".into())
    }

    /// Whether some URL of this profile begins with the variable `name`.
    fn begins_url(&self, name: &str) -> bool {
        self.endpoints.iter().map(|(_, template)| template).chain(self.issuer.as_deref()).any(
            |template| {
                template
                    .strip_prefix('{')
                    .and_then(|rest| rest.split_once('}'))
                    .is_some_and(|(first, _)| first == name)
            },
        )
    }
}
