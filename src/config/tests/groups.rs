//! The groups of services, and the mistakes in them.

use super::*;
use crate::domain::ids::{GroupName, ServiceName};

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

#[test]
fn an_order_is_read_and_turned_round() {
    let pattern = "{pattern: \"apps/{service}/**\", labels: {namespace: x}, group: shop}";
    let load = |groups: &str| load_texts(&[&format!("{}groups:\n  {groups}\n", with(pattern))]);
    let settings =
        load("shop: {order: [db, api, web], wait: 5m}").unwrap_or_else(|errors| panic!("{errors}"));
    for environment in &settings.estates[0].environments {
        let order = &environment.orders[&GroupName::new("shop").unwrap()];
        assert_eq!(order.wait_secs, 300);
        let names = ["api", "mail", "db", "jobs", "web"].map(|name| ServiceName::new(name).unwrap());
        let back: Vec<String> = order.going_back(names.into_iter()).into_iter().map(String::from).collect();
        assert_eq!(back, ["jobs", "mail", "web", "api", "db"], "what is not named was deployed last");
    }
    let settings = load("shop: {order: [db, web]}").unwrap();
    assert_eq!(settings.estates[0].environments[0].orders.values().next().unwrap().wait_secs, 0);
    for (groups, told) in [
        ("shop: {order: [db, web], wait: 61m}", "must be at most 1h"),
        ("shop: {order: [db, web, db]}", "the service `db` stands here twice"),
        ("shop: {order: []}", "order"),
        ("shop: {wait: 5m}", "order"),
        ("shop: {order: [db, \"the web\"]}", "may only have letters, digits"),
        ("shpo: {order: [db, web]}", "no service is in the group `shpo`: did you mean `shop`?"),
    ] {
        let errors = load(groups).unwrap_err().to_string();
        assert!(errors.contains(told), "{groups}: {errors}");
    }
}
