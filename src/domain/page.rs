//! One page of a list, and the way to the next.

use serde::{Deserialize, Serialize};

/// How many items a page has unless asked otherwise.
pub const DEFAULT_LIMIT: u32 = 50;
/// How many items a page has at most.
pub const MAX_LIMIT: u32 = 200;

/// A page of a list. `next` is opaque; it is given back to see what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// All there is.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "ssr", derive(utoipa::IntoParams))]
pub struct Paging {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// How many items, 1 to 200; 50 unless said.
    pub limit: Option<u32>,
}

impl Paging {
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
    }
}

/// How many there are, counted no further than it says anything to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Count {
    Exactly(i64),
    MoreThan(i64),
}
