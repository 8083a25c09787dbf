//! Schedules in the five fields of cron: minute, hour, day of the month, month, day of the week.
//!
//! They mean what they mean in the sync windows of Argo CD, which reads them with `github.com/robfig/cron/v3`: where both days are
//! restricted, either is enough; `*/2` restricts, `*`, `?` and `*/1` do not; `5/15` is 5, 20, 35 and so on. 7 is Sunday too, as in crontab(5).

use std::fmt;

use jiff::civil::Date;

use crate::domain::text::cut;

/// When something begins, by the calendar and the clock of some place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
}

/// The numbers that a field allows, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Set {
    bits: u64,
    /// Whether the field says nothing: `*`.
    is_any: bool,
}

/// One of the five fields.
struct Field {
    what: &'static str,
    least: u32,
    most: u32,
    /// Names of numbers, from `least` on.
    names: &'static [&'static str],
}

const MINUTE: Field = Field { what: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { what: "hour", least: 0, most: 23, names: &[] };
const DAY: Field = Field { what: "day of the month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field {
    what: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Field = Field {
    what: "day of the week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// The longest schedule that is read, in bytes. Each number of each field, one by one, is shorter.
const MAX_BYTES: usize = 512;
/// The most days of each month, from January on.
const LONGEST: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Schedule {
    /// Reads five fields.
    ///
    /// # Errors
    /// Says which field is wrong, and what to write there.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("a schedule has at most {MAX_BYTES} bytes, and this one has {}", text.len()));
        }
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts.as_slice() else {
            return Err(format!(
                "{:?} has {} fields: write the five fields of cron (minute, hour, day of the month, month, day of the week), such \
                 as `0 16 * * FRI`",
                cut(text, 40),
                parts.len()
            ));
        };
        let mut weekdays = WEEKDAY.read(weekday)?;
        if weekdays.has(7) {
            weekdays.bits |= 1;
        }
        let schedule = Self {
            text: parts.join(" "),
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays,
        };
        if !schedule.ever_begins() {
            return Err(format!("{:?} never begins: none of these months has such a day", schedule.text));
        }
        Ok(schedule)
    }

    /// Whether there is a day on which it begins. A day of the week comes in every month.
    fn ever_begins(&self) -> bool {
        let has_day = |(month, longest): (u32, &u32)| {
            self.months.has(month) && (1..=*longest).any(|day| self.days.has(day))
        };
        !self.weekdays.is_any || (1..).zip(&LONGEST).any(has_day)
    }

    /// Whether it begins on a day. Where both kinds of days are restricted, either is enough.
    pub(super) fn is_on(&self, date: Date) -> bool {
        let number = |small: i8| u32::try_from(small).unwrap_or(u32::MAX);
        let is_day = self.days.has(number(date.day()));
        let is_weekday = self.weekdays.has(number(date.weekday().to_sunday_zero_offset()));
        let is_on = match (self.days.is_any, self.weekdays.is_any) {
            (false, false) => is_day || is_weekday,
            (true, _) | (_, true) => is_day && is_weekday,
        };
        is_on && self.months.has(number(date.month()))
    }

    /// The times of day at which it begins: hours and minutes.
    pub(super) fn times(&self) -> impl Iterator<Item = (i8, i8)> {
        let numbers = |set: Set, most: i8| {
            (0..=most).filter(move |number| u32::try_from(*number).is_ok_and(|number| set.has(number)))
        };
        let minutes = self.minutes;
        numbers(self.hours, 23).flat_map(move |hour| numbers(minutes, 59).map(move |minute| (hour, minute)))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Set {
    fn has(self, number: u32) -> bool {
        number < u64::BITS && (self.bits >> number) & 1 == 1
    }
}

impl Field {
    /// A list of parts with commas between them.
    fn read(&self, text: &str) -> Result<Set, String> {
        let mut set = Set { bits: 0, is_any: false };
        for part in text.split(',') {
            let (bits, is_any) = self.part(part).ok_or_else(|| self.refuse(part))?;
            set.bits |= bits;
            set.is_any |= is_any;
        }
        Ok(set)
    }

    /// `*`, `5`, `1-5`, each perhaps with a step. The second value is whether it says nothing.
    fn part(&self, part: &str) -> Option<(u64, bool)> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(whole(step).filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let is_star = matches!(range, "*" | "?");
        let (first, last) = match range.split_once('-') {
            _ if is_star => (self.least, self.most_of_star()),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None => {
                let number = self.number(range)?;
                (number, if step.is_some() { self.most_of_star() } else { number })
            }
        };
        let step_by = usize::try_from(step.unwrap_or(1)).ok()?;
        let bits = (first..=last).step_by(step_by).fold(0, |bits, number| bits | (1 << number));
        (first <= last).then_some((bits, is_star && step.is_none_or(|step| step == 1)))
    }

    /// The last number of a range without an end: Sunday is not counted twice.
    fn most_of_star(&self) -> u32 {
        if self.names.len() == 7 { 6 } else { self.most }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = || {
            let place = self.names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
            u32::try_from(place).ok()?.checked_add(self.least)
        };
        let number = whole(text).or_else(named)?;
        (self.least..=self.most).contains(&number).then_some(number)
    }

    fn refuse(&self, part: &str) -> String {
        let names = match self.names {
            [first, .., last] => {
                format!(", or names from {} to {}", first.to_uppercase(), last.to_uppercase())
            }
            _ => String::new(),
        };
        format!(
            "{:?} is no {}: write `*`, numbers from {} to {}{names}, ranges such as `1-5`, steps such as `*/2`, or several of \
             them with commas",
            cut(part, 40),
            self.what,
            self.least,
            self.most
        )
    }
}

/// A number of at most three digits.
fn whole(text: &str) -> Option<u32> {
    let is_number = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
