//! What the configuration says that matches nothing in the repository, or has no effect: mostly a slip of the pen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::act::pins::read_places;
use super::world::{Estate, World, blocking};
use crate::domain::environment::Environment;
use crate::domain::environment::found::FoundService;
use crate::domain::environment::freeze::is_always_frozen;
use crate::domain::environment::key::{ConfigKey, KeyOwner};
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::pattern::PathGlobs;
use crate::domain::environment::policy::{KnownElsewhere, SchemaDetector};
use crate::domain::history::scope::Everything;
use crate::domain::history::snapshot::Content;
use crate::domain::ids::{CommitId, FilePath, ServiceName};
use crate::domain::pin::Mechanism;
use crate::domain::pin::make::own_file_of;
use crate::domain::pin::trial::{PlaceTrial, without_place};
use crate::ports::{Repository, RepositoryError};

/// The most files of a branch that are listed. Of a larger one nothing is said of what is not there.
const MAX_FILES: usize = 200_000;
/// The most services of a rule on which pins are tried.
const MAX_TRIED: usize = 50;
/// The most services that a message names.
const MAX_NAMED: usize = 3;

/// Something that has no effect, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoEffect {
    pub(super) found: String,
    pub(super) fix: String,
    /// Whether it only matches nothing today: it may be kept for what comes.
    pub(super) may_be_meant: bool,
}

impl NoEffect {
    /// Something that has no effect, whatever is deployed.
    fn ever(found: String, fix: impl Into<String>) -> Self {
        Self { found, fix: fix.into(), may_be_meant: false }
    }

    /// Something that matches nothing today.
    fn today(found: String, fix: impl Into<String>) -> Self {
        Self { found, fix: fix.into(), may_be_meant: true }
    }
}

/// What was found, by the places of the configuration. Several environments may share a place: a name that means something in one of them is
/// none to correct.
#[derive(Debug, Default)]
pub(super) struct Doubts(BTreeMap<String, Option<NoEffect>>);

impl Doubts {
    /// What was found of a place in one environment: none where it means something.
    fn add(&mut self, place: String, found: Option<NoEffect>) {
        match found {
            None => drop(self.0.insert(place, None)),
            found => drop(self.0.entry(place).or_insert(found)),
        }
    }

    /// All that has no effect, by its places.
    pub(super) fn all(self) -> impl Iterator<Item = (String, NoEffect)> {
        self.0.into_iter().filter_map(|(place, found)| Some((place, found?)))
    }
}

/// Where keys of the configuration stand.
pub(super) type PlaceOf<'p> = &'p dyn Fn(&ConfigKey) -> String;

/// Looks for what has no effect in one environment, whose branch is at `head` and has these services.
pub(super) async fn look(
    (world, estate): (&World, &Estate),
    environment: &Arc<Environment>,
    (head, found): (CommitId, &[FoundService]),
    place_of: PlaceOf<'_>,
    doubts: &mut Doubts,
) -> Result<(), RepositoryError> {
    let place = |of: KeyOwner, path: &[&str]| place_of(&ConfigKey::new(&environment.name, of, path));
    if is_always_frozen(&environment.freezes, world.clock.now()) {
        let found = format!(
            "the windows of `freeze` are open all the year round: the agent reverts nothing in {} by itself",
            environment.name
        );
        let fix = "correct `schedule` or `duration`; where that is meant, set `mode: propose` instead";
        doubts.add(place(KeyOwner::Environment, &["freeze"]), Some(NoEffect::ever(found, fix)));
    }
    for (index, rule) in environment.services.iter().enumerate() {
        if rule.policy.elsewhere == KnownElsewhere::Block && estate.forge.is_none() {
            let found = format!(
                "`elsewhere: block` has no effect in {}: its repository has no forge, so no status can fail",
                environment.name
            );
            let fix = "configure the `forge` of the repository, or have the environment use a policy without `elsewhere: block`";
            doubts.add(place(KeyOwner::Policy(index), &["elsewhere"]), Some(NoEffect::ever(found, fix)));
        }
    }
    unknown_dependencies(environment, found, &place, doubts);
    unlisted_sources(world, environment, found, &place, doubts);
    let (own, services) = (Arc::clone(environment), by_rule(found));
    let looked = blocking(&estate.repository, move |repository| {
        let paths = unmatched_paths(repository, &own, head)?;
        let mut pins = Vec::new();
        for (index, services) in services {
            pins.push((index, lost_pins(repository, &own, head, (index, &services))?));
        }
        Ok::<_, RepositoryError>((paths, pins))
    });
    let (paths, pins) = looked.await?;
    let asks_sources = |index: usize| {
        let rule = environment.services.get(index);
        let detectors = rule.map(|rule| &rule.policy.schema.detectors);
        world.source_code.is_some() && detectors.is_some_and(|all| all.contains(&SchemaDetector::Sources))
    };
    for (index, number, glob) in paths {
        // It may mean files of the application's source.
        let none = glob.filter(|_| !asks_sources(index)).map(|glob| {
            NoEffect::today(
                format!("`schema.paths` has `{glob}`, and no file of {} matches it", environment.branch),
                "correct the glob, which begins at the root of the repository, or keep it for files to come",
            )
        });
        doubts.add(place(KeyOwner::Policy(index), &["schema", "paths", &number.to_string()]), none);
    }
    for (index, lost) in pins {
        for (mechanism, found) in lost {
            let none = NoEffect::today(found, fix_of(mechanism));
            doubts.add(place(KeyOwner::Policy(index), &["pin", key_of(mechanism)]), Some(none));
        }
    }
    Ok(())
}

