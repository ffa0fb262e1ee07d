//! The form's parts, as a person thinks of them: not quite as the format is built.

use super::{Field, Kind, join};

/// A part of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub title: &'static str,
    pub note: &'static str,
    /// Shown unfolded whatever stands in it.
    pub leads: bool,
    /// The names of its fields.
    pub fields: Vec<String>,
}

/// A title, a note and what stands below it. `a.*` is whatever is in `a` and has no other place.
type Row = (&'static str, &'static str, &'static [&'static str]);

const PLAN: &[Row] = &[
    (
        "The service",
        "What people see in the catalogue",
        &["name", "slug", "category", "notes", "links.*", "default_client_id", "schema_version"],
    ),
    (
        "Endpoints",
        "Absolute addresses; what stands in {braces} is a variable",
        &["endpoints.*", "issuer"],
    ),
    ("Variables", "", &["variables"]),
    ("Client authentication", "How the client proves who it is", &["request.authentication.*"]),
    (
        "Consent",
        "How a connection begins, and what it is asked for",
        &["grants", "authorization.*"],
    ),
    ("Requests", "How token requests are written, and which of them differ", &["request.*"]),
    ("Responses", "Where to find what in an answer", &["response.*", "userinfo"]),
    ("Lifetimes", "How long tokens live where the answer does not say", &["lifetimes.*"]),
    ("Policy", "What the provider allows and how careful one must be", &["renewal", "policy.*"]),
    ("Errors", "How refusals are understood", &["errors.*"]),
];

/// How many parts come first and are never folded.
const LEADING: usize = 2;

pub(super) fn parts(root: &Field) -> Vec<Part> {
    let named: Vec<&str> = PLAN.iter().flat_map(|(_, _, names)| *names).copied().collect();
    let claimed = |name: &str, by: &str| {
        named.iter().any(|other| {
            let other = other.strip_suffix(".*").unwrap_or(other);
            other != by && other == name
        })
    };
    let inside = |parent: &str| {
        let names = children(root, parent).into_iter().map(|name| join(parent, &name));
        names.filter(|name| !claimed(name, parent)).collect::<Vec<_>>()
    };
    let planned = PLAN.iter().enumerate().map(|(at, (title, note, names))| {
        let fields = names.iter().flat_map(|name| match name.strip_suffix(".*") {
            Some(parent) => inside(parent),
            None => vec![(*name).to_owned()],
        });
        Part { title, note, leads: at < LEADING, fields: fields.collect() }
    });
    let others = inside("");
    let rest = (!others.is_empty()).then_some(Part {
        title: "More",
        note: "",
        leads: false,
        fields: others,
    });
    planned.chain(rest).collect()
}

/// The names of the fields of a group.
fn children(root: &Field, name: &str) -> Vec<String> {
    let mut here = root;
    for step in name.split('.').filter(|step| !step.is_empty()) {
        let Kind::Group(fields) = &here.kind else { return Vec::new() };
        let Some(next) = fields.iter().find(|field| field.name == step) else { return Vec::new() };
        here = next;
    }
    match &here.kind {
        Kind::Group(fields) => fields.iter().map(|field| field.name.clone()).collect(),
        _ => Vec::new(),
    }
}
