//! The source of an application between two of its images: where it is, which revisions they were built from, and what changed of a
//! database schema in between.

use std::fmt;

use super::image::{Image, ImageVersion};
use crate::domain::environment::policy::SchemaDetector;
use crate::domain::ids::CommitId;
use crate::domain::schema::Migration;
use crate::domain::schema::change::SchemaChange;
use crate::domain::schema::images::ImageLabels;
use crate::domain::text::one_line;

/// Labels of images. Source: <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
const SOURCE_LABEL: &str = "org.opencontainers.image.source";
const REVISION_LABEL: &str = "org.opencontainers.image.revision";
/// The longest name of a tag that is looked for, in bytes.
const MAX_TAG_BYTES: usize = 200;
/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 500;
/// How much of what was found people are shown, in characters: it goes into messages of commits.
const MAX_TOLD: usize = 400;

/// A revision of an application's source, as an image names it: untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// A commit.
    Commit(CommitId),
    /// The first of these tags that there is; at least one.
    Tags(Vec<String>),
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(commit) => f.write_str(&commit.short()),
            Self::Tags(tags) => f.write_str(tags.first().map_or("", String::as_str)),
        }
    }
}

/// Two revisions in a repository, which images name: untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRange {
    /// The URL of the repository.
    pub url: String,
    /// What the image was built from that would run again.
    pub old: Revision,
    /// What the image was built from that runs now.
    pub new: Revision,
}

impl SourceRange {
    /// What lies between an image that would run again and the one that runs now, each with its labels. `configured` is the URL that the
    /// configuration names, which comes before what labels say.
    ///
    /// # Errors
    /// Says what is not known.
    pub fn between(
        configured: Option<String>,
        [old, new]: [(&Image, &ImageLabels); 2],
    ) -> Result<Self, String> {
        let url = configured.map_or_else(|| labelled_url(old, new), Ok)?;
        if url.len() > MAX_URL_BYTES {
            return Err(format!("the URL of the source is longer than {MAX_URL_BYTES} bytes"));
        }
        Ok(Self { url, old: revision(old)?, new: revision(new)? })
    }

    /// The changes of a schema that these migrations are, which came, went or changed in between.
    #[must_use]
    pub fn changes(&self, migrations: &[Migration]) -> Vec<SchemaChange> {
        let changes = migrations.iter().filter_map(Migration::change);
        let in_between = |change: SchemaChange| SchemaChange {
            detector: SchemaDetector::Sources,
            what: format!("{}, {self}", change.what),
            ..change
        };
        changes.map(in_between).collect()
    }

    /// What was found there, in words and in one line.
    #[must_use]
    pub fn told(&self, changes: &[SchemaChange]) -> String {
        match changes {
            [] => one_line(&format!("no migration came {self}"), MAX_TOLD),
            [only] => one_line(&only.what, MAX_TOLD),
            [first, rest @ ..] => format!("{}, and {} more", one_line(&first.what, MAX_TOLD), rest.len()),
        }
    }
}

impl fmt::Display for SourceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "between {} and {} of {}", self.old, self.new, self.url)
    }
}

/// The one repository that the labels of two images name.
fn labelled_url(
    (old, before): (&Image, &ImageLabels),
    (new, after): (&Image, &ImageLabels),
) -> Result<String, String> {
    let label = |labels: &ImageLabels| {
        labels.get(SOURCE_LABEL).map(|url| url.trim().to_owned()).filter(|url| !url.is_empty())
    };
    let plain = |url: &str| {
        let url = url.trim_end_matches('/');
        url.strip_suffix(".git").unwrap_or(url).to_owned()
    };
    match (label(before), label(after)) {
        (Some(was), Some(is)) if plain(&was) != plain(&is) => {
            Err(format!("the sources of {old} and {new} are two repositories"))
        }
        (_, Some(url)) | (Some(url), None) => Ok(url),
        (None, None) => Err(format!(
            "neither `schema.source` nor the label {SOURCE_LABEL} of {new} says where its source is"
        )),
    }
}

fn revision((image, labels): (&Image, &ImageLabels)) -> Result<Revision, String> {
    let label = labels.get(REVISION_LABEL).map(|text| text.trim()).filter(|text| !text.is_empty());
    if let Some(text) = label {
        if let Ok(commit) = text.parse() {
            return Ok(Revision::Commit(commit));
        }
        let unusable =
            || format!("the label {REVISION_LABEL} of {image} is neither a whole commit id nor a tag");
        return is_tag(text).then(|| Revision::Tags(vec![text.to_owned()])).ok_or_else(unusable);
    }
    match &image.version {
        // A release `1.5.0` is mostly tagged `v1.5.0`, and the other way round.
        ImageVersion::Tag(tag) => {
            let other = tag.strip_prefix('v').map_or_else(|| format!("v{tag}"), str::to_owned);
            Ok(Revision::Tags(vec![tag.clone(), other]))
        }
        ImageVersion::Digest(_) => {
            Err(format!("{image} has no label {REVISION_LABEL} that says what it was built from"))
        }
    }
}

