//! Proving who wrote a record: the last field of a line, `mac`, is the HMAC-SHA-256 of the commit and the rest of the line.

use std::fmt::Write as _;

use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::domain::ids::CommitId;

/// The keys by which the agent knows its own records. Without a key every line counts.
#[derive(Clone, Debug, Default)]
pub struct RecordKeys(Vec<SecretString>);

/// How the last field of a line begins.
const FIELD: &str = ",\"mac\":\"";
/// How many hexadecimal digits follow.
const DIGITS: usize = 64;
/// How a line ends after them.
const END: &str = "\"}";

impl RecordKeys {
    /// The first key signs; each of them verifies.
    #[must_use]
    pub fn new(keys: Vec<SecretString>) -> Self {
        Self(keys)
    }

    /// Whether nothing can be proven.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A line for the note on a commit, with its `mac` where there is a key.
    #[must_use]
    pub fn signed(&self, commit: CommitId, line: &str) -> String {
        match (self.0.first(), line.strip_suffix('}')) {
            (Some(key), Some(open)) => {
                let mac = mac(key, commit, line).map(|mac| hex(&mac.finalize().into_bytes()));
                mac.map_or_else(|| line.to_owned(), |mac| format!("{open}{FIELD}{mac}{END}"))
            }
            _ => line.to_owned(),
        }
    }

    /// The note on a commit as far as it is the agent's own: of each line that is, the line as it was signed. Any other becomes a
    /// line of the kind `not-ours` that holds it.
    #[must_use]
    pub fn proven(&self, commit: CommitId, note: String) -> String {
        if self.is_empty() {
            return note;
        }
        let mut proven = String::with_capacity(note.len());
        for line in note.lines().filter(|line| !line.is_empty()) {
            match self.verified(commit, line) {
                Some(own) => proven.push_str(&own),
                None => {
                    let line = serde_json::Value::from(line);
                    // Writing to a String cannot fail.
                    let _written = write!(proven, "{NOT_OURS}{line}}}");
                }
            }
            proven.push('\n');
        }
        proven
    }

    /// The line as it was signed; none where no key proves it. The comparison takes as long wherever they differ.
    fn verified(&self, commit: CommitId, line: &str) -> Option<String> {
        let rest = line.strip_suffix(END)?;
        let (open, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let line = format!("{}}}", open.strip_suffix(FIELD)?);
        let given = bytes(digits)?;
        let is_own =
            |key: &SecretString| mac(key, commit, &line).is_some_and(|mac| mac.verify_slice(&given).is_ok());
        self.0.iter().any(is_own).then_some(line)
    }
}

/// How a line begins that holds one that nobody can prove.
const NOT_OURS: &str = "{\"kind\":\"not-ours\",\"line\":";

/// What nobody can prove, of a line that [`RecordKeys::proven`] has made of it.
#[must_use]
pub fn not_ours(line: &str) -> Option<String> {
    serde_json::from_str(line.strip_prefix(NOT_OURS)?.strip_suffix('}')?).ok()
}

/// Over the note's commit too, so that no line can be moved to another note. Source: RFC 2104; keys of any length are taken.
fn mac(key: &SecretString, commit: CommitId, line: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
    mac.update(commit.to_string().as_bytes());
    mac.update(b"\n");
    mac.update(line.as_bytes());
    Some(mac)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..DIGITS).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> RecordKeys {
        RecordKeys::new(keys.iter().map(|key| SecretString::from(*key)).collect())
    }

    const LINE: &str = r#"{"kind":"verdict","id":"x"}"#;

    #[test]
    fn a_line_is_proven_by_any_of_the_keys_and_on_its_own_commit_alone() {
        let (one, other) = (CommitId::from_bytes([1; 20]), CommitId::from_bytes([2; 20]));
        let signed = keys(&["new"]).signed(one, LINE);
        assert!(signed.starts_with(r#"{"kind":"verdict","id":"x","mac":""#), "{signed}");
        let proven = |keys: &RecordKeys, commit: CommitId, line: &str| keys.proven(commit, line.to_owned());
        assert_eq!(proven(&keys(&["new"]), one, &signed), format!("{LINE}\n"));
        assert_eq!(proven(&keys(&["newer", "new"]), one, &signed), format!("{LINE}\n"));
        for (keys, commit, line) in [
            (keys(&["old"]), one, signed.clone()),
            (keys(&["new"]), other, signed.clone()),
            (keys(&["new"]), one, LINE.to_owned()),
            (keys(&["new"]), one, signed.replace("\"x\"", "\"y\"")),
            (keys(&["new"]), one, signed.replace("mac\":\"", "mac\":\"g")),
            (keys(&["new"]), one, "é\"}".to_owned()),
            (keys(&["new"]), one, format!(",\"mac\":\"{}\"}}", "é".repeat(32))),
        ] {
            let read = proven(&keys, commit, &line);
            assert!(read.starts_with(r#"{"kind":"not-ours","line":"#), "{read}");
            let value: serde_json::Value = serde_json::from_str(read.trim_end()).unwrap();
            assert_eq!(value["line"], line);
        }
    }

    #[test]
    fn without_a_key_every_line_counts() {
        let commit = CommitId::from_bytes([1; 20]);
        assert_eq!(keys(&[]).signed(commit, LINE), LINE);
        assert_eq!(keys(&[]).proven(commit, "any\nthing".to_owned()), "any\nthing");
    }

    /// The same as `printf '%s\n%s' COMMIT LINE | openssl dgst -sha256 -hmac KEY` prints.
    #[test]
    fn the_mac_is_what_other_programs_make_of_it() {
        let signed = keys(&["key"]).signed(CommitId::from_bytes([0x11; 20]), LINE);
        assert_eq!(
            signed,
            format!(
                "{}{FIELD}d9b3656c6b7fa526282be40af29f174b8983a41bb529afd15ee5e5af24132eef{END}",
                LINE.trim_end_matches('}')
            )
        );
    }
}
