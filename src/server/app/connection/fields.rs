//! What people and files fill in of a connection: whether it can be kept, and in which form.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Error, Result};
use crate::{domain::provider::Profile, server::provider::profile::Fillable};

/// What a connection fills in, without what is empty, if its provider can be filled with it.
pub(super) fn check_variables(
    profile: &Profile,
    client: &BTreeMap<String, String>,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let values = filled(values);
    Fillable::new(profile, client).check(&values, true)?;
    Ok(values)
}

/// What was filled in, without blanks around it.
pub(in crate::server::app) fn filled(
    values: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(name, value)| (name.clone(), value.trim().to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

pub(in crate::server::app) fn check_label(label: &str) -> Result<String> {
    let label = label.trim();
    if label.chars().count() > 200 {
        return Err(Error::invalid("label", "must have at most 200 characters"));
    }
    no_control("label", label)?;
    Ok(label.to_owned())
}

pub(in crate::server::app) fn check_external_id(
    external_id: Option<&str>,
) -> Result<Option<String>> {
    let external_id = external_id.map(str::trim).filter(|text| !text.is_empty());
    if external_id.is_some_and(|text| text.chars().count() > 200) {
        return Err(Error::invalid("external_id", "must have at most 200 characters"));
    }
    no_control("external_id", external_id.unwrap_or_default())?;
    Ok(external_id.map(ToOwned::to_owned))
}

/// Clocks differ a little.
pub(in crate::server::app) fn check_obtained_at(
    at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<OffsetDateTime> {
    if at > now + time::Duration::minutes(5) {
        return Err(Error::invalid("obtained_at", "lies in the future"));
    }
    if at < OffsetDateTime::UNIX_EPOCH {
        return Err(Error::invalid("obtained_at", "lies before 1970"));
    }
    Ok(at)
}

/// Scopes as they come from a file. A provider may have odd ones, but none that is no line of text.
pub(in crate::server::app) fn check_scopes(scopes: Vec<String>) -> Result<Vec<String>> {
    no_control("scopes", &scopes.concat())?;
    Ok(scopes)
}

fn no_control(field: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must be one line without control characters"));
    }
    Ok(())
}

pub(in crate::server::app) fn check_tags(tags: &[String]) -> Result<Vec<String>> {
    if tags.len() > 50 || tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > 100) {
        return Err(Error::invalid("tags", "can be at most 50, of 1 to 100 characters each"));
    }
    no_control("tags", &tags.concat())?;
    // Blanks separate tags wherever people write them.
    if tags.iter().any(|tag| tag.contains(char::is_whitespace)) {
        return Err(Error::invalid("tags", "must be words without blanks"));
    }
    let mut tags = tags.to_vec();
    tags.sort();
    tags.dedup();
    Ok(tags)
}
