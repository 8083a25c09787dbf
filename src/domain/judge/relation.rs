//! Who else could be to blame: other deployments with damage of their own, and how their services stand to this one.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::environment::policy::Declared;
use crate::domain::environment::{Environment, ServiceFiles};
use crate::domain::ids::{CommitId, GroupName, ServiceName};
use crate::domain::judge::evidence::{Relation, Rival};
use crate::domain::time::Time;

/// Services that were found, each with the place of its rule and its labels.
pub type Labelled = BTreeMap<ServiceName, (usize, BTreeMap<String, String>)>;

/// The dependencies that are declared between services.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    /// Whom each service calls.
    calls: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    /// Where all of them are declared: the groups of services that are connected, each service with the number of its group.
    groups: Option<BTreeMap<ServiceName, usize>>,
}

impl Dependencies {
    /// Those of an environment. `found` are services that were found by patterns, each with the place of its rule and its
    /// labels: a pattern alone does not say whom it finds. Of a service that is neither named nor found nothing is known.
    #[must_use]
    pub fn new(environment: &Environment, found: &Labelled) -> Self {
        let mut declared: BTreeMap<ServiceName, BTreeSet<ServiceName>> = BTreeMap::new();
        for (index, rule) in environment.services.iter().enumerate() {
            if let ServiceFiles::Named(name, _) = &rule.files {
                declare(&mut declared, name, (index, &BTreeMap::new()), environment, found);
            }
        }
        for (service, (index, labels)) in found {
            declare(&mut declared, service, (*index, labels), environment, found);
        }
        let groups = (environment.dependencies == Declared::Complete).then(|| groups(&declared));
        Self { calls: declared, groups }
    }

    /// Whether a deployment of one service can do harm to the other one, as far as is declared. It can reach the other one through what
    /// both of them call too: a release that sends it too much takes it from the other one.
    #[must_use]
    pub fn may_touch(&self, own: &ServiceName, other: &ServiceName) -> bool {
        let Some(groups) = &self.groups else { return true };
        groups.get(own).is_some_and(|group| groups.get(other) == Some(group))
    }

    /// How `other` stands to `own`.
    #[must_use]
    pub fn relation(&self, own: &ServiceName, other: &ServiceName) -> Relation {
        match (self.reaches(own, other), self.reaches(other, own)) {
            (true, false) => Relation::Dependency,
            (false, true) => Relation::Dependent,
            (true, true) | (false, false) => Relation::Unknown,
        }
    }

    /// The place of what goes back first, of several reverts that are due. Each is given by its services, which are one. It is the first in
    /// this order on which none of the others depends. Where two depend on each other, neither is before the other one.
    #[must_use]
    pub fn first_back(&self, due: &[Vec<ServiceName>]) -> usize {
        // There is always one: of what depends on each other, nothing is before the other.
        (0..due.len()).find(|own| self.callers(due, *own).is_empty()).unwrap_or(0)
    }

    /// The places of those of `all` that depend on the one at the place `own`, and on which that one does not depend.
    #[must_use]
    pub fn callers(&self, all: &[Vec<ServiceName>], own: usize) -> Vec<usize> {
        let joined = self.joined(all);
        let Some(service) = all.get(own).and_then(|services| services.first()) else { return Vec::new() };
        let calls = |other: &ServiceName| joined.relation(service, other) == Relation::Dependent;
        (0..all.len())
            .filter(|place| all.get(*place).and_then(|one| one.first()).is_some_and(calls))
            .collect()
    }

    /// The same where the services of each of these lists are one: whoever depends on one of them depends on all, and they depend on what one
    /// of them depends on.
    fn joined(&self, lists: &[Vec<ServiceName>]) -> Self {
        let mut calls = self.calls.clone();
        for list in lists {
            for (one, next) in list.iter().zip(list.iter().cycle().skip(1)) {
                calls.entry(one.clone()).or_default().insert(next.clone());
            }
        }
        Self { calls, groups: None }
    }

