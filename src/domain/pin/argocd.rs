//! Pins by Argo CD Image Updater: the annotation `<alias>.ignore-tags` of an `Application`.
//!
//! Source: <https://argocd-image-updater.readthedocs.io/en/v0.17.0/configuration/images/>. From version 1.0 on the updater reads
//! annotations only where its `ImageUpdater` resource says `useAnnotations: true`.

use super::edit::{PinEdit, insert_below, replace, unsure};
use super::object::{NamedObject, only, read};
use super::types::NoPin;

pub(super) const APPLICATION: &str = "Application";
const PREFIX: &str = "argocd-image-updater.argoproj.io/";
const ANNOTATIONS: &str = "metadata.annotations";

/// The address of an annotation: a key with dots stands in brackets.
fn annotation(key: &str) -> String {
    format!("{ANNOTATIONS}[{key}]")
}

/// The images that an application has updated: each with its alias, where it has one.
pub(super) fn images<'s>(application: &NamedObject<'s>) -> Vec<(Option<&'s str>, &'s str)> {
    let list = application.value(&annotation(&format!("{PREFIX}image-list")));
    let image = |entry: &'s str| {
        let (alias, image) =
            entry.split_once('=').map_or((None, entry), |(alias, image)| (Some(alias.trim()), image));
        let image = image.trim();
        // What follows the last colon is a constraint, unless it is the port of a registry.
        let colon = image.rfind(':').filter(|at| !image.get(*at..).is_some_and(|rest| rest.contains('/')));
        (alias, colon.and_then(|at| image.get(..at)).unwrap_or(image))
    };
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(image).collect()
}

/// Adds versions to the tags that are ignored. `object` is the application, and the alias of the image behind a space.
pub(super) fn ignore(text: &str, object: &str, versions: &[String]) -> Result<PinEdit, NoPin> {
    let Some((name, alias)) = object.split_once(' ') else { return unsure("the image has no alias") };
    let scalars = read(text);
    let application = only(&scalars, APPLICATION, name)?;
    let key = format!("{PREFIX}{alias}.ignore-tags");
    let at = annotation(&key);
    if let Some(ignored) = application.at(&at) {
        let known: Vec<&str> = ignored.value.split(',').map(str::trim).collect();
        let missing: Vec<&str> =
            versions.iter().map(String::as_str).filter(|version| !known.contains(version)).collect();
        if missing.is_empty() {
            return Err(NoPin::Already);
        }
        let kept = ignored.value.trim().trim_end_matches(',');
        let all = [kept].into_iter().filter(|kept| !kept.is_empty()).chain(missing);
        return replace(text, ignored, &all.collect::<Vec<_>>().join(", "), versions);
    }
    if application.has(&at) {
        return unsure(format!("the annotation {key} of {APPLICATION} {name} is not written on one line"));
    }
    match application.at(&annotation(&format!("{PREFIX}image-list"))) {
        Some(list) => {
            let block = application.address(ANNOTATIONS);
            insert_below(text, list, (&block, &key), &versions.join(", "), versions)
        }
        None => unsure(format!("{APPLICATION} {name} has no annotation {PREFIX}image-list on one line")),
    }
}
