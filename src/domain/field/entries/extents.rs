//! Where the parts of a YAML text begin and end, keys and what holds no scalar with them: `image: {}`.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser};

/// The stretches of the parts of a text, by how deep they are: the documents, what stands in them, and so on.
pub(super) struct Extents {
    by_depth: Vec<Vec<Range<usize>>>,
    /// Where the part begins of a scalar that is not written at all (`image:`), by where that would be.
    of_nothing: HashMap<Range<usize>, usize>,
}

/// A mapping or a list that is not at its end yet.
struct Open {
    is_map: bool,
    /// Where it begins, if in brackets.
    bracket: Option<usize>,
    /// The key that waits for its value.
    key: Option<Range<usize>>,
    inside: Option<Range<usize>>,
}

impl Extents {
    /// None where it is no YAML.
    pub(super) fn of(text: &str) -> Option<Self> {
        let offset = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut found = Self { by_depth: Vec::new(), of_nothing: HashMap::new() };
        let mut stack: Vec<Open> = Vec::new();
        for next in Parser::new_from_str(text.get(offset..)?) {
            let (event, span) = next.ok()?;
            let range = || span.byte_range().map(|range| range.start + offset..range.end + offset);
            match event {
                Event::Scalar(..) | Event::Alias(..) | Event::UnresolvedAlias(..) => {
                    let own = range()?;
                    let content = text.get(own.clone())?.trim_end().len();
                    found.add(text, &mut stack, own.start..own.start + content);
                }
                Event::SequenceStart(..) | Event::MappingStart(..) => {
                    let start = range()?.start;
                    let is_map = matches!(event, Event::MappingStart(..));
                    let bracket = text.get(start..)?.starts_with(['{', '[']).then_some(start);
                    stack.push(Open { is_map, bracket, key: None, inside: None });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let open = stack.pop()?;
                    let own = match open.bracket {
                        Some(start) => start..range()?.end,
                        None => open.inside?,
                    };
                    found.add(text, &mut stack, own);
                }
                Event::DocumentStart(..) | Event::DocumentEnd => stack.clear(),
                Event::StreamStart | Event::StreamEnd | Event::Anchor(..) | _ => {}
            }
        }
        for depth in &mut found.by_depth {
            depth.sort_by_key(|part| part.start);
        }
        Some(found)
    }

    /// Adds what ends here to what is around it.
    fn add(&mut self, text: &str, stack: &mut [Open], own: Range<usize>) {
        let depth = stack.len();
        let part = match stack.last_mut() {
            Some(open) if open.is_map && open.key.is_none() => {
                open.key = Some(own);
                return;
            }
            Some(open) => {
                let part = match open.key.take() {
                    Some(key) => {
                        let after = text.get(key.end..).unwrap_or("").trim_start();
                        let colon = text.len() - after.len() + usize::from(after.starts_with(':'));
                        if own.is_empty() {
                            self.of_nothing.insert(own.clone(), key.start);
                        }
                        let end = if own.is_empty() { colon } else { own.end };
                        key.start..end.max(key.end)
                    }
                    None => own,
                };
                let start = open.inside.as_ref().map_or(part.start, |inside| inside.start);
                open.inside = Some(start..part.end);
                part
            }
            None => own,
        };
        if self.by_depth.len() <= depth {
            self.by_depth.resize_with(depth + 1, Vec::new);
        }
        if let Some(parts) = self.by_depth.get_mut(depth) {
            parts.push(part);
        }
    }

    /// The part at a depth in which a scalar stands.
    pub(super) fn around(&self, scalar: &Range<usize>, depth: usize) -> Option<Range<usize>> {
        let at = self.of_nothing.get(scalar).copied().unwrap_or(scalar.start);
        let parts = self.by_depth.get(depth)?;
        let before = parts.partition_point(|part| part.start <= at);
        let part = parts.get(before.checked_sub(1)?)?;
        (at < part.end).then(|| part.clone())
    }
}