    /// Whether `from` calls `to`, maybe through others. Circles do no harm.
    fn reaches(&self, from: &ServiceName, to: &ServiceName) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(service) = next.pop() {
            for called in self.calls.get(service).into_iter().flatten() {
                if called == to {
                    return true;
                }
                if seen.insert(called) {
                    next.push(called);
                }
            }
        }
        false
    }
}

/// The number of each service's group: services that a chain of calls connects, in whichever direction, are in one group.
fn groups(calls: &BTreeMap<ServiceName, BTreeSet<ServiceName>>) -> BTreeMap<ServiceName, usize> {
    let mut beside: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
    for (caller, called) in calls.iter().flat_map(|(caller, all)| all.iter().map(move |one| (caller, one))) {
        beside.entry(caller).or_default().push(called);
        beside.entry(called).or_default().push(caller);
    }
    let mut groups = BTreeMap::new();
    for (number, first) in beside.keys().enumerate() {
        let mut next = vec![*first];
        while let Some(service) = next.pop() {
            if !groups.contains_key(service) {
                groups.insert(service.clone(), number);
                next.extend(beside.get(service).into_iter().flatten());
            }
        }
    }
    groups
}

/// Adds what the rule of a service says that it calls.
fn declare(
    declared: &mut BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    service: &ServiceName,
    (rule, labels): (usize, &BTreeMap<String, String>),
    environment: &Environment,
    found: &Labelled,
) {
    let Some(rule) = environment.services.get(rule).filter(|rule| !rule.depends_on.is_empty()) else {
        return;
    };
    let called = rule.depends_on.iter().map(|called| beside(called, labels, found));
    declared.entry(service.clone()).or_default().extend(called);
}

/// The service that is meant by a name in `depends_on`: of several that are called so, in clusters say, the one with the same
/// labels otherwise.
fn beside(called: &ServiceName, labels: &BTreeMap<String, String>, found: &Labelled) -> ServiceName {
    let others = |labels: &BTreeMap<String, String>| {
        let mut others = labels.clone();
        others.remove("service");
        others
    };
    let own = others(labels);
    let is_meant = |(_, (_, theirs)): &(&ServiceName, &(usize, BTreeMap<String, String>))| {
        theirs.get("service").is_some_and(|name| name == called.as_str()) && others(theirs) == own
    };
    match found.iter().find(is_meant) {
        Some((meant, _)) if !found.contains_key(called) => meant.clone(),
        _ => called.clone(),
    }
}

/// A deployment with damage of its own, as it was judged alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Red {
    /// Its service.
    pub service: ServiceName,
    /// When it was deployed.
    pub deployed_at: Time,
    /// The end of its watch window, or when it was taken back: for what begins later it is not to blame.
    pub watched_until: Time,
    /// Since when its signals are worse.
    pub since: Time,
    /// The distance of its samples, in seconds.
    pub step_secs: u32,
    /// Of what it is a part, where its service is in a group: what the commit deployed of the group is one, and goes back together.
    pub together: Option<(GroupName, CommitId)>,
}

impl Red {
    /// Whether both are one deployment of a group: nobody has to tell which of them does the damage.
    fn is_one_with(&self, other: &Self) -> bool {
        self.together.is_some() && self.together == other.together
    }
}

/// How many causes there are at most: each service is one, and so is what one commit deployed of a group.
#[must_use]
pub fn causes(all: &[Red]) -> usize {
    let services: BTreeSet<&ServiceName> = all.iter().map(|red| &red.service).collect();
    let alone = |red: &Red| red.together.is_none().then(|| red.service.clone());
    let parts: BTreeSet<_> = all.iter().map(|red| (red.together.clone(), alone(red))).collect();
    services.len().min(parts.len())
}

