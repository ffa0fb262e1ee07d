//! What is said of lists: how many there are, in what order, how to keep a filter.

use crate::domain::{
    connection::{End, Sort},
    page::Count,
};

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

/// What is known of an end, in a filter.
pub fn end(end: End) -> &'static str {
    match end {
        End::Unknown => "not known, and nothing renews it",
    }
}

/// No more of what somebody wrote into an address is repeated.
const LONGEST: usize = 40;

/// An address that asks a list for what there is not: a title and a sentence. `name`: of the parameter.
pub fn unread(name: &str, value: &str) -> (String, &'static str) {
    const CHOOSE: &str = "The address of this page asks for it, so nothing is shown. Choose another, or \
                          clear the filters.";
    let value: String = value.chars().take(LONGEST).collect();
    match name {
        "state" | "reason" | "stage" => (format!("There is no {name} “{value}”"), CHOOSE),
        "standing" => (format!("There is no state “{value}”"), CHOOSE),
        "sort" => (format!("There is no order “{value}”"), CHOOSE),
        "client" => (format!("“{value}” is no client's id"), CHOOSE),
        "import" => (format!("“{value}” is no import's id"), CHOOSE),
        "drift" => (format!("“{value}” is neither true nor false"), CHOOSE),
        "end" => (format!("There is no kind of end “{value}”"), CHOOSE),
        "show" => (format!("There are no links “{value}”"), CHOOSE),
        _ => (
            format!("“{value}” is no day"),
            "The address of this page asks for it, so nothing is shown. Write days as 2026-03-01, and \
             moments as 2026-03-01T12:00:00Z.",
        ),
    }
}

/// Told once a filter has its name.
pub const FILTER_SAVED: &str = "Saved. It stands above the list from now on, for you alone.";
