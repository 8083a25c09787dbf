//! The guard `fix`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, MAX_NAME, Situation};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::Goal;
use crate::domain::history::automation::is_automation;
use crate::domain::ids::CommitId;
use crate::domain::text::one_line;

/// The most changes that are kept. A revert goes back a few states.
const MAX_KEPT: usize = 10;

/// The most characters of a subject that are looked at, and kept.
const MAX_SUBJECT: usize = 160;

/// What the guard `fix` looks at: what would be lost with a revert besides the bad version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FixFacts {
    /// The changes that go back, newest first, of which the subject has such a word or which a person put on top. At most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<TakenBackChange>,
}

/// A change that goes back, and that may be a fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenBackChange {
    /// The commit.
    pub commit: CommitId,
    /// The beginning of its subject.
    pub subject: String,
    /// The word in it that says that it mends something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// Whether it is the bad deployment itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_own: bool,
    /// Whether a machine made it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_automation: bool,
    /// Who made it, where a person other than the author of the bad deployment has changed the same fields after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_top_by: Option<String>,
}

/// Words that mean a fix of something bad in production, whoever writes them: a bot that closes a hole says so too
/// (`chore(deps): update web [SECURITY]`). A number of a hole (`CVE-2026-1234`) is the same.
const GRAVE: [&str; 3] = ["hotfix", "security", "incident"];

/// Words for fixes of all kinds. Conventional commits call half of all releases a fix, and a bad deployment is one no more: so they
/// mean something only of another change that goes back with it, and only where a person made that one.
const COMMON: [&str; 4] = ["fix", "fixes", "fixed", "bugfix"];

fn is_grave(word: &str) -> bool {
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    GRAVE.contains(&word) || word.strip_prefix("cve-").is_some_and(is_number)
}

/// The word of a subject that says that the commit mends something, a grave one before a common one. Only the subject is looked
/// at: the bodies of bots hold whole release notes. A word is one between spaces or brackets: `prefix` and `incident-api` have none.
/// Neither do the name of the service, the scope of dependencies in `fix(deps): …`, and what takes a fix back.
fn word_of(subject: &str, service: &str) -> Option<String> {
    let subject = one_line(subject, MAX_SUBJECT).to_lowercase();
    let is_end = |c: char| c.is_whitespace() || "()[]{}<>:,;!?\"'`".contains(c);
    let kind_of_dependencies = |head: &str| {
        head.split_once('(').is_some_and(|(kind, scope)| !kind.contains(is_end) && scope.starts_with("deps"))
    };
    let text = match subject.split_once(':') {
        Some((head, rest)) if kind_of_dependencies(head) => rest,
        Some(_) | None => subject.as_str(),
    };
    let words: Vec<&str> =
        text.split(is_end).map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty()).collect();
    if words.first().is_some_and(|first| ["revert", "reverts", "rollback"].contains(first)) {
        return None;
    }
    let service = service.to_lowercase();
    let is_name = |word: &str| service.split(['/', '-', '_', '.']).any(|part| part == word);
    let find = |is_it: &dyn Fn(&str) -> bool| words.iter().find(|word| is_it(word) && !is_name(word));
    find(&is_grave).or_else(|| find(&|word| COMMON.contains(&word))).map(|word| (*word).to_owned())
}

impl TakenBackChange {
    fn of(change: &Deployment, is_newer: bool, case: &Case<'_>) -> Self {
        let own = case.deployment;
        let is_automation = is_automation(&change.author, &case.policy.automation);
        let is_same_field = change.fields.iter().any(|field| {
            own.fields.iter().any(|other| (&other.path, &other.address) == (&field.path, &field.address))
        });
        let is_on_top = is_newer && is_same_field && !is_automation && change.author != own.author;
        Self {
            commit: change.commit,
            subject: one_line(&change.subject, MAX_SUBJECT),
            word: word_of(&change.subject, change.service.as_str()),
            is_own: change.commit == own.commit,
            is_automation,
            on_top_by: is_on_top.then(|| one_line(&change.author.name, MAX_NAME)),
        }
    }

    /// Whether a person must say that it may be lost.
    fn counts(&self) -> bool {
        let is_fix = |word: &String| is_grave(word) || !self.is_own && !self.is_automation;
        self.on_top_by.is_some() || self.word.as_ref().is_some_and(is_fix)
    }
}

impl Guard for FixFacts {
    const REASON: &'static str = "A revert must not open a hole again, or throw away what somebody did against the damage, unless a person says so.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        let own = case.deployment;
        let changes = match case.goal {
            Some(Goal::Undo(changes, _)) => changes.as_slice(),
            Some(Goal::NoneGood(_) | Goal::TakenBack(_) | Goal::Under(_)) | None => std::slice::from_ref(own),
        };
        let place = changes.iter().position(|change| change.commit == own.commit).unwrap_or(0);
        let each = changes
            .iter()
            .enumerate()
            .map(|(index, change)| TakenBackChange::of(change, index < place, case));
        let some = each.filter(|one| one.word.is_some() || one.on_top_by.is_some());
        let (mut kept, rest): (Vec<_>, Vec<_>) = some.partition(TakenBackChange::counts);
        kept.extend(rest);
        kept.truncate(MAX_KEPT);
        Self { taken_back: kept }
    }

    fn answer(&self) -> Option<Decision> {
        self.taken_back.iter().any(TakenBackChange::counts).then_some(Decision::Propose)
    }

    fn doubt(&self) -> Option<String> {
        let mut counting = self.taken_back.iter().filter(|one| one.counts());
        let first = counting.next()?;
        let (commit, subject) = (first.commit.short(), &first.subject);
        let what = match &first.on_top_by {
            Some(person) => {
                format!("{commit} ({subject}), with which {person} changed the same fields later")
            }
            None => format!("what may be a fix: {commit} ({subject})"),
        };
        let more = counting.count();
        let more = if more > 0 { format!(", and {more} more of this kind") } else { String::new() };
        Some(format!("the revert takes back {what}{more}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_words_in_some_places_mean_a_fix() {
        for (subject, expected) in [
            ("Deploy web v2", None),
            ("fix: leak in the cart", Some("fix")),
            ("fix(web)!: leak in the cart", Some("fix")),
            ("Web: Fixes #12", Some("fixes")),
            ("bugfix for the cart", Some("bugfix")),
            ("Hotfix, as agreed.", Some("hotfix")),
            ("the fix.", Some("fix")),
            ("mitigate the incident", Some("incident")),
            ("fix: the incident of today", Some("incident")),
            ("Patch CVE-2026-1234", Some("cve-2026-1234")),
            ("chore(deps): update web to v2 [SECURITY]", Some("security")),
            // What bots call every bump.
            ("fix(deps): update image web to v2", None),
            ("fix(deps-dev): update image web to v2", None),
            ("fix(deps): update web, fixes a leak", Some("fixes")),
            // Other words.
            ("prefix the names, affix a label, fixture", None),
            ("deploy incident-api v2", None),
            ("update security-scanner", None),
            ("read about cve- and cves", None),
            // What takes a fix back.
            ("Revert \"fix: leak in the cart\"", None),
            ("", None),
        ] {
            assert_eq!(word_of(subject, "web").as_deref(), expected, "{subject:?}");
        }
        assert_eq!(word_of("deploy security v2", "eu/security"), None, "the service's own name");
        assert_eq!(word_of(&format!("{} fix", "x".repeat(10_000)), "web"), None, "far behind");
    }
}
