//! What is said of lists: how many there are, in what order, how to keep a filter.

use crate::domain::{connection::Sort, page::Count};

/// How many connections there are.
pub fn connections(count: Count) -> String {
    match count {
        Count::Exactly(0) => "No connection".into(),
        Count::Exactly(1) => "1 connection".into(),
        Count::Exactly(many) => format!("{} connections", grouped(many)),
        Count::MoreThan(many) => format!("More than {} connections", grouped(many)),
    }
}

/// Thousands apart: "12 480".
pub fn grouped(count: i64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

pub fn sort(sort: Sort) -> &'static str {
    match sort {
        Sort::Newest => "newest first",
        Sort::NeedsHumanBy => "needs a person soonest",
        Sort::Expires => "expires soonest",
        Sort::RefreshExpires => "refresh token ends soonest",
        Sort::Refreshed => "refreshed last",
        Sort::Label => "by label",
    }
}

/// Told once a filter has its name.
pub const FILTER_SAVED: &str = "Saved. It stands above the list from now on, for you alone.";
