//! Joining the packs that fetches leave in a cache, and the single objects that the agent has made: with each of them every look at
//! an object takes longer.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};

use super::fault::Fault;
use super::packs;

/// From how many packs on they are joined: [`super::packs`] opens as many.
const MANY_PACKS: usize = 32;

/// The largest pack that is joined with others, in bytes. A clone, and the history of 90 days, stay as the server has packed them:
/// to pack these anew takes seconds.
const MAX_BYTES: u64 = 4 << 20;

/// Whether there are many packs in a bare repository that can be joined.
pub(super) fn is_due(directory: &Path) -> bool {
    small_packs(&directory.join("objects/pack")).is_ok_and(|packs| packs.len() > MANY_PACKS)
}

/// Puts the objects of the small packs, and the single ones, into one pack. Nobody else may use the repository meanwhile. What a kill
/// leaves behind is there twice, and is joined the next time.
///
/// [`Fault::Damaged`] says that one of them cannot be read.
pub(super) fn join_packs(repository: &Repository) -> Result<(), Fault> {
    let objects = repository.commondir().join("objects");
    let small = small_packs(&objects.join("pack"))?;
    let single = single_objects(&objects)?;
    let damaged = |error: git2::Error| Fault::Damaged(error.message().to_owned());
    let mut builder = repository.packbuilder()?;
    for index in &small {
        let ids = packs::ids_of(index);
        for id in ids.ok_or_else(|| Fault::Damaged(format!("{} is no index of a pack", index.display())))? {
            builder.insert_object(id, None).map_err(damaged)?;
        }
    }
    for (id, _) in &single {
        builder.insert_object(*id, None).map_err(damaged)?;
    }
    builder.write(&objects.join("pack"), 0o444).map_err(damaged)?;
    let joined = builder.name()?.map(|name| objects.join("pack").join(format!("pack-{name}.idx")));
    let joined = joined.filter(|index| index.exists());
    let joined = joined.ok_or_else(|| Fault::broken("the joined pack is not there".to_owned()))?;
    let old: Vec<&PathBuf> = small.iter().filter(|index| **index != joined).collect();
    if let Err(error) = old.iter().try_for_each(|index| remove_pack(index)) {
        // If no old pack could be removed, the joined one is removed: else each fetch would add one. It stays where it holds what an old
        // one held that is removed.
        if old.iter().all(|index| index.exists()) && !small.contains(&joined) {
            remove_pack(&joined).map_err(|error| stays(&error))?;
        }
        return Err(stays(&error));
    }
    for (_, path) in single {
        fs::remove_file(path).map_err(|error| stays(&error))?;
    }
    Ok(())
}

/// That an old file cannot be removed, which no rebuilt cache would mend.
fn stays(error: &std::io::Error) -> Fault {
    Fault::broken(format!("what was joined cannot be removed: {error}"))
}

/// Without its index a pack is not used: so that goes first.
fn remove_pack(index: &Path) -> std::io::Result<()> {
    fs::remove_file(index)?;
    fs::remove_file(index.with_extension("pack"))
}

/// The indices of the packs that are small.
fn small_packs(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let index = entry?.path();
        if index.extension().is_none_or(|extension| extension != "idx") {
            continue;
        }
        if fs::metadata(index.with_extension("pack")).is_ok_and(|pack| pack.len() <= MAX_BYTES) {
            found.push(index);
        }
    }
    Ok(found)
}

/// The objects that are files of their own.
fn single_objects(objects: &Path) -> Result<Vec<(Oid, PathBuf)>, Fault> {
    let mut found = Vec::new();
    for entry in fs::read_dir(objects)? {
        let directory = entry?.path();
        let Some(start) = name_of(&directory).filter(|name| name.len() == 2) else { continue };
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let id = name_of(&path).map(|rest| format!("{start}{rest}")).filter(|id| id.len() == 40);
            if let Some(id) = id.and_then(|id| Oid::from_str(&id).ok()) {
                found.push((id, path));
            }
        }
    }
    Ok(found)
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
