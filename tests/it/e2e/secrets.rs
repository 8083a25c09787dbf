//! No secret reaches anything that the program prints, logs or writes, in success and in failure.

use std::path::Path;

use base64::Engine as _;

use super::stage::{BOT, Config, Stage};
use crate::support::fault::Reply;
use crate::support::git::try_git;
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};
use crate::support::proxy::{Proxy, Turn};

/// What the program is trusted with besides the password of the repository.
const METRICS_TOKEN: &str = "metr1cs-t0ken-8f2a";
const HEADER: &str = "head3r-s3cret-77";
const WRONG: &str = "wr0ng-passw0rd-31";
const GIT_TOKEN: &str = "g1t-t0ken-55c1";

/// Each secret as it is, and as HTTP's basic authentication writes it.
fn secrets() -> Vec<String> {
    let plain = [PASSWORD, METRICS_TOKEN, HEADER, WRONG, GIT_TOKEN];
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let users = [USER, "x-access-token", "oauth2", "git", "token", "backout", "prom-user"];
    let mut all: Vec<String> = plain.iter().map(|secret| (*secret).to_owned()).collect();
    for secret in plain {
        // Where base64 falls on other bytes the user's name changes what is written, so all that are used are tried.
        all.extend(users.iter().map(|user| encode(format!("{user}:{secret}"))));
        all.push(encode(secret.to_owned()));
    }
    all
}

#[track_caller]
fn is_clean(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for secret in secrets() {
        let line = text.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{what} shows {secret}: {line:?}");
    }
}

/// The agent's directory: its configuration and all of its cache, with the objects of the cache unpacked.
fn home_is_clean(stage: &Stage) {
    files_are_clean(stage.home.path());
    for entry in std::fs::read_dir(stage.home.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("objects").exists() {
            objects_are_clean(&path);
        }
    }
}

/// Every file under a directory.
fn files_are_clean(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_are_clean(&path);
        } else {
            is_clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

/// All that Git keeps in a repository: each object's bytes, and the names of the refs.
fn objects_are_clean(bare: &Path) {
    let objects = try_git(bare, &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(objects.status.success() && !objects.stdout.is_empty());
    is_clean("an object", &objects.stdout);
    is_clean("the refs", &try_git(bare, &["for-each-ref"]).stdout);
}

/// Runs a command with all logs on; what it prints is clean, and it ends with this code.
#[track_caller]
fn run(stage: &Stage, arguments: &[&str], code: i32) {
    for log_format in ["text", "json"] {
        let run = stage.run(&[arguments, &["--log", "trace", "--log-format", log_format]].concat());
        assert!(run.stderr.lines().count() > 10, "the log is on: {}", run.stderr);
        is_clean(&format!("stdout of {arguments:?}"), run.stdout.as_bytes());
        is_clean(&format!("stderr of {arguments:?}"), run.stderr.as_bytes());
        // A second look at what was done already is quiet.
        assert!([Some(code), Some(0)].contains(&run.code), "{arguments:?}: {run:?}");
    }
}

struct Scene {
    remote: HttpRemote,
    proxy: Proxy,
    stage: Stage,
}

fn scene() -> Scene {
    let remote = HttpRemote::start();
    let mut stage = Stage::on(remote.repository(), remote.url());
    let proxy = Proxy::start(stage.metrics_url());
    stage.begin(&["web"]);
    stage.deploy("web", "v2", -12, BOT);
    let variables = [
        ("GIT_PASSWORD", PASSWORD),
        ("GIT_WRONG", WRONG),
        ("GIT_TOKEN", GIT_TOKEN),
        ("METRICS_TOKEN", METRICS_TOKEN),
        ("HEADER", HEADER),
    ];
    stage.variables.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Scene { remote, proxy, stage }
}

fn config(proxy: &Proxy, git_auth: &str, metrics_auth: &str) -> Config {
    let mut config = Config::of("one");
    config.repository = format!("  auth: {git_auth}\n");
    config.metrics_url = Some(proxy.url());
    config.metrics = format!(", auth: {metrics_auth}, headers: {{X-Key: {{env: HEADER}}}}");
    config
}

const BASIC: &str = "{kind: basic, username: agent, password: {env: GIT_PASSWORD}}";
const BEARER: &str = "{kind: bearer, token: {env: METRICS_TOKEN}}";

#[test]
fn nothing_that_succeeds_shows_a_secret() {
    let Scene { remote, proxy, stage } = scene();
    stage.configure(&config(&proxy, BASIC, BEARER));
    let bad = stage.tip();
    run(&stage, &["check"], 0);
    run(&stage, &["plan", "--format", "json"], 0);
    run(&stage, &["revert", "web", "--dry-run"], 0);
    run(&stage, &["run", "--once"], 3);
    run(&stage, &["history", "--format", "json"], 0);
    run(&stage, &["explain", &bad], 0);
    let asked = proxy.requests().concat();
    assert!(asked.contains(METRICS_TOKEN) && asked.contains(HEADER), "the secrets were really used");
    assert!(remote.access_log().contains(USER), "the password was really used");
    assert_ne!(stage.tip(), bad);
    objects_are_clean(&stage.bare);
    home_is_clean(&stage);
}

#[test]
fn nothing_that_fails_shows_a_secret() {
    let Scene { remote: _remote, proxy, stage } = scene();
    let wrong = [
        "{kind: basic, username: agent, password: {env: GIT_WRONG}}",
        "{kind: token, token: {env: GIT_TOKEN}}",
    ];
    for auth in wrong {
        stage.configure(&config(&proxy, auth, BEARER));
        for command in [&["check"][..], &["plan"], &["run", "--once"], &["history"]] {
            run_failing(&stage, command);
        }
    }
    stage.configure(&config(
        &proxy,
        BASIC,
        "{kind: basic, username: prom-user, password: {env: METRICS_TOKEN}}",
    ));
    for fault in [
        Turn::Reply(Reply::new(401, &[], "who are you")),
        Turn::Reply(Reply::new(500, &[], "oops")),
        Turn::Reply(Reply::new(302, &[("Location", "http://elsewhere.invalid/")], "")),
        Turn::Cut(0),
    ] {
        proxy.turn(fault);
        run(&stage, &["plan"], 0);
    }
    run(&stage, &["check"], 1);
    objects_are_clean(&stage.bare);
    home_is_clean(&stage);
}

#[track_caller]
fn run_failing(stage: &Stage, arguments: &[&str]) {
    let run = stage.run(&[arguments, &["--log", "trace"]].concat()).ended(1);
    is_clean(&format!("stdout of {arguments:?}"), run.stdout.as_bytes());
    is_clean(&format!("stderr of {arguments:?}"), run.stderr.as_bytes());
    assert!(format!("{}{}", run.stdout, run.stderr).contains("401"), "{run:?}");
}

#[test]
fn a_secret_in_the_configuration_is_refused_unseen() {
    let Scene { remote: _remote, proxy, stage } = scene();
    for auth in [
        format!("{{kind: basic, username: agent, password: {PASSWORD}}}"),
        format!("{{kind: token, token: {GIT_TOKEN}}}"),
    ] {
        stage.configure(&config(&proxy, &auth, BEARER));
        let run = stage.run(&["check", "--log", "trace"]).ended(1);
        is_clean("stdout", run.stdout.as_bytes());
        is_clean("stderr", run.stderr.as_bytes());
        assert!(run.stderr.contains("backout.yaml:4:"), "{run:?}");
    }
}
