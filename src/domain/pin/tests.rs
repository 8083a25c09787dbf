//! Each tool with files as people write them: what a pin changes, where there is none, and that it comes off again.

use similar::TextDiff;

use super::lift::lift;
use super::{Mechanism, NoPin, Pin};

fn pin(mechanism: Mechanism, path: &str, object: &str, versions: &[&str]) -> Pin {
    Pin {
        mechanism,
        path: path.parse().unwrap(),
        object: object.to_owned(),
        versions: versions.iter().map(|version| (*version).to_owned()).collect(),
    }
}

/// The lines that a pin removes and adds, or why there is none. A pin that was put comes off, wherever it stands by then.
fn shown(pin: &Pin, text: &str) -> String {
    let edit = match pin.put(text) {
        Ok(edit) => edit,
        Err(NoPin::Already) => return "already".to_owned(),
        Err(NoPin::Unsure(why)) => return format!("unsure: {why}"),
    };
    let with = edit.apply(text);
    assert_eq!(pin.put(&with), Err(NoPin::Already), "{with}");
    assert_eq!(lift(pin, text, &with).as_deref(), Some(text), "{with}");
    assert_eq!(lift(pin, text, text), None, "{text}");
    assert!(pin.is_told_in_full(), "{pin}");
    if let (false, Some((first, rest))) = (pin.path.as_str().ends_with("json"), with.split_once('\n')) {
        let (later, before) = (format!("# later\n{first}\n{rest}"), format!("# later\n{text}"));
        assert_eq!(lift(pin, text, &later), Some(before), "{later}");
    }
    let diff = TextDiff::from_lines(text, &with);
    let lines = diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    lines
        .map(|change| {
            format!("{}{}", change.tag(), change.value().trim_end_matches('\n').replace('\r', "␍")) + "\n"
        })
        .collect()
}

/// The added lines, without the comment that stands above.
fn added(pin: &Pin, text: &str) -> String {
    let all = shown(pin, text);
    let is_comment = |line: &&str| line.contains("# backout keeps");
    if all.starts_with('-') || all.starts_with('+') {
        assert_eq!(all.lines().filter(is_comment).count(), 1, "{all}");
        let kept = all.lines().filter(|line| line.starts_with('+') && !is_comment(line));
        return kept.map(|line| line.trim_start_matches('+')).collect::<Vec<_>>().join("\n");
    }
    all
}

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: web\n  namespace: flux-system\n\
                      spec:\n  imageRepositoryRef:\n    name: web\n  policy:\n    semver:\n      range: RANGE\n";

#[test]
fn flux_leaves_a_version_out_of_a_range() {
    let own = |versions: &[&str]| pin(Mechanism::FluxExclude, "flux/web.yaml", "flux-system/web", versions);
    for (range, versions, wanted) in [
        ("'>=1.0.0'", &["v1.5.0"][..], "      range: '>=1.0.0, !=1.5.0'"),
        ("\">=1.0.0 <2.0.0\"  # stable", &["1.5.0"], "      range: \">=1.0.0 <2.0.0, !=1.5.0\"  # stable"),
        ("1.x", &["1.5.0"], "      range: \"1.x, !=1.5.0\""),
        ("^1.0.0 || ~2.1", &["1.5.0"], "      range: \"^1.0.0, !=1.5.0 || ~2.1, !=1.5.0\""),
        ("1.0 - 2.0", &["1.5.0", "1.5.1"], "      range: \"1.0 - 2.0, !=1.5.0, !=1.5.1\""),
        ("'>=1.0.0, !=1.4.9'", &["1.5.0"], "      range: '>=1.0.0, !=1.4.9, !=1.5.0'"),
        ("'>=1.0.0 != v1.5.0'", &["1.5.0"], "already"),
        ("'>=1.0.0-0'", &["1.5.0-rc.1"], "      range: '>=1.0.0-0, !=1.5.0-rc.1'"),
        (
            "'>=1.0.0-0'",
            &["1.5.0"],
            "unsure: ImagePolicy flux-system/web: the range >=1.0.0-0 takes pre-releases, all of which `!=1.5.0` would keep out",
        ),
        (
            "'*'",
            &["main-abc123"],
            "unsure: ImagePolicy flux-system/web: main-abc123 is no semantic version of three numbers",
        ),
        ("''", &["1.5.0"], "unsure: ImagePolicy flux-system/web: its range is empty, or a part of it"),
        (
            "&r 1.x",
            &["1.5.0"],
            "unsure: ImagePolicy flux-system/web has no semver range from which a version can be left out",
        ),
    ] {
        assert_eq!(added(&own(versions), &POLICY.replace("RANGE", range)), wanted, "{range}");
    }
}

