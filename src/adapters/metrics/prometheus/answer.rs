//! Reads what Prometheus answered. The bytes come from a server and may be anything.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, Visitor};

use crate::adapters::metrics::samples::MAX_SERIES;
use crate::domain::judge::evidence::{Sample, Series};
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::Answer;

/// More warnings than this are not passed on.
const MAX_WARNINGS: usize = 20;
/// The longest part of the server's own words that is shown.
const MAX_SHOWN_CHARS: usize = 300;
/// Timestamps beyond this (in the year 9999) are no time.
const MAX_UNIX_SECS: f64 = 253_402_300_799.0;

/// What the warnings of an answer say in which some data is missing: those of Thanos, of Prometheus about remote
/// reads, and of whatever else could not ask a store.
const PARTIAL_MARKS: [&str; 9] = [
    "partial",
    "incomplete",
    "remote_read",
    "remote read",
    "no storeapis matched",
    "fetch series for",
    "receive series from",
    "failed to receive any data",
    "deadline exceeded",
];

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Not in full, or not understood.
    Unavailable(String),
    /// The question is at fault.
    Rejected(String),
}

/// All but the result, whose form depends on its type.
#[derive(Deserialize)]
struct Head {
    status: String,
    data: Option<Kind>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    error: Option<String>,
    warnings: Option<Vec<String>>,
    infos: Option<Vec<String>>,
    /// VictoriaMetrics' cluster says so when a storage node did not answer.
    #[serde(rename = "isPartial")]
    is_partial: Option<bool>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "resultType")]
    result_type: String,
}

#[derive(Deserialize)]
struct Body {
    data: Matrix,
}

#[derive(Deserialize)]
struct Matrix {
    result: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, Value)>,
    /// Present where the query gave native histograms, which are no numbers.
    histograms: Option<IgnoredAny>,
}

