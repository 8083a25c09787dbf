//! The main proof: services of all kinds side by side in one environment, and the agent takes back the one deployment
//! that it should, whatever the remote is reached by.

use std::path::Path;

use super::stage::{BOT, Config, ERRORS, LATENCY, PERSON, Stage, item, path_of, text, values, words};
use crate::support::git::{git, git_command, notes_refs, try_git};
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};
use crate::support::ssh_remote::SshRemote;
use crate::support::{command, installed};

const SERVICES: [&str; 4] = ["checkout", "catalog", "ledger", "quiet"];

/// What is found out and decided about each service in the first pass.
const EXPECTED: [(&str, &str); 4] = [
    ("checkout", "regressed revert"),
    ("catalog", "healthy pass"),
    ("ledger", "preexisting pass"),
    ("quiet", "inconclusive pass"),
];

/// Who the agent is.
const IDENTITY: &str = "  author: {name: Backout Agent, email: agent@example.com}
  committer: {name: Backout Machine, email: machine@example.com}
  sign_off: true
";

fn config(namespace: &str, repository: &str) -> Config {
    let mut config = Config::of(namespace);
    config.repository = format!("{IDENTITY}{repository}");
    config.environments =
        "  production: {branch: main, mode: auto, budget: {incident_services: 10}}\n".to_owned();
    config.signals = format!("{ERRORS}{LATENCY}");
    config.policy.push_str(", schema: {paths: [\"apps/*/migrations/**\"]}");
    config
}

/// Everything that happened before the agent looks. Returns the bad commit of `checkout`.
fn people_and_bots(stage: &Stage) -> String {
    stage.begin(&SERVICES);
    for service in ["catalog", "ledger", "quiet"] {
        stage.deploy(service, "v2", -44, BOT);
    }
    stage.deploy("checkout", "v2", -12, BOT)
}

/// A deployment that changed a schema is left to a person, however it says so.
#[test]
fn schema_changes_go_to_a_person() {
    let migration = "apps/stock/migrations/7.sql";
    let label = "podLabels:\n  backout/schema-change: \"true\"\n";
    for (service, more, subject, why) in [
        ("orders", "", "It moves the totals.\n\nSchema-Change: yes", "commit trailer Schema-Change"),
        (
            "stock",
            "",
            "It has places.",
            "it touches apps/stock/migrations/7.sql, expand, line 1: a column is new",
        ),
        ("users", label, "It has a label.", "backout/schema-change in apps/users/values.yaml"),
    ] {
        let stage = Stage::on_path();
        stage.begin(&[service]);
        stage.configure(&config(service, ""));
        stage.write(&path_of(service), &(values(service, "v2") + more));
        if service == "stock" {
            stage.write(migration, "ALTER TABLE stock ADD place text;\n");
        }
        let deployed = stage.commit(-12, BOT, &format!("Deploy {service} v2\n\n{subject}"));
        stage.push();
        let report = stage.pass(4);
        assert_eq!(words(item(&report, service)), "regressed escalate", "{report:#}");
        assert!(text(item(&report, service), "why").contains(why), "{report:#}");
        assert_eq!(stage.tip(), deployed);
        stage.nothing_more();
    }
}

/// Plays the whole story, the same over every transport. Returns the revert.
fn play(stage: &Stage) -> String {
    stage.write("apps/users/migrations/README", "Nothing was migrated yet.\n");
    let bad = people_and_bots(stage);
    let checks = stage.run(&["check"]).ended(0).stdout;
    assert!(checks.contains("push to production: allowed") && !checks.contains("FAIL"), "{checks}");
    let plan = stage.plan(0);
    let report = stage.pass(3);
    for (service, expected) in EXPECTED {
        assert_eq!(words(item(&report, service)), expected, "{service}: {report:#}");
        assert_eq!(words(item(&plan, service)), expected, "{service}: {plan:#}");
    }
    let revert = stage.tip();
    assert_eq!(item(&report, "checkout")["revert"], revert.as_str());
    assert_eq!(stage.remote(&["rev-parse", "main^"]), bad);
    exactly_the_bad_bytes_went_back(stage, &bad);
    assert!(
        text(item(&plan, "checkout"), "diff")
            .contains("-  tag:   \"v2\"  # by CI\n+  tag:   \"v1\"  # by CI\n")
    );
    stage.nothing_more();
    stage.nothing_more();
    the_message_is_complete(stage, &bad);
    the_notes_are_complete(stage, &bad, &revert);
    git(&stage.bare, &["fsck", "--strict"]);
    revert
}