/// Those of `all` that could be to blame for the damage of `own`, oldest first: of another service that can reach its own, deployed
/// before that damage began, and watched when it did.
#[must_use]
pub fn rivals(own: &Red, all: &[Red], dependencies: &Dependencies) -> Vec<Rival> {
    let could = |other: &&Red| {
        other.service != own.service
            && other.deployed_at <= own.since
            && own.since <= other.watched_until
            && dependencies.may_touch(&own.service, &other.service)
            && !own.is_one_with(other)
    };
    let rival = |other: &Red| Rival {
        service: other.service.to_string(),
        deployed_at: other.deployed_at,
        since: other.since,
        step_secs: other.step_secs,
        relation: dependencies.relation(&own.service, &other.service),
    };
    let mut found: Vec<Rival> = all.iter().filter(could).map(rival).collect();
    found.sort_by(|a, b| (a.deployed_at, &a.service, a.since).cmp(&(b.deployed_at, &b.service, b.since)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::ServiceRule;
    use crate::domain::environment::pattern::{PathGlobs, PathPattern};
    use crate::domain::ids::{BranchName, EnvironmentName};

    fn name(text: &str) -> ServiceName {
        ServiceName::new(text).unwrap()
    }

    fn rule(files: ServiceFiles, depends_on: &[&str]) -> ServiceRule {
        ServiceRule {
            depends_on: depends_on.iter().map(|text| name(text)).collect(),
            ..ServiceRule::new(files)
        }
    }

    fn environment(named: &[(&str, &[&str])], pattern: &[&str]) -> Environment {
        let of = |(service, calls): &(&str, &[&str])| {
            rule(ServiceFiles::Named(name(service), PathGlobs::default()), calls)
        };
        let found = ServiceFiles::Pattern(PathPattern::new("apps/{service}/**").unwrap());
        Environment::new(
            EnvironmentName::new("production").unwrap(),
            BranchName::new("main").unwrap(),
            named.iter().map(of).chain([rule(found, pattern)]).collect(),
        )
    }

    #[test]
    fn what_is_depended_on_is_found_through_others_and_in_circles() {
        let shop: [(&str, &[&str]); 4] =
            [("web", &["cart"]), ("cart", &["db", "cart"]), ("a", &["b"]), ("b", &["a", "db"])];
        let declared = Dependencies::new(&environment(&shop, &[]), &BTreeMap::new());
        let relation = |own, other| declared.relation(&name(own), &name(other));
        assert_eq!(relation("web", "db"), Relation::Dependency);
        assert_eq!(relation("db", "web"), Relation::Dependent);
        assert_eq!(relation("a", "b"), Relation::Unknown, "each depends on the other");
        assert_eq!(relation("a", "db"), Relation::Dependency);
        assert_eq!(relation("web", "a"), Relation::Unknown);
        assert_eq!(relation("web", "web"), Relation::Unknown);
        assert_eq!(relation("nobody", "web"), Relation::Unknown);
    }

    #[test]
    fn what_a_pattern_declares_holds_for_whom_it_found() {
        let environment = environment(&[("auth", &["db"])], &["auth"]);
        let declared =
            Dependencies::new(&environment, &BTreeMap::from([(name("web"), (1, BTreeMap::new()))]));
        assert_eq!(declared.relation(&name("web"), &name("db")), Relation::Dependency);
        assert_eq!(declared.relation(&name("cart"), &name("db")), Relation::Unknown);
    }

    #[test]
    fn where_all_is_declared_only_what_is_connected_is_a_rival() {
        let shop: [(&str, &[&str]); 4] =
            [("web", &["cart"]), ("search", &["index"]), ("cart", &["db"]), ("report", &["db"])];
        let partial = environment(&shop, &[]);
        let complete = Environment { dependencies: Declared::Complete, ..partial.clone() };
        let found = BTreeMap::from([(name("blog"), (4, BTreeMap::new()))]);
        let cases = [
            ("web", "cart", true),
            ("cart", "web", true),
            ("web", "db", true),
            // Each of them can starve the other one at `db`.
            ("web", "report", true),
            ("web", "search", false),
            ("search", "index", true),
            ("index", "db", false),
            // Of these nothing is declared, so that they call nobody.
            ("web", "blog", false),
            ("blog", "nobody", false),
        ];
        for (own, other, expected) in cases {
            let touches = |environment: &Environment| {
                Dependencies::new(environment, &found).may_touch(&name(own), &name(other))
            };
            assert!(touches(&partial), "{own} and {other}");
            assert_eq!(touches(&complete), expected, "{own} and {other}");
        }
        let none = Environment { dependencies: Declared::Complete, ..environment(&[], &[]) };
        assert!(!Dependencies::new(&none, &found).may_touch(&name("web"), &name("blog")));
    }

    #[test]
    fn who_depends_on_others_goes_back_before_them_and_all_else_in_the_order_given() {
        let shop: [(&str, &[&str]); 7] = [
            ("web", &["cart"]),
            ("cart", &["db"]),
            ("a", &["b"]),
            ("b", &["c"]),
            ("c", &["a", "db"]),
            ("own", &["own"]),
            ("jobs", &["calm"]),
        ];
        let declared = Dependencies::new(&environment(&shop, &[]), &BTreeMap::new());
        // Each word is one revert, with its services between the pluses.
        let cases = [
            ("db cart web", "web cart db"),
            ("db web", "web db"),
            ("web db", "web db"),
            ("search db blog web", "search blog web db"),
            ("blog search", "blog search"),
            ("own blog", "own blog"),
            // A circle has no first, and goes back before what one of it calls.
            ("b a c", "b a c"),
            ("db b web a", "b web a db"),
            // What goes back together is one.
            ("calm+db jobs web+blog", "jobs web+blog calm+db"),
            ("db calm+web jobs", "jobs calm+web db"),
            ("calm+web db+jobs", "calm+web db+jobs"),
            ("web web", "web web"),
            ("", ""),
        ];
        let callers = |all: &[&str], own| {
            let lists: Vec<_> = all.iter().map(|one| one.split('+').map(name).collect()).collect();
            declared.callers(&lists, own)
        };
        assert_eq!(callers(&["blog+db", "search", "web+jobs", "cart", "a"], 0), [2, 3, 4]);
        assert_eq!(callers(&["web", "db"], 0), [0; 0]);
        assert_eq!(callers(&["calm+web", "db+jobs"], 1), [0; 0], "each depends on the other");
        assert_eq!(callers(&[], 0), [0; 0]);
        for (due, expected) in cases {
            let services = |one: &str| one.split('+').map(name).collect::<Vec<_>>();
            let mut left: Vec<&str> = due.split_whitespace().collect();
            let mut order = Vec::new();
            while !left.is_empty() {
                let lists: Vec<_> = left.iter().map(|one| services(one)).collect();
                order.push(left.remove(declared.first_back(&lists)));
            }
            assert_eq!(order.join(" "), expected, "{due}");
        }
    }

    #[test]
    fn rivals_are_other_services_whose_deployment_came_before_the_damage() {
        let red = |service: &str, deployed_at: i64, since: i64| Red {
            service: name(service),
            deployed_at: Time::from_unix(deployed_at),
            watched_until: Time::from_unix(deployed_at + 1_000),
            since: Time::from_unix(since),
            step_secs: 60,
            together: None,
        };
        let all = [
            red("web", 5_000, 5_100),
            red("web", 4_900, 5_000),
            red("same-commit", 5_000, 5_200),
            red("at-once", 5_100, 5_100),
            red("too-late", 5_101, 5_160),
            red("too-old", 4_099, 4_200),
            red("before", 4_100, 4_200),
        ];
        let found = rivals(&all[0], &all, &Dependencies::default());
        let names: Vec<&str> = found.iter().map(|rival| rival.service.as_str()).collect();
        assert_eq!(names, ["before", "same-commit", "at-once"]);
        assert_eq!(found[0].since, Time::from_unix(4_200));
    }
}
