//! Each repository with its forge, and which of them holds an environment, in whichever form they are written.

use super::forms::ONLY;
use super::types;

/// A repository as it is written.
pub(super) struct WrittenEstate<'w> {
    pub(super) name: &'w str,
    /// The keys below which it stands.
    pub(super) keys: Vec<&'w str>,
    pub(super) repository: &'w types::Repository,
    pub(super) forge: Option<WrittenForge<'w>>,
}

/// The forge of a repository as it is written.
pub(super) struct WrittenForge<'w> {
    /// The keys below which it stands.
    pub(super) keys: Vec<&'w str>,
    pub(super) wire: &'w types::Forge,
    /// All repositories that use it, by name.
    pub(super) users: Vec<(&'w str, &'w types::Repository)>,
}

/// The name of the repository that holds an environment. None where it is not clear, which has been told.
pub(super) fn repository_of<'c>(
    config: &'c types::Config,
    environment: &'c types::Environment,
) -> Option<&'c str> {
    match (&environment.repository, &config.repositories) {
        (Some(name), _) => Some(name),
        (None, None) => Some(ONLY),
        (None, Some(several)) => several.keys().next().filter(|_| several.len() == 1).map(String::as_str),
    }
}

/// All repositories, in the order of their names.
pub(super) fn written(config: &types::Config) -> Vec<WrittenEstate<'_>> {
    let several = config.repositories.iter().flatten();
    let only = config.repository.iter().map(|repository| WrittenEstate {
        name: ONLY,
        keys: vec!["repository"],
        repository,
        forge: config.forge.as_ref().map(|wire| WrittenForge {
            keys: vec!["forge"],
            wire,
            users: vec![(ONLY, repository)],
        }),
    });
    let by_name = several.clone().map(|(name, entry)| {
        let forge = entry.forge.as_ref().and_then(|forge| {
            let (forge, wire) = config.forges.as_ref()?.get_key_value(forge)?;
            let users = several.clone().filter(|(_, other)| other.forge.as_ref() == Some(forge));
            let users = users.map(|(user, entry)| (user.as_str(), &entry.repository)).collect();
            Some(WrittenForge { keys: vec!["forges", forge], wire, users })
        });
        WrittenEstate { name, keys: vec!["repositories", name], repository: &entry.repository, forge }
    });
    only.chain(by_name).collect()
}
