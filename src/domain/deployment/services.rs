//! The services of which a commit changed files.

use std::collections::BTreeMap;

use super::beyond::{grown_file, named_after, too_many_parts};
use super::compared::{Documents, SharedFields};
use super::entry_files::parts_of;
use crate::domain::environment::{Environment, ServiceMatch};
use crate::domain::history::moves::successor;
use crate::domain::history::snapshot::FileDiff;
use crate::domain::ids::ServiceName;

/// A service with its files that a commit changed.
pub(super) struct OfService<'e> {
    pub(super) found: ServiceMatch<'e>,
    pub(super) files: Vec<FileDiff>,
    pub(super) shared: SharedFields,
}

/// The services of which a commit changed files, or entries of a file, with these files. And those of files with more changed
/// entries than are worked on, with why.
pub(super) fn services_of<'e>(
    changed: &[FileDiff],
    environment: &'e Environment,
    documents: &Documents,
) -> (BTreeMap<ServiceName, OfService<'e>>, Vec<(ServiceMatch<'e>, String)>) {
    let mut services: BTreeMap<ServiceName, OfService<'e>> = BTreeMap::new();
    let mut beyond = Vec::new();
    let mut add = |service: Option<ServiceMatch<'e>>, file: FileDiff, shared: SharedFields| {
        if let Some(found) = service {
            let new = OfService { found, files: Vec::new(), shared: SharedFields::default() };
            let of_service = services.entry(new.found.name.clone()).or_insert(new);
            of_service.files.push(file);
            of_service.shared.fields.extend(shared.fields);
            of_service.shared.has_release |= shared.has_release;
        }
    };
    let mut shared: BTreeMap<usize, Vec<FileDiff>> = BTreeMap::new();
    for file in changed {
        let Some(found) = environment.rule_of(file.path.as_str()) else { continue };
        match found.rule.each {
            None => add(found.service(&[]), file.clone(), SharedFields::default()),
            Some(_) => shared.entry(found.rule_index).or_default().push(file.clone()),
        }
    }
    for mut files in shared.into_values() {
        join_moved(&mut files);
        for file in files {
            let Some(found) = environment.rule_of(file.path.as_str()) else { continue };
            let Some(pattern) = &found.rule.each else { continue };
            let parts = parts_of(&file, pattern, &found.rule.policy.fields, documents);
            if parts.is_none() && !documents.is_over() {
                beyond.extend(too_many_parts(&found, &file));
            } else if let Some(why) = grown_file(std::slice::from_ref(&file)) {
                beyond.extend(named_after(&found, &file).map(|service| (service, why)));
            }
            for (captured, part, shared) in parts.unwrap_or_default() {
                add(found.service(&captured), part, shared);
            }
        }
    }
    for of_service in services.values_mut() {
        join_moved(&mut of_service.files);
    }
    (services, beyond)
}

/// Makes one file of a removed one and the added one that took its place.
fn join_moved(files: &mut Vec<FileDiff>) {
    let gone: Vec<FileDiff> = files.iter().filter(|file| file.new.is_none()).cloned().collect();
    for removed in gone {
        let Some(path) = successor(files, &removed).map(|added| added.path.clone()) else { continue };
        for file in files.iter_mut().filter(|file| file.path == path) {
            file.was = Some(removed.path.clone());
            file.old.clone_from(&removed.old);
            file.turned = file.turned.take().or_else(|| removed.turned.clone());
        }
        files.retain(|file| file.path != removed.path);
    }
}
