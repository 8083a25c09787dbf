//! Where things stand in a text that is known to be JSON.

/// The places of the values of a key in the outermost object.
pub(super) fn values_of(text: &str, key: &str) -> Vec<usize> {
    let quoted = format!("\"{key}\"");
    let (mut found, mut depth, mut in_string, mut is_escaped, mut start) =
        (Vec::new(), 0_usize, false, false, 0);
    for (at, c) in text.char_indices() {
        if in_string {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => {
                    in_string = false;
                    let is_key = depth == 1 && text.get(start..=at) == Some(quoted.as_str());
                    let rest = text.get(at + 1..).unwrap_or("");
                    if is_key && let Some(value) = rest.trim_start().strip_prefix(':') {
                        found.push(text.len() - value.trim_start().len());
                    }
                }
                _ => {}
            }
            continue;
        }
        match c {
            '"' => (in_string, start) = (true, at),
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::values_of;

    #[test]
    fn keys_are_found_in_the_outermost_object_alone() {
        let text = r#"{"a": {"k": 1}, "x": "\"k\": 2", "k" : [3], "y": "k"}"#;
        let found = values_of(text, "k");
        assert_eq!(found.iter().map(|at| &text[*at..=*at]).collect::<Vec<_>>(), ["["]);
        assert_eq!(values_of(r#"{"k":1,"k":2}"#, "k").len(), 2);
        assert_eq!(values_of("{}", "k"), [0; 0]);
    }
}
