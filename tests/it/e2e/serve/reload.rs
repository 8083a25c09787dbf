//! The daemon reads its configuration again when that changes.

use std::net::TcpListener;

use reqwest::StatusCode;

use super::{Daemon, SECRET, hook};
use crate::e2e::stage::{BOT, Config, Stage};
use crate::support::{command, eventually};

const GOOD: &str = "backout_config_good";

fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

impl Daemon {
    /// What is answered to a webhook with this secret.
    fn hooked(&self, secret: &str) -> StatusCode {
        self.post("/hooks/generic", &[("authorization", &bearer(secret))], "").0
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }
}

/// A configuration with these webhooks and the server where it is.
fn with_hooks(daemon: &Daemon, hooks: &str) -> Config {
    let run = format!("run: {{interval: 1h, listen: \"{}\", hooks: {{{hooks}}}}}\n", daemon.address());
    Config { run, ..Config::of("one") }
}

/// A stage and a daemon on an address that its configuration names.
fn started(hooks: &str) -> (Stage, Daemon) {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    stage.configure(&with_hooks(&daemon, hooks));
    daemon.reload();
    (stage, daemon)
}

#[test]
fn a_changed_configuration_is_used_and_a_broken_one_is_not() {
    let (stage, daemon) = started("");
    assert_eq!(daemon.hooked(SECRET), StatusCode::NOT_FOUND);
    stage.configure(&with_hooks(&daemon, &hook("generic")));
    assert!(eventually(|| daemon.hooked(SECRET) == StatusCode::ACCEPTED), "nobody has told the daemon");
    assert_eq!(daemon.value(GOOD).as_deref(), Some("1"));
    stage.write_config("environments: [");
    assert!(eventually(|| daemon.value(GOOD).as_deref() == Some("0")));
    assert_eq!(daemon.hooked(SECRET), StatusCode::ACCEPTED, "the one before it is in use");
    let (status, text) = daemon.get("/readyz");
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("configuration: changed, and cannot be used, see the log"), "{text}");
    let passes = daemon.passes();
    stage.configure(&with_hooks(&daemon, ""));
    assert!(eventually(|| daemon.value(GOOD).as_deref() == Some("1")));
    assert!(eventually(|| daemon.hooked(SECRET) == StatusCode::NOT_FOUND));
    assert!(!daemon.get("/readyz").1.contains("configuration:"));
    assert!(eventually(|| daemon.passes() > passes), "it looks at once by the new one");
    let log = daemon.end(&stage);
    assert!(log.contains("cannot be used: the one before it stays in use"), "{log}");
    assert!(log.contains("the configuration has changed, and is in use"), "{log}");
}

#[test]
fn a_secret_that_was_changed_in_its_file_is_used() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    let file = stage.home.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    stage.configure(&with_hooks(&daemon, "generic: {sender: generic, secret: {file: secret}}"));
    daemon.reload();
    assert!(eventually(|| daemon.hooked(SECRET) == StatusCode::ACCEPTED));
    // As Kubernetes changes a mounted Secret: another file takes its place.
    let next = file.with_extension("next");
    std::fs::write(&next, "another secret of the webhooks").unwrap();
    std::fs::rename(&next, &file).unwrap();
    assert!(eventually(|| daemon.hooked("another secret of the webhooks") == StatusCode::ACCEPTED));
    assert_eq!(daemon.hooked(SECRET), StatusCode::UNAUTHORIZED);
    std::fs::remove_file(&file).unwrap();
    assert!(eventually(|| daemon.value(GOOD).as_deref() == Some("0")));
    assert_eq!(daemon.hooked("another secret of the webhooks"), StatusCode::ACCEPTED);
    let log = daemon.end(&stage);
    assert!(!log.contains(SECRET) && !log.contains("another secret of the webhooks"), "{log}");
}

#[test]
fn the_series_of_what_is_not_in_the_configuration_any_more_end_and_the_others_go_on() {
    let (stage, daemon) = started(&hook("generic"));
    stage.deploy("web", "v2", -12, BOT);
    assert!(eventually(|| daemon.hooked(SECRET) == StatusCode::ACCEPTED));
    let reverted = r#"backout_reverts_total{environment="production",outcome="pushed"}"#;
    assert!(eventually(|| daemon.value(reverted).as_deref() == Some("1")));
    let production = "  production: {branch: main, mode: auto, paths: [\"apps/**\"]}\n";
    let staging = "  staging: {branch: main, mode: observe, paths: [\"other/**\"]}\n";
    let other = |environments: &str, hooks: &str| {
        stage.configure(&Config { environments: environments.to_owned(), ..with_hooks(&daemon, hooks) });
        daemon.reload();
    };
    other(&format!("{production}{staging}"), "");
    let watched = r#"backout_watched_deployments{environment="staging"}"#;
    assert!(eventually(|| daemon.value(watched).is_some()));
    assert_eq!(daemon.value(reverted).as_deref(), Some("1"), "what was counted stays");
    assert!(!daemon.get("/metrics").1.contains(r#"hook="generic""#));
    other(staging, "");
    assert!(eventually(|| !daemon.get("/metrics").1.contains("production")));
    assert!(daemon.value(watched).is_some());
    daemon.end(&stage);
}

#[test]
fn where_it_cannot_listen_nothing_changes() {
    let (stage, daemon) = started("");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = format!("run: {{interval: 1h, listen: \"{address}\"}}\n");
    stage.configure(&Config { run: run.clone(), ..Config::of("one") });
    daemon.reload();
    assert!(eventually(|| daemon.value(GOOD).as_deref() == Some("0")));
    assert_eq!(daemon.get("/healthz").0, StatusCode::OK);
    drop(taken);
    daemon.reload();
    let there = format!("http://{address}/healthz");
    assert!(eventually(|| daemon.runtime.block_on(async { daemon.client.get(&there).send().await.is_ok() })));
    assert!(eventually(|| std::net::TcpStream::connect(daemon.address()).is_err()), "the old one listens on");
    daemon.end(&stage);
}

impl Daemon {
    /// Sends SIGHUP.
    fn reload(&self) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(command("kill").args(["-HUP", &id]).status().unwrap().success());
    }
}
