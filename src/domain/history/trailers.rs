//! Trailers: the lines `Name: value` of commit messages, and those by which the agent knows its own reverts.

use crate::domain::ids::{CommitId, EnvironmentName, ServiceName};
use crate::domain::text::inert_value;
use crate::domain::time::Time;

/// The trailer by which the agent knows its own commits.
pub const ID_TRAILER: &str = "Backout-Id";

/// The trailer that names the revert of which a commit takes the pins off.
pub const UNPINS_TRAILER: &str = "Backout-Unpins";

/// The trailer that names a pin, and the one that says until when the pins of a commit hold.
pub const PIN_TRAILER: &str = "Backout-Pin";
/// See [`PIN_TRAILER`].
pub const PIN_UNTIL_TRAILER: &str = "Backout-Pin-Until";

/// The trailer that names the service with which another one of its group goes back.
pub const TOGETHER_TRAILER: &str = "Backout-Together-With";

/// The trailer that names a service of the same group which goes back later, by a commit of its own.
pub const THEN_TRAILER: &str = "Backout-Then";

/// The trailer that names the environment from which the version is known as bad, and the deployment there.
pub const ELSEWHERE_TRAILER: &str = "Backout-Elsewhere";

/// The trailer that names a signal that got worse.
pub const SIGNAL_TRAILER: &str = "Backout-Signal";

/// The most trailers of a kind that the agent writes.
pub const MAX_TRAILERS: usize = 50;

/// The most services that a commit takes back, each with a block of trailers of its own.
pub const MAX_BLOCKS: usize = 20;

/// The value of a trailer in the last paragraph of a commit message; the name is compared without case.
/// Source: <https://git-scm.com/docs/git-interpret-trailers>.
#[must_use]
pub fn trailer<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    trailers(message).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// All trailers in the last paragraph of a commit message, in order. A message of one paragraph has none.
pub fn trailers(message: &str) -> impl Iterator<Item = (&str, &str)> {
    let trimmed = message.trim_end();
    trailer_lines(trimmed.rfind("\n\n").and_then(|at| trimmed.get(at + 2..)).unwrap_or(""))
}

/// The lines of a paragraph that have the form of a trailer.
pub fn trailer_lines(paragraph: &str) -> impl Iterator<Item = (&str, &str)> {
    paragraph.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain.then(|| (key, value.trim()))
    })
}

/// The trailers by which the agent knows a revert of its own.
#[derive(Clone, Debug)]
pub struct OwnTrailers<'m>(Vec<(&'m str, &'m str)>);

impl<'m> OwnTrailers<'m> {
    /// Finds the first paragraph with all four of the agent's trailers: that of the service of which the revert is. It may stand
    /// anywhere: a forge that squashes a proposal puts lines of its own behind it.
    #[must_use]
    pub fn find(message: &'m str) -> Option<Self> {
        Self::find_all(message).next()
    }

    /// Finds all such paragraphs: where services of a group go back together, each has one. More than the agent writes are not read.
    pub fn find_all(message: &'m str) -> impl Iterator<Item = Self> {
        // Nearly all commits are somebody else's.
        let may_have = memchr::memmem::find(message.as_bytes(), ID_TRAILER.as_bytes()).is_some();
        let complete = |own: &Self| {
            let needed = [ID_TRAILER, "Backout-Environment", "Backout-Service", "Backout-Reverts"];
            needed.iter().all(|name| own.value(name).is_some())
        };
        let paragraphs = message.split("\n\n").skip(1).filter(move |_| may_have);
        paragraphs.map(|paragraph| Self(trailer_lines(paragraph).collect())).filter(complete).take(MAX_BLOCKS)
    }

    /// Whether one of the agent's paragraphs in a message has this rollback id.
    #[must_use]
    pub fn has_id(message: &'m str, id: &str) -> bool {
        Self::find_all(message).any(|own| own.id() == Some(id))
    }

    /// Whether it is a revert in this environment.
    #[must_use]
    pub fn is_in(&self, environment: &EnvironmentName) -> bool {
        self.value("Backout-Environment") == Some(environment.as_str())
    }

    /// Whether it is a revert of this service in this environment.
    #[must_use]
    pub fn is_of(&self, environment: &EnvironmentName, service: &ServiceName) -> bool {
        self.is_in(environment) && self.value("Backout-Service") == Some(service.as_str())
    }

    /// Whether a person asked for it.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.value("Backout-Requested-By").is_some()
    }

    /// Whether it was proposed because the version is known as bad from another environment, and not because of damage in this one.
    #[must_use]
    pub fn is_from_elsewhere(&self) -> bool {
        self.value(ELSEWHERE_TRAILER).is_some()
    }

    /// The service with which this one goes back, where both are of one group.
    #[must_use]
    pub fn together_with(&self) -> Option<ServiceName> {
        self.value(TOGETHER_TRAILER)?.parse().ok()
    }

    /// The services of the group that go back after this one, in this order. More than the agent writes are not read.
    #[must_use]
    pub fn then(&self) -> Vec<ServiceName> {
        self.values(THEN_TRAILER).filter_map(|value| value.parse().ok()).take(MAX_BLOCKS).collect()
    }

    /// Whether a signal of the service had got worse, as it says.
    pub(super) fn has_signal(&self) -> bool {
        self.value(SIGNAL_TRAILER).is_some()
    }

    /// The deployment that it takes back.
    #[must_use]
    pub fn reverts(&self) -> Option<CommitId> {
        self.value("Backout-Reverts")?.parse().ok()
    }

    /// The other deployments that it takes back. More than the agent writes are not read.
    #[must_use]
    pub fn with(&self) -> Vec<CommitId> {
        self.values("Backout-With").filter_map(|value| value.parse().ok()).take(MAX_TRAILERS).collect()
    }

    /// The values that it says it replaced, each with what it says it put in its place.
    pub(super) fn restored(&self) -> Vec<(String, String)> {
        let pairs = self.0.windows(2).filter_map(|pair| match pair {
            [(from, old), (to, new)]
                if from.eq_ignore_ascii_case("Backout-From") && to.eq_ignore_ascii_case("Backout-To") =>
            {
                Some(((*old).to_owned(), (*new).to_owned()))
            }
            _ => None,
        });
        pairs.collect()
    }

    /// The pins that it says it wrote. More than the agent writes are not read.
    pub fn pins(&self) -> impl Iterator<Item = &'m str> {
        self.values(PIN_TRAILER).take(MAX_TRAILERS)
    }

    /// Until when they hold.
    #[must_use]
    pub fn pinned_until(&self) -> Option<Time> {
        self.value(PIN_UNTIL_TRAILER)?.parse().ok()
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> Option<&'m str> {
        self.value("Backout-Service")
    }

    /// The rollback id.
    #[must_use]
    pub fn id(&self) -> Option<&'m str> {
        self.value(ID_TRAILER)
    }

    pub(super) fn value(&self, name: &str) -> Option<&'m str> {
        self.values(name).next()
    }

    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'m str> {
        self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// What a value is called that is not there: a field that a commit added has it before, one that it removed after. No value of a field
/// reads so, as rules take none with spaces.
pub const NOTHING: &str = "(nothing)";

/// A value as one line of a trailer: without the quotes of its file, without control characters, at most 200 characters.
/// Words that would keep a forge from running its checks on the revert are taken apart, on both sides of a comparison.
#[must_use]
pub fn trailer_value(text: &str) -> String {
    if text.is_empty() {
        return NOTHING.to_owned();
    }
    let text = text.trim();
    let quoted = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let bare = quoted('"').or_else(|| quoted('\'')).unwrap_or(text);
    inert_value(&bare.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
}
