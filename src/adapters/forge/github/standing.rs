//! What keeps a pull request from being merged, each check and rule by its name.

use std::collections::{BTreeMap, BTreeSet};

use super::GitHub;
use super::types::{Branch, BranchRule, CheckRuns, CombinedStatus, Pull, SubmittedReview};
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{LOOKS, blocked, missing_approvals, plain, settled};
use crate::domain::ids::BranchName;
use crate::domain::review::Standing;
use crate::ports::ForgeError;

/// What the branch's rules want of a pull request.
#[derive(Debug, Default)]
struct Wanted {
    checks: BTreeSet<String>,
    approvals: usize,
    /// The kinds of other rules.
    others: BTreeSet<String>,
}

impl GitHub {
    /// The pull request, once GitHub has worked out whether it can be merged, or a moment later.
    pub(super) async fn settled_pull(&self, number: u64) -> Result<Pull, ForgeError> {
        let is_known = |pull: &Pull| pull.mergeable_state.as_deref().is_some_and(|state| state != "unknown");
        settled(LOOKS, || self.pull(number), |pull| pull.state != "open" || is_known(pull)).await
    }

    /// Source of the states: <https://docs.github.com/en/graphql/reference/enums#mergestatestatus>.
    pub(super) async fn standing(
        &self,
        pull: &Pull,
        base: &BranchName,
        is_open: bool,
    ) -> Result<Standing, ForgeError> {
        Ok(match pull.mergeable_state.as_deref().unwrap_or("unknown") {
            _ if !is_open => Standing::Unknown,
            "clean" | "has_hooks" | "unstable" => Standing::Ready,
            "dirty" => Standing::Conflict,
            "behind" => Standing::Behind,
            "draft" => Standing::Blocked(vec!["it is a draft".to_owned()]),
            "blocked" if pull.draft == Some(true) => Standing::Blocked(vec!["it is a draft".to_owned()]),
            "blocked" => blocked(self.blockers(pull, base).await?),
            _ => Standing::Unknown,
        })
    }

    async fn blockers(&self, pull: &Pull, base: &BranchName) -> Result<Vec<String>, ForgeError> {
        let wanted = self.wanted(base).await?;
        let states = self.checks(&pull.head.sha).await?;
        let mut names = Vec::new();
        for check in &wanted.checks {
            match states.get(check).map(String::as_str) {
                Some("success" | "neutral" | "skipped") => {}
                Some(state) => names.push(format!("the required check `{}` is {state}", plain(check))),
                None => names.push(format!("the required check `{}` has not begun", plain(check))),
            }
        }
        names.extend(self.opinions(pull.number, wanted.approvals).await?);
        if names.is_empty() {
            names.extend(wanted.others.iter().map(|kind| format!("the rule `{}`", plain(kind))));
        }
        if names.is_empty() {
            names.push("a rule of the branch that GitHub does not tell of".to_owned());
        }
        Ok(names)
    }

    /// What the rulesets and the classic protection of a branch want. What may not be read wants nothing.
    async fn wanted(&self, base: &BranchName) -> Result<Wanted, ForgeError> {
        let mut wanted = Wanted::default();
        let path = format!("{}/rules/branches/{}?per_page=100", self.root, path_part(base.as_str()));
        let rules: Option<Vec<BranchRule>> = self.rest.get_if_told(&path).await?;
        for rule in rules.into_iter().flatten() {
            let parameters = rule.parameters.unwrap_or_default();
            match rule.kind.as_str() {
                "required_status_checks" => {
                    let contexts = parameters.required_status_checks.into_iter();
                    wanted.checks.extend(contexts.map(|check| check.context));
                }
                "pull_request" => {
                    wanted.approvals = wanted.approvals.max(parameters.required_approving_review_count);
                }
                "deletion" | "non_fast_forward" | "creation" | "update" | "required_linear_history" => {}
                other => drop(wanted.others.insert(other.to_owned())),
            }
        }
        let path = format!("{}/branches/{}", self.root, path_part(base.as_str()));
        let branch: Option<Branch> = self.rest.get_if_told(&path).await?;
        let classic = branch.and_then(|branch| branch.protection?.required_status_checks);
        wanted.checks.extend(classic.into_iter().flat_map(|checks| checks.contexts));
        Ok(wanted)
    }

    /// The state of each check and status of a commit, in a word.
    async fn checks(&self, sha: &str) -> Result<BTreeMap<String, String>, ForgeError> {
        let path = format!("{}/commits/{}/check-runs?per_page=100", self.root, path_part(sha));
        let runs: Option<CheckRuns> = self.rest.get_if_told(&path).await?;
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        for run in runs.into_iter().flat_map(|runs| runs.check_runs) {
            let state = run.conclusion.unwrap_or(run.status).replace('_', " ");
            states.insert(run.name, state);
        }
        let path = format!("{}/commits/{}/status?per_page=100", self.root, path_part(sha));
        let combined: Option<CombinedStatus> = self.rest.get_if_told(&path).await?;
        let statuses = combined.into_iter().flat_map(|combined| combined.statuses);
        states.extend(statuses.map(|status| (status.context, status.state)));
        Ok(states)
    }

    /// What reviewers say: who wants changes, and how many approvals are missing.
    async fn opinions(&self, number: u64, wanted: usize) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/pulls/{number}/reviews?per_page=100", self.root);
        let reviews: Option<Vec<SubmittedReview>> = self.rest.get_if_told(&path).await?;
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        for review in reviews.into_iter().flatten() {
            let Some(user) = review.user.filter(|_| review.state != "COMMENTED") else { continue };
            last.insert(user.login, review.state);
        }
        let against = last.iter().filter(|(_, state)| *state == "CHANGES_REQUESTED");
        let mut told: Vec<String> =
            against.map(|(login, _)| format!("{} wants changes", plain(login))).collect();
        let given = last.values().filter(|state| *state == "APPROVED").count();
        told.extend(missing_approvals(wanted.saturating_sub(given)));
        Ok(told)
    }
}
