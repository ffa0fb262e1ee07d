//! Connections brought over from elsewhere, many at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// One import, running or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Import {
    pub id: Uuid,
    pub client_id: Uuid,
    /// Rows were read and checked, and nothing was stored.
    pub dry_run: bool,
    /// What the file is called, where its sender said so.
    pub file_name: Option<String>,
    pub state: ImportState,
    /// Bytes of the file that were read so far.
    pub read_bytes: i64,
    /// How many it has, where the sender said so (`Content-Length`).
    pub total_bytes: Option<i64>,
    /// Rows read so far.
    pub rows: i64,
    /// Rows that became connections; in a dry run, that would have.
    pub imported: i64,
    /// Of those, the ones with neither a refresh token nor an expiry: nothing renews them, and they count as
    /// alive however long that is not so any more.
    pub without_end: i64,
    /// Of those, the ones whose access token is over. It is renewed at once where that can be done without a
    /// person.
    pub expired: i64,
    /// Of those, the ones that nothing renews and whose access token ends: each needs a person then.
    #[serde(default)]
    pub ending: i64,
    /// When the first of them does.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub first_end_at: Option<OffsetDateTime>,
    /// When the last of them does.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub last_end_at: Option<OffsetDateTime>,
    /// Of those, the ones whose token response names an account where the provider is not believed to have written
    /// it: that is not used, and whose they are is not known by it.
    #[serde(default)]
    pub unverified: i64,
    /// Rows whose `external_id` the client has already.
    pub skipped: i64,
    /// Rows with a problem.
    pub failed: i64,
    /// The first 1000 problems. A row may have several.
    pub problems: Vec<RowProblem>,
    /// Why it broke off.
    pub detail: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub begun_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

impl Import {
    pub fn is_running(&self) -> bool {
        self.state == ImportState::Running
    }

    /// Whether it was tried, and something of it would become connections.
    pub fn is_rehearsed(&self) -> bool {
        self.dry_run && self.state == ImportState::Done && self.imported > 0
    }

    /// Whether there are connections that came of it.
    pub fn brought_any(&self) -> bool {
        !self.dry_run && self.imported > 0
    }

    /// How many more rows have a problem than those whose problems are kept. A row may have several.
    pub fn untold(&self) -> i64 {
        let rows: BTreeSet<i64> = self.problems.iter().map(|problem| problem.row).collect();
        self.failed - i64::try_from(rows.len()).unwrap_or_default()
    }

    /// How much of the file is read, where its length is known.
    pub fn percent_read(&self) -> Option<i64> {
        let total = self.total_bytes.filter(|total| *total > 0)?;
        Some((self.read_bytes.saturating_mul(100) / total).clamp(0, 100))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum ImportState {
    /// Under way. When the replica that ran it is gone, it is called broken after two minutes.
    Running,
    Done,
    /// It ended before the file did. What was imported stays; the same file can be sent again.
    Broken,
}

impl ImportState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Broken => "broken",
        }
    }
}

/// Where a row stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    pub row: i64,
    pub line: i64,
    /// Whether the fields of its token response stand in columns of their own.
    pub in_columns: bool,
}

impl RowPlace {
    /// The name by which the row has something of its token response: `at` is a JSON pointer.
    pub fn field(self, at: &str) -> &str {
        if self.in_columns { at.trim_start_matches('/') } else { "token_response" }
    }
}

/// Why a row did not become a connection. Nothing of its tokens is in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RowProblem {
    /// Which row it is, counted from 1 without the heading of a CSV file and without empty lines.
    pub row: i64,
    /// The line of the file on which the row begins, as an editor counts: the heading and empty lines
    /// count, and a row of a CSV file may have several. `null` in imports from before it was kept.
    #[serde(default)]
    pub line: Option<i64>,
    #[serde(default)]
    pub external_id: Option<String>,
    /// Empty: the row as a whole.
    pub field: String,
    pub message: String,
}

/// Of a name that stood in the file, so much is told.
const TOLD: usize = 200;

impl RowProblem {
    pub fn new(at: RowPlace, field: &str, message: &str) -> Self {
        Self {
            row: at.row,
            line: Some(at.line),
            external_id: None,
            field: tellable(field).take(TOLD).collect(),
            message: tellable(message).collect(),
        }
    }

    /// The same, with what helps a person to find the row.
    pub fn of(self, external_id: Option<&str>) -> Self {
        let external_id = external_id.map(|id| tellable(id).take(TOLD).collect());
        Self { external_id, ..self }
    }
}

/// What a file is called, as far as it is told; `None`: it has no name.
pub fn file_name(told: &str) -> Option<String> {
    let name: String = tellable(told.trim()).take(TOLD).collect();
    (!name.is_empty()).then_some(name)
}

/// What stood in the file may be anything; a control character in it (PostgreSQL's JSON has no NUL)
/// must not cost the rows beside it.
fn tellable(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_or_none() {
        assert_eq!(file_name(" all\0 of it.csv\n"), Some("all of it.csv".into()));
        assert_eq!(file_name(&"é".repeat(TOLD + 1)), Some("é".repeat(TOLD)));
        assert_eq!((file_name(""), file_name(" \0")), (None, None));
    }

    #[test]
    fn a_problem_holds_no_control_characters() {
        let at = RowPlace { row: 1, line: 2, in_columns: false };
        let problem = RowProblem::new(at, "a\0b", "is\0 wrong\u{85}").of(Some("c\0\nd"));
        assert_eq!((&*problem.field, &*problem.message), ("ab", "is wrong"));
        assert_eq!(problem.external_id.as_deref(), Some("cd"));
        let long = "\0x".repeat(TOLD + 1);
        let problem = RowProblem::new(at, "", "").of(Some(&long));
        assert_eq!(problem.external_id, Some("x".repeat(TOLD)));
        assert_eq!(RowProblem::new(at, "", "").of(None).external_id, None);
    }
}
