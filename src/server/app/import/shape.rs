//! What a file is as a whole: which columns it has, and whether it is row after row at all. Of what stands in it
//! only names are told.

use std::{collections::BTreeSet, io};

use serde_json::Value;

use super::rows::Format;
use crate::server::provider::redact;

/// The columns that mean the same for every provider.
const COLUMNS: &[&str] =
    &["external_id", "label", "tags", "scopes", "obtained_at", "token_response"];

/// No name out of a file that is told is longer.
const NAME: usize = 40;

/// What a file may look like of which nothing was read.
pub fn expected(format: Format) -> &'static str {
    match format {
        Format::Csv => {
            "a heading such as external_id,access_token,refresh_token and below it one connection a line"
        }
        Format::Ndjson => {
            "one JSON object a line, such as {\"external_id\": \"7\", \"token_response\": \
             {\"access_token\": \"…\"}}"
        }
    }
}

/// Why a file is no row after row, by how it begins: as one list, or as one object that has the rows in a list.
pub(super) fn envelope(first: &[u8]) -> Option<String> {
    if first.contains(&0) || std::str::from_utf8(first).is_err() {
        return Some("it is no text in UTF-8; is it the right file?".into());
    }
    if first.starts_with(b"[") {
        return Some(
            "it is one JSON list; leave out its brackets and the commas between the rows".into(),
        );
    }
    if first == b"{" {
        return Some(
            "it is one JSON object over several lines; write each row on a line of its own".into(),
        );
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice(first) else { return None };
    let (name, _) = fields.iter().find(|(_, value)| value.is_array())?;
    (fields.len() == 1 && name != "tags" && name != "scopes").then(|| {
        let name: String = name.chars().filter(|char| !char.is_control()).take(NAME).collect();
        format!("its rows stand in a list, \"{name}\"; write each of them on a line of its own")
    })
}

/// How a column without a meaning is told: by its name, if it has one. Where no other column has a known name
/// the file may have no heading, and a token may stand there; so may one in a heading, by mistake.
fn column(at: usize, name: &str, is_heading: bool) -> String {
    let is_name = is_heading
        && name.len() <= NAME
        && name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || " _-.".contains(char))
        && redact::clear_lookalikes(name) == name;
    match is_name {
        true => format!("\"{name}\" (column {})", at + 1),
        false => format!("the heading of column {}", at + 1),
    }
}

/// The names of the columns of a table. People write "External ID" for `external_id`.
pub(super) fn columns(
    heading: &csv::StringRecord,
    fields: &BTreeSet<String>,
) -> io::Result<Vec<String>> {
    let plain = |name: &str| name.trim().to_lowercase().replace([' ', '-'], "_");
    let known = |name: &str| COLUMNS.contains(&name) || fields.contains(name);
    let meaning = |name: &str| {
        let name = name.trim_start_matches('\u{feff}').trim();
        if known(name) || name.starts_with("variables.") {
            return Ok(name.to_owned());
        }
        Some(plain(name)).filter(|name| known(name)).ok_or(name.to_owned())
    };
    let is_heading = heading.iter().any(|name| meaning(name).is_ok());
    let named = heading.iter().enumerate().map(|(at, name)| {
        meaning(name).map_err(|name| {
            let names = COLUMNS.iter().copied().chain(fields.iter().map(String::as_str));
            let why = format!(
                "{} is none of: {}, variables.NAME; take the column out, or give the token response whole",
                column(at, &name, is_heading),
                names.collect::<Vec<_>>().join(", ")
            );
            io::Error::new(io::ErrorKind::InvalidData, why)
        })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_a_meaning_is_named() {
        let fields = ["access_token".to_owned()].into();
        for (heading, told) in [
            (
                ["external_id", "Refresh Token Expiry"],
                "\"Refresh Token Expiry\" (column 2) is none of: ",
            ),
            (["token", "label"], "\"token\" (column 1) is none of: "),
            (["token", "7"], "the heading of column 1 is none of: "),
        ] {
            let why = columns(&heading.as_slice().into(), &fields).unwrap_err().to_string();
            assert!(why.starts_with(told), "{why}");
        }
    }
}