#[test]
fn flux_policies_are_told_apart() {
    let own = pin(Mechanism::FluxExclude, "flux/web.yaml", "flux-system/web", &["1.5.0"]);
    let policy = POLICY.replace("RANGE", "1.x");
    let other = policy.replace("name: web", "name: api");
    let wanted = "      range: \"1.x, !=1.5.0\"";
    for (text, wanted) in [
        (format!("---\n{other}---\n{policy}"), wanted),
        (policy.replace('\n', "\r\n"), "      range: \"1.x, !=1.5.0\"␍"),
        (policy.trim_end().to_owned(), wanted),
        (format!("\u{feff}{policy}"), wanted),
        (
            policy.replace("    semver:\n      range: 1.x", "    semver: {range: 1.x}"),
            "    semver: {range: \"1.x, !=1.5.0\"}",
        ),
        (policy.replace("flux-system", "apps"), "unsure: there is no ImagePolicy flux-system/web"),
        (format!("{policy}---\n{policy}"), "unsure: there is no ImagePolicy flux-system/web"),
        (
            policy.replace("semver:\n      range: 1.x", "alphabetical:\n      order: asc"),
            "unsure: ImagePolicy flux-system/web has no semver range from which a version can be left out",
        ),
        (
            policy.replace("spec:\n", "spec:\n  filterTags: {pattern: '^v(?P<v>.*)$', extract: '$v'}\n"),
            "unsure: ImagePolicy flux-system/web compares a part of each tag (`filterTags.extract`)",
        ),
        (policy.replace("spec:\n", "spec:\n  digestReflectionPolicy: Always\n  interval: 10m\n"), wanted),
        (policy.replace("ImagePolicy", "ImageRepository"), "unsure: there is no ImagePolicy flux-system/web"),
        ("a: [".to_owned(), "unsure: there is no ImagePolicy flux-system/web"),
    ] {
        assert_eq!(added(&own, &text), wanted, "{text}");
    }
    let diff = shown(&own, &policy);
    assert!(
        diff.contains("\n+      # backout keeps 1.5.0 out: it was backed out, see the commit of this line\n"),
        "{diff}"
    );
}

#[test]
fn flux_automations_are_suspended() {
    let own = pin(Mechanism::FluxSuspend, "flux/auto.yaml", "flux-system/all", &["v1.5.0"]);
    let text = "kind: ImageUpdateAutomation\nmetadata: {name: all, namespace: flux-system}\nspec:\n  interval: 5m # often\n  update:\n    path: ./apps\n";
    let with = |line: &str| text.replace("spec:\n", &format!("spec:\n  {line}\n"));
    for (text, wanted) in [
        (text.to_owned(), "  suspend: true"),
        (text.replace('\n', "\r\n"), "  suspend: true␍"),
        (with("suspend: false"), "  suspend: true"),
        (with("suspend: false # for now"), "  suspend: true # for now"),
        (with("suspend: true"), "already"),
        (with("suspend: maybe"), "unsure: `suspend` of ImageUpdateAutomation flux-system/all is neither true nor false"),
        (text.replace("  interval: 5m # often\n", ""), "unsure: ImageUpdateAutomation flux-system/all has no `interval` beside which `suspend` would stand"),
        ("kind: ImageUpdateAutomation\nmetadata: {name: all, namespace: flux-system}\nspec: {interval: 5m}\n".to_owned(), "unsure: ImageUpdateAutomation flux-system/all: spec.interval does not stand on a line of its own"),
        (text.replace("flux-system", "other"), "unsure: there is no ImageUpdateAutomation flux-system/all"),
        (format!("{}---\n{text}", text.replace("all", "other")), "  suspend: true"),
        ("kind: ImageUpdateAutomation\nmetadata: {name: all, namespace: flux-system}\nspec:\n  interval: 5m".to_owned(), "  interval: 5m\n  suspend: true"),
    ] {
        let found = added(&own, &text);
        let found = found.replace("unsure: ImageUpdateAutomation/flux-system/all: spec", "unsure: ImageUpdateAutomation flux-system/all: spec");
        assert_eq!(found.trim_start_matches('\n'), wanted, "{text}");
    }
}

