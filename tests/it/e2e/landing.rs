//! When deployments landed: what was merged late is not blamed for what had begun before, a clock that is ahead hides
//! nothing, and what nobody has watched is told once.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::stage::{BOT, PERSON, Stage, item, path_of, values, words};
use crate::support::forge::{Face, REPOSITORY, SimForge, TOKEN};
use crate::support::git::{log_moves, remove_notes};
use crate::support::unix_now;

/// A stage with the service `web`, whose errors are high since some minutes ago. Its policy watches for 30 minutes.
fn failing_since(minutes: i64) -> Stage {
    let stage = Stage::on_path();
    stage.begin(&["web"]);
    let mut table = "timestamp,metric,service,value\n".to_owned();
    let now = unix_now() / 60 * 60;
    for minute in 0..240 {
        let value = if minute <= minutes { 0.3 } else { 0.002 + 0.000_1 * f64::from((minute % 3) as i32) };
        writeln!(table, "{},errors,web,{value}", now - minute * 60).unwrap();
    }
    std::fs::write(stage.home.path().join("metrics.csv"), table).unwrap();
    let config = format!(
        "repository: {{url: {}, cache: cache}}
environments: {{production: {{branch: main, mode: auto}}}}
metrics: {{file: {{kind: csv, path: metrics.csv}}}}
signals:
  errors: {{query: 'errors{{service=\"{{{{ service }}}}\"}}', kind: error-ratio}}
services: [{{pattern: \"apps/{{service}}/values.yaml\"}}]
",
        stage.bare.display()
    );
    std::fs::write(stage.home.path().join("backout.yaml"), config).unwrap();
    stage
}

/// Lands a deployment of `web` now that was committed some minutes from now.
fn land(stage: &Stage, tag: &str, minutes: i64) -> String {
    stage.write(&path_of("web"), &values("web", tag));
    let from_stage = minutes + (unix_now() - stage.now()) / 60;
    let commit = stage.commit(from_stage, BOT, &format!("Deploy web {tag}"));
    stage.land();
    commit
}

/// The file in which the agent remembers when it looked at the branch.
pub(super) fn looks(stage: &Stage) -> PathBuf {
    let cache = std::fs::read_dir(stage.home.path().join("cache")).unwrap();
    let mut found = cache.map(|entry| entry.unwrap().path());
    found.find(|path| path.to_string_lossy().ends_with(".seen")).expect("the agent remembers its looks")
}

/// Makes the agent's looks so much older.
pub(super) fn age_looks(stage: &Stage, minutes: i64) {
    let file = looks(stage);
    let mut aged = String::new();
    for line in std::fs::read_to_string(&file).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let time = |text: &str| text.parse::<i64>().unwrap() - minutes * 60;
        writeln!(aged, "{} {} {} {} {}", words[0], words[1], time(words[2]), time(words[3]), words[4])
            .unwrap();
    }
    std::fs::write(file, aged).unwrap();
}

/// Has an agent look that has not looked at anything before: its cache has this name.
fn another_agent(stage: &Stage, cache: &str) {
    let file = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    let (head, tail) = config.split_once("cache: ").unwrap();
    let (_, tail) = tail.split_once('}').unwrap();
    std::fs::write(file, format!("{head}cache: {cache}}}{tail}")).unwrap();
}

/// Writes into the note of the branch's tip that it was seen there so many minutes ago, and at another commit a minute before,
/// as an agent does.
fn tell(stage: &Stage, before: &str, minutes: i64) {
    let (tip, at) = (stage.tip(), unix_now() - minutes * 60);
    let time = |at: i64| backout::domain::time::Time::from_unix(at).to_string();
    let before = format!("{{\"tip\":\"{before}\",\"at\":\"{}\"}}", time(at - 60));
    let line = format!(
        "{{\"kind\":\"seen\",\"version\":1,\"branch\":\"main\",\"tip\":\"{tip}\",\"at\":\"{}\",\"before\":{before}}}",
        time(at)
    );
    stage.remote(&["notes", "--ref", "refs/notes/backout", "append", "-m", &line, &tip]);
}

/// Adds a look at the branch's tip some minutes ago.
fn add_look(stage: &Stage, minutes: i64) {
    let file = looks(stage);
    let mut text = std::fs::read_to_string(&file).unwrap();
    let at = unix_now() - minutes * 60;
    writeln!(text, "seen {} {at} {at} main", stage.tip()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// A stage with a forge over its remote, which logs when branches are moved. Errors are high since some minutes ago, and a
/// deployment of `web` landed some minutes ago that was committed two hours before.
fn two_hours_late_on(face: Face, minutes: i64, landed: i64) -> (Stage, SimForge) {
    let mut stage = failing_since(minutes);
    log_moves(&stage.bare);
    let forge = SimForge::start(face, &stage.bare);
    stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
    let kind = match face {
        Face::GitHub => "github",
        Face::GitLab => "gitlab",
        Face::Gitea => "gitea",
    };
    let file = stage.home.path().join("backout.yaml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    let auth = "{kind: token, token: {env: FORGE_TOKEN}}";
    let url = forge.url();
    writeln!(config, "forge: {{kind: {kind}, url: {url}, repository: {REPOSITORY}, auth: {auth}}}").unwrap();
    std::fs::write(file, config).unwrap();
    stage.write(&path_of("web"), &values("web", "v2"));
    let moments = (unix_now() - stage.now()) / 60;
    stage.commit(moments - landed - 120, BOT, "Deploy web v2");
    stage.dated(moments - landed, BOT, &["push", "-q", stage.bare.to_str().unwrap(), "HEAD:main"]);
    (stage, forge)
}

fn landed_by(report: &Value) -> &str {
    item(report, "web")["landing"]["by"].as_str().unwrap()
}

#[test]
fn what_is_merged_late_is_not_blamed_for_what_had_begun_before() {
    let stage = failing_since(20);
    stage.pass(0);
    let late = land(&stage, "v2", -25);
    let report = stage.pass(0);
    assert_eq!((landed_by(&report), stage.tip()), ("sighting", late));
    assert_eq!(item(&report, "web")["action"], "wait");
    stage.nothing_more();
}

#[test]
fn what_lands_two_hours_late_is_watched_from_then_on() {
    let stage = failing_since(110);
    stage.pass(0);
    let late = land(&stage, "v2", -120);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "pending wait", "it is not too old to be judged");
    assert_eq!((landed_by(&report), stage.tip()), ("sighting", late));
}

#[test]
fn without_any_look_before_the_committers_time_is_taken() {
    let stage = failing_since(20);
    land(&stage, "v2", -25);
    let report = stage.pass(3);
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("regressed revert", "committer"));
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
}

#[test]
fn where_a_long_time_lies_between_two_looks_the_revert_is_proposed() {
    let stage = failing_since(20);
    stage.pass(0);
    age_looks(&stage, 60);
    let bad = land(&stage, "v2", -25);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose");
    assert_eq!(stage.tip(), bad);
    assert!(stage.refs().contains("refs/heads/backout/production/web/"));
    let message = stage.remote(&["log", "-1", "--format=%B", "--glob=refs/heads/backout/*"]);
    assert!(message.contains("it is not known whether the damage began before that"), "{message}");
    stage.nothing_more();
}

#[test]
fn where_the_looks_are_close_together_the_agent_acts() {
    let stage = failing_since(20);
    stage.pass(0);
    age_looks(&stage, 26);
    land(&stage, "v2", -25);
    add_look(&stage, 24);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
}

#[test]
fn a_commit_that_was_made_long_before_the_looks_between_which_it_landed_is_judged_from_then() {
    let stage = failing_since(20);
    stage.pass(0);
    age_looks(&stage, 26);
    land(&stage, "v2", -170);
    add_look(&stage, 24);
    let report = stage.pass(3);
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("regressed revert", "sighting"));
}

#[test]
fn what_had_begun_before_it_landed_two_hours_late_is_not_its_own() {
    let stage = failing_since(45);
    stage.pass(0);
    age_looks(&stage, 36);
    land(&stage, "v2", -154);
    add_look(&stage, 34);
    let report = stage.pass(0);
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("preexisting pass", "sighting"));
}

#[test]
fn an_agent_without_a_memory_asks_the_forge_when_it_landed() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let (stage, _forge) = two_hours_late_on(face, 45, 34);
        let report = stage.pass(0);
        let web = item(&report, "web");
        assert_eq!((words(web).as_str(), landed_by(&report)), ("preexisting pass", "forge"), "{face:?}");
        let (stage, _forge) = two_hours_late_on(face, 20, 24);
        let report = stage.pass(3);
        let web = item(&report, "web");
        assert_eq!((words(web).as_str(), landed_by(&report)), ("regressed revert", "forge"), "{face:?}");
        let landed: backout::domain::time::Time =
            serde_json::from_value(web["landing"]["at"].clone()).unwrap();
        let ago = unix_now() - landed.unix();
        assert!((24 * 60..40 * 60).contains(&ago), "{face:?}: landed {ago} s ago");
        assert_eq!(stage.file("main", "web"), values("web", "v1"), "{face:?}");
        stage.nothing_more();
    }
}

