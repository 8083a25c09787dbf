//! Reads series from a table: a CSV file with a row for each moment.
//!
//! Long: a column with the time, one with the value, and every other one is a label. Wide: no column with the value, and
//! every further column is a series of its own, whose label `metric` is the column's name.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::samples::{
    MAX_SAMPLES, MAX_SERIES, Point, RawSeries, contradictions, quoted, read_time, read_value, tidy,
};
use super::selector::NAME_LABEL;

/// The column with the times, where none is named.
pub const TIMESTAMP: &str = "timestamp";
/// The column with the values of a long table, where none is named.
pub const VALUE: &str = "value";
/// The most columns of a table.
const MAX_COLUMNS: usize = 10_000;
/// The most columns that a message lists.
const MAX_LISTED: usize = 12;

/// Which columns are what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The one with the times. Default: `timestamp`.
    pub timestamp: Option<String>,
    /// The one with the values of a long table. Default: `value`, and a table without it is a wide one.
    pub value: Option<String>,
    /// Those that are labels. Default: all others in a long table, and none in a wide one.
    pub labels: Option<Vec<String>>,
}

/// What a table holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Its series, in the order in which they begin.
    pub series: Vec<RawSeries>,
    /// The names of the labels that its series can have.
    pub labels: Vec<String>,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableError {
    /// It has other columns than were named.
    Columns(String),
    /// A row is not understood, or there are too many of them.
    Row(String),
}

/// Where things stand in a row.
struct Layout {
    names: Vec<String>,
    timestamp: usize,
    /// The columns that are labels.
    labels: Vec<usize>,
    /// The columns with values. One in a long table, where no label comes from its name.
    values: Vec<usize>,
    long: bool,
}

/// Reads a table.
///
/// # Errors
/// Names the line and the column.
pub fn read(bytes: &[u8], columns: &Columns) -> Result<Table, TableError> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|error| TableError::Row(in_words(&error, bytes)))?;
    let layout = Layout::of(header, columns).map_err(TableError::Columns)?;
    let mut found = Found::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| TableError::Row(in_words(&error, bytes)))? {
        let line = line_of(record.position(), bytes);
        layout.row(&record, &mut found).map_err(|(column, reason)| {
            let column = column.map_or_else(String::new, |name| format!(", column {}", quoted(name)));
            TableError::Row(format!("line {line}{column}: {reason}"))
        })?;
    }
    let contradicted: usize = found.series.iter_mut().map(|one| tidy(&mut one.points)).sum();
    Ok(Table {
        series: found.series.into_iter().filter(|one| !one.points.is_empty()).collect(),
        labels: layout.label_names(),
        warnings: contradictions(contradicted).into_iter().collect(),
    })
}

/// The series so far.
#[derive(Default)]
struct Found {
    series: Vec<RawSeries>,
    /// Which one a key is: its value's column, and the labels' cells with their lengths.
    known: HashMap<String, usize>,
    key: String,
    samples: usize,
}

/// What is wrong with a row, and in which column.
type Wrong<'n> = (Option<&'n str>, String);

