//! Which files of a repository a question is about, and which directories need not be looked into for it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::domain::environment::pattern::{Directories, PathGlobs};
use crate::domain::environment::{Environment, ServiceFiles};
use crate::domain::ids::ServiceName;

/// What is wanted of a changed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// That it changed, and its bytes on both sides.
    Bytes,
    /// Only that it changed.
    Name,
    /// Not even that.
    Nothing,
}

/// The files that a question is about.
pub trait Scope: Send + Sync {
    /// What is wanted of the file at `path`.
    fn file(&self, path: &str) -> Interest;

    /// Whether anything is wanted of what is in the directory at `path`, at whatever depth. Where this is false,
    /// [`Scope::file`] is [`Interest::Nothing`] for every file in there.
    fn directory(&self, path: &str) -> bool;
}

/// All files with their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Scope for Everything {
    fn file(&self, _: &str) -> Interest {
        Interest::Bytes
    }

    fn directory(&self, _: &str) -> bool {
        true
    }
}

/// What bears on the deployments of an environment, or of one service in it: the services' files, and by name the paths
/// that hold migrations, wherever they are.
#[derive(Clone, Debug)]
pub struct Tracked<'e> {
    environment: &'e Environment,
    /// Of which services; of all when `None`.
    only: Option<HashSet<&'e ServiceName>>,
    /// Where the environment is; everywhere when `None`.
    within: Option<Vec<Directories>>,
    services: Vec<Directories>,
    migrations: Vec<&'e PathGlobs>,
    of_migrations: Vec<Directories>,
}

impl<'e> Tracked<'e> {
    /// The files of all services, or of this one.
    #[must_use]
    pub fn new(environment: &'e Environment, service: Option<&'e ServiceName>) -> Self {
        Self::of(environment, service.map(|service| HashSet::from([service])))
    }

    /// The files of these services: each path is held against the rules once, however many they are.
    #[must_use]
    pub fn of_services(
        environment: &'e Environment,
        services: impl IntoIterator<Item = &'e ServiceName>,
    ) -> Self {
        Self::of(environment, Some(services.into_iter().collect()))
    }

    fn of(environment: &'e Environment, only: Option<HashSet<&'e ServiceName>>) -> Self {
        let mut services = Vec::new();
        let mut migrations: Vec<&PathGlobs> = Vec::new();
        for rule in &environment.services {
            match &rule.files {
                ServiceFiles::Named(name, globs) if only.as_ref().is_none_or(|only| only.contains(name)) => {
                    services.extend(globs.directories());
                }
                ServiceFiles::Named(..) => {}
                ServiceFiles::Shared(globs) => services.extend(globs.directories()),
                ServiceFiles::Pattern(pattern) => {
                    let mut add = |service: Option<&ServiceName>| {
                        let known = service.map(|service| pattern.captures_of(service.as_str()));
                        services.push(pattern.directories(|name| match name {
                            "environment" => Some(environment.name.as_str()),
                            name => known.as_ref()?.get(name).copied(),
                        }));
                    };
                    match only.as_ref().filter(|_| rule.is_named_by_its_path()) {
                        Some(only) => only.iter().for_each(|service| add(Some(service))),
                        None => add(None),
                    }
                }
            }
            // Most rules share the default: one of those in a row is enough.
            let paths = &rule.policy.schema.paths;
            if !paths.is_empty() && migrations.last() != Some(&paths) {
                migrations.push(paths);
            }
        }
        let within = environment.paths.as_ref().map(|globs| globs.directories().collect());
        let of_migrations = migrations.iter().flat_map(|globs| globs.directories()).collect();
        Self { environment, only, within, services, migrations, of_migrations }
    }

    /// Whether the file at `path` may hold what is asked for. Whose parts a shared file has is not known by its path.
    fn holds(&self, path: &str) -> bool {
        self.environment.rule_of(path).is_some_and(|found| {
            found.rule.each.is_some()
                || found
                    .service(&[])
                    .is_some_and(|found| self.only.as_ref().is_none_or(|only| only.contains(&found.name)))
        })
    }
}

impl Scope for Tracked<'_> {
    fn file(&self, path: &str) -> Interest {
        if self.holds(path) {
            Interest::Bytes
        } else if self.migrations.iter().any(|globs| globs.matches(path)) {
            // What SQL means is read from it.
            if path.ends_with(".sql") { Interest::Bytes } else { Interest::Name }
        } else {
            Interest::Nothing
        }
    }

    fn directory(&self, path: &str) -> bool {
        let any = |all: &[Directories]| all.iter().any(|directories| directories.admit(path));
        self.within.as_deref().is_none_or(any) && any(&self.services) || any(&self.of_migrations)
    }
}

