//! What takes a regular expression to see: whether a profile and the values of its variables are
//! fit for use.

use std::collections::BTreeMap;

use regex::Regex;

use super::{Error, bounds};
use crate::domain::provider::{FieldError, Profile, Variable};

/// Refuses a profile that can't be used, with every mistake in it.
pub fn check(profile: &Profile) -> Result<(), Error> {
    let mut errors = profile.validate();
    for (at, variable) in profile.variables.iter().enumerate() {
        let Some(pattern) = &variable.pattern else { continue };
        match whole(pattern) {
            Err(error) => errors.push(FieldError::new(
                format!("variables[{at}].pattern"),
                format!("is no regular expression: {error}"),
            )),
            Ok(regex) => {
                if let Some(default) = variable.default.as_deref().filter(|text| !text.is_empty())
                    && variable.choices.is_empty()
                    && !regex.is_match(default)
                {
                    errors.push(FieldError::new(
                        format!("variables[{at}].default"),
                        "does not match the pattern",
                    ));
                }
            }
        }
    }
    errors.extend(bounds::check(profile));
    refuse(errors)
}

/// Refuses values that `profile` can't be filled with. `connection` says whether the variables
/// that each connection fills have to be among them.
pub fn check_variables(
    profile: &Profile,
    values: &BTreeMap<String, String>,
    connection: bool,
) -> Result<(), Error> {
    let errors = profile.validate_variables(values, connection);
    refuse(Patterns::of(&profile.variables).add_to(errors, profile, values))
}

/// What the connections of one client may fill in.
pub struct Fillable<'a> {
    profile: &'a Profile,
    client: &'a BTreeMap<String, String>,
    patterns: Patterns,
}

impl<'a> Fillable<'a> {
    /// `client`: what the client fills in.
    pub fn new(profile: &'a Profile, client: &'a BTreeMap<String, String>) -> Self {
        let patterns = Patterns::of(profile.connection_variables(client));
        Self { profile, client, patterns }
    }

    /// Refuses values that a connection can't have. With `complete` all that is needed must be there.
    pub fn check(&self, values: &BTreeMap<String, String>, complete: bool) -> Result<(), Error> {
        let errors = self.profile.validate_connection_variables(self.client, values, complete);
        refuse(self.patterns.add_to(errors, self.profile, values))
    }
}

/// The patterns of variables, compiled; one that does not compile fits nothing.
struct Patterns(BTreeMap<String, (String, Option<Regex>)>);

impl Patterns {
    fn of<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> Self {
        let compiled = |variable: &Variable| {
            let pattern = variable.pattern.clone().filter(|_| variable.choices.is_empty())?;
            let regex = whole(&pattern).ok();
            Some((variable.name.clone(), (pattern, regex)))
        };
        Self(variables.into_iter().filter_map(compiled).collect())
    }

    /// `errors`, with those of values that do not match: of these nothing else needs to be said.
    fn add_to(
        &self,
        mut errors: Vec<FieldError>,
        profile: &Profile,
        values: &BTreeMap<String, String>,
    ) -> Vec<FieldError> {
        let unfit = self.check(profile, values);
        errors.retain(|error| !unfit.iter().any(|other| other.field == error.field));
        errors.extend(unfit);
        errors
    }

    /// Which values do not match. An empty one is no value.
    fn check(&self, profile: &Profile, values: &BTreeMap<String, String>) -> Vec<FieldError> {
        let unfit = |(name, value): (&String, &String)| {
            let (pattern, regex) = self.0.get(name).filter(|_| !value.is_empty())?;
            let fits = regex.as_ref().is_some_and(|regex| regex.is_match(value));
            (!fits).then(|| {
                let wrong = format!("must match {pattern}");
                let told = match profile.variable(name) {
                    Some(variable) => profile.hinted(variable, value, wrong),
                    None => wrong,
                };
                FieldError::new(format!("variables.{name}"), told)
            })
        };
        values.iter().filter_map(unfit).collect()
    }
}

fn refuse(errors: Vec<FieldError>) -> Result<(), Error> {
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// The pattern as HTML's `pattern` attribute reads it: of the whole value.
fn whole(pattern: &str) -> Result<Regex, String> {
    let told = |error: String| error.lines().last().unwrap_or_default().trim().to_owned();
    // By itself first, so that no parenthesis leads out of the group.
    regex_syntax::parse(pattern).map_err(|error| told(error.to_string()))?;
    regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|error| told(error.to_string()))
}