fn exactly_the_bad_bytes_went_back(stage: &Stage, bad: &str) {
    let undone = stage.remote(&["diff", bad, &format!("{bad}^")]);
    let done = stage.remote(&["diff", "main^", "main"]);
    assert!(!done.is_empty());
    assert_eq!(done, undone, "the revert is the bad diff the other way round, and nothing else");
    assert_eq!(stage.file("main", "checkout"), values("checkout", "v1"));
}

fn the_message_is_complete(stage: &Stage, bad: &str) {
    let show = |format: &str| stage.remote(&["log", "-1", &format!("--format={format}"), "main"]);
    assert_eq!(show("%s"), "Revert checkout in production: v2 → v1");
    assert_eq!(show("%an <%ae>"), "Backout Agent <agent@example.com>");
    assert_eq!(show("%cn <%ce>"), "Backout Machine <machine@example.com>");
    let body = show("%B");
    for part in [
        "| signal | before | after | since |",
        "| errors | 0.2 % | 30 % | ",
        "| file | field | deployed | now |",
        "| apps/checkout/values.yaml | image.tag | \"v2\" | \"v1\" |",
    ] {
        assert!(body.contains(part), "{part} is not in:\n{body}");
    }
    let file = stage.home.path().join("message");
    std::fs::write(&file, body).unwrap();
    let trailers = git(&stage.bare, &["interpret-trailers", "--parse", file.to_str().unwrap()]);
    for trailer in [
        "Backout-Service: checkout",
        "Backout-Environment: production",
        &format!("Backout-Reverts: {bad}"),
        "Backout-From: v2",
        "Backout-To: v1",
        "Backout-Signal: errors",
        &format!("Backout-Evidence: refs/notes/backout-* on {bad}"),
        "Signed-off-by: Backout Machine <machine@example.com>",
    ] {
        assert!(trailers.lines().any(|line| line == trailer), "{trailer} is not in:\n{trailers}");
    }
    assert!(trailers.lines().next().unwrap().starts_with("Backout-Id: "), "{trailers}");
}

fn the_notes_are_complete(stage: &Stage, bad: &str, revert: &str) {
    let [record] = &stage.note(bad)[..] else { panic!("not one record beside the look") };
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    assert_eq!(record["revert"], revert);
    assert_eq!(record["judgement"]["verdict"]["verdict"], "regressed");
    let explained = stage.run(&["explain", bad]).ended(0).stdout;
    assert!(explained.contains("derived again from the record: the same verdict"), "{explained}");
    let history = stage.history();
    assert_eq!(history.len(), EXPECTED.len());
    for (service, expected) in EXPECTED {
        let record = history.iter().find(|record| record["service"] == service).unwrap();
        let (verdict, action) = expected.split_once(' ').unwrap();
        assert_eq!(record["judgement"]["verdict"]["verdict"], verdict);
        assert_eq!(record["decision"]["action"], action);
    }
    let only = stage.run(&["history", "--format", "json", "--service", "checkout"]).ended(0).json();
    assert_eq!(only.as_array().unwrap().len(), 1);
}

#[test]
fn over_http_with_a_password() {
    let remote = HttpRemote::start();
    let mut stage = Stage::on(remote.repository(), remote.url());
    stage.variables.push(("GIT_PASSWORD".to_owned(), PASSWORD.to_owned()));
    let auth = format!("  auth: {{kind: basic, username: {USER}, password: {{env: GIT_PASSWORD}}}}\n");
    stage.configure(&config("shop", &auth));
    play(&stage);
}

