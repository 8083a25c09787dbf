//! Several services in one file: the releases and images that are listed there.

use super::super::stage::{PERSON, item, text, words};
use super::{
    BEFORE, FINE, LATELY, Rules, changed_lines, commit, commits_since, deploy, errors, file, stage, told,
};

const PATH: &str = "versions.yaml";
const EACH: &str = r#"[{paths: ["versions.yaml"], each: "{service}"}]"#;

/// Two services, each on its line, one below the other.
fn flow(cart: &str, search: &str) -> String {
    format!("cart: {{image: {{tag: {cart}}}}}\nsearch: {{image: {{tag: {search}}}}}\n")
}

/// An agent with this rule for one file that goes from `old` to `new` twelve minutes ago; these services are bad, of those.
#[track_caller]
fn goes_back(services: &str, path: &str, [old, new, back]: [&str; 3], (bad, fine): (&[&str], &[&str])) {
    let stage = stage(&Rules::new(services), &[(path, old)]);
    let commit = deploy(&stage, &[(path, new)], -12);
    let mut all: Vec<(&str, &[(i64, i64)])> = bad.iter().map(|name| (*name, LATELY)).collect();
    all.extend(fine.iter().map(|name| (*name, FINE)));
    errors(&stage, &all);
    let report = stage.pass(3);
    for name in bad {
        assert_eq!(words(item(&report, name)), "regressed revert", "{report:#}");
    }
    assert_eq!(file(&stage, path).unwrap(), back);
    assert_eq!(commits_since(&stage, &commit), "1");
    stage.nothing_more();
    stage.run(&["check"]).ended(0);
}

