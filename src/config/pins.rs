//! Pins: from the configuration to the domain's rules.

use super::context::Context;
use super::report::suggestion;
use super::rule_types;
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::pin_rules::{FluxPin, PinField, PinRules};
use crate::domain::environment::policy::Policy;
use crate::domain::ids::FilePath;

/// The places that pins change, as addresses: what is written there is no release field.
pub(super) fn places(rules: &PinRules) -> Vec<String> {
    let mut places = Vec::new();
    match rules.flux {
        Some(FluxPin::Exclude) => places.push("*spec.policy.semver.range".to_owned()),
        Some(FluxPin::Suspend) => places.push("*spec.suspend".to_owned()),
        None => {}
    }
    if rules.argocd_image_updater {
        places.push("*[argocd-image-updater.argoproj.io/*.ignore-tags]".to_owned());
    }
    if let Some(field) = &rules.field {
        places.extend([field.key.clone(), format!("{}[*", field.key)]);
    }
    places
}

/// What a field of the user's own gets where nothing else is said.
const VALUE: &str = "{version}";

/// The names, in lower case and without `_` and `-`, that release fields usually have.
const RELEASE_KEYS: [&str; 11] = [
    "tag",
    "newtag",
    "imagetag",
    "image",
    "digest",
    "version",
    "imageversion",
    "appversion",
    "chartversion",
    "revision",
    "targetrevision",
];

/// The last step of an address, where it is the usual name of a release field.
fn release_key(address: &str) -> Option<&str> {
    let last = address.rsplit(['.', ' ', ':']).find(|step| !step.is_empty())?;
    let name = last.split('[').next().unwrap_or(last).trim_matches(['"', '\'']);
    let plain = name.replace(['_', '-'], "").to_lowercase();
    RELEASE_KEYS.contains(&plain.as_str()).then_some(name)
}

/// What is wrong with the template of a path, in words.
fn mistake_in_path(text: &str) -> Option<String> {
    let template = match NameTemplate::new(text) {
        Ok(template) => template,
        Err(error) => return Some(error.to_string()),
    };
    if text.starts_with('/') || text.starts_with("./") {
        return Some(
            "matches nothing: paths begin at the root of the repository, without / or ./".to_owned(),
        );
    }
    let example: Vec<(String, String)> =
        template.captures().map(|name| (name.to_owned(), "x".to_owned())).collect();
    let path = template.fill(&example.iter().collect::<Vec<_>>())?;
    FilePath::new(path).err().map(|error| error.to_string())
}

impl Context<'_> {
    /// Whether a service has every label that the path of the policy's pins names.
    pub(super) fn pin_labels(&mut self, (name, policy): (&str, &Policy), service: &str, labels: &[String]) {
        let Some(template) = policy.pin.field.as_ref().and_then(|field| NameTemplate::new(&field.file).ok())
        else {
            return;
        };
        let own =
            labels.iter().map(String::as_str).filter(|label| !matches!(*label, "service" | "environment"));
        let known: Vec<&str> = ["service", "environment"].into_iter().chain(own).collect();
        for used in template.captures().filter(|used| !known.contains(used)) {
            let message =
                format!("{service} has no label `{used}` for this path: {}", suggestion(used, &known));
            self.findings.add(self.place(&["policies", name, "pin", "field", "file"]), message);
        }
    }

    /// The pins of a policy.
    pub(super) fn pin_rules(&mut self, policy: &str, wire: &rule_types::Pin) -> PinRules {
        let usual = PinRules::default();
        let key = |key: &'static str| ["policies", policy, "pin", key];
        let for_secs = self.seconds(wire.r#for, usual.for_secs, self.place(&key("for")));
        let field = wire.field.as_ref().map(|field| {
            let place = self.place(&["policies", policy, "pin", "field", "file"]);
            if let Some(message) = mistake_in_path(&field.file) {
                self.findings.add(place, message);
            }
            if let Some(last) = release_key(&field.key) {
                let message = format!(
                    "`{last}` is a usual name of a release field: what stands where the agent pins counts as no release, so deployments \
                     would not be seen. Name a field that says what must not be deployed, such as `frozen_versions`"
                );
                self.findings.add(self.place(&["policies", policy, "pin", "field", "key"]), message);
            }
            if field.value.as_deref().is_some_and(|value| value.trim().is_empty()) {
                let message = "is empty, and would keep nothing out: write what the tool is to read there, such as `{version}`, or leave `value` out";
                self.findings.add(self.place(&["policies", policy, "pin", "field", "value"]), message);
            }
            PinField {
                file: field.file.clone(),
                key: field.key.clone(),
                value: field.value.clone().unwrap_or_else(|| VALUE.to_owned()),
            }
        });
        let rules = PinRules {
            flux: wire.flux,
            argocd_image_updater: wire.argocd_image_updater.unwrap_or(false),
            renovate: wire.renovate.unwrap_or(false),
            field,
            for_secs,
        };
        if rules.is_none() {
            let message = "pins nothing: name `flux`, `argocd_image_updater`, `renovate` or `field`, or leave `pin` out";
            self.findings.add(self.place(&["policies", policy, "pin"]), message);
        }
        rules
    }
}
