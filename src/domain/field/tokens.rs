//! The tokens that values are made of: versions, image references, and what only looks like them.

use std::sync::LazyLock;

use regex::Regex;

pub(super) fn one_word(text: &str) -> bool {
    text.len() <= 300 && !text.chars().any(|c| c.is_whitespace() || c == '{' || c == '}')
}

/// Whether a text can name a version: one word with a digit or of plain letters (`latest`, `main`).
pub(super) fn version_like(text: &str) -> bool {
    one_word(text) && text.chars().any(|c| c.is_ascii_alphanumeric())
}

/// Splits `repository:tag`, `repository@digest` or `repository:tag@digest` into the repository and the rest.
/// Source: the reference grammar of the OCI distribution specification, <https://github.com/distribution/reference>.
#[must_use]
pub fn image_parts(text: &str) -> Option<(&str, &str)> {
    if text.contains("://") || text.len() > 512 {
        return None;
    }
    let name_end = text.find('@').unwrap_or(text.len());
    let (name, digest) = text.split_at(name_end);
    let colon = name.rfind(':').filter(|at| !name.get(*at..).unwrap_or("").contains('/'));
    let repository = colon.map_or(name, |at| name.get(..at).unwrap_or(name));
    let rest = text.get(repository.len()..)?;
    let tag = colon.and_then(|at| name.get(at + 1..)).unwrap_or("");
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let repository_ok = !repository.is_empty()
        && repository.starts_with(|c: char| c.is_ascii_alphanumeric())
        && repository.chars().all(|c| word(c) || matches!(c, '/' | ':'));
    let tag_ok = colon.is_none() || !tag.is_empty() && tag.len() <= 128 && tag.chars().all(word);
    let digest_ok = digest.is_empty() || digest.split_once(':').is_some_and(|(_, hex)| hex.len() >= 32);
    (repository_ok && tag_ok && digest_ok && !rest.is_empty()).then_some((repository, rest))
}

/// The repository in an argument such as `--image=registry/app:1.2`.
pub(super) fn argument_image(text: &str) -> Option<&str> {
    let (option, value) = text.trim().split_once('=')?;
    (option.starts_with('-') && option.contains("image"))
        .then(|| image_parts(value))
        .flatten()
        .map(|(repo, _)| repo)
}

/// The option of an argument such as `--web-image-tag=blue`.
pub(super) fn argument_tag(text: &str) -> Option<&str> {
    let (option, value) = text.trim().split_once('=')?;
    let is_option =
        option.starts_with("--") && ["-tag", "-version", "-digest"].iter().any(|end| option.ends_with(end));
    (is_option && option.contains("image") && one_word(value) && !value.is_empty()).then_some(option)
}

static VERSION_TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let digest = r"sha256:[0-9a-f]{64}";
    let semver = r"\bv?\d+(?:\.\d+)*\.(?:\d+|v[0-9a-f_]{6,})(?:[-+._][0-9A-Za-z][0-9A-Za-z.+_-]*)?";
    let date = r"\b20\d{6}(?:[-T]?\d{4,6}Z?)?\b";
    let numbered = r"\b(?:v|r|rc|rel|release|build|pr)[-_]?\d+\b";
    let hex = r"\b[0-9a-f]{7,64}\b";
    Regex::new(&format!("{digest}|{semver}|{date}|{numbered}|{hex}")).ok()
});

/// The version tokens in a text, in their order.
pub(super) fn version_tokens(text: &str) -> Vec<String> {
    let found = |regex: &Regex| regex.find_iter(text).map(|token| token.as_str().to_owned()).collect();
    VERSION_TOKEN.as_ref().map(found).unwrap_or_default()
}

