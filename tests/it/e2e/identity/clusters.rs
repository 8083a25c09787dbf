//! One service in several clusters: each cluster's is a service of its own.

use super::super::stage::{BOT, PERSON, Stage, item, text, words};
use super::{
    BEFORE, FINE, LATELY, Rules, changed_lines, commit, commits_since, configure, deploy, errors, file,
    stage, told,
};

const EU: &str = "clusters/eu/checkout.yaml";
const US: &str = "clusters/us/checkout.yaml";
const PATTERN: &str = r#"[{pattern: "clusters/{cluster}/{service}.yaml"}]"#;
const V1: &str = "image:\n  tag: v1.4.2\n";
const V2: &str = "image:\n  tag: v1.5.0\n";
const V3: &str = "image:\n  tag: v1.6.0\n";

fn two_clusters() -> Stage {
    stage(&Rules::of_clusters(PATTERN), &[(EU, V1), (US, V1)])
}

fn message(stage: &Stage) -> String {
    stage.remote(&["log", "-1", "--format=%B", "main"])
}

#[test]
fn of_a_commit_to_both_clusters_only_the_bad_one_goes_back() {
    for (bad, good, path, other) in [("eu", "us", EU, US), ("us", "eu", US, EU)] {
        let stage = two_clusters();
        let commit = deploy(&stage, &[(EU, V2), (US, V2)], -12);
        let names = [bad, good].map(|cluster| format!("{cluster}-checkout"));
        errors(&stage, &[(&names[0], LATELY), (&names[1], FINE)]);
        let report = stage.pass(3);
        assert_eq!(words(item(&report, &format!("{bad}/checkout"))), "regressed revert");
        assert_eq!(words(item(&report, &format!("{good}/checkout"))), "pending wait");
        assert_eq!(file(&stage, path).unwrap(), V1, "{bad} is bad");
        assert_eq!(file(&stage, other).unwrap(), V2, "{good} is fine");
        assert_eq!(commits_since(&stage, &commit), "1");
        let message = message(&stage);
        assert!(
            message.starts_with(&format!("Revert {bad}/checkout in production: v1.5.0 → v1.4.2\n")),
            "{message}"
        );
        assert!(message.contains(&format!("\nBackout-Service: {bad}/checkout\n")), "{message}");
        stage.nothing_more();
        assert_eq!(stage.history().len(), 1);
    }
}

#[test]
fn a_good_deployment_to_one_cluster_does_not_replace_the_bad_one_in_another() {
    let stage = two_clusters();
    let bad = deploy(&stage, &[(EU, V2)], -13);
    deploy(&stage, &[(US, V2)], -9);
    errors(&stage, &[("eu-checkout", LATELY), ("us-checkout", FINE)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["eu/checkout regressed revert", "us/checkout pending wait"]);
    assert_eq!(text(item(&report, "eu/checkout"), "deployment"), bad);
    assert_eq!((file(&stage, EU).unwrap().as_str(), file(&stage, US).unwrap().as_str()), (V1, V2));
    stage.nothing_more();
}

#[test]
fn both_clusters_go_back_when_both_are_bad_one_after_the_other() {
    let stage = two_clusters();
    deploy(&stage, &[(EU, V2)], -18);
    let last = deploy(&stage, &[(US, V2)], -12);
    errors(&stage, &[("eu-checkout", BEFORE), ("us-checkout", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["eu/checkout regressed revert", "us/checkout regressed revert"]);
    assert_eq!((file(&stage, EU).unwrap().as_str(), file(&stage, US).unwrap().as_str()), (V1, V1));
    assert_eq!(commits_since(&stage, &last), "2");
    stage.nothing_more();
}

/// Whose doing it is cannot be told where both come with one commit and both get worse.
#[test]
fn both_clusters_of_one_commit_that_are_bad_are_left_to_a_person_by_their_full_names() {
    let stage = two_clusters();
    let bad = deploy(&stage, &[(EU, V2), (US, V2)], -12);
    errors(&stage, &[("eu-checkout", LATELY), ("us-checkout", LATELY)]);
    let report = stage.pass(4);
    for (own, other) in [("eu", "us"), ("us", "eu")] {
        let own = item(&report, &format!("{own}/checkout"));
        assert_eq!(words(own), "inconclusive escalate");
        assert!(text(own, "why").contains(&format!("the doing of {other}/checkout")), "{own:#}");
    }
    assert_eq!(stage.tip(), bad);
}

/// Both clusters, after the agent took a bad version back in `eu` half an hour ago.
fn eu_reverted_before() -> Stage {
    let policy = "settle: 60s, watch: 1h, baseline: 15m";
    let stage = stage(&Rules { policy, ..Rules::of_clusters(PATTERN) }, &[(EU, V1), (US, V1)]);
    deploy(&stage, &[(EU, V2)], -41);
    errors(&stage, &[("eu-checkout", &[(-40, -30), (-11, 99)]), ("us-checkout", LATELY)]);
    assert_eq!(told(&stage.pass(3)), ["eu/checkout regressed revert"]);
    stage.backdate(-29);
    stage
}

#[test]
fn the_pause_after_a_revert_in_one_cluster_is_not_one_in_the_other() {
    let stage = eu_reverted_before();
    let bad = deploy(&stage, &[(US, V3)], -12);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "us/checkout")), "regressed revert");
    assert_eq!(file(&stage, US).unwrap(), V1);
    assert_eq!(commits_since(&stage, &bad), "1");
}

