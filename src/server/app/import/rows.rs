//! Rows of an import, one after the other out of a stream: the file is never whole in memory, and
//! no row may be so long that it is.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::shape::{Fields, columns, envelope, nearest};
use crate::{
    domain::import::{RowPlace, RowProblem},
    server::app::explain::{Reading, UNKNOWN, explain},
};

/// A row is no longer than this, in bytes.
const ROW_LIMIT: u64 = 256 * 1024;
/// So much is taken from the stream at once.
const BUFFER: usize = 64 * 1024;

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a heading, or with semicolons or tabs for its commas. The columns `external_id`,
    /// `label`, `tags`, `scopes`, `obtained_at` and `token_response` (JSON) have a meaning, and so has
    /// `variables.NAME`; every other column is a field of the token response.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// A connection as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    #[serde(skip, default = "nowhere")]
    pub at: RowPlace,
    #[serde(default)]
    pub external_id: Option<String>,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub tags: Vec<String>,
    /// What the provider leaves to each connection.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// `None`: the client's.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// RFC 3339.
    #[serde(default)]
    pub obtained_at: Option<String>,
    /// As the provider gave it.
    pub token_response: Value,
}

fn nowhere() -> RowPlace {
    RowPlace { row: 0, line: 0, in_columns: false }
}

/// The names in a row.
const NAMES: [&str; 7] =
    ["external_id", "label", "tags", "variables", "scopes", "obtained_at", "token_response"];

/// A row of which something has another form than it must have.
pub struct Misfit {
    pub problems: Vec<RowProblem>,
    /// What it is without that, so that what else is wrong can be told with it.
    pub rest: Option<Box<Row>>,
}

impl From<RowProblem> for Misfit {
    fn from(problem: RowProblem) -> Self {
        Self { problems: vec![problem], rest: None }
    }
}

pub type Parsed = Result<Row, Misfit>;

/// Reads rows, each with the place in the file where it ends, until `each` wants no more. Fails when
/// the stream breaks, a row has no end, or the file as a whole is something else; of what stands in the file
/// only names are in an error.
///
/// Of a table, `fields` are the columns that are known besides; one that is not is refused before the first
/// row: what it holds would be lost without a word.
pub fn read(
    stream: impl Read,
    format: Format,
    fields: &Fields,
    mut each: impl FnMut(Parsed, u64) -> bool,
) -> io::Result<()> {
    match format {
        Format::Csv => csv(stream, fields, &mut each),
        Format::Ndjson => ndjson(BufReader::with_capacity(BUFFER, stream), &mut each),
    }
}

fn ndjson(mut stream: impl BufRead, each: &mut impl FnMut(Parsed, u64) -> bool) -> io::Result<()> {
    let (mut place, mut at) = (nowhere(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.by_ref().take(ROW_LIMIT).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == ROW_LIMIT && !line.ends_with(b"\n") {
            return Err(too_long());
        }
        at += line.len() as u64;
        place.line += 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        place.row += 1;
        if place.row == 1
            && let Some(why) = envelope(text)
        {
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let row = serde_json::from_slice::<Row>(text).map(|row| Row { at: place, ..row });
        let row = row.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => misfit(place, text),
            _ => {
                let why = format!("is not JSON (column {})", error.column());
                RowProblem::new(place, "", &why).into()
            }
        });
        if !each(row, at) {
            return Ok(());
        }
    }
}

/// What is wrong with a row that is JSON. It is read again, slower, to find the places; nothing of what
/// stands there is told but the external id.
fn misfit(at: RowPlace, text: &[u8]) -> Misfit {
    let row = serde_json::from_slice::<Value>(text).unwrap_or_default();
    if !row.is_object() {
        return RowProblem::new(at, "", "must be an object").into();
    }
    let external_id = row.get("external_id").and_then(Value::as_str).map(str::to_owned);
    let told =
        |field: &str, message: &str| RowProblem::new(at, field, message).of(external_id.as_deref());
    let reading = Reading::<Row>::of(row, Vec::new());
    if reading.problems.is_empty() {
        // It was not wrong any more when it was read as a value: a name stands in it twice.
        let mut reader = serde_json::Deserializer::from_slice(text);
        return match serde_path_to_error::deserialize::<_, Row>(&mut reader) {
            Ok(_) => told("", "is no import row").into(),
            Err(error) => {
                let (field, message) = explain(error.path(), &error.inner().to_string());
                told(&field, &message).into()
            }
        };
    }
    let wrong = reading.problems.iter().map(|one| match one.message == UNKNOWN {
        true => told(&one.field, &unknown(&one.field)),
        false => told(&one.field, &one.message),
    });
    Misfit { problems: wrong.collect(), rest: reading.read.map(|row| Box::new(Row { at, ..row })) }
}

