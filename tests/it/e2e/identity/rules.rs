//! Rules that find one service twice, and rules that take files from each other.

use super::super::stage::{BOT, Stage, item, items, words};
use super::{
    FINE, LATELY, Rules, commit, commits_since, configure, deploy, errors, file, problems, stage, told,
};

const EU: &str = "clusters/eu/checkout.yaml";
const US: &str = "clusters/us/checkout.yaml";
const PAYMENTS: &str = "clusters/eu/payments.yaml";
const V1: &str = "image:\n  tag: v1.4.2\n";
const V2: &str = "image:\n  tag: v1.5.0\n";

/// `checkout` in two clusters and `payments` in one, all deployed at once; `checkout` and `payments` get worse.
fn all_deployed(services: &str) -> Stage {
    let stage = stage(&Rules::new(services), &[(EU, V1), (US, V1), (PAYMENTS, V1)]);
    deploy(&stage, &[(EU, V2), (US, V2)], -18);
    deploy(&stage, &[(PAYMENTS, V2)], -12);
    errors(&stage, &[("checkout", LATELY), ("payments", LATELY), ("search", FINE)]);
    stage
}

/// A pass tells that `checkout` is found at both places, leaves it alone, and takes `payments` back.
#[track_caller]
fn leaves_checkout_and_reverts_payments(stage: &Stage, places: [&str; 2]) {
    let before = stage.tip();
    let report = stage.pass(3);
    let problems = problems(&report);
    assert!(problems.contains("the service checkout is found twice in production"), "{problems}");
    assert!(places.iter().all(|place| problems.contains(place)), "{problems}");
    assert_eq!(told(&report), ["payments regressed revert"]);
    assert_eq!([EU, US, PAYMENTS].map(|path| file(stage, path).unwrap()), [V2, V2, V1]);
    assert_eq!(commits_since(stage, &before), "1");
    let checked = stage.run(&["check"]).ended(1).stdout;
    assert!(places.iter().all(|place| checked.contains(place)), "{checked}");
    assert!(!checked.contains("payments is found twice"), "{checked}");
    let after = stage.refs();
    assert_eq!(told(&stage.pass(1)), [""; 0]);
    assert_eq!(stage.refs(), after);
}

