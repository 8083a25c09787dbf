//! Whether a file that a revert removes is still needed: a kustomization that names it would build nothing any more.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::field::leaves::yaml::leaves;
use crate::domain::history::snapshot::Content;
use crate::domain::ids::FilePath;

/// The names of the files that Kustomize reads in a directory.
/// Source: <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>.
pub const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A removed file that a kustomization names in the state that a revert makes, and that kustomization. `files` are the new contents of each
/// file that the revert changes; `kustomizations` are all that there are before it.
#[must_use]
pub fn needed(
    files: &BTreeMap<FilePath, Option<Content>>,
    kustomizations: &BTreeMap<FilePath, Vec<u8>>,
) -> Option<(FilePath, FilePath)> {
    let gone: BTreeSet<&str> =
        files.iter().filter(|(_, content)| content.is_none()).map(|(path, _)| path.as_str()).collect();
    let made = files.iter().filter(|(path, _)| is_kustomization(path));
    let made = made.filter_map(|(path, content)| Some((path, content.as_ref()?.bytes()?)));
    let left = kustomizations.iter().filter(|(path, _)| !files.contains_key(*path));
    let left = left.map(|(path, bytes)| (path, bytes.as_slice()));
    left.chain(made).find_map(|(path, bytes)| {
        let text = std::str::from_utf8(bytes).ok()?;
        let named = leaves(text)?.into_iter().find_map(|leaf| names(path.as_str(), &leaf.value, &gone));
        Some((FilePath::new(named?).ok()?, path.clone()))
    })
}

/// Whether a file is a kustomization, by its name.
#[must_use]
pub fn is_kustomization(path: &FilePath) -> bool {
    KUSTOMIZATIONS.contains(&path.as_str().rsplit('/').next().unwrap_or(""))
}

/// The one of these paths that a value in a kustomization names: a file, or the directory of another kustomization.
fn names(kustomization: &str, value: &str, gone: &BTreeSet<&str>) -> Option<String> {
    // `key=path`, as generators have it.
    let value = value.rsplit('=').next().unwrap_or(value);
    let directory = kustomization.rsplit_once('/').map_or("", |(directory, _)| directory);
    let place = joined(directory, value)?;
    let within = KUSTOMIZATIONS.iter().map(|name| format!("{place}/{name}"));
    std::iter::once(place.clone()).chain(within).find(|path| gone.contains(path.as_str()))
}

/// A relative path from a directory, without `.` and `..`. None where it leads out of the repository.
pub(super) fn joined(directory: &str, value: &str) -> Option<String> {
    if value.is_empty() || value.contains("://") || value.starts_with('/') {
        return None;
    }
    let mut steps: Vec<&str> = directory.split('/').filter(|step| !step.is_empty()).collect();
    for step in value.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()?),
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> FilePath {
        FilePath::new(text).unwrap()
    }

    fn found(removed: &[&str], changed: &[(&str, &str)], others: &[(&str, &str)]) -> Option<String> {
        let mut files: BTreeMap<FilePath, Option<Content>> =
            removed.iter().map(|name| (path(name), None)).collect();
        files.extend(changed.iter().map(|(name, text)| (path(name), Some(text.as_bytes().to_vec().into()))));
        let others = others.iter().map(|(name, text)| (path(name), text.as_bytes().to_vec())).collect();
        needed(&files, &others).map(|(file, by)| format!("{file} by {by}"))
    }

    #[test]
    fn a_file_that_is_named_is_needed() {
        let web = |text: &'static str| [("apps/web/kustomization.yaml", text)];
        let one = Some("apps/web/p.yaml by apps/web/kustomization.yaml".to_owned());
        for text in [
            "resources: [d.yaml, p.yaml]\n",
            "patches:\n- path: ./p.yaml\n",
            "patchesStrategicMerge:\n- ../web/p.yaml\n",
            "configMapGenerator:\n- name: a\n  files: [key=p.yaml]\n",
            "components: [p.yaml]\n",
        ] {
            assert_eq!(found(&["apps/web/p.yaml"], &[], &web(text)), one, "{text}");
            assert_eq!(found(&["apps/web/p.yaml"], &web(text), &web("resources: []\n")), one, "{text}");
        }
        let root = [("kustomization.yml", "resources:\n- apps/web/p.yaml\n")];
        let by_root = Some("apps/web/p.yaml by kustomization.yml".to_owned());
        assert_eq!(found(&["apps/web/p.yaml"], &[], &root), by_root);
        let directory = [("Kustomization", "resources: [apps/web]\n")];
        let whole = Some("apps/web/kustomization.yaml by Kustomization".to_owned());
        assert_eq!(found(&["apps/web/kustomization.yaml"], &[], &directory), whole);
    }

    #[test]
    fn a_file_that_nobody_names_is_not() {
        for (name, text) in [
            ("apps/api/kustomization.yaml", "resources: [p.yaml]\n"),
            ("apps/web/kustomization.yaml", "resources: [pp.yaml, ../p.yaml, https://x/p.yaml]\n"),
            ("apps/web/kustomization.yaml", "# p.yaml\nresources: []\n"),
            ("apps/web/kustomization.yaml", "a: [\n"),
            ("apps/web/kustomization.yaml", "resources: [../../../../../p.yaml]\n"),
        ] {
            assert_eq!(found(&["apps/web/p.yaml"], &[], &[(name, text)]), None, "{text}");
        }
        // It names it no more once the revert is made.
        let [before, after] = ["resources: [p.yaml]\n", "resources: []\n"];
        let name = "apps/web/kustomization.yaml";
        assert_eq!(found(&["apps/web/p.yaml"], &[(name, after)], &[(name, before)]), None);
        assert_eq!(found(&["apps/web/p.yaml", name], &[], &[(name, before)]), None);
    }
}
