//! The services that an environment's rules find among the files of a branch, and those that they find twice.

use std::collections::BTreeMap;

use super::{Environment, RuleMatch, ServiceRule};
use crate::domain::field::Document;
use crate::domain::field::entries::entry_names;
use crate::domain::ids::{GroupName, ServiceName};

/// A service that a file of the branch belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundService {
    /// Its name.
    pub name: ServiceName,
    /// The group that it is in.
    pub group: Option<GroupName>,
    /// Labels for signal queries.
    pub labels: BTreeMap<String, String>,
    /// The place of its rule in [`Environment::services`].
    pub rule: usize,
    /// Where it is: the path as far as the rule's pattern captures anything; of a shared file the whole path; empty for a
    /// service that is named.
    pub root: String,
    /// The file.
    pub path: String,
}

/// The services that the file at `path` belongs to. `read` gives its bytes, and is asked only for files that hold several.
///
/// # Errors
/// Those of `read`.
pub fn services_in<E>(
    environment: &Environment,
    path: &str,
    read: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
) -> Result<Vec<FoundService>, E> {
    let Some(matched) = environment.rule_of(path) else { return Ok(Vec::new()) };
    let Some(each) = &matched.rule.each else {
        return Ok(found(&matched, &[], (matched.root, path)).into_iter().collect());
    };
    let document = read()?.and_then(|bytes| Document::new(bytes.into()));
    let names = document.map(|document| entry_names(each, &document)).unwrap_or_default();
    Ok(names.iter().filter_map(|captured| found(&matched, captured, (path, path))).collect())
}

fn found(
    matched: &RuleMatch<'_, '_>,
    captured: &[(String, String)],
    (root, path): (&str, &str),
) -> Option<FoundService> {
    let service = matched.service(captured)?;
    let (name, group, labels) = (service.name, service.group, service.labels);
    let (root, path) = (root.to_owned(), path.to_owned());
    Some(FoundService { name, group, labels, rule: matched.rule_index, root, path })
}

/// The services that are found twice: by two rules, or by one rule at two places. For each, both in words. Which files would
/// be judged and reverted as one service cannot be said of them.
#[must_use]
pub fn found_twice<'f>(
    environment: &Environment,
    found: impl IntoIterator<Item = &'f FoundService>,
) -> BTreeMap<ServiceName, String> {
    // For each place one of its files, which people can find.
    let mut places: BTreeMap<&ServiceName, BTreeMap<(usize, &str), &str>> = BTreeMap::new();
    for one in found {
        places.entry(&one.name).or_default().entry((one.rule, &one.root)).or_insert(&one.path);
    }
    let told = |(name, places): (&ServiceName, BTreeMap<(usize, &str), &str>)| {
        let mut places = places.into_iter();
        let (first, second) = (places.next()?, places.next()?);
        let shown = |((rule, root), path): ((usize, &str), &str)| {
            let by = environment.services.get(rule).map(ServiceRule::to_string).unwrap_or_default();
            match root {
                "" => format!("rule {} ({by})", rule + 1),
                _ => format!("{path}, by rule {} ({by})", rule + 1),
            }
        };
        Some((
            name.clone(),
            format!(
                "the service {name} is found twice in {}: at {}, and at {}. Tell them apart by a {{capture}} in the \
                 pattern or by `name`, `exclude` one of them, or make one rule of both",
                environment.name,
                shown(first),
                shown(second)
            ),
        ))
    };
    places.into_iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::ServiceFiles;
    use crate::domain::environment::name_template::NameTemplate;
    use crate::domain::environment::pattern::{PathGlobs, PathPattern};
    use crate::domain::field::entries::EntryPattern;

    fn environment(services: Vec<ServiceRule>) -> Environment {
        Environment::new("production".parse().unwrap(), "main".parse().unwrap(), services)
    }

    fn pattern(text: &str) -> ServiceRule {
        ServiceRule::new(ServiceFiles::Pattern(PathPattern::new(text).unwrap()))
    }

    fn all(environment: &Environment, files: &[(&str, &str)]) -> Vec<FoundService> {
        let of_file = |(path, text): &(&str, &str)| {
            services_in(environment, path, || Ok::<_, ()>(Some(text.as_bytes().to_vec()))).unwrap()
        };
        files.iter().flat_map(of_file).collect()
    }

    fn twice(rules: Vec<ServiceRule>, files: &[(&str, &str)]) -> Vec<String> {
        let environment = environment(rules);
        let found = all(&environment, files);
        found_twice(&environment, &found).into_values().collect()
    }

    #[test]
    fn a_service_at_two_places_is_told_with_both() {
        let files =
            [("apps/eu/web/values.yaml", ""), ("apps/us/web/values.yaml", ""), ("apps/us/api/x.yaml", "")];
        let told = twice(vec![pattern("apps/*/{service}/*.yaml")], &files);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("at apps/eu/web/values.yaml,")
                && told[0].contains("at apps/us/web/values.yaml,"),
            "{told:?}"
        );
        assert_eq!(twice(vec![pattern("apps/{cluster}/{service}/*.yaml")], &files), [""; 0]);
        let mut named = pattern("apps/{cluster}/{service}/*.yaml");
        named.name = Some(NameTemplate::new("{{ service }}").unwrap());
        assert_eq!(twice(vec![named], &files).len(), 1);
        let two = [pattern("apps/eu/{service}/*.yaml"), pattern("apps/us/{service}/*.yaml")];
        assert!(twice(two.to_vec(), &files)[0].contains("by rule 2 (pattern apps/us/{service}/*.yaml)"));
    }

    #[test]
    fn several_files_of_one_service_are_one() {
        let files =
            [("apps/web/values.yaml", ""), ("apps/web/deep/er.yaml", ""), ("apps/web/production.yaml", "")];
        assert_eq!(twice(vec![pattern("apps/{service}/**")], &files), [""; 0]);
    }

    #[test]
    fn entries_of_a_file_are_services_of_their_own() {
        let mut rule =
            ServiceRule::new(ServiceFiles::Shared(PathGlobs::new(vec!["*.yaml".to_owned()]).unwrap()));
        rule.each = Some(EntryPattern::new("images.{service}").unwrap());
        let text = "images:\n- name: web\n  newTag: v1\n- name: api\n  newTag: v1\n";
        let environment = environment(vec![rule.clone()]);
        let names: Vec<String> =
            all(&environment, &[("a.yaml", text)]).iter().map(|f| f.name.to_string()).collect();
        assert_eq!(names, ["web", "api"]);
        assert_eq!(twice(vec![rule], &[("a.yaml", text), ("b.yaml", text)]).len(), 2);
    }
}