#[test]
fn who_has_not_seen_it_land_goes_by_the_record_of_who_has() {
    let stage = failing_since(0);
    stage.pass(0);
    let begin = stage.tip();
    let late = land(&stage, "v2", -120);
    let seen = stage.pass(0);
    assert_eq!((words(item(&seen, "web")).as_str(), landed_by(&seen)), ("pending wait", "sighting"));
    let told = stage.looks_in_notes();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0]["tip"].as_str(), told[0]["before"]["tip"].as_str()), (Some(&*late), Some(&*begin)));
    stage.nothing_more();
    for cache in ["second", "third"] {
        another_agent(&stage, cache);
        let report = stage.nothing_more();
        assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("pending wait", "record"));
        let landed = |report: &Value| {
            let landing = &item(report, "web")["landing"];
            ["at", "earliest", "latest"].map(|key| landing[key].clone())
        };
        assert_eq!(landed(&report), landed(&seen), "whoever looks");
    }
    let plan = stage.plan(0);
    assert_eq!(landed_by(&plan), "record");
}

#[test]
fn by_a_record_nothing_is_blamed_for_what_had_begun_before() {
    let stage = failing_since(45);
    let begin = stage.tip();
    land(&stage, "v2", -154);
    tell(&stage, &begin, 34);
    let report = stage.pass(0);
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("preexisting pass", "record"));
    stage.nothing_more();
}

