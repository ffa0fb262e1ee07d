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

/// The names of a token response's fields, as columns of a table.
pub struct Fields {
    /// What the provider's profile looks for.
    pub read: BTreeSet<String>,
    /// What would say whose the account is, were it not only believed where the provider itself says it. A column
    /// of that name is passed over, and counted.
    pub claims: BTreeSet<String>,
}

/// So many columns without a meaning are told.
const TOLD: usize = 12;

/// What somebody meant who wrote this name, if it is nearly one of those that there are.
pub(super) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let letters = |name: &str| {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|char| char.to_ascii_lowercase()).collect::<String>()
    };
    let meant = letters(name);
    let most = match meant.len() {
        0..3 => return None,
        3..8 => 1,
        _ => 2,
    };
    let far = known.into_iter().map(|one| (strsim::osa_distance(&meant, &letters(one)), one));
    let (_, one) = far.filter(|(far, _)| *far <= most).min_by_key(|(far, _)| *far)?;
    Some(one)
}

/// How a column without a meaning is told: by its name, if it has one. Where no other column has a known name
/// the file may have no heading, and a token may stand there; so may one in a heading, by mistake.
fn column(at: usize, name: &str, is_heading: bool, known: &[&str]) -> String {
    let is_name = is_heading
        && name.len() <= NAME
        && name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || " _-.".contains(char))
        && redact::clear_lookalikes(name) == name;
    let at = at + 1;
    match is_name.then(|| nearest(name, known.iter().copied())) {
        Some(Some(meant)) => format!("\"{name}\" (column {at}; did you mean {meant}?)"),
        Some(None) => format!("\"{name}\" (column {at})"),
        None => format!("the heading of column {at}"),
    }
}

/// Columns without a meaning, as one list.
fn listed(odd: &[String]) -> String {
    let (shown, more) = odd.split_at(odd.len().min(TOLD));
    match (shown, more.len()) {
        ([one], 0) => one.clone(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The names of the columns of a table. People write "External ID" for `external_id`.
pub(super) fn columns(heading: &csv::StringRecord, fields: &Fields) -> io::Result<Vec<String>> {
    let plain = |name: &str| name.trim().to_lowercase().replace([' ', '-'], "_");
    let known = |name: &str| {
        COLUMNS.contains(&name) || fields.read.contains(name) || fields.claims.contains(name)
    };
    let meaning = |name: &str| {
        let name = name.trim_start_matches('\u{feff}').trim();
        if known(name) || name.starts_with("variables.") {
            return Ok(name.to_owned());
        }
        Some(plain(name)).filter(|name| known(name)).ok_or(name.to_owned())
    };
    let meanings: Vec<Result<String, String>> = heading.iter().map(meaning).collect();
    let is_heading = meanings.iter().any(Result::is_ok);
    let names: Vec<&str> =
        COLUMNS.iter().copied().chain(fields.read.iter().map(String::as_str)).collect();
    let odd = meanings.iter().enumerate().filter_map(|(at, meaning)| {
        let name = meaning.as_ref().err()?;
        Some(column(at, name, is_heading, &names))
    });
    let odd: Vec<String> = odd.collect();
    let (are, them) = match odd.len() {
        0 => return Ok(meanings.into_iter().flatten().collect()),
        1 => ("is", "the column"),
        _ => ("are", "the columns"),
    };
    let why = format!(
        "{} {are} none of: {}, variables.NAME; take {them} out, or give the token response whole",
        listed(&odd),
        names.join(", ")
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_a_meaning_is_named() {
        let fields =
            Fields { read: ["access_token".to_owned()].into(), claims: ["sub".to_owned()].into() };
        for (heading, told) in [
            (
                "external_id|Refresh Token Expiry",
                "\"Refresh Token Expiry\" (column 2) is none of: ",
            ),
            ("token|label", "\"token\" (column 1) is none of: "),
            ("token|7", "the heading of column 1 and the heading of column 2 are none of: "),
            (
                "externalid|lable|colour|tags",
                "\"externalid\" (column 1; did you mean external_id?), \"lable\" (column 2; did you mean \
                 label?) and \"colour\" (column 3) are none of: ",
            ),
        ] {
            let why = columns(&heading.split('|').collect(), &fields).unwrap_err().to_string();
            assert!(why.starts_with(told), "{why}");
            assert!(!why.contains("sub"), "what is not used is not offered: {why}");
        }
        let taken = columns(&vec!["Access Token", "sub"].into(), &fields).unwrap();
        assert_eq!(taken, ["access_token", "sub"]);
        let many: Vec<String> =
            (0..40).map(|n| format!("odd {n}")).chain(["label".into()]).collect();
        let why = columns(&many.into(), &fields).unwrap_err().to_string();
        assert!(why.contains("\"odd 11\" (column 12) and 28 more are none of"), "{why}");
    }
}