impl Layout {
    fn of(header: &StringRecord, columns: &Columns) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(str::to_owned).collect();
        if names.iter().all(String::is_empty) {
            return Err("it has no header: the first line must name the columns".to_owned());
        }
        if names.len() > MAX_COLUMNS {
            return Err(format!("{} columns, more than {MAX_COLUMNS}", names.len()));
        }
        if let Some(twice) =
            names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|n| n == *name))
        {
            return Err(format!("line 1: two columns are called {}: rename one", quoted(twice.1)));
        }
        let place = |name: &str| names.iter().position(|column| column == name);
        let needed = |name: &str, key: &str| {
            place(name).ok_or_else(|| {
                format!(
                    "line 1: there is no column {}: name it with `{key}`; {}",
                    quoted(name),
                    listed(&names)
                )
            })
        };
        let timestamp = needed(columns.timestamp.as_deref().unwrap_or(TIMESTAMP), "timestamp")?;
        let value = match &columns.value {
            Some(name) => Some(needed(name, "value")?),
            None => place(VALUE),
        };
        let others = || (0..names.len()).filter(|index| *index != timestamp && Some(*index) != value);
        let labels = match &columns.labels {
            Some(wanted) => {
                wanted.iter().map(|name| needed(name, "labels")).collect::<Result<Vec<_>, _>>()?
            }
            None if value.is_some() => others().collect(),
            None => Vec::new(),
        };
        let values: Vec<usize> = match value {
            Some(value) => vec![value],
            None => others().filter(|index| !labels.contains(index)).collect(),
        };
        if values.is_empty() {
            return Err(format!("line 1: no column has values: name it with `value`; {}", listed(&names)));
        }
        Ok(Self { names, timestamp, labels, values, long: value.is_some() })
    }

    fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", String::as_str)
    }

    fn label_names(&self) -> Vec<String> {
        let named = self.labels.iter().map(|label| self.name(*label).to_owned());
        named.chain((!self.long).then(|| NAME_LABEL.to_owned())).collect()
    }

    fn row<'n>(&'n self, record: &StringRecord, found: &mut Found) -> Result<(), Wrong<'n>> {
        let cell = |column: usize| record.get(column).unwrap_or("");
        let at_ms =
            read_time(cell(self.timestamp)).map_err(|reason| (Some(self.name(self.timestamp)), reason))?;
        for &column in &self.values {
            let value = read_value(cell(column)).map_err(|reason| (Some(self.name(column)), reason))?;
            let Some(value) = value else { continue };
            found.samples += 1;
            if found.samples > MAX_SAMPLES {
                return Err((
                    None,
                    format!("more than {MAX_SAMPLES} values: keep fewer rows, or use several files"),
                ));
            }
            let index = self.series(record, column, found)?;
            if let Some(series) = found.series.get_mut(index) {
                series.points.push(Point { at_ms, value });
            }
        }
        Ok(())
    }

    /// Which series the value in a column of this row belongs to.
    fn series<'n>(
        &'n self,
        record: &StringRecord,
        column: usize,
        found: &mut Found,
    ) -> Result<usize, Wrong<'n>> {
        let cells = || self.labels.iter().map(|label| record.get(*label).unwrap_or(""));
        found.key.clear();
        let written = cells().try_for_each(|cell| write!(found.key, "{}:{cell}", cell.len()));
        let written = written.and_then(|()| write!(found.key, "/{column}"));
        written.map_err(|error| (None, error.to_string()))?;
        if let Some(index) = found.known.get(&found.key) {
            return Ok(*index);
        }
        if found.series.len() >= MAX_SERIES {
            return Err((
                None,
                format!("more than {MAX_SERIES} series: is a column a label that should not be?"),
            ));
        }
        let pairs = self.labels.iter().map(|label| self.name(*label)).zip(cells());
        let mut labels: BTreeMap<String, String> = pairs
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if !self.long {
            labels.insert(NAME_LABEL.to_owned(), self.name(column).to_owned());
        }
        found.known.insert(found.key.clone(), found.series.len());
        found.series.push(RawSeries { labels, points: Vec::new() });
        Ok(found.series.len() - 1)
    }
}

fn listed(names: &[String]) -> String {
    let some: Vec<String> = names.iter().take(MAX_LISTED).map(|name| quoted(name)).collect();
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    format!("there are {}{more}", some.join(", "))
}

/// The line in which a record begins: its position is where the one before it ended, and empty lines may follow there.
fn line_of(position: Option<&csv::Position>, bytes: &[u8]) -> u64 {
    let Some(position) = position else { return 1 };
    let before = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = bytes.get(before..).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    position.line() + ends.count() as u64
}