/// The names in `depends_on` that no service has.
fn unknown_dependencies(
    environment: &Environment,
    found: &[FoundService],
    place: &dyn Fn(KeyOwner, &[&str]) -> String,
    doubts: &mut Doubts,
) {
    let names: BTreeSet<&str> = found.iter().map(|one| one.name.as_str()).collect();
    let short = found.iter().filter_map(|one| one.labels.get("service")).map(String::as_str);
    let known: BTreeSet<&str> = names.iter().copied().chain(short).collect();
    for (index, rule) in environment.services.iter().enumerate() {
        for (number, called) in rule.depends_on.iter().enumerate() {
            let none = (!known.contains(called.as_str())).then(|| {
                NoEffect::ever(
                    format!("`depends_on` names {called}, and {} has no such service", environment.name),
                    format!("correct the name: there are {}", some(names.iter().copied())),
                )
            });
            doubts.add(place(KeyOwner::Service(index), &["depends_on", &number.to_string()]), none);
        }
    }
}

/// The policies whose `schema.source` gives a repository that is not in `sources`.
fn unlisted_sources(
    world: &World,
    environment: &Environment,
    found: &[FoundService],
    place: &dyn Fn(KeyOwner, &[&str]) -> String,
    doubts: &mut Doubts,
) {
    for (index, services) in by_rule(found) {
        let Some(schema) = environment.services.get(index).map(|rule| &rule.policy.schema) else { continue };
        let Some(template) = schema.source.as_ref() else { continue };
        let none = services.values().find_map(|files| {
            let service = files.first()?;
            let filled = NameTemplate::new(template).ok()?;
            let url = filled.fill_for(&service.name, &environment.name, &service.labels);
            match url {
                Some(url) if world.source_code.as_ref().is_some_and(|code| code.is_listed(&url)) => None,
                Some(url) => Some(format!(
                    "`schema.source` gives {url} for {}, which is not in `sources`",
                    service.name
                )),
                None => Some(format!("`schema.source` names what {} does not have", service.name)),
            }
        });
        let fix = "add the repository, or what its URL begins with, to `sources`, or correct `schema.source`";
        let none = none.map(|found| NoEffect::ever(found, fix));
        if none.is_some() {
            doubts.add(place(KeyOwner::Policy(index), &["schema", "source"]), none);
        }
    }
}

/// Services of a rule, each with its files.
type Services = BTreeMap<ServiceName, Vec<FoundService>>;

fn by_rule(found: &[FoundService]) -> BTreeMap<usize, Services> {
    let mut rules: BTreeMap<usize, Services> = BTreeMap::new();
    for one in found {
        rules.entry(one.rule).or_default().entry(one.name.clone()).or_default().push(one.clone());
    }
    rules
}

