//! How samples are kept: rounded before they are judged, and written down as differences.
//!
//! A series is written as one JSON object: the time of its first sample, the distance of its samples, how many decimal places
//! its values have, and the differences between neighbours, as whole numbers. What this form cannot hold to the bit is written
//! as pairs of time and value, which is also the form of records of version 1.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::domain::time::Time;

/// How many significant digits of a value are judged. The judge takes no standard deviation for less than 0.5 % of the median,
/// and draws no line nearer than 2 % of it (`Line::draw`). Four digits are wrong by 0.05 % at most, a tenth of the former.
const DIGITS: usize = 4;
/// Up to here a float holds every whole number: 2^53.
const MAX_WHOLE: i64 = 1 << 53;
/// A float holds ten to this power exactly. So one division by it, or one multiplication, is right to the last bit.
const MAX_PLACES: u32 = 22;

/// One measured value. Never NaN and never infinite: such values are dropped where an answer is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// How much.
    pub value: f64,
}

impl From<(i64, f64)> for Sample {
    fn from((at, value): (i64, f64)) -> Self {
        Self { at: Time::from_unix(at), value }
    }
}

impl From<Sample> for (i64, f64) {
    fn from(sample: Sample) -> Self {
        (sample.at.unix(), sample.value)
    }
}

impl Sample {
    /// The sample with as many digits as are judged. Whole numbers stay as they are: they may be counts.
    #[must_use]
    pub fn rounded(self) -> Self {
        let value = self.value;
        let is_whole = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
        if is_whole || !value.is_finite() {
            return self;
        }
        // The formatter rounds the decimal number, not the binary one.
        let rounded =
            format!("{value:.*e}", DIGITS - 1).parse().ok().filter(|rounded: &f64| rounded.is_finite());
        Self { value: rounded.unwrap_or(value), ..self }
    }
}

impl Sample {
    /// The sample with the nearest multiple of a grain as its value.
    pub(super) fn rounded_to(self, grain: Grain) -> Self {
        let places = grain.power.saturating_neg();
        let unit = Decimal { whole: grain.digit.into(), places }.value();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it saturates, and what is too large is left as it is"
        )]
        let times = unit.map(|unit| (self.value / unit).round() as i64);
        let whole = times.and_then(|times| times.checked_mul(grain.digit.into()));
        let value = whole.and_then(|whole| Decimal { whole, places }.value());
        Self { value: value.unwrap_or(self.value), ..self }
    }
}

/// A number of one digit, by which others are divided: 1, 2 or 5 times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grain {
    power: i32,
    digit: u8,
}

impl Grain {
    /// The largest grain that is no larger than a number; none where that is not more than 0.
    pub(super) fn below(number: f64) -> Option<Self> {
        let Self { power, digit } = Self::first(number)?;
        Some(Self { power, digit: [5, 2].into_iter().find(|least| digit >= *least).unwrap_or(1) })
    }

    /// The unit of a number's first digit.
    pub(super) fn digit_of(number: f64) -> Option<Self> {
        Some(Self { digit: 1, ..Self::first(number)? })
    }

    fn first(number: f64) -> Option<Self> {
        if !number.is_finite() || number <= 0.0 {
            return None;
        }
        let text = format!("{number:e}");
        let (digits, power) = text.split_once('e')?;
        Some(Self { power: power.parse().ok()?, digit: digits.get(..1)?.parse().ok()? })
    }
}

/// What a series is written as.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Samples")]
pub(super) enum Form {
    /// Differences.
    Steps(Steps),
    /// Pairs of time, in seconds since the Unix epoch, and value.
    Pairs(Vec<(i64, f64)>),
}

/// A series as differences. The value of a sample is the sum of all differences up to it, divided by ten to the power of
/// `places`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Steps")]
pub(super) struct Steps {
    /// The time of the first sample, in seconds since the Unix epoch.
    start: i64,
    /// The distance of neighbours, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<i64>,
    /// The distances of neighbours, in seconds, where they have no common one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apart: Option<Vec<i64>>,
    /// How many decimal places the values have; less than 0 where they end in zeros.
    places: i32,
    /// The first value and the differences of the others to the one before, without their decimal point. Null where there is
    /// no sample at that step.
    diffs: Vec<Option<i64>>,
}

