//! A branch whose history somebody rewrites, under a revert of the agent.

use std::io::Write as _;

use serde_json::{Value, json};

use super::landing::{age_looks, looks};
use super::stage::{BOT, PERSON, Stage, item, text, words};
use super::table::{self, Rules};

const PATH: &str = "apps/web/values.yaml";

fn tag(tag: &str) -> String {
    format!("image:\n  tag: {tag}\n")
}

/// A bad deployment of `web`, twelve minutes ago, and the revert of it that the agent has made now. Something else came just before it.
struct Reverted {
    stage: Stage,
    /// Something that deploys nothing, just before the deployment.
    before: String,
    bad: String,
    revert: String,
}

fn reverted() -> Reverted {
    let stage = table::stage(&Rules::new(r#"[{pattern: "apps/{service}/**"}]"#), &[(PATH, &tag("v1"))]);
    let before = table::commit(&stage, &[("README.md", "Services\n")], -20, PERSON);
    stage.pass(0);
    let bad = table::deploy(&stage, &[(PATH, &tag("v2"))], -12);
    table::errors(&stage, &[("web", &[(-11, 99)])]);
    stage.pass(3);
    let revert = stage.tip();
    Reverted { stage, before, bad, revert }
}

fn force(stage: &Stage) -> String {
    stage.git(&["push", "-q", "--force", stage.bare.to_str().unwrap(), "HEAD:main"]);
    stage.tip()
}

/// What is told of the reverts in a pass.
fn told(report: &Value) -> &Vec<Value> {
    report["environments"][0]["recoveries"].as_array().unwrap()
}

#[track_caller]
fn is_told_gone(report: &Value, revert: &str, what: &str) {
    let [gone] = told(report).as_slice() else { panic!("one revert is gone: {report:#}") };
    assert_eq!((text(gone, "outcome"), text(gone, "revert")), ("gone", revert), "{report:#}");
    assert!(text(gone, "reason").contains(what), "{report:#}");
}

#[test]
fn a_deployment_that_was_reworded_is_the_one_that_it_was() {
    let Reverted { stage, bad, revert, .. } = reverted();
    stage.git(&["reset", "-q", "--hard", &bad]);
    stage.dated(-1, PERSON, &["commit", "-q", "--amend", "-m", "Deploy web v2 at last"]);
    let reworded = force(&stage);
    assert_ne!(reworded, bad);
    let report = stage.pass(4);
    is_told_gone(&report, &revert, "runs again, and is judged again");
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    assert_eq!(text(item(&report, "web"), "deployment"), reworded);
    stage.nothing_more();
    stage.nothing_more();
    let explained = stage.run(&["explain", &reworded]).ended(0).stdout;
    assert!(explained.contains("reverted by"), "{explained}");
}

#[test]
fn a_deployment_that_was_put_on_another_commit_is_the_one_that_it_was() {
    let Reverted { stage, before, bad, revert } = reverted();
    stage.git(&["reset", "-q", "--hard", &bad]);
    let onto = format!("{before}^");
    stage.dated(-1, PERSON, &["rebase", "-q", "--onto", &onto, &before]);
    let moved = force(&stage);
    assert_ne!(moved, bad);
    let report = stage.pass(4);
    is_told_gone(&report, &revert, "runs again, and is judged again");
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    stage.nothing_more();
}

/// Twice in turns is a fight, whatever the ids.
#[test]
fn who_rewords_it_again_and_again_is_not_fought() {
    let Reverted { stage, bad, revert, .. } = reverted();
    let mut gone = revert;
    for (minutes, decided) in [(-2, "regressed revert"), (-1, "regressed escalate")] {
        stage.git(&["reset", "-q", "--hard", &bad]);
        let message = format!("Deploy web v2, {minutes}");
        stage.dated(minutes, PERSON, &["commit", "-q", "--amend", "-m", &message]);
        force(&stage);
        let report = stage.pass(4);
        is_told_gone(&report, &gone, "runs again");
        assert_eq!(words(item(&report, "web")), decided, "{report:#}");
        gone = stage.tip();
        stage.nothing_more();
    }
}

#[test]
fn a_revert_that_is_gone_with_its_deployment_is_told_once() {
    let Reverted { stage, before, revert, .. } = reverted();
    stage.git(&["reset", "-q", "--hard", &before]);
    force(&stage);
    let report = stage.pass(4);
    is_told_gone(&report, &revert, "is gone too");
    assert_eq!(report["environments"][0]["items"], json!([]), "{report:#}");
    stage.nothing_more();
}

/// The same version once more is another deployment: it is held against what was usual before the first one.
#[test]
fn what_a_machine_deploys_again_after_both_are_gone_is_reverted() {
    let Reverted { stage, before, .. } = reverted();
    let revert = stage.backdate(-8);
    stage.run(&["run", "--once"]);
    age_looks(&stage, 8);
    table::errors(&stage, &[("web", &[(-11, -8), (-4, 99)])]);
    stage.git(&["reset", "-q", "--hard", &before]);
    stage.write(PATH, &tag("v2"));
    let again = stage.commit(-5, BOT, "Deploy web v2");
    force(&stage);
    let seen_at = stage.now() - 290;
    let mut seen = std::fs::OpenOptions::new().append(true).open(looks(&stage)).unwrap();
    writeln!(seen, "seen {again} {seen_at} {seen_at} main").unwrap();
    let report = stage.pass(4);
    is_told_gone(&report, &revert, "is gone too");
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    assert_eq!(text(item(&report, "web"), "deployment"), again);
    stage.nothing_more();
}

/// Nothing of what was bad before is blamed on it.
#[test]
fn another_version_after_both_are_gone_is_watched() {
    let Reverted { stage, before, .. } = reverted();
    stage.backdate(-8);
    stage.run(&["run", "--once"]);
    age_looks(&stage, 8);
    table::errors(&stage, &[("web", &[(-11, -8)])]);
    stage.git(&["reset", "-q", "--hard", &before]);
    stage.write(PATH, &tag("v3"));
    stage.commit(-5, BOT, "Deploy web v3");
    let tip = force(&stage);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "pending wait", "{report:#}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
}

/// What only says that it was a revert took nothing back.
#[test]
fn a_commit_with_quoted_trailers_that_is_gone_is_not_told() {
    let Reverted { stage, bad, revert, .. } = reverted();
    let quoted = stage.remote(&["show", "-s", "--format=%B", &revert]);
    stage.git(&["reset", "-q", "--hard", &bad]);
    table::errors(&stage, &[("web", &[])]);
    stage.forget_looks();
    stage.git(&["notes", "list"]);
    for notes in stage.remote(&["for-each-ref", "--format=%(refname)", "refs/notes/"]).lines() {
        stage.remote(&["update-ref", "-d", notes]);
    }
    stage.commit(-3, PERSON, &quoted);
    force(&stage);
    stage.pass(0);
    stage.git(&["reset", "-q", "--hard", &bad]);
    force(&stage);
    let report = stage.pass(0);
    assert_eq!(told(&report), &Vec::<Value>::new(), "{report:#}");
}

/// Writes into the agent's memory that it saw the branch at these commits, so many minutes ago.
fn saw(stage: &Stage, commits: &[(&str, i64)]) {
    let mut seen = std::fs::OpenOptions::new().append(true).open(looks(stage)).unwrap();
    for (commit, minutes) in commits {
        let at = stage.now() - minutes * 60;
        writeln!(seen, "seen {commit} {at} {at} main").unwrap();
    }
}

/// A stage whose agent has looked at `web` at v1, half an hour ago.
fn watched() -> (Stage, String) {
    let stage = table::stage(&Rules::new(r#"[{pattern: "apps/{service}/**"}]"#), &[(PATH, &tag("v1"))]);
    let before = table::commit(&stage, &[("README.md", "Services\n")], -40, PERSON);
    stage.pass(0);
    age_looks(&stage, 30);
    (stage, before)
}

/// What was taken off the branch, and comes again, is not blamed for what began in between.
#[test]
fn what_comes_again_landed_when_it_came_again() {
    for reword in [false, true] {
        let (stage, before) = watched();
        stage.write(PATH, &tag("v2"));
        let mut good = stage.commit(-22, BOT, "Deploy web v2");
        force(&stage);
        saw(&stage, &[(&good, 21), (&good, 18), (&before, 17), (&before, 6)]);
        table::errors(&stage, &[("web", &[(-12, 99)])]);
        if reword {
            stage.dated(-6, PERSON, &["commit", "-q", "--amend", "-m", "Deploy web v2 again"]);
            good = force(&stage);
        }
        saw(&stage, &[(&good, 5)]);
        let report = stage.pass(0);
        assert_eq!(stage.tip(), good, "{report:#}");
        let landed = item(&report, "web")["landing"]["earliest"].as_str().unwrap().parse::<jiff::Timestamp>();
        assert_eq!((stage.now() - landed.unwrap().as_second()) / 60, 6, "{reword}: {report:#}");
    }
}

#[test]
fn what_only_got_a_commit_before_it_landed_when_it_did() {
    let (stage, before) = watched();
    stage.write(PATH, &tag("v2"));
    let bad = stage.commit(-12, BOT, "Deploy web v2");
    force(&stage);
    saw(&stage, &[(&bad, 11), (&bad, 3)]);
    table::errors(&stage, &[("web", &[(-11, 99)])]);
    stage.git(&["reset", "-q", "--hard", &before]);
    stage.write("docs.md", "More\n");
    stage.commit(-2, PERSON, "Say more");
    stage.dated(-2, PERSON, &["cherry-pick", &bad]);
    let moved = force(&stage);
    assert_ne!(moved, bad);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    stage.nothing_more();
}

/// Somebody puts a release before the deployment, or makes one commit of both: nobody can say by the branch when that landed. What it
/// does may be older than it is, and is not excused for that.
#[test]
fn a_deployment_among_new_ones_is_not_excused_by_its_own_damage() {
    const API: &str = "apps/api/values.yaml";
    for kind in ["a release before it", "one commit of two", "amended"] {
        let (stage, before) = watched();
        stage.write(API, &tag("v1"));
        let with_api = stage.commit(-38, BOT, "Deploy api v1");
        stage.write(PATH, &tag("v2"));
        let bad = stage.commit(-22, BOT, "Deploy web v2");
        force(&stage);
        saw(&stage, &[(&before, 39), (&with_api, 37), (&with_api, 23), (&bad, 21), (&bad, 3)]);
        table::errors(&stage, &[("web", &[(-11, 99)])]);
        let onto = if kind == "amended" { &bad } else { &with_api };
        stage.git(&["reset", "-q", "--hard", onto]);
        stage.write(API, &tag("v2"));
        match kind {
            "a release before it" => {
                stage.commit(-2, BOT, "Deploy api v2");
                stage.dated(-2, PERSON, &["cherry-pick", &bad]);
            }
            "one commit of two" => {
                stage.write(PATH, &tag("v2"));
                stage.commit(-2, PERSON, "Deploy web v2 and api v2");
            }
            _ => {
                stage.git(&["add", "."]);
                stage.dated(-2, PERSON, &["commit", "-q", "--amend", "-m", "Deploy web v2 and api v2"]);
            }
        }
        let tip = force(&stage);
        let report = stage.pass(3);
        assert_eq!(words(item(&report, "web")), "regressed propose", "{kind}: {report:#}");
        assert_eq!(stage.tip(), tip, "{kind}");
        stage.nothing_more();
    }
}

/// What the agent has reverted once is no good state, under whatever id it comes again.
#[test]
fn no_revert_leads_to_what_was_reverted_under_another_id() {
    let Reverted { stage, bad, .. } = reverted();
    stage.backdate(-9);
    stage.run(&["run", "--once"]);
    age_looks(&stage, 8);
    stage.git(&["reset", "-q", "--hard", &bad]);
    stage.dated(-7, PERSON, &["commit", "-q", "--amend", "-m", "Deploy web v2 at last"]);
    stage.write(PATH, &tag("v3"));
    let newest = stage.commit(-7, BOT, "Deploy web v3");
    force(&stage);
    saw(&stage, &[(&newest, 6)]);
    stage.run(&["run", "--once"]);
    let file = stage.file("main", "web");
    assert!(file.contains("v1") || file.contains("v3"), "v2 was reverted before: {file}");
}

/// A revert that was only put on another commit is the one that it was.
#[test]
fn a_revert_that_was_carried_over_still_counts() {
    let Reverted { stage, before, bad, .. } = reverted();
    let revert = stage.backdate(-9);
    stage.run(&["run", "--once"]);
    table::errors(&stage, &[("web", &[(-11, -9)])]);
    stage.git(&["reset", "-q", "--hard", &revert]);
    let onto = format!("{before}^");
    stage.dated(-7, PERSON, &["rebase", "-q", "--onto", &onto, &before]);
    let carried = force(&stage);
    assert_ne!(carried, revert);
    let report = stage.pass(0);
    assert!(told(&report).iter().all(|one| text(one, "outcome") != "gone"), "{report:#}");
    age_looks(&stage, 7);
    stage.write(PATH, &tag("v2"));
    let back = stage.commit(-5, PERSON, "Put v2 back on purpose");
    force(&stage);
    saw(&stage, &[(&back, 4)]);
    table::errors(&stage, &[("web", &[(-11, -9), (-4, 99)])]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose", "{bad}: {report:#}");
    assert_eq!(stage.tip(), back);
}

/// What a person was told is not told again because somebody has reworded it.
#[test]
fn what_was_told_is_not_told_again_when_it_is_reworded() {
    let both = |version: &str| [PATH, "apps/api/values.yaml"].map(|path| (path, tag(version)));
    let rules = Rules {
        environments: "{production: {branch: main, mode: auto, budget: {incident_services: 2}}}",
        ..Rules::new(r#"[{pattern: "apps/{service}/**"}]"#)
    };
    let of = |version: &str| both(version).map(|(path, text)| (path, text.leak() as &str));
    let stage = table::stage(&rules, &of("v1"));
    stage.pass(0);
    table::deploy(&stage, &of("v2"), -12);
    table::errors(&stage, &[("web", &[(-11, 99)]), ("api", &[(-11, 99)])]);
    stage.pass(4);
    stage.dated(-1, PERSON, &["commit", "-q", "--amend", "-m", "Deploy web v2 at last"]);
    force(&stage);
    stage.nothing_more();
}

/// The deployment may be of long ago, as with a fallback: it is told all the same.
#[test]
fn the_revert_of_a_deployment_that_is_not_watched_any_more_is_told_when_it_is_gone() {
    let Reverted { stage, bad, revert, .. } = reverted();
    let rules = Rules::new(r#"[{pattern: "apps/{service}/**"}]"#);
    table::configure(&stage, &Rules { policy: "settle: 30s, watch: 4m, baseline: 30m", ..rules });
    stage.git(&["reset", "-q", "--hard", &bad]);
    force(&stage);
    let report = stage.pass(4);
    is_told_gone(&report, &revert, "is not watched any more, and is not judged again");
    stage.nothing_more();
    stage.nothing_more();
}

/// Others have come to the branch between the deployment and its revert.
#[test]
fn a_gone_revert_is_known_however_much_came_before_it() {
    let stage = table::stage(&Rules::new(r#"[{pattern: "apps/{service}/**"}]"#), &[(PATH, &tag("v1"))]);
    stage.pass(0);
    table::deploy(&stage, &[(PATH, &tag("v2"))], -12);
    table::commit(&stage, &[("README.md", "Services\n")], -11, PERSON);
    let last = table::deploy(&stage, &[("apps/api/values.yaml", &tag("v7"))], -10);
    table::errors(&stage, &[("web", &[(-11, 99)])]);
    stage.run(&["run", "--once"]).ended(3);
    let revert = stage.tip();
    // Nothing but the history tells of it.
    for notes in stage.remote(&["for-each-ref", "--format=%(refname)", "refs/notes/"]).lines() {
        stage.remote(&["update-ref", "-d", notes]);
    }
    stage.git(&["reset", "-q", "--hard", &last]);
    force(&stage);
    let report = stage.run(&["run", "--once", "--format", "json"]).ended(4).json();
    is_told_gone(&report, &revert, "runs again, and is judged again");
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
}
