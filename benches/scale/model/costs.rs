//! The costs of one pass, each with the place where it was measured.

/// The costs of passes over one repo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    /// Processor time of a quiet pass in a daemon, in microseconds.
    pub(super) quiet_us: i64,
    /// What a pass costs besides where it watches deployments, and what each of these adds.
    pub(super) watched_us: i64,
    pub(super) each_us: i64,
    /// What a verdict, and what a revert, adds to a pass.
    pub(super) record_us: i64,
    pub(super) revert_us: i64,
    /// Requests to the Git server: of a quiet pass, of one that finds new commits, and what comes to it for a record and a revert.
    pub(super) git_quiet: i64,
    pub(super) git_new: i64,
    pub(super) git_record: i64,
    pub(super) git_revert: i64,
    /// Queries of a pass that watches up to 60 deployments in a repo, and what comes to it for a revert.
    pub(super) queries: i64,
    pub(super) queries_revert: i64,
    /// Requests to the forge: of each pass, which GitHub does not count where nothing has changed; what comes to it where there are new
    /// commits, for a record, and for a revert through a pull request.
    pub(super) forge_quiet: i64,
    pub(super) forge_new: i64,
    pub(super) forge_record: i64,
    pub(super) forge_revert: i64,
}

pub(super) const PASS: Costs = Costs {
    quiet_us: 1_800,
    watched_us: 1_000,
    each_us: 3_200,
    record_us: 20_000,
    revert_us: 90_000,
    git_quiet: 1,
    git_new: 3,
    git_record: 3,
    git_revert: 6,
    queries: 3,
    queries_revert: 12,
    forge_quiet: 1,
    forge_new: 1,
    forge_record: 2,
    forge_revert: 20,
};

/// Memory of a process without repos, and for each repo, in KiB.
pub(super) const BASE_KIB: i64 = 26_000;
pub(super) const REPO_KIB: i64 = 310;

/// The size of a record on the Git server, packed.
pub(super) const RECORD_BYTES: i64 = 476;
pub(super) const REVERT_RECORD_BYTES: i64 = 2_000;
