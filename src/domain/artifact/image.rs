//! References to images, as Docker reads them. Source: <https://github.com/distribution/reference/blob/main/reference.go>.

use std::fmt;

/// The registry of names that have none.
pub const DOCKER_HUB: &str = "docker.io";
/// The longest name of a repository, with its registry, in bytes. Source: `RepositoryNameTotalLengthMax` of Docker's references.
const MAX_NAME_BYTES: usize = 255;
/// The longest tag, in bytes. Source: `tag` in Docker's references.
const MAX_TAG_BYTES: usize = 128;

/// An image, or whatever else a registry of images holds under a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The host of the registry, with its port where it has one: `ghcr.io`, `docker.io`.
    pub registry: String,
    /// The name in the registry: `library/redis`.
    pub repository: String,
    /// Which version of it.
    pub version: ImageVersion,
}

/// Which version of an image is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageVersion {
    /// What a tag stands for at the moment.
    Tag(String),
    /// Exactly this content: `sha256:…`. A tag beside it says nothing.
    Digest(String),
}

impl ImageVersion {
    /// The tag or the digest, as a registry is asked for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

impl Image {
    /// Reads a reference: `redis`, `ghcr.io/team/app:v1`, `app@sha256:…`. Without a tag it is `latest`. None where it is no reference: the
    /// text comes from a repository, and may be anything.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        // What follows the last colon is a tag, unless a slash shows that it is a port.
        let (name, tag) = match named.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            Some(_) | None => (named, None),
        };
        let is_fine = tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
        let version = match (digest, tag) {
            (Some(digest), _) => ImageVersion::Digest(digest.to_owned()),
            (None, tag) => ImageVersion::Tag(tag.unwrap_or("latest").to_owned()),
        };
        let (registry, repository) = name_of(name).filter(|_| is_fine)?;
        Some(Self { registry, repository, version })
    }

    /// The same name without its version.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.version {
            ImageVersion::Tag(_) => ':',
            ImageVersion::Digest(_) => '@',
        };
        write!(f, "{}/{}{mark}{}", self.registry, self.repository, self.version.as_str())
    }
}

/// The registry and the repository of a name: as Docker has it, the first part is a host where it looks like one.
fn name_of(name: &str) -> Option<(String, String)> {
    let looks_like_host =
        |part: &str| part.contains(['.', ':']) || part == "localhost" || part.chars().any(char::is_uppercase);
    let (registry, repository) = match name.split_once('/') {
        Some((host, rest)) if looks_like_host(host) => (host, rest),
        Some(_) | None => (DOCKER_HUB, name),
    };
    let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
    let is_fine = name.len() <= MAX_NAME_BYTES && is_host(registry) && repository.split('/').all(is_part);
    let is_official = registry == DOCKER_HUB && !repository.contains('/');
    let repository = if is_official { format!("library/{repository}") } else { repository.to_owned() };
    is_fine.then(|| (registry.to_ascii_lowercase(), repository))
}

/// Whether a text is a host, with or without a port, and nothing else.
#[must_use]
pub fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_fine = match inner {
        Some(address) => {
            address.contains(':') && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
        }
        None => host.split('.').all(is_label),
    };
    is_fine && port.is_none_or(is_port)
}

/// A part of a repository's name: lower-case letters and digits, with single separators between them.
fn is_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_separator = |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    let ends_plain = part.bytes().next().is_some_and(plain) && part.bytes().last().is_some_and(plain);
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends_plain && separators.filter(|run| !run.is_empty()).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= MAX_TAG_BYTES
        && tag.starts_with(is_word)
        && tag.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

/// Whether a text is a digest that registries have: SHA-256 or SHA-512.
#[must_use]
pub fn is_digest(digest: &str) -> bool {
    let is_hex = |hex: &str| hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match digest.split_once(':') {
        Some(("sha256", hex)) => hex.len() == 64 && is_hex(hex),
        Some(("sha512", hex)) => hex.len() == 128 && is_hex(hex),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_docker_reads_them() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, expected) in [
            ("redis", Some("docker.io/library/redis:latest")),
            ("redis:7.2", Some("docker.io/library/redis:7.2")),
            ("team/app:v1", Some("docker.io/team/app:v1")),
            ("docker.io/redis:7", Some("docker.io/library/redis:7")),
            ("index.docker.io/team/app:v1", Some("docker.io/team/app:v1")),
            ("ghcr.io/team/app:v1", Some("ghcr.io/team/app:v1")),
            ("GHCR.io/team/app:v1", Some("ghcr.io/team/app:v1")),
            ("localhost/app:v1", Some("localhost/app:v1")),
            ("localhost:5000/app", Some("localhost:5000/app:latest")),
            ("10.0.0.1:5000/a/b/c:x", Some("10.0.0.1:5000/a/b/c:x")),
            ("[::1]:5000/app:v1", Some("[::1]:5000/app:v1")),
            ("a.b/x__y/z--z.w_v:1", Some("a.b/x__y/z--z.w_v:1")),
            // No references, or what is not to be taken for one.
            ("", None),
            ("app:", None),
            ("app:v1 v2", None),
            ("app:v1:v2", None),
            ("Team/App:v1", None),
            ("ghcr.io/Team/app:v1", None),
            ("ghcr.io//app:v1", None),
            ("ghcr.io/app..x:v1", None),
            ("ghcr.io/../admin:v1", None),
            ("ghcr.io/app?x=1:v1", None),
            ("user:pass@ghcr.io/app:v1", None),
            ("http://169.254.169.254/latest:v1", None),
            ("ghcr.io:99999/app:v1", None),
            ("ghcr.io:/app:v1", None),
            ("-a.io/app:v1", None),
            ("app@sha256:0a", None),
            ("{{ image }}", None),
        ] {
            assert_eq!(Image::parse(text).map(|image| image.to_string()).as_deref(), expected, "{text}");
        }
        let pinned = Image::parse(&format!("ghcr.io/team/app:v1@{digest}")).unwrap();
        assert_eq!(pinned.version, ImageVersion::Digest(digest.clone()));
        assert_eq!(pinned.to_string(), format!("ghcr.io/team/app@{digest}"));
        assert!(Image::parse(&format!("ghcr.io/{}:v1", "a".repeat(300))).is_none());
        assert!(Image::parse(&format!("app:{}", "a".repeat(129))).is_none());
    }

    #[test]
    fn hosts_are_told_from_other_texts() {
        for (text, expected) in [
            ("ghcr.io", true),
            ("registry.example.com:5000", true),
            ("[::1]:5000", true),
            ("[::1]", true),
            ("::1", false),
            ("a..b", false),
            ("a/b", false),
            ("a b", false),
            ("user@host", false),
            ("", false),
            ("host:", false),
            ("https://host", false),
        ] {
            assert_eq!(is_host(text), expected, "{text}");
        }
    }
}
