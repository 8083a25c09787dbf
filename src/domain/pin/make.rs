//! Finding the places for pins, and writing them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::object::{NamedObject, objects, read};
use super::types::{Mechanism, NoPin, Pin};
use super::{argocd, flux, own_field, renovate};
use crate::domain::deployment::{Deployment, FieldChange};
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::pin_rules::{FluxPin, PinRules};
use crate::domain::field::leaves::leaf::block;
use crate::domain::field::place::PlacedScalar;
use crate::domain::field::tokens::{image_parts, version_of};
use crate::domain::history::snapshot::FileDiff;
use crate::domain::history::trailers::MAX_TRAILERS;
use crate::domain::ids::{EnvironmentName, FilePath, ServiceName};

/// A version that is to stay out, and what is known of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadVersion {
    pub(super) path: FilePath,
    pub(super) address: String,
    pub(super) version: String,
    /// What it is a version of, where that is known: the image without its tag.
    pub(super) package: Option<String>,
    /// The image policy that Flux's marker beside it names: its namespace and its name.
    pub(super) policy: Option<(String, String)>,
}

/// The pins of a revert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The pins.
    pub pins: Vec<Pin>,
    /// The new text of each file that holds one.
    pub files: BTreeMap<FilePath, String>,
    /// The pins that are there already.
    pub already: Vec<Pin>,
    /// Why there is no pin where one was wanted, each in a sentence.
    pub without: Vec<String>,
}

/// Whether a file can hold pins of these rules, or says where one belongs. `own` is the file of [`own_file`].
#[must_use]
pub fn is_read(rules: &PinRules, own: Option<&FilePath>, path: &str) -> bool {
    let is_manifest = path.ends_with(".yaml") || path.ends_with(".yml");
    is_manifest && (rules.flux.is_some() || rules.argocd_image_updater)
        || rules.renovate && renovate::PLACES.contains(&path)
        || own.is_some_and(|own| own.as_str() == path)
}

/// Whether a text can matter for pins: it names one of their objects. Most manifests do not, and need not be parsed.
#[must_use]
pub fn may_matter(rules: &PinRules, own: Option<&FilePath>, path: &FilePath, text: &str) -> bool {
    let kinds = [
        (rules.flux == Some(FluxPin::Exclude)).then_some(flux::POLICY),
        (rules.flux == Some(FluxPin::Suspend)).then_some(flux::AUTOMATION),
        rules.argocd_image_updater.then_some(argocd::APPLICATION),
    ];
    own == Some(path)
        || renovate::PLACES.contains(&path.as_str())
        || kinds.into_iter().flatten().any(|kind| text.contains(kind))
}

/// The file of the user's own field for a service. None where no field is configured, or its template names what the service
/// does not have.
#[must_use]
pub fn own_file(rules: &PinRules, bad: &Deployment) -> Option<FilePath> {
    own_file_of(rules, &bad.service, &bad.environment, &bad.labels)
}

/// The same for a service of which nothing is bad.
#[must_use]
pub fn own_file_of(
    rules: &PinRules,
    service: &ServiceName,
    environment: &EnvironmentName,
    labels: &BTreeMap<String, String>,
) -> Option<FilePath> {
    let template = NameTemplate::new(&rules.field.as_ref()?.file).ok()?;
    FilePath::new(template.fill_for(service, environment, labels)?).ok()
}

/// Finds the places for the pins of a revert in these texts, and writes them. `changes` is what the revert takes back, newest first, up
/// to the bad deployment.
#[must_use]
pub fn make(
    rules: &PinRules,
    bad: &Deployment,
    changes: &[Deployment],
    texts: &BTreeMap<FilePath, String>,
) -> Made {
    let mut made = Made::default();
    let mut wanted: Vec<BadVersion> = Vec::new();
    for change in changes {
        for field in change.fields.iter().filter(|field| field.is_version()) {
            match bad_version(field, change.files.iter().find(|file| file.path == field.path)) {
                Ok(version) => wanted.push(version),
                Err(why) => made.without.push(format!("{}: {}: {why}", field.path, field.address)),
            }
        }
    }
    let mut places: BTreeMap<(Mechanism, FilePath, String), BTreeSet<String>> = BTreeMap::new();
    for mechanism in mechanisms(rules) {
        for version in &wanted {
            match place(rules, mechanism, bad, version, texts) {
                Ok((path, object)) => {
                    places.entry((mechanism, path, object)).or_default().insert(version.version.clone());
                }
                Err(why) => made.without.push(format!("{}: {why}", mechanism.name())),
            }
        }
    }
    for ((mechanism, path, object), versions) in places {
        let pin = Pin { mechanism, path, object, versions: versions.into_iter().collect() };
        write(&mut made, pin, texts);
    }
    made.without.sort();
    made.without.dedup();
    made
}

