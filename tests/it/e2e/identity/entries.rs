//! Several services in one file of other kinds: releases of Helm, elements of an ApplicationSet, manifests, and JSON.

use super::super::stage::{item, words};
use super::{BEFORE, FINE, LATELY, Rules, changed_lines, commits_since, deploy, errors, file, stage, told};

/// One file goes from the first text to the second twelve minutes ago, and by the pass to the third: the first service is
/// bad and goes back, the others are fine and stay.
#[track_caller]
fn goes_back(each: &str, path: &str, [old, new, back]: [&str; 3], services: &[&str]) {
    let rule = format!(r#"[{{paths: ["{path}"], each: "{each}"}}]"#);
    let stage = stage(&Rules::new(&rule), &[(path, old)]);
    let commit = deploy(&stage, &[(path, new)], -12);
    let failing = |index: usize| if index == 0 { LATELY } else { FINE };
    errors(&stage, &services.iter().enumerate().map(|(at, name)| (*name, failing(at))).collect::<Vec<_>>());
    let report = stage.pass(3);
    assert_eq!(words(item(&report, services[0])), "regressed revert");
    assert_eq!(file(&stage, path).unwrap(), back);
    assert_eq!(commits_since(&stage, &commit), "1");
    stage.nothing_more();
    stage.run(&["check"]).ended(0);
}

fn helmfile(cart: &str, web: &str) -> String {
    format!(
        "repositories:\n- name: shop\n  url: https://charts.example.com\nreleases:\n  - name: cart\n    namespace: shop\n    \
         chart: shop/cart\n    version: {cart}\n  - name: web\n    namespace: shop\n    chart: shop/web\n    version: {web}\n"
    )
}

#[test]
fn a_release_of_a_helmfile_goes_back() {
    let (old, new) = (helmfile("1.2.0", "3.0.0"), helmfile("1.3.0", "3.1.0"));
    let each = "releases.{service}";
    goes_back(each, "helmfile.yaml", [&old, &new, &helmfile("1.2.0", "3.1.0")], &["cart", "web"]);
    goes_back(each, "helmfile.yaml", [&old, &new, &helmfile("1.3.0", "3.0.0")], &["web", "cart"]);
}

/// A new release came with the commit: what stands below it is where it was, one entry further down.
#[test]
fn a_release_goes_back_where_another_came_before_it() {
    let old = helmfile("1.2.0", "3.0.0");
    let with_mail = |text: String| {
        let mail = "releases:\n  - name: mail\n    chart: shop/mail\n    version: 0.1.0\n";
        text.replace("releases:\n", mail)
    };
    let (new, back) = (with_mail(helmfile("1.2.0", "3.1.0")), with_mail(helmfile("1.2.0", "3.0.0")));
    goes_back("releases.{service}", "helmfile.yaml", [&old, &new, &back], &["web", "cart", "mail"]);
}

fn application_set(cart: &str, web: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata:\n  name: all\nspec:\n  generators:\n  - list:\n      \
         elements:\n      - name: cart\n        cluster: eu\n        version: {cart}\n      - name: web\n        cluster: eu\n        \
         version: {web}\n  template:\n    metadata:\n      name: '{{{{ .name }}}}'\n"
    )
}

#[test]
fn an_element_of_an_application_set_goes_back() {
    let (old, new) = (application_set("1.2.0", "3.0.0"), application_set("1.3.0", "3.1.0"));
    goes_back(
        "spec.generators.*.list.elements.{service}",
        "set.yaml",
        [&old, &new, &application_set("1.2.0", "3.1.0")],
        &["cart", "web"],
    );
}

/// A Deployment with a variable, and no namespace.
fn manifest(name: &str, version: &str, level: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 2\n  template:\n    spec:\n      \
         containers:\n      - name: main\n        image: registry.example.com/{name}:{version}\n        env:\n        - name: LOG_LEVEL\n          \
         value: {level}\n"
    )
}