/// What lands as late as this would not be judged at all without the record. So a record that lies does no more than this.
#[test]
fn what_would_not_be_blamed_without_a_record_is_proposed() {
    let stage = failing_since(20);
    let begin = stage.tip();
    let bad = land(&stage, "v2", -146);
    tell(&stage, &begin, 24);
    let report = stage.pass(3);
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("regressed propose", "record"));
    assert_eq!(stage.tip(), bad);
    let message = stage.remote(&["log", "-1", "--format=%B", "--glob=refs/heads/backout/*"]);
    let told = message.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("only a record in the notes says that it landed at"), "{message}");
    stage.nothing_more();
}

#[test]
fn what_would_be_blamed_without_the_record_too_is_reverted() {
    let stage = failing_since(12);
    let begin = stage.tip();
    land(&stage, "v2", -24);
    tell(&stage, &begin, 16);
    let report = stage.pass(3);
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("regressed revert", "record"));
}

#[test]
fn a_record_that_lies_moves_nothing_to_before_its_time_and_hides_nothing_from_who_has_looked() {
    // As if it had been there before it was committed.
    let earlier = failing_since(20);
    let begin = earlier.tip();
    land(&earlier, "v2", -25);
    tell(&earlier, &begin, 100);
    let report = earlier.pass(3);
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("regressed revert", "committer"));
    // As if it had come after the damage. The agent knows better.
    let later = failing_since(20);
    let begin = later.tip();
    later.pass(0);
    age_looks(&later, 26);
    land(&later, "v2", -25);
    add_look(&later, 24);
    tell(&later, &begin, 10);
    let report = later.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_ne!(landed_by(&report), "record");
}