/// What the system trusts is asked when a server shows a certificate: a server that is spoken to over plain HTTP needs none.
#[test]
fn the_systems_certificates_decide_whom_it_trusts() {
    let nothing = tempfile::tempdir().unwrap();
    for (is_tls, trusted) in [(true, true), (true, false), (false, false)] {
        let remote = if is_tls { HttpRemote::start_tls() } else { HttpRemote::start() };
        let mut stage = Stage::on(remote.repository(), remote.url());
        let none = nothing.path().join("none.pem");
        let certificate = if trusted { remote.certificate() } else { none };
        let named = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        stage.variables.push(named("SSL_CERT_FILE", &certificate));
        stage.variables.push(named("SSL_CERT_DIR", nothing.path()));
        stage.variables.push(("GIT_PASSWORD".to_owned(), PASSWORD.to_owned()));
        let auth = format!("  auth: {{kind: basic, username: {USER}, password: {{env: GIT_PASSWORD}}}}\n");
        stage.configure(&config("shop", &auth));
        stage.begin(&["checkout"]);
        let plan = stage.run(&["plan"]);
        if is_tls && !trusted {
            let said = plan.ended(1).stderr.to_lowercase();
            assert!(said.contains("certificate"), "{said}");
        } else {
            plan.ended(0);
        }
    }
}

#[test]
fn over_ssh_with_a_key_and_signed() {
    let remote = SshRemote::start();
    let stage = Stage::on(remote.repository(), remote.url());
    let key = signing_key(stage.home.path());
    let repository = format!(
        "  auth: {{kind: ssh, key: {}, known_hosts: {}}}\n  signing: {{kind: ssh, key: {}}}\n",
        remote.file("user_key").display(),
        remote.file("known_hosts").display(),
        key.display()
    );
    stage.configure(&config("shop", &repository));
    let revert = play(&stage);
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let allowed = stage.home.path().join("allowed");
    std::fs::write(&allowed, format!("machine@example.com {public}")).unwrap();
    let signers = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    for signed in notes_refs(&stage.bare).into_iter().chain([revert]) {
        git(&stage.bare, &["-c", &signers, "verify-commit", &signed]);
    }
    let by_a_person = try_git(&stage.bare, &["-c", &signers, "verify-commit", "main^"]);
    assert!(!by_a_person.status.success(), "what nobody signed is not verified");
}

fn signing_key(directory: &Path) -> std::path::PathBuf {
    let key = directory.join("signing_key");
    let keygen = installed("ssh-keygen", "openssh-client");
    let made = command(&keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    key
}

#[test]
fn as_a_file() {
    let parent = tempfile::tempdir().unwrap();
    let bare = crate::support::git::bare(parent.path(), "env.git");
    let url = format!("file://{}", bare.display());
    let stage = Stage::on(bare, url);
    stage.configure(&config("shop", ""));
    let revert = play(&stage);
    // The revert explains the deployment too, whatever else is noted on it.
    let seen = r#"{"kind":"seen","version":1,"branch":"main","tip":"TIP","at":"2026-01-01T00:00:00Z"}"#;
    stage.remote(&["notes", "--ref=backout", "add", "-m", &seen.replace("TIP", &revert), &revert]);
    let explained = stage.run(&["explain", &revert]).ended(0).stdout;
    assert!(explained.contains("derived again from the record: the same verdict"), "{explained}");
    let clone = parent.path().join("clone");
    let cloned =
        git_command(parent.path()).args(["clone", "-q"]).arg(&stage.bare).arg(&clone).status().unwrap();
    assert!(cloned.success());
    assert_eq!(std::fs::read_to_string(clone.join(path_of("checkout"))).unwrap(), values("checkout", "v1"));
}

#[test]
fn a_healthy_environment_passes_every_check() {
    let stage = Stage::with("fine", &["web"]);
    stage.deploy("web", "v2", -44, PERSON);
    let checks = stage.run(&["check"]).ended(0).stdout;
    assert!(checks.contains("push to production: allowed") && !checks.contains("FAIL"), "{checks}");
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "healthy pass");
    stage.nothing_more();
}

#[test]
fn a_check_shows_which_services_go_back_together() {
    let stage = Stage::with("grouped", &["cart", "web"]);
    let mut config = Config::of("grouped");
    let services = |group: &str| {
        format!(
            "  - {{pattern: \"apps/{{service}}/values.yaml\", labels: {{namespace: grouped}}, group: \"{group}\"}}\n"
        )
    };
    config.services = services("shop");
    stage.configure(&config);
    let shown = stage.run(&["check"]).stdout;
    assert!(shown.contains("group shop of production: 2 services, cart, web\n"), "{shown}");
    config.services = services("{service}-alone");
    stage.configure(&config);
    let shown = stage.run(&["check"]).stdout;
    let alone = "group web-alone of production: web alone: no other service goes back with it";
    assert!(shown.contains(alone), "{shown}");
}
