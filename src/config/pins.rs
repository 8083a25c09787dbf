//! Pins: from the configuration to the domain's rules.

use super::context::Context;
use super::rule_types;
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::pin_rules::{FluxPin, PinField, PinRules};

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

impl Context<'_> {
    /// The pins of a policy.
    pub(super) fn pin_rules(&mut self, policy: &str, wire: &rule_types::Pin) -> PinRules {
        let usual = PinRules::default();
        let key = |key: &'static str| ["policies", policy, "pin", key];
        let for_secs = self.seconds(wire.r#for, usual.for_secs, self.place(&key("for")));
        let field = wire.field.as_ref().map(|field| {
            let place = self.place(&["policies", policy, "pin", "field", "file"]);
            if let Err(error) = NameTemplate::new(&field.file) {
                self.findings.add(place, error.to_string());
            } else if field.file.starts_with('/') || field.file.starts_with("./") {
                self.findings.add(
                    place,
                    "matches nothing: paths begin at the root of the repository, without / or ./",
                );
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
