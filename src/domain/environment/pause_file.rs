//! The file `.backout/pause.yaml` of an environment's branch: pauses for people who have no command at hand.
//!
//! ```yaml
//! - {until: 2026-12-01T18:00:00Z, why: the move to the new cluster}
//! - {environment: production, service: checkout, until: 2026-12-01T18:00:00Z, why: a test of the load}
//! ```
//!
//! Who cannot be understood wanted the agent to stop: so a file that is broken pauses all that it could be about.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser};

use super::pause::{MAX_PAUSE_SECS, MAX_PAUSES, Pause};
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::text::{cut, one_line};
use crate::domain::time::Time;

/// Where the file is.
pub const PAUSE_FILE: &str = ".backout/pause.yaml";
/// How people call it by mistake.
pub const OTHER_FILE: &str = ".backout/pause.yml";
/// The largest file that is read, in bytes: [`MAX_PAUSES`] entries have room.
const MAX_BYTES: usize = 256 << 10;

/// One entry of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseEntry {
    /// The environment; none for each that the branch holds.
    environment: Option<EnvironmentName>,
    service: Option<ServiceName>,
    until: Time,
    why: String,
}

impl PauseEntry {
    /// The environment that the entry names; none where it is about each that the branch holds.
    #[must_use]
    pub fn environment(&self) -> Option<&EnvironmentName> {
        self.environment.as_ref()
    }

    /// The service that the entry names; none where it is about an environment as a whole.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceName> {
        self.service.as_ref()
    }

    /// Whether its time is over, so that it pauses nothing any more.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.until <= now
    }

    /// The pause of an environment that the entry asks for. None where it is about another one.
    #[must_use]
    pub fn in_environment(&self, environment: &EnvironmentName, by: &str) -> Option<Pause> {
        if self.environment.as_ref().is_some_and(|named| named != environment) {
            return None;
        }
        let pause = Pause {
            environment: environment.clone(),
            service: self.service.clone(),
            at: None,
            until: self.until,
            by: by.to_owned(),
            why: self.why.clone(),
            lifted: None,
        };
        Some(pause.harmless())
    }
}

/// Reads the file.
///
/// # Errors
/// Names the line that is wrong, and what to write there.
pub fn read_pause_file(bytes: &[u8], now: Time) -> Result<Vec<PauseEntry>, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("{PAUSE_FILE} is larger than {} KiB: take out what is over", MAX_BYTES >> 10));
    }
    let text = std::str::from_utf8(bytes).map_err(|_utf8| format!("{PAUSE_FILE} is not UTF-8 text"))?;
    let entries = entries(text).and_then(|written| written.iter().map(|one| one.understood(now)).collect());
    entries.map_err(|(line, message)| format!("{PAUSE_FILE}, line {line}: {}", one_line(&message, 300)))
}

/// The line that is wrong, from 1, and what is wrong.
type Mistake = (usize, String);

/// A map of the list: where it begins, and its keys with their lines and texts.
#[derive(Default)]
struct Written {
    line: usize,
    keys: BTreeMap<String, (usize, String)>,
}

/// The maps of the list, without any meaning yet.
fn entries(text: &str) -> Result<Vec<Written>, Mistake> {
    let line_at = |offset: Option<usize>| {
        let before = text.as_bytes().get(..offset.unwrap_or(0).min(text.len())).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let mut parser = Parser::new_from_str(text);
    let mut reader = Reader::default();
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let line = line_at(span.start.byte_offset());
                reader.take(event, line).map_err(|message| (line, message))?;
            }
            Err(error) => {
                let line = line_at(error.marker().byte_offset());
                return Err((line, format!("not valid YAML: {}", error.info())));
            }
        }
    }
    Ok(reader.done)
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    is_in_list: bool,
    open: Option<Written>,
    key: Option<(usize, String)>,
    done: Vec<Written>,
}

/// What the file holds, for who wrote something else.
const FORM: &str =
    "write a list of entries such as `- {service: checkout, until: 2026-12-01T18:00:00Z, why: a move}`";

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), String> {
        if event.tag().is_some() {
            return Err("tags are not read here: write the plain value".to_owned());
        }
        match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                Err("aliases are not read here: write the value out".to_owned())
            }
            Event::SequenceStart(..) if !self.is_in_list && self.done.is_empty() => {
                self.is_in_list = true;
                Ok(())
            }
            Event::SequenceEnd if self.is_in_list && self.open.is_none() => {
                self.is_in_list = false;
                Ok(())
            }
            Event::MappingStart(..) if self.is_in_list && self.open.is_none() => {
                self.open = Some(Written { line, ..Written::default() });
                Ok(())
            }
            Event::MappingEnd if self.key.is_none() => self.close(),
            Event::Scalar(text, ..) => self.scalar(&text, line),
            Event::SequenceStart(..) | Event::SequenceEnd | Event::MappingStart(..) | Event::MappingEnd => {
                Err(FORM.to_owned())
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        self.done.extend(self.open.take());
        match self.done.len() {
            0..=MAX_PAUSES => Ok(()),
            _ => Err(format!("more than {MAX_PAUSES} entries: take out what is over")),
        }
    }

    fn scalar(&mut self, text: &str, line: usize) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            // An empty file, or one with comments alone.
            let is_nothing = !self.is_in_list && matches!(text, "" | "~" | "null");
            return if is_nothing { Ok(()) } else { Err(FORM.to_owned()) };
        };
        let Some((at, key)) = self.key.take() else {
            if !matches!(text, "environment" | "service" | "until" | "why") {
                return Err(format!(
                    "unknown key `{}`: an entry has `until`, `why`, and perhaps `service` and `environment`",
                    cut(text, 40)
                ));
            }
            if open.keys.contains_key(text) {
                return Err(format!("the key `{text}` stands in one entry twice"));
            }
            self.key = Some((line, text.to_owned()));
            return Ok(());
        };
        open.keys.insert(key, (at, text.to_owned()));
        Ok(())
    }
}

impl Written {
    fn understood(&self, now: Time) -> Result<PauseEntry, Mistake> {
        let needed = |key: &str, example: &str| {
            let found = self.keys.get(key).filter(|(_, text)| !text.trim().is_empty());
            found.ok_or_else(|| (self.line, format!("`{key}` is missing: write {example}")))
        };
        let (line, until) =
            needed("until", "the time at which the pause ends, such as `until: 2026-12-01T18:00:00Z`")?;
        let (_, why) = needed("why", "why, such as `why: the move to the new cluster`")?;
        let until: jiff::Timestamp = until.trim().parse().map_err(|_no_time| {
            (*line, format!("`until: {}` is no time: write it like 2026-12-01T18:00:00Z", cut(until, 40)))
        })?;
        let until = Time::from_unix(until.as_second());
        if until.secs_since(now) > i64::from(MAX_PAUSE_SECS) {
            let days = MAX_PAUSE_SECS / 86_400;
            let message = format!(
                "`until: {until}` is more than {days} days ahead: write an earlier time, or set `mode: observe` in the configuration"
            );
            return Err((*line, message));
        }
        let named = |key: &str| self.keys.get(key).filter(|(_, text)| !text.is_empty());
        let environment = named("environment").map(|(line, text)| {
            EnvironmentName::new(text.as_str()).map_err(|error| (*line, error.to_string()))
        });
        let service = named("service")
            .map(|(line, text)| ServiceName::new(text.as_str()).map_err(|error| (*line, error.to_string())));
        Ok(PauseEntry {
            environment: environment.transpose()?,
            service: service.transpose()?,
            until,
            why: why.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
