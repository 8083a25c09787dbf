//! What keeps a pull request from being merged, each check and rule by its name. Gitea tells whether the changes conflict
//! and leaves the rest to its rules, so that these are read.

use globset::GlobBuilder;

use super::Gitea;
use super::types::{Branch, CombinedStatus, Protection, Pull, Status, SubmittedReview};
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{LOOKS, blocked, missing_approvals, plain, settled};
use crate::domain::ids::BranchName;
use crate::domain::review::Standing;
use crate::ports::ForgeError;

/// The most pages of statuses that are read of a commit.
const MAX_STATUS_PAGES: usize = 4;

/// What the protection of a branch wants of a pull request. What may not be read wants nothing.
#[derive(Debug, Default)]
struct Wanted {
    /// The statuses that must be there, as patterns; without one all that are there must be good. None: they do not matter.
    checks: Option<Vec<String>>,
    approvals: usize,
    /// Whether the agent is kept from merging.
    keeps_out: bool,
    rest: Protection,
}

impl Pull {
    /// Servers of before 1.22 tell of drafts in titles alone.
    /// Source: <https://docs.gitea.com/usage/pull-request#work-in-progress-pull-requests>.
    fn is_draft(&self) -> bool {
        let title = self.title.trim_start().to_lowercase();
        self.draft.unwrap_or_else(|| title.starts_with("wip:") || title.starts_with("[wip]"))
    }

    /// Whether its branch contains the tip of the one that it is to be merged into; then it cannot conflict.
    fn contains_base(&self) -> bool {
        !self.merge_base.is_empty() && self.merge_base == self.base.sha
    }
}

impl Gitea {
    /// The pull request, once Gitea has worked out whether it can be merged, or a moment later. Until then it says that it
    /// cannot, as where it conflicts.
    pub(super) async fn settled_pull(&self, number: u64) -> Result<Pull, ForgeError> {
        let is_known = |pull: &Pull| pull.mergeable != Some(false) || pull.is_draft();
        settled(LOOKS, || self.pull(number), |pull| pull.state != "open" || is_known(pull)).await
    }

    /// `mergeable` is false for drafts, for conflicts, and while neither is known; rules have no part in it.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/models/issues/pull.go>, `Mergeable`.
    pub(super) async fn standing(
        &self,
        pull: &Pull,
        base: &BranchName,
        is_open: bool,
    ) -> Result<Standing, ForgeError> {
        if !is_open {
            return Ok(Standing::Unknown);
        }
        if pull.is_draft() {
            return Ok(Standing::Blocked(vec!["it is a draft".to_owned()]));
        }
        if pull.mergeable == Some(false) {
            return Ok(if pull.contains_base() { Standing::Unknown } else { Standing::Conflict });
        }
        let wanted = self.wanted(base).await?;
        // A server that allows only fast-forwards answers 500 where the pull request lacks the newest commit of the branch.
        let must_contain = wanted.rest.block_on_outdated_branch
            || !pull.contains_base() && self.info().await?.is_some_and(|info| info.is_fast_forward_only());
        if must_contain && !pull.contains_base() {
            return Ok(Standing::Behind);
        }
        let mut names = self.missing_checks(pull, &wanted).await?;
        names.extend(self.opinions(pull.number, &wanted).await?);
        if wanted.keeps_out {
            names.push("the branch's protection does not let the agent merge".to_owned());
        }
        Ok(if names.is_empty() { Standing::Ready } else { blocked(names) })
    }

    /// Everybody may read the first part of a protection, and administrators of the repository the rest.
    async fn wanted(&self, base: &BranchName) -> Result<Wanted, ForgeError> {
        let branch = self.branch(base).await?;
        if !branch.protected {
            return Ok(Wanted::default());
        }
        let rest = self.protection(&branch.effective_branch_protection_name).await?;
        Ok(Wanted {
            checks: branch.enable_status_check.then_some(branch.status_check_contexts),
            approvals: branch.required_approvals,
            keeps_out: branch.user_can_merge == Some(false),
            rest: rest.unwrap_or_default(),
        })
    }