/// Writes samples.
pub(super) fn serialize<S: Serializer>(samples: &[Sample], serializer: S) -> Result<S::Ok, S::Error> {
    if samples.iter().any(|sample| !sample.value.is_finite()) {
        return Err(ser::Error::custom("a sample is not a finite number"));
    }
    let pairs = || Form::Pairs(samples.iter().copied().map(<(i64, f64)>::from).collect());
    Steps::of(samples).map_or_else(pairs, Form::Steps).serialize(serializer)
}

/// Reads samples, in either form.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Sample>, D::Error> {
    match Form::deserialize(deserializer)? {
        Form::Pairs(pairs) => Ok(pairs.into_iter().map(Sample::from).collect()),
        Form::Steps(steps) => {
            steps.samples().ok_or_else(|| de::Error::custom("the steps of a series do not fit together"))
        }
    }
}

impl Steps {
    /// The samples as differences; none where that is not the same to the bit.
    fn of(samples: &[Sample]) -> Option<Self> {
        let decimals: Vec<Decimal> =
            samples.iter().map(|sample| Decimal::of(sample.value)).collect::<Option<_>>()?;
        let places = decimals.iter().filter(|one| one.whole != 0).map(|one| one.places).max().unwrap_or(0);
        let wholes: Vec<i64> = decimals.iter().map(|one| one.at(places)).collect::<Option<_>>()?;
        let mut before = 0;
        let diffs = wholes.into_iter().map(|whole| {
            let diff = whole - before;
            before = whole;
            diff
        });
        let apart: Vec<i64> = samples
            .windows(2)
            .map(|pair| match pair {
                [one, next] => next.at.unix().checked_sub(one.at.unix()),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let start = samples.first()?.at.unix();
        // Where more samples are missing than are there, the distances are shorter than the gaps.
        let most = i64::try_from(samples.len()).ok()?;
        let fits = |step: &i64| {
            let missing = |sum: i64, secs: &i64| sum.checked_add(secs / step - 1);
            *step > 0
                && apart.iter().all(|secs| secs % step == 0)
                && apart.iter().try_fold(0, missing).is_some_and(|missing| missing <= most)
        };
        Some(match apart.iter().copied().min().filter(fits) {
            Some(step) => {
                let mut all = Vec::new();
                for (diff, secs) in diffs.zip(std::iter::once(&step).chain(&apart)) {
                    all.extend((1..secs / step).map(|_| None));
                    all.push(Some(diff));
                }
                Self { start, step: Some(step), apart: None, places, diffs: all }
            }
            None => {
                let apart = (!apart.is_empty()).then_some(apart);
                Self { start, step: None, apart, places, diffs: diffs.map(Some).collect() }
            }
        })
    }

    /// The samples; none where what is written makes no sense.
    fn samples(&self) -> Option<Vec<Sample>> {
        let times = self.times()?;
        let mut whole = 0_i64;
        let mut samples = Vec::with_capacity(times.len());
        for (at, diff) in times.into_iter().zip(&self.diffs) {
            let Some(diff) = diff else { continue };
            whole = whole.checked_add(*diff)?;
            samples.push(Sample {
                at: Time::from_unix(at),
                value: Decimal { whole, places: self.places }.value()?,
            });
        }
        Some(samples)
    }

    /// A time for each of the differences.
    fn times(&self) -> Option<Vec<i64>> {
        let apart = match (&self.apart, self.step) {
            (Some(apart), None) => apart.clone(),
            (None, Some(step)) => vec![step; self.diffs.len().saturating_sub(1)],
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => return None,
        };
        let mut times = Vec::with_capacity(self.diffs.len());
        times.push(self.start);
        for secs in &apart {
            times.push(times.last()?.checked_add(*secs)?);
        }
        (times.len() == self.diffs.len()).then_some(times)
    }
}

/// A decimal number: `whole` divided by ten to the power of `places`.
#[derive(Clone, Copy)]
struct Decimal {
    whole: i64,
    places: i32,
}

impl Decimal {
    /// The shortest decimal number that is this float.
    fn of(value: f64) -> Option<Self> {
        // A zero that is less than zero would lose its sign.
        if value == 0.0 {
            return value.is_sign_positive().then_some(Self { whole: 0, places: 0 });
        }
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e')?;
        let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
        let places = i32::try_from(after.len()).ok()?.checked_sub(exponent.parse().ok()?)?;
        Some(Self { whole: format!("{before}{after}").parse().ok()?, places })
    }

    /// The same number with so many places; none where it does not fit.
    fn at(self, places: i32) -> Option<i64> {
        if self.whole == 0 {
            return Some(0);
        }
        let more = u32::try_from(places.checked_sub(self.places)?).ok()?;
        let whole = self.whole.checked_mul(10_i64.checked_pow(more)?)?;
        (whole.abs() <= MAX_WHOLE && places.unsigned_abs() <= MAX_PLACES).then_some(whole)
    }

    /// The float that is nearest to it.
    fn value(self) -> Option<f64> {
        if self.whole.abs() > MAX_WHOLE || self.places.unsigned_abs() > MAX_PLACES {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "neither loses anything: see the limits")]
        let (whole, power) = (self.whole as f64, 10_u128.checked_pow(self.places.unsigned_abs())? as f64);
        Some(if self.places >= 0 { whole / power } else { whole * power })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept(#[serde(with = "super")] Vec<Sample>);

    fn series(pairs: &[(i64, f64)]) -> Vec<Sample> {
        pairs.iter().copied().map(Sample::from).collect()
    }

    fn written(pairs: &[(i64, f64)]) -> String {
        serde_json::to_string(&Kept(series(pairs))).unwrap()
    }

    /// To the bit: 0 and −0 differ.
    fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
        samples.iter().map(|sample| (sample.at.unix(), sample.value.to_bits())).collect()
    }

    #[test]
    fn a_series_is_written_as_differences() {
        assert_eq!(
            written(&[(60, 0.25), (120, 0.27), (240, 0.2)]),
            r#"{"start":60,"step":60,"places":2,"diffs":[25,2,null,-7]}"#
        );
        assert_eq!(
            written(&[(60, 1200.0), (120, 0.0)]),
            r#"{"start":60,"step":60,"places":-2,"diffs":[12,-12]}"#
        );
        assert_eq!(
            written(&[(60, 1.0), (121, 2.0), (179, 4.0)]),
            r#"{"start":60,"apart":[61,58],"places":0,"diffs":[1,1,2]}"#
        );
        assert_eq!(written(&[(60, 0.5)]), r#"{"start":60,"places":1,"diffs":[5]}"#);
        // A second apart, and then nothing for an hour: no row of missing samples.
        assert_eq!(
            written(&[(0, 1.0), (1, 1.0), (3_601, 1.0)]),
            r#"{"start":0,"apart":[1,3600],"places":0,"diffs":[1,0,0]}"#
        );
        assert_eq!(written(&[]), "[]");
        // What differences cannot hold to the bit.
        assert_eq!(written(&[(0, 1e300), (60, 1e-300)]), "[[0,1e+300],[60,1e-300]]");
        assert_eq!(written(&[(0, -0.0)]), "[[0,-0.0]]");
        assert_eq!(written(&[(i64::MIN, 1.0), (i64::MAX, 1.0)]).as_bytes()[0], b'[');
    }

    #[test]
    fn pairs_are_read_as_they_were_written_before() {
        let read: Kept = serde_json::from_str("[[60,0.25],[120,1]]").unwrap();
        assert_eq!(read.0, series(&[(60, 0.25), (120, 1.0)]));
    }

    #[test]
    fn what_is_no_number_is_not_written() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(serde_json::to_string(&Kept(series(&[(0, 1.0), (60, value)]))).is_err());
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for text in [
            r#"{"start":0,"step":60,"places":0,"diffs":[1,9223372036854775807,1]}"#,
            r#"{"start":0,"step":60,"places":0,"diffs":[9007199254740993]}"#,
            r#"{"start":0,"step":60,"places":23,"diffs":[1]}"#,
            r#"{"start":0,"step":60,"places":-2147483648,"diffs":[1]}"#,
            r#"{"start":9223372036854775807,"step":60,"places":0,"diffs":[1,1]}"#,
            r#"{"start":0,"places":0,"diffs":[1,1]}"#,
            r#"{"start":0,"apart":[1,1],"places":0,"diffs":[1,1]}"#,
            r#"{"start":0,"apart":[1],"step":1,"places":0,"diffs":[1,1]}"#,
            r#"{"start":0,"step":1,"places":0,"diffs":[1.5]}"#,
            r#"{"start":0,"step":1,"places":0,"diffs":[1],"more":1}"#,
            "[[0,1e999]]",
        ] {
            assert!(serde_json::from_str::<Kept>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn four_digits_are_judged_and_counts_stay_whole() {
        for (value, judged) in [
            (0.123_456, 0.1235),
            (-98_765.4, -98_770.0),
            (1.999_96, 2.0),
            (123_456_789.0, 123_456_789.0),
            (9_007_199_254_740_993.0, 9_007_199_254_740_992.0),
            (1.234_56e300, 1.235e300),
            (1.234_56e-310, 1.235e-310),
            (f64::MAX, f64::MAX),
            (0.0, 0.0),
        ] {
            let sample = Sample { at: Time::from_unix(1), value };
            assert_eq!(sample.rounded().value.to_bits(), judged.to_bits(), "{value}");
        }
    }

    fn value() -> impl Strategy<Value = f64> {
        let finite = any::<f64>().prop_filter("finite", |value| value.is_finite());
        let edges =
            select(vec![0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 9_007_199_254_740_993.0]);
        let count = (0..2_000_000_i32).prop_map(f64::from);
        prop_oneof![8 => -2.0..2.0_f64, 4 => count, 2 => -1e9..1e9_f64, 1 => finite, 1 => edges]
    }

    /// Distances of neighbours: on a step, with gaps, of any length, none, and backwards.
    fn distance() -> impl Strategy<Value = i64> {
        prop_oneof![20 => Just(60_i64), 2 => (2..40_i64).prop_map(|steps| 60 * steps), 1 => -500..5_000_i64]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_is_what_was_written_to_the_bit(
            start in prop_oneof![4 => 0..2_000_000_000_i64, 1 => any::<i64>()],
            samples in proptest::collection::vec((distance(), value()), 0..120),
            is_rounded in any::<bool>(),
        ) {
            let mut at = start;
            let samples: Vec<Sample> = samples.into_iter().map(|(secs, value)| {
                at = at.saturating_add(secs);
                let sample = Sample { at: Time::from_unix(at), value };
                if is_rounded { sample.rounded() } else { sample }
            }).collect();
            let line = serde_json::to_string(&Kept(samples.clone())).unwrap();
            let read: Kept = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(bits(&read.0), bits(&samples), "{}", line);
        }

        #[test]
        fn what_is_rounded_stays(value in value()) {
            let once = Sample { at: Time::from_unix(0), value }.rounded();
            prop_assert_eq!(once.rounded().value.to_bits(), once.value.to_bits());
            let error = (once.value - value).abs();
            prop_assert!(value.is_subnormal() || error <= 5.01e-4 * value.abs(), "{} {}", value, once.value);
        }

        #[test]
        fn no_steps_make_it_panic(
            start in any::<i64>(), step in any::<Option<i64>>(), places in -40..40_i32,
            apart in any::<Option<Vec<i64>>>(), diffs in any::<Vec<Option<i64>>>(),
        ) {
            let read = Steps { start, step, apart, places, diffs }.samples();
            prop_assert!(read.into_iter().flatten().all(|sample| sample.value.is_finite()));
        }
    }
}
