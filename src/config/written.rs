//! Where a configuration that is in use says what it says, for messages about it.

use super::report::SourceFile;
use super::tree::{Node, Value};
use crate::domain::environment::key::{ConfigKey, KeyOwner};

/// The texts of the configuration, and where everything stands in them.
#[derive(Clone, Debug)]
pub struct Written {
    root: Node,
    files: Vec<SourceFile>,
}

impl Written {
    pub(super) fn new(root: &Node, files: &[SourceFile]) -> Self {
        Self { root: root.clone(), files: files.to_vec() }
    }

    /// The place of a key: `backout.yaml:10:5`. Where the key is left out, it is the place of what it would stand in.
    #[must_use]
    pub fn place(&self, key: &ConfigKey) -> String {
        let environment = key.environment.as_str();
        let rule = |index: usize| self.services_of(environment).nth(index);
        let start = match key.of {
            KeyOwner::Environment => vec!["environments".to_owned(), environment.to_owned()],
            KeyOwner::Service(index) => {
                let number = rule(index).map(|(number, _)| number.to_string());
                ["services".to_owned()].into_iter().chain(number).collect()
            }
            KeyOwner::Policy(index) => {
                let own = rule(index).and_then(|(_, service)| text(service.get("policy")));
                let environments = self.root.get("environments");
                let of_environment = environments.and_then(|all| text(all.get(environment)?.get("policy")));
                let name = own.or(of_environment).unwrap_or("default");
                vec!["policies".to_owned(), name.to_owned()]
            }
        };
        let path: Vec<&str> = start.iter().chain(&key.path).map(String::as_str).collect();
        self.root.place_at(&path).show(&self.files)
    }

    /// The services in an environment, in the order of its rules, each with its number in the list.
    fn services_of(&self, environment: &str) -> impl Iterator<Item = (usize, &Node)> {
        let is_in = move |service: &Node| {
            let named = service.get("environments").map(Node::items);
            named.is_none_or(|named| named.iter().any(|one| text(Some(one)) == Some(environment)))
        };
        let services = self.root.get("services").map_or(&[][..], Node::items).iter().enumerate();
        services.filter(move |(_, service)| is_in(service))
    }
}

fn text(node: Option<&Node>) -> Option<&str> {
    match &node?.value {
        Value::Text(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => None,
    }
}
