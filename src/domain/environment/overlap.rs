//! Which rule takes the files of another: told from examples of the paths that a rule can find.

use super::{ServiceFiles, ServiceRule};
use crate::domain::ids::EnvironmentName;

/// What stands for any text in an example. No glob names these characters, so that only a wildcard matches them.
const ANY: [char; 4] = ['\u{e000}', '\u{e001}', '\u{e002}', '\u{e003}'];

/// For each path glob, or the pattern, of a rule: paths that it finds, one for every way in which its wildcards can span
/// directories. None where the rule cannot be told from examples: it has classes, choices or escapes, or exclusions.
#[must_use]
pub fn example_paths(rule: &ServiceRule, environment: &EnvironmentName) -> Vec<(String, Vec<String>)> {
    if !rule.exclude.is_empty() {
        return Vec::new();
    }
    match &rule.files {
        ServiceFiles::Named(_, globs) | ServiceFiles::Shared(globs) => {
            globs.texts().map(|glob| (glob.to_owned(), examples(glob, environment))).collect()
        }
        ServiceFiles::Pattern(pattern) => {
            let text = pattern.to_string();
            let examples =
                if text.contains(['[', '\\', '?']) { Vec::new() } else { examples(&text, environment) };
            vec![(text, examples)]
        }
    }
}

/// Whether a rule finds every file that is like the one at this example path. With exclusions it may leave some of them to
/// others.
#[must_use]
pub fn finds(rule: &ServiceRule, path: &str, environment: &EnvironmentName) -> bool {
    rule.exclude.is_empty() && rule.captures(path, environment).is_some()
}

/// The most examples of one glob.
const MAX_EXAMPLES: usize = 27;

fn examples(glob: &str, environment: &EnvironmentName) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut rest = glob;
    let mut captures: Vec<&str> = Vec::new();
    let [any, one, two, three] = ANY;
    while let Some(first) = rest.chars().next() {
        let (ways, after): (Vec<String>, &str) = if let Some(after) = rest.strip_prefix("**/") {
            (vec![String::new(), format!("{any}/"), format!("{any}/{one}/")], after)
        } else if let Some(after) = rest.strip_prefix("**") {
            (vec![any.to_string(), format!("{any}/{one}")], after)
        } else if let Some(after) = rest.strip_prefix('*') {
            (vec![two.to_string()], after)
        } else if let Some(after) = rest.strip_prefix('?') {
            (vec![three.to_string()], after)
        } else if rest.starts_with(['[', '\\']) {
            return Vec::new();
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((name, after)) = after.split_once('}') else { return Vec::new() };
            if name.contains(',') {
                return Vec::new();
            }
            let place = captures.iter().position(|before| *before == name).unwrap_or(captures.len());
            if place == captures.len() {
                captures.push(name);
            }
            let text = match name {
                "environment" => environment.to_string(),
                _ => format!("{three}{}", "x".repeat(place)),
            };
            (vec![text], after)
        } else {
            (vec![first.to_string()], rest.get(first.len_utf8()..).unwrap_or(""))
        };
        let each = found.iter().flat_map(|before| ways.iter().map(move |way| format!("{before}{way}")));
        found = each.take(MAX_EXAMPLES).collect();
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::pattern::{PathGlobs, PathPattern};

    fn rule(text: &str) -> ServiceRule {
        ServiceRule::new(match text.contains("{service}") {
            true => ServiceFiles::Pattern(PathPattern::new(text).unwrap()),
            false => {
                ServiceFiles::Named("x".parse().unwrap(), PathGlobs::new(vec![text.to_owned()]).unwrap())
            }
        })
    }

    #[test]
    fn what_a_rule_excludes_is_left_to_a_later_one_with_the_same_pattern() {
        let environment: EnvironmentName = "production".parse().unwrap();
        let pattern = "clusters/{cluster}/{service}.yaml";
        let mut earlier = rule(pattern);
        earlier.exclude = PathGlobs::new(vec!["clusters/us/**".to_owned()]).unwrap();
        let later = example_paths(&rule(pattern), &environment);
        let [(_, examples)] = later.as_slice() else { panic!("{later:?}") };
        assert!(!examples.is_empty() && !examples.iter().any(|path| finds(&earlier, path, &environment)));
    }

    #[test]
    fn a_rule_that_takes_all_files_of_another_is_found() {
        let environment: EnvironmentName = "production".parse().unwrap();
        for (earlier, later, takes_all) in [
            ("versions.yaml", "versions.yaml", true),
            ("apps/{service}/**", "apps/cart/**", true),
            ("apps/{service}/**", "apps/{service}/values.yaml", true),
            ("**", "apps/{service}/{environment}/*.yaml", true),
            ("apps/cart/**", "apps/{service}/**", false),
            ("apps/{service}/values.yaml", "apps/{service}/**", false),
            ("apps/*/values.yaml", "apps/cart/values.y?ml", false),
            ("apps/{service}/staging/**", "apps/{service}/{environment}/**", false),
            ("a/**/x.yaml", "a/b/**", false),
            ("[av]*.yaml", "versions.yaml", true),
            ("{service}.yaml", "v[a-z].yaml", false),
            ("{service}/{service}.yaml", "{cluster}/{service}.yaml", false),
        ] {
            let (earlier, found) = (rule(earlier), example_paths(&rule(later), &environment));
            let [(_, examples)] = found.as_slice() else { panic!("{later}") };
            let all = !examples.is_empty() && examples.iter().all(|path| finds(&earlier, path, &environment));
            assert_eq!(all, takes_all, "{earlier:?} {later}: {examples:?}");
        }
    }
}