const APPLICATION: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: web\n  namespace: argocd\n  annotations:\n    \
                           argocd-image-updater.argoproj.io/image-list: web=registry.example.com/shop/web:~1\n    \
                           argocd-image-updater.argoproj.io/write-back-method: git\nspec:\n  source: {path: apps/web}\n";

#[test]
fn argo_cd_image_updater_ignores_a_tag() {
    let own = pin(Mechanism::ArgocdImageUpdater, "argo/web.yaml", "argocd/web web", &["v1.5.0"]);
    let list = "    argocd-image-updater.argoproj.io/image-list: web=registry.example.com/shop/web:~1\n";
    let ignore = "    argocd-image-updater.argoproj.io/web.ignore-tags: ";
    let with = |line: &str| APPLICATION.replace(list, &format!("{list}{ignore}{line}\n"));
    let new = format!("{ignore}\"v1.5.0\"");
    for (text, wanted) in [
        (APPLICATION.to_owned(), new.clone()),
        (APPLICATION.replace('\n', "\r\n"), format!("{new}␍")),
        (with("latest"), format!("{ignore}\"latest, v1.5.0\"")),
        (with("'latest, *-dev' # never"), format!("{ignore}'latest, *-dev, v1.5.0' # never")),
        (with("v1.4.9,v1.5.0"), "already".to_owned()),
        (with("\"\""), new.clone()),
        (with("&tags latest"), "unsure: ".to_owned()),
        (APPLICATION.replace("argocd\n", "other\n"), "unsure: there is no Application argocd/web".to_owned()),
        (APPLICATION.replace(list, ""), "unsure: Application argocd/web has no annotation argocd-image-updater.argoproj.io/image-list on one line".to_owned()),
        (APPLICATION.replace("image-list: web", "image-list: >-\n      web"), "unsure: Application argocd/web has no annotation argocd-image-updater.argoproj.io/image-list on one line".to_owned()),
        (format!("{}---\n{APPLICATION}", APPLICATION.replace("name: web", "name: api")), new),
        (APPLICATION.replace("kind: Application", "kind: ApplicationSet"), "unsure: there is no Application argocd/web".to_owned()),
    ] {
        let found = added(&own, &text);
        assert!(found == wanted || wanted == "unsure: " && found.starts_with("unsure"), "{text}\n{found}\n{wanted}");
    }
}

