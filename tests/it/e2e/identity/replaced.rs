//! A service whose file has the version in its name: each deployment removes a file and adds another.

use super::super::stage::{BOT, PERSON, POLICY, Stage, item, items, text, words};
use super::{FINE, Files, LATELY, Rules, commit, commits_since, deploy, errors, file, paths, stage, told};

const OLD: &str = "apps/checkout/checkout-1.4.2.yaml";
const NEW: &str = "apps/checkout/checkout-1.5.0.yaml";
const KUSTOMIZATION: &str = "apps/checkout/kustomization.yaml";
const SERVICES: &str = r#"[{pattern: "apps/{service}/**"}]"#;

fn manifest(version: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: checkout}}\nspec:\n  replicas: 2\n  template:\n    spec:\n      \
         containers:\n      - name: main\n        image: r.example/checkout:{version}\n"
    )
}

fn resources(version: &str) -> String {
    format!("kind: Kustomization\nresources:\n- service.yaml\n- checkout-{version}.yaml\n")
}

/// Removes files with the next commit.
fn remove(stage: &Stage, paths: &[&str]) {
    for path in paths {
        stage.git(&["rm", "-q", path]);
    }
}

/// A new file takes the place of an old one, twelve minutes ago, and is bad.
fn replaced(files: Files<'_>, gone: &[&str], new: Files<'_>) -> Stage {
    let stage = stage(&Rules::new(SERVICES), files);
    remove(&stage, gone);
    deploy(&stage, new, -12);
    errors(&stage, &[("checkout", LATELY), ("search", FINE)]);
    stage
}

#[test]
fn the_old_file_comes_back_and_the_new_one_goes() {
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &manifest("1.5.0"))]);
    let bad = stage.tip();
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(paths(&stage), OLD);
    assert_eq!(file(&stage, OLD).unwrap(), manifest("1.4.2"));
    assert_eq!(commits_since(&stage, &bad), "1");
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with("Revert checkout in production: "), "{message}");
    stage.nothing_more();
}

#[test]
fn edits_in_the_new_file_do_not_hide_what_it_replaced() {
    let edited = |version: &str| manifest(version).replace("replicas: 2", "replicas: 5");
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &edited("1.5.0"))]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(paths(&stage), OLD);
    let now = file(&stage, OLD).unwrap();
    assert!(now.contains("image: r.example/checkout:1.4.2\n"), "{now}");
    stage.nothing_more();
}

/// Hardly a line is as it was: the name says what it replaced.
#[test]
fn a_file_that_was_written_anew_is_known_by_its_name() {
    let anew = "# by the new generator\nkind: Deployment\nmetadata: {\"name\": checkout}\nspec: {template: {spec: {containers: [{name: main, image: \"r.example/checkout:1.5.0\"}]}}}\n";
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, anew)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(paths(&stage), OLD);
    assert!(file(&stage, OLD).unwrap().contains("r.example/checkout:1.4.2"), "{:?}", file(&stage, OLD));
}

#[test]
fn the_list_of_resources_names_the_old_file_again() {
    let before: Files<'_> = &[(OLD, &manifest("1.4.2")), (KUSTOMIZATION, &resources("1.4.2"))];
    let stage = replaced(before, &[OLD], &[(NEW, &manifest("1.5.0")), (KUSTOMIZATION, &resources("1.5.0"))]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(paths(&stage), format!("{OLD}\n{KUSTOMIZATION}"));
    assert_eq!(file(&stage, OLD).unwrap(), manifest("1.4.2"));
    assert_eq!(file(&stage, KUSTOMIZATION).unwrap(), resources("1.4.2"));
    stage.nothing_more();
}

#[test]
fn a_folder_for_each_version_is_followed_too() {
    let (old, new) = ("apps/checkout/1.4.2/deployment.yaml", "apps/checkout/1.5.0/deployment.yaml");
    let (old_more, new_more) = ("apps/checkout/1.4.2/config.yaml", "apps/checkout/1.5.0/config.yaml");
    let config = "kind: ConfigMap\ndata: {mode: fast}\n";
    let before: Files<'_> = &[(old, &manifest("1.4.2")), (old_more, config)];
    let stage = replaced(before, &[old, old_more], &[(new, &manifest("1.5.0")), (new_more, config)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(file(&stage, old).unwrap(), manifest("1.4.2"));
    assert_eq!(file(&stage, new), None);
    assert_eq!(paths(&stage), format!("{old_more}\n{old}"), "what belongs to the version is beside it again");
}

#[test]
fn a_later_edit_in_the_new_file_comes_along() {
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &manifest("1.5.0"))]);
    let edited = |version: &str| manifest(version).replace("replicas: 2", "replicas: 7");
    commit(&stage, &[(NEW, &edited("1.5.0"))], -3, PERSON);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "checkout")), "regressed revert");
    assert_eq!(paths(&stage), OLD);
    assert_eq!(file(&stage, OLD).unwrap(), edited("1.4.2"));
}

