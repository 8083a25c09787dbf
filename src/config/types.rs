//! The configuration as it is written. The JSON schema is made from these types, and editors show their comments.
//!
//! Those of signals and policies are in [`super::rule_types`], those of registries and the source of applications in
//! [`super::artifact_types`], and how servers are reached in [`super::access_types`].
//!
//! Types in which other keys are flattened let the schema alone refuse unknown keys, as serde cannot do both. `check`
//! holds each text against the schema before serde reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use super::access_types::{GitAuth, Http, Secret};
use super::artifact_types::{Registry, SourcePlace};
use super::rule_types::{Policy, Signal};
use super::values::{Duration, Size};
use crate::domain::environment::policy::{Declared, Delivery, Merge, Mode};
use crate::serve::Sender;

/// The configuration of backout. It may be spread over several files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "backout.yaml")]
pub(super) struct Config {
    /// Where the environment repo is, and who writes to it. Needed, unless there are `repositories`. In one file only.
    pub(super) repository: Option<Repository>,
    /// Several environment repos instead of one `repository`: each by its name.
    #[schemars(extend("minProperties" = 1))]
    pub(super) repositories: Option<BTreeMap<String, NamedRepository>>,
    /// The forge of `repository`, on which pull requests and issues are opened. Default: none; proposals are branches
    /// then. In one file only.
    pub(super) forge: Option<Forge>,
    /// The forges of `repositories`: each by its name.
    pub(super) forges: Option<BTreeMap<String, Forge>>,
    /// What is watched: each environment by its name.
    #[schemars(extend("minProperties" = 1))]
    pub(super) environments: BTreeMap<String, Environment>,
    /// Who is asked for metrics: each metric source by its name.
    pub(super) metrics: Option<BTreeMap<String, Source>>,
    /// The registries of images and charts, and the Git servers, that may be asked whether what ran before is still there. No other host is
    /// ever asked, whatever a repository names. Default: none, and nothing is asked.
    pub(super) registries: Option<Vec<Registry>>,
    /// Where the source of applications is: the Git repositories that may be looked into for migrations between two images, each with all that
    /// is below its URL. No other one is ever asked, whatever an image names. Default: none, and nothing is asked.
    pub(super) sources: Option<Vec<SourcePlace>>,
    /// What is asked: each signal by its name.
    pub(super) signals: Option<BTreeMap<String, Signal>>,
    /// Sets of rules: each policy by its name. The one called `default` holds where no other is named.
    pub(super) policies: Option<BTreeMap<String, Policy>>,
    /// What is deployed. A file belongs to the first service in the list that its path matches.
    #[schemars(length(min = 1))]
    pub(super) services: Vec<Service>,
    /// In which order the services of a group go back: each group by its name. Default: all services of a group go back at once.
    pub(super) groups: Option<BTreeMap<String, Group>>,
    /// Names and mail addresses of machines that deploy, besides those that are known (Renovate, Flux, Kargo, CI accounts
    /// and others, and whoever has the word `bot` in the name). Of what a person puts back on purpose a revert is only
    /// proposed.
    pub(super) automation: Option<Vec<String>>,
    /// How the daemon runs. In one file only.
    pub(super) run: Option<Run>,
    /// How the agent knows its own records in the notes. Default: not at all, so that a pass derives anew what it acts on. In
    /// one file only.
    pub(super) record: Option<RecordProof>,
}

/// How the agent knows its own records in the notes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordProof {
    /// The key, at least 16 bytes: each record ends in an HMAC-SHA-256 by it. All agents on a repository need the same.
    pub(super) key: Secret,
    /// Keys of before, by which older records are still known.
    #[serde(default)]
    pub(super) old_keys: Vec<Secret>,
}

/// The environment repo.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Repository {
    /// Its URL (`https://`, `http://`, `ssh://`, `user@host:path`, `file://`), or a local path.
    #[schemars(extend("examples" = ["https://git.example.com/platform/environments.git"]))]
    pub(super) url: String,
    /// The directory for the bare cache of a remote repository; made when it is missing.
    /// Default: `$XDG_CACHE_HOME/backout`, or `~/.cache/backout`.
    pub(super) cache: Option<PathBuf>,
    /// How to log in. Default: not at all over HTTP, and as OpenSSH is configured over SSH.
    pub(super) auth: Option<GitAuth>,
    /// Who writes the commits. Default: `backout <backout@localhost>`.
    pub(super) author: Option<Person>,
    /// Who commits them. Default: the author.
    pub(super) committer: Option<Person>,
    /// Whether commits end in a `Signed-off-by` trailer of the committer. Default: `false`.
    pub(super) sign_off: Option<bool>,
    /// How commits are signed. Default: not at all.
    pub(super) signing: Option<Signing>,
    /// How its server is reached.
    #[serde(flatten)]
    pub(super) http: Http,
}