fn manifests(all: &[(&str, &str, &str)]) -> String {
    let each: Vec<String> = all.iter().map(|(name, version, level)| manifest(name, version, level)).collect();
    each.join("---\n")
}

#[test]
fn one_of_several_manifests_in_a_file_goes_back() {
    let old = manifests(&[("cart", "v1", "info"), ("web", "v1", "info"), ("mail", "v1", "info")]);
    let new = manifests(&[("cart", "v1", "info"), ("web", "v2", "info"), ("mail", "v2", "info")]);
    let back = manifests(&[("cart", "v1", "info"), ("web", "v1", "info"), ("mail", "v2", "info")]);
    goes_back("Deployment/{service}", "all.yaml", [&old, &new, &back], &["web", "cart", "mail"]);
}

/// What goes back besides the version is the policy's choice: here only the version is looked at.
#[test]
fn the_version_of_a_manifest_goes_back_where_its_variables_changed_too() {
    let old = manifests(&[("cart", "v1", "info"), ("web", "v1", "info")]);
    let new = manifests(&[("cart", "v2", "debug"), ("web", "v2", "debug")]);
    let rule = r#"[{paths: ["all.yaml"], each: "Deployment/{service}"}]"#;
    let stage = stage(&Rules::new(rule), &[("all.yaml", &old)]);
    deploy(&stage, &[("all.yaml", &new)], -12);
    errors(&stage, &[("cart", FINE), ("web", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["cart pending wait", "web regressed revert"]);
    let now = file(&stage, "all.yaml").unwrap();
    assert!(now.contains("image: registry.example.com/web:v1\n"), "{now}");
    assert!(now.starts_with(&manifest("cart", "v2", "debug")), "the other one stays: {now}");
    stage.nothing_more();
}

#[test]
fn all_of_a_manifest_goes_back_where_the_policy_says_so_and_the_other_stays() {
    let old = manifests(&[("cart", "v1", "info"), ("web", "v1", "info")]);
    let new = manifests(&[("cart", "v2", "debug"), ("web", "v2", "debug")]);
    for (bad, fine, back) in [
        ("web", "cart", manifests(&[("cart", "v2", "debug"), ("web", "v1", "info")])),
        ("cart", "web", manifests(&[("cart", "v1", "info"), ("web", "v2", "debug")])),
    ] {
        let rules = Rules {
            policy: "settle: 60s, watch: 40m, baseline: 30m, mixed: deployment",
            ..Rules::new(r#"[{paths: ["all.yaml"], each: "Deployment/{service}"}]"#)
        };
        let stage = stage(&rules, &[("all.yaml", &old)]);
        deploy(&stage, &[("all.yaml", &new)], -12);
        errors(&stage, &[(bad, LATELY), (fine, FINE)]);
        stage.pass(3);
        assert_eq!(file(&stage, "all.yaml").unwrap(), back);
        stage.nothing_more();
    }
}

/// Two documents of one file that make a service together.
#[test]
fn two_documents_with_one_name_are_one_service() {
    let job = manifest("web", "v1", "warn").replace("kind: Deployment", "kind: Job");
    let old = format!("{}---\n{job}", manifest("web", "v1", "info"));
    let new = old.replace(":v1", ":v2");
    goes_back("*/{service}", "all.yaml", [&old, &new, &old], &["web"]);
}

fn json(cart: &str, search: &str) -> String {
    format!(r#"{{"cart": {{"image": {{"tag": "{cart}"}}}}, "search": {{"image": {{"tag": "{search}"}}}}}}"#)
        + "\n"
}

#[test]
fn a_service_in_a_json_file_on_one_line_goes_back() {
    let (old, new) = (json("v1", "v1"), json("v2", "v2"));
    goes_back("{service}", "versions.json", [&old, &new, &json("v1", "v2")], &["cart", "search"]);
    goes_back("{service}", "versions.json", [&old, &new, &json("v2", "v1")], &["search", "cart"]);
}

#[test]
fn both_services_of_a_json_file_on_one_line_go_back() {
    let rule = r#"[{paths: ["versions.json"], each: "{service}"}]"#;
    let stage = stage(&Rules::new(rule), &[("versions.json", &json("v1", "v1"))]);
    deploy(&stage, &[("versions.json", &json("v2", "v1"))], -18);
    let last = deploy(&stage, &[("versions.json", &json("v2", "v2"))], -12);
    errors(&stage, &[("cart", BEFORE), ("search", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["cart regressed revert", "search regressed revert"]);
    assert_eq!(file(&stage, "versions.json").unwrap(), json("v1", "v1"));
    assert_eq!(commits_since(&stage, &last), "2");
    stage.nothing_more();
}

/// The versions stand side by side, and the keys say which.
#[test]
fn a_flat_list_of_versions_goes_back_one_by_one() {
    let flat = |cart: &str, web: &str| format!("versions:\n  cart: {cart}\n  web: {web}\n");
    let (old, new) = (flat("1.2.0", "3.0.0"), flat("1.3.0", "3.1.0"));
    goes_back("versions.{service}", "v.yaml", [&old, &new, &flat("1.2.0", "3.1.0")], &["cart", "web"]);
}

/// Terraform, and an environment file.
#[test]
fn other_formats_have_addresses_too() {
    let module = |cart: &str, web: &str| {
        format!(
            "module \"cart\" {{\n  image_tag = \"{cart}\"\n}}\n\nmodule \"web\" {{\n  image_tag = \"{web}\"\n}}\n"
        )
    };
    let (old, new) = (module("v1", "v1"), module("v2", "v2"));
    goes_back("module \\\"{service}\\\"*", "main.tf", [&old, &new, &module("v1", "v2")], &["cart", "web"]);
    let env = |cart: &str, web: &str| format!("cart_IMAGE_TAG={cart}\nweb_IMAGE_TAG={web}\n");
    let (old, new) = (env("v1", "v1"), env("v2", "v2"));
    goes_back("{service}_IMAGE_TAG", ".env", [&old, &new, &env("v1", "v2")], &["cart", "web"]);
}

/// A compose file on Windows: its line ends stay as they are.
#[test]
fn the_services_of_a_compose_file_go_back_with_its_line_ends() {
    let compose = |cart: &str, web: &str| {
        format!(
            "services:\r\n  cart:\r\n    image: shop/cart:{cart}\r\n  web:\r\n    image: shop/web:{web}\r\n"
        )
    };
    let rule = r#"[{paths: ["compose.yaml"], each: "services.{service}"}]"#;
    let stage = stage(&Rules::new(rule), &[("compose.yaml", &compose("v1", "v1"))]);
    stage.git(&["config", "core.autocrlf", "false"]);
    deploy(&stage, &[("compose.yaml", &compose("v2", "v2"))], -12);
    errors(&stage, &[("cart", FINE), ("web", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["cart pending wait", "web regressed revert"]);
    assert_eq!(changed_lines(&stage), ["-    image: shop/web:v2", "+    image: shop/web:v1"]);
    assert_eq!(file(&stage, "compose.yaml").unwrap(), compose("v2", "v1"));
}

/// The bad entry got a key more with the deployment, behind what is nested in it.
#[test]
fn json_is_whole_after_the_revert_of_an_entry_that_grew() {
    let text = |tag: &str, more: &str| {
        format!(
            "{{\n  \"cart\": {{\n    \"image\": {{\n      \"tag\": \"{tag}\"\n    }}{more}\n  }},\n  \"web\": {{\n    \"image\": {{\n      \
             \"tag\": \"v1\"\n    }}\n  }}\n}}\n"
        )
    };
    let (old, new) = (text("v1", ""), text("v2", ",\n    \"canary\": true"));
    for mixed in ["fields", "deployment"] {
        let policy = format!("settle: 60s, watch: 40m, baseline: 30m, mixed: {mixed}");
        let rules = Rules { policy: &policy, ..Rules::new(r#"[{paths: ["v.json"], each: "{service}"}]"#) };
        let stage = stage(&rules, &[("v.json", &old)]);
        deploy(&stage, &[("v.json", &new)], -12);
        errors(&stage, &[("cart", LATELY), ("web", FINE)]);
        assert_eq!(told(&stage.pass(3)), ["cart regressed revert"], "{mixed}");
        let now = file(&stage, "v.json").unwrap();
        let read: serde_json::Value =
            serde_json::from_str(&now).unwrap_or_else(|error| panic!("{error}: {now}"));
        assert_eq!(read["cart"]["image"]["tag"], "v1", "{mixed}");
        assert_eq!(read["web"]["image"]["tag"], "v1", "{mixed}");
    }
}

/// The commit wrote the list anew, further to the right, with a new version of one of its entries.
#[test]
fn an_entry_goes_back_in_a_list_that_was_indented() {
    let list = |by: &str, tag: &str| {
        format!("images:\n{by}- name: cart\n{by}  newTag: {tag}\n{by}- name: web\n{by}  newTag: v1\n")
    };
    let (old, new, back) = (list("", "v1"), list("  ", "v2"), list("  ", "v1"));
    goes_back("images.{service}", "kustomization.yaml", [&old, &new, &back], &["cart", "web"]);
}

/// A service that got a document more with its deployment, and one that lost one: that belongs to the deployment.
#[test]
fn a_service_goes_back_where_it_got_or_lost_a_document() {
    let more = |text: String| {
        format!(
            "{text}---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports: [{{port: 80}}]\n"
        )
    };
    let all = |version: &str| manifests(&[("cart", "v1", "info"), ("web", version, "info")]);
    let each = "*/{service}";
    goes_back(each, "all.yaml", [&all("v1"), &more(all("v2")), &all("v1")], &["web", "cart"]);
    goes_back(each, "all.yaml", [&more(all("v1")), &all("v2"), &more(all("v1"))], &["web", "cart"]);
}

/// The commit deployed two services of the file and changed a list that is nobody's.
#[test]
fn what_is_outside_of_all_entries_stays_and_makes_no_deployment_mixed() {
    let file_of = |cart: &str, web: &str, resource: &str| {
        format!(
            "kind: Kustomization\nresources:\n- {resource}.yaml\nimages:\n- name: cart\n  newTag: {cart}\n- name: web\n  newTag: {web}\n"
        )
    };
    for mixed in ["fields", "deployment", "manual"] {
        let policy = format!("settle: 60s, watch: 40m, baseline: 30m, mixed: {mixed}");
        let rule = r#"[{paths: ["kustomization.yaml"], each: "images.{service}"}]"#;
        let rules = Rules { policy: &policy, ..Rules::new(rule) };
        let stage = stage(&rules, &[("kustomization.yaml", &file_of("v1", "v1", "a"))]);
        deploy(&stage, &[("kustomization.yaml", &file_of("v2", "v2", "b"))], -12);
        errors(&stage, &[("cart", FINE), ("web", LATELY)]);
        assert_eq!(told(&stage.pass(3)), ["cart pending wait", "web regressed revert"], "{mixed}");
        assert_eq!(file(&stage, "kustomization.yaml").unwrap(), file_of("v2", "v1", "b"), "{mixed}");
    }
}

/// An image in one section and a chart in another are one service's.
#[test]
fn entries_of_two_sections_with_one_name_go_back_together() {
    let text = |cart: [&str; 2], web: [&str; 2]| {
        format!(
            "images:\n  cart: {{tag: {}}}\n  web: {{tag: {}}}\ncharts:\n  cart: {{version: {}}}\n  web: {{version: {}}}\n",
            cart[0], web[0], cart[1], web[1]
        )
    };
    let (old, new) = (text(["v1", "1.0.0"], ["v1", "1.0.0"]), text(["v2", "1.1.0"], ["v2", "1.1.0"]));
    let back = text(["v1", "1.0.0"], ["v2", "1.1.0"]);
    goes_back("*.{service}", "v.yaml", [&old, &new, &back], &["cart", "web"]);
}

/// Each environment has its list.
#[test]
fn a_list_for_each_environment_goes_back_in_one_of_them() {
    let rules = Rules {
        environments: "{production: {branch: main, mode: auto}, staging: {branch: main, mode: auto}}",
        query: r#"errors{service="{{ environment }}-{{ service }}"}"#,
        ..Rules::new(r#"[{pattern: "env/{environment}/versions.yaml", each: "{service}"}]"#)
    };
    let text = |cart: &str| format!("cart: {{tag: {cart}}}\nweb: {{tag: v1}}\n");
    let all = ["env/production/versions.yaml", "env/staging/versions.yaml"];
    let stage = stage(&rules, &all.map(|path| (path, "cart: {tag: v1}\nweb: {tag: v1}\n")));
    deploy(&stage, &all.map(|path| (path, "cart: {tag: v2}\nweb: {tag: v1}\n")), -12);
    errors(&stage, &[("production-cart", FINE), ("staging-cart", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(told(&report), ["cart pending wait", "cart regressed revert"]);
    assert_eq!(all.map(|path| file(&stage, path).unwrap()), [text("v2"), text("v1")]);
    stage.nothing_more();
}

/// What belongs to a service in a file of another kind goes back with it, and nothing of the others does.
#[test]
fn all_of_a_service_goes_back_in_files_of_many_kinds() {
    let toml = |tag: &str, env: &str| {
        format!("[shop]\ntag = \"{tag}\"\n\n[shop.env]\n{env}\n[cart]\ntag = \"v1\"\n")
    };
    let (old, new) = (toml("v1", "A = \"1\"\n"), toml("v2", "B = \"2\"\n"));
    goes_back("{service}", "v.toml", [&old, &new, &old], &["shop", "cart"]);

    let helmfile = |shop: &str, more: &str, cart: &str| {
        format!(
            "releases:\n- name: shop\n  version: {shop}\n{more}- name: cart\n  version: 1.0.0\n  values:\n  - b: {cart}\n"
        )
    };
    let template = "{{ .Values.b }}";
    let old = helmfile("1.0.0", "", "1");
    let new = helmfile("1.1.0", "  set:\n  - name: a\n    value: {{ .Values.a }}\n", template);
    let back = helmfile("1.0.0", "", template);
    goes_back("releases.{service}", "helmfile.yaml", [&old, &new, &back], &["shop", "cart"]);

    let (old, new) = (
        "shop:\n  tag: v1\n  a: 1\ncart:\n  note: a\n  # keep\n  tag: v1\n",
        "shop:\n  tag: v2\n  b: 1\ncart:\n  # keep\n  tag: v1\n",
    );
    let back = "shop:\n  tag: v1\n  a: 1\ncart:\n  # keep\n  tag: v1\n";
    goes_back("{service}", "v.yaml", [old, new, back], &["shop", "cart"]);

    let (old, new) = (
        "shop:\n  tag: v1\n  r: {}\n  a: []\ncart:\n  tag: v1\n",
        "shop:\n  tag: v2\n  r: []\n  a: {}\ncart:\n  tag: v1\n",
    );
    goes_back("{service}", "v.yaml", [old, new, old], &["shop", "cart"]);

    let (old, new) = (
        "{\n  \"shop\": {\"tag\": \"v1\"},\n  \"cart\": {\"tag\": \"v1\"}\n}\n",
        "{\n  \"shop\": {\"tag\": \"v2\", \"x\": 1}\n}\n",
    );
    goes_back("{service}", "v.json", [old, new, "{\n  \"shop\": {\"tag\": \"v1\"}\n}\n"], &["shop"]);
}

/// The file goes from the first text to the second, with what else the commit did, and then to the third by somebody else: the first
/// service is bad, and a person is told these words.
#[track_caller]
fn is_for_a_person(rule: &str, files: [&[(&str, &str)]; 3], words_told: &str) {
    let [old, new, later] = files;
    let stage = stage(&Rules::new(rule), old);
    deploy(&stage, new, -12);
    if !later.is_empty() {
        deploy(&stage, later, -11);
    }
    errors(&stage, &[("shop", LATELY), ("cart", FINE)]);
    let before = stage.tip();
    let report = stage.run(&["run", "--once", "--format", "json"]).json();
    let found = super::super::stage::items(&report).find(|item| item["service"] == "shop").unwrap();
    assert!(found.to_string().contains(words_told), "{found:#}");
    assert_eq!(stage.tip(), before, "{found:#}");
}

/// With the old text back, something would be broken or a state would come about that nobody tried.
#[test]
fn what_would_break_something_is_for_a_person() {
    let each = r#"[{paths: ["v.yaml"], each: "{service}"}]"#;
    let slots = |tag: &str, slot: &str| {
        format!(
            "shop:\n  blue: {{tag: v1}}\n  green: {{tag: {tag}}}\ncart:\n  tag: v1\nslots:\n  shop: {slot}\n"
        )
    };
    let (old, new) = (slots("v0", "blue"), slots("v2", "green"));
    is_for_a_person(each, [&[("v.yaml", &old)], &[("v.yaml", &new)], &[]], "slots.shop");

    let of =
        |tag: &str| format!("releases:\n- name: shop\n  version: {tag}\n  values:\n  - values/{tag}.yaml\n");
    let (old, new) = (of("1.0.0"), of("1.1.0"));
    let rule = r#"[{paths: ["helmfile.yaml"], each: "releases.{service}"}]"#;
    let gone = "would name values/1.0.0.yaml again, which is not in the repository any more";
    is_for_a_person(
        rule,
        [&[("helmfile.yaml", &old)], &[("helmfile.yaml", &new), ("values/1.1.0.yaml", "a: 1\n")], &[]],
        gone,
    );

    // A later commit of another service takes the anchor that came with the deployment.
    let anchor = |shop: &str, cart: &str| format!("shop:\n  tag: {shop}\ncart:\n  tag: v1\n{cart}");
    let (old, new) = (anchor("v1", ""), anchor("v2\n  env: &e\n    x: 1", ""));
    let later = anchor("v2\n  env: &e\n    x: 1", "  env: *e\n");
    let stays = "stays as it is: that or a line beside it was changed again since";
    is_for_a_person(each, [&[("v.yaml", &old)], &[("v.yaml", &new)], &[("v.yaml", &later)]], stays);
}

/// The version of a secret moved with the image: the old secret may be disabled, or known to the wrong people. Only the image goes back.
#[test]
fn the_version_of_a_secret_stays_where_the_image_goes_back() {
    let secret = |version: u8| {
        format!(
            "kind: ExternalSecret\nmetadata: {{name: s}}\nspec:\n  data:\n  - remoteRef: {{key: a, version: \"{version}\"}}\n"
        )
    };
    let image = |tag: &str, more: &str| format!("image: r/shop:{tag}\n{more}");
    let paths = ["apps/shop/v.yaml", "apps/shop/secret.yaml"];
    let rules = Rules::new(r#"[{pattern: "apps/{service}/**"}]"#);
    let stage = stage(&rules, &[(paths[0], &image("v1", "a: 1\n")), (paths[1], &secret(5))]);
    deploy(&stage, &[(paths[0], &image("v2", "a: 2\n")), (paths[1], &secret(6))], -12);
    errors(&stage, &[("shop", LATELY)]);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "shop")), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, paths[0]).unwrap(), image("v1", "a: 1\n"));
    assert_eq!(file(&stage, paths[1]).unwrap(), secret(6));
    let plan = super::super::stage::text(item(&report, "shop"), "plan");
    assert!(plan.contains("remoteRef.version"), "{plan}");
    stage.nothing_more();
}