#[test]
fn a_next_version_replaces_the_bad_one() {
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &manifest("1.5.0"))]);
    remove(&stage, &[NEW]);
    let newest = "apps/checkout/checkout-1.5.1.yaml";
    let last = deploy(&stage, &[(newest, &manifest("1.5.1"))], -5);
    let report = stage.pass(0);
    assert_eq!(told(&report), ["checkout regressed wait", "checkout pending wait"]);
    assert_eq!(stage.tip(), last);
    stage.nothing_more();
}

/// The damage began with the first of two, and the second did not mend it: the file from before both is back.
#[test]
fn of_two_that_replaced_each_other_both_go_where_the_first_was_bad() {
    let before: Files<'_> = &[(OLD, &manifest("1.4.2")), (KUSTOMIZATION, &resources("1.4.2"))];
    let stage = stage(&Rules::new(SERVICES), before);
    remove(&stage, &[OLD]);
    let bad = deploy(&stage, &[(NEW, &manifest("1.5.0")), (KUSTOMIZATION, &resources("1.5.0"))], -48);
    remove(&stage, &[NEW]);
    let newest = "apps/checkout/checkout-1.5.1.yaml";
    let last = deploy(&stage, &[(newest, &manifest("1.5.1")), (KUSTOMIZATION, &resources("1.5.1"))], -40);
    errors(&stage, &[("checkout", &[(-47, 99)]), ("search", FINE)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert", "checkout preexisting hold"]);
    assert_eq!(stage.remote(&["diff", &format!("{bad}^"), "main"]), "", "all is as it was");
    assert_eq!(commits_since(&stage, &last), "1");
    stage.nothing_more();
}

#[test]
fn of_two_bad_versions_in_a_row_the_last_goes_back() {
    let stage = stage(&Rules::new(SERVICES), &[(OLD, &manifest("1.4.2"))]);
    remove(&stage, &[OLD]);
    deploy(&stage, &[(NEW, &manifest("1.5.0"))], -40);
    remove(&stage, &[NEW]);
    let newest = "apps/checkout/checkout-1.5.1.yaml";
    deploy(&stage, &[(newest, &manifest("1.5.1"))], -12);
    errors(&stage, &[("checkout", LATELY)]);
    let report = stage.pass(3);
    assert!(told(&report).contains(&"checkout regressed revert".to_owned()), "{:?}", told(&report));
    assert_eq!(paths(&stage), NEW);
    assert_eq!(file(&stage, NEW).unwrap(), manifest("1.5.0"));
    stage.nothing_more();
}

#[test]
fn two_services_whose_files_are_replaced_by_one_commit_are_told_apart() {
    let (other_old, other_new) = ("apps/search/search-2.0.0.yaml", "apps/search/search-2.1.0.yaml");
    let other = |version: &str| manifest(version).replace("checkout", "search");
    let before: Files<'_> = &[(OLD, &manifest("1.4.2")), (other_old, &other("2.0.0"))];
    let after: Files<'_> = &[(NEW, &manifest("1.5.0")), (other_new, &other("2.1.0"))];
    let stage = replaced(before, &[OLD, other_old], after);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert", "search pending wait"]);
    assert_eq!(paths(&stage), format!("{OLD}\n{other_new}"));
    stage.nothing_more();
}

/// Two of the service's files are replaced at once.
#[test]
fn two_files_of_a_service_that_are_replaced_both_come_back() {
    let (worker_old, worker_new) = ("apps/checkout/worker-1.4.2.yaml", "apps/checkout/worker-1.5.0.yaml");
    let before: Files<'_> = &[(OLD, &manifest("1.4.2")), (worker_old, &manifest("1.4.2"))];
    let after: Files<'_> = &[(NEW, &manifest("1.5.0")), (worker_new, &manifest("1.5.0"))];
    let stage = replaced(before, &[OLD, worker_old], after);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(paths(&stage), format!("{OLD}\n{worker_old}"));
    stage.nothing_more();
}

#[test]
fn somebody_who_put_a_file_in_the_old_place_keeps_it() {
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &manifest("1.5.0"))]);
    let own = "# kept for the archive\nkind: ConfigMap\n";
    let last = commit(&stage, &[(OLD, own)], -3, PERSON);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "checkout")), "regressed escalate");
    assert!(text(item(&report, "checkout"), "why").contains(OLD), "{report:#}");
    assert_eq!(stage.tip(), last);
}

