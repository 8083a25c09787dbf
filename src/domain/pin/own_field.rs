//! Pins by a field of the user's own: a value that is set, or a list to which one is added.

use super::edit::{PinEdit, commented, indent, line_at, line_end, replace, unsure};
use super::object::read;
use super::types::{NoPin, Pin};
use crate::domain::field::place::PlacedScalar;

/// What stands between the address of a field and what is written there, where that is not the version alone.
const WRITES: &str = " <- ";
/// The version in what is written.
pub(super) const VERSION: &str = "{version}";

/// The place of a pin by this field.
pub(super) fn object(key: &str, value: &str) -> String {
    if value == VERSION { key.to_owned() } else { format!("{key}{WRITES}{value}") }
}

/// Writes versions to the field.
pub(super) fn set(pin: &Pin, text: &str) -> Result<PinEdit, NoPin> {
    let (key, template) = pin.object.split_once(WRITES).unwrap_or((&pin.object, VERSION));
    let mut values: Vec<String> =
        pin.versions.iter().map(|version| template.replace(VERSION, version)).collect();
    values.dedup();
    if values.iter().any(|value| value.contains(['"', '\'', '\\', '\n'])) {
        return unsure(format!("{key} would hold quotes"));
    }
    // JSON has no comments.
    let versions = if pin.path.as_str().ends_with(".json") { &[][..] } else { &pin.versions };
    let scalars = read(text);
    if let Some(field) = scalars.iter().find(|one| one.address == key) {
        let [value] = values.as_slice() else {
            return unsure(format!("{key} holds one value, and several versions are to stay out"));
        };
        return match field.value.as_str() {
            known if known == value => Err(NoPin::Already),
            "" | "~" | "null" | "none" | "false" => replace(text, field, value, versions),
            known => unsure(format!("{key} holds {known} already")),
        };
    }
    let start = format!("{key}[");
    let items: Vec<&PlacedScalar> = scalars.iter().filter(|one| one.address.starts_with(&start)).collect();
    values.retain(|value| items.iter().all(|item| item.value != *value));
    if values.is_empty() {
        return Err(NoPin::Already);
    }
    let edit = match items.last() {
        Some(last) => append(text, last, &values, versions),
        None => fill_empty(text, key, &values, versions),
    }?;
    is_read_right(text, &edit, &start, &values)?;
    Ok(edit)
}

/// Adds items behind the last one of a list.
fn append(text: &str, last: &PlacedScalar, values: &[String], versions: &[String]) -> Result<PinEdit, NoPin> {
    let line = line_at(text, last.span.start);
    if last.span.end > line.end {
        return unsure(format!("{} is not written on one line", last.address));
    }
    let before = text.get(line.start..last.span.start).unwrap_or("");
    let (margin, end) = (indent(text, &line), line_end(text, &line));
    if before.trim() == "-" {
        let dash = format!("-{}", before.trim_start().get(1..).unwrap_or(" "));
        let own: String = values
            .iter()
            .enumerate()
            .map(|(index, value)| match index {
                0 if !versions.is_empty() => {
                    commented(margin, &format!("{dash}\"{value}\"{end}"), end, versions)
                }
                _ => format!("{margin}{dash}\"{value}\"{end}"),
            })
            .collect();
        if text.get(line.clone()).is_some_and(|line| line.ends_with('\n')) {
            return Ok(PinEdit { lines: line.end..line.end, new: own });
        }
        let raw = text.get(line.clone()).unwrap_or("");
        let own = own.strip_suffix(end).unwrap_or(&own).to_owned();
        return Ok(PinEdit { new: format!("{raw}{end}{own}"), lines: line });
    }
    let own: String = values.iter().map(|value| format!(", \"{value}\"")).collect();
    let raw = |from: usize, to: usize| text.get(from..to).unwrap_or("");
    let filled = format!("{}{own}{}", raw(line.start, last.span.end), raw(last.span.end, line.end));
    Ok(PinEdit { new: told_above(&filled, margin, end, versions), lines: line })
}

/// Fills a list in which nothing is: `frozen_versions: []`.
fn fill_empty(text: &str, key: &str, values: &[String], versions: &[String]) -> Result<PinEdit, NoPin> {
    let last = key.rsplit(['.', ' ']).next().unwrap_or(key);
    let names = [format!("{last}:"), format!("\"{last}\":")];
    let mut found = Vec::new();
    let mut at = 0;
    for raw in text.split_inclusive('\n') {
        let value = |name: &String| {
            let (before, value) = raw.split_once(name.as_str())?;
            let is_key = before.trim().is_empty() || before.trim_end().ends_with(['{', ',']);
            is_key.then_some(value)
        };
        found.extend(names.iter().find_map(value).map(|value| (at, value)));
        at += raw.len();
    }
    let [(start, rest)] = found.as_slice() else {
        return unsure(format!("there is no field {key}, or there are several"));
    };
    let Some(open) = rest.trim_start().strip_prefix('[').filter(|rest| rest.trim_start().starts_with(']'))
    else {
        return unsure(format!("{key} is neither a value nor a list on one line"));
    };
    let line = line_at(text, *start);
    let open = line.end - open.len();
    let own: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    let before = text.get(line.start..open).unwrap_or("");
    let after = text.get(open..line.end).unwrap_or("").trim_start();
    let filled = format!("{before}{}{after}", own.join(", "));
    let (margin, end) = (indent(text, &line), line_end(text, &line));
    Ok(PinEdit { new: told_above(&filled, margin, end, versions), lines: line })
}

/// A line with a comment above that names the versions, where there are any.
fn told_above(line: &str, margin: &str, end: &str, versions: &[String]) -> String {
    if versions.is_empty() { line.to_owned() } else { commented(margin, line.trim_start(), end, versions) }
}

/// Whether the text reads the same with the edit but for these items behind the others of the list. What an item is called depends on the
/// others.
fn is_read_right(text: &str, edit: &PinEdit, start: &str, values: &[String]) -> Result<(), NoPin> {
    let (before, after) = (read(text), read(&edit.apply(text)));
    let others = |all: &[PlacedScalar]| -> Vec<(String, String)> {
        let others = all.iter().filter(|one| !one.address.starts_with(start));
        others.map(|one| (one.address.clone(), one.value.clone())).collect()
    };
    let items = |all: &[PlacedScalar]| -> Vec<String> {
        all.iter().filter(|one| one.address.starts_with(start)).map(|one| one.value.clone()).collect()
    };
    let wanted = [items(&before), values.to_vec()].concat();
    if items(&after) != wanted || others(&before) != others(&after) {
        return unsure("the file does not read right with the pin");
    }
    Ok(())
}
