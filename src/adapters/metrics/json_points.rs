//! Reads series from JSON, in one of four shapes, alone or as the `data` of an object:
//!
//! - points: `[{"timestamp": 1700000000, "value": 1.5, "labels": {"service": "a"}}, …]`
//! - pairs: `[[1700000000, 1.5], …]`
//! - series: `[{"labels": {"service": "a"}, "values": [[1700000000, 1.5], …]}, …]`
//!
//! Everything else is refused, keys that are not known among it: they might say that something is missing. The bytes come
//! from a server and may be anything; what is read is not held twice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::samples::{
    MAX_SAMPLES, MAX_SERIES, Point, RawSeries, contradictions, quoted, read_time, read_value, tidy,
    time_of_secs,
};
use crate::domain::text::one_line;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Its series, in the order of their labels.
    pub series: Vec<RawSeries>,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

/// Reads a document.
///
/// # Errors
/// Names the place, as a JSON pointer.
pub fn read(body: &[u8]) -> Result<Document, String> {
    let reader = Reader::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let read =
        Node { reader: &reader, wanted: Wanted::Document }.deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = read {
        return Err(in_words(&error, body, &reader.pointer()));
    }
    let mut contradicted = 0;
    let mut series = Vec::new();
    for (labels, mut points) in reader.series.into_inner() {
        contradicted += tidy(&mut points);
        if !points.is_empty() {
            series.push(RawSeries { labels, points });
        }
    }
    Ok(Document { series, warnings: contradictions(contradicted).into_iter().collect() })
}

fn in_words(error: &serde_json::Error, body: &[u8], pointer: &str) -> String {
    let begins_with = |c: u8| body.trim_ascii_start().first() == Some(&c);
    if body.trim_ascii().is_empty() {
        "an empty answer".to_owned()
    } else if begins_with(b'<') {
        "a web page instead of an answer: see `url`, and whether a login page is in between".to_owned()
    } else if error.is_eof() {
        format!("the answer breaks off at {pointer}")
    } else {
        const MAX_SHOWN_CHARS: usize = 300;
        let shown = one_line(&error.to_string(), MAX_SHOWN_CHARS);
        format!("the answer is not understood at {pointer}: {shown}")
    }
}

/// What has been read, and where the reading is; after an error, where the mistake is.
#[derive(Default)]
struct Reader {
    path: RefCell<Vec<Step>>,
    series: RefCell<BTreeMap<BTreeMap<String, String>, Vec<Point>>>,
    count: RefCell<usize>,
}

enum Step {
    Index(usize),
    Key(String),
}

impl Reader {
    fn pointer(&self) -> String {
        let step = |step: &Step| match step {
            Step::Index(index) => format!("/{index}"),
            Step::Key(key) => {
                let key = quoted(key);
                format!("/{}", key.trim_matches('"').replace('~', "~0").replace('/', "~1"))
            }
        };
        let pointer: String = self.path.borrow().iter().map(step).collect();
        if pointer.is_empty() { "its beginning".to_owned() } else { pointer }
    }

    fn enter(&self, step: Step) {
        self.path.borrow_mut().push(step);
    }

    fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    fn counted<E: Error>(&self) -> Result<(), E> {
        let mut count = self.count.borrow_mut();
        *count += 1;
        if *count > MAX_SAMPLES { Err(E::custom(format!("more than {MAX_SAMPLES} values"))) } else { Ok(()) }
    }

    fn add<E: Error>(&self, labels: BTreeMap<String, String>, points: Vec<Point>) -> Result<(), E> {
        let mut series = self.series.borrow_mut();
        series.entry(labels).or_default().extend(points);
        if series.len() > MAX_SERIES {
            Err(E::custom(format!("more than {MAX_SERIES} series")))
        } else {
            Ok(())
        }
    }
}

/// What may stand at a place.
#[derive(Clone, Copy)]
enum Wanted {
    /// The items, or an object with them as its `data`.
    Document,
    /// The items.
    Items,
    /// A pair, a point or a series.
    Item,
}

#[derive(Clone, Copy)]
struct Node<'r> {
    reader: &'r Reader,
    wanted: Wanted,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.wanted {
            Wanted::Document => "a list of values, or an object with one as its `data`",
            Wanted::Items => "a list of values",
            Wanted::Item => "[timestamp, value], or an object with `timestamp` and `value`, or with `values`",
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { reader, wanted } = self;
        if matches!(wanted, Wanted::Item) {
            let point = pair(reader, seq)?;
            return reader.add(BTreeMap::new(), point.into_iter().collect());
        }
        for index in 0.. {
            reader.enter(Step::Index(index));
            let item = seq.next_element_seed(Node { reader, wanted: Wanted::Item })?;
            reader.leave();
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.reader;
        match self.wanted {
            Wanted::Item => item(reader, map),
            Wanted::Items => Err(A::Error::custom("an object instead of a list of values")),
            Wanted::Document => {
                let mut found = false;
                while let Some(key) = map.next_key::<String>()? {
                    reader.enter(Step::Key(key.clone()));
                    if key != "data" || found {
                        return Err(A::Error::custom("only `data`, once, is known here"));
                    }
                    found = true;
                    map.next_value_seed(Node { reader, wanted: Wanted::Items })?;
                    reader.leave();
                }
                if found { Ok(()) } else { Err(A::Error::custom("`data` is missing")) }
            }
        }
    }
}