#[test]
fn a_file_that_only_moved_came_or_went_is_no_deployment() {
    let (other, moved) = ("apps/checkout/other.yaml", "apps/checkout/deployment.yaml");
    for (gone, new) in
        [(&[OLD][..], &[(moved, manifest("1.4.2"))][..]), (&[OLD], &[]), (&[], &[(other, manifest("1.5.0"))])]
    {
        let new: Vec<(&str, &str)> = new.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let stage = replaced(&[(OLD, &manifest("1.4.2"))], gone, &new);
        let tip = stage.tip();
        let report = stage.pass(0);
        assert_eq!(items(&report).count(), 0, "{gone:?} {new:?} {report:#}");
        assert_eq!(stage.tip(), tip);
    }
}

/// A person asks for it, and for what was before.
#[test]
fn a_person_reverts_a_replaced_file_by_the_name_of_its_service() {
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &manifest("1.5.0"))]);
    let dry = stage.run(&["revert", "checkout", "--dry-run"]).ended(0).stdout;
    assert!(dry.contains(OLD) && dry.contains(NEW), "{dry}");
    stage.run(&["revert", "checkout"]).ended(3);
    assert_eq!(paths(&stage), OLD);
    assert_eq!(file(&stage, OLD).unwrap(), manifest("1.4.2"));
}

/// A proposal holds the same change, and its merge is no deployment.
#[test]
fn a_proposal_puts_the_old_file_back_too() {
    let proposing =
        Rules { environments: "{production: {branch: main, mode: propose}}", ..Rules::new(SERVICES) };
    let stage = stage(&proposing, &[(OLD, &manifest("1.4.2"))]);
    remove(&stage, &[OLD]);
    let bad = deploy(&stage, &[(NEW, &manifest("1.5.0"))], -12);
    errors(&stage, &[("checkout", LATELY)]);
    stage.pass(3);
    let branch = format!("backout/production/checkout/{}", stage.git(&["rev-parse", "--short=10", &bad]));
    assert_eq!(stage.remote(&["ls-tree", "-r", "--name-only", &branch]), OLD);
    stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch]);
    stage.dated(-1, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge the revert", "FETCH_HEAD"]);
    stage.push();
    assert_eq!(paths(&stage), OLD);
    stage.nothing_more();
}

