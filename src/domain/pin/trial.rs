//! Whether a pin of a service would find its place, before anything has to be pinned.

use std::collections::{BTreeMap, BTreeSet};

use super::make::{BadVersion, application_of, automation_of, beside, marker, mechanisms, policy_of};
use super::object::read;
use super::types::{Mechanism, NoPin, Pin};
use super::{own_field, renovate};
use crate::domain::environment::pin_rules::PinRules;
use crate::domain::field::tokens::image_parts;
use crate::domain::ids::FilePath;

/// A version that nobody has deployed.
const TRIED: &str = "0.0.0";

/// What a trial looks at.
#[derive(Clone, Copy, Debug)]
pub struct PlaceTrial<'t> {
    /// The files of the service.
    pub files: &'t BTreeMap<FilePath, String>,
    /// The files that can hold pins, but for the one of the user's own field.
    pub places: &'t BTreeMap<FilePath, String>,
    /// The file of the user's own field, with its text where it is there. None where no path can be made of its template.
    pub own: Option<(&'t FilePath, Option<&'t str>)>,
}

/// The tools for which a pin of the service would find no place, each with why.
#[must_use]
pub fn without_place(rules: &PinRules, trial: PlaceTrial<'_>) -> Vec<(Mechanism, String)> {
    let tried = mechanisms(rules).filter_map(|mechanism| {
        let found = match mechanism {
            Mechanism::FluxExclude | Mechanism::FluxSuspend => by_flux(mechanism, trial),
            Mechanism::ArgocdImageUpdater => by_argocd(trial),
            Mechanism::Renovate => by_renovate(trial),
            Mechanism::OwnField => by_own_field(rules, trial),
        };
        Some((mechanism, found.err()?))
    });
    tried.collect()
}

/// Whether the pin can be written, or is there.
fn is_put(
    mechanism: Mechanism,
    (path, object): (FilePath, String),
    text: Option<&str>,
) -> Result<(), String> {
    let Some(text) = text else { return Err(format!("there is no file {path}")) };
    let pin = Pin { mechanism, path, object, versions: vec![TRIED.to_owned()] };
    match pin.put(text) {
        Ok(_) | Err(NoPin::Already) => Ok(()),
        Err(NoPin::Unsure(why)) => Err(format!("{}: {why}", pin.path)),
    }
}

/// Each marker in the files has to lead to an object.
fn by_flux(mechanism: Mechanism, trial: PlaceTrial<'_>) -> Result<(), String> {
    let mut is_marked = false;
    for (path, text) in trial.files.iter().filter(|(_, text)| text.contains("$imagepolicy")) {
        for scalar in read(text) {
            let Some(policy) = marker(text, &scalar) else { continue };
            is_marked = true;
            let version = tried(path, scalar.address, None, Some(policy));
            let place = match mechanism {
                Mechanism::FluxSuspend => automation_of(&version, trial.places),
                Mechanism::FluxExclude
                | Mechanism::ArgocdImageUpdater
                | Mechanism::Renovate
                | Mechanism::OwnField => policy_of(&version, trial.places),
            }?;
            let text = trial.places.get(&place.0).map(String::as_str);
            is_put(mechanism, place, text)?;
        }
    }
    if is_marked { Ok(()) } else { Err("no marker of Flux stands in its files".to_owned()) }
}

fn tried(
    path: &FilePath,
    address: String,
    package: Option<String>,
    policy: Option<(String, String)>,
) -> BadVersion {
    BadVersion { path: path.clone(), address, version: TRIED.to_owned(), package, policy }
}

/// One of the files has to be what an application runs, with an image that is updated.
fn by_argocd(trial: PlaceTrial<'_>) -> Result<(), String> {
    let mut why = None;
    for (path, text) in trial.files {
        let scalars = read(text);
        let package = |address: &str, value: &str| {
            image_parts(value).map(|(image, _)| image.to_owned()).or_else(|| beside(&scalars, address))
        };
        let mut images: BTreeMap<Option<String>, String> = BTreeMap::new();
        for scalar in &scalars {
            images.entry(package(&scalar.address, &scalar.value)).or_insert_with(|| scalar.address.clone());
        }
        for (image, address) in images {
            let version = tried(path, address, image, None);
            let place = match application_of(&version, trial.places) {
                Ok(place) => place,
                Err(none) => {
                    why.get_or_insert(none);
                    continue;
                }
            };
            let text = trial.places.get(&place.0).map(String::as_str);
            return is_put(Mechanism::ArgocdImageUpdater, place, text);
        }
    }
    Err(why.unwrap_or_else(|| "it has no file that could be read".to_owned()))
}

fn by_renovate(trial: PlaceTrial<'_>) -> Result<(), String> {
    let found = renovate::PLACES
        .iter()
        .find_map(|place| trial.places.iter().find(|(path, _)| path.as_str() == *place));
    let (path, text) = found.ok_or("there is no configuration of Renovate in the repository")?;
    is_put(Mechanism::Renovate, (path.clone(), "backout/trial".to_owned()), Some(text))
}