#[test]
fn one_pattern_that_finds_a_service_in_two_clusters_is_told_with_both_paths() {
    let stage = all_deployed(r#"[{pattern: "clusters/*/{service}.yaml"}]"#);
    leaves_checkout_and_reverts_payments(&stage, [EU, US]);
}

#[test]
fn a_template_without_the_cluster_is_told_with_both_paths() {
    let stage = all_deployed(r#"[{pattern: "clusters/{cluster}/{service}.yaml", name: "{{ service }}"}]"#);
    leaves_checkout_and_reverts_payments(&stage, [EU, US]);
}

#[test]
fn two_patterns_that_find_one_service_are_told_with_both() {
    let stage =
        all_deployed(r#"[{pattern: "clusters/eu/{service}.yaml"}, {pattern: "clusters/us/{service}.yaml"}]"#);
    leaves_checkout_and_reverts_payments(
        &stage,
        ["by rule 1 (pattern clusters/eu/{service}.yaml)", "by rule 2 (pattern clusters/us/{service}.yaml)"],
    );
}

#[test]
fn a_name_that_a_pattern_finds_too_is_told_with_both() {
    let stage = all_deployed(
        r#"[{name: checkout, paths: ["clusters/us/checkout.yaml"]}, {pattern: "clusters/eu/{service}.yaml"}]"#,
    );
    leaves_checkout_and_reverts_payments(&stage, ["rule 1 (name checkout)", "by rule 2 (pattern"]);
}

#[test]
fn an_entry_of_a_file_and_a_file_of_the_same_name_are_told_with_both() {
    let services = r#"[{paths: ["clusters/us/checkout.yaml"], each: "{service}"}, {pattern: "clusters/eu/{service}.yaml"}]"#;
    let stage = stage(
        &Rules::new(services),
        &[(EU, V1), (US, "checkout: {tag: v1}\nsearch: {tag: v1}\n"), (PAYMENTS, V1)],
    );
    deploy(&stage, &[(EU, V2)], -18);
    deploy(&stage, &[(US, "checkout: {tag: v1}\nsearch: {tag: v2}\n")], -16);
    deploy(&stage, &[(PAYMENTS, V2)], -12);
    errors(&stage, &[("checkout", LATELY), ("payments", LATELY), ("search", FINE)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["search pending wait", "payments regressed revert"]);
    assert!(problems(&report).contains(US) && problems(&report).contains(EU), "{}", problems(&report));
    assert_eq!(file(&stage, EU).unwrap(), V2);
}

/// The two clusters are apart in the rules of one environment, and not in those of the other.
#[test]
fn what_one_environment_cannot_tell_apart_another_can() {
    let rules = Rules {
        environments: r#"
  production: {branch: main, mode: auto, paths: ["production/**"]}
  staging: {branch: main, mode: auto, paths: ["staging/**"]}"#,
        services: r#"
  - {pattern: "{environment}/{cluster}/{service}.yaml", environments: [production]}
  - {pattern: "{environment}/*/{service}.yaml", environments: [staging]}"#,
        ..Rules::new("")
    };
    let all =
        ["production/eu/web.yaml", "production/us/web.yaml", "staging/eu/web.yaml", "staging/us/web.yaml"];
    let with = |text: &'static str| all.map(|path| (path, text));
    let stage = stage(&rules, &with(V1));
    deploy(&stage, &with(V2)[1..], -12);
    errors(&stage, &[("web", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["us/web regressed revert"]);
    let of = |name: &str| {
        let all = report["environments"].as_array().unwrap();
        all.iter().find(|one| one["environment"] == name).unwrap()["problems"].to_string()
    };
    assert_eq!(of("production"), "[]");
    assert!(
        of("staging").contains("staging/eu/web") && of("staging").contains("staging/us/web"),
        "{report:#}"
    );
    assert_eq!(all.map(|path| file(&stage, path).unwrap()), [V1, V1, V2, V2]);
}

/// As long as nothing is deployed of it nobody waits for an answer about it: only `backout check` says so.
#[test]
fn a_service_that_is_found_twice_without_a_deployment_is_told_by_check_alone() {
    let stage = stage(
        &Rules::new(r#"[{pattern: "clusters/*/{service}.yaml"}]"#),
        &[(EU, V1), (US, V1), (PAYMENTS, V1)],
    );
    deploy(&stage, &[(PAYMENTS, V2)], -12);
    errors(&stage, &[("checkout", FINE), ("payments", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["payments regressed revert"]);
    let checked = stage.run(&["check"]).ended(1).stdout;
    assert!(checked.contains(EU) && checked.contains(US), "{checked}");
}

/// A person who asks for it is told the same.
#[test]
fn a_person_cannot_revert_what_is_found_twice() {
    let stage = all_deployed(r#"[{pattern: "clusters/*/{service}.yaml"}]"#);
    let before = stage.refs();
    let refused = stage.run(&["revert", "checkout"]).ended(1);
    assert!(refused.stderr.contains("found twice"), "{refused:?}");
    assert_eq!(stage.refs(), before);
    stage.run(&["revert", "payments"]).ended(3);
}

/// The second place came after the deployment, by another commit.
#[test]
fn a_second_place_that_came_after_the_deployment_counts() {
    let stage = stage(&Rules::new(r#"[{pattern: "clusters/*/{service}.yaml"}]"#), &[(EU, V1)]);
    deploy(&stage, &[(EU, V2)], -12);
    let last = commit(&stage, &[(US, V1)], -3, BOT);
    errors(&stage, &[("checkout", LATELY)]);
    let report = stage.pass(1);
    assert!(problems(&report).contains(US), "{report:#}");
    assert_eq!(items(&report).count(), 0);
    assert_eq!(stage.tip(), last);
}

/// One rule that is named and has two places, and a pattern with several files a service, find nothing twice.
#[test]
fn several_files_of_a_service_are_one_service() {
    let services = r#"
  - {name: checkout, paths: ["clusters/eu/checkout.yaml", "clusters/us/checkout.yaml"]}
  - {pattern: "apps/{service}/**"}"#;
    let (values, more) = ("apps/web/values.yaml", "apps/web/eu/more.yaml");
    let stage = stage(&Rules::new(services), &[(EU, V1), (US, V1), (values, V1), (more, V1)]);
    deploy(&stage, &[(EU, V2), (US, V2)], -18);
    deploy(&stage, &[(values, V2), (more, V2)], -12);
    errors(&stage, &[("checkout", FINE), ("web", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout pending wait", "web regressed revert"]);
    assert_eq!([EU, US, values, more].map(|path| file(&stage, path).unwrap()), [V2, V2, V1, V1]);
    stage.run(&["check"]).ended(0);
}

#[test]
fn what_is_excluded_belongs_to_nobody_or_to_the_next_rule() {
    let services = r#"
  - {pattern: "clusters/*/{service}.yaml", exclude: ["clusters/us/**", "**/payments.yaml"]}
  - {name: pay, paths: ["clusters/eu/payments.yaml"]}"#;
    let stage = stage(&Rules::new(services), &[(EU, V1), (US, V1), (PAYMENTS, V1)]);
    deploy(&stage, &[(EU, V2), (US, V2)], -18);
    deploy(&stage, &[(PAYMENTS, V2)], -12);
    errors(&stage, &[("checkout", LATELY), ("pay", LATELY), ("payments", FINE)]);
    stage.run(&["check"]).ended(0);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "pay")), "regressed revert");
    assert_eq!([EU, US, PAYMENTS].map(|path| file(&stage, path).unwrap())[1..], [V2, V1]);
    assert_eq!(items(&report).count(), 2, "{report:#}");
}

#[test]
fn an_excluded_file_in_the_folder_of_a_service_is_no_deployment_and_stays() {
    let services = r#"[{pattern: "apps/{service}/**", exclude: ["**/canary.yaml"]}]"#;
    let (values, canary) = ("apps/web/values.yaml", "apps/web/canary.yaml");
    let stage = stage(&Rules::new(services), &[(values, V1), (canary, V1)]);
    deploy(&stage, &[(values, V2), (canary, V2)], -18);
    deploy(&stage, &[(canary, "image:\n  tag: v3\n")], -10);
    errors(&stage, &[("web", &[(-17, 99)])]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["web regressed revert"]);
    assert_eq!(file(&stage, values).unwrap(), V1);
    assert_eq!(file(&stage, canary).unwrap(), "image:\n  tag: v3\n");
}

/// The configuration itself is refused, and names the rule that is in the way.
#[track_caller]
fn is_refused(stage: &Stage, services: &str, expected: &str) {
    configure(stage, &Rules::new(services));
    let before = stage.refs();
    for command in [&["check"][..], &["run", "--once"], &["plan"]] {
        let refused = stage.run(command).ended(1);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains(expected), "{services}: {said}");
    }
    assert_eq!(stage.refs(), before);
}

#[test]
fn a_rule_that_can_never_find_anything_is_refused_with_the_rule_before_it() {
    let stage = stage(&Rules::new("[]"), &[(EU, V1)]);
    for (services, expected) in [
        (
            r#"[{pattern: "apps/{service}/**"}, {name: cart, paths: ["apps/cart/values.yaml"]}]"#,
            "a service of the pattern `apps/{service}/**`",
        ),
        (
            r#"[{name: a, paths: ["versions.yaml"]}, {name: b, paths: ["versions.yaml"]}]"#,
            "say with `each` where in it they are",
        ),
        (
            r#"[{name: a, paths: ["x.yaml"]}, {name: a, paths: ["y.yaml"]}]"#,
            "a service of this name is already in the environment `production`: the service `a`",
        ),
        (
            r#"[{pattern: "apps/{service}/**"}, {pattern: "apps/{team}/{service}/**"}]"#,
            "every file of `apps/{team}/{service}/**` belongs to an earlier rule already",
        ),
        (
            r#"[{paths: ["versions.yaml"], each: "{service}"}, {name: b, paths: ["versions.yaml"]}]"#,
            "a service of `each: {service}`",
        ),
        (
            r#"[{pattern: "apps/{service}/**", name: fixed}]"#,
            "gives every service that is found the same name",
        ),
        (r#"[{pattern: "apps/{service}/**", name: "{{ cluster }}"}]"#, "captures no `cluster`"),
        (r#"[{pattern: "apps/{cluster}/**"}]"#, "must have `{service}`"),
        (
            r#"[{pattern: "apps/{service}/**", each: "images.{service}"}]"#,
            "stands in `pattern` and in `each`",
        ),
        (r#"[{paths: ["versions.yaml"], each: "images"}]"#, "not a valid address"),
    ] {
        is_refused(&stage, services, expected);
    }
}

#[test]
fn a_rule_that_is_only_partly_in_the_way_is_none() {
    let stage = stage(&Rules::new("[]"), &[("apps/cart/values.yaml", V1), ("apps/web/values.yaml", V1)]);
    configure(
        &stage,
        &Rules::new(r#"[{name: basket, paths: ["apps/cart/**"]}, {pattern: "apps/{service}/**"}]"#),
    );
    deploy(&stage, &[("apps/cart/values.yaml", V2), ("apps/web/values.yaml", V2)], -12);
    errors(&stage, &[("basket", LATELY), ("web", FINE)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["basket regressed revert", "web pending wait"]);
}

/// A list of one cluster is left out, so that the others' are found once.
#[test]
fn a_list_can_be_excluded_as_well() {
    let services = r#"[{paths: ["clusters/*.yaml"], each: "{service}", exclude: ["clusters/us.yaml"]}]"#;
    let (eu, us) = ("clusters/eu.yaml", "clusters/us.yaml");
    let (old, new) = ("cart: {tag: v1}\n", "cart: {tag: v2}\n");
    let stage = stage(&Rules::new(services), &[(eu, old), (us, old)]);
    deploy(&stage, &[(eu, new), (us, new)], -12);
    errors(&stage, &[("cart", LATELY)]);
    assert_eq!(told(&stage.pass(3)), ["cart regressed revert"]);
    assert_eq!([eu, us].map(|path| file(&stage, path).unwrap()), [old, new]);
    stage.run(&["check"]).ended(0);
}

/// The environment does not tell services apart: what matches below the service is one service's, of several files.
#[test]
fn a_wildcard_between_the_service_and_the_environment_is_within_the_service() {
    for services in [
        r#"[{pattern: "apps/{service}/*/{environment}.yaml"}]"#,
        r#"[{pattern: "apps/{service}/*/production.yaml"}]"#,
        r#"[{pattern: "apps/{service}/**/{environment}.yaml"}]"#,
    ] {
        let all = ["apps/shop/eu/production.yaml", "apps/shop/us/production.yaml"];
        let stage = stage(&Rules::new(services), &all.map(|path| (path, V1)));
        let bad = deploy(&stage, &all.map(|path| (path, V2)), -12);
        errors(&stage, &[("shop", LATELY), ("search", FINE)]);
        stage.run(&["check"]).ended(0);
        assert_eq!(told(&stage.pass(3)), ["shop regressed revert"]);
        assert_eq!(all.map(|path| file(&stage, path).unwrap()), [V1, V1]);
        assert_eq!(commits_since(&stage, &bad), "1");
        stage.nothing_more();
    }
}

/// Above the service it could be clusters.
#[test]
fn a_wildcard_between_the_environment_and_the_service_is_told_with_both_paths() {
    let services = r#"[{pattern: "apps/{environment}/*/{service}.yaml"}]"#;
    let all = ["apps/production/eu/shop.yaml", "apps/production/us/shop.yaml"];
    let stage = stage(&Rules::new(services), &all.map(|path| (path, V1)));
    let bad = deploy(&stage, &all.map(|path| (path, V2)), -12);
    errors(&stage, &[("shop", LATELY)]);
    let told = problems(&stage.pass(1));
    assert!(all.iter().all(|path| told.contains(path)), "{told}");
    assert_eq!(stage.tip(), bad);
}
