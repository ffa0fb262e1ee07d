//! Rows as files, for people and their spreadsheets: CSV or NDJSON, as they come.

use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Error, Result};

/// So many rows are read at once.
pub const BATCH: i64 = 500;

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a heading.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "ndjson" => Some(Self::Ndjson),
            _ => None,
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// What a row is in a table.
pub trait Row: Serialize {
    const HEADING: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
}

/// A file, piece by piece: what `read` gives after each place that it named, until it names no more.
pub fn file<R, At, Read, Rows>(
    format: Format,
    read: Read,
) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<R, At, Read, Rows>>
where
    R: Row + Send + 'static,
    At: Send + 'static,
    Read: Fn(Option<At>) -> Rows + Send + 'static,
    Rows: Future<Output = Result<(Vec<R>, Option<At>)>> + Send + 'static,
{
    let heading = heading::<R>(format)?;
    let pieces = stream::try_unfold((read, Some(None)), move |(read, after)| async move {
        let Some(after) = after else { return Ok(None) };
        let (rows, next) = read(after).await?;
        Ok(Some((write(format, &rows)?, (read, next.map(Some)))))
    });
    Ok(stream::once(async move { Ok(heading) })
        .chain(pieces)
        .try_filter(|piece| std::future::ready(!piece.is_empty())))
}

/// Where the rows after these begin, if these are as many as were asked for.
pub fn rest<T, At>(rows: &[T], place: impl FnOnce(&T) -> At) -> Option<At> {
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == BATCH);
    rows.last().filter(|_| full).map(place)
}

/// A moment in a cell: RFC 3339, or nothing.
pub fn moment(at: Option<OffsetDateTime>) -> String {
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// What stands before the first row.
fn heading<R: Row>(format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Csv => csv([R::HEADING.iter().map(ToString::to_string).collect()]),
        Format::Ndjson => Ok(Vec::new()),
    }
}

/// Some rows.
fn write<R: Row>(format: Format, rows: &[R]) -> Result<Vec<u8>> {
    match format {
        Format::Csv => csv(rows.iter().map(|row| row.cells().into_iter().map(harmless).collect())),
        Format::Ndjson => {
            let mut text = Vec::new();
            for row in rows {
                serde_json::to_writer(&mut text, row)?;
                text.push(b'\n');
            }
            Ok(text)
        }
    }
}

fn csv(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row).map_err(|error| Error::Internal(error.into()))?;
    }
    writer.into_inner().map_err(|error| Error::Internal(anyhow::anyhow!("{error}")))
}

/// What a spreadsheet would take for a formula begins with an apostrophe, so that it is a text.
fn harmless(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct One(&'static str, &'static str);

    impl Row for One {
        const HEADING: &'static [&'static str] = &["a", "b"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.into(), self.1.into()]
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        let rows = [One("=1+1", "+49 30"), One("-1", "@SUM(A1)"), One("\t=1", "a=b, \"c\"\nd")];
        let text = String::from_utf8(write(Format::Csv, &rows).unwrap()).unwrap();
        assert_eq!(text, "'=1+1,'+49 30\n'-1,'@SUM(A1)\n'\t=1,\"a=b, \"\"c\"\"\nd\"\n");
        assert_eq!(heading::<One>(Format::Csv).unwrap(), b"a,b\n");
    }
}
