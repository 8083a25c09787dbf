//! The groups of services, and the mistakes in them.

use super::*;

fn with(services: &str) -> String {
    let (head, _) = VALID.split_once("services:\n").unwrap();
    format!("{head}services:\n  - {services}\n")
}

/// The group of the service that a file belongs to.
fn group_of(services: &str, path: &str) -> Option<String> {
    let settings = load_texts(&[&with(services)]).unwrap_or_else(|errors| panic!("{errors}"));
    let found = settings.estates[0].environments[0].service_of(path).map(|service| service.group);
    found.unwrap().map(String::from)
}

#[test]
fn a_group_is_a_name_or_made_of_what_was_captured() {
    let path = "apps/shop/production/cart.yaml";
    let pattern = |group: &str| {
        format!(
            "{{pattern: \"apps/{{system}}/{{environment}}/{{service}}.yaml\", group: \"{group}\", labels: {{namespace: x}}}}"
        )
    };
    assert_eq!(group_of(&pattern("{{ system }}"), path).as_deref(), Some("shop"));
    assert_eq!(group_of(&pattern("team-{system}"), path).as_deref(), Some("team-shop"));
    assert_eq!(group_of(&pattern("all"), path).as_deref(), Some("all"));
    let named = "{name: cart, paths: [\"apps/**\"], group: shop, labels: {namespace: x}}";
    assert_eq!(group_of(named, path).as_deref(), Some("shop"));
    assert_eq!(group_of("{name: cart, paths: [\"apps/**\"], labels: {namespace: x}}", path), None);
    // What no name may have is no way out of the group.
    assert_eq!(
        group_of(
            "{pattern: \"apps/{system}/{environment}/{service}.yaml\", name: \"{service}\", group: \"{system}\", labels: {namespace: x}}",
            "apps/shop & co/production/cart.yaml"
        )
        .as_deref(),
        Some("_shop___co")
    );
}

#[test]
fn each_mistake_in_a_group_has_its_place_and_the_fix() {
    for (group, told) in [
        ("\"{{ sytem }}\"", "captures no `sytem`: did you mean `system`?"),
        ("\"{{ environment }}\"", "captures no `environment`"),
        ("\"{{ system\"", "not a valid template: "),
        ("\"the shop\"", "may only have letters, digits"),
        ("\"\"", "must have 1 to 200 characters"),
    ] {
        let text = with(&format!(
            "{{pattern: \"apps/{{system}}/{{environment}}/{{service}}.yaml\", labels: {{namespace: x}}, group: {group}}}"
        ));
        let errors = load_texts(&[&text]).unwrap_err().to_string();
        assert!(errors.contains(told), "{group}: {errors}");
    }
    let named = with("{name: cart, paths: [\"apps/**\"], labels: {namespace: x}, group: \"{{ service }}\"}");
    assert!(load_texts(&[&named]).unwrap_err().to_string().contains("captures no `service`"));
}
