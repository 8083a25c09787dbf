//! What deployments brought, as artifacts, and what a revert of them puts back.

use std::collections::{BTreeMap, BTreeSet};

use super::Deployment;
use crate::domain::artifact::Artifact;
use crate::domain::artifact::named::named_by;
use crate::domain::history::snapshot::{FileDiff, FileVersion};
use crate::domain::ids::FilePath;

/// An artifact that changes places with another one when deployments are taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What goes back.
    pub back: Artifact,
    /// What runs now in its place, where that can be told.
    pub replaced: Option<Artifact>,
}

/// The artifacts that a deployment brought.
#[must_use]
pub fn brought_by(deployment: &Deployment) -> BTreeSet<Artifact> {
    let of_file = |file: &FileDiff| named_in(file.new.as_ref(), &addresses(deployment, &file.path));
    deployment.files.iter().flat_map(of_file).map(|(_, artifact)| artifact).collect()
}

/// A file in the course of several changes.
struct Course<'d> {
    /// Where it is now.
    path: &'d FilePath,
    /// What it was before the first of them, and after the last.
    first: Option<&'d FileVersion>,
    last: Option<&'d FileVersion>,
    /// The addresses of the release fields that they changed.
    fields: BTreeSet<&'d str>,
}

/// What goes back where these changes of a service are taken back, newest first.
#[must_use]
pub fn exchanged(changes: &[Deployment]) -> Vec<Exchange> {
    let mut files: Vec<Course<'_>> = Vec::new();
    for change in changes.iter().rev() {
        for file in &change.files {
            let before = file.was.as_ref().unwrap_or(&file.path);
            let (path, last, fields) = (&file.path, file.new.as_ref(), addresses(change, &file.path));
            match files.iter_mut().find(|course| course.path == before) {
                Some(course) => {
                    (course.path, course.last) = (path, last);
                    course.fields.extend(fields);
                }
                None => files.push(Course { path, first: file.old.as_ref(), last, fields }),
            }
        }
    }
    let mut found: Vec<Exchange> = Vec::new();
    for Course { first, last, fields, .. } in files {
        let now = named_in(last, &fields);
        for (place, back) in named_in(first, &fields) {
            let exchange = Exchange { replaced: now.get(&place).cloned(), back };
            if exchange.replaced.as_ref() != Some(&exchange.back) && !found.contains(&exchange) {
                found.push(exchange);
            }
        }
    }
    found
}

/// The addresses of the release fields of a file.
fn addresses<'d>(deployment: &'d Deployment, path: &FilePath) -> BTreeSet<&'d str> {
    let of_file = deployment.fields.iter().filter(|field| field.path == *path);
    of_file.map(|field| field.address.as_str()).collect()
}

fn named_in(version: Option<&FileVersion>, fields: &BTreeSet<&str>) -> BTreeMap<String, Artifact> {
    version.and_then(FileVersion::text).map_or_else(BTreeMap::new, |text| named_by(text, fields))
}
