//! How a branch may be merged into, as GraphQL tells it.

use serde::Deserialize;
use serde_json::Value;

/// How a branch may be merged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether GitHub merges by itself.
    pub(super) auto_merge: bool,
    /// The ways to merge, in the order in which they are preferred.
    pub(super) methods: Vec<Way>,
    pub(super) has_queue: bool,
    pub(super) wants_signatures: bool,
}

/// A way to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Squash,
    Merge,
    Rebase,
}

#[expect(clippy::struct_excessive_bools, reason = "these are the fields of the answer")]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositorySettings {
    #[serde(default)]
    auto_merge_allowed: bool,
    #[serde(default = "yes")]
    squash_merge_allowed: bool,
    #[serde(default = "yes")]
    merge_commit_allowed: bool,
    #[serde(default = "yes")]
    rebase_merge_allowed: bool,
    #[serde(default)]
    merge_queue: Option<Value>,
    #[serde(default, rename = "ref")]
    branch: Option<RefRules>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefRules {
    #[serde(default)]
    ref_update_rule: Option<UpdateRule>,
    #[serde(default)]
    rules: Option<Nodes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateRule {
    #[serde(default)]
    requires_signatures: bool,
    #[serde(default)]
    requires_linear_history: bool,
}

#[derive(Deserialize)]
struct Nodes {
    #[serde(default)]
    nodes: Option<Vec<Option<RuleKind>>>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct RuleKind {
    #[serde(rename = "type")]
    kind: String,
}

impl Settings {
    /// What counts where GitHub does not tell.
    pub(super) fn unknown() -> Self {
        let methods = vec![Way::Squash, Way::Merge, Way::Rebase];
        Self { auto_merge: true, methods, has_queue: false, wants_signatures: false }
    }
}

impl From<RepositorySettings> for Settings {
    fn from(found: RepositorySettings) -> Self {
        let (update, rules) = match found.branch {
            Some(branch) => {
                (branch.ref_update_rule, branch.rules.and_then(|rules| rules.nodes).unwrap_or_default())
            }
            None => (None, Vec::new()),
        };
        let has = |kind: &str| rules.iter().flatten().any(|rule| rule.kind == kind);
        let linear = update.as_ref().is_some_and(|rule| rule.requires_linear_history)
            || has("REQUIRED_LINEAR_HISTORY");
        let allowed = [
            (Way::Squash, found.squash_merge_allowed),
            (Way::Merge, found.merge_commit_allowed && !linear),
            (Way::Rebase, found.rebase_merge_allowed),
        ];
        Self {
            auto_merge: found.auto_merge_allowed,
            methods: allowed.into_iter().filter(|(_, allowed)| *allowed).map(|(method, _)| method).collect(),
            has_queue: found.merge_queue.is_some_and(|queue| !queue.is_null()) || has("MERGE_QUEUE"),
            wants_signatures: update.is_some_and(|rule| rule.requires_signatures)
                || has("REQUIRED_SIGNATURES"),
        }
    }
}
