//! Several agents, people who push at the same moment, servers that refuse, and ends in the middle of a push: the same
//! single revert comes out.

use std::path::Path;
use std::process::{Child, Stdio};

use super::daemon::{ended, terminate};
use super::stage::{BOT, Config, PERSON, Stage, item, values, words};
use crate::support::eventually;
use crate::support::git::hook;
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};

/// A bad deployment of `web` behind a web server, which runs hooks as a real one does.
fn scene() -> (HttpRemote, Stage, String) {
    let remote = HttpRemote::start();
    let mut stage = Stage::on(remote.repository(), remote.url());
    stage.variables.push(("GIT_PASSWORD".to_owned(), PASSWORD.to_owned()));
    stage.configure(&config());
    stage.begin(&["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    (remote, stage, bad)
}

fn config() -> Config {
    let mut config = Config::of("one");
    config.repository =
        format!("  auth: {{kind: basic, username: {USER}, password: {{env: GIT_PASSWORD}}}}\n");
    config.run = "run: {interval: 1s}\n".to_owned();
    config
}

/// The branch has exactly one commit since the bad one, and the deployment has exactly one record.
#[track_caller]
fn reverted_once(stage: &Stage, bad: &str) {
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "1");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    assert_eq!(stage.note(bad).len(), 1);
    stage.remote(&["fsck", "--strict"]);
}

#[test]
fn four_agents_at_once_make_one_revert() {
    let (_remote, stage, bad) = scene();
    let agents: Vec<Child> = (0..4)
        .map(|number| {
            let config = std::fs::read_to_string(stage.home.path().join("backout.yaml")).unwrap();
            let own = stage.home.path().join(format!("agent-{number}.yaml"));
            std::fs::write(&own, config.replace("/cache\n", &format!("/cache-{number}\n"))).unwrap();
            let mut program = crate::support::command(env!("CARGO_BIN_EXE_backout"));
            program.args(["run", "--once", "--config"]).arg(own).env("GIT_PASSWORD", PASSWORD);
            program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<_> = agents.into_iter().map(|agent| agent.wait_with_output().unwrap()).collect();
    for output in &outputs {
        assert!(matches!(output.status.code(), Some(0 | 3)), "{outputs:#?}");
    }
    assert!(outputs.iter().any(|output| output.status.code() == Some(3)), "{outputs:#?}");
    reverted_once(&stage, &bad);
    stage.nothing_more();
}

#[test]
fn a_person_who_pushes_at_the_same_moment_loses_nothing() {
    let (_remote, stage, bad) = scene();
    stage.write("README.md", "Written while the agent was pushing\n");
    let theirs = stage.commit(-1, PERSON, "Explain");
    stage.git(&["push", "-q", stage.bare.to_str().unwrap(), "HEAD:refs/heads/waiting"]);
    // The first push of the agent finds the person's commit on the branch.
    let script = format!(
        "[ -e moved ] || {{ touch moved; env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {theirs}; }}"
    );
    hook(&stage.bare, "pre-receive", &script);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.remote(&["rev-parse", "main^"]), theirs);
    assert_eq!(stage.remote(&["rev-parse", "main~2"]), bad);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    stage.nothing_more();
}

#[test]
fn where_notes_are_refused_the_revert_is_made_and_it_is_said() {
    let (_remote, stage, bad) = scene();
    hook(&stage.bare, "update", "case $1 in refs/notes/*) echo no notes here >&2; exit 1;; esac");
    let report = stage.pass(3);
    let problem = report["environments"][0]["problems"][0].as_str().unwrap();
    assert!(problem.contains("the audit notes (refs/notes/backout-*) cannot be written"), "{problem}");
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    let tip = stage.tip();
    stage.pass(1);
    assert_eq!(stage.tip(), tip, "the branch itself remembers that it is done");
    std::fs::remove_file(stage.bare.join("hooks/update")).unwrap();
    stage.pass(0);
    reverted_once(&stage, &bad);
    stage.nothing_more();
}

#[test]
fn where_the_branch_is_protected_the_agent_says_so_and_tries_again_later() {
    let (_remote, stage, bad) = scene();
    hook(&stage.bare, "update", "[ $1 != refs/heads/main ] || { echo main is protected >&2; exit 1; }");
    let report = stage.pass(1);
    let problem = report["environments"][0]["problems"][0].as_str().unwrap();
    assert!(problem.contains("refs/heads/main was not updated after"), "{problem}");
    assert_eq!(stage.refs().lines().count(), 1, "{}", stage.refs());
    std::fs::remove_file(stage.bare.join("hooks/update")).unwrap();
    stage.pass(3);
    reverted_once(&stage, &bad);
}

/// Starts the daemon and waits until the server is in the middle of a push to `main`. The server goes on when
/// [`go_on`] lets it. Returns the server's process as well.
fn in_the_middle_of_a_push(stage: &Stage) -> (Child, String) {
    let script = "grep -q refs/heads/main || exit 0
echo $PPID > begun.new; mv begun.new begun
for i in $(seq 5000); do test -e go && break; sleep 0.01; done";
    hook(&stage.bare, "pre-receive", script);
    let daemon = stage.program(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(eventually(|| stage.bare.join("begun").exists()), "no push begins");
    let server = std::fs::read_to_string(stage.bare.join("begun")).unwrap().trim().to_owned();
    (daemon, server)
}

fn go_on(stage: &Stage) {
    std::fs::write(stage.bare.join("go"), "").unwrap();
}

#[test]
fn a_push_that_was_begun_is_finished_before_the_end() {
    let (_remote, stage, bad) = scene();
    let (daemon, _) = in_the_middle_of_a_push(&stage);
    terminate(&daemon);
    go_on(&stage);
    let output = ended(daemon);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    reverted_once(&stage, &bad);
    stage.nothing_more();
}

#[test]
fn an_agent_that_is_killed_in_the_middle_of_a_push_leaves_nothing_double() {
    let (_remote, stage, bad) = scene();
    let (mut daemon, server) = in_the_middle_of_a_push(&stage);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    std::fs::remove_file(stage.bare.join("hooks/pre-receive")).unwrap();
    // Whether the server finishes the push alone or not: what is left to do is done now, and once.
    let code = stage.run(&["run", "--once"]).code;
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    go_on(&stage);
    // What has ended has no command line any more.
    let command_line = Path::new("/proc").join(server).join("cmdline");
    let is_over = || std::fs::read_to_string(&command_line).unwrap_or_default().is_empty();
    assert!(eventually(is_over), "the server does not end");
    assert!(matches!(stage.run(&["run", "--once"]).code, Some(0 | 3)));
    reverted_once(&stage, &bad);
    stage.nothing_more();
}

/// Who may push notes can have a ref of theirs hold something else. It holds up no revert, and is told by its name.
#[test]
fn a_ref_of_notes_that_holds_no_commit_holds_up_nothing() {
    for kind in ["tag", "tree", "blob"] {
        let (_remote, stage, _) = scene();
        let object = match kind {
            "tag" => {
                stage.git(&["tag", "-a", "-m", "x", "x", "HEAD"]);
                "refs/tags/x"
            }
            "tree" => "HEAD^{tree}",
            _ => "HEAD:apps/web/values.yaml",
        };
        let month = stage.git(&["log", "-1", "--format=%cd", "--date=format:%Y-%m"]);
        let refs = [format!("refs/notes/backout-{month}"), "refs/notes/backout-2020-01".to_owned()];
        for reference in &refs {
            let push = format!("{object}:{reference}");
            stage.git(&["push", "-q", "--force", stage.bare.to_str().unwrap(), &push]);
        }
        let report = stage.pass(3);
        assert_eq!(words(item(&report, "web")), "regressed revert", "{kind}: {report:#}");
        assert_eq!(stage.file("main", "web"), values("web", "v1"));
        let problems = report["environments"][0]["problems"].to_string();
        assert!(
            problems.contains(&format!("`git push origin :{}` removes it", refs[0])),
            "{kind}: {problems}"
        );
        stage.run(&["history"]).ended(0);
        // What is not there any more holds up nothing either.
        stage.remote(&["update-ref", "-d", &refs[0]]);
        let report = stage.run(&["run", "--once", "--format", "json"]).json();
        assert_eq!(report["environments"][0]["problems"].to_string(), "[]", "{kind}");
    }
}
