//! Values that are written as text: durations, shares and sizes.
//!
//! Whatever the patterns in the schemas let through can be read, so that a mistake is found where it has a place.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};

/// Seconds, written as `60s`, `30m`, `1h30m`, `14d` or `1w`. Too large a value saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duration(pub(super) u32);

/// A number, or a share in percent: `5%` is 0.05.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio(pub(super) f64);

/// Bytes, written as `512KiB`, `64MiB` or `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl Duration {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mut total, mut number) = (0_u64, None::<u64>);
        for c in text.chars() {
            let Some(digit) = c.to_digit(10) else {
                let unit = match c {
                    's' => 1,
                    'm' => 60,
                    'h' => 3_600,
                    'd' => 86_400,
                    'w' => 604_800,
                    _ => return None,
                };
                total = total.saturating_add(number.take()?.saturating_mul(unit));
                continue;
            };
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit.into()));
        }
        let complete = number.is_none() && !text.is_empty();
        complete.then(|| Self(u32::try_from(total).unwrap_or(u32::MAX)))
    }
}

impl Ratio {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
        percent.is_finite().then_some(Self(percent / 100.0))
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at_checked(digits)?;
        let unit = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        Some(Self(number.parse::<u64>().ok()?.saturating_mul(unit)))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a duration"))
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let number = value.as_f64().map(Self).or_else(|| Self::parse(value.as_str()?));
        number.ok_or_else(|| de::Error::custom("neither a number nor a percentage"))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a size"))
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]{1,9}[smhdw])+$",
            "errorMessage": "write a duration with its unit, such as 60s, 30m, 1h30m or 14d",
            "description": "A duration: numbers with units s, m, h, d or w.",
            "examples": ["60s", "30m", "1h30m", "14d"],
        })
    }
}

impl JsonSchema for Ratio {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ratio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "pattern": "^-?[0-9]{1,15}(\\.[0-9]{1,15})?%$",
            "errorMessage": "write a number, or a share in percent such as 5%",
            "description": "A number in the signal's own unit, or a share in percent: 5% is 0.05.",
            "examples": ["5%", 0.5, 250],
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{1,9}(B|KiB|MiB|GiB)$",
            "errorMessage": "write a size with its unit, such as 512KiB, 64MiB or 1GiB",
            "description": "A size in bytes with its unit.",
            "examples": ["64MiB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_units() {
        assert_eq!(Duration::parse("1h30m"), Some(Duration(5_400)));
        assert_eq!(Duration::parse("14d"), Some(Duration(1_209_600)));
        assert_eq!(Duration::parse("999999999w999999999w"), Some(Duration(u32::MAX)));
        for bad in ["", "60", "s", "1h30", "1 h", "-1s", "1.5h", "99999999999999999999999999"] {
            assert_eq!(Duration::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn shares_and_sizes() {
        assert_eq!(Ratio::parse("5%"), Some(Ratio(0.05)));
        assert_eq!(Ratio::parse("5"), None);
        assert_eq!(Size::parse("64MiB"), Some(Size(64 << 20)));
        assert_eq!(Size::parse("64MB"), None);
    }
}