/// An environment repo, one of several.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct NamedRepository {
    /// Its forge, one of `forges`. Default: none; proposals are branches then.
    pub(super) forge: Option<String>,
    /// The repository itself.
    #[serde(flatten)]
    pub(super) repository: Repository,
}

/// The forge on which pull requests and issues are opened.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Forge {
    /// Which one it is.
    pub(super) kind: ForgeKind,
    /// The address of its API, such as `https://github.example.com/api/v3`. Default: as the host of the repository's `url` has it.
    pub(super) url: Option<String>,
    /// The repository there: `owner/name`. Default: the path of the repository's `url`. Not for a forge of several
    /// repositories.
    pub(super) repository: Option<String>,
    /// How to log in.
    pub(super) auth: ForgeAuth,
    /// Labels of the pull requests. Default: none.
    pub(super) labels: Option<Vec<String>>,
    /// Who is asked to review them: user names; on GitHub, Gitea and Forgejo also teams (`org/team`). Default: nobody.
    pub(super) reviewers: Option<Vec<String>>,
    /// Whether the owners of the changed files, as the repository's CODEOWNERS names them, are asked too. Default: `true`.
    pub(super) code_owners: Option<bool>,
    /// Who pull requests and issues are assigned to: user names. Default: nobody.
    pub(super) assignees: Option<Vec<String>>,
    /// How its server is reached.
    #[serde(flatten)]
    pub(super) http: Http,
}

/// Which forge it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ForgeKind {
    /// github.com, or GitHub Enterprise.
    Github,
    /// gitlab.com, or a GitLab of one's own.
    Gitlab,
    /// Gitea.
    Gitea,
    /// Forgejo, such as Codeberg.
    Forgejo,
}

/// How to log in to the forge.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ForgeAuth {
    /// With a token.
    Token {
        /// The token.
        token: Secret,
    },
    /// As a GitHub App.
    App {
        /// The App's id.
        app_id: u64,
        /// The id of its installation. Default: the one that has the repository.
        installation_id: Option<u64>,
        /// Its private key, in PEM.
        private_key: Secret,
    },
}

/// A person, or a machine, in a commit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    /// The name.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    /// The mail address.
    #[schemars(length(min = 1))]
    pub(super) email: String,
}

/// How commits are signed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Signing {
    /// With an SSH key, as `gpg.format = ssh` does.
    Ssh {
        /// The private key, in OpenSSH's format.
        key: PathBuf,
        /// Its passphrase, where it has one.
        passphrase: Option<Secret>,
    },
    /// With an OpenPGP key, through the program `gpg`.
    Openpgp {
        /// The key's id or fingerprint.
        key: String,
        /// The directory of the key ring. Default: the user's own.
        home: Option<PathBuf>,
    },
}

/// One branch of an environment repo (and perhaps some paths of it), with all that is deployed there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    /// The repository that holds it, one of `repositories`. Default: the only one there is.
    pub(super) repository: Option<String>,
    /// The branch that holds it.
    pub(super) branch: String,
    /// Globs of the paths that belong to it. Default: the whole branch.
    pub(super) paths: Option<Vec<String>>,
    /// How reverts reach the branch. Default: `push`.
    pub(super) delivery: Option<Delivery>,
    /// Who merges pull requests: the forge as soon as its rules let it (`auto`), or a person (`manual`, with
    /// `delivery: pull-request`). In mode `propose` it is always a person. Default: `auto`.
    pub(super) merge: Option<Merge>,
    /// How long a pull request that merges itself may stay unmerged before a person is asked to look. Default: `30m`.
    pub(super) deadline: Option<Duration>,
    /// What the agent may do here. A service's own mode comes before it, and it before the policy's.
    pub(super) mode: Option<Mode>,
    /// The policy of services that name none. Default: `default`.
    pub(super) policy: Option<String>,
    /// The bounds on reverts.
    pub(super) budget: Option<Budget>,
    /// How many of the dependencies between services `depends_on` names: some (`partial`), or all (`complete`). With `complete` a
    /// deployment is never suspected of the damage to a service that no chain of dependencies connects with it. Default: `partial`.
    pub(super) dependencies: Option<Declared>,
    /// Times in which the agent only proposes reverts here. Default: none.
    pub(super) freeze: Option<Vec<Freeze>>,
}

