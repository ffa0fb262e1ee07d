//! Which fields there are, read from a JSON Schema (2020-12, as `utoipa` writes it).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One field, and the fields in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub label: String,
    /// The schema's description, of the field or else of its type.
    pub help: String,
    pub required: bool,
    /// What holds when the field is left out.
    pub default: Option<Value>,
    pub kind: Kind,
}

/// What can stand in a field. What is `optional` may be left out, which is not the same as empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    Text {
        optional: bool,
        long: bool,
    },
    Number {
        optional: bool,
        least: Option<i64>,
    },
    Switch,
    /// One of several words; `of` is their type.
    Choice {
        of: String,
        values: Vec<String>,
        optional: bool,
    },
    /// Yes, no, or left open.
    Verdict,
    /// Any of several words, in an order.
    Several {
        of: String,
        values: Vec<String>,
    },
    /// Texts, one a line.
    Lines,
    Rows(Box<Field>),
    /// Rows that have names.
    Named(Box<Field>),
    Group(Vec<Field>),
    /// There or not, as a whole.
    Perhaps(Box<Kind>),
    /// Anything else: written as JSON.
    Json,
}

impl Kind {
    /// Whether there may be any number of it.
    pub fn is_list(&self) -> bool {
        match self {
            Self::Rows(_) | Self::Named(_) | Self::Several { .. } | Self::Lines => true,
            Self::Perhaps(inner) => inner.is_list(),
            _ => false,
        }
    }
}

/// Deeper than any profile is; a type that holds itself ends here, as JSON.
const DEEPEST: usize = 8;

impl Field {
    /// The whole of what `schema` describes.
    pub fn root(schema: &Value) -> Self {
        let reader = Reader { definitions: &schema["$defs"] };
        reader.field(String::new(), schema, true, 0)
    }

    /// What stands in the field when nobody has been there.
    pub fn untouched(&self) -> super::Filled {
        super::Filled::of(&self.kind, self.default.as_ref())
    }
}

struct Reader<'a> {
    definitions: &'a Value,
}

/// A schema without its detours.
struct Seen<'a> {
    schema: &'a Value,
    /// The name of its type, if it has one.
    of: &'a str,
    help: &'a str,
    default: Option<&'a Value>,
    optional: bool,
}

impl<'a> Reader<'a> {
    fn field(&self, name: String, schema: &'a Value, required: bool, depth: usize) -> Field {
        let seen = self.see(schema);
        let kind = self.kind(&seen, depth);
        let label = if name.is_empty() { words(seen.of) } else { words(&name) };
        let help = seen.help.replace('\n', " ");
        Field { name, label, help, required, default: seen.default.cloned(), kind }
    }

    fn see(&self, schema: &'a Value) -> Seen<'a> {
        let mut seen = Seen { schema, of: "", help: "", default: None, optional: false };
        loop {
            let here = seen.schema;
            if seen.help.is_empty() {
                seen.help = here["description"].as_str().unwrap_or_default();
            }
            if !seen.optional {
                seen.default = seen.default.or(here.get("default"));
            }
            let alternatives = here["oneOf"].as_array().or(here["anyOf"].as_array());
            if let Some([one, other]) = alternatives.map(Vec::as_slice) {
                let null = |schema: &Value| schema["type"] == "null";
                let inner = match (null(one), null(other)) {
                    (false, true) => one,
                    (true, false) => other,
                    _ => return seen,
                };
                (seen.schema, seen.optional) = (inner, true);
                continue;
            }
            let definition = here["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
            match definition.and_then(|of| Some((of, self.definitions.get(of)?))) {
                Some((of, definition)) => (seen.of, seen.schema) = (of, definition),
                None => return seen,
            }
        }
    }

    fn kind(&self, seen: &Seen<'a>, depth: usize) -> Kind {
        let Seen { schema, of, .. } = *seen;
        let (name, null) = type_of(schema);
        let optional = seen.optional || null;
        let whole = |kind: Kind| if optional { Kind::Perhaps(Box::new(kind)) } else { kind };
        if depth > DEEPEST {
            return Kind::Json;
        }
        match name {
            "string" => match texts(&schema["enum"]) {
                Some(values) => Kind::Choice { of: of.into(), values, optional },
                None => Kind::Text { optional, long: schema.get("contentMediaType").is_some() },
            },
            "integer" => Kind::Number { optional, least: schema["minimum"].as_i64() },
            "boolean" if optional => Kind::Verdict,
            "boolean" => Kind::Switch,
            "array" => {
                let item = self.field(String::new(), &schema["items"], true, depth + 1);
                whole(match item.kind {
                    Kind::Choice { of, values, optional: false, .. } => {
                        Kind::Several { of, values }
                    }
                    Kind::Text { optional: false, .. } => Kind::Lines,
                    _ => Kind::Rows(Box::new(item)),
                })
            }
            "object" => match (schema["properties"].as_object(), &schema["additionalProperties"]) {
                (Some(properties), _) => {
                    let required = texts(&schema["required"]).unwrap_or_default();
                    let field = |(name, schema): (&String, &'a Value)| {
                        self.field(name.clone(), schema, required.contains(name), depth + 1)
                    };
                    whole(Kind::Group(properties.into_iter().map(field).collect()))
                }
                (None, inner @ Value::Object(_)) => {
                    let item = self.field("value".into(), inner, false, depth + 1);
                    whole(Kind::Named(Box::new(item)))
                }
                _ => Kind::Json,
            },
            _ => Kind::Json,
        }
    }
}

/// The one type besides null, and whether null is among them.
fn type_of(schema: &Value) -> (&str, bool) {
    match &schema["type"] {
        Value::String(one) => (one, false),
        Value::Array(several) => {
            let mut others =
                several.iter().filter_map(Value::as_str).filter(|&name| name != "null");
            match (others.next(), others.next()) {
                (Some(one), None) => (one, several.iter().any(|name| name == "null")),
                _ => ("", false),
            }
        }
        _ => ("", false),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    value.as_array()?.iter().map(text).collect()
}

/// `device_authorization` and `ErrorRule` as people write them.
fn words(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c == '_' || (c.is_ascii_uppercase() && !text.is_empty()) {
            text.push(' ');
        }
        if c != '_' {
            text.push(c.to_ascii_lowercase());
        }
    }
    let spelt = text.split(' ').map(|word| match word {
        "id" | "json" | "jwt" | "pkce" | "uri" | "url" => word.to_uppercase(),
        _ => word.to_owned(),
    });
    let text = spelt.collect::<Vec<_>>().join(" ");
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