#[test]
fn what_is_written_down_tells_agents_without_a_memory_where_the_branch_was() {
    let stage = failing_since(0);
    let first = land(&stage, "v2", -120);
    stage.pass(4);
    let told = stage.looks_in_notes();
    assert_eq!((told.len(), told[0]["tip"].as_str()), (1, Some(&*first)), "{told:?}");
    assert!(told[0].get("before").is_none());
    stage.nothing_more();
    land(&stage, "v3", -50);
    another_agent(&stage, "second");
    let report = stage.nothing_more();
    assert_eq!((words(item(&report, "web")).as_str(), landed_by(&report)), ("pending wait", "record"));
    assert_eq!(stage.history().len(), 1, "a look is of no service");
}

/// The agent knows by its own looks that a commit landed after the damage had begun, and does not revert it.
#[track_caller]
fn is_seen_to_land_and_left(stage: &Stage, commit: &str) {
    let report = stage.pass(0);
    assert_eq!(landed_by(&report), "sighting", "{report:#}");
    assert!(!words(item(&report, "web")).ends_with("revert"), "{report:#}");
    assert_eq!(stage.tip(), commit);
}

/// What the agent saw before the history was rewritten shows as well that the commit was not there.
#[test]
fn what_is_forced_onto_the_branch_landed_after_the_last_look_without_it() {
    let stage = failing_since(12);
    // Something that the next history does not have.
    stage.write("README.md", "Services\n");
    let lost = stage.commit(-30, PERSON, "Say what is here");
    stage.land();
    stage.pass(0);
    age_looks(&stage, 5);
    stage.git(&["reset", "-q", "--hard", &format!("{lost}^")]);
    stage.write(&path_of("web"), &values("web", "v2"));
    let forced = stage.commit(-25, BOT, "Deploy web v2");
    stage.git(&["push", "-q", "--force", stage.bare.to_str().unwrap(), "HEAD:main"]);
    is_seen_to_land_and_left(&stage, &forced);
}

/// One pass had a clock that was a day ahead. What it wrote down does not count as seen until tomorrow.
#[test]
fn looks_of_a_clock_that_was_ahead_do_not_move_what_lands_later() {
    let stage = failing_since(12);
    stage.pass(0);
    age_looks(&stage, -24 * 60);
    stage.pass(0);
    age_looks(&stage, 5);
    let late = land(&stage, "v2", -25);
    is_seen_to_land_and_left(&stage, &late);
}

#[test]
fn a_clock_that_is_ahead_does_not_hide_damage() {
    let stage = failing_since(8);
    let bad = land(&stage, "v2", 7);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "pending wait");
    age_looks(&stage, 5);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose");
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

#[test]
fn what_nobody_has_watched_is_told_once() {
    let stage = failing_since(68);
    let bad = land(&stage, "v2", -70);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "inconclusive escalate");
    assert!(item(&report, "web")["why"].as_str().unwrap().starts_with("not watched: "));
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

#[test]
fn what_was_looked_at_or_replaced_is_not_told_of() {
    let looked_at = failing_since(0);
    land(&looked_at, "v2", -120);
    looked_at.pass(4);
    let replaced = failing_since(0);
    land(&replaced, "v2", -120);
    land(&replaced, "v3", -10);
    let report = replaced.pass(0);
    assert_eq!(report["environments"][0]["items"].as_array().unwrap().len(), 1, "{report:#}");
    // The agent has looked at it in time, and could not write that down.
    let seen = failing_since(0);
    land(&seen, "v2", -120);
    seen.pass(4);
    add_look(&seen, 100);
    remove_notes(&seen.bare);
    seen.pass(0);
    // Another agent has, and that is written down.
    let told = failing_since(0);
    let begin = told.tip();
    land(&told, "v2", -120);
    tell(&told, &begin, 119);
    told.pass(0);
}

#[test]
fn a_person_reverts_what_nobody_has_watched() {
    let stage = failing_since(68);
    land(&stage, "v2", -70);
    stage.pass(4);
    stage.dated(-1, PERSON, &["status"]);
    stage.run(&["revert", "web", "--reason", "it leaks"]).ended(3);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(
        message.contains("Backout-Reason: it leaks") && message.contains("Reason: it leaks"),
        "{message}"
    );
}
