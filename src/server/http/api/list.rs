//! Lists: `{"items": […], "next": …}`, one page at a time.

use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;
use crate::domain::page::{MAX_LIMIT, Page, Paging};

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many items; 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl PageQuery {
    pub fn paging(self) -> Result<Paging, Problem> {
        if self.limit.is_some_and(|limit| limit == 0 || limit > MAX_LIMIT) {
            return Err(Problem::invalid("limit", format!("must be 1 to {MAX_LIMIT}")));
        }
        Ok(Paging { cursor: self.cursor, limit: self.limit })
    }

    /// A page of a list that is at hand as a whole, in the order of its keys. The cursor is a key, so
    /// it stays good when its item is gone.
    pub fn cut<T>(self, items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, Problem> {
        let paging = self.paging()?;
        let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
        let mut keyed: Vec<(String, T)> =
            items.into_iter().map(|item| (key(&item), item)).collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        if let Some(cursor) = paging.cursor {
            keyed.retain(|(key, _)| *key > cursor);
        }
        let more = keyed.len() > limit;
        keyed.truncate(limit);
        let next = keyed.last().filter(|_| more).map(|(key, _)| key.clone());
        Ok(Page { items: keyed.into_iter().map(|(_, item)| item).collect(), next })
    }
}