/// A number that Prometheus wrote as text; none where it is NaN or infinite.
struct Value(Option<f64>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number as text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                let number: f64 = text.parse().map_err(|_number| E::custom("a value is not a number"))?;
                Ok(Value(number.is_finite().then_some(number)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Reads an answer with its HTTP status.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Answer, Problem> {
    match status {
        200..=299 => {}
        300..=399 => {
            let reason = format!(
                "HTTP {status}, a redirect to another host or too many: name the final address in `url`"
            );
            return Err(Problem::Rejected(reason));
        }
        _ => return Err(refusal(status, body)),
    }
    let head: Head = parse(body)?;
    if head.status != "success" {
        return Err(refusal(status, body));
    }
    let mut warnings: Vec<String> = head.warnings.into_iter().chain(head.infos).flatten().collect();
    // Looked for in all of them, and in full, before anything is cut.
    let partial = warnings.iter().find(|warning| says_partial(warning)).map(|warning| shown(warning));
    warnings.truncate(MAX_WARNINGS);
    let warnings: Vec<String> = warnings.iter().map(|warning| shown(warning)).collect();
    if head.is_partial == Some(true) {
        return Err(Problem::Unavailable("partial answer: some of its storage did not answer".to_owned()));
    }
    if let Some(warning) = partial {
        return Err(Problem::Unavailable(format!("partial answer: {warning}")));
    }
    let kind = head.data.map(|data| data.result_type).unwrap_or_default();
    if kind != "matrix" {
        let reason = format!(
            "the answer is of the type {:?}, not a matrix: query for numbers over time",
            shown(&kind)
        );
        return Err(Problem::Rejected(reason));
    }
    let rows = parse::<Body>(body)?.data.result;
    if rows.len() > MAX_SERIES {
        let reason = format!("{} series, more than {MAX_SERIES}: aggregate the query", rows.len());
        return Err(Problem::Rejected(reason));
    }
    if rows.iter().any(|row| row.histograms.is_some()) {
        let reason = "the query gives native histograms: take a number from them with histogram_quantile() or the like";
        return Err(Problem::Rejected(reason.to_owned()));
    }
    let series =
        rows.into_iter().map(|row| Series { labels: row.metric, samples: samples(row.values) }).collect();
    Ok(join(vec![Answer { series, warnings, is_narrowed: false }]))
}

/// Several answers as one: series with the same labels become one, in time order, one sample a second; series
/// without samples are left out.
pub(super) fn join(answers: Vec<Answer>) -> Answer {
    let mut warnings: Vec<String> = Vec::new();
    let mut joined: BTreeMap<BTreeMap<String, String>, Vec<Sample>> = BTreeMap::new();
    for answer in answers {
        for warning in answer.warnings {
            if warnings.len() < MAX_WARNINGS && !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        for series in answer.series {
            joined.entry(series.labels).or_default().extend(series.samples);
        }
    }
    let series =
        joined.into_iter().filter(|(_, samples)| !samples.is_empty()).map(|(labels, mut samples)| {
            samples.sort_by_key(|sample| sample.at);
            samples.dedup_by_key(|sample| sample.at);
            Series { labels, samples }
        });
    Answer { series: series.collect(), warnings, is_narrowed: false }
}

fn samples(values: Vec<(f64, Value)>) -> Vec<Sample> {
    let sample = |(at, Value(value)): (f64, Value)| Some(Sample { at: whole_seconds(at)?, value: value? });
    values.into_iter().filter_map(sample).collect()
}

fn whole_seconds(at: f64) -> Option<Time> {
    let in_range = (0.0..=MAX_UNIX_SECS).contains(&at);
    #[expect(clippy::cast_possible_truncation, reason = "the range has been checked")]
    in_range.then(|| Time::from_unix(at.round() as i64))
}

/// Why the server refuses. What a person must change is rejected, all else may pass.
fn refusal(status: u16, body: &[u8]) -> Problem {
    let head: Option<Head> = serde_json::from_slice(body).ok();
    let words = head.as_ref().and_then(|head| head.error.as_deref()).map(shown).unwrap_or_default();
    let words = if words.is_empty() { String::new() } else { format!(": {words}") };
    let error_type = head.and_then(|head| head.error_type).unwrap_or_default();
    match (status, error_type.as_str()) {
        (401, _) => {
            Problem::Rejected(format!("HTTP 401, the credentials are missing or wrong: see `auth`{words}"))
        }
        (403, _) => {
            Problem::Rejected(format!("HTTP 403, these credentials may not query: see `auth`{words}"))
        }
        (404, _) => Problem::Rejected(format!("HTTP 404, no query API there: see the path in `url`{words}")),
        (_, "bad_data" | "execution") if status != 503 => {
            Problem::Rejected(format!("the query is refused{words}"))
        }
        (400 | 422, _) => Problem::Rejected(format!("HTTP {status}, the query is refused{words}")),
        (429, _) => Problem::Unavailable(format!("HTTP 429, too many requests{words}")),
        (405..=499, _) if status != 408 => Problem::Rejected(format!("HTTP {status}{words}")),
        (_, "") => Problem::Unavailable(format!("HTTP {status}{words}")),
        (_, error_type) => Problem::Unavailable(format!("HTTP {status}, {}{words}", shown(error_type))),
    }
}

fn says_partial(warning: &str) -> bool {
    let warning = warning.to_lowercase();
    PARTIAL_MARKS.iter().any(|mark| warning.contains(mark))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let html = body.trim_ascii_start().first() == Some(&b'<');
        let what = if body.trim_ascii().is_empty() {
            "an empty answer".to_owned()
        } else if html {
            "a web page instead of an answer: see the path in `url`, and whether a login page is in between"
                .to_owned()
        } else if error.is_eof() {
            "the answer breaks off".to_owned()
        } else {
            format!("the answer is not understood (line {}, column {})", error.line(), error.column())
        };
        Problem::Unavailable(what)
    })
}

/// The server's own words, short and on one line.
fn shown(text: &str) -> String {
    one_line(text, MAX_SHOWN_CHARS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matrix(rows: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{rows}]}}}}"#)
    }

    fn pairs(series: &Series) -> Vec<(i64, f64)> {
        series.samples.iter().map(|sample| (sample.at.unix(), sample.value)).collect()
    }

    #[test]
    fn what_is_no_number_is_no_sample() {
        let rows = r#"{"metric":{"app":"a"},"values":[[3,"1e3"],[1,"NaN"],[2.4,"2"],[4,"+Inf"],[5,"-Inf"],[2,"7"],[-1,"1"],[1e300,"1"]]},
            {"metric":{"app":"b"},"values":[[1,"NaN"]]},{"metric":{},"values":[]}"#;
        let answer = read(200, matrix(rows).as_bytes()).unwrap();
        let [series] = answer.series.as_slice() else { panic!("one series: {answer:?}") };
        assert_eq!(series.labels["app"], "a");
        assert_eq!(pairs(series), [(2, 2.0), (3, 1000.0)]);
        assert_eq!(read(200, matrix("").as_bytes()), Ok(Answer::default()));
    }

    #[test]
    fn refusals_name_the_reason_and_the_fix() {
        let error =
            |kind: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"its own words"}}"#);
        for (status, body, rejected, expected) in [
            (400, error("bad_data"), true, "the query is refused: its own words"),
            (422, error("execution"), true, "its own words"),
            (400, "plain text".to_owned(), true, "HTTP 400"),
            (401, String::new(), true, "see `auth`"),
            (403, error("x"), true, "may not query"),
            (404, "<html>".to_owned(), true, "see the path in `url`"),
            (503, error("timeout"), false, "timeout: its own words"),
            (503, error("execution"), false, "its own words"),
            (500, error("internal"), false, "internal"),
            (429, String::new(), false, "too many requests"),
            (408, String::new(), false, "HTTP 408"),
            (302, String::new(), true, "final address"),
            (200, error("timeout"), false, "its own words"),
            (200, error("bad_data"), true, "its own words"),
            (200, String::new(), false, "empty"),
            (200, "<html>".to_owned(), false, "web page"),
            (200, "{\"status\":\"succ".to_owned(), false, "breaks off"),
            (200, "garbage".to_owned(), false, "not understood"),
            (200, "[".repeat(100_000), false, "not understood"),
            (200, r#"{"status":"success"}"#.to_owned(), true, "not a matrix"),
            (
                200,
                r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.to_owned(),
                true,
                "\"vector\"",
            ),
            (200, matrix(r#"{"metric":{},"histograms":[[1,{}]]}"#), true, "histogram_quantile"),
            (200, matrix(r#"{"metric":{},"values":[[1,"x"]]}"#), false, "not understood"),
            (200, matrix(r#"{"metric":{},"values":[[1,2]]}"#), false, "not understood"),
        ] {
            match read(status, body.as_bytes()).unwrap_err() {
                Problem::Rejected(reason) => {
                    assert!(rejected && reason.contains(expected), "{status} {reason}")
                }
                Problem::Unavailable(reason) => {
                    assert!(!rejected && reason.contains(expected), "{status} {reason}")
                }
            }
        }
    }

    #[test]
    fn warnings_are_passed_on_unless_data_is_missing() {
        let with = |extra: &str| {
            let body = matrix(r#"{"metric":{},"values":[[1,"1"]]}"#).replacen('{', &format!("{{{extra},"), 1);
            read(200, body.as_bytes())
        };
        let answer = with(r#""warnings":["PromQL warning: w"],"infos":["PromQL info: i"]"#).unwrap();
        assert_eq!(answer.warnings, ["PromQL warning: w", "PromQL info: i"]);
        assert!(with(r#""isPartial":false,"warnings":null"#).is_ok());
        for partial in [
            r#""isPartial":true"#,
            r#""warnings":["Partial response: x"]"#,
            r#""warnings":["remote_read: remote server http://x returned HTTP status 500"]"#,
            r#""warnings":["No StoreAPIs matched for this query"]"#,
        ] {
            let Err(Problem::Unavailable(reason)) = with(partial) else { panic!("{partial}") };
            assert!(reason.starts_with("partial answer"), "{reason}");
        }
    }

    #[test]
    fn series_with_the_same_labels_become_one() {
        let rows = r#"{"metric":{"a":"b"},"values":[[1,"1"],[2,"2"]]},{"metric":{"a":"b"},"values":[[2,"3"],[3,"3"]]}"#;
        let answer = read(200, matrix(rows).as_bytes()).unwrap();
        let [series] = answer.series.as_slice() else { panic!("one series: {answer:?}") };
        assert_eq!(pairs(series), [(1, 1.0), (2, 2.0), (3, 3.0)]);
    }

    #[test]
    fn too_many_series_are_refused() {
        let row = |index: usize| format!(r#"{{"metric":{{"a":"{index}"}},"values":[[1,"1"]]}}"#);
        let rows: Vec<String> = (0..=MAX_SERIES).map(row).collect();
        let Err(Problem::Rejected(reason)) = read(200, matrix(&rows.join(",")).as_bytes()) else {
            panic!("read")
        };
        assert!(reason.contains("200001 series"), "{reason}");
    }

    fn assert_sound(status: u16, body: &[u8]) {
        if let Ok(answer) = read(status, body) {
            for series in &answer.series {
                assert!(!series.samples.is_empty());
                assert!(series.samples.iter().all(|sample| sample.value.is_finite()));
                assert!(series.samples.is_sorted_by(|a, b| a.at < b.at));
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..300)) {
            assert_sound(status, &body);
        }

        #[test]
        fn a_damaged_answer_is_read_or_refused(
            samples in prop::collection::vec((any::<f64>(), any::<f64>()), 0..20),
            at in any::<prop::sample::Index>(),
            inserted in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let values: Vec<String> = samples.iter().map(|(t, v)| format!("[{t:e},\"{v}\"]")).collect();
            let row = format!(r#"{{"metric":{{"a":"b"}},"values":[{}]}}"#, values.join(","));
            let mut body = matrix(&row).into_bytes();
            assert_sound(200, &body);
            let at = at.index(body.len());
            body.splice(at..at, inserted);
            assert_sound(200, &body);
        }
    }
}
