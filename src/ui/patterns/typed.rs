//! What was typed into a form that failed, for the page that says what was wrong.

use leptos::prelude::use_context;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct Typed {
    /// The form's address.
    form: String,
    pairs: Vec<(String, String)>,
}

impl Typed {
    pub fn new(form: String, pairs: Vec<(String, String)>) -> Self {
        Self { form, pairs }
    }

    /// What was typed into this form before, if it is the one that failed.
    pub fn into(form: &str) -> Option<Self> {
        use_context::<Self>().filter(|typed| typed.form == form)
    }

    /// What stood in a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(each, _)| each == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// Whether a box was ticked.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.pairs.iter().any(|(each, had)| each == name && had == value)
    }
}