/// The globs of `schema.paths`, each with its rule and its number in the list, and as a text where no file of the branch matches it.
fn unmatched_paths(
    repository: &dyn Repository,
    environment: &Environment,
    head: CommitId,
) -> Result<Vec<(usize, usize, Option<String>)>, RepositoryError> {
    let rules = environment.services.iter().enumerate();
    let globs = rules.flat_map(|(index, rule)| {
        rule.policy
            .schema
            .paths
            .texts()
            .enumerate()
            .map(move |(number, glob)| (index, number, glob.to_owned()))
    });
    let globs: Vec<(usize, usize, String)> = globs.collect();
    if globs.is_empty() {
        return Ok(Vec::new());
    }
    let paths = repository.list_files(head, &Everything, MAX_FILES)?;
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    let mut is_there = |glob: &str| {
        *known.entry(glob.to_owned()).or_insert_with(|| {
            let globs = PathGlobs::new(vec![glob.to_owned()]).unwrap_or_default();
            paths.len() >= MAX_FILES || paths.iter().any(|path| globs.matches(path.as_str()))
        })
    };
    Ok(globs
        .into_iter()
        .map(|(index, number, glob)| (index, number, Some(glob).filter(|glob| !is_there(glob))))
        .collect())
}

/// The tools that would find no place for a pin of some services of a rule, each in words.
fn lost_pins(
    repository: &dyn Repository,
    environment: &Environment,
    head: CommitId,
    (index, services): (usize, &Services),
) -> Result<Vec<(Mechanism, String)>, RepositoryError> {
    let Some(rules) = environment.services.get(index).map(|rule| &rule.policy.pin) else {
        return Ok(Vec::new());
    };
    if rules.is_none() {
        return Ok(Vec::new());
    }
    let (places, is_all) = read_places(repository, head, rules, None)?;
    if !is_all {
        return Ok(Vec::new());
    }
    let text = |path: &FilePath| {
        let content = repository.content(head, path)?;
        let bytes = content.as_ref().and_then(Content::bytes);
        Ok::<_, RepositoryError>(bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()))
    };
    let mut lost: BTreeMap<Mechanism, (Vec<&str>, String)> = BTreeMap::new();
    let tried = services.len().min(MAX_TRIED);
    for (name, found) in services.iter().take(MAX_TRIED) {
        let mut files = BTreeMap::new();
        for path in found.iter().filter_map(|one| FilePath::new(one.path.as_str()).ok()) {
            if let Some(text) = text(&path)? {
                files.insert(path, text);
            }
        }
        let labels = found.first().map(|one| one.labels.clone()).unwrap_or_default();
        let own = own_file_of(rules, name, &environment.name, &labels);
        let own_text = own.as_ref().map(text).transpose()?.flatten();
        let own = own.as_ref().map(|path| (path, own_text.as_deref()));
        for (mechanism, why) in without_place(rules, PlaceTrial { files: &files, places: &places, own }) {
            lost.entry(mechanism).or_insert_with(|| (Vec::new(), why)).0.push(name.as_str());
        }
    }
    let told = |(mechanism, (names, why)): (Mechanism, (Vec<&str>, String))| {
        let found = format!(
            "`pin` would find no place for {} of {tried} services ({}): {}: {why}",
            names.len(),
            some(names.iter().copied()),
            mechanism.name()
        );
        (mechanism, found)
    };
    Ok(lost.into_iter().map(told).collect())
}

/// The first of some names.
fn some<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len().checked_sub(MAX_NAMED) {
        _ if names.is_empty() => "none".to_owned(),
        Some(more) if more > 0 => {
            format!(
                "{} and {more} more",
                names.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ")
            )
        }
        _ => names.join(", "),
    }
}

/// The key of the configuration that asks for pins by a tool.
fn key_of(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::FluxExclude | Mechanism::FluxSuspend => "flux",
        Mechanism::ArgocdImageUpdater => "argocd_image_updater",
        Mechanism::Renovate => "renovate",
        Mechanism::OwnField => "field",
    }
}

fn fix_of(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::FluxExclude => {
            "write Flux's marker beside the version, and keep its ImagePolicy with a semver range in this repository, or leave `flux` out"
        }
        Mechanism::FluxSuspend => {
            "write Flux's marker beside the version, and keep the ImageUpdateAutomation that updates the file in this repository, or leave \
             `flux` out"
        }
        Mechanism::ArgocdImageUpdater => {
            "keep the Application with its image list in this repository, with an alias for the image, or leave `argocd_image_updater` out"
        }
        Mechanism::Renovate => {
            "keep Renovate's configuration in this repository as plain JSON, or leave `renovate` out"
        }
        Mechanism::OwnField => {
            "create the file with an empty list (`frozen_versions: []`) at `key`, correct `file` and `key`, or leave `field` out"
        }
    }
}
