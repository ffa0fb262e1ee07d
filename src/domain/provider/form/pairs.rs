//! The form as a browser sends it: pairs of name and text.
//!
//! What may be there or not sends a mark of its own when it is there, by its name and a `?`, since a
//! row of boxes that nobody ticked sends nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::{Filled, Kind, join, mark, row};

/// What a ticked box sends, and a mark.
const ON: &str = "on";

pub(super) fn write(kind: &Kind, filled: &Filled) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    each(kind, filled, "", &mut |name, text| pairs.push((name, text)));
    pairs
}

fn each(kind: &Kind, filled: &Filled, name: &str, send: &mut impl FnMut(String, String)) {
    match (kind, filled) {
        (_, Filled::Text(text)) => send(name.into(), text.clone()),
        (_, Filled::Switch(true)) => send(name.into(), ON.into()),
        (_, Filled::Several(chosen)) => {
            chosen.iter().for_each(|value| send(name.into(), value.clone()));
        }
        (Kind::Group(fields), Filled::Group(inside)) => {
            for (field, filled) in fields.iter().zip(inside) {
                each(&field.kind, filled, &join(name, &field.name), send);
            }
        }
        (Kind::Rows(item), Filled::Rows(rows)) => {
            for (at, filled) in rows.iter().enumerate() {
                let name = row(name, at);
                send(mark(&name), ON.into());
                each(&item.kind, filled, &join(&name, &item.name), send);
            }
        }
        (Kind::Named(item), Filled::Named(rows)) => {
            for (at, (key, filled)) in rows.iter().enumerate() {
                let name = row(name, at);
                send(name.clone(), key.clone());
                each(&item.kind, filled, &join(&name, &item.name), send);
            }
        }
        (Kind::Perhaps(inner), Filled::Perhaps(Some(filled))) => {
            send(mark(name), ON.into());
            each(inner, filled, name, send);
        }
        _ => {}
    }
}

pub(super) fn read(kind: &Kind, pairs: &[(String, String)]) -> Filled {
    let mut sent: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, text) in pairs {
        // A form sends every line break as CRLF.
        sent.entry(name).or_default().push(text.replace("\r\n", "\n"));
    }
    Sent(sent).read(kind, "")
}

struct Sent<'a>(BTreeMap<&'a str, Vec<String>>);

impl Sent<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|texts| texts.first()).map(String::as_str)
    }

    fn read(&self, kind: &Kind, name: &str) -> Filled {
        match kind {
            Kind::Switch => Filled::Switch(self.text(name).is_some()),
            Kind::Several { .. } => Filled::Several(self.0.get(name).cloned().unwrap_or_default()),
            Kind::Group(fields) => Filled::Group(
                fields.iter().map(|each| self.read(&each.kind, &join(name, &each.name))).collect(),
            ),
            Kind::Rows(item) => {
                let row = |row: String| self.read(&item.kind, &join(&row, &item.name));
                Filled::Rows(self.rows(name).map(row).collect())
            }
            Kind::Named(item) => {
                let row = |row: String| {
                    let key = self.text(&row).unwrap_or_default().to_owned();
                    (key, self.read(&item.kind, &join(&row, &item.name)))
                };
                Filled::Named(self.rows(name).map(row).collect())
            }
            Kind::Perhaps(inner) => {
                let there = self.text(&mark(name)).is_some();
                Filled::Perhaps(there.then(|| Box::new(self.read(inner, name))))
            }
            _ => Filled::Text(self.text(name).unwrap_or_default().to_owned()),
        }
    }

    /// The names of a list's rows, in order.
    fn rows(&self, list: &str) -> impl Iterator<Item = String> {
        let start = format!("{list}[");
        let rest = self.0.range(start.as_str()..).map(|(name, _)| *name);
        let numbers: BTreeSet<usize> = rest
            .map_while(|name| name.strip_prefix(&start))
            .filter_map(|rest| rest.trim_end_matches('?').strip_suffix(']')?.parse().ok())
            .collect();
        numbers.into_iter().map(move |at| row(list, at))
    }
}