#[test]
fn two_services_with_one_file_are_refused() {
    let services = r#"[{name: cart, paths: ["versions.yaml"]}, {name: search, paths: ["versions.yaml"]}]"#;
    let stage = stage(&Rules::new(services), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    let bad = deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -12);
    errors(&stage, &[("cart", LATELY), ("search", FINE)]);
    let refused = stage.run(&["run", "--once"]).ended(1);
    assert!(
        refused.stderr.contains("every file of `versions.yaml` belongs to an earlier rule"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("the service `cart`"), "{refused:?}");
    assert_eq!(stage.tip(), bad);
}

#[test]
fn of_two_adjacent_lines_the_bad_one_goes_back() {
    let (old, new) = (flow("v1.0.0", "v2.0.0"), flow("v1.0.1", "v2.0.1"));
    goes_back(EACH, PATH, [&old, &new, &flow("v1.0.0", "v2.0.1")], (&["cart"], &["search"]));
    goes_back(EACH, PATH, [&old, &new, &flow("v1.0.1", "v2.0.0")], (&["search"], &["cart"]));
}

#[test]
fn two_bad_services_in_adjacent_lines_both_go_back() {
    let stage = stage(&Rules::new(EACH), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.0"))], -18);
    let last = deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -12);
    errors(&stage, &[("cart", BEFORE), ("search", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["cart regressed revert", "search regressed revert"]);
    assert_eq!(file(&stage, PATH).unwrap(), flow("v1.0.0", "v2.0.0"));
    assert_eq!(commits_since(&stage, &last), "2");
    assert_eq!(changed_lines(&stage).len(), 2);
    stage.nothing_more();
    assert_eq!(stage.history().len(), 2);
}

/// Both came with one commit: nobody can tell whose doing it is, but a person can take back both by the commit.
#[test]
fn two_bad_services_of_one_commit_go_back_when_a_person_says_so() {
    let stage = stage(&Rules::new(EACH), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    let bad = deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -12);
    errors(&stage, &[("cart", LATELY), ("search", LATELY)]);
    let report = stage.pass(4);
    assert!(text(item(&report, "cart"), "why").contains("the doing of search"), "{report:#}");
    assert_eq!(stage.tip(), bad);
    stage.run(&["revert", &bad]).ended(3);
    assert_eq!(file(&stage, PATH).unwrap(), flow("v1.0.0", "v2.0.0"));
    assert_eq!(commits_since(&stage, &bad), "2");
}

/// The commit deployed both, and the damage to one came before that of the other, which calls it.
#[test]
fn of_two_bad_services_in_a_file_the_one_that_the_other_calls_goes_back() {
    let services = r#"[{paths: ["versions.yaml"], each: "{service}", depends_on: [search]}]"#;
    let stage = stage(&Rules::new(services), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -12);
    errors(&stage, &[("cart", LATELY), ("search", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "search")), "regressed revert");
    assert_eq!(file(&stage, PATH).unwrap(), flow("v1.0.1", "v2.0.0"));
}

/// A later deployment of the neighbour, and a comment that a person wrote, stay.
#[test]
fn what_came_later_on_the_lines_around_stays() {
    let stage = stage(&Rules::new(EACH), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.0"))], -13);
    deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -6);
    let edited = |cart: &str| format!("# who: Dana\nmail: {{image: {{tag: v7}}}}\n{}", flow(cart, "v2.0.1"));
    commit(&stage, &[(PATH, &edited("v1.0.1"))], -3, PERSON);
    errors(&stage, &[("cart", LATELY), ("search", FINE), ("mail", FINE)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "cart")), "regressed revert");
    assert_eq!(words(item(&report, "search")), "pending wait");
    assert_eq!(file(&stage, PATH).unwrap(), edited("v1.0.0"));
    stage.nothing_more();
}

/// An entry that is new, and one that went: neither has a state to go back to.
#[test]
fn entries_that_come_and_go_are_no_deployments() {
    let stage = stage(&Rules::new(EACH), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    let text = "cart: {image: {tag: v1.0.1}}\nmail: {image: {tag: v1}}\n";
    deploy(&stage, &[(PATH, text)], -12);
    errors(&stage, &[("cart", LATELY), ("search", LATELY), ("mail", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["cart regressed revert"]);
    assert_eq!(file(&stage, PATH).unwrap(), text.replace("v1.0.1", "v1.0.0"));
}

/// The list was sorted anew with the same commit.
#[test]
fn entries_that_change_their_order_are_told_by_their_names() {
    let old = flow("v1.0.0", "v2.0.0");
    let sorted =
        |cart: &str| format!("search: {{image: {{tag: v2.0.0}}}}\ncart: {{image: {{tag: {cart}}}}}\n");
    goes_back(EACH, PATH, [&old, &sorted("v1.0.1"), &sorted("v1.0.0")], (&["cart"], &["search"]));
}

const KUSTOMIZATION: &str = "clusters/eu/kustomization.yaml";

/// A kustomization with twenty images, all of them at this version but those that are named.
fn images(version: &str, others: &[(usize, &str)]) -> String {
    let entry = |number: usize| {
        let other = others.iter().find(|(other, _)| *other == number);
        let tag = other.map_or(version, |(_, tag)| tag);
        format!("- name: registry.example.com/shop/svc-{number}\n  newTag: {tag}  # by CI\n")
    };
    let head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../../base\nimages:\n";
    format!("{head}{}", (1..=20).map(entry).collect::<String>())
}

#[test]
fn of_twenty_images_in_a_kustomization_one_line_goes_back() {
    let services = r#"[{paths: ["clusters/*/kustomization.yaml"], each: "images[registry.example.com/shop/{service}]"}]"#;
    let names: Vec<String> = (1..=20).map(|number| format!("svc-{number}")).collect();
    let fine: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "svc-7").collect();
    let (old, new) = (images("v1", &[]), images("v2", &[]));
    goes_back(services, KUSTOMIZATION, [&old, &new, &images("v2", &[(7, "v1")])], (&["svc-7"], &fine));
}

#[test]
fn images_are_found_with_the_whole_of_their_name_or_its_end() {
    for (each, name) in [
        ("images.{service}", "registry.example.com/shop/svc-7"),
        ("images[name={service}]", "registry.example.com/shop/svc-7"),
        ("images.*/{service}", "svc-7"),
        ("images[registry.example.com/{team}/{service}]", "shop/svc-7"),
    ] {
        let services = format!(r#"[{{paths: ["clusters/*/kustomization.yaml"], each: "{each}"}}]"#);
        let stage = stage(&Rules::new(&services), &[(KUSTOMIZATION, &images("v1", &[]))]);
        deploy(&stage, &[(KUSTOMIZATION, &images("v1", &[(7, "v2")]))], -12);
        let metric = name.rsplit('/').next().filter(|_| each.contains("{team}")).unwrap_or(name);
        errors(&stage, &[(metric, LATELY)]);
        let report = stage.pass(3);
        assert_eq!(told(&report), [format!("{name} regressed revert")], "{each}");
        assert_eq!(file(&stage, KUSTOMIZATION).unwrap(), images("v1", &[]));
    }
}

/// The cluster is in the path, and the service in the file.
#[test]
fn clusters_with_a_list_each_are_told_apart() {
    let services = r#"[{pattern: "clusters/{cluster}/kustomization.yaml", each: "images[registry.example.com/shop/{service}]"}]"#;
    let us = "clusters/us/kustomization.yaml";
    let (old, new) = (images("v1", &[]), images("v1", &[(3, "v2"), (4, "v2")]));
    let stage = stage(&Rules::of_clusters(services), &[(KUSTOMIZATION, &old), (us, &old)]);
    deploy(&stage, &[(KUSTOMIZATION, &new), (us, &new)], -12);
    errors(&stage, &[("eu-svc-3", FINE), ("eu-svc-4", FINE), ("us-svc-3", FINE), ("us-svc-4", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(
        told(&report),
        [
            "eu/svc-3 pending wait",
            "eu/svc-4 pending wait",
            "us/svc-3 pending wait",
            "us/svc-4 regressed revert"
        ]
    );
    assert_eq!(file(&stage, KUSTOMIZATION).unwrap(), new);
    assert_eq!(file(&stage, us).unwrap(), images("v1", &[(3, "v2")]));
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("\nBackout-Service: us/svc-4\n"), "{message}");
    stage.nothing_more();
}

#[test]
fn one_file_for_two_clusters_is_found_twice() {
    let services = r#"[{paths: ["clusters/*/kustomization.yaml"], each: "images[registry.example.com/shop/{service}]"}]"#;
    let us = "clusters/us/kustomization.yaml";
    let stage =
        stage(&Rules::new(services), &[(KUSTOMIZATION, &images("v1", &[])), (us, &images("v1", &[]))]);
    let last = deploy(&stage, &[(KUSTOMIZATION, &images("v1", &[(3, "v2")]))], -12);
    errors(&stage, &[("svc-3", LATELY)]);
    let report = stage.pass(1);
    let problems = super::problems(&report);
    assert!(
        problems.contains("svc-3") && problems.contains(KUSTOMIZATION) && problems.contains(us),
        "{problems}"
    );
    assert!(!problems.contains("svc-4"), "nothing was deployed of it: {problems}");
    assert_eq!(stage.tip(), last);
}

/// A name may hold what looks like a version.
#[test]
fn a_number_in_the_name_of_a_service_is_part_of_it() {
    let list = |auth: &str, web: &str| {
        format!("images:\n- name: shop/auth-v2\n  newTag: {auth}\n- name: shop/web\n  newTag: {web}\n")
    };
    let services = r#"[{paths: ["kustomization.yaml"], each: "images.shop/{service}"}]"#;
    let (old, new) = (list("1.4.2", "1.0.0"), list("1.5.0", "1.1.0"));
    goes_back(
        services,
        "kustomization.yaml",
        [&old, &new, &list("1.4.2", "1.1.0")],
        (&["auth-v2"], &["web"]),
    );
}

/// Nothing in the file is where the rule says.
#[test]
fn check_says_where_a_rule_finds_nothing_in_a_file() {
    let services = r#"[{paths: ["versions.yaml"], each: "images.{service}"}]"#;
    let stage = stage(&Rules::new(services), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -12);
    errors(&stage, &[("cart", LATELY), ("search", FINE)]);
    assert_eq!(told(&stage.pass(0)), [""; 0]);
    let checked = stage.run(&["check"]).ended(1).stdout;
    assert!(checked.contains("services of production (rule 1)"), "{checked}");
}

/// The list of a day takes the place of the list of the day before.
#[test]
fn an_entry_goes_back_in_a_file_that_replaced_another() {
    let services = r#"[{paths: ["releases/*.yaml"], each: "{service}"}]"#;
    let (old, new) = ("releases/2026.11.27.yaml", "releases/2026.11.28.yaml");
    let stage = stage(&Rules::new(services), &[(old, &flow("v1.0.0", "v2.0.0"))]);
    stage.git(&["rm", "-q", old]);
    deploy(&stage, &[(new, &flow("v1.0.1", "v2.0.1"))], -12);
    errors(&stage, &[("cart", LATELY), ("search", FINE)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["cart regressed revert", "search pending wait"]);
    assert_eq!(file(&stage, new).unwrap(), flow("v1.0.0", "v2.0.1"));
    assert_eq!(file(&stage, old), None, "the file is not of this service alone");
    stage.nothing_more();
}

/// The file was moved since the deployment.
#[test]
fn an_entry_is_followed_to_where_its_file_was_moved() {
    let services = r#"[{paths: ["**/versions.yaml", "versions.yaml"], each: "{service}"}]"#;
    let stage = stage(&Rules::new(services), &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -12);
    stage.git(&["rm", "-q", PATH]);
    stage.write("shop/versions.yaml", &flow("v1.0.1", "v2.0.1"));
    stage.commit(-3, PERSON, "Move the versions");
    stage.push();
    errors(&stage, &[("cart", LATELY), ("search", FINE)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "cart")), "regressed revert");
    assert_eq!(file(&stage, "shop/versions.yaml").unwrap(), flow("v1.0.0", "v2.0.1"));
    assert_eq!(file(&stage, PATH), None);
}

/// Two proposals for two lines of one file; one is merged, and the other is still right.
#[test]
fn proposals_for_adjacent_lines_hold_one_line_each() {
    let proposing = Rules { environments: "{production: {branch: main, mode: propose}}", ..Rules::new(EACH) };
    let stage = stage(&proposing, &[(PATH, &flow("v1.0.0", "v2.0.0"))]);
    let first = deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.0"))], -18);
    let second = deploy(&stage, &[(PATH, &flow("v1.0.1", "v2.0.1"))], -12);
    errors(&stage, &[("cart", BEFORE), ("search", LATELY)]);
    stage.pass(3);
    let branch = |service: &str, bad: &str| {
        format!("backout/production/{service}/{}", stage.git(&["rev-parse", "--short=10", bad]))
    };
    let (cart, search) = (branch("cart", &first), branch("search", &second));
    let text = |branch: &str| stage.remote(&["show", &format!("{branch}:{PATH}")]) + "\n";
    assert_eq!(text(&cart), flow("v1.0.0", "v2.0.1"));
    assert_eq!(text(&search), flow("v1.0.1", "v2.0.0"));
    stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &cart]);
    stage.dated(-1, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge the revert", "FETCH_HEAD"]);
    stage.push();
    stage.nothing_more();
    stage.run(&["revert", "search"]).ended(3);
}

/// What came with the version goes with it.
#[test]
fn an_entry_that_grew_on_a_line_with_others_goes_back_as_it_was() {
    let json = |cart: &str| format!("{{\"cart\": {{{cart}}}, \"search\": {{\"tag\": \"v1\"}}}}\n");
    let services = r#"[{paths: ["versions.json"], each: "{service}"}]"#;
    let (old, new) = (json(r#""tag": "v1""#), json(r#""tag": "v2", "canary": true"#));
    goes_back(services, "versions.json", [&old, &new, &old], (&["cart"], &["search"]));
}

/// Services in the same file that were not deployed get worse too: it is not the deployment's doing.
#[test]
fn damage_to_entries_that_were_not_deployed_is_not_blamed_on_the_one_that_was() {
    let list = |cart: &str| {
        format!("cart: {{tag: {cart}}}\nmail: {{tag: v1}}\nsearch: {{tag: v1}}\nweb: {{tag: v1}}\n")
    };
    for (others, code, expected) in [(LATELY, 0, "cart pending wait"), (FINE, 3, "cart regressed revert")] {
        let stage = stage(&Rules::new(EACH), &[(PATH, &list("v1"))]);
        deploy(&stage, &[(PATH, &list("v2"))], -12);
        errors(&stage, &[("cart", LATELY), ("mail", others), ("search", others), ("web", others)]);
        assert_eq!(told(&stage.pass(code)), [expected]);
    }
}

/// A train of sixty services leaves; one is bad.
#[test]
fn one_of_very_many_entries_goes_back() {
    let list = |version: &str, bad: &str| -> String {
        let entry = |n: usize| format!("svc-{n}: {{image: {{repository: shop/svc-{n}, tag: {version}}}}}\n");
        (0..60).map(entry).collect::<String>() + &format!("cart: {{image: {{tag: {bad}}}}}\n")
    };
    let stage = stage(&Rules::new(EACH), &[(PATH, &list("v1", "v1"))]);
    deploy(&stage, &[(PATH, &list("v2", "v2"))], -12);
    errors(&stage, &[("cart", LATELY), ("svc-1", FINE), ("svc-2", FINE)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "cart")), "regressed revert");
    assert_eq!(file(&stage, PATH).unwrap(), list("v2", "v1"));
}
