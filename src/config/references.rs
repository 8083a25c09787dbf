//! Names that are used and that nobody defines. Looked for in the tree, so that they are found beside other mistakes.

use super::report::{Findings, suggestion};
use super::tree::{Node, Value};

/// Finds them all.
pub(super) fn check(root: &Node, findings: &mut Findings) {
    let names = |section: &str| -> Vec<&str> {
        root.get(section).map_or(&[][..], Node::entries).iter().map(|entry| entry.key.as_str()).collect()
    };
    let (environments, sources, signals) = (names("environments"), names("metrics"), names("signals"));
    let (repositories, forges) = (names("repositories"), names("forges"));
    let mut policies = names("policies");
    if !policies.contains(&"default") {
        policies.push("default");
    }
    let mut check = |node: Option<&Node>, what: &str, known: &[&str]| {
        for used in node.map_or(&[][..], |n| {
            if let Value::List(items) = &n.value { items } else { std::slice::from_ref(n) }
        }) {
            if let Value::Text(name) = &used.value
                && !known.contains(&name.as_str())
            {
                findings.add(used.place, format!("there is no {what} `{name}`: {}", suggestion(name, known)));
            }
        }
    };
    for environment in root.get("environments").map_or(&[][..], Node::entries) {
        check(environment.node.get("policy"), "policy", &policies);
        if !repositories.is_empty() {
            check(environment.node.get("repository"), "repository", &repositories);
        }
    }
    for repository in root.get("repositories").map_or(&[][..], Node::entries) {
        check(repository.node.get("forge"), "forge", &forges);
    }
    for signal in root.get("signals").map_or(&[][..], Node::entries) {
        check(signal.node.get("source"), "metric source", &sources);
    }
    for service in root.get("services").map_or(&[][..], Node::items) {
        check(service.get("environments"), "environment", &environments);
        check(service.get("signals"), "signal", &signals);
        check(service.get("policy"), "policy", &policies);
    }
}
