//! Pins by Renovate: a package rule allows all versions of a package but some.
//!
//! Source: <https://docs.renovatebot.com/configuration-options/#allowedversions>. Of several rules for a package the last one counts,
//! so that a rule of the user's own with `allowedVersions` would win over the pin, or lose to it.

use serde_json::{Value, json};

use super::edit::{PinEdit, indent, line_at, line_end, unsure};
use super::json::values_of;
use super::types::NoPin;

const RULES: &str = "packageRules";
const ALLOWED: &str = "allowedVersions";

/// Where Renovate looks for its configuration in a repository, in its order; the first that is there counts.
/// Source: <https://docs.renovatebot.com/configuration-options/>.
pub(super) const PLACES: [&str; 11] = [
    "renovate.json",
    "renovate.jsonc",
    "renovate.json5",
    ".github/renovate.json",
    ".github/renovate.jsonc",
    ".github/renovate.json5",
    ".gitlab/renovate.json",
    ".gitlab/renovate.jsonc",
    ".gitlab/renovate.json5",
    ".renovaterc",
    ".renovaterc.json",
];

/// Adds a rule for a package, as the first of all: then it stays one piece, whatever is written behind it.
pub(super) fn disallow(text: &str, package: &str, versions: &[String]) -> Result<PinEdit, NoPin> {
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Ok(Value::Object(before)) = serde_json::from_str::<Value>(bare) else {
        return unsure("it is no plain JSON, such as JSON with comments: add the rule by hand");
    };
    let allowed = allowed(versions);
    let rules = match before.get(RULES) {
        None => &[][..],
        Some(Value::Array(rules)) => rules.as_slice(),
        Some(_) => return unsure(format!("`{RULES}` is no list")),
    };
    for rule in rules.iter().filter(|rule| may_be_of(rule, package)) {
        match rule.get(ALLOWED) {
            Some(Value::String(known)) if *known == allowed => return Err(NoPin::Already),
            Some(_) => return unsure(format!("another rule with `{ALLOWED}` may be for {package}")),
            None => {}
        }
    }
    if before
        .get("ignoreDeps")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|one| one == package))
    {
        return Err(NoPin::Already);
    }
    let told = format!("backout keeps {} out: it was backed out", versions.join(" and "));
    let rule = json!({ "description": told, "matchPackageNames": [package], ALLOWED: allowed });
    let edit = match values_of(text, RULES).as_slice() {
        [] => {
            let Some(open) = text.find('{') else { return unsure("it is no object") };
            insert(text, open, &format!("\"{RULES}\": [{rule}]"))
        }
        [open] => insert(text, *open, &rule.to_string()),
        _ => return unsure(format!("`{RULES}` stands there twice")),
    };
    let mut wanted = before.clone();
    let mut with_rule = vec![rule];
    with_rule.extend(rules.iter().cloned());
    wanted.insert(RULES.to_owned(), Value::Array(with_rule));
    let after = edit.apply(text);
    let after = serde_json::from_str::<Value>(after.strip_prefix('\u{feff}').unwrap_or(&after));
    if after.is_ok_and(|after| after == Value::Object(wanted)) {
        Ok(edit)
    } else {
        unsure("it does not read right with the rule")
    }
}

/// All versions but these. With or without a `v`, as Renovate knows a version by the tag.
fn allowed(versions: &[String]) -> String {
    let escaped = |version: &String| {
        let bare = version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let bare = bare.unwrap_or(version);
        let start = if bare.starts_with(|c: char| c.is_ascii_digit()) { "v?" } else { "" };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let text: String =
            bare.chars().map(|c| if is_plain(c) { c.to_string() } else { format!("\\{c}") }).collect();
        format!("{start}{text}")
    };
    format!("!/^(?:{})$/", versions.iter().map(escaped).collect::<Vec<_>>().join("|"))
}

/// Whether a rule can be for a package: one that names others alone, each by its whole name, is not.
fn may_be_of(rule: &Value, package: &str) -> bool {
    let is_whole = |name: &str| !name.starts_with(['!', '/']) && !name.contains(['*', '{']);
    match rule.get("matchPackageNames").and_then(Value::as_array) {
        None => true,
        Some(names) => names.iter().any(|name| {
            name.as_str().is_none_or(|name| name.eq_ignore_ascii_case(package) || !is_whole(name))
        }),
    }
}

/// Writes something as the first within the bracket at `open`: on a line of its own where the rest stands on such lines.
fn insert(text: &str, open: usize, new: &str) -> PinEdit {
    let line = line_at(text, open);
    let rest = text.get(open + 1..).unwrap_or("");
    let is_empty = rest.trim_start().starts_with([']', '}']);
    let comma = if is_empty { "" } else { "," };
    let of_line = text.get(open + 1..line.end).unwrap_or("");
    if of_line.trim().is_empty() && line.end < text.len() {
        let next = line_at(text, text.len() - rest.trim_start().len());
        let end = line_end(text, &line);
        let margin =
            if is_empty { format!("{}  ", indent(text, &next)) } else { indent(text, &next).to_owned() };
        return PinEdit { lines: line.end..line.end, new: format!("{margin}{new}{comma}{end}") };
    }
    let before = text.get(line.start..=open).unwrap_or("");
    let space = if is_empty { "" } else { " " };
    PinEdit { lines: line, new: format!("{before}{new}{comma}{space}{}", of_line.trim_start_matches(' ')) }
}
