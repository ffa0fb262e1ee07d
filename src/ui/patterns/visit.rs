//! Whoever opens a link that needs no login: a page for them is in their language.

use leptos::prelude::use_context;

use crate::domain::{
    language::Language,
    voice::visitor::{self, Texts},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    pub language: Language,
}

impl Visit {
    /// `None`: the page is for the staff.
    pub fn current() -> Option<Self> {
        use_context()
    }

    pub fn language() -> Language {
        Self::current().map_or_else(Language::default, |visit| visit.language)
    }

    /// What is said to them.
    pub fn texts() -> &'static Texts {
        visitor::texts(Self::language())
    }
}