/// Writes a pin.
fn write(made: &mut Made, pin: Pin, texts: &BTreeMap<FilePath, String>) {
    let text = made.files.get(&pin.path).or_else(|| texts.get(&pin.path));
    let put = match text {
        Some(text) => pin.put(text).map(|edit| edit.apply(text)),
        None => Err(NoPin::Unsure("there is no such file".to_owned())),
    };
    let why = match put {
        Ok(_) if made.pins.len() >= MAX_TRAILERS => format!("more than {MAX_TRAILERS} pins are not written"),
        Ok(_) if !pin.is_told_in_full() => "its path or its name is too long for a trailer".to_owned(),
        Ok(text) => {
            made.files.insert(pin.path.clone(), text);
            made.pins.push(pin);
            return;
        }
        Err(NoPin::Already) => {
            made.already.push(pin);
            return;
        }
        Err(NoPin::Unsure(why)) => why,
    };
    made.without.push(format!("{}: {}: {why}", pin.mechanism.name(), pin.path));
}

pub(super) fn mechanisms(rules: &PinRules) -> impl Iterator<Item = Mechanism> {
    let flux = rules.flux.map(|flux| match flux {
        FluxPin::Exclude => Mechanism::FluxExclude,
        FluxPin::Suspend => Mechanism::FluxSuspend,
    });
    let others = [
        rules.argocd_image_updater.then_some(Mechanism::ArgocdImageUpdater),
        rules.renovate.then_some(Mechanism::Renovate),
        rules.field.as_ref().map(|_| Mechanism::OwnField),
    ];
    flux.into_iter().chain(others.into_iter().flatten())
}

/// The tag of a value: without the image before it and the digest behind it.
fn tag(text: &str) -> &str {
    let version = version_of(text);
    version.split('@').next().unwrap_or(version)
}

/// What is to be kept out of a field that a deployment changed.
fn bad_version(field: &FieldChange, file: Option<&FileDiff>) -> Result<BadVersion, String> {
    let (version, before) = (tag(&field.new), tag(&field.old));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    if version.is_empty() || version.len() > 128 || !version.chars().all(is_plain) {
        return Err("it has no version by which a tool could be told to leave it out".to_owned());
    }
    if version == before {
        return Err(format!("the version {version} stayed the same, and the good state has it too"));
    }
    let text = file.and_then(|file| file.new.as_ref()).and_then(|new| new.text()).unwrap_or("");
    let scalars = read(text);
    let found = scalars.iter().find(|one| one.address == field.address);
    let unquoted = field.new.trim_matches(['"', '\'']);
    let package = match image_parts(unquoted) {
        Some((repository, _)) => Some(repository.to_owned()),
        None => beside(&scalars, &field.address),
    };
    Ok(BadVersion {
        path: field.path.clone(),
        address: field.address.clone(),
        version: version.to_owned(),
        package,
        policy: found.and_then(|one| marker(text, one)),
    })
}

/// The name of the image or the chart beside a version.
pub(super) fn beside(scalars: &[PlacedScalar], address: &str) -> Option<String> {
    let block = block(address);
    let value = |key: &str| {
        let address = if block.is_empty() { key.to_owned() } else { format!("{block}.{key}") };
        let found = scalars.iter().find(|one| one.address == address);
        found.map(|one| one.value.as_str()).filter(|value| !value.is_empty())
    };
    let name = ["newName", "repository", "image", "name", "chart"].into_iter().find_map(value)?;
    let name = image_parts(name).map_or(name, |(repository, _)| repository);
    if name.contains([' ', '$', '{']) {
        return None;
    }
    Some(value("registry").map_or_else(|| name.to_owned(), |registry| format!("{registry}/{name}")))
}

/// The image policy that a marker names in the comment behind a scalar: `# {"$imagepolicy": "flux-system:web:tag"}`.
/// Source: <https://fluxcd.io/flux/guides/image-update/#configure-image-update-for-custom-resources>.
pub(super) fn marker(text: &str, scalar: &PlacedScalar) -> Option<(String, String)> {
    let rest = text.get(scalar.span.end..)?.lines().next()?;
    let comment = rest.split_once('#')?.1.trim();
    let end = comment.find('}')?;
    let marker: Value = serde_json::from_str(comment.get(..=end)?).ok()?;
    let mut parts = marker.get("$imagepolicy")?.as_str()?.split(':');
    Some((parts.next()?.to_owned(), parts.next().filter(|name| !name.is_empty())?.to_owned()))
}

/// Where a mechanism keeps a version out: the file, and the object in it.
fn place(
    rules: &PinRules,
    mechanism: Mechanism,
    bad: &Deployment,
    version: &BadVersion,
    texts: &BTreeMap<FilePath, String>,
) -> Result<(FilePath, String), String> {
    match mechanism {
        Mechanism::FluxExclude => policy_of(version, texts),
        Mechanism::FluxSuspend => automation_of(version, texts),
        Mechanism::ArgocdImageUpdater => application_of(version, texts),
        Mechanism::Renovate => {
            let found =
                renovate::PLACES.iter().find_map(|place| texts.keys().find(|path| path.as_str() == *place));
            let path = found.ok_or("there is no configuration of Renovate in the repository")?;
            let package = version.package.as_ref();
            let package =
                package.ok_or_else(|| format!("it is not clear what {} is a version of", version.address))?;
            Ok((path.clone(), package.clone()))
        }
        Mechanism::OwnField => {
            let field = rules.field.as_ref().ok_or("no field is configured")?;
            let path =
                own_file(rules, bad).ok_or_else(|| format!("no path can be made of {}", field.file))?;
            Ok((path, own_field::object(&field.key, &field.value)))
        }
    }
}

