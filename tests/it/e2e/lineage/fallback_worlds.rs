//! Going further back, in worlds where something else happens too.

use std::fmt::Write as _;

use super::fallback::*;
use super::*;

#[test]
fn what_began_after_the_revert_had_helped_is_no_reason_to_go_back() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    errors(&stage, &[("checkout", &[(BAD + 1, -26), (-19, 99)]), ("search", &[])]);
    stage.pass(4);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

/// The rollout of the revert takes longer than the signal's limit allows.
#[test]
fn what_came_back_late_is_no_reason_to_go_back() {
    for (kind, until) in [("error-ratio, above: 5%, for: 1m", -24), ("error-ratio", -12)] {
        let stage = at_v1(&Rules { policy: ONCE, ..rules() });
        let file_of = stage.home.path().join("backout.yaml");
        let config = std::fs::read_to_string(&file_of).unwrap();
        std::fs::write(&file_of, config.replace("kind: error-ratio", &format!("kind: {kind}"))).unwrap();
        release(&stage, "v2", -150);
        let third = release(&stage, "v3", BAD);
        fails_since(&stage, BAD + 1);
        assert_eq!(said(&stage.pass(3), &third), "regressed revert");
        stage.backdate(-28);
        errors(&stage, &[("checkout", &[(BAD + 1, until)]), ("search", &[])]);
        stage.pass(4);
        stage.nothing_more();
        assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    }
}

#[test]
fn what_everybody_has_since_the_revert_is_no_reason_to_go_back() {
    let others = ["cart", "mail", "search", "stock"];
    let paths = others.map(|name| format!("apps/{name}/values.yaml"));
    let mut files: Vec<(&str, String)> = vec![(VALUES, app("v1"))];
    files.extend(paths.iter().map(|path| (path.as_str(), app("v1"))));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let stage = stage(&Rules { policy: ONCE, ..rules() }, &files);
    release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    let fail = |begin: i64| {
        let own: &[(i64, i64)] = &[(BAD + 1, 99)];
        let all: &[(i64, i64)] = &[(begin, 99)];
        errors(&stage, &[("checkout", own), ("cart", all), ("mail", all), ("search", all), ("stock", all)]);
    };
    fail(100);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    fail(-28);
    stage.pass(4);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

#[test]
fn a_service_that_is_found_twice_since_is_left_alone() {
    let (stage, _) = in_vain(ONCE);
    configure(
        &stage,
        &Rules {
            policy: ONCE,
            services: r#"[{pattern: "apps/{service}/**"}, {pattern: "more/{service}/**"}]"#,
            ..rules()
        },
    );
    stage.write("more/checkout/values.yaml", &app("v9"));
    stage.commit(-2, PERSON, "More");
    stage.push();
    let tip = stage.tip();
    let report = stage.pass(1);
    assert!(crate::e2e::table::problems(&report).contains("is found twice"), "{report:#}");
    assert_eq!(stage.tip(), tip);
}

#[test]
fn what_was_told_of_it_before_does_not_hide_what_is_told_now() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = release(&stage, "v2", -150);
    stage.pass(4);
    stage.forget_looks();
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    did_not_help(&stage);
    is_over_budget(&stage, &second);
}

#[test]
fn two_stacked_and_then_one_more() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    release(&stage, "v4", BAD + 8);
    fails_since(&stage, BAD + 1);
    let report = stage.pass(3);
    assert_eq!(said(&report, &third), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.nothing_more();
    stage.backdate(-28);
    did_not_help(&stage);
    is_reverted_to(&stage, &second, &app("v1"));
}

#[test]
fn a_state_that_a_person_went_back_to() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    release(&stage, "v2", -170);
    release(&stage, "v2x", -120);
    let back = release_by(&stage, "v2", -100, PERSON);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    let report = stage.pass(3);
    assert_eq!(said(&report, &third), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.backdate(-28);
    did_not_help(&stage);
    is_left_to_a_person(&stage, &back, &["rollback"]);
}

