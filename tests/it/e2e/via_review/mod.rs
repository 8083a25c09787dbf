//! Reverts through pull requests, on a simulated forge whose merges move the real Git remote.

mod accounts;
mod comebacks;
mod comments;
mod elsewhere;
mod groups;
mod paused;
mod people;
mod proposed_elsewhere;
mod secrets;
mod servers;
mod trouble;
mod way;

use serde_json::Value;

use super::stage::{BOT, Config, POLICY, Stage, values};
use crate::support::forge::{Face, REPOSITORY, SimForge, TOKEN};

/// A stage with a forge over its remote, and one bad deployment of `web`.
struct Scene {
    stage: Stage,
    forge: SimForge,
    bad: String,
    face: Face,
}

/// What a test changes of the usual: pull requests that merge themselves, by a token.
#[derive(Clone)]
struct Setting {
    environment: String,
    auth: String,
    forge: String,
    policy: String,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            environment: "mode: auto, delivery: pull-request".to_owned(),
            auth: "{kind: token, token: {env: FORGE_TOKEN}}".to_owned(),
            forge: String::new(),
            policy: POLICY.to_owned(),
        }
    }
}

impl Setting {
    fn environment(environment: &str) -> Self {
        Self { environment: environment.to_owned(), ..Self::default() }
    }

    fn config(&self, face: Face, forge: &SimForge) -> Config {
        let kind = match face {
            Face::GitHub => "github",
            Face::GitLab => "gitlab",
            Face::Gitea => "forgejo",
        };
        let mut config = Config::of("one");
        config.environments = format!("  production: {{branch: main, {}}}\n", self.environment);
        config.policy.clone_from(&self.policy);
        config.run = format!(
            "forge:\n  kind: {kind}\n  url: {}\n  repository: {REPOSITORY}\n  auth: {}\n{}",
            forge.url(),
            self.auth,
            self.forge
        );
        config
    }
}

impl Scene {
    fn new(setting: &Setting) -> Self {
        Self::on(Face::GitHub, setting)
    }

    fn on(face: Face, setting: &Setting) -> Self {
        let mut stage = Stage::on_path();
        stage.begin(&["web"]);
        let forge = SimForge::start(face, &stage.bare);
        stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
        stage.configure(&setting.config(face, &forge));
        let bad = stage.deploy("web", "v2", -12, BOT);
        Self { stage, forge, bad, face }
    }

    fn configure(&self, setting: &Setting) {
        self.stage.configure(&setting.config(self.face, &self.forge));
    }

    /// The branch of the proposal.
    fn branch(&self) -> String {
        format!("backout/production/web/{}", &self.bad[..10])
    }

    /// The only pull request.
    #[track_caller]
    fn pull(&self) -> crate::support::forge::Pull {
        let state = self.forge.state();
        assert_eq!(state.pulls.len(), 1, "{:?}", state.pulls);
        state.pulls[0].clone()
    }

    /// What was said of pull requests of earlier passes.
    #[track_caller]
    fn review<'r>(&self, report: &'r Value) -> &'r Value {
        let reviews = report["environments"][0]["reviews"].as_array().unwrap();
        assert_eq!(reviews.len(), 1, "{report:#}");
        &reviews[0]
    }

    /// The problems of a pass.
    fn problems(&self, report: &Value) -> String {
        report["environments"][0]["problems"].to_string()
    }

    /// The outcomes of pull requests that were written down, oldest first.
    #[track_caller]
    fn outcomes(&self) -> Vec<String> {
        let records = self.stage.history();
        let reviews = records.iter().filter(|record| record["kind"] == "review");
        reviews.map(|record| record["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// Nothing is written any more, on the forge or in Git.
    #[track_caller]
    fn is_quiet(&self) {
        self.forge.fates(|_, _| crate::support::forge::Fate::Go);
        self.stage.nothing_more();
        assert_eq!(self.forge.writes(), [""; 0], "a further pass changes nothing on the forge");
    }

    /// The good version is back, by one merge of one pull request, and nothing is left to do.
    #[track_caller]
    fn is_over(&self) {
        assert_eq!(self.stage.file("main", "web"), values("web", "v1"));
        let pull = self.pull();
        assert!(pull.merged, "{pull:?}");
        assert_eq!(self.forge.state().merges, 1);
        assert_eq!(self.outcomes(), ["merged"]);
        assert!(!self.stage.refs().contains("refs/heads/backout/"), "{}", self.stage.refs());
        self.is_quiet();
    }

    /// Makes the pull request look as if it had been opened so many minutes ago.
    fn age(&self, minutes: i64) {
        let mut state = self.forge.state();
        state.pulls[0].created_at = (state.now)() - minutes * 60;
    }

    /// A person pushes a commit with this version to a branch.
    fn push_by_person(&self, branch: &str, tag: &str) {
        self.stage.git(&["fetch", "-q", self.stage.bare.to_str().unwrap(), branch]);
        self.stage.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
        self.stage.write(&super::stage::path_of("web"), &values("web", tag));
        self.stage.commit(-1, super::stage::PERSON, "I know better");
        self.stage.git(&["push", "-q", self.stage.bare.to_str().unwrap(), &format!("HEAD:{branch}")]);
        self.stage.git(&["checkout", "-q", "main"]);
    }
}