#[test]
fn the_pause_holds_in_the_cluster_that_was_reverted() {
    let stage = eu_reverted_before();
    let bad = deploy(&stage, &[(EU, V3)], -12);
    let report = stage.pass(4);
    let why = text(item(&report, "eu/checkout"), "why");
    assert!(
        why.contains("eu/checkout was reverted") && why.contains("no new version of it is reverted"),
        "{why}"
    );
    assert_eq!(stage.tip(), bad);
}

#[test]
fn a_version_that_was_bad_in_one_cluster_is_judged_by_its_own_metrics_in_the_other() {
    let stage = eu_reverted_before();
    errors(&stage, &[("eu-checkout", &[(-40, -30)]), ("us-checkout", FINE)]);
    let fine = deploy(&stage, &[(US, V2)], -12);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "us/checkout")), "pending wait");
    assert_eq!(stage.tip(), fine);
    assert_eq!(file(&stage, US).unwrap(), V2);
}

#[test]
fn a_proposal_has_a_branch_for_each_cluster() {
    let proposing =
        Rules { environments: "{production: {branch: main, mode: propose}}", ..Rules::of_clusters(PATTERN) };
    let stage = stage(&proposing, &[(EU, V1), (US, V1)]);
    let first = deploy(&stage, &[(EU, V2)], -18);
    let second = deploy(&stage, &[(US, V2)], -12);
    errors(&stage, &[("eu-checkout", BEFORE), ("us-checkout", LATELY)]);
    let report = stage.pass(3);
    for (cluster, path, bad) in [("eu", EU, first), ("us", US, second.clone())] {
        let service = format!("{cluster}/checkout");
        assert_eq!(words(item(&report, &service)), "regressed propose");
        let branch =
            format!("backout/production/{service}/{}", stage.git(&["rev-parse", "--short=10", &bad]));
        let message = stage.remote(&["log", "-1", "--format=%B", &branch]);
        assert!(message.contains(&format!("\nBackout-Service: {service}\n")), "{message}");
        assert_eq!(stage.remote(&["diff", "--name-only", "main", &branch]), path);
        assert_eq!(stage.remote(&["show", &format!("{branch}:{path}")]) + "\n", V1);
    }
    assert_eq!(stage.tip(), second, "nothing is pushed to main");
    stage.nothing_more();
}

