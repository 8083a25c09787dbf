//! The Kubernetes objects in a text, by their names.

use super::edit::unsure;
use super::types::NoPin;
use crate::domain::field::place::{PlacedScalar, scalars};

/// A Kubernetes object in a text.
pub(super) struct NamedObject<'s> {
    /// Its namespace and name as they are written: `flux-system/web`, or `web` where no namespace is.
    pub(super) name: String,
    /// What the addresses in it begin with.
    prefix: &'s str,
    scalars: &'s [PlacedScalar],
}

impl<'s> NamedObject<'s> {
    /// The scalar at an address in it.
    pub(super) fn at(&self, address: &str) -> Option<&'s PlacedScalar> {
        let is_it = |one: &&PlacedScalar| one.address.strip_prefix(self.prefix) == Some(address);
        self.scalars.iter().find(is_it)
    }

    /// The value at an address in it; empty where there is none.
    pub(super) fn value(&self, address: &str) -> &'s str {
        self.at(address).map_or("", |one| one.value.as_str())
    }

    /// Whether anything stands at or below an address in it.
    pub(super) fn has(&self, address: &str) -> bool {
        let is_in = |one: &PlacedScalar| {
            let rest = one.address.strip_prefix(self.prefix).and_then(|at| at.strip_prefix(address));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.scalars.iter().any(is_in)
    }

    /// The scalars below an address, each with the rest of its own.
    pub(super) fn under(&self, address: &str) -> impl Iterator<Item = (&'s str, &'s PlacedScalar)> {
        let start = format!("{}{address}", self.prefix);
        self.scalars.iter().filter_map(move |one| Some((one.address.strip_prefix(&start)?, one)))
    }

    /// The whole address of what stands at one in it.
    pub(super) fn address(&self, inside: &str) -> String {
        format!("{}{inside}", self.prefix)
    }

    /// Its name without the namespace.
    pub(super) fn bare_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Its namespace, where one is written.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.name.rsplit_once('/').map(|(namespace, _)| namespace)
    }
}

/// The scalars of a text; empty where it is no YAML.
pub(super) fn read(text: &str) -> Vec<PlacedScalar> {
    scalars(text).unwrap_or_default()
}

/// The objects of one kind among the scalars of a text, in their order. What has no name of its own in the text is left out.
pub(super) fn objects<'s>(scalars: &'s [PlacedScalar], kind: &str) -> Vec<NamedObject<'s>> {
    let prefix = |one: &'s PlacedScalar| {
        let prefix = one.address.strip_suffix("kind")?;
        (one.value == kind && prefix.starts_with(&format!("{kind}/")) && prefix.ends_with(": "))
            .then_some(prefix)
    };
    let object = |prefix: &'s str| {
        let mut object = NamedObject { name: String::new(), prefix, scalars };
        let (namespace, name) = (object.value("metadata.namespace"), object.value("metadata.name"));
        object.name = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        Some(object).filter(|object| !object.bare_name().is_empty())
    };
    scalars.iter().filter_map(prefix).filter_map(object).collect()
}

/// The one object of a kind and a name.
pub(super) fn only<'s>(
    scalars: &'s [PlacedScalar],
    kind: &str,
    name: &str,
) -> Result<NamedObject<'s>, NoPin> {
    let mut found = objects(scalars, kind).into_iter().filter(|object| object.name == name);
    match (found.next(), found.next()) {
        (Some(object), None) => Ok(object),
        (None, _) => unsure(format!("there is no {kind} {name}")),
        (Some(_), Some(_)) => unsure(format!("there are several {kind} {name}")),
    }
}
