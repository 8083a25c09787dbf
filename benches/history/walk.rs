//! Our side, run in a process of its own: read the history of a repo and find the deployments in it.

use std::ops::ControlFlow;
use std::path::Path;

use backout::adapters::git::{GitAuth, GitOptions, GitRepository, SshOptions};
use backout::adapters::http::HttpOptions;
use backout::domain::deployment::Detector;
use backout::domain::environment::pattern::PathPattern;
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::history::scope::Tracked;
use backout::domain::history::snapshot::{Commit, Person};
use backout::domain::time::Time;
use backout::ports::{HistoryQuery, Repository as _};

use crate::repo::END;

/// Prints how many commits, changed files with their bytes, and deployments there are.
pub(crate) fn walk(repo: &str, pattern: &str) -> anyhow::Result<()> {
    let rule = ServiceRule::new(ServiceFiles::Pattern(PathPattern::new(pattern)?));
    let environment = Environment::new("production".parse()?, "main".parse()?, vec![rule]);
    let bot = Person::default();
    let options = GitOptions {
        url: repo.to_owned(),
        cache_dir: Path::new(repo).to_owned(),
        auth: GitAuth::None,
        ssh: SshOptions::default(),
        author: bot.clone(),
        committer: bot,
        sign_off: false,
        signing: None,
        record_keys: backout::record::keys::RecordKeys::default(),
        http: HttpOptions::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let repository = GitRepository::open(options, runtime.handle().clone())?;
    let now = Time::from_unix(END);
    let query = HistoryQuery {
        branch: &environment.branch,
        diffs_since: Time::from_unix(0),
        diffs_until: now,
        commits_since: Time::from_unix(0),
        now,
        scope: &Tracked::new(&environment, None),
    };
    let mut detector = Detector::new(&environment);
    let (mut commits, mut files, mut deployments) = (0, 0, 0);
    let history = |next: &mut dyn FnMut(_) -> _| repository.walk(&query, next);
    detector.walk(history, |_, commit: &Commit, (found, _)| {
        commits += 1;
        files += commit.files.len();
        deployments += found.len();
        ControlFlow::Continue(())
    })?;
    println!("{commits} {files} {deployments}");
    Ok(())
}
