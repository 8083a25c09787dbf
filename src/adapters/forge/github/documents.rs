//! What GraphQL is asked. Each document is a constant, so that a test can hold it against GitHub's schema.

/// Every document that is sent, with variables as they are sent with it.
pub const DOCUMENTS: [&str; 8] =
    [SETTINGS, QUEUED, ENABLE_AUTO_MERGE, DISABLE_AUTO_MERGE, ENQUEUE, DEQUEUE, CREATE_COMMIT, VIEWER];

/// Which account the credentials are of.
pub(super) const VIEWER: &str = "query { viewer { databaseId login } }";

/// How a branch may be merged into.
pub(super) const SETTINGS: &str = "query($owner: String!, $name: String!, $branch: String!, $ref: String!) {
  repository(owner: $owner, name: $name) {
    autoMergeAllowed
    squashMergeAllowed
    mergeCommitAllowed
    rebaseMergeAllowed
    mergeQueue(branch: $branch) { id }
    ref(qualifiedName: $ref) {
      refUpdateRule { requiresSignatures requiresLinearHistory }
      rules(first: 100) { nodes { type } }
    }
  }
}";

/// Whether a pull request is in the merge queue.
pub(super) const QUEUED: &str = "query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { isInMergeQueue } }
}";

pub(super) const ENABLE_AUTO_MERGE: &str = "mutation($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { clientMutationId }
}";

pub(super) const DISABLE_AUTO_MERGE: &str = "mutation($input: DisablePullRequestAutoMergeInput!) {
  disablePullRequestAutoMerge(input: $input) { clientMutationId }
}";

pub(super) const ENQUEUE: &str = "mutation($input: EnqueuePullRequestInput!) {
  enqueuePullRequest(input: $input) { clientMutationId }
}";

pub(super) const DEQUEUE: &str = "mutation($input: DequeuePullRequestInput!) {
  dequeuePullRequest(input: $input) { clientMutationId }
}";

pub(super) const CREATE_COMMIT: &str = "mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid } }
}";
