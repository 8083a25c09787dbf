//! Taking a pin off again.

use super::types::Pin;

/// What a text is without a pin, where the pin is there exactly as it was written: the text without its lines, with the pin put on
/// again, is the very text. `written_on` is the file before the commit that wrote it. None where somebody has changed the pin.
#[must_use]
pub fn lift(pin: &Pin, written_on: &str, now: &str) -> Option<String> {
    let edit = pin.put(written_on).ok()?;
    let before = written_on.get(edit.lines.clone())?;
    if edit.new.is_empty() {
        return None;
    }
    let is_line = |at: usize| at == 0 || now.get(..at).is_some_and(|before| before.ends_with('\n'));
    let without = |(at, _): (usize, &str)| {
        let text = [now.get(..at)?, before, now.get(at + edit.new.len()..)?].concat();
        let is_same = pin.put(&text).is_ok_and(|again| again.apply(&text) == now);
        is_same.then_some(text)
    };
    now.match_indices(&edit.new).filter(|(at, _)| is_line(*at)).find_map(without)
}
