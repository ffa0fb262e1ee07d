//! Where in the form each problem is told.

use std::collections::BTreeMap;

use super::{Filled, Kind, join, row};
use crate::domain::problem::FieldProblem;

/// What is wrong, by the names of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrongs {
    at: BTreeMap<String, Vec<String>>,
    /// What the form has no place for.
    pub elsewhere: Vec<FieldProblem>,
}

impl Wrongs {
    /// Puts each problem to the field that its path leads to, or else comes nearest to.
    pub(super) fn place(kind: &Kind, filled: &Filled, problems: &[FieldProblem]) -> Self {
        let mut places = Vec::new();
        collect(kind, filled, "", "", &mut places);
        let mut wrongs = Self::default();
        for problem in problems {
            let nearest = places
                .iter()
                .filter_map(|place| Some((place, place.rest(&problem.field)?)))
                .min_by_key(|(_, rest)| rest.len());
            match nearest {
                Some((place, rest)) => {
                    let message = told(rest, &problem.message);
                    wrongs.at.entry(place.name.clone()).or_default().push(message);
                }
                None => wrongs.elsewhere.push(problem.clone()),
            }
        }
        wrongs
    }

    /// What is wrong with one field.
    pub fn of(&self, name: &str) -> &[String] {
        self.at.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// How much is wrong with a field and all that is in it.
    pub fn within(&self, name: &str) -> usize {
        let inside = |each: &str| each.strip_prefix(name).is_some_and(begins_inside);
        self.at.iter().filter(|(each, _)| inside(each)).map(|(_, all)| all.len()).sum()
    }

    /// Every field with something wrong, and what.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.at.iter().flat_map(|(name, all)| all.iter().map(|one| (name.as_str(), one.as_str())))
    }
}

/// A field by its name in the form and by its path in the profile.
struct Place {
    name: String,
    path: String,
}

impl Place {
    /// What is left of `field` below this place; nothing if it is not below.
    fn rest<'a>(&self, field: &'a str) -> Option<&'a str> {
        if self.name == field {
            return Some("");
        }
        field.strip_prefix(self.path.as_str()).filter(|rest| begins_inside(rest))
    }
}

fn begins_inside(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['.', '[', '?'])
}

/// Says which line is meant where a field has several.
fn told(rest: &str, message: &str) -> String {
    let line = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match line.and_then(|number| number.parse::<usize>().ok()) {
        Some(at) => format!("line {}: {message}", at + 1),
        None if rest.is_empty() => message.to_owned(),
        None => format!("{}: {message}", rest.trim_start_matches('.')),
    }
}

fn collect(kind: &Kind, filled: &Filled, name: &str, path: &str, places: &mut Vec<Place>) {
    if !name.is_empty() {
        places.push(Place { name: name.to_owned(), path: path.to_owned() });
    }
    match (kind, filled) {
        (Kind::Group(fields), Filled::Group(inside)) => {
            for (field, filled) in fields.iter().zip(inside) {
                let (name, path) = (join(name, &field.name), join(path, &field.name));
                collect(&field.kind, filled, &name, &path, places);
            }
        }
        (Kind::Rows(item), Filled::Rows(rows)) => {
            for (at, filled) in rows.iter().enumerate() {
                collect(&item.kind, filled, &row(name, at), &row(path, at), places);
            }
        }
        (Kind::Named(item), Filled::Named(rows)) => {
            for (at, (key, filled)) in rows.iter().enumerate() {
                let (name, path) = (row(name, at), join(path, key));
                places.push(Place { name: name.clone(), path: path.clone() });
                collect(&item.kind, filled, &join(&name, &item.name), &path, places);
            }
        }
        (Kind::Perhaps(inner), Filled::Perhaps(Some(filled))) => {
            collect(inner, filled, name, path, places);
        }
        _ => {}
    }
}
