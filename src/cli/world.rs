//! From the configuration to everything that a pass works with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::common::Common;
use crate::adapters::clock::SystemClock;
use crate::adapters::forge;
use crate::adapters::git::{
    GitAuth, GitOptions, GitRepository, ListedSourceCode, SshOptions, current_branch,
};
use crate::adapters::http::HttpOptions;
use crate::adapters::{metrics, registry};
use crate::agent::{Estate, Source, World};
use crate::config::{self, ConfigErrors, EstateSettings, Settings};
use crate::domain::environment::pattern::PathGlobs;
use crate::domain::environment::{Environment, ServiceFiles, ServiceRule};
use crate::domain::history::snapshot::Person;
use crate::domain::ids::{EnvironmentName, RepositoryName, ServiceName};
use crate::ports::{MetricSource, Registries, SourceCode};
use crate::record::keys::RecordKeys;

/// The configuration file that is read when none is named.
pub(super) const DEFAULT_CONFIG: &str = "backout.yaml";

/// The files that were named, or the default one.
pub(super) fn config_files(common: &Common) -> Vec<PathBuf> {
    if common.config.is_empty() { vec![PathBuf::from(DEFAULT_CONFIG)] } else { common.config.clone() }
}

/// Whether a configuration was named or is there.
pub(super) fn has_config(common: &Common) -> bool {
    !common.config.is_empty() || Path::new(DEFAULT_CONFIG).exists()
}

/// Loads the configuration, with secrets from the environment.
pub(super) fn load(common: &Common) -> Result<Settings, ConfigErrors> {
    config::load(&config_files(common), &environment_variable)
}

/// The same for commands that need one.
pub(super) fn settings(common: &Common) -> anyhow::Result<Settings> {
    load(common).map_err(|errors| anyhow::anyhow!("the configuration cannot be used\n\n{errors}"))
}

#[expect(clippy::disallowed_methods, reason = "this is where the program's environment is read")]
fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Connects everything that the configuration names.
pub(super) fn connect(settings: &Settings) -> anyhow::Result<World> {
    connect_with(settings, |source| source)
}

/// The same, with what is done to each metric source.
pub(super) fn connect_with(
    settings: &Settings,
    each: impl Fn(Arc<dyn MetricSource>) -> Arc<dyn MetricSource>,
) -> anyhow::Result<World> {
    let names: Vec<RepositoryName> = settings.estates.iter().map(|estate| estate.name.clone()).collect();
    let mut sources = BTreeMap::new();
    for (name, options) in &settings.sources {
        let source = metrics::connect(options).with_context(|| format!("metric source {name}"))?;
        sources.insert(name.clone(), Source::new(each(Arc::from(source)), &names));
    }
    let estates: anyhow::Result<Vec<Arc<Estate>>> =
        settings.estates.iter().map(|estate| connect_estate(estate).map(Arc::new)).collect();
    let proven = |estate: &EstateSettings| !estate.repository.record_keys.is_empty();
    let registries = match settings.registries.as_slice() {
        [] => None,
        listed => Some(Arc::new(registry::connect(listed).context("the registries")?) as Arc<dyn Registries>),
    };
    let source_code = match settings.source_code.as_slice() {
        [] => None,
        listed => {
            let listed = ListedSourceCode::new(listed, tokio::runtime::Handle::current());
            Some(Arc::new(listed.context("the source of applications")?) as Arc<dyn SourceCode>)
        }
    };
    Ok(World {
        estates: estates?,
        sources,
        registries,
        source_code,
        clock: Arc::new(SystemClock),
        config: settings.digest.clone(),
        records_proven: settings.estates.iter().all(proven),
        memo: Arc::default(),
    })
}

fn connect_estate(settings: &EstateSettings) -> anyhow::Result<Estate> {
    let name = &settings.name;
    let forge = settings.forge.clone().map(forge::connect).transpose();
    let forge = forge.with_context(|| match name.as_str() {
        "repository" => "the forge".to_owned(),
        name => format!("the forge of {name}"),
    })?;
    let mut options = settings.repository.clone();
    if let Some(forge) = forge.as_ref().filter(|_| settings.git_by_forge) {
        options.auth = GitAuth::Forge(Arc::clone(&forge.tokens));
    }
    Ok(Estate {
        name: name.clone(),
        repository: Arc::new(GitRepository::open(options, tokio::runtime::Handle::current())?),
        forge: forge.map(|connected| connected.forge),
        environments: settings.environments.iter().cloned().map(Arc::new).collect(),
    })
}

/// Fails where the environment that was named is not there.
pub(super) fn ensure_known(world: &World, environment: Option<&str>) -> anyhow::Result<()> {
    let known: Vec<&str> = world.environments().map(|(_, environment)| environment.name.as_str()).collect();
    match environment {
        Some(name) if !known.contains(&name) => {
            anyhow::bail!("there is no environment {name}: there are {}", known.join(", "))
        }
        _ => Ok(()),
    }
}

/// A world without metrics: nothing is asked of anybody.
pub(super) fn only(estate: Estate) -> World {
    World {
        estates: vec![Arc::new(estate)],
        sources: BTreeMap::new(),
        registries: None,
        source_code: None,
        clock: Arc::new(SystemClock),
        config: String::new(),
        records_proven: false,
        memo: Arc::default(),
    }
}

/// An estate of one local repository: its current branch is the environment, and all of its files are one service.
pub(super) fn without_config(path: &Path) -> anyhow::Result<Estate> {
    let branch = current_branch(path).with_context(|| format!("{}", path.display()))?;
    let person = Person { name: "backout".to_owned(), email: "backout@localhost".to_owned() };
    let options = GitOptions {
        url: path.to_string_lossy().into_owned(),
        cache_dir: PathBuf::new(),
        auth: GitAuth::None,
        ssh: SshOptions::default(),
        author: person.clone(),
        committer: person,
        sign_off: false,
        signing: None,
        record_keys: RecordKeys::default(),
        http: HttpOptions::default(),
    };
    let repository = Arc::new(GitRepository::open(options, tokio::runtime::Handle::current())?);
    let directory =
        path.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let service = directory.and_then(|name| ServiceName::new(name.trim_end_matches(".git")).ok());
    let service = service.map_or_else(|| ServiceName::new("repository"), Ok)?;
    let name = EnvironmentName::new(branch.as_str()).or_else(|_| EnvironmentName::new("repository"))?;
    let files = ServiceFiles::Named(service, PathGlobs::new(vec!["**".to_owned()])?);
    let environment = Environment::new(name, branch, vec![ServiceRule::new(files)]);
    Ok(Estate {
        name: RepositoryName::new("repository")?,
        repository,
        forge: None,
        environments: vec![Arc::new(environment)],
    })
}