#[test]
fn mixed_commits_go_back_step_by_step() {
    let text = |version: &str, port: u32, env: &str| {
        format!(
            "image:\n  repository: r.example/checkout\n  tag: {version}\nport: {port}\nenv: {env}\na: 1\nb: 2\nteam: x\n"
        )
    };
    let stage = stage(&Rules { policy: ONCE, ..rules() }, &[(VALUES, &text("v1", 80, "a"))]);
    let second = write_as(&stage, &text("v2", 81, "b"), -150, BOT, "v2");
    write_as(&stage, &text("v2", 81, "b").replace("team: x", "team: y"), -140, PERSON, "team");
    let third = write_as(&stage, &text("v3", 82, "c").replace("team: x", "team: y"), BAD, BOT, "v3");
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    did_not_help(&stage);
    is_reverted_to(&stage, &second, &text("v1", 80, "a").replace("team: x", "team: y"));
}

#[test]
fn an_earlier_revert_to_the_same_state_is_no_step() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = release(&stage, "v2", -300);
    // v2b was reverted long ago, as a person asked for it.
    let bad = release(&stage, "v2b", -200);
    stage.run(&["revert", &bad]).ended(3);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.backdate(-190);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.backdate(-28);
    did_not_help(&stage);
    is_reverted_to(&stage, &second, &app("v1"));
}

#[test]
fn a_file_that_somebody_has_moved_since_goes_back_where_it_is() {
    let (stage, second) = in_vain(ONCE);
    stage.git(&["mv", VALUES, "apps/checkout/main.yaml"]);
    stage.commit(-2, PERSON, "Another name");
    stage.push();
    assert_eq!(said(&stage.pass(3), &second), "regressed revert");
    stage.nothing_more();
    assert_eq!(file(&stage, "apps/checkout/main.yaml").unwrap(), app("v1"));
    assert_eq!(file(&stage, VALUES), None);
}

#[test]
fn a_service_that_is_gone_since_is_told_once() {
    let (stage, _) = in_vain(ONCE);
    stage.git(&["rm", "-q", VALUES]);
    stage.write("apps/other.txt", "x");
    stage.commit(-2, PERSON, "Gone");
    stage.push();
    let report = stage.pass(4);
    assert!(items(&report).all(|item| words(item) == "regressed escalate"), "{report:#}");
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES), None);
}

const FILE: &str = "helmfile.yaml";

fn releases(cart: &str, web: &str) -> String {
    format!(
        "releases:\n  - name: cart\n    chart: shop/cart\n    version: {cart}\n  - name: web\n    chart: shop/web\n    version: {web}\n"
    )
}

#[test]
fn entries_of_a_file_go_back_each_for_itself() {
    let services = r#"[{paths: [helmfile.yaml], each: "releases.{service}"}]"#;
    let stage = stage(&Rules { policy: ONCE, services, ..rules() }, &[(FILE, &releases("1.0.0", "1.0.0"))]);
    let commit = |cart: &str, web: &str, minutes: i64| {
        stage.write(FILE, &releases(cart, web));
        let commit = stage.commit(minutes, BOT, &format!("cart {cart}, web {web}"));
        stage.push();
        commit
    };
    let second = commit("1.1.0", "1.0.0", -150);
    let third = commit("1.2.0", "1.0.0", BAD);
    let fail = || errors(&stage, &[("cart", &[(BAD + 1, 99)]), ("web", &[])]);
    fail();
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    // web goes on meanwhile, in the same file.
    commit("1.1.0", "1.2.0", -20);
    did_not_help(&stage);
    let report = stage.pass(3);
    assert_eq!(file(&stage, FILE).unwrap(), releases("1.0.0", "1.2.0"));
    let cart = items(&report).find(|item| item["service"] == "cart").unwrap();
    assert_eq!(cart["deployment"], second.as_str());
    stage.nothing_more();
}