/// The services of a cluster have the same parent in the names of their branches as the cluster's own service.
#[test]
fn a_service_with_the_name_of_a_cluster_has_a_branch_beside_those_of_the_cluster() {
    let proposing = Rules {
        environments: "{production: {branch: main, mode: propose}}",
        query: r#"errors{service="{{ service }}"}"#,
        ..Rules::of_clusters(
            r#"[{pattern: "clusters/{cluster}/{service}.yaml"}, {name: eu, paths: ["controllers/eu.yaml"]}]"#,
        )
    };
    let stage = stage(&proposing, &[(EU, V1), ("controllers/eu.yaml", V1)]);
    deploy(&stage, &[(EU, V2)], -18);
    deploy(&stage, &[("controllers/eu.yaml", V2)], -12);
    errors(&stage, &[("checkout", BEFORE), ("eu", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["eu/checkout regressed propose", "eu regressed propose"]);
    let branches = stage.remote(&["branch", "--list", "--format=%(refname:short)", "backout/*"]);
    assert_eq!(branches.lines().count(), 2, "{branches}");
    stage.nothing_more();
}

#[test]
fn a_template_names_the_services() {
    let rules = r#"[{name: "{{ service }}-{{ cluster }}", pattern: "clusters/{cluster}/{service}.yaml"}]"#;
    let stage = stage(&Rules::of_clusters(rules), &[(EU, V1), (US, V1)]);
    deploy(&stage, &[(EU, V2), (US, V2)], -12);
    errors(&stage, &[("eu-checkout", LATELY), ("us-checkout", FINE)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "checkout-eu")), "regressed revert");
    assert_eq!(words(item(&report, "checkout-us")), "pending wait");
    assert!(message(&stage).contains("\nBackout-Service: checkout-eu\n"), "{}", message(&stage));
    assert_eq!((file(&stage, EU).unwrap().as_str(), file(&stage, US).unwrap().as_str()), (V1, V2));
    stage.nothing_more();
    let by_hand = stage.run(&["revert", "checkout-us"]).ended(3);
    assert_eq!(file(&stage, US).unwrap(), V1, "{by_hand:?}");
}

/// `{environment}` says where a file belongs and is no part of the name.
#[test]
fn the_environment_is_no_part_of_the_name() {
    let rules = Rules {
        environments: "{production: {branch: main, mode: auto}, staging: {branch: main, mode: auto}}",
        query: r#"errors{service="{{ environment }}-{{ cluster }}-{{ service }}"}"#,
        ..Rules::of_clusters(r#"[{pattern: "{cluster}/{environment}/{service}/values.yaml"}]"#)
    };
    let all: Vec<String> = ["eu/production", "eu/staging", "us/production", "us/staging"]
        .map(|place| format!("{place}/web/values.yaml"))
        .to_vec();
    let with = |text: &'static str| all.iter().map(|path| (path.as_str(), text)).collect::<Vec<_>>();
    let stage = stage(&rules, &with(V1));
    deploy(&stage, &with(V2), -12);
    errors(
        &stage,
        &[
            ("production-eu-web", FINE),
            ("production-us-web", FINE),
            ("staging-eu-web", FINE),
            ("staging-us-web", LATELY),
        ],
    );
    let report = stage.pass(3);
    assert_eq!(
        told(&report),
        ["eu/web pending wait", "us/web pending wait", "eu/web pending wait", "us/web regressed revert"]
    );
    assert_eq!(stage.remote(&["diff", "--name-only", "main^", "main"]), "us/staging/web/values.yaml");
    assert_eq!(changed_lines(&stage), ["-  tag: v1.5.0", "+  tag: v1.4.2"]);
    stage.nothing_more();
}

#[test]
fn a_person_names_the_cluster_too() {
    let stage = two_clusters();
    let bad = deploy(&stage, &[(EU, V2), (US, V2)], -12);
    errors(&stage, &[("eu-checkout", FINE), ("us-checkout", FINE)]);
    let before = stage.refs();
    let refused = stage.run(&["revert", "checkout"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(stage.refs(), before);
    let dry = stage.run(&["revert", "us/checkout", "--dry-run"]).ended(0);
    assert!(dry.stdout.contains(US) && !dry.stdout.contains(EU), "{dry:?}");
    stage.run(&["revert", "us/checkout"]).ended(3);
    assert_eq!((file(&stage, EU).unwrap().as_str(), file(&stage, US).unwrap().as_str()), (V2, V1));
    assert_eq!(commits_since(&stage, &bad), "1");
}

/// The bot deploys the next version to both while the agent looks at what was before.
#[test]
fn a_cluster_that_goes_on_to_the_next_version_is_replaced_for_itself_alone() {
    let stage = two_clusters();
    deploy(&stage, &[(EU, V2), (US, V2)], -13);
    deploy(&stage, &[(US, V3)], -4);
    errors(&stage, &[("eu-checkout", LATELY), ("us-checkout", FINE)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "eu/checkout")), "regressed revert");
    assert_eq!((file(&stage, EU).unwrap().as_str(), file(&stage, US).unwrap().as_str()), (V1, V3));
    stage.nothing_more();
}

/// A person puts the bad version back in `eu`, on purpose; in `us` nobody did.
#[test]
fn what_a_person_put_back_in_one_cluster_is_not_meant_for_the_other() {
    let stage = eu_reverted_before();
    commit(&stage, &[(EU, V2)], -13, PERSON);
    deploy(&stage, &[(US, V2)], -12);
    errors(&stage, &[("eu-checkout", &[(-40, -30), (-11, 99)]), ("us-checkout", FINE)]);
    let tip = stage.tip();
    let report = stage.pass(3);
    let of_eu = item(&report, "eu/checkout");
    assert_eq!(words(of_eu), "regressed propose");
    assert!(text(of_eu, "put_back").contains("Dana Ops put back what"), "{of_eu:#}");
    assert_eq!(words(item(&report, "us/checkout")), "pending wait");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
}

/// A name in `depends_on` means the service of the same cluster.
#[test]
fn a_dependency_is_looked_for_in_the_same_cluster() {
    let rules = r#"
  - {pattern: "clusters/{cluster}/web-{service}.yaml", name: "{{ cluster }}/web-{{ service }}", depends_on: [checkout]}
  - {pattern: "clusters/{cluster}/{service}.yaml"}"#;
    let (web, calm) = ("clusters/eu/web-shop.yaml", "clusters/us/web-shop.yaml");
    let stage = stage(&Rules::of_clusters(rules), &[(EU, V1), (US, V1), (web, V1), (calm, V1)]);
    deploy(&stage, &[(EU, V2), (web, V2)], -12);
    errors(&stage, &[("eu-checkout", LATELY), ("eu-shop", LATELY), ("us-checkout", FINE), ("us-shop", FINE)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "eu/checkout")), "regressed revert");
    assert_ne!(words(item(&report, "eu/web-shop")), "regressed revert");
    assert_eq!((file(&stage, EU).unwrap().as_str(), file(&stage, web).unwrap().as_str()), (V1, V2));
}

/// A cluster's folder was renamed since: what is there now has another name, and is not the service's any more.
#[test]
fn what_was_moved_to_another_cluster_is_left_to_a_person() {
    let stage = two_clusters();
    deploy(&stage, &[(EU, V2)], -12);
    stage.git(&["mv", "clusters/eu", "clusters/eu-west"]);
    let moved = stage.commit(-3, PERSON, "Rename eu");
    stage.push();
    errors(&stage, &[("eu-checkout", LATELY), ("us-checkout", FINE)]);
    let report = stage.pass(4);
    assert_eq!(told(&report), ["eu/checkout regressed escalate"]);
    assert!(text(item(&report, "eu/checkout"), "why").contains(EU), "{report:#}");
    assert_eq!(stage.tip(), moved);
    stage.nothing_more();
}

/// The agent made a revert before the rules captured the cluster. It has another name for the service, and is its own still.
#[test]
fn an_own_revert_is_no_deployment_of_the_name_that_the_rules_give_now() {
    let policy = "settle: 60s, watch: 1h, baseline: 15m";
    let alone = Rules { policy, ..Rules::new(r#"[{pattern: "clusters/eu/{service}.yaml"}]"#) };
    let stage = stage(&alone, &[(EU, V1), (US, V1)]);
    deploy(&stage, &[(EU, V2)], -41);
    let failing: &[(i64, i64)] = &[(-40, -30), (-11, 99)];
    errors(&stage, &[("checkout", failing), ("eu-checkout", failing), ("us-checkout", FINE)]);
    assert_eq!(told(&stage.pass(3)), ["checkout regressed revert"]);
    stage.backdate(-29);
    configure(&stage, &Rules { policy, ..Rules::of_clusters(PATTERN) });
    commit(&stage, &[(EU, V3)], -12, BOT);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["eu/checkout regressed pass", "eu/checkout regressed revert"]);
    assert_eq!(file(&stage, EU).unwrap(), V1);
}

/// In the clusters where nothing was deployed the service gets worse too: it is not the deployment's doing.
#[test]
fn the_same_service_in_other_clusters_is_a_control() {
    let ap = "clusters/ap/checkout.yaml";
    for (others, code, expected) in [(FINE, 3, "regressed revert"), (LATELY, 0, "pending wait")] {
        let stage = stage(&Rules::of_clusters(PATTERN), &[(EU, V1), (US, V1), (ap, V1)]);
        deploy(&stage, &[(EU, V2)], -12);
        errors(&stage, &[("eu-checkout", LATELY), ("us-checkout", others), ("ap-checkout", others)]);
        let report = stage.pass(code);
        assert_eq!(words(item(&report, "eu/checkout")), expected, "{report:#}");
    }
}

/// One query answers for all clusters at once, and the label says which series is whose.
#[test]
fn a_series_is_told_by_the_label_of_its_cluster() {
    let stage = two_clusters();
    configure(&stage, &Rules { query: "errors', by: 'service", ..Rules::of_clusters(PATTERN) });
    let config = std::fs::read_to_string(stage.home.path().join("backout.yaml")).unwrap();
    stage.write_config(&config.replace("by: 'service'", "by: cluster"));
    deploy(&stage, &[(EU, V2), (US, V2)], -12);
    errors(&stage, &[("eu", FINE), ("us", LATELY), ("ap", FINE), ("sa", FINE)]);
    let table = std::fs::read_to_string(stage.home.path().join("metrics.csv")).unwrap();
    let table = table.replace("metric,service,value", "metric,cluster,value");
    std::fs::write(stage.home.path().join("metrics.csv"), table).unwrap();
    let report = stage.pass(3);
    assert_eq!(told(&report), ["eu/checkout pending wait", "us/checkout regressed revert"]);
    assert_eq!((file(&stage, EU).unwrap().as_str(), file(&stage, US).unwrap().as_str()), (V2, V1));
}

/// Eight clusters get a version in waves, and it is bad in the first ones only.
#[test]
fn of_many_clusters_in_waves_only_the_bad_one_goes_back() {
    let clusters: Vec<String> = (1..=8).map(|number| format!("c{number}")).collect();
    let place = |cluster: &String| format!("clusters/{cluster}/checkout.yaml");
    let all: Vec<String> = clusters.iter().map(place).collect();
    let with = |text: &'static str| all.iter().map(|path| (path.as_str(), text)).collect::<Vec<_>>();
    let stage = stage(&Rules::of_clusters(PATTERN), &with(V1));
    for (wave, minutes) in with(V2).chunks(2).zip([-20, -17, -14, -12]) {
        deploy(&stage, wave, minutes);
    }
    let names: Vec<String> = clusters.iter().map(|cluster| format!("{cluster}-checkout")).collect();
    let failing = |name: &String| if name == "c7-checkout" { LATELY } else { FINE };
    errors(&stage, &names.iter().map(|name| (name.as_str(), failing(name))).collect::<Vec<_>>());
    let report = stage.pass(3);
    let reverted: Vec<String> = told(&report).into_iter().filter(|one| one.ends_with("revert")).collect();
    assert_eq!(reverted, ["c7/checkout regressed revert"]);
    let back: Vec<&String> = all.iter().filter(|path| file(&stage, path).unwrap() == V1).collect();
    assert_eq!(back, ["clusters/c7/checkout.yaml"]);
    stage.nothing_more();
}

/// A change of one service in a cluster is not one of its namesake, nor of its neighbour.
#[test]
fn services_whose_names_begin_alike_are_told_apart() {
    let (checkout, worker, other) =
        (EU, "clusters/eu/checkout-worker.yaml", "clusters/eu-checkout/worker.yaml");
    let stage = stage(&Rules::of_clusters(PATTERN), &[(checkout, V1), (worker, V1), (other, V1)]);
    deploy(&stage, &[(checkout, V2), (worker, V2), (other, V2)], -12);
    errors(&stage, &[("eu-checkout", FINE), ("eu-checkout-worker", FINE)]);
    // The query makes one text of the names of two of them, and is fine.
    assert_eq!(told(&stage.pass(0)).len(), 3);
    errors(&stage, &[("eu-checkout", LATELY), ("eu-checkout-worker", FINE)]);
    assert!(told(&stage.pass(3)).contains(&"eu/checkout regressed revert".to_owned()));
    assert_eq!([checkout, worker, other].map(|path| file(&stage, path).unwrap()), [V1, V2, V2]);
}
