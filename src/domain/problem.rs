//! What a caller is told when something did not work: the one error of the interface and the API.

use serde::{Deserialize, Serialize};

/// A stable name for the kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Code {
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Invalid,
    ReauthRequired,
    ProviderUnavailable,
    RateLimited,
    Unavailable,
    Internal,
}

/// One field that is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldProblem {
    /// The field's name, dotted where it is nested; empty for the whole.
    pub field: String,
    pub message: String,
}

impl FieldProblem {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// A problem in words for people, with a code for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: Code,
    /// A sentence: what happened and what to do.
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
    /// By which the server's log can be searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// The message for one field, if it is wrong.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.field == name).map(|field| field.message.as_str())
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
