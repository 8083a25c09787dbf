//! The mistakes in the field of the user's own that the agent pins by.

use super::*;

fn with(file: &str, key: &str) -> String {
    let pin = format!("  default: {{pin: {{field: {{file: \"{file}\", key: \"{key}\"}}}}}}\n");
    VALID.replace("policies:\n", &format!("policies:\n{pin}"))
}

#[test]
fn each_mistake_in_a_pinned_field_is_told() {
    let fine = "frozen/{service}.yaml";
    for (file, key, told) in [
        ("apps/{svc}/x.yaml", "frozen", "has no label `svc` for this path"),
        ("apps/{servic}/x.yaml", "frozen", "has no label `servic` for this path: did you mean `service`?"),
        ("apps/{service/x.yaml", "frozen", "has a { without a }"),
        ("/apps/{service}.yaml", "frozen", "matches nothing"),
        ("../{service}.yaml", "frozen", "is not a relative path inside a repository"),
        ("apps/{service}/../../x.yaml", "frozen", "is not a relative path inside a repository"),
        (
            fine,
            "",
            "must not be empty: write the address of the field, as plans show addresses: `frozen_versions`",
        ),
        ("", "frozen", "must not be empty: write the path of a file"),
        (fine, "image.tag", "`tag` is a usual name of a release field"),
        (fine, "tag", "`tag` is a usual name"),
        (fine, "Deployment/web: spec.containers[web].image", "`image` is a usual name"),
        (fine, "image.digest", "`digest` is a usual name"),
        (fine, "images[name=web].newTag", "`newTag` is a usual name"),
        (fine, "spec.source.targetRevision", "`targetRevision` is a usual name"),
        (fine, "app_version", "`app_version` is a usual name"),
        (fine, "HelmRelease/web: version", "`version` is a usual name"),
    ] {
        let errors = load_texts(&[&with(file, key)]).map(drop).unwrap_err().to_string();
        assert!(errors.contains(told), "{file} {key}: {errors}");
        assert_eq!(errors.matches(told).count(), if told.contains("label") { 2 } else { 1 }, "{errors}");
    }
    for (file, key) in [
        (fine, "frozen_versions"),
        (fine, "image.frozen"),
        (fine, "tags"),
        (fine, "version.blocked"),
        (fine, "Freeze/web: spec.frozen"),
        ("frozen/{{ environment }}/{namespace}.yaml", "frozen"),
    ] {
        let text = with(file, key).replace(
            "paths: [\"apps/checkout/**\"]",
            "paths: [\"apps/checkout/**\"], labels: {namespace: x}",
        );
        load_texts(&[&text]).map(drop).unwrap_or_else(|errors| panic!("{file} {key}: {errors}"));
    }
}

#[test]
fn a_pinned_field_into_which_nothing_would_be_written_is_told() {
    let valued = |value: &str| {
        with("f.yaml", "frozen").replace("key: \"frozen\"", &format!("key: \"frozen\", value: \"{value}\""))
    };
    for (value, is_fine) in [("", false), ("  ", false), ("{version}", true), ("true", true)] {
        let loaded = load_texts(&[&valued(value)]).map(drop).map_err(|errors| errors.to_string());
        assert_eq!(loaded.is_ok(), is_fine, "{value:?}: {loaded:?}");
        let told = loaded.err().unwrap_or_default();
        assert!(is_fine || told.contains("is empty, and would keep nothing out"), "{told}");
    }
}