/// That there is no such field, and which there are.
fn unknown(field: &str) -> String {
    let known = NAMES.join(", ");
    match nearest(field, NAMES) {
        Some(name) => format!("{UNKNOWN}; did you mean {name}? A row may have {known}"),
        None => format!("{UNKNOWN}; a row may have {known}"),
    }
}

fn csv(
    stream: impl Read,
    fields: &Fields,
    each: &mut impl FnMut(Parsed, u64) -> bool,
) -> io::Result<()> {
    let taken = Rc::new(Cell::new(0));
    let (separator, stream) = separated(stream)?;
    let lines = Rc::new(Lines::default());
    let stream = Capped { stream, taken: taken.clone(), lines: lines.clone() };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(BUFFER)
        .from_reader(stream);
    let broken = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, "the file is not CSV in UTF-8"),
    };
    let heading = columns(reader.headers().map_err(broken)?, fields)?;
    let mut record = csv::StringRecord::new();
    let mut row = 0;
    loop {
        taken.set(0);
        row += 1;
        let read = reader.read_record(&mut record);
        let last = lines.up_to(reader.position().byte());
        let row = match read {
            Ok(false) => return Ok(()),
            Ok(true) => {
                let more = record.iter().flat_map(str::bytes).filter(|byte| *byte == b'\n').count();
                let mut line = last - i64::try_from(more).unwrap_or_default();
                // The file ended within it, so its last field is the rest of the file.
                let rest = record.iter().next_back().is_some_and(|it| it.contains('\n'));
                let is_open = rest && lines.ended_file.get() && lines.last.get() != b'"';
                if is_open && record.iter().next_back().is_some_and(|it| it.ends_with('\n')) {
                    line += 1;
                }
                if is_open {
                    return Err(unclosed(row, line));
                }
                from_record(RowPlace { row, line, in_columns: true }, &heading, &record)
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                let at = RowPlace { row, line: last, in_columns: true };
                Err(RowProblem::new(at, "", "is not UTF-8").into())
            }
            Err(error) => return Err(broken(error)),
        };
        if !each(row, reader.position().byte()) {
            return Ok(());
        }
    }
}