/// A point or a series.
fn item<'de, A: MapAccess<'de>>(reader: &Reader, mut map: A) -> Result<(), A::Error> {
    let (mut at_ms, mut value, mut labels, mut values) = (None, None, None, None);
    while let Some(key) = map.next_key::<String>()? {
        reader.enter(Step::Key(key.clone()));
        let twice = match key.as_str() {
            "timestamp" => at_ms.replace(map.next_value_seed(Time)?).is_some(),
            "value" => value.replace(map.next_value_seed(Value)?).is_some(),
            "labels" => labels.replace(map.next_value::<BTreeMap<String, String>>()?).is_some(),
            "values" => values.replace(map.next_value_seed(Pairs(reader))?).is_some(),
            _ => {
                return Err(A::Error::custom(
                    "only `timestamp`, `value`, `labels` and `values` are known here",
                ));
            }
        };
        if twice {
            return Err(A::Error::custom("stands here twice"));
        }
        reader.leave();
    }
    let points = match (at_ms, value, values) {
        (Some(at_ms), Some(value), None) => {
            reader.counted()?;
            value.map(|value| Point { at_ms, value }).into_iter().collect()
        }
        (None, None, Some(values)) => values,
        _ => return Err(A::Error::custom("either `timestamp` and `value`, or `values`, must be here")),
    };
    reader.add(labels.unwrap_or_default(), points)
}

/// `[timestamp, value]`; none where there is no value.
fn pair<'de, A: SeqAccess<'de>>(reader: &Reader, mut seq: A) -> Result<Option<Point>, A::Error> {
    let short = || A::Error::custom("[timestamp, value] has two parts");
    reader.enter(Step::Index(0));
    let at_ms = seq.next_element_seed(Time)?.ok_or_else(short)?;
    reader.leave();
    reader.enter(Step::Index(1));
    let value = seq.next_element_seed(Value)?.ok_or_else(short)?;
    reader.leave();
    if seq.next_element::<serde::de::IgnoredAny>()?.is_some() {
        return Err(short());
    }
    reader.counted()?;
    Ok(value.map(|value| Point { at_ms, value }))
}

/// A list of pairs.
struct Pairs<'r>(&'r Reader);

impl<'de> DeserializeSeed<'de> for Pairs<'_> {
    type Value = Vec<Point>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Point>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = Vec<Point>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [timestamp, value]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Point>, A::Error> {
        let mut points = Vec::new();
        for index in 0.. {
            self.0.enter(Step::Index(index));
            let point = seq.next_element_seed(Pair(self.0))?;
            self.0.leave();
            match point {
                None => break,
                Some(point) => points.extend(point),
            }
        }
        Ok(points)
    }
}

/// One pair of a list.
struct Pair<'r>(&'r Reader);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = Option<Point>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Point>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = Option<Point>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[timestamp, value]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<Point>, A::Error> {
        pair(self.0, seq)
    }
}

