//! A file of metrics on this machine: a table with a row for each moment (see [`super::table`]), which something else
//! writes. It is read anew for every request, so that what has been added since counts.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::samples::{MAX_SAMPLES, in_window};
use super::selector::Selector;
use super::table::{self, Columns, Table, TableError};
use crate::domain::environment::signal::RangeQuery;
use crate::ports::{Answer, BoxFuture, MetricSource, SourceError};

/// Where the file is, and how it is read.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// The file.
    pub path: PathBuf,
    /// Which of its columns are what.
    pub columns: Columns,
    /// The largest file that is read, in bytes.
    pub max_bytes: u64,
}

/// A source that reads one file.
#[derive(Clone, Debug)]
pub struct CsvFile {
    options: CsvOptions,
}

impl CsvFile {
    /// A source for this file, which need not be there yet.
    #[must_use]
    pub fn new(options: &CsvOptions) -> Self {
        Self { options: options.clone() }
    }

    async fn ask(&self, query: &RangeQuery) -> Result<Answer, SourceError> {
        let named = |reason: String| format!("{}: {reason}", self.options.path.display());
        let rejected = |reason: String| SourceError::Rejected(named(reason));
        let selector = Selector::parse(&query.query).map_err(rejected)?;
        let options = self.options.clone();
        let reading = tokio::task::spawn_blocking(move || read(&options));
        let table = reading
            .await
            .map_err(|error| SourceError::Unavailable(named(error.to_string())))?
            .map_err(|error| match error {
                SourceError::Unavailable(reason) => SourceError::Unavailable(named(reason)),
                SourceError::Rejected(reason) => SourceError::Rejected(named(reason)),
            })?;
        if let Some(unknown) =
            selector.labels().find(|label| !table.labels.iter().any(|known| known == label))
        {
            let known = if table.labels.is_empty() { "none".to_owned() } else { table.labels.join(", ") };
            return Err(rejected(format!(
                "the query asks for the label `{unknown}`; the file's labels: {known}"
            )));
        }
        let found = table.series.iter().filter(|series| selector.matches(&series.labels));
        let series = in_window(found, query.window, query.step_secs);
        Ok(Answer { series, warnings: table.warnings, is_narrowed: false })
    }
}

impl MetricSource for CsvFile {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(self.ask(query))
    }
}

fn read(options: &CsvOptions) -> Result<Table, SourceError> {
    let mut bytes = bytes(&options.path, options.max_bytes)?;
    // Whoever writes the file may be in the middle of a line: half a number is a number too.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let cut = bytes.get(whole..).is_some_and(|rest| !rest.trim_ascii().is_empty());
    bytes.truncate(whole);
    let mut table = table::read(&bytes, &options.columns).map_err(|error| match error {
        // Before its first line is written a file has no columns at all.
        TableError::Columns(reason) if bytes.is_empty() => SourceError::Unavailable(reason),
        TableError::Columns(reason) => SourceError::Rejected(reason),
        TableError::Row(reason) => SourceError::Unavailable(reason),
    })?;
    if cut {
        table
            .warnings
            .push("the last line has no line end, so it may be half a line: it is left out".to_owned());
    }
    Ok(table)
}

fn bytes(path: &Path, max_bytes: u64) -> Result<Vec<u8>, SourceError> {
    let unreadable = |error: std::io::Error| SourceError::Unavailable(format!("cannot be read: {error}"));
    // A pipe would never end, and a directory cannot be read.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(SourceError::Rejected("not a file".to_owned()));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes {
        let reason = format!(
            "larger than {max_bytes} bytes (at most {MAX_SAMPLES} values): raise `max_size`, or keep fewer rows"
        );
        return Err(SourceError::Unavailable(reason));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::signal::Window;
    use crate::domain::time::Time;

    const TEXT: &str =
        "timestamp,metric,service,value\n60,errors,a,0.1\n120,errors,a,0.2\n120,errors,b,0.3\n";

    async fn ask(text: &str, query: &str, max_bytes: u64) -> Result<Answer, SourceError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.csv");
        std::fs::write(&path, text).unwrap();
        let options = CsvOptions { path, columns: Columns::default(), max_bytes };
        let query = RangeQuery {
            source: "file".parse().unwrap(),
            query: query.to_owned(),
            window: Window { start: Time::from_unix(0), end: Time::from_unix(600) },
            step_secs: 60,
            only: None,
        };
        CsvFile::new(&options).range(&query).await
    }

    #[tokio::test]
    async fn a_query_finds_its_series() {
        let answer = ask(TEXT, r#"errors{service="a"}"#, 1000).await.unwrap();
        let [one] = answer.series.as_slice() else { panic!("{answer:?}") };
        assert_eq!(one.samples, [(60, 0.1).into(), (120, 0.2).into()]);
        assert_eq!(ask(TEXT, "errors", 1000).await.unwrap().series.len(), 2);
        assert_eq!(ask(TEXT, r#"{service="c"}"#, 1000).await, Ok(Answer::default()));
    }

    #[tokio::test]
    async fn half_a_line_is_no_sample() {
        let answer = ask(&format!("{TEXT}180,errors,a,0"), r#"{service="a"}"#, 1000).await.unwrap();
        assert_eq!(answer.series[0].samples.len(), 2);
        assert!(answer.warnings[0].contains("half a line"), "{:?}", answer.warnings);
        let unavailable = ask("timesta", "{}", 1000).await.unwrap_err();
        assert!(matches!(unavailable, SourceError::Unavailable(_)), "{unavailable}");
    }

    #[tokio::test]
    async fn problems_name_the_file_and_the_fix() {
        for (text, query, max_bytes, rejected, expected) in [
            (TEXT, "rate(x[1m])", 1000, true, "character 5"),
            (TEXT, r#"{servce="a"}"#, 1000, true, "`servce`; the file's labels: metric, service"),
            ("time,value\n1,2\n", "{}", 1000, true, "no column \"timestamp\""),
            ("timestamp,value\n1,x\n", "{}", 1000, false, "line 2, column \"value\""),
            (TEXT, "errors", 10, false, "larger than 10 bytes"),
        ] {
            let error = ask(text, query, max_bytes).await.unwrap_err();
            assert_eq!(matches!(error, SourceError::Rejected(_)), rejected, "{error}");
            let text = error.to_string();
            assert!(text.contains("metrics.csv: ") && text.contains(expected), "{text}");
        }
        let options =
            |path: &str| CsvOptions { path: path.into(), columns: Columns::default(), max_bytes: 9 };
        let error = read(&options("/nonexistent/x.csv")).unwrap_err();
        assert!(matches!(&error, SourceError::Unavailable(why) if why.contains("cannot be read")), "{error}");
        assert_eq!(read(&options("/tmp")), Err(SourceError::Rejected("not a file".to_owned())));
    }
}