#[test]
fn renovate_gets_a_rule() {
    let own = pin(Mechanism::Renovate, "renovate.json", "registry.example.com/shop/web", &["v1.5.0"]);
    let rule = r#"{"allowedVersions":"!/^(?:v?1\\.5\\.0)$/","description":"backout keeps v1.5.0 out: it was backed out","matchPackageNames":["registry.example.com/shop/web"]}"#;
    for (text, wanted) in [
        ("{}".to_owned(), format!("-{{}}\n+{{\"packageRules\": [{rule}]}}\n")),
        ("{\n  \"extends\": [\"config:recommended\"]\n}\n".to_owned(), format!("+  \"packageRules\": [{rule}],\n")),
        ("{\n  \"packageRules\": [\n    {\"a\": 1}\n  ]\n}\n".to_owned(), format!("+    {rule},\n")),
        ("{\r\n\t\"packageRules\": [\r\n\t\t{\"a\": 1}\r\n\t]\r\n}\r\n".to_owned(), format!("+\t\t{rule},␍\n")),
        ("{\n  \"packageRules\": []\n}\n".to_owned(), format!("-  \"packageRules\": []\n+  \"packageRules\": [{rule}]\n")),
        ("{\n  \"packageRules\": [\n  ]\n}\n".to_owned(), format!("+    {rule}\n")),
        ("{\"x\": \"packageRules\", \"packageRules\": [{\"a\": 1}]}\n".to_owned(), format!("-{{\"x\": \"packageRules\", \"packageRules\": [{{\"a\": 1}}]}}\n+{{\"x\": \"packageRules\", \"packageRules\": [{rule}, {{\"a\": 1}}]}}\n")),
        ("{\"packageRules\": [{\"matchPackageNames\": [\"node\"], \"allowedVersions\": \"<21\"}]}".to_owned(), String::new()),
        ("{\"packageRules\": [{\"matchPackageNames\": [\"registry.example.com/shop/web\"], \"allowedVersions\": \"<2\"}]}".to_owned(), "unsure: another rule with `allowedVersions` may be for registry.example.com/shop/web".to_owned()),
        ("{\"packageRules\": [{\"matchDatasources\": [\"docker\"], \"allowedVersions\": \"<2\"}]}".to_owned(), "unsure: another rule with `allowedVersions` may be for registry.example.com/shop/web".to_owned()),
        ("{\"packageRules\": [{\"matchPackageNames\": [\"*/shop/**\"], \"allowedVersions\": \"<2\"}]}".to_owned(), "unsure: another rule with `allowedVersions` may be for registry.example.com/shop/web".to_owned()),
        ("{\"ignoreDeps\": [\"registry.example.com/shop/web\"]}".to_owned(), "already".to_owned()),
        ("{\n  // a comment\n  \"packageRules\": []\n}\n".to_owned(), "unsure: it is no plain JSON, such as JSON with comments: add the rule by hand".to_owned()),
        ("{packageRules: [],}\n".to_owned(), "unsure: it is no plain JSON, such as JSON with comments: add the rule by hand".to_owned()),
        ("{\"packageRules\": {}}".to_owned(), "unsure: `packageRules` is no list".to_owned()),
        ("{\"packageRules\": [], \"packageRules\": []}".to_owned(), "unsure: `packageRules` stands there twice".to_owned()),
        ("[]".to_owned(), "unsure: it is no plain JSON, such as JSON with comments: add the rule by hand".to_owned()),
    ] {
        let found = shown(&own, &text);
        assert!(found == wanted || wanted.is_empty() && found.starts_with('-'), "{text}\n{found}\n{wanted}");
    }
    let two = pin(Mechanism::Renovate, "renovate.json", "web", &["main-a+b", "v2"]);
    assert!(shown(&two, "{}").contains(r#""!/^(?:main-a\\+b|v?2)$/""#), "{}", shown(&two, "{}"));
}

#[test]
fn a_field_of_the_users_own_is_set() {
    let of = |path: &str, object: &str, versions: &[&str]| pin(Mechanism::OwnField, path, object, versions);
    let own = of("apps/web/freeze.yaml", "frozen_versions", &["v2"]);
    for (text, wanted) in [
        ("frozen_versions: []\n", "frozen_versions: [\"v2\"]"),
        ("a: 1\nfrozen_versions: [ ] # none\n", "frozen_versions: [\"v2\"] # none"),
        ("frozen_versions: [v1]\r\nb: 2\r\n", "frozen_versions: [v1, \"v2\"]␍"),
        ("frozen_versions:\n  - v1\n  - \"v1.1\" # bad\nb: 2\n", "  - \"v2\""),
        ("frozen_versions:\n-   v1", "-   v1\n-   \"v2\""),
        ("frozen_versions: ''\n", "frozen_versions: 'v2'"),
        ("frozen_versions: null # by hand\n", "frozen_versions: \"v2\" # by hand"),
        ("frozen_versions: v2\n", "already"),
        ("frozen_versions: [v1, v2]\n", "already"),
        ("frozen_versions: v1\n", "unsure: frozen_versions holds v1 already"),
        ("other: 1\n", "unsure: there is no field frozen_versions, or there are several"),
        (
            "x: {frozen_versions: []}\nfrozen_versions: {}\n",
            "unsure: there is no field frozen_versions, or there are several",
        ),
        ("frozen_versions: {}\n", "unsure: frozen_versions is neither a value nor a list on one line"),
    ] {
        assert_eq!(added(&own, text).trim_start_matches('\n'), wanted, "{text}");
    }
    let json = of("apps/web/freeze.json", "frozen_versions", &["v2", "v3"]);
    assert_eq!(
        shown(&json, "{\"frozen_versions\": []}\n"),
        "-{\"frozen_versions\": []}\n+{\"frozen_versions\": [\"v2\", \"v3\"]}\n"
    );
    assert_eq!(
        shown(&json, "{\n  \"frozen_versions\": [\"v1\"]\n}\n"),
        "-  \"frozen_versions\": [\"v1\"]\n+  \"frozen_versions\": [\"v1\", \"v2\", \"v3\"]\n"
    );
    let flag = of("apps/web/freeze.yaml", "spec.frozen <- because of {version}", &["v2"]);
    assert_eq!(added(&flag, "spec:\n  frozen: none\n"), "  frozen: \"because of v2\"");
    let several = of("apps/web/freeze.yaml", "frozen", &["v2", "v3"]);
    assert!(shown(&several, "frozen: ''\n").starts_with("unsure: frozen holds one value"));
}

#[test]
fn what_somebody_changed_does_not_come_off() {
    let own = pin(Mechanism::FluxExclude, "flux/web.yaml", "flux-system/web", &["1.5.0"]);
    let text = POLICY.replace("RANGE", "1.x");
    let with = own.put(&text).unwrap().apply(&text);
    for (from, to) in [
        ("\"1.x, !=1.5.0\"", "\"1.x, !=1.5.0, !=1.5.1\""),
        ("\"1.x, !=1.5.0\"", "'1.x, !=1.5.0'"),
        ("      # backout keeps", "      # we keep"),
        ("name: web\n  namespace", "name: other\n  namespace"),
    ] {
        let changed = with.replace(from, to);
        assert_ne!(changed, with);
        assert_eq!(lift(&own, &text, &changed), None, "{changed}");
    }
    // What is changed elsewhere in the file stays.
    let elsewhere = with.replace("  policy:", "  digestReflectionPolicy: Never\n  policy:");
    assert_eq!(
        lift(&own, &text, &elsewhere).unwrap(),
        text.replace("  policy:", "  digestReflectionPolicy: Never\n  policy:")
    );
}

#[test]
fn a_pin_is_read_back_from_its_trailer() {
    let own =
        pin(Mechanism::ArgocdImageUpdater, "argo apps/web.yaml", "argocd/web web", &["v1.5.0", "v1.5.1"]);
    assert_eq!(own.to_string(), "argocd-image-updater v1.5.0,v1.5.1 in argo apps/web.yaml: argocd/web web");
    assert_eq!(Pin::of_trailer(&own.to_string()), Some(own));
    for none in [
        "",
        "flux-exclude",
        "flux-exclude v1 in x",
        "other v1 in x: y",
        "renovate v1 in /x: y",
        "renovate v1 in x: ",
    ] {
        assert_eq!(Pin::of_trailer(none), None, "{none}");
    }
    let long = pin(Mechanism::Renovate, "renovate.json", &"x".repeat(200), &["v1"]);
    assert!(!long.is_told_in_full());
}
