//! Versions as tools compare them.

/// A semantic version of three numbers, with or without a `v` before them: the numbers, and what follows them.
pub(super) fn semver(text: &str) -> Option<([u64; 3], &str)> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let end = bare.find(['-', '+']).unwrap_or(bare.len());
    let (numbers, rest) = bare.split_at_checked(end)?;
    let is_number = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    let [major, minor, patch] = parts.as_slice() else { return None };
    if !parts.iter().all(|part| is_number(part)) || rest == "-" || rest == "+" {
        return None;
    }
    Some(([major.parse().ok()?, minor.parse().ok()?, patch.parse().ok()?], rest))
}

/// Whether one version is surely older than another one: both are made of numbers alone.
#[must_use]
pub(super) fn is_older(one: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        bare.split('.').map(|part| part.parse().ok()).collect()
    };
    numbers(one).zip(numbers(than)).is_some_and(|(one, than)| one < than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_flux_reads_them() {
        assert_eq!(semver("v1.5.0"), Some(([1, 5, 0], "")));
        assert_eq!(semver("1.5.0-rc.1"), Some(([1, 5, 0], "-rc.1")));
        for none in ["1.5", "v2", "1.5.0.1", "01.5.0", "latest", "1.5.x", "1.5.0-", "", "2026-01-01"] {
            assert_eq!(semver(none), None, "{none}");
        }
        assert!(is_older("v1.4.9", "v1.5.0") && is_older("v1", "v2") && is_older("1.9", "1.10"));
        assert!(!is_older("v1.5.0", "v1.4.9") && !is_older("abc", "v2") && !is_older("v1-rc", "v2"));
    }
}
