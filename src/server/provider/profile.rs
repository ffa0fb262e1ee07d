//! What takes a regular expression to see: whether a profile and the values of its variables are
//! fit for use.

use std::collections::BTreeMap;

use regex::Regex;

use super::Error;
use crate::domain::provider::{FieldError, Profile};

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
    refuse(errors)
}

/// Refuses values that `profile` can't be filled with. `connection` says whether the variables
/// that each connection fills are among them.
pub fn check_variables(
    profile: &Profile,
    values: &BTreeMap<String, String>,
    connection: bool,
) -> Result<(), Error> {
    let mut errors = profile.validate_variables(values, connection);
    for variable in profile.variables.iter().filter(|variable| variable.choices.is_empty()) {
        let (Some(pattern), Some(value)) = (&variable.pattern, variable.value(values)) else {
            continue;
        };
        if !whole(pattern).is_ok_and(|regex| regex.is_match(value)) {
            errors.push(FieldError::new(
                format!("variables.{}", variable.name),
                format!("must match {pattern}"),
            ));
        }
    }
    refuse(errors)
}

fn refuse(errors: Vec<FieldError>) -> Result<(), Error> {
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// The pattern as HTML's `pattern` attribute reads it: of the whole value.
fn whole(pattern: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|error| error.to_string().lines().last().unwrap_or_default().trim().to_owned())
}