/// Freeze windows, as the sync windows of Argo CD: a schedule says when one begins, and a duration how long it lasts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Freeze {
    /// When each begins, in the five fields of cron: minute, hour, day of the month, month, day of the week.
    #[schemars(extend("examples" = ["0 16 * * FRI", "0 0 20 12 *"]))]
    pub(super) schedule: String,
    /// How long each lasts: so much time goes by, whatever clocks are put forward or back meanwhile. At most `366d`.
    pub(super) duration: Duration,
    /// The time zone of the schedule, by its name in the IANA database. Default: `UTC`.
    #[schemars(extend("examples" = ["Europe/Berlin", "America/New_York"]))]
    pub(super) time_zone: Option<String>,
    /// Why: people read it in reports and records.
    #[schemars(length(min = 1))]
    pub(super) why: String,
}

/// How many reverts an environment bears.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Budget {
    /// At most this many reverts within the window. Default: 3.
    #[schemars(range(min = 1))]
    pub(super) max_reverts: Option<u32>,
    /// The window. Default: `1h`.
    pub(super) window: Option<Duration>,
    /// From this many services red at once it is one incident for a person, and none is reverted. Default: 3.
    #[schemars(range(min = 2))]
    pub(super) incident_services: Option<u32>,
}

/// Who is asked for metrics.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[schemars(deny_unknown_fields)]
pub(super) enum Source {
    /// Prometheus, or anything that speaks its query API: Thanos, Mimir, Cortex, VictoriaMetrics.
    Prometheus {
        /// Its address, without `/api/v1`.
        #[schemars(extend("examples" = ["http://prometheus:9090"]))]
        url: String,
        /// How it is asked.
        #[serde(flatten)]
        server: Server,
    },
    /// A CSV file on this machine, with a row for each moment: `timestamp,metric,service,value`, or a column for each
    /// metric. Queries are filters over the labels: `errors{service="{{ service }}"}`.
    Csv {
        /// The file. It is read anew for every request.
        path: PathBuf,
        /// The column with the times: seconds since 1970, or RFC 3339. Default: `timestamp`.
        timestamp: Option<String>,
        /// The column with the values. Default: `value`; without such a column each further column is a series, whose
        /// label `metric` is the column's name.
        value: Option<String>,
        /// The columns that are labels. Default: all others where there is a column with the values, else none.
        labels: Option<Vec<String>>,
        /// The largest file that is read. Default: `64MiB`.
        max_size: Option<Size>,
    },
    /// A server that gives values over time as plain JSON: `[[timestamp, value], …]`,
    /// `[{"timestamp", "value", "labels"}, …]` or `[{"labels", "values": [[timestamp, value], …]}, …]`, alone or as the
    /// `data` of an object.
    HttpJson {
        /// Its address. `{query}`, `{start}`, `{end}` and `{step}` in it are filled in; without any of them they are added
        /// as parameters. Times are seconds since 1970.
        #[schemars(extend("examples" = ["https://metrics.example.com/series?q={query}&from={start}&to={end}"]))]
        url: String,
        /// How it is asked.
        #[serde(flatten)]
        server: Server,
    },
}

/// How a metric source that is a server is asked: keys that stand beside its `url`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Server {
    /// How to log in. Default: not at all.
    pub(super) auth: Option<SourceAuth>,
    /// Headers to send with each request.
    pub(super) headers: Option<BTreeMap<String, HeaderValue>>,
    /// A certificate that tells the server who we are.
    pub(super) client_certificate: Option<ClientCertificate>,
    /// The largest answer that is read, after decompression. Default: `64MiB`.
    pub(super) max_body: Option<Size>,
    /// How it is reached.
    #[serde(flatten)]
    pub(super) http: Http,
}

/// How to log in to a metric source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum SourceAuth {
    /// With a name and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// With a token.
    Bearer {
        /// The token.
        token: Secret,
    },
}

/// The value of a header: text, or a secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum HeaderValue {
    /// Text that is no secret.
    Text(String),
    /// A secret.
    Secret(Secret),
}

/// A client certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientCertificate {
    /// The file with the certificate, and those above it (PEM).
    pub(super) certificate: PathBuf,
    /// The file with its private key (PEM).
    pub(super) key: PathBuf,
}

