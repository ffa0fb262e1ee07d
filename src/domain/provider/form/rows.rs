//! Rows that come and go.

use super::{Filled, Kind, join, mark, row};

/// What becomes of a row, or of a part that may be missing; the text is its name, or the name of
/// the list that gets one more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Add(String),
    Remove(String),
    /// Before the row that is before it.
    Raise(String),
}

impl Change {
    /// As the button that asks for it writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (verb, name) = text.split_once(' ')?;
        let name = name.to_owned();
        match verb {
            "add" => Some(Self::Add(name)),
            "remove" => Some(Self::Remove(name)),
            "raise" => Some(Self::Raise(name)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Add(name) => write!(f, "add {name}"),
            Self::Remove(name) => write!(f, "remove {name}"),
            Self::Raise(name) => write!(f, "raise {name}"),
        }
    }
}

/// Makes `change` and says where to go on; nothing if there is no such place.
pub(super) fn change(kind: &Kind, filled: &mut Filled, change: &Change) -> Option<String> {
    within(kind, filled, "", change)
}

fn within(kind: &Kind, filled: &mut Filled, name: &str, change: &Change) -> Option<String> {
    if let Some(next) = here(kind, filled, name, change) {
        return Some(next);
    }
    match (kind, filled) {
        (Kind::Group(fields), Filled::Group(inside)) => {
            fields.iter().zip(inside).find_map(|(field, filled)| {
                within(&field.kind, filled, &join(name, &field.name), change)
            })
        }
        (Kind::Rows(item), Filled::Rows(rows)) => {
            rows.iter_mut().enumerate().find_map(|(at, filled)| {
                within(&item.kind, filled, &join(&row(name, at), &item.name), change)
            })
        }
        (Kind::Named(item), Filled::Named(rows)) => {
            rows.iter_mut().enumerate().find_map(|(at, (_, filled))| {
                within(&item.kind, filled, &join(&row(name, at), &item.name), change)
            })
        }
        (Kind::Perhaps(inner), Filled::Perhaps(Some(filled))) => {
            within(inner, filled, name, change)
        }
        _ => None,
    }
}

fn here(kind: &Kind, filled: &mut Filled, name: &str, change: &Change) -> Option<String> {
    match (kind, filled) {
        (Kind::Rows(item), Filled::Rows(rows)) => of_list(rows, name, change, || item.untouched()),
        (Kind::Named(item), Filled::Named(rows)) => {
            of_list(rows, name, change, || (String::new(), item.untouched()))
        }
        (Kind::Perhaps(inner), Filled::Perhaps(filled)) => match change {
            Change::Add(add) if add == name && filled.is_none() => {
                *filled = Some(Box::new(Filled::of(inner, None)));
                Some(mark(name))
            }
            Change::Remove(remove) if *remove == mark(name) => {
                *filled = None;
                Some(name.to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}

fn of_list<T>(
    rows: &mut Vec<T>,
    list: &str,
    change: &Change,
    blank: impl FnOnce() -> T,
) -> Option<String> {
    let at = |name: &str| (0..rows.len()).find(|&at| row(list, at) == name);
    match change {
        Change::Add(name) => {
            (name == list).then(|| rows.push(blank()))?;
            Some(row(list, rows.len() - 1))
        }
        Change::Remove(name) => {
            rows.remove(at(name)?);
            Some(list.to_owned())
        }
        Change::Raise(name) => {
            let at = at(name).filter(|&at| at > 0)?;
            rows.swap(at - 1, at);
            Some(row(list, at - 1))
        }
    }
}