/// The cluster and the service are in the path, and the version in the file's name.
#[test]
fn a_version_in_the_name_is_no_part_of_the_service() {
    let services = r#"[{pattern: "clusters/{cluster}/{service}/*.yaml"}]"#;
    let place = |cluster: &str, version: &str| format!("clusters/{cluster}/checkout/app-{version}.yaml");
    let (eu, us) = (place("eu", "1.4.2"), place("us", "1.4.2"));
    let stage = stage(&Rules::of_clusters(services), &[(&eu, &manifest("1.4.2")), (&us, &manifest("1.4.2"))]);
    remove(&stage, &[&eu, &us]);
    let (new_eu, new_us) = (place("eu", "1.5.0"), place("us", "1.5.0"));
    commit(&stage, &[(&new_eu, &manifest("1.5.0")), (&new_us, &manifest("1.5.0"))], -12, BOT);
    errors(&stage, &[("eu-checkout", LATELY), ("us-checkout", FINE)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["eu/checkout regressed revert", "us/checkout pending wait"]);
    assert_eq!(paths(&stage), format!("{eu}\n{new_us}"));
    stage.nothing_more();
}

#[test]
fn files_with_the_version_in_the_middle_of_their_names_come_back() {
    let place = |part: &str, version: &str| format!("apps/checkout/checkout-{version}-{part}.yaml");
    let olds = ["web", "worker"].map(|part| place(part, "1.4.2"));
    let news = ["web", "worker"].map(|part| place(part, "1.5.0"));
    let of = |version: &str, part: &str| manifest(version).replace("main", part);
    let stage = replaced(
        &[(&olds[0], &of("1.4.2", "web")), (&olds[1], &of("1.4.2", "worker"))],
        &[&olds[0], &olds[1]],
        &[(&news[0], &of("1.5.0", "web")), (&news[1], &of("1.5.0", "worker"))],
    );
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(paths(&stage), olds.join("\n"));
    stage.nothing_more();
}

/// The folder of a version is what the list of resources names: all of it has to be there.
#[test]
fn what_a_folder_of_a_version_needs_comes_back_with_it() {
    let place = |version: &str, name: &str| format!("apps/checkout/{version}/{name}.yaml");
    let list = "kind: Kustomization\nresources:\n- deployment.yaml\n- one.yaml\n- two.yaml\n";
    let top = |version: &str| format!("kind: Kustomization\nresources:\n- {version}\n");
    let same = "kind: ConfigMap\n";
    let all = |version: &str| {
        vec![
            (place(version, "deployment"), manifest(version)),
            (place(version, "kustomization"), list.to_owned()),
            (place(version, "one"), same.to_owned()),
            (place(version, "two"), same.to_owned()),
            (KUSTOMIZATION.to_owned(), top(version)),
        ]
    };
    let (old, new) = (all("1.4.2"), all("1.5.0"));
    let old: Vec<(&str, &str)> = old.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let new: Vec<(&str, &str)> = new.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let gone: Vec<&str> = old.iter().map(|(path, _)| *path).filter(|path| *path != KUSTOMIZATION).collect();
    let stage = replaced(&old, &gone, &new);
    let before = stage.remote(&["rev-parse", "main^"]);
    stage.pass(3);
    assert_eq!(stage.remote(&["diff", "--name-status", &before, "main"]), "", "all is as it was");
    stage.nothing_more();
}

/// The old file was put away, where it still belongs to the service.
#[test]
fn an_old_file_that_was_archived_does_not_hide_the_new_one() {
    let archived = "apps/checkout/archive/old.txt";
    let stage = replaced(
        &[(OLD, &manifest("1.4.2"))],
        &[OLD],
        &[(NEW, &manifest("1.5.0")), (archived, &manifest("1.4.2"))],
    );
    let report = stage.pass(3);
    assert_eq!(told(&report), ["checkout regressed revert"]);
    assert_eq!(file(&stage, OLD).unwrap(), manifest("1.4.2"));
    assert_eq!(file(&stage, NEW), None);
    stage.nothing_more();
}

/// Beside the new file there is one that the commit removed. It comes back with all that the commit changed, and stays away
/// where only the fields go back.
#[test]
fn another_file_that_went_comes_back_unless_only_the_fields_do() {
    let gone = "apps/checkout/canary.yaml";
    let canary = "kind: ConfigMap\nmetadata: {name: canary}\ndata: {share: \"5\"}\n";
    for (mixed, back) in [("", true), (", mixed: deployment", true), (", mixed: fields", false)] {
        let policy = format!("{POLICY}{mixed}");
        let rules = Rules { policy: &policy, ..Rules::new(SERVICES) };
        let stage = stage(&rules, &[(OLD, &manifest("1.4.2")), (gone, canary)]);
        remove(&stage, &[OLD, gone]);
        deploy(&stage, &[(NEW, &manifest("1.5.0"))], -12);
        errors(&stage, &[("checkout", LATELY), ("search", FINE)]);
        let report = stage.pass(3);
        assert_eq!(told(&report), ["checkout regressed revert"]);
        assert_eq!(file(&stage, OLD).unwrap(), manifest("1.4.2"));
        assert_eq!(file(&stage, NEW), None);
        assert_eq!(file(&stage, gone), back.then(|| canary.to_owned()), "{policy}");
        let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
        assert!(message.contains(&format!("- {gone}\n")), "{message}");
        assert_eq!(message.contains("which stays as it is"), !back, "{message}");
        stage.nothing_more();
    }
}

#[test]
fn the_old_file_comes_back_to_the_byte() {
    let before: Files<'_> = &[(OLD, &manifest("1.4.2")), (KUSTOMIZATION, &resources("1.4.2"))];
    let stage = stage(&Rules::new(SERVICES), before);
    remove(&stage, &[OLD]);
    let edited = manifest("1.5.0").replace("replicas: 2", "replicas: 5");
    deploy(&stage, &[(NEW, &edited), (KUSTOMIZATION, &resources("1.5.0"))], -12);
    let before = stage.remote(&["rev-parse", "main^"]);
    errors(&stage, &[("checkout", LATELY)]);
    stage.pass(3);
    assert_eq!(stage.remote(&["diff", &before, "main"]), "");
    stage.nothing_more();
}

/// A file that only got another name, beside a deployment in another file, is a part of what the commit changed.
#[test]
fn a_file_that_was_renamed_beside_the_deployment_gets_its_old_name_back() {
    let (values, config, renamed) =
        ("apps/checkout/values.yaml", "apps/checkout/config.yaml", "apps/checkout/settings.yaml");
    let text = "mode: fast\nlimit: 5\n";
    let stage = replaced(
        &[(values, "image:\n  tag: v1\n"), (config, text)],
        &[config],
        &[(values, "image:\n  tag: v2\n"), (renamed, text)],
    );
    stage.pass(3);
    assert_eq!(file(&stage, values).unwrap(), "image:\n  tag: v1\n");
    assert_eq!(paths(&stage), format!("{config}\n{values}"));
}

/// The version is a capture of the path, and the template leaves it out of the name.
#[test]
fn a_captured_version_is_left_out_of_the_name_by_a_template() {
    let services = r#"[{pattern: "apps/{service}/{service}-{version}.yaml", name: "{{ service }}"}]"#;
    let stage = stage(&Rules::new(services), &[(OLD, &manifest("1.4.2"))]);
    remove(&stage, &[OLD]);
    deploy(&stage, &[(NEW, &manifest("1.5.0"))], -12);
    errors(&stage, &[("checkout", LATELY)]);
    assert_eq!(told(&stage.pass(3)), ["checkout regressed revert"]);
    assert_eq!(paths(&stage), OLD);
    stage.nothing_more();
}

#[test]
fn a_person_who_took_the_replacement_back_is_left_alone() {
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &manifest("1.5.0"))]);
    stage.dated(-3, PERSON, &["revert", "--no-edit", "HEAD"]);
    stage.push();
    let back = stage.tip();
    assert_eq!(paths(&stage), OLD);
    let report = stage.pass(0);
    assert!(told(&report).iter().all(|one| !one.ends_with("revert")), "{:?}", told(&report));
    assert_eq!(stage.tip(), back);
    stage.nothing_more();
}