/// What several questions are about together, so that a branch is read once for all of them. What was answered about a
/// path is kept: histories name the same paths again and again.
#[derive(Debug)]
pub struct Any<S> {
    scopes: Vec<S>,
    files: Mutex<HashMap<String, Interest>>,
    directories: Mutex<HashMap<String, bool>>,
}

impl<S: Scope> Any<S> {
    /// All that one of the scopes is about.
    #[must_use]
    pub fn new(scopes: Vec<S>) -> Self {
        Self { scopes, files: Mutex::default(), directories: Mutex::default() }
    }
}

/// The answer about a path, found once.
fn once<T: Copy>(known: &Mutex<HashMap<String, T>>, path: &str, find: impl FnOnce() -> T) -> T {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = known.get(path) {
        return *answer;
    }
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
    let answer = find();
    known.insert(path.to_owned(), answer);
    answer
}

/// How many paths are kept; a history with more begins anew.
const MAX_KNOWN: usize = 100_000;

impl<S: Scope> Scope for Any<S> {
    fn file(&self, path: &str) -> Interest {
        if let [only] = self.scopes.as_slice() {
            return only.file(path);
        }
        once(&self.files, path, || {
            let mut most = Interest::Nothing;
            for scope in &self.scopes {
                match scope.file(path) {
                    Interest::Bytes => return Interest::Bytes,
                    Interest::Name => most = Interest::Name,
                    Interest::Nothing => {}
                }
            }
            most
        })
    }

    fn directory(&self, path: &str) -> bool {
        if let [only] = self.scopes.as_slice() {
            return only.directory(path);
        }
        once(&self.directories, path, || self.scopes.iter().any(|scope| scope.directory(path)))
    }
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;
    use crate::domain::environment::ServiceRule;
    use crate::domain::environment::pattern::PathPattern;
    use crate::domain::environment::policy::Policy;

    fn environment(paths: Option<&str>, pattern: &str, glob: &str, migrations: &str) -> Environment {
        let globs = |text: &str| PathGlobs::new(vec![text.to_owned()]).unwrap();
        let mut policy = Policy::default();
        policy.schema.paths = globs(migrations);
        let rule = |files| ServiceRule { policy: policy.clone(), ..ServiceRule::new(files) };
        let services = vec![
            rule(ServiceFiles::Named("named".parse().unwrap(), globs(glob))),
            rule(ServiceFiles::Pattern(PathPattern::new(pattern).unwrap())),
        ];
        let (name, branch) = ("p".parse().unwrap(), "main".parse().unwrap());
        Environment { paths: paths.map(globs), ..Environment::new(name, branch, services) }
    }

    #[test]
    fn one_service_is_looked_for_in_its_own_directories_and_among_the_migrations() {
        let environment = environment(Some("apps/**"), "apps/{service}/{environment}/**", "x/*", "db/*.sql");
        let web: ServiceName = "web".parse().unwrap();
        let (all, one) = (Tracked::new(&environment, None), Tracked::new(&environment, Some(&web)));
        assert_eq!(all.file("apps/api/p/values.yaml"), Interest::Bytes);
        assert_eq!(one.file("apps/api/p/values.yaml"), Interest::Nothing);
        assert_eq!(one.file("apps/web/p/values.yaml"), Interest::Bytes);
        assert_eq!(one.file("db/1.sql"), Interest::Bytes);
        assert!(all.directory("apps/api") && !one.directory("apps/api") && one.directory("apps/web/p/deep"));
        // Outside of the environment's paths nothing is a service's.
        assert!(one.directory("db") && !one.directory("apps/web/q") && !all.directory("x"));
    }

    proptest! {
        #[test]
        fn nothing_is_wanted_in_a_directory_that_is_left_out(
            paths in proptest::option::of("(a|p|\\*|\\*\\*|/|/){1,4}"),
            pattern in "(a|p|\\*|\\{environment\\}|\\*\\*|/|/){0,4}\\{service\\}(a|p|\\*|/|\\{t\\}){0,3}",
            glob in "(a|p|\\*|\\?|\\*\\*|/|/){1,5}",
            migrations in "(a|p|\\*|\\*\\*|/|/){1,5}",
            path in "[ap]{1,2}(/[ap]{1,2}){0,4}",
            service in "[ap]{1,2}",
        ) {
            let environment = environment(paths.as_deref(), &pattern, &glob, &migrations);
            let service: ServiceName = service.parse().unwrap();
            for service in [None, Some(&service)] {
                let tracked = Tracked::new(&environment, service);
                if tracked.file(&path) != Interest::Nothing {
                    for (at, _) in path.match_indices('/') {
                        prop_assert!(tracked.directory(&path[..at]), "{service:?} {} of {path}", &path[..at]);
                    }
                }
            }
        }
    }
}