/// A field that holds something is there: it may be a pin.
fn by_own_field(rules: &PinRules, trial: PlaceTrial<'_>) -> Result<(), String> {
    let field = rules.field.as_ref().ok_or("no field is configured")?;
    let (path, text) = trial.own.ok_or_else(|| format!("no path can be made of {}", field.file))?;
    let addresses: BTreeSet<String> =
        read(text.unwrap_or_default()).into_iter().map(|one| one.address).collect();
    if addresses.contains(&field.key) {
        return Ok(());
    }
    is_put(Mechanism::OwnField, (path.clone(), own_field::object(&field.key, &field.value)), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::pin_rules::{FluxPin, PinField};

    const APP: &str =
        "image:\n  repository: shop/web\n  tag: 1.0.0 # {\"$imagepolicy\": \"flux-system:web:tag\"}\n";
    const POLICY: &str = "kind: ImagePolicy\nmetadata: {name: web, namespace: flux-system}\nspec: {policy: {semver: {range: 1.x}}}\n";
    const NUMERICAL: &str = "kind: ImagePolicy\nmetadata: {name: web, namespace: flux-system}\nspec: {policy: {numerical: {order: asc}}}\n";
    const AUTOMATION: &str = "kind: ImageUpdateAutomation\nmetadata: {name: all, namespace: flux-system}\nspec:\n  interval: 5m\n  update: {path: ./apps}\n";
    const APPLICATION: &str = "kind: Application\nmetadata:\n  name: web\n  annotations:\n    argocd-image-updater.argoproj.io/image-list: app=shop/web, other=shop/other\nspec: {source: {path: apps/web}}\n";

    #[test]
    fn a_pin_finds_its_place_or_says_why_not() {
        let field =
            |key: &str| PinField { file: "f".to_owned(), key: key.to_owned(), value: "{version}".to_owned() };
        let usual = PinRules::default;
        let exclude = PinRules { flux: Some(FluxPin::Exclude), ..usual() };
        let suspend = PinRules { flux: Some(FluxPin::Suspend), ..usual() };
        let argocd = PinRules { argocd_image_updater: true, ..usual() };
        let renovate = PinRules { renovate: true, ..usual() };
        let own = PinRules { field: Some(field("frozen")), ..usual() };
        let plain = "image: {repository: shop/web, tag: 1.0.0}\n";
        for (rules, app, place, wanted) in [
            (&exclude, APP, ("a.yaml", POLICY), None),
            (
                &exclude,
                APP,
                ("a.yaml", AUTOMATION),
                Some("there is no ImagePolicy flux-system/web in the repository"),
            ),
            (&exclude, APP, ("a.yaml", NUMERICAL), Some("has no semver range")),
            (&exclude, plain, ("a.yaml", POLICY), Some("no marker of Flux stands in its files")),
            (&suspend, APP, ("a.yaml", AUTOMATION), None),
            (&suspend, APP, ("a.yaml", POLICY), Some("there is no ImageUpdateAutomation")),
            (&argocd, plain, ("a.yaml", APPLICATION), None),
            (&argocd, plain, ("a.yaml", POLICY), Some("there is no Application")),
            (
                &argocd,
                "image: {repository: shop/else, tag: 1.0.0}\n",
                ("a.yaml", APPLICATION),
                Some("not clear which image"),
            ),
            (&renovate, plain, ("renovate.json", "{}"), None),
            (&renovate, plain, ("renovate.json", "// mine\n{}"), Some("renovate.json: it is no plain JSON")),
            (&renovate, plain, ("else/renovate.json", "{}"), Some("there is no configuration of Renovate")),
            (&own, plain, ("f", "frozen: []\n"), None),
            (&own, plain, ("f", "frozen:\n"), None),
            (&own, plain, ("f", "frozen: \"\"\n"), None),
            // It may be a pin.
            (&own, plain, ("f", "frozen: 1.5.0\n"), None),
            (&own, plain, ("f", "frozen: [1.5.0]\n"), None),
            (&own, plain, ("f", "other: []\n"), Some("f: there is no field frozen")),
            (&own, plain, ("g", "frozen: []\n"), Some("there is no file f")),
        ] {
            let files = BTreeMap::from([("apps/web/values.yaml".parse().unwrap(), app.to_owned())]);
            let places = BTreeMap::from([(place.0.parse().unwrap(), place.1.to_owned())]);
            let path: FilePath = "f".parse().unwrap();
            let text = (place.0 == "f").then_some(place.1);
            let trial = PlaceTrial { files: &files, places: &places, own: Some((&path, text)) };
            let told = without_place(rules, trial).pop().map(|(_, why)| why);
            match wanted {
                None => assert_eq!(told, None, "{place:?}"),
                Some(part) => {
                    assert!(told.as_ref().is_some_and(|why| why.contains(part)), "{place:?}: {told:?}")
                }
            }
        }
    }
}