/// What is deployed and reverted as a unit: one service by `name` and `paths`, or all that a `pattern` finds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    /// Its name; goes with `paths`. With `pattern` or `each`: a template for the names of the services that are found, such
    /// as `{{ service }}-{{ cluster }}`. Default then: all captures but `{environment}`, joined with `/`.
    pub(super) name: Option<String>,
    /// Globs of its files; goes with `name` or with `each`.
    pub(super) paths: Option<Vec<String>>,
    /// A pattern of paths. `{environment}` (where present) must be the environment's name. `{service}` and all other
    /// captures together name the service, and each is a label for queries.
    #[schemars(extend("examples" = ["apps/{service}/{environment}/**"]))]
    pub(super) pattern: Option<String>,
    /// Globs of files that do not belong to it. Default: none.
    pub(super) exclude: Option<Vec<String>>,
    /// Where in a file the services are, where one file holds several: the beginning of an address, as plans show it, with
    /// `{service}` where the service's name stands. Each entry's fields are that service's.
    #[schemars(extend("examples" = ["images.{service}", "Deployment/{service}", "releases.{service}"]))]
    pub(super) each: Option<String>,
    /// The environments it is in. Default: all.
    pub(super) environments: Option<Vec<String>>,
    /// What is asked about it. Default: all signals.
    pub(super) signals: Option<Vec<String>>,
    /// Its policy. Default: the environment's.
    pub(super) policy: Option<String>,
    /// What the agent may do about it. Default: as the environment says, else the policy.
    pub(super) mode: Option<Mode>,
    /// Labels for queries: `namespace` and any other.
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// The services that it calls. Where two deployments could be to blame, damage comes from what is depended on.
    pub(super) depends_on: Option<Vec<String>>,
    /// The group that it is in. What one commit deployed of a group goes back together, or not at all. What is captured may
    /// stand in it, as in `name`. Default: none, so that each service goes back alone.
    #[schemars(extend("examples" = ["shop", "{{ system }}"]))]
    pub(super) group: Option<String>,
}

/// In which order the services of a group go back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    /// The services in the order in which they are deployed. They go back in the reverse order, each by a commit of its own. A service of
    /// the group that is not named counts as deployed last.
    #[schemars(length(min = 1))]
    pub(super) order: Vec<String>,
    /// How long each waits after the one before it has landed on the branch; at most `1h`. Default: `0s`.
    pub(super) wait: Option<Duration>,
}

/// How the daemon runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    /// How long it waits between two passes over a repository. While it watches a deployment there, no longer than the smallest step of the
    /// signals of the deployment. Default: `60s`.
    pub(super) interval: Option<Duration>,
    /// The address at which its HTTP server listens: `/healthz`, `/readyz`, `/metrics` and `/hooks/…`. Default: none, and there is no
    /// server.
    #[schemars(extend("examples" = ["0.0.0.0:8080", "127.0.0.1:8080"]))]
    pub(super) listen: Option<String>,
    /// The webhooks that make a pass begin at once: each by its name, which ends its path: `/hooks/NAME`.
    pub(super) hooks: Option<BTreeMap<String, Hook>>,
    /// The pages for people, at `/`. Default: none.
    pub(super) page: Option<Page>,
    /// How several agents in a Kubernetes cluster share the work. Default: none, and each does all of it.
    pub(super) lease: Option<Lease>,
}

/// The pages for people. They change nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// What proves that somebody may read them, at least 16 bytes: a bearer token, or in a browser the password of any user. Default: none,
    /// and everybody reads them who reaches the address.
    pub(super) secret: Option<Secret>,
}

/// Leases in the API of Kubernetes: who holds the one of a shard works on its environments. Two agents do each other no harm, so this only
/// saves work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LeaseSettings")]
pub(super) struct Lease {
    /// What the leases are called: `NAME-0`, `NAME-1` and so on, in the pod's own namespace.
    pub(super) name: String,
    /// Among how many leases the environments are shared. Take as many as there are pods in the StatefulSet. Default: 1, so that one agent
    /// works and the others stand by.
    #[schemars(range(min = 1, max = 16))]
    pub(super) shards: Option<u32>,
    /// After how long without a renewal another agent takes over; from `3s` to `10m`. Default: `15s`.
    pub(super) duration: Option<Duration>,
    /// The URL of the API server. Default: the one of the cluster that the pod is in.
    pub(super) server: Option<String>,
    /// The directory with `token`, `namespace` and `ca.crt`. Default: `/var/run/secrets/kubernetes.io/serviceaccount`.
    pub(super) account: Option<PathBuf>,
}

/// A webhook. Nothing in it is believed: the agent looks sooner, and that is all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hook {
    /// Who sends it.
    pub(super) sender: Sender,
    /// What proves that they do, at least 16 bytes: the key with which they sign, or the token that they send.
    pub(super) secret: Secret,
}
