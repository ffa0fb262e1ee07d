//! A profile while somebody works on it.

use serde::{Deserialize, Serialize};

use super::Form;
use crate::domain::problem::Problem;

/// How a profile is shown to whoever changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    #[default]
    Form,
    Json,
    Toml,
}

impl View {
    pub const ALL: [Self; 3] = [Self::Form, Self::Json, Self::Toml];

    /// As it stands in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Json => "json",
            Self::Toml => "toml",
        }
    }

    /// The view of this name; the form for any other.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|view| view.as_str() == name).unwrap_or_default()
    }
}

/// What stands on the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    Form(Box<Form>),
    /// In the notation of the view.
    Text(String),
}

/// Where a profile is to be looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    pub address: String,
    /// What people call the service.
    pub name: String,
}

/// A profile that is being written: a new one, or a custom one that is changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Editing {
    /// The slug of the provider that is changed; none for a new one.
    pub of: Option<String>,
    pub title: String,
    pub view: View,
    pub content: Content,
    /// Whether somebody is about to leave, and what they changed is not saved.
    pub leaving: bool,
    /// What to know before anything is changed.
    pub warnings: Vec<String>,
    /// Where the draft comes from.
    pub origin: Option<String>,
    /// What was wrong with what was sent.
    pub problem: Option<Problem>,
    /// The field to go on with.
    pub next: Option<String>,
    /// What was typed to look a profile up.
    pub issuer: Issuer,
}