/// A line with its versions masked and its image references cut down to their repositories.
pub(super) fn versionless(line: &str) -> String {
    let word = |word| image_parts(word).map_or_else(|| mask(word), |(repository, _)| repository.to_owned());
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// The text with every version token (semantic version, date, digest, hash) replaced by a mark.
#[must_use]
pub fn mask(text: &str) -> String {
    let Some(regex) = VERSION_TOKEN.as_ref().filter(|_| may_have_token(text)) else { return text.to_owned() };
    let (mut masked, mut end) = (String::with_capacity(text.len()), 0);
    for token in regex.find_iter(text).filter(|token| !is_mere_number(token.as_str())) {
        masked.push_str(text.get(end..token.start()).unwrap_or(""));
        masked.push('*');
        end = token.end();
    }
    masked + text.get(end..).unwrap_or("")
}

/// Whether a text has what no version token does without: a digit, or seven letters of a hash in a row. Most texts have neither.
fn may_have_token(text: &str) -> bool {
    let is_hash = |run: &[u8]| run.iter().all(|byte| (b'a'..=b'f').contains(byte));
    text.bytes().any(|byte| byte.is_ascii_digit()) || text.as_bytes().windows(7).any(is_hash)
}

/// Whether what could be a hash is a number, and no date either.
fn is_mere_number(token: &str) -> bool {
    token.chars().all(|c| c.is_ascii_digit())
        && !(token.starts_with("20") && matches!(token.len(), 8 | 12 | 14))
}

/// Values that look like versions and are none: addresses, networks, plain dates, sizes, cloud ids.
pub(super) fn denied_value(text: &str) -> bool {
    const IDS: [&str; 12] = [
        "ami-",
        "arn:",
        "sg-",
        "subnet-",
        "vpc-",
        "eni-",
        "vol-",
        "snap-",
        "rtb-",
        "igw-",
        "eipalloc-",
        "vpce-",
    ];
    let is_address = |word: &str| {
        let octets = word.trim_end_matches('.').split(['/', ':']).next().unwrap_or("").split('.');
        let octets: Vec<u8> = octets.map_while(|octet| octet.parse().ok()).collect();
        let is_quad = word
            .trim_end_matches('.')
            .split(['/', ':'])
            .next()
            .is_some_and(|quad| quad.split('.').count() == 4);
        is_quad && octets.len() == 4 && !is_version_quad(&octets)
    };
    let digits_at = |groups: &[usize], text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        parts.len() == groups.len()
            && parts
                .iter()
                .zip(groups)
                .all(|(part, len)| part.len() == *len && part.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let uuid = digits_at(&[8, 4, 4, 4, 12], text);
    let plain_date = text.split(['T', ' ']).next().is_some_and(|day| digits_at(&[4, 2, 2], day));
    let unit = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let size = unit.len() < text.len()
        && unit.parse::<f64>().is_ok()
        && text.ends_with(|c: char| "%KMGTPEBikmgshd".contains(c));
    let plain_number = text.parse::<f64>().is_ok();
    // `--ratio=0.5` is what its last part is.
    let part = text.rsplit(['=', '>', '<']).next().unwrap_or(text);
    if part.len() < text.len() && !part.is_empty() {
        return denied_value(part);
    }
    // `db:10.1.2.3` is a host with its address.
    let of_host = |word: &str| {
        word.split_once(':').is_some_and(|(host, address)| !host.contains('/') && is_address(address))
    };
    text.split([' ', ',']).any(|word| is_address(word) || of_host(word))
        || uuid
        || plain_date
        || size
        || plain_number
        || IDS.iter().any(|id| text.starts_with(id))
}

/// Whether four numbers are a version (`6.7.2.2`) rather than an address: all are small, and it is no address of a private network or of
/// a well-known resolver.
fn is_version_quad(numbers: &[u8]) -> bool {
    let is_known = matches!(
        numbers,
        [10 | 0, ..] | [1, 1, 1, 1] | [1, 0, 0, 1] | [8, 8, ..] | [9, 9, 9, 9] | [4, 4, 4, 4]
    );
    !is_known && numbers.iter().all(|number| *number < 50)
}

/// Whether a text holds a version that cannot be a mere number or a hash: `1.2.3`, `v2`.
pub(super) fn is_dotted(text: &str) -> bool {
    let strong = |token: &String| {
        let numbered = token
            .strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.'));
        token.matches('.').count() >= 2 || numbered
    };
    version_tokens(text).iter().any(strong)
}

/// Whether an image reference cannot be a host with its port, a role with its prefix or the like.
pub(super) fn is_surely_image((repository, rest): (&str, &str)) -> bool {
    let (tag, digest) = rest.split_once('@').unwrap_or((rest, ""));
    let tag = tag.trim_start_matches(':');
    let colons = repository.matches(':').count();
    let port = tag.parse::<u16>().is_ok_and(|port| port == 80 || port == 443 || port >= 1_000);
    let registry = repository.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':']));
    let path =
        repository.contains('/') && colons <= 1 && (registry || !port) || repository.starts_with("oci::");
    let named = repository.contains(|c: char| c.is_ascii_alphabetic());
    let is_address = tag.split('.').count() == 4 && denied_value(tag);
    let versioned = mask(tag) == "*" && !port && colons == 0 && !is_address;
    !digest.is_empty() || named && path && !tag.is_empty() || named && versioned
}

/// A value without its quotes, and of an image reference only what tells versions apart.
#[must_use]
pub fn version_of(text: &str) -> &str {
    let text = text.trim_matches(['"', '\'']);
    image_parts(text).map_or(text, |(_, rest)| rest.trim_start_matches([':', '@']))
}

/// Whether a `repository` is where copies of data are kept (restic's, VolSync's), and no place that an image comes from. `block` is the
/// key of the block that it is in. Source: <https://restic.readthedocs.io/en/stable/030_preparing_a_new_repo.html>.
pub(super) fn keeps_copies(block: &str, repository: &str) -> bool {
    const KEEPERS: [&str; 6] = ["backup", "restic", "borg", "kopia", "snapshot", "velero"];
    const PLACES: [&str; 9] = ["s3:", "sftp:", "rest:", "gs:", "azure:", "b2:", "swift:", "rclone:", "/"];
    let block = block.to_lowercase();
    let is_keeper = || KEEPERS.iter().any(|keeper| block.contains(keeper)) && !repository.contains('/');
    PLACES.iter().any(|place| repository.starts_with(place)) || is_keeper()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_references_are_split_where_the_repository_ends() {
        assert_eq!(image_parts("localhost:5000/a/b:1"), Some(("localhost:5000/a/b", ":1")));
        assert_eq!(image_parts("a/b"), None);
        assert_eq!(image_parts("http://a/b:1"), None);
        assert_eq!(image_parts("a b:1"), None);
    }
}
