//! Who may push, and who may merge into a branch.

use globset::GlobBuilder;

use super::GitLab;
use super::types::{AccessLevel, Branch, Member, Protection};
use crate::adapters::forge::rest::path_part;
use crate::domain::ids::BranchName;
use crate::domain::review::command::{Order, Right};
use crate::ports::ForgeError;

/// The access level from which on one may push: Developer. Source: <https://docs.gitlab.com/api/members/>.
pub(super) const DEVELOPER: u32 = 30;
/// The access level that may merge into a protected branch where nobody has said otherwise: Maintainer.
pub(super) const MAINTAINER: u32 = 40;

impl GitLab {
    /// Also through a group. Source: <https://docs.gitlab.com/api/members/>.
    pub(super) async fn right(
        &self,
        user: i64,
        order: Order,
        base: &BranchName,
    ) -> Result<Right, ForgeError> {
        let path = format!("{}/members/all/{user}", self.root);
        let member: Option<Member> = self.rest.get_if_any(&path).await?;
        let level = member.map_or(0, |member| member.access_level);
        if level < DEVELOPER {
            return Ok(Right::Missing);
        }
        if order != Order::Approve || self.may_merge(user, level, base).await? {
            return Ok(Right::Given);
        }
        Ok(Right::PushOnly(format!(
            "the protection of `{base}` does not let their role or themselves merge (groups are not looked into)"
        )))
    }

    /// Whether a member may merge into a branch. Where GitLab does not tell who may, Maintainers may.
    async fn may_merge(&self, user: i64, level: u32, base: &BranchName) -> Result<bool, ForgeError> {
        let path = format!("{}/repository/branches/{}", self.root, path_part(base.as_str()));
        let branch: Option<Branch> = self.rest.get_if_told(&path).await?;
        if branch.is_some_and(|branch| !branch.protected || branch.developers_can_merge) {
            return Ok(true);
        }
        let path = format!("{}/protected_branches?per_page=100", self.root);
        let rules: Vec<Protection> = self.rest.list_if_told(&path).await?;
        let mut covering = rules.iter().filter(|rule| covers(&rule.name, base)).peekable();
        if covering.peek().is_none() {
            return Ok(level >= MAINTAINER);
        }
        // Of several rules the one that lets most people merge counts, also beside one with the branch's very name.
        // Source: <https://docs.gitlab.com/user/project/repository/branches/protection_rules/>.
        Ok(covering.flat_map(|rule| &rule.merge_access_levels).any(|one| one.lets_in(user, level)))
    }
}

impl AccessLevel {
    /// What names a user or a group may have a level too, which says nothing about others.
    fn lets_in(&self, user: i64, level: u32) -> bool {
        match (self.user_id, self.group_id, self.access_level) {
            (Some(named), _, _) => named == user,
            (None, None, Some(least)) => least > 0 && level >= least,
            (None, Some(_), _) | (None, None, None) => false,
        }
    }
}

/// Whether a rule holds for a branch: `*` stands for any text, and everything else for itself.
/// Source: <https://docs.gitlab.com/user/project/repository/branches/protected/#use-wildcard-rules>.
fn covers(pattern: &str, branch: &BranchName) -> bool {
    let pieces: Vec<String> = pattern.split('*').map(globset::escape).collect();
    let glob = GlobBuilder::new(&pieces.join("*")).literal_separator(false).build();
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(branch.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_nothing_else_is_special() {
        for (pattern, branch, expected) in [
            ("main", "main", true),
            ("main", "main2", false),
            ("*", "env/main", true),
            ("env/*", "env/eu/main", true),
            ("*-stable", "production-stable", true),
            ("env/*/main", "env/main", false),
            ("ma?n", "main", false),
            ("[m]ain", "main", false),
            ("{main,other}", "main", false),
            ("", "main", false),
        ] {
            assert_eq!(covers(pattern, &BranchName::new(branch).unwrap()), expected, "{pattern} {branch}");
        }
    }
}