    pub(super) async fn branch(&self, base: &BranchName) -> Result<Branch, ForgeError> {
        let path = format!("{}/branches/{}", self.root, path_part(base.as_str()));
        Ok(self.rest.get_if_any(&path).await?.unwrap_or_default())
    }

    /// A protection by its name; none where it is not told.
    pub(super) async fn protection(&self, name: &str) -> Result<Option<Protection>, ForgeError> {
        if name.is_empty() {
            return Ok(None);
        }
        let path = format!("{}/branch_protections/{}", self.root, path_part(name));
        match self.rest.get_if_any(&path).await {
            Err(ForgeError::Denied(reason)) => {
                tracing::debug!(reason, "the protection of the branch may not be read");
                Ok(None)
            }
            read => read,
        }
    }

    /// The statuses that are wanted, and not there or not good.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/services/pull/commit_status.go>.
    async fn missing_checks(&self, pull: &Pull, wanted: &Wanted) -> Result<Vec<String>, ForgeError> {
        let Some(patterns) = &wanted.checks else { return Ok(Vec::new()) };
        let statuses = self.statuses(&pull.head.sha).await?;
        let is_good = |status: &&Status| matches!(status.state.as_str(), "success" | "skipped");
        let tell = |status: &Status| {
            format!("the required check `{}` is {}", plain(&status.context), plain(&status.state))
        };
        if patterns.is_empty() {
            return Ok(statuses.iter().filter(|status| !is_good(status)).map(tell).collect());
        }
        let mut names = Vec::new();
        for pattern in patterns {
            // Gitea ignores what is no pattern.
            let Ok(glob) = GlobBuilder::new(pattern).literal_separator(false).build() else { continue };
            let matcher = glob.compile_matcher();
            let matching: Vec<&Status> =
                statuses.iter().filter(|status| matcher.is_match(&status.context)).collect();
            if matching.is_empty() {
                names.push(format!("the required check `{}` has not begun", plain(pattern)));
            }
            names.extend(matching.into_iter().filter(|status| !is_good(status)).map(tell));
        }
        names.dedup();
        Ok(names)
    }

    /// The last status of each context of a commit.
    pub(super) async fn statuses(&self, sha: &str) -> Result<Vec<Status>, ForgeError> {
        let mut all = Vec::new();
        for number in 1..=MAX_STATUS_PAGES {
            let path = format!(
                "{}/commits/{}/status?limit={}&page={number}",
                self.root,
                path_part(sha),
                super::PAGE
            );
            let page: Option<CombinedStatus> = self.rest.get_if_any(&path).await?;
            let statuses = page.map_or_else(Vec::new, |page| page.statuses);
            let is_last = statuses.len() < super::PAGE;
            all.extend(statuses);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// What reviewers say, as far as the protection counts it: who wants changes, and how many approvals are missing.
    async fn opinions(&self, number: u64, wanted: &Wanted) -> Result<Vec<String>, ForgeError> {
        let rules = &wanted.rest;
        if wanted.approvals == 0
            && !rules.block_on_rejected_reviews
            && !rules.block_on_official_review_requests
        {
            return Ok(Vec::new());
        }
        let path = format!("{}/pulls/{number}/reviews", self.root);
        let reviews: Vec<SubmittedReview> = self.pages(&path).await?;
        let (mut told, mut given) = (Vec::new(), 0_usize);
        for review in reviews.iter().filter(|review| review.official && !review.dismissed) {
            let who = review.user.as_ref().map_or_else(|| "a team".to_owned(), |user| plain(&user.login));
            match review.state.as_str() {
                "APPROVED" if !(review.stale && rules.ignore_stale_approvals) => given += 1,
                "REQUEST_CHANGES" if rules.block_on_rejected_reviews => {
                    told.push(format!("{who} wants changes"));
                }
                "REQUEST_REVIEW" if rules.block_on_official_review_requests => {
                    told.push(format!("{who} has not reviewed it"));
                }
                _ => {}
            }
        }
        told.extend(missing_approvals(wanted.approvals.saturating_sub(given)));
        Ok(told)
    }
}