/// The one object of a kind for which `is_it` holds, with its file.
fn one_object(
    texts: &BTreeMap<FilePath, String>,
    kind: &str,
    what: &str,
    name_of: impl Fn(&FilePath, &NamedObject<'_>) -> Option<String>,
) -> Result<(FilePath, String), String> {
    let mut found = Vec::new();
    for (path, text) in texts.iter().filter(|(_, text)| text.contains(kind)) {
        let scalars = read(text);
        let objects = objects(&scalars, kind);
        let names = objects.iter().filter_map(|object| name_of(path, object));
        found.extend(names.map(|name| (path.clone(), name)));
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(format!("there is no {kind} {what} in the repository")),
        several => {
            let paths: Vec<&str> = several.iter().take(3).map(|(path, _)| path.as_str()).collect();
            Err(format!("there are {} {kind} {what}, such as in {}", several.len(), paths.join(" and ")))
        }
    }
}

pub(super) fn policy_of(
    version: &BadVersion,
    texts: &BTreeMap<FilePath, String>,
) -> Result<(FilePath, String), String> {
    let no_marker = || format!("{}: no marker of Flux stands beside {}", version.path, version.address);
    let (namespace, name) = version.policy.as_ref().ok_or_else(no_marker)?;
    let full = format!("{namespace}/{name}");
    let exact = one_object(texts, flux::POLICY, &full, |_, one| (one.name == full).then(|| full.clone()));
    match exact {
        // Kustomize may set the namespace.
        Err(_) => one_object(texts, flux::POLICY, &full, |_, one| {
            let is_it = one.bare_name() == name && one.namespace().is_none_or(|own| own == namespace);
            is_it.then(|| one.name.clone())
        }),
        found => found,
    }
}

/// The automation that updates the file: it stands in the namespace of the policy, and its path leads there.
pub(super) fn automation_of(
    version: &BadVersion,
    texts: &BTreeMap<FilePath, String>,
) -> Result<(FilePath, String), String> {
    let no_marker = || format!("{}: no marker of Flux stands beside {}", version.path, version.address);
    let (namespace, _) = version.policy.as_ref().ok_or_else(no_marker)?;
    let what = format!("of the namespace {namespace} that updates {}", version.path);
    one_object(texts, flux::AUTOMATION, &what, |_, one| {
        let is_near = one.namespace().is_none_or(|own| own == namespace);
        (is_near && leads_to(one.value("spec.update.path"), &version.path)).then(|| one.name.clone())
    })
}

/// Whether a directory is the one of a file, or one above it.
fn leads_to(directory: &str, path: &FilePath) -> bool {
    let directory = directory.trim_start_matches("./").trim_matches('/');
    let rest = path.as_str().strip_prefix(directory);
    matches!(directory, "" | ".") || rest.is_some_and(|rest| rest.starts_with('/'))
}

/// The application that runs what is in the file, and the alias of the image in it.
pub(super) fn application_of(
    version: &BadVersion,
    texts: &BTreeMap<FilePath, String>,
) -> Result<(FilePath, String), String> {
    let what = format!("with an image list for {}", version.path);
    let (path, found) = one_object(texts, argocd::APPLICATION, &what, |path, one| {
        let is_own = *path == version.path && version.address.starts_with(&one.address(""));
        let mut sources =
            one.under("spec.source").filter(|(rest, _)| is_path(rest)).map(|(_, path)| &path.value);
        let is_source = sources.any(|path| leads_to_named(path, &version.path));
        if argocd::images(one).is_empty() || !(is_source || is_own) {
            return None;
        }
        Some(format!("{}\n{}", one.name, alias_of(one, version.package.as_deref())))
    })?;
    let (name, alias) = found.split_once('\n').unwrap_or((&found, ""));
    match alias {
        "" => Err(format!("{path}: it is not clear which image of {name} is meant, or it has no alias")),
        alias => Ok((path, format!("{name} {alias}"))),
    }
}

/// Whether the rest of an address behind `spec.source` is that of a path: `.path`, or `s[…].path`.
fn is_path(rest: &str) -> bool {
    rest == ".path" || rest.starts_with("s[") && rest.ends_with("].path")
}

/// The same as [`leads_to`] for a path that has to be written.
fn leads_to_named(directory: &str, path: &FilePath) -> bool {
    !directory.is_empty() && leads_to(directory, path)
}

/// The alias of an image in the list of an application; empty where none or several are meant, or it has none.
fn alias_of(application: &NamedObject<'_>, package: Option<&str>) -> String {
    let images = argocd::images(application);
    let is_it = |image: &str| package.is_none_or(|package| image == package);
    let meant: Vec<Option<&str>> =
        images.iter().filter(|(_, image)| is_it(image)).map(|(alias, _)| *alias).collect();
    match meant.as_slice() {
        [Some(alias)] => (*alias).to_owned(),
        _ => String::new(),
    }
}
