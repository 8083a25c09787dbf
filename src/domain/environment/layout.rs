//! Guessing how an environment repo is laid out: which path pattern finds its services, and which environments it has.
//! A guess to start a configuration from, never one to act on.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::field::leaves::yaml;
use crate::domain::field::rules;

/// Path parts that are names of environments more often than not.
const ENVIRONMENT_WORDS: [&str; 14] = [
    "production",
    "prod",
    "prd",
    "live",
    "staging",
    "stage",
    "stg",
    "preprod",
    "uat",
    "qa",
    "test",
    "testing",
    "dev",
    "development",
];

/// A pattern and what it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The path pattern, with `{service}` and perhaps `{environment}`.
    pub pattern: String,
    /// The services that it finds.
    pub services: BTreeSet<String>,
    /// The environments that it finds; empty where the path does not tell.
    pub environments: BTreeSet<String>,
    /// How many files with release fields it covers.
    pub files: usize,
}

/// Whether a file holds a release field: a scalar that would count as one if it changed.
#[must_use]
pub fn has_release_field(text: &str) -> bool {
    let release = |key: &str, named: Option<&str>, value: &str| {
        rules::release_field(rules::Candidate { key, named, old: value, new: value }).is_some()
            && value.chars().any(|c| c.is_ascii_digit())
    };
    match yaml::leaves(text) {
        Some(leaves) if leaves.iter().any(|leaf| !leaf.key.is_empty()) => {
            leaves.iter().any(|leaf| release(&leaf.key, leaf.named.as_deref(), &leaf.value))
        }
        _ => false,
    }
}

/// The layouts of a repo, from the paths of its files with release fields; the one that covers most files first.
#[must_use]
pub fn layouts<'p>(paths: impl IntoIterator<Item = &'p str>) -> Vec<Layout> {
    let mut found: BTreeMap<String, Layout> = BTreeMap::new();
    for path in paths {
        let Some((pattern, service, environment)) = guess(path) else { continue };
        let layout = found.entry(pattern.clone()).or_insert_with(|| Layout {
            pattern,
            services: BTreeSet::new(),
            environments: BTreeSet::new(),
            files: 0,
        });
        layout.files += 1;
        layout.services.insert(service.to_owned());
        layout.environments.extend(environment.map(str::to_owned));
    }
    let mut layouts: Vec<Layout> = found.into_values().collect();
    layouts.sort_by(|a, b| b.files.cmp(&a.files).then_with(|| a.pattern.cmp(&b.pattern)));
    layouts
}

/// The pattern that a path suggests, with the service and the environment in it.
fn guess(path: &str) -> Option<(String, &str, Option<&str>)> {
    let parts: Vec<&str> = path.split('/').collect();
    let (file, directories) = parts.split_last()?;
    let environment = directories.iter().position(|part| ENVIRONMENT_WORDS.contains(part));
    // The service is the part before the environment where that is more than a common root, else the one after it.
    let common =
        ["apps", "services", "clusters", "environments", "envs", "overlays", "deploy", "deployments", "k8s"];
    let service = match environment {
        // `image-tags/production/checkout`: a file without an ending is named after its service.
        Some(at) if at + 1 == directories.len() && !file.contains('.') => None,
        Some(at) => {
            let before =
                at.checked_sub(1).filter(|i| directories.get(*i).is_some_and(|part| !common.contains(part)));
            let overlay = at.checked_sub(2).filter(|_| directories.get(at - 1) == Some(&"overlays"));
            overlay.or(before).or_else(|| (at + 1 < directories.len()).then_some(at + 1))
        }
        None => directories.len().checked_sub(1),
    };
    let mut pattern: Vec<String> = Vec::new();
    let last = service.into_iter().chain(environment).max();
    for (index, part) in directories.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
        pattern.push(if Some(index) == service {
            "{service}".to_owned()
        } else if Some(index) == environment {
            "{environment}".to_owned()
        } else {
            (*part).to_owned()
        });
    }
    let environment = environment.and_then(|at| directories.get(at)).copied();
    if let Some(service) = service.and_then(|at| directories.get(at)) {
        pattern.push("**".to_owned());
        return Some((pattern.join("/"), service, environment));
    }
    // `production/checkout.yaml`: the file is the service.
    environment?;
    let (stem, ending) = file.split_once('.').map_or((*file, None), |(stem, ending)| (stem, Some(ending)));
    pattern.push(ending.map_or_else(|| "{service}".to_owned(), |ending| format!("{{service}}.{ending}")));
    Some((pattern.join("/"), stem, environment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_layouts_are_recognised() {
        for (path, pattern, service, environment) in [
            (
                "apps/checkout/production/values.yaml",
                "apps/{service}/{environment}/**",
                "checkout",
                Some("production"),
            ),
            (
                "apps/checkout/overlays/prod/kustomization.yaml",
                "apps/{service}/overlays/{environment}/**",
                "checkout",
                Some("prod"),
            ),
            (
                "clusters/prod/checkout/release.yaml",
                "clusters/{environment}/{service}/**",
                "checkout",
                Some("prod"),
            ),
            (
                "overlays/production/web/kustomization.yaml",
                "overlays/{environment}/{service}/**",
                "web",
                Some("production"),
            ),
            (
                "image-tags/staging/checkout",
                "image-tags/{environment}/{service}",
                "checkout",
                Some("staging"),
            ),
            ("production/checkout.yaml", "{environment}/{service}.yaml", "checkout", Some("production")),
            (
                "cluster/apps/downloads/jackett/helmrelease.yaml",
                "cluster/apps/downloads/{service}/**",
                "jackett",
                None,
            ),
        ] {
            assert_eq!(guess(path), Some((pattern.to_owned(), service, environment)), "{path}");
        }
        assert_eq!(guess("values.yaml"), None);
    }

    #[test]
    fn files_without_a_version_do_not_count() {
        assert!(has_release_field("image:\n  tag: v1\n"));
        assert!(!has_release_field("tag: x\nreplicas: 2\n"));
        assert!(!has_release_field("apiVersion: v1\nkind: Service\n"));
    }
}
