//! What each preset says to its service and reads from it, held against a file that a person has
//! checked with the service's documentation.
//!
//! A golden file has two halves. The first is written by hand: where the facts come from, values
//! for variables that have no default, and what the documentation shows the service answering. The
//! second is what Regrant makes of it; `UPDATE_GOLDEN=1 cargo xtask test golden` writes it anew,
//! and the difference is there to be read before it is committed.
//!
//! The presets are read from the folder, so that a new one needs no new build to be tried.

use std::collections::BTreeMap;

use serde_json::Value;

use super::response;

#[cfg(test)]
mod derive;
#[cfg(test)]
mod tests;

/// Where the hand-written half ends.
pub(super) const DERIVED: &str = "=== what follows is derived";

/// The hand-written half of a file.
#[derive(Debug, Default)]
pub(super) struct Golden {
    /// `client_id` is the one input that may be set: an id token in a sample names its own.
    pub client_id: Option<String>,
    pub variables: BTreeMap<String, String>,
    pub response: Option<Value>,
    pub userinfo: Option<Value>,
    /// Each with its status.
    pub refusals: Vec<(u16, String)>,
}

impl Golden {
    pub fn read(text: &str) -> Result<Self, String> {
        let mut golden = Self::default();
        let mut placeholders = Vec::new();
        let mut sections = text.split("\n--- ");
        if !sections.next().is_some_and(|head| head.starts_with("# ")) {
            return Err("must begin with a comment that says where the sample is from".into());
        }
        for section in sections {
            let (title, body) = section.split_once('\n').unwrap_or((section, ""));
            match title.trim() {
                "client id" => golden.client_id = Some(body.trim().into()),
                "variables" => golden.variables.extend(pairs(body)?),
                "placeholders" => placeholders = pairs(body)?,
                "sample response" => golden.response = Some(json(body, &placeholders)?),
                "sample userinfo" => golden.userinfo = Some(json(body, &placeholders)?),
                "sample refusals" => golden.refusals = refusals(body)?,
                other => return Err(format!("{other:?} is no section")),
            }
        }
        Ok(golden)
    }
}

fn lines(body: &str) -> impl Iterator<Item = &str> {
    body.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn pairs(body: &str) -> Result<Vec<(String, String)>, String> {
    lines(body)
        .map(|line| {
            let (name, value) = line.split_once('=').ok_or(format!("{line:?} is no pair"))?;
            Ok((name.trim().into(), value.trim().into()))
        })
        .collect()
}

/// A sample, with what the document leaves out put in. A form is a sample too.
fn json(body: &str, placeholders: &[(String, String)]) -> Result<Value, String> {
    let text = placeholders
        .iter()
        .fold(body.trim().to_owned(), |text, (name, value)| text.replace(name, value));
    match text.starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| format!("the sample: {error}")),
        false => response::body(text.as_bytes(), None).ok_or("the sample is no data".into()),
    }
}

fn refusals(body: &str) -> Result<Vec<(u16, String)>, String> {
    lines(body)
        .map(|line| {
            let (status, body) = line.split_once(' ').unwrap_or((line, ""));
            let status = status.parse().map_err(|_| format!("{line:?} begins with no status"))?;
            Ok((status, body.to_owned()))
        })
        .collect()
}
