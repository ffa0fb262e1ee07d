//! What each client or connection fills in, and whether a value may stand there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FieldError, GrantType, Profile, is_default, template, validate::is_web_address};

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
    /// a URL; a variable that begins a URL may hold an https URL. In the path of a URL no value is
    /// `.` or `..` or holds `\`, `?` or `#`, and one holds `/` only if `/` stands in the pattern.
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

/// Who fills a variable in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(default = FilledBy::default))]
pub enum FilledBy {
    #[default]
    Client,
    /// Each connection, where one client serves many shops, sites or organisations. A client that
    /// serves one alone fills it in for all of its connections.
    Connection,
}

/// The values that templates are filled with: the connection's, and over them the client's.
pub fn merged(
    client: &BTreeMap<String, String>,
    connection: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = connection.clone();
    let filled = client.iter().filter(|(_, value)| !value.is_empty());
    all.extend(filled.map(|(name, value)| (name.clone(), value.clone())));
    all
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
    /// Whether consent can be given on a page of the provider's, given what the templates are filled
    /// with.
    pub fn offers_page(&self, values: &BTreeMap<String, String>) -> bool {
        self.offers(GrantType::AuthorizationCode, self.endpoints.authorization.as_deref(), values)
    }

    /// Whether consent can be given with a code on another device.
    pub fn offers_code(&self, values: &BTreeMap<String, String>) -> bool {
        let endpoint = self.endpoints.device_authorization.as_deref();
        self.offers(GrantType::DeviceCode, endpoint, values)
    }

    /// An endpoint whose variable may be empty, and is, is absent.
    fn offers(
        &self,
        grant: GrantType,
        endpoint: Option<&str>,
        values: &BTreeMap<String, String>,
    ) -> bool {
        let names = endpoint.and_then(|template| template::names(template).ok());
        let is_empty = |name: &str| {
            self.variable(name)
                .is_some_and(|variable| variable.optional && variable.value(values).is_none())
        };
        self.allows(grant) && names.is_some_and(|names| !names.into_iter().any(is_empty))
    }

    /// The variables that each connection of a client fills, given what the client fills.
    pub fn connection_variables<'a>(
        &'a self,
        client: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Variable> {
        self.variables.iter().filter(|variable| {
            variable.filled_by == FilledBy::Connection
                && client.get(&variable.name).is_none_or(String::is_empty)
        })
    }

    /// What is wrong with `values` as this profile's variables, but for patterns, which the server
    /// checks. `connection` says whether what each connection fills has to be there.
    pub fn validate_variables(
        &self,
        values: &BTreeMap<String, String>,
        connection: bool,
    ) -> Vec<FieldError> {
        let mut errors = self.validate_values(values);
        let needed = self
            .variables
            .iter()
            .filter(|variable| connection || variable.filled_by == FilledBy::Client);
        errors.extend(missing(needed, values));
        errors
    }

    /// What is wrong with `values` as those of one connection, but for patterns. `client` is what
    /// its client fills; with `complete` all that is needed has to be there.
    pub fn validate_connection_variables(
        &self,
        client: &BTreeMap<String, String>,
        values: &BTreeMap<String, String>,
        complete: bool,
    ) -> Vec<FieldError> {
        let mut errors = self.validate_values(values);
        let asked: Vec<&Variable> = self.connection_variables(client).collect();
        for name in values.keys().filter(|name| self.variable(name).is_some()) {
            if !asked.iter().any(|variable| variable.name == *name) {
                errors.push(wrong(name, "is filled in by the client, for all of its connections"));
            }
        }
        if complete {
            errors.extend(missing(asked.into_iter(), values));
        }
        errors
    }

    fn validate_values(&self, values: &BTreeMap<String, String>) -> Vec<FieldError> {
        let problem = |(name, value): (&String, &String)| match self.variable(name) {
            None => Some(wrong(name, format!("{} has no such variable", self.name))),
            Some(_) if value.is_empty() => None,
            Some(variable) => {
                let why = self.check_value(variable, value).err()?;
                Some(wrong(name, self.hinted(variable, value, why)))
            }
        };
        values.iter().filter_map(problem).collect()
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
        let begins_url = self.begins_url(&variable.name);
        if !begins_url && let Some(why) = self.bends_address(variable, value) {
            return Err(why.into());
        }
        if variable.pattern.is_some() {
            return Ok(());
        }
        if begins_url {
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

    /// Why an address would be another with `value` than its template shows. A pattern says which
    /// characters there are, and mostly says nothing of what they do together.
    fn bends_address(&self, variable: &Variable, value: &str) -> Option<&'static str> {
        let name = format!("{{{}}}", variable.name);
        let in_path = self.addresses().any(|each| host_and_path(each).1.contains(&name));
        let in_host = self.addresses().any(|each| host_and_path(each).0.contains(&name));
        if !in_path && !in_host {
            return None;
        }
        // What is a dot for every URL parser, and a separator for many servers.
        let plain = value.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
        let plain = plain.replace("%5c", "\\");
        let holds_many = variable.pattern.as_deref().is_some_and(|it| it.contains('/'));
        if in_path && (plain.contains(['\\', '?', '#']) || (plain.contains('/') && !holds_many)) {
            return Some("stands in the path of an address and must be one part of it");
        }
        let is_dots = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte == b'.');
        plain.split('/').any(is_dots).then_some("stands in an address and must not be '.' or '..'")
    }

    /// Whether some URL of this profile begins with the variable `name`.
    pub(super) fn begins_url(&self, name: &str) -> bool {
        self.addresses().any(|template| {
            template
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .is_some_and(|(first, _)| first == name)
        })
    }

    /// The templates of this profile's URLs.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().map(|(_, template)| template).chain(self.issuer.as_deref())
    }
}

/// The host and the path in a URL's template, without a variable that it begins with.
fn host_and_path(template: &str) -> (&str, &str) {
    let rest = match template.strip_prefix('{') {
        Some(rest) => rest.split_once('}').map_or("", |(_, rest)| rest),
        None => template.split_once("://").map_or(template, |(_, rest)| rest),
    };
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

fn wrong(name: &str, message: impl Into<String>) -> FieldError {
    FieldError::new(format!("variables.{name}"), message)
}

/// What has to be there and is not.
fn missing<'a>(
    needed: impl Iterator<Item = &'a Variable>,
    values: &BTreeMap<String, String>,
) -> Vec<FieldError> {
    needed
        .filter(|variable| !variable.optional && variable.value(values).is_none())
        .map(|variable| wrong(&variable.name, format!("{} is needed", variable.label)))
        .collect()
}