macro_rules! scalar {
    ($(#[$doc:meta])* $name:ident -> $value:ty, $expected:literal, $number:expr, $text:expr, $null:expr) => {
        $(#[$doc])*
        struct $name;

        impl<'de> DeserializeSeed<'de> for $name {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl Visitor<'_> for $name {
            type Value = $value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expected)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<$value, E> {
                let read: fn(f64) -> Result<$value, String> = $number;
                read(number).map_err(E::custom)
            }

            #[expect(clippy::cast_precision_loss, reason = "a whole number this large is no measured value")]
            fn visit_i64<E: Error>(self, number: i64) -> Result<$value, E> {
                self.visit_f64(number as f64)
            }

            #[expect(clippy::cast_precision_loss, reason = "a whole number this large is no measured value")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<$value, E> {
                self.visit_f64(number as f64)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<$value, E> {
                let read: fn(&str) -> Result<$value, String> = $text;
                read(text.trim()).map_err(E::custom)
            }

            fn visit_unit<E: Error>(self) -> Result<$value, E> {
                let null: Option<$value> = $null;
                null.ok_or_else(|| E::custom(concat!("null instead of ", $expected)))
            }
        }
    };
}

scalar!(
    /// A time in milliseconds.
    Time -> i64,
    "a time: seconds since 1970, or RFC 3339 as text",
    time_of_secs,
    read_time,
    None
);
scalar!(
    /// A value, perhaps as text; none where it was not measured.
    Value -> Option<f64>,
    "a number",
    |number| Ok(number.is_finite().then_some(number)),
    read_value,
    Some(None)
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let document = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let one = |series: &RawSeries| {
            let labels: Vec<String> = series.labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let points: Vec<String> =
                series.points.iter().map(|p| format!(" {}:{}", p.at_ms / 1000, p.value)).collect();
            labels.join(",") + &points.concat()
        };
        document.series.iter().map(one).collect()
    }

    #[test]
    fn all_shapes_say_the_same() {
        for text in [
            r#"[{"timestamp": 1, "value": 1.5, "labels": {"a": "b"}}, {"labels": {"a": "b"}, "value": "2", "timestamp": "2"}]"#,
            r#"[{"labels": {"a": "b"}, "values": [["1970-01-01T00:00:02Z", 2], [1.0, 1.5], [3, null], [4, "NaN"], [5, ""]]}]"#,
            r#"{"data": [{"labels": {"a": "b"}, "values": [[1, 1.5]]}, {"values": [[2, "2"]], "labels": {"a": "b"}}]}"#,
        ] {
            assert_eq!(shown(text), ["a=b 1:1.5 2:2"], "{text}");
        }
        assert_eq!(shown("[[2, 4], [1, 3]]"), [" 1:3 2:4"]);
        assert_eq!(shown(r#"{"data": [[1, 3]]}"#), [" 1:3"]);
        assert_eq!(
            shown(r#"[[1, 3], {"timestamp": 1, "value": 7, "labels": {"a": "b"}}]"#),
            [" 1:3", "a=b 1:7"]
        );
        for nothing in ["[]", r#"{"data": []}"#, r#"[{"values": []}]"#, "[[1, null]]"] {
            assert!(shown(nothing).is_empty(), "{nothing}");
        }
        assert_eq!(read(b"[[1, 2], [1, 3]]").unwrap().warnings.len(), 1);
    }

    #[test]
    fn everything_else_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "an empty answer"),
            ("<html>", "a web page"),
            ("[[1, 2], [3", "breaks off at /1/"),
            (r#"{"data": [[1, 2]"#, "breaks off at /data/1"),
            ("7", "at its beginning: invalid type: integer `7`, expected a list"),
            (r#"{"data": {"data": []}}"#, "at /data: an object instead of a list"),
            (r#"{"data": [], "partial": true}"#, "at /partial: only `data`"),
            (r#"{"status": "ok"}"#, "at /status"),
            ("{}", "`data` is missing"),
            ("[1]", "at /0: invalid type: integer `1`, expected [timestamp, value]"),
            ("[[1, 2, 3]]", "at /0: [timestamp, value] has two parts"),
            ("[[1]]", "at /0/1: [timestamp, value] has two parts"),
            ("[[1, true]]", "at /0/1: invalid type: boolean `true`, expected a number"),
            (r#"[[1, 2], [2, "x"]]"#, r#"at /1/1: "x" is not a number"#),
            ("[[null, 2]]", "at /0/0: null instead of a time"),
            (r#"[["noon", 2]]"#, r#"at /0/0: "noon" is no time"#),
            ("[[1700000000000, 2]]", "not milliseconds"),
            (r#"[{"timestamp": 1}]"#, "at /0: either `timestamp` and `value`"),
            (r#"[{"timestamp": 1, "value": 2, "values": []}]"#, "at /0: either"),
            (r#"[{"timestamp": 1, "timestamp": 1, "value": 2}]"#, "at /0/timestamp: stands here twice"),
            (r#"[{"time~/x": 1}]"#, "at /0/time~0~1x: only `timestamp`"),
            (r#"[{"labels": {"a": 1}, "values": []}]"#, "at /0/labels: invalid type: integer"),
            (r#"[{"values": [[1, 2], 3]}]"#, "at /0/values/1: invalid type"),
            ("[[1, 2]] x", "trailing characters"),
        ] {
            let reason = read(text.as_bytes()).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        }
        let deep = "[".repeat(100_000);
        read(deep.as_bytes()).unwrap_err();
    }

    proptest! {
        #[test]
        fn a_damaged_document_is_read_or_refused(
            at in any::<prop::sample::Index>(),
            inserted in prop::collection::vec(any::<u8>(), 0..4),
            removed in 0..3_usize,
        ) {
            let text = r#"{"data": [{"labels": {"a": "b"}, "values": [[1, 1.5], ["2", null]]}, {"timestamp": 3, "value": "4"}]}"#;
            let mut body = text.as_bytes().to_vec();
            let at = at.index(body.len());
            body.splice(at..(at + removed).min(text.len()), inserted);
            if let Ok(document) = read(&body) {
                for series in document.series {
                    prop_assert!(series.points.iter().all(|point| point.value.is_finite()));
                    prop_assert!(series.points.is_sorted_by(|a, b| a.at_ms < b.at_ms));
                }
            }
        }
    }
}