#[test]
fn a_bot_that_puts_the_bad_file_back_is_reverted_again() {
    let policy = "settle: 60s, watch: 1h, baseline: 15m";
    let stage = stage(&Rules { policy, ..Rules::new(SERVICES) }, &[(OLD, &manifest("1.4.2"))]);
    remove(&stage, &[OLD]);
    deploy(&stage, &[(NEW, &manifest("1.5.0"))], -41);
    errors(&stage, &[("checkout", &[(-40, -30), (-11, 99)])]);
    assert_eq!(told(&stage.pass(3)), ["checkout regressed revert"]);
    stage.backdate(-29);
    remove(&stage, &[OLD]);
    deploy(&stage, &[(NEW, &manifest("1.5.0"))], -12);
    let report = stage.pass(3);
    assert!(told(&report).contains(&"checkout regressed revert".to_owned()), "{:?}", told(&report));
    assert_eq!(paths(&stage), OLD);
}

/// A person gave the new file a lasting name since: it stays there, with the old version in it.
#[test]
fn a_new_file_that_was_renamed_since_stays_there() {
    let lasting = "apps/checkout/deployment.yaml";
    let stage = replaced(&[(OLD, &manifest("1.4.2"))], &[OLD], &[(NEW, &manifest("1.5.0"))]);
    remove(&stage, &[NEW]);
    commit(&stage, &[(lasting, &manifest("1.5.0"))], -3, PERSON);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "checkout")), "regressed revert");
    assert_eq!(paths(&stage), lasting);
    assert_eq!(file(&stage, lasting).unwrap(), manifest("1.4.2"));
    stage.nothing_more();
}