fn several(at_once: bool) {
    let names = ["cart", "checkout", "mail", "search"];
    let path = |name: &str| format!("apps/{name}/values.yaml");
    let first: Vec<(String, String)> = names.iter().map(|name| (path(name), app("v1"))).collect();
    let first: Vec<(&str, &str)> = first.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let environments =
        "{production: {branch: main, mode: auto, budget: {max_reverts: 9, incident_services: 9}}}";
    let stage = stage(&Rules { policy: ONCE, environments, ..rules() }, &first);
    for (index, name) in names.iter().enumerate() {
        let minute = i64::try_from(index).unwrap();
        crate::e2e::table::deploy(&stage, &[(&path(name), &app(&format!("v2-{name}")))], -150 + minute);
    }
    for (index, name) in names.iter().enumerate() {
        let minute = i64::try_from(index).unwrap();
        crate::e2e::table::deploy(&stage, &[(&path(name), &app(&format!("v3-{name}")))], BAD + 4 * minute);
    }
    let bad: Vec<(i64, i64)> = (0..4).map(|index| (BAD + 4 * index + 1, 99)).collect();
    let bad: Vec<(&str, &[(i64, i64)])> =
        names.iter().zip(&bad).map(|(name, bad)| (*name, std::slice::from_ref(bad))).collect();
    errors(&stage, &bad);
    stage.pass(3);
    // All four reverts, 28 minutes ago.
    stage.pull();
    stage.dated(-28, "backout", &["rebase", "-q", "--force-rebase", "HEAD~4"]);
    stage.git(&["push", "-q", "--force", stage.bare.to_str().unwrap(), "HEAD"]);
    stage.forget_looks();
    let report = stage.pass(4);
    let recoveries = report["environments"][0]["recoveries"].as_array().unwrap();
    assert!(recoveries.iter().all(|one| one["outcome"] == "not-recovered"), "{report:#}");
    assert_eq!(recoveries.len(), 4);
    let tip = stage.tip();
    if at_once {
        let report = stage.pass(3);
        assert!(items(&report).all(|item| words(item) == "regressed revert"), "{report:#}");
        assert_eq!(commits_since(&stage, &tip), "4");
        for name in names {
            assert_eq!(file(&stage, &path(name)).unwrap(), app("v1"));
        }
    } else {
        let environments = "{production: {branch: main, mode: auto, budget: {max_reverts: 9}}}";
        configure(&stage, &Rules { policy: ONCE, environments, ..rules() });
        let report = stage.pass(4);
        assert!(items(&report).all(|item| text(item, "why").contains("one incident")), "{report:#}");
        assert_eq!(stage.tip(), tip);
    }
    stage.nothing_more();
}

#[test]
fn several_at_once_are_one_incident_and_that_is_told_once() {
    several(false);
}

#[test]
fn several_go_back_in_one_pass() {
    several(true);
}

/// Requests are counted by their region.
#[test]
fn a_region_that_has_come_back_is_no_reason_to_go_back() {
    for last in [99, -20] {
        let stage = at_v1(&Rules { policy: ONCE, ..rules() });
        let file_of = stage.home.path().join("backout.yaml");
        let config = std::fs::read_to_string(&file_of).unwrap();
        let signal = "kind: error-ratio, segment: region";
        std::fs::write(&file_of, config.replace("kind: error-ratio", signal)).unwrap();
        let second = release(&stage, "v2", -150);
        let third = release(&stage, "v3", BAD);
        let table = |until: i64| {
            let mut table = "timestamp,metric,service,region,value\n".to_owned();
            for minute in -120_i64..=0 {
                for region in ["east", "west"] {
                    let fails = region == "west" && (BAD + 1..until).contains(&minute);
                    let uneven = if minute % 3 == 0 { 0.0005 } else { 0.0 };
                    let value = if fails { 0.3 } else { 0.002 } + uneven;
                    let at = stage.now() + minute * 60;
                    writeln!(table, "{at},errors,checkout,{region},{value}").unwrap();
                }
            }
            std::fs::write(stage.home.path().join("metrics.csv"), table).unwrap();
        };
        table(99);
        assert_eq!(said(&stage.pass(3), &third), "regressed revert");
        stage.backdate(-28);
        did_not_help(&stage);
        table(last);
        if last == 99 {
            is_reverted_to(&stage, &second, &app("v1"));
        } else {
            stage.nothing_more();
            assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
        }
    }
}