/// Whether a text can be the name of a tag and is nothing that a server would read in another way.
fn is_tag(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'/');
    text.len() <= MAX_TAG_BYTES
        && text.bytes().all(plain)
        && !text.starts_with(['-', '.', '/'])
        && !text.ends_with(['.', '/'])
        && !text.contains("..")
        && !text.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::artifact::TargetArtifacts;
    use crate::domain::ids::FilePath;
    use crate::domain::schema::effect::Effect;

    const OLD: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
    const NEW: &str = "1a1b2c3d4e5f60718293a4b5c6d7e8f901234567";

    fn between(
        configured: Option<&str>,
        images: [&str; 2],
        labels: [&[(&str, &str)]; 2],
    ) -> Result<SourceRange, String> {
        let [old, new] = images.map(|name| Image::parse(name).unwrap());
        let [before, after] = labels.map(|pairs| -> ImageLabels {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        });
        SourceRange::between(configured.map(str::to_owned), [(&old, &before), (&new, &after)])
    }

    #[test]
    fn labels_and_the_configuration_say_where_the_source_is() {
        let tags = ["r.io/a:1.0", "r.io/a:v1.1"];
        let (source, other) =
            (("org.opencontainers.image.source", "https://g.io/a"), (SOURCE_LABEL, "https://g.io/b"));
        let long = format!("https://g.io/{}", "a".repeat(500));
        let (git, empty) = ((SOURCE_LABEL, " https://g.io/a.git "), (SOURCE_LABEL, ""));
        let url = |configured, labels| between(configured, tags, labels).map(|range| range.url);
        for (configured, labels, expected) in [
            (None, [&[source][..], &[source][..]], Ok("https://g.io/a")),
            (None, [&[source], &[git]], Ok("https://g.io/a.git")),
            (None, [&[source], &[]], Ok("https://g.io/a")),
            (None, [&[empty], &[source]], Ok("https://g.io/a")),
            (Some("https://g.io/c"), [&[source], &[other]], Ok("https://g.io/c")),
            (Some("https://g.io/c"), [&[], &[]], Ok("https://g.io/c")),
            (None, [&[source], &[other]], Err("two repositories")),
            (Some(long.as_str()), [&[], &[]], Err("longer than 500 bytes")),
            (None, [&[], &[empty]], Err("neither `schema.source` nor the label")),
        ] {
            match (url(configured, labels), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (found, expected) => panic!("{found:?}: {expected:?}"),
            }
        }
    }

    #[test]
    fn a_revision_is_a_whole_commit_or_a_tag() {
        let digest = format!("r.io/a@sha256:{}", "0a".repeat(32));
        let revision = |image: &str, label: Option<&str>| {
            let label = label.map(|label| (REVISION_LABEL, label));
            let labels: &[(&str, &str)] = label.as_slice();
            between(Some("https://g.io/a"), [image, image], [labels, labels]).map(|range| range.old)
        };
        let tags = |names: &[&str]| Ok(Revision::Tags(names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(revision(&digest, Some(OLD)), Ok(Revision::Commit(OLD.parse().unwrap())));
        assert_eq!(
            revision("r.io/a:v1", Some(&format!(" {OLD}\n"))),
            Ok(Revision::Commit(OLD.parse().unwrap()))
        );
        assert_eq!(revision("r.io/a:v1", None), tags(&["v1", "1"]));
        assert_eq!(revision("r.io/a:1.5.0", Some("")), tags(&["1.5.0", "v1.5.0"]));
        assert_eq!(revision("r.io/a:v1", Some("web/v1.2+3")), tags(&["web/v1.2+3"]));
        assert!(revision(&digest, None).unwrap_err().contains("no label"));
        for bad in ["-x", "a..b", "refs/heads/*", "a b", "a:b", "/a", "a/", "a^{}", "a//b", &"a".repeat(201)]
        {
            assert!(revision("r.io/a:v1", Some(bad)).unwrap_err().contains("neither"), "{bad}");
        }
    }

    #[test]
    fn what_is_found_is_told_with_the_range() {
        let labels = |id| [(REVISION_LABEL, id)];
        let images = ["r.io/a:v1", "r.io/a:v2"];
        let range = between(Some("https://g.io/a"), images, [&labels(OLD), &labels(NEW)]).unwrap();
        let migration = |path: &str| Migration { path: FilePath::new(path).unwrap(), worst: None };
        let place = "between 0a1b2c3d4e and 1a1b2c3d4e of https://g.io/a";
        assert_eq!(range.told(&range.changes(&[])), format!("no migration came {place}"));
        // The way back of a migration is none.
        let found = range.changes(&[migration("db/migrate/1.down.sql"), migration("db/migrate/1.rb")]);
        assert_eq!(range.told(&found), format!("it touches db/migrate/1.rb, {place}"));
        assert_eq!((found[0].detector, found[0].effect), (SchemaDetector::Sources, Effect::Unknown));
        let mut artifacts = TargetArtifacts::default();
        for told in ["one", "one", "two"] {
            artifacts.add_source(found.clone(), told.to_owned());
        }
        assert_eq!((artifacts.sources.len(), artifacts.schema.len()), (2, 2));
        let strange = Migration { path: FilePath::new("a\u{2028}Backout-Id: 1.sql").unwrap(), worst: None };
        assert!(range.told(&range.changes(&[strange])).starts_with("it touches a Backout-Id: 1.sql, "));
        let found = range.changes(&[migration("a.sql"), migration("b.sql")]);
        assert_eq!(range.told(&found), format!("it touches a.sql, {place}, and 1 more"));
    }
}
