//! One `repository` with one `forge`, or several by name: `repositories` and `forges`. Whether the forms are mixed, and
//! whether each environment tells its repository, is looked for in the tree, so that it is found beside other mistakes.

use super::report::{Findings, suggestion};
use super::tree::{Entry, Node, Value};

/// What the one `repository` is called.
pub(super) const ONLY: &str = "repository";

/// Finds them all.
pub(super) fn check(root: &Node, findings: &mut Findings) {
    let section = |name| root.entry(name).filter(|entry| !matches!(entry.node.value, Value::Null));
    match (section("repository"), section("repositories")) {
        (None, None) => {
            let message = "`repository` is missing: write it, or `repositories` for several";
            findings.add(root.place, message);
        }
        (Some(one), Some(_)) => {
            let message = "`repository` does not go with `repositories`: move it there, under a name";
            findings.add(one.key_place, message);
        }
        (Some(_), None) => {
            if let Some(forges) = section("forges") {
                let message =
                    "`forges` goes with `repositories`: write the forge of the one `repository` as `forge`";
                findings.add(forges.key_place, message);
            }
            the_only_one(root, findings);
        }
        (None, Some(repositories)) => {
            if let Some(forge) = section("forge") {
                let message = "`forge` goes with `repository`: move it into `forges`, under a name, and name it in the \
                               `repositories` (`forge: NAME`)";
                findings.add(forge.key_place, message);
            }
            by_name(root, repositories, findings);
            if let Some(forges) = section("forges") {
                all_forges_used(repositories, forges, findings);
            }
        }
    }
}

/// Where there is one `repository`, an environment need not name it.
fn the_only_one(root: &Node, findings: &mut Findings) {
    for environment in root.get("environments").map_or(&[][..], Node::entries) {
        if let Some(Node { value: Value::Text(name), place }) = environment.node.get("repository")
            && name != ONLY
        {
            let message =
                format!("the one `repository` is called `{ONLY}`: leave this out, or write `repositories`");
            findings.add(*place, message);
        }
    }
}

/// Where there are several repositories, each environment names its own, and each repository is named.
fn by_name(root: &Node, repositories: &Entry, findings: &mut Findings) {
    let environments = root.get("environments").map_or(&[][..], Node::entries);
    let names: Vec<&str> = repositories.node.entries().iter().map(|entry| entry.key.as_str()).collect();
    if names.len() < 2 || environments.is_empty() {
        return;
    }
    let mut used = Vec::new();
    for environment in environments {
        let Value::Map(_) = environment.node.value else { return };
        match environment.node.get("repository").map(|node| &node.value) {
            None | Some(Value::Null) => {
                let message = format!("`repository` is missing: {}", suggestion("", &names));
                findings.add(environment.key_place, message);
            }
            Some(Value::Text(name)) => used.push(name.as_str()),
            Some(Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_)) => {}
        }
    }
    // An environment that names none, or one that is not there, was meant for one of those that seem to be unused.
    if used.len() == environments.len() && used.iter().all(|name| names.contains(name)) {
        unused(repositories, &used, ("environment", "repository"), findings);
    }
}

fn all_forges_used(repositories: &Entry, forges: &Entry, findings: &mut Findings) {
    let mut used = Vec::new();
    for repository in repositories.node.entries() {
        match repository.node.get("forge").map(|node| &node.value) {
            None | Some(Value::Null) => {}
            Some(Value::Text(name)) if forges.node.get(name).is_some() => used.push(name.as_str()),
            Some(_) => return,
        }
    }
    unused(forges, &used, ("repository", "forge"), findings);
}

fn unused(section: &Entry, used: &[&str], (user, what): (&str, &str), findings: &mut Findings) {
    for entry in section.node.entries().iter().filter(|entry| !used.contains(&entry.key.as_str())) {
        let message =
            format!("no {user} uses this {what}: name it in one (`{what}: {}`), or leave it out", entry.key);
        findings.add(entry.key_place, message);
    }
}