/// What stands between two columns, by the heading: where the comma is for decimals, tables are saved
/// with semicolons. The stream is whole again.
fn separated(mut stream: impl Read) -> io::Result<(u8, impl Read)> {
    let mut heading = Vec::new();
    let mut chunk = [0; 4096];
    while !heading.contains(&b'\n') && (heading.len() as u64) < ROW_LIMIT {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => heading.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let line = heading.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    let most = [b',', b';', b'\t'].into_iter().rev().max_by_key(|separator| count(*separator));
    Ok((most.unwrap_or(b','), io::Cursor::new(heading).chain(stream)))
}

fn from_record(at: RowPlace, heading: &[String], record: &csv::StringRecord) -> Parsed {
    if record.len() != heading.len() {
        let (wanted, got) = (heading.len(), record.len());
        let why = format!("has {got} columns, the heading {wanted}");
        return Err(RowProblem::new(at, "", &why).into());
    }
    let mut row = Row {
        at,
        external_id: None,
        label: String::new(),
        tags: Vec::new(),
        variables: BTreeMap::new(),
        scopes: None,
        obtained_at: None,
        token_response: Value::Null,
    };
    let words = |text: &str| text.split_whitespace().map(Into::into).collect();
    let mut fields = Map::new();
    let filled =
        heading.iter().map(String::as_str).zip(record).filter(|(_, value)| !value.is_empty());
    for (name, value) in filled {
        match name {
            "external_id" => row.external_id = Some(value.into()),
            "label" => row.label = value.into(),
            "tags" => row.tags = words(value),
            "scopes" => row.scopes = Some(words(value)),
            "obtained_at" => row.obtained_at = Some(value.into()),
            "token_response" => {
                row.token_response = serde_json::from_str(value).map_err(|error| {
                    let message = format!("is not JSON (column {})", error.column());
                    RowProblem::new(at, name, &message).of(row.external_id.as_deref())
                })?;
            }
            other => match other.strip_prefix("variables.") {
                Some(name) => {
                    row.variables.insert(name.into(), value.into());
                }
                None => {
                    fields.insert(other.into(), value.into());
                }
            },
        }
    }
    match row.token_response.is_null() {
        true => row.token_response = Value::Object(fields),
        false => row.at.in_columns = false,
    }
    Ok(row)
}

fn unclosed(row: i64, line: i64) -> io::Error {
    let why = format!(
        "row {row}, line {line}: a quote is opened there and never closed, so nothing behind it was read"
    );
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a row is longer than 256 KiB")
}

/// A stream that ends in an error when one row takes too much of it.
struct Capped<R> {
    stream: R,
    taken: Rc<Cell<u64>>,
    lines: Rc<Lines>,
}

/// Where lines end in what was read ahead. The parser's own count is of no use to a person: it takes
/// empty lines for the next row's, and the end of a line in a file from Windows for its beginning.
#[derive(Default)]
struct Lines {
    read: Cell<u64>,
    ended: Cell<i64>,
    ends: RefCell<VecDeque<u64>>,
    /// The last byte that was read.
    last: Cell<u8>,
    /// Whether there is nothing more.
    ended_file: Cell<bool>,
}

impl Lines {
    fn add(&self, bytes: &[u8]) {
        let begin = self.read.get();
        let ends = (begin..).zip(bytes).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        self.ends.borrow_mut().extend(ends);
        self.read.set(begin + bytes.len() as u64);
        self.last.set(bytes.last().copied().unwrap_or(self.last.get()));
    }

    /// The line of the last byte before `position`.
    fn up_to(&self, position: u64) -> i64 {
        let mut ends = self.ends.borrow_mut();
        let mut last = None;
        while ends.front().is_some_and(|end| *end < position) {
            last = ends.pop_front();
            self.ended.set(self.ended.get() + 1);
        }
        let ends_here = last.is_some_and(|end| end + 1 == position);
        self.ended.get() + i64::from(!ends_here)
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.taken.set(self.taken.get() + count as u64);
        self.lines.add(buffer.get(..count).unwrap_or_default());
        self.lines.ended_file.set(count == 0);
        // The reader's buffer takes in rows ahead.
        if self.taken.get() > ROW_LIMIT + BUFFER as u64 { Err(too_long()) } else { Ok(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(format: Format, text: &str) -> (Vec<Parsed>, io::Result<()>) {
        let mut rows = Vec::new();
        let mut last = 0;
        let read_there = ["access_token", "expires_in"].map(str::to_owned).into();
        let fields = Fields { read: read_there, claims: ["email".to_owned()].into() };
        let end = read(text.as_bytes(), format, &fields, |row, at| {
            assert!(at > last && at <= text.len() as u64, "{at} after {last}");
            last = at;
            rows.push(row);
            true
        });
        (rows, end)
    }

    fn told(rows: &[Parsed]) -> Vec<&RowProblem> {
        rows.iter().filter_map(|row| row.as_ref().err()).flat_map(|row| &row.problems).collect()
    }

    #[test]
    fn a_csv_gives_the_token_response_whole_or_in_columns() {
        let text = "external_id,label,tags,access_token,expires_in\n7,\"A, B\",x y,secret,3600\n";
        let (rows, end) = rows(Format::Csv, text);
        end.unwrap();
        let row = rows[0].as_ref().unwrap_or_else(|_| panic!("a row"));
        assert_eq!((row.at.row, row.at.line, row.external_id.as_deref()), (1, 2, Some("7")));
        assert_eq!((row.label.as_str(), row.tags.len()), ("A, B", 2));
        let response = serde_json::json!({ "access_token": "secret", "expires_in": "3600" });
        assert_eq!(row.token_response, response);
        let text = "token_response\n\"{\"\"access_token\"\":\"\"secret\"\"}\"\n";
        let (rows, _) = self::rows(Format::Csv, text);
        let row = rows[0].as_ref().unwrap_or_else(|_| panic!("a row"));
        assert_eq!(row.token_response["access_token"], "secret");
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        for separator in [",", ";", "\t"] {
            let lines = ["external_id|label|access_token", "7|\"A; B, C\"|secret", "8|D|other"];
            let text = lines.join("\r\n").replace('|', separator);
            let (rows, end) = rows(Format::Csv, &text);
            end.unwrap();
            let row = rows[0].as_ref().unwrap_or_else(|_| panic!("a row"));
            assert_eq!((row.external_id.as_deref(), row.label.as_str()), (Some("7"), "A; B, C"));
            assert_eq!(row.token_response["access_token"], "secret");
            assert_eq!(rows.len(), 2, "{separator:?}");
        }
        // One column has no separator.
        let (rows, _) = rows(Format::Csv, "access_token\nsecret\n");
        assert!(rows[0].is_ok());
    }

    #[test]
    fn a_broken_row_is_named_without_its_content_and_the_next_is_read() {
        let good = r#"{"token_response":{"access_token":"secret"}}"#;
        let bad = r#"{"token_response":"secret","colour":"secret"}"#;
        let (rows, end) = rows(Format::Ndjson, &format!("{bad}\n\n{good}\nsecret\n{good}"));
        end.unwrap();
        let seen: Vec<_> = rows.iter().map(|row| row.as_ref().map(|row| row.at.row)).collect();
        assert!(matches!(seen[..], [Err(_), Ok(2), Err(_), Ok(4)]));
        for problem in told(&rows) {
            assert!(!problem.message.contains("secret"), "{}", problem.message);
        }
        let (rows, _) = self::rows(Format::Csv, "external_id,token_response\n7\n8,secret\n");
        let told = told(&rows);
        assert_eq!((told[0].row, told[1].row, &*told[1].field), (1, 2, "token_response"));
        assert_eq!(told[1].external_id.as_deref(), Some("8"));
    }

    /// What is behind an open quote is not passed over in silence.
    #[test]
    fn a_quote_that_is_never_closed_is_told_with_its_line() {
        for rest in ["8,good\n9,good\n", "8,good\n9,good"] {
            let text = format!("external_id,access_token\n6,good\n7,\"secret,a\n{rest}");
            let (rows, end) = rows(Format::Csv, &text);
            assert_eq!(rows.iter().filter(|row| row.is_ok()).count(), 1);
            let told = end.unwrap_err().to_string();
            assert!(told.starts_with("row 2, line 3: a quote is opened"), "{told}");
            assert!(!told.contains("secret"));
        }
        // One that is closed may hold lines, also at the end.
        for row in ["7,\"a\nb\"", "\"a\nb\",7"] {
            let (rows, end) = rows(Format::Csv, &format!("external_id,access_token\n{row}"));
            end.unwrap();
            assert!(rows[0].is_ok());
        }
    }

    /// The lines on which the rows begin.
    fn lines(format: Format, text: &str) -> Vec<(i64, i64)> {
        let (rows, end) = rows(format, text);
        end.unwrap();
        let place = |row: &Parsed| match row {
            Ok(row) => (row.at.row, row.at.line),
            Err(misfit) => (misfit.problems[0].row, misfit.problems[0].line.unwrap()),
        };
        rows.iter().map(place).collect()
    }

    /// As an editor counts them.
    #[test]
    fn each_row_is_known_by_the_line_on_which_it_begins() {
        let table =
            ["label,access_token", "A,a", "", "\"B|and|C\",b", "", "", "D", "E,\"e|\"", "F,f"];
        let wanted = vec![(1, 2), (2, 4), (3, 9), (4, 10), (5, 12)];
        for end in ["\n", "\r\n"] {
            let text = table.join(end).replace('|', end);
            assert_eq!(lines(Format::Csv, &text), wanted, "{text:?}");
            assert_eq!(lines(Format::Csv, &(text + end + end)), wanted);
        }
        // Longer than what is read at once.
        let long = format!("label,access_token\n{}", "\"a\nb\",c\n\n".repeat(40_000));
        let seen = lines(Format::Csv, &long);
        assert_eq!(seen.last(), Some(&(40_000, 2 + 39_999 * 3)));
        let row = r#"{"token_response":{"access_token":"secret"}}"#;
        let seen = lines(Format::Ndjson, &format!("\n{row}\n\r\n{row}\nno\n{row}"));
        assert_eq!(seen, [(1, 2), (2, 4), (3, 5), (4, 6)]);
    }

    #[test]
    fn a_row_without_end_ends_the_reading() {
        let long = "x".repeat(600 * 1024);
        let (rows, end) = self::rows(Format::Ndjson, &long);
        assert!(rows.is_empty() && end.is_err());
        let (rows, end) = self::rows(Format::Csv, &format!("label\n\"{long}"));
        assert!(rows.is_empty() && end.is_err());
    }

    #[test]
    fn many_short_rows_are_no_long_one() {
        let text = format!("label\n{}", "x\n".repeat(400_000));
        let (rows, end) = rows(Format::Csv, &text);
        end.unwrap();
        assert_eq!(rows.len(), 400_000);
    }

    /// What it holds would be lost without a word; and a file without a heading has tokens there.
    #[test]
    fn a_column_without_a_meaning_is_refused_and_not_quoted() {
        for heading in [
            "secret,7",
            "external_id,7secret,9f8e7d6c5b4a3928",
            "external_id,9f8e7d6c5b4a3928",
            "external_id,secretSecretSecret",
            "external_id,secret/token=",
            "external_id,7secret",
        ] {
            let (rows, end) = rows(Format::Csv, &format!("{heading}\n7,other\n"));
            let why = end.unwrap_err().to_string();
            assert!(rows.is_empty() && why.contains("heading of column "), "{why}");
            assert!(!why.contains("secret") && !why.contains("9f8"), "{why}");
        }
        let (rows, end) = self::rows(Format::Csv, "\u{feff}External ID,Access Token\n7,secret\n");
        end.unwrap();
        let row = rows[0].as_ref().unwrap_or_else(|_| panic!("a row"));
        assert_eq!(
            (row.external_id.as_deref(), &row.token_response["access_token"]),
            (Some("7"), &"secret".into())
        );
    }

    #[test]
    fn a_row_that_does_not_fit_names_its_field_and_external_id() {
        let row = r#"{"external_id":"7","lable":"secret","token_response":{}}"#;
        let (rows, _) = rows(Format::Ndjson, row);
        let told = told(&rows)[0];
        assert_eq!((&*told.field, told.external_id.as_deref()), ("lable", Some("7")));
        let known = "external_id, label, tags, variables, scopes, obtained_at, token_response";
        let wanted =
            format!("is no field that is known here; did you mean label? A row may have {known}");
        assert_eq!(told.message, wanted);
    }

    /// Each of them once, and what fits is there to be checked.
    #[test]
    fn all_that_does_not_fit_is_told_at_once() {
        let row = r#"{"external_id":"7","label":8,"tags":"a","colour":1,"token_response":{"a":1}}"#;
        let (rows, _) = rows(Format::Ndjson, row);
        let mut fields: Vec<_> = told(&rows).into_iter().map(|one| one.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["colour", "label", "tags"]);
        let rest = rows[0].as_ref().err().and_then(|row| row.rest.as_ref()).expect("the rest");
        assert_eq!((rest.external_id.as_deref(), rest.at.row), (Some("7"), 1));
        let twice = r#"{"label":"a","label":"b","token_response":{}}"#;
        let (rows, _) = self::rows(Format::Ndjson, twice);
        assert_eq!(told(&rows)[0].message, "stands there more than once");
    }
}