fn in_words(error: &csv::Error, bytes: &[u8]) -> String {
    if let ErrorKind::UnequalLengths { pos, expected_len, len } = error.kind() {
        let line = line_of(pos.as_ref(), bytes);
        return format!("line {line}: {len} cells where the header has {expected_len}");
    }
    if let ErrorKind::Utf8 { pos, err } = error.kind() {
        let line = line_of(pos.as_ref(), bytes);
        return format!("line {line}, cell {}: not UTF-8 text: save the file as UTF-8", err.field() + 1);
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> Table {
        read(text.as_bytes(), &Columns::default()).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Each series as `label=value,… at:value …`.
    fn shown(table: &Table) -> Vec<String> {
        let one = |series: &RawSeries| {
            let labels: Vec<String> = series.labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let points: Vec<String> =
                series.points.iter().map(|p| format!(" {}:{}", p.at_ms / 1000, p.value)).collect();
            labels.join(",") + &points.concat()
        };
        table.series.iter().map(one).collect()
    }

    #[test]
    fn a_long_table_has_its_labels_in_columns() {
        let found = table(
            "\u{feff}timestamp,metric,service,value\n60,errors,a,0.5\n\n1970-01-01T00:02:00Z,errors,a, 1 \n60,errors,\"b,\"\"c\",2\r\n60,rps,,3\n0,errors,a,NaN\n",
        );
        assert_eq!(
            shown(&found),
            ["metric=errors,service=a 60:0.5 120:1", "metric=errors,service=b,\"c 60:2", "metric=rps 60:3"]
        );
        assert_eq!(found.labels, ["metric", "service"]);
    }

    #[test]
    fn a_wide_table_has_a_series_in_each_column() {
        let found = table("timestamp,errors,p99 latency\n120,0.2,\n60,0.1,7\n");
        assert_eq!(shown(&found), ["metric=errors 60:0.1 120:0.2", "metric=p99 latency 60:7"]);
        assert_eq!(found.labels, ["metric"]);
        let columns = Columns {
            timestamp: Some("when".to_owned()),
            value: None,
            labels: Some(vec!["service".to_owned()]),
        };
        let found = read(b"service,when,errors,rps\na,1,2,3\nb,1,4,5\n", &columns).unwrap();
        let expected = [
            "metric=errors,service=a 1:2",
            "metric=rps,service=a 1:3",
            "metric=errors,service=b 1:4",
            "metric=rps,service=b 1:5",
        ];
        assert_eq!(shown(&found), expected);
        let columns = Columns { value: Some("v".to_owned()), labels: Some(vec![]), ..Columns::default() };
        assert_eq!(shown(&read(b"timestamp,note,v\n1,x,2\n", &columns).unwrap()), [" 1:2"]);
    }

    #[test]
    fn what_contradicts_itself_is_left_out_with_a_warning() {
        let found = table("timestamp,value\n1,5\n1,6\n1,5\n2,7\n2,7\n");
        assert_eq!(shown(&found), [" 2:7"]);
        assert!(found.warnings[0].starts_with("1 moments have several values"), "{:?}", found.warnings);
    }

    #[test]
    fn every_mistake_names_its_place() {
        for (text, columns, expected) in [
            ("", true, "no header"),
            ("\n\n", true, "no header"),
            (
                "time,value\n1,2\n",
                true,
                r#"line 1: there is no column "timestamp": name it with `timestamp`; there are "time", "value""#,
            ),
            ("timestamp\n1\n", true, "no column has values"),
            ("timestamp,a,a\n", true, r#"two columns are called "a""#),
            ("timestamp,value\n1,2\n1\n", false, "line 3: 1 cells where the header has 2"),
            ("timestamp,value\n1,2\n1,2,3\n", false, "line 3: 3 cells where the header has 2"),
            ("timestamp,value\n1,2\n\nnoon,3\n", false, r#"line 4, column "timestamp": "noon" is no time"#),
            (
                "timestamp,value\n1,2\n2,\u{1b}[31m\n",
                false,
                r#"line 3, column "value": "\u{1b}[31m" is not a number"#,
            ),
            ("timestamp,errors,service\n1,2,a\n", false, r#"line 2, column "service": "a" is not a number"#),
            ("timestamp,value\n1700000000000,1\n", false, "not milliseconds"),
        ] {
            let (reason, wrong_columns) = match read(text.as_bytes(), &Columns::default()).unwrap_err() {
                TableError::Columns(reason) => (reason, true),
                TableError::Row(reason) => (reason, false),
            };
            assert!(reason.contains(expected), "{text:?}: {reason}");
            assert_eq!(wrong_columns, columns, "{text:?}");
        }
        let TableError::Row(reason) =
            read(b"timestamp,value,a\n1,1,x\n1,1,\xff\n", &Columns::default()).unwrap_err()
        else {
            panic!("columns")
        };
        assert_eq!(reason, "line 3, cell 3: not UTF-8 text: save the file as UTF-8");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in "[0-9a-z,.\"\n\r; é]{0,60}", junk in prop::collection::vec(any::<u8>(), 0..8)) {
            let bytes = [b"timestamp,value,a\n", body.as_bytes(), &junk].concat();
            if let Ok(table) = read(&bytes, &Columns::default()) {
                for series in table.series {
                    prop_assert!(series.points.iter().all(|point| point.value.is_finite()));
                    prop_assert!(series.points.is_sorted_by(|a, b| a.at_ms < b.at_ms));
                }
            }
        }
    }
}
