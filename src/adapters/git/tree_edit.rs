//! Writing trees: a tree with some of its files changed, and no other byte.

use std::collections::BTreeMap;

use git2::{FileMode, ObjectType, Oid, Repository, Tree};

use super::fault::Fault;

/// What becomes of one file: a blob, or nothing.
pub(super) type Edits<'a> = BTreeMap<&'a str, Option<Oid>>;

/// Writes the tree that differs from `base` in these paths only and returns its id. Modes stay as they are; new files
/// are plain files; a directory that has lost its last file goes too.
pub(super) fn apply(
    repository: &Repository,
    base: Option<&Tree<'_>>,
    edits: &Edits<'_>,
) -> Result<Oid, Fault> {
    Ok(match edit(repository, base, edits, "")? {
        Some(tree) => tree,
        None => repository.treebuilder(None)?.write()?,
    })
}

/// Like [`apply`]; `None` when nothing is left.
fn edit(
    repository: &Repository,
    base: Option<&Tree<'_>>,
    edits: &Edits<'_>,
    above: &str,
) -> Result<Option<Oid>, Fault> {
    let mut builder = repository.treebuilder(base)?;
    let mut below: BTreeMap<&str, Edits<'_>> = BTreeMap::new();
    for (path, blob) in edits {
        match path.split_once('/') {
            Some((directory, rest)) => {
                below.entry(directory).or_default().insert(rest, *blob);
            }
            None => edit_file(&mut builder, path, *blob, above)?,
        }
    }
    for (name, edits) in below {
        let existing = builder.get(name)?.map(|entry| (entry.id(), entry.kind()));
        let subtree = match existing {
            None => None,
            Some((id, Some(ObjectType::Tree))) => Some(repository.find_tree(id)?),
            Some(_) => {
                return Err(Fault::broken(format!("{above}{name} is not a directory")));
            }
        };
        match edit(repository, subtree.as_ref(), &edits, &format!("{above}{name}/"))? {
            Some(tree) => drop(builder.insert(name, tree, FileMode::Tree.into())?),
            None if existing.is_some() => builder.remove(name)?,
            None => {}
        }
    }
    Ok(if builder.is_empty() { None } else { Some(builder.write()?) })
}

fn edit_file(
    builder: &mut git2::TreeBuilder<'_>,
    name: &str,
    blob: Option<Oid>,
    above: &str,
) -> Result<(), Fault> {
    let mode = builder.get(name)?.map(|entry| entry.filemode());
    match mode {
        None | Some(0o100_644 | 0o100_755 | 0o100_664) => {}
        Some(0o40_000) => return Err(Fault::broken(format!("{above}{name} is a directory, not a file"))),
        Some(_) => {
            return Err(Fault::broken(format!(
                "{above}{name} is a symbolic link or a submodule, and only plain files are changed"
            )));
        }
    }
    match blob {
        Some(blob) => drop(builder.insert(name, blob, mode.unwrap_or(0o100_644))?),
        None if mode.is_some() => builder.remove(name)?,
        None => {}
    }
    Ok(())
}
