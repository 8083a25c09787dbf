//! Pins by Flux: the range of an `ImagePolicy` leaves versions out, or an `ImageUpdateAutomation` is suspended.
//!
//! Sources: <https://fluxcd.io/flux/components/image/imagepolicies/>,
//! <https://fluxcd.io/flux/components/image/imageupdateautomations/>, and for ranges
//! <https://github.com/Masterminds/semver#checking-version-constraints>.

use super::edit::{PinEdit, insert_below, replace, unsure};
use super::object::{only, read};
use super::types::NoPin;
use super::versions::semver;

pub(super) const POLICY: &str = "ImagePolicy";
pub(super) const AUTOMATION: &str = "ImageUpdateAutomation";

/// Leaves versions out of the range of a policy: `>=1.0.0` becomes `>=1.0.0, !=1.5.0`.
pub(super) fn exclude(text: &str, name: &str, versions: &[String]) -> Result<PinEdit, NoPin> {
    let scalars = read(text);
    let policy = only(&scalars, POLICY, name)?;
    let Some(range) = policy.at("spec.policy.semver.range") else {
        return unsure(format!("{POLICY} {name} has no semver range from which a version can be left out"));
    };
    if !policy.value("spec.filterTags.extract").is_empty() {
        return unsure(format!("{POLICY} {name} compares a part of each tag (`filterTags.extract`)"));
    }
    let narrowed = narrowed(&range.value, versions).map_err(|none| match none {
        NoPin::Unsure(why) => NoPin::Unsure(format!("{POLICY} {name}: {why}")),
        NoPin::Already => NoPin::Already,
    })?;
    replace(text, range, &narrowed, versions)
}

/// The range without these versions. A comma stands for "and" in every version of the library, also behind `1.0 - 2.0`.
fn narrowed(range: &str, versions: &[String]) -> Result<String, NoPin> {
    let mut excluded = Vec::new();
    for version in versions {
        let Some((numbers, rest)) = semver(version) else {
            return unsure(format!("{version} is no semantic version of three numbers"));
        };
        // A condition without a pre-release keeps every pre-release out.
        if rest.is_empty() && takes_prereleases(range) {
            return unsure(format!(
                "the range {range} takes pre-releases, all of which `!={version}` would keep out"
            ));
        }
        excluded.push(format!("!={}{rest}", numbers.map(|number| number.to_string()).join(".")));
    }
    let alternatives: Vec<&str> = range.split("||").collect();
    if alternatives.iter().any(|alternative| alternative.trim().is_empty()) {
        return unsure("its range is empty, or a part of it");
    }
    let mut is_new = false;
    let each = alternatives.iter().map(|alternative| {
        let has = |one: &&String| {
            let words = alternative.replace("!= ", "!=").replace("!=v", "!=");
            words.split([' ', ',']).any(|word| word == one.as_str())
        };
        let missing: Vec<&str> = excluded.iter().filter(|one| !has(one)).map(String::as_str).collect();
        is_new |= !missing.is_empty();
        let missing: String = missing.iter().map(|one| format!(", {one}")).collect();
        let end = alternative.len() - alternative.trim_end().len();
        let (kept, spaces) =
            alternative.split_at_checked(alternative.len() - end).unwrap_or((alternative, ""));
        format!("{kept}{missing}{spaces}")
    });
    let narrowed = each.collect::<Vec<_>>().join("||");
    if is_new { Ok(narrowed) } else { Err(NoPin::Already) }
}

/// Whether a range has a pre-release in it, such as `-0`.
fn takes_prereleases(range: &str) -> bool {
    let bytes = range.as_bytes();
    bytes.windows(2).any(|pair| matches!(pair, [a, b'-'] if a.is_ascii_alphanumeric() || *a == b'*'))
}

/// Suspends an automation.
pub(super) fn suspend(text: &str, name: &str, versions: &[String]) -> Result<PinEdit, NoPin> {
    let scalars = read(text);
    let automation = only(&scalars, AUTOMATION, name)?;
    match automation.at("spec.suspend") {
        Some(suspend) if suspend.value == "true" => Err(NoPin::Already),
        Some(suspend) if suspend.value == "false" => replace(text, suspend, "true", versions),
        Some(_) => unsure(format!("`suspend` of {AUTOMATION} {name} is neither true nor false")),
        None if automation.has("spec.suspend") => {
            unsure(format!("`suspend` of {AUTOMATION} {name} is no plain value"))
        }
        None => match automation.at("spec.interval") {
            Some(interval) => {
                let block = automation.address("spec");
                insert_below(text, interval, (&block, "suspend"), "true", versions)
            }
            None => {
                unsure(format!("{AUTOMATION} {name} has no `interval` beside which `suspend` would stand"))
            }
        },
    }
}
