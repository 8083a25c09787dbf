//! Commits that GitHub makes and signs itself, for branches that take verified commits only.

use base64::Engine as _;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::GitHub;
use super::documents::CREATE_COMMIT;
use super::types::Sha;
use crate::domain::history::snapshot::Content;
use crate::domain::ids::{BranchName, CommitId};
use crate::ports::{CommitRequest, ForgeError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    create_commit_on_branch: Payload,
}

#[derive(Deserialize)]
struct Payload {
    commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    oid: String,
}

impl GitHub {
    pub(super) async fn verified_commit(
        &self,
        request: &CommitRequest<'_>,
        base: &BranchName,
    ) -> Result<Option<CommitId>, ForgeError> {
        if self.options.signed || !self.settings(base).await?.wants_signatures {
            return Ok(None);
        }
        let additions = additions(request)?;
        let tip = match request.expected {
            None => self.new_branch(request).await?,
            Some(tip) if tip == request.parent => tip,
            Some(tip) => self.merge_into_branch(request, tip).await?,
        };
        self.commit_on(request, additions, tip).await.map(Some)
    }

    async fn new_branch(&self, request: &CommitRequest<'_>) -> Result<CommitId, ForgeError> {
        let body = json!({"ref": format!("refs/heads/{}", request.branch), "sha": request.parent});
        self.rest.send(Method::POST, &format!("{}/git/refs", self.root), &body).await?;
        Ok(request.parent)
    }

    /// Brings what the environment's branch is at into the proposal's. GitHub signs the merge.
    async fn merge_into_branch(
        &self,
        request: &CommitRequest<'_>,
        tip: CommitId,
    ) -> Result<CommitId, ForgeError> {
        let title = request.message.lines().next().unwrap_or("");
        let body = json!({"base": request.branch.as_str(), "head": request.parent, "commit_message": title});
        let merged: Option<Sha> =
            self.rest.send_for(Method::POST, &format!("{}/merges", self.root), &body).await?;
        // Nothing is answered where everything was in there already.
        merged.map_or(Ok(tip), |merged| self.rest.commit_id(&merged.sha))
    }

    /// Source: <https://docs.github.com/en/graphql/reference/mutations#createcommitonbranch>.
    async fn commit_on(
        &self,
        request: &CommitRequest<'_>,
        additions: Vec<Value>,
        tip: CommitId,
    ) -> Result<CommitId, ForgeError> {
        let gone = request.files.iter().filter(|(_, content)| content.is_none());
        let deletions: Vec<_> = gone.map(|(path, _)| json!({"path": path.as_str()})).collect();
        let (headline, body) = request.message.split_once('\n').unwrap_or((request.message, ""));
        let input = json!({
            "branch": {
                "repositoryNameWithOwner": self.options.repository, "branchName": request.branch.as_str(),
            },
            "message": {"headline": headline, "body": body.trim()},
            "expectedHeadOid": tip,
            "fileChanges": {"additions": additions, "deletions": deletions},
        });
        let created: Created = self.graphql(CREATE_COMMIT, json!({"input": input})).await?;
        self.rest.commit_id(&created.create_commit_on_branch.commit.oid)
    }
}

/// The files that a commit changes or brings, as GitHub takes them: it has to be sent all bytes of each.
fn additions(request: &CommitRequest<'_>) -> Result<Vec<Value>, ForgeError> {
    let kept = request.files.iter().filter_map(|(path, content)| Some((path, content.as_ref()?)));
    kept.map(|(path, content)| match content {
        Content::Bytes(bytes) => {
            let contents = base64::engine::general_purpose::STANDARD.encode(bytes);
            Ok(json!({"path": path.as_str(), "contents": contents}))
        }
        Content::Unread(_) => Err(ForgeError::Refused(format!(
            "{path} is too large to be sent to GitHub, which signs the commits of this branch itself: set `signing` so that \
             backout signs the commit and pushes it, or revert by hand"
        ))),
    })
    .collect()
}
