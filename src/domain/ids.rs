//! Names and identifiers with checked constructors, so that a value of these types is always well formed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {text:?} {problem}")]
pub struct InvalidName {
    kind: &'static str,
    text: String,
    problem: &'static str,
}

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 20]);

        impl $name {
            /// The id with these raw bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 20] {
                &self.0
            }

            /// The first ten hexadecimal digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                self.to_string().chars().take(10).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let invalid = || InvalidName {
                    kind: $kind,
                    text: text.chars().take(64).collect(),
                    problem: "is not 40 hexadecimal digits",
                };
                if text.len() != 40 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(invalid());
                }
                let mut bytes = [0; 20];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                    let digits = std::str::from_utf8(pair).map_err(|_utf8| invalid())?;
                    *byte = u8::from_str_radix(digits, 16).map_err(|_digit| invalid())?;
                }
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{40}$"})
            }
        }
    };
}

object_id!(
    /// The SHA-1 id of a Git commit.
    CommitId,
    "commit id"
);
object_id!(
    /// The SHA-1 id of a Git blob: the bytes of one version of a file.
    BlobId,
    "blob id"
);

impl BlobId {
    /// An id for bytes that are in no repository, so that they are told from others.
    #[must_use]
    pub fn of_part(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let mut id = [0; 20];
        for (own, byte) in id.iter_mut().zip(digest) {
            *own = byte;
        }
        Self(id)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string"})
            }
        }

        impl $name {
            /// The checked name.
            ///
            /// # Errors
            /// When `text` is empty, too long, or holds a character that such a name may not have.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                let check: fn(&str) -> Option<&'static str> = $check;
                match check(&text) {
                    None => Ok(Self(text.into())),
                    Some(problem) => Err(InvalidName {
                        kind: $kind,
                        text: text.chars().take(120).collect(),
                        problem,
                    }),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

/// Names of services, environments, repositories, signals, sources and policies: they end up in commit trailers, branch names and
/// queries, so they are plain.
fn plain(text: &str) -> Option<&'static str> {
    if text.is_empty() || text.len() > 200 {
        Some("must have 1 to 200 characters")
    } else if !text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '@')) {
        Some("may only have letters, digits and - _ . / + @")
    } else if text.starts_with(['-', '.', '/'])
        || text.ends_with(['.', '/'])
        || text.contains("..")
        || text.contains("//")
    {
        Some(
            "must not start or end with a dot or slash, start with a dash, or have two dots or slashes in a row",
        )
    } else {
        None
    }
}

/// See `git check-ref-format`; <https://git-scm.com/docs/git-check-ref-format>.
fn branch(text: &str) -> Option<&'static str> {
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if text.is_empty() || text.len() > 240 {
        Some("must have 1 to 240 characters")
    } else if text.starts_with("refs/") {
        Some("must be a branch name without refs/heads/ in front")
    } else if text.starts_with('-')
        || text.ends_with('.')
        || text.contains("..")
        || text.contains("@{")
        || text == "@"
        || text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
        || text.split('/').any(bad_part)
    {
        Some("is not a valid branch name")
    } else {
        None
    }
}

fn file_path(text: &str) -> Option<&'static str> {
    let bad_part =
        |part: &str| part.is_empty() || part == "." || part == ".." || part.eq_ignore_ascii_case(".git");
    if text.is_empty() || text.len() > 4096 {
        Some("must have 1 to 4096 characters")
    } else if text.contains('\0') {
        Some("must not have a NUL character")
    } else if text.split('/').any(bad_part) {
        Some("is not a relative path inside a repository")
    } else {
        None
    }
}

name!(
    /// The name of a service: what is deployed and reverted as a unit.
    ServiceName, "service name", plain
);
name!(
    /// The name of an environment, e.g. `production`.
    EnvironmentName, "environment name", plain
);
name!(
    /// The name of a signal, e.g. `errors`.
    SignalName, "signal name", plain
);
name!(
    /// The name of an environment repo, e.g. `shop`.
    RepositoryName, "repository name", plain
);
name!(
    /// The name of a metric source, e.g. `prometheus`.
    SourceName, "metric source name", plain
);
name!(
    /// The name of a group of services that are deployed and reverted together.
    GroupName, "group name", plain
);
name!(
    /// A branch name without `refs/heads/`.
    BranchName, "branch name", branch
);
name!(
    /// A file's path inside the repository, with `/` between its parts.
    FilePath, "file path", file_path
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_id_reads_back_and_refuses_other_text() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(text.parse::<CommitId>().unwrap().to_string(), text);
        for bad in [
            "",
            "0123",
            "0123456789abcdef0123456789abcdef0123456g",
            "é123456789abcdef0123456789abcdef0123456",
        ] {
            bad.parse::<CommitId>().unwrap_err();
        }
    }

    #[test]
    fn names_that_could_escape_their_place_are_refused() {
        for bad in ["", "a b", "a\nb", "../x", "-x", "a//b", "a..b", "x`y", "a/"] {
            ServiceName::new(bad).unwrap_err();
        }
        for good in ["checkout", "team/checkout", "café-1", "a.b_c"] {
            ServiceName::new(good).unwrap();
        }
        for bad in ["", "refs/heads/main", "a..b", "x.lock", "a b", "-a", "a/.b", "@"] {
            BranchName::new(bad).unwrap_err();
        }
        for bad in ["", "/etc/passwd", "../x", "a/../b", ".git/config", "a//b"] {
            FilePath::new(bad).unwrap_err();
        }
    }
}
