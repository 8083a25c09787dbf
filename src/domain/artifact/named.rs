//! From release fields to what they name: each field with the values beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::image::Image;
use super::{Artifact, BucketStore};
use crate::domain::field::leaves::leaf::{Leaf, block};
use crate::domain::field::leaves::yaml::leaves;

/// The most artifacts that are looked for in one version of a file.
pub const MAX_ARTIFACTS: usize = 20;

/// What the release fields at these addresses name in a version of a file: for each the address of the field or of the block around it, so
/// that it is found in another version too. Empty where the text is no YAML, and for fields of which nobody can tell.
#[must_use]
pub fn named_by(text: &str, addresses: &BTreeSet<&str>) -> BTreeMap<String, Artifact> {
    let Some(leaves) = leaves(text) else { return BTreeMap::new() };
    let mut blocks: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for leaf in &leaves {
        blocks.entry(leaf.block()).or_default().insert(&leaf.key, &leaf.value);
    }
    let file = Texts { blocks };
    let wanted = leaves.iter().filter(|leaf| addresses.contains(leaf.address.as_str()));
    wanted.filter_map(|leaf| file.named(leaf)).take(MAX_ARTIFACTS).collect()
}

/// The scalars of a file: by the address of the block in which they stand, and by their key.
struct Texts<'l> {
    blocks: BTreeMap<&'l str, BTreeMap<&'l str, &'l str>>,
}

impl<'l> Texts<'l> {
    /// What stands in a block under the first of these keys that is there with a text.
    fn at(&self, block: &str, keys: &[&str]) -> Option<&'l str> {
        let block = self.blocks.get(block)?;
        keys.iter().find_map(|key| block.get(key).copied().filter(|text| !text.is_empty()))
    }

    /// What one field names, with its place.
    fn named(&self, leaf: &Leaf) -> Option<(String, Artifact)> {
        let at = leaf.block();
        let of_block = |artifact| Some((at.to_owned(), artifact));
        if let Some(artifact) = in_bucket(&leaf.value) {
            return Some((leaf.address.clone(), artifact));
        }
        if leaf.key == "targetRevision" {
            return of_block(self.of_argo_cd(at)?);
        }
        let is_version = matches!(leaf.key.as_str(), "version" | "chart" | "repository" | "repo");
        if is_version && let Some(chart) = self.chart(at) {
            return of_block(chart);
        }
        // The ref of Flux' OCIRepository and GitRepository, whose URL stands beside it.
        if at.ends_with(".ref") && matches!(leaf.key.as_str(), "tag" | "digest") {
            let url = self.at(block(at), &["url"])?;
            return of_block(match url.strip_prefix("oci://") {
                Some(name) => Artifact::Image(image_of(name, self.tag(at), self.digest(at))?),
                None => git_ref(url, self.tag(at)?)?,
            });
        }
        let is_part = matches!(
            leaf.key.as_str(),
            "tag"
                | "digest"
                | "repository"
                | "registry"
                | "newTag"
                | "newName"
                | "name"
                | "imageTag"
                | "imageRepository"
        );
        if is_part && let Some(image) = self.image_in_parts(at) {
            return of_block(Artifact::Image(image));
        }
        if !leaf.key.to_ascii_lowercase().ends_with("image") {
            return None;
        }
        // `image: team/app` beside `tag: v1`.
        let (tag, digest) = if leaf.key == "image" { (self.tag(at), self.digest(at)) } else { (None, None) };
        Some((leaf.address.clone(), Artifact::Image(image_of(&leaf.value, tag, digest)?)))
    }

    fn tag(&self, block: &str) -> Option<&'l str> {
        self.at(block, &["tag", "newTag", "imageTag"])
    }

    fn digest(&self, block: &str) -> Option<&'l str> {
        self.at(block, &["digest"])
    }

    /// An image whose name and version stand in a block: as Helm charts have it (`registry`, `repository`, `tag`, `digest`), and
    /// kustomize in `images` (`name`, `newName`, `newTag`, `digest`).
    fn image_in_parts(&self, block: &str) -> Option<Image> {
        let is_kustomize =
            block.contains("images[") && self.at(block, &["newTag", "newName", "digest"]).is_some();
        let name = match is_kustomize {
            true => self.at(block, &["newName", "name"]),
            false => self.at(block, &["repository", "imageRepository", "image"]),
        };
        let (name, registry) = (name?, self.at(block, &["registry"]).filter(|_| !is_kustomize));
        let name = registry.map_or_else(|| name.to_owned(), |registry| format!("{registry}/{name}"));
        image_of(&name, self.tag(block), self.digest(block))
    }

    /// What `targetRevision` of an Argo CD source names. Source: <https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml>.
    fn of_argo_cd(&self, block: &str) -> Option<Artifact> {
        let (url, revision) = (self.at(block, &["repoURL"])?, self.at(block, &["targetRevision"])?);
        match self.at(block, &["chart"]) {
            // A repository of charts without a scheme is one of OCI.
            Some(name) if url.contains("://") => chart(url, name, revision),
            Some(name) => chart(&format!("oci://{url}"), name, revision),
            None => git_ref(url, revision),
        }
    }

    /// A chart whose version stands in a block: a dependency in `Chart.yaml`, one of kustomize's `helmCharts`, a HelmRelease of Flux with
    /// its HelmRepository in the same file, or a release of helmfile.
    fn chart(&self, at: &str) -> Option<Artifact> {
        let version = self.at(at, &["version"])?;
        let url = self.at(at, &["repository", "repo"]).filter(|url| url.contains("://"));
        if let (Some(url), Some(name)) = (url, self.at(at, &["name"])) {
            return chart(url, name, version);
        }
        let name = self.at(at, &["chart"])?;
        if let Some(source) = self.at(&format!("{at}.sourceRef"), &["name"]) {
            let repository = format!("HelmRepository/{source}: spec");
            return chart(self.at(&repository, &["url"])?, name, version);
        }
        if let Some((url, name)) = name.strip_prefix("oci://").and_then(|rest| rest.rsplit_once('/')) {
            return chart(&format!("oci://{url}"), name, version);
        }
        let (repository, name) = name.split_once('/')?;
        chart(self.at(&format!("repositories[name={repository}]"), &["url"])?, name, version)
    }
}

/// The image of this name, with the tag and the digest that stand beside it. A digest beside it counts more than a tag.
fn image_of(name: &str, tag: Option<&str>, digest: Option<&str>) -> Option<Image> {
    let has_own = |name: &str| name.contains('@') || name.rsplit('/').next().unwrap_or(name).contains(':');
    match (digest, tag) {
        (Some(digest), _) => Image::parse(&format!("{}@{digest}", name.split('@').next().unwrap_or(name))),
        (None, Some(tag)) if !has_own(name) => Image::parse(&format!("{name}:{tag}")),
        (None, _) => Image::parse(name),
    }
}

/// A chart, unless its version is a range or no version.
fn chart(repository: &str, name: &str, version: &str) -> Option<Artifact> {
    let number = version.strip_prefix('v').unwrap_or(version);
    let is_exact = number.starts_with(|c: char| c.is_ascii_digit())
        && number.split(['-', '+']).next()?.split('.').count() == 3
        && number.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
        && !number.split(['-', '+']).next()?.contains(['x', 'X']);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let is_url = ["https://", "http://", "oci://"].iter().any(|scheme| repository.starts_with(scheme));
    (is_exact && is_name && is_url).then(|| Artifact::Chart {
        repository: repository.trim_end_matches('/').to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
    })
}

/// What stands at an address in a bucket: `s3://models/iris/v2`.
fn in_bucket(address: &str) -> Option<Artifact> {
    let of = |store: BucketStore| Some((store, address.strip_prefix(store.scheme())?));
    let (store, place) = of(BucketStore::S3).or_else(|| of(BucketStore::Google))?;
    let (bucket, key) = place.trim_end_matches('/').split_once('/')?;
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte));
    let is_key = !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/=+@:".contains(&byte));
    (is_bucket && is_key).then(|| Artifact::InBucket {
        store,
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    })
}

/// A revision of a Git repository that is reached over HTTP, unless it is a pattern.
fn git_ref(url: &str, reference: &str) -> Option<Artifact> {
    let is_plain = reference.chars().all(|c| c.is_ascii_alphanumeric() || "._-/+".contains(c));
    let is_url = url.starts_with("https://") || url.starts_with("http://");
    (is_url && is_plain && !reference.is_empty()).then(|| Artifact::GitRef {
        url: url.trim_end_matches('/').to_owned(),
        reference: reference.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:0101010101010101010101010101010101010101010101010101010101010101";

    #[track_caller]
    fn names(text: &str, address: &str, expected: &str) {
        let text = text.replace("DIGEST", D);
        let found = named_by(&text, &BTreeSet::from([address]));
        let shown: Vec<String> = found.values().map(Artifact::to_string).collect();
        let expected: Vec<String> =
            if expected.is_empty() { Vec::new() } else { vec![expected.replace("DIGEST", D)] };
        assert_eq!(shown, expected, "{address} in\n{text}");
    }

    #[test]
    fn fields_name_images() {
        let pod = "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        image: ";
        let at = "Deployment/web: spec.template.spec.containers[name=a].image";
        names(&format!("{pod}shop/web:v1\n"), at, "docker.io/shop/web:v1");
        names(&format!("{pod}ghcr.io/shop/web:v1@DIGEST\n"), at, "ghcr.io/shop/web@DIGEST");
        names(&format!("{pod}\"{{{{ image }}}}\"\n"), at, "");
        let parts = "image:\n  registry: ghcr.io\n  repository: a/b\n  tag: v1\n";
        for key in ["tag", "repository", "registry"] {
            names(parts, &format!("image.{key}"), "ghcr.io/a/b:v1");
        }
        for (text, address, expected) in [
            ("image: {repository: redis, tag: 7.2.1}\n", "image.tag", "docker.io/library/redis:7.2.1"),
            (
                "image: {repository: ghcr.io/a/b, tag: v1, digest: DIGEST}\n",
                "image.digest",
                "ghcr.io/a/b@DIGEST",
            ),
            ("image: {repository: ghcr.io/a/b, tag: v1@DIGEST}\n", "image.tag", "ghcr.io/a/b@DIGEST"),
            (
                "image: {registry: '', repository: ghcr.io/a/b, tag: v1, digest: ''}\n",
                "image.tag",
                "ghcr.io/a/b:v1",
            ),
            // The name stands in the chart.
            ("image: {tag: v1}\n", "image.tag", ""),
            ("image: {name: web, tag: v1}\n", "image.tag", ""),
            ("image: ghcr.io/a/b\ntag: v1\n", "tag", "ghcr.io/a/b:v1"),
            ("image: ghcr.io/a/b\ntag: v1\n", "image", "ghcr.io/a/b:v1"),
            ("imageRepository: ghcr.io/a/b\nimageTag: v1\n", "imageTag", "ghcr.io/a/b:v1"),
            ("sidecarImage: ghcr.io/a/b:v2\ntag: v1\n", "sidecarImage", "ghcr.io/a/b:v2"),
            (
                "values: |\n  image: {repository: ghcr.io/a/b, tag: v1}\n",
                "values > image.tag",
                "ghcr.io/a/b:v1",
            ),
            ("images: [{name: web, newTag: v1}]\n", "images[name=web].newTag", "docker.io/library/web:v1"),
            (
                "images: [{name: web, newName: ghcr.io/a/web, newTag: v1}]\n",
                "images[name=web].newTag",
                "ghcr.io/a/web:v1",
            ),
            (
                "images: [{name: web, newName: 'ghcr.io/a/web:v3'}]\n",
                "images[name=web].newName",
                "ghcr.io/a/web:v3",
            ),
            (
                "images: [{name: ghcr.io/a/web, digest: DIGEST}]\n",
                "images[name=ghcr.io/a/web].digest",
                "ghcr.io/a/web@DIGEST",
            ),
            ("spec: {url: 'oci://ghcr.io/a/m', ref: {tag: v1}}\n", "spec.ref.tag", "ghcr.io/a/m:v1"),
            ("model: {storageUri: 's3://models/iris/v2/'}\n", "model.storageUri", "s3://models/iris/v2"),
            (
                "storageUri: gs://kfserving-examples/models/sklearn/1.0/model\n",
                "storageUri",
                "gs://kfserving-examples/models/sklearn/1.0/model",
            ),
            ("args: [--model=s3://models/iris/v2]\n", "args[--model=]", ""),
            ("storageUri: s3://models\n", "storageUri", ""),
            ("storageUri: 's3://models/{{ .Values.model }}'\n", "storageUri", ""),
            ("storageUri: s3://Models/iris/v2?versionId=1\n", "storageUri", ""),
            ("replicas: 3\n", "replicas", ""),
            ("a: {version: 1.2.3}\n", "a.version", ""),
            (": no yaml: [", "x", ""),
        ] {
            names(text, address, expected);
        }
    }

    #[test]
    fn fields_name_charts_and_revisions() {
        for (text, address, expected) in [
            (
                "kind: Application\nmetadata: {name: w}\nspec: {source: {repoURL: 'https://c.io/x/', chart: web, targetRevision: 1.2.3}}\n",
                "Application/w: spec.source.targetRevision",
                "chart web 1.2.3 of https://c.io/x",
            ),
            (
                "kind: Application\nmetadata: {name: w}\nspec: {source: {repoURL: ghcr.io/x, chart: web, targetRevision: 1.2.3}}\n",
                "Application/w: spec.source.targetRevision",
                "chart web 1.2.3 of oci://ghcr.io/x",
            ),
            (
                "kind: Application\nmetadata: {name: w}\nspec: {source: {repoURL: 'https://c.io', chart: web, targetRevision: 1.2.*}}\n",
                "Application/w: spec.source.targetRevision",
                "",
            ),
            (
                "kind: Application\nmetadata: {name: w}\nspec: {source: {repoURL: 'https://g.io/o/r.git', targetRevision: v1.2}}\n",
                "Application/w: spec.source.targetRevision",
                "v1.2 of https://g.io/o/r.git",
            ),
            (
                "kind: HelmRelease\nmetadata: {name: w}\nspec: {chart: {spec: {chart: redis, version: 1.2.3, sourceRef: {kind: HelmRepository, name: b}}}}\n---\nkind: HelmRepository\nmetadata: {name: b}\nspec: {url: 'https://c.io'}\n",
                "HelmRelease/w: spec.chart.spec.version",
                "chart redis 1.2.3 of https://c.io",
            ),
            // Its repository is in another file.
            (
                "kind: HelmRelease\nmetadata: {name: w}\nspec: {chart: {spec: {chart: redis, version: 1.2.3, sourceRef: {name: b}}}}\n",
                "HelmRelease/w: spec.chart.spec.version",
                "",
            ),
            (
                "dependencies: [{name: redis, version: 1.2.3-rc.1, repository: 'https://c.io'}]\n",
                "dependencies[name=redis].version",
                "chart redis 1.2.3-rc.1 of https://c.io",
            ),
            (
                "dependencies: [{name: redis, version: ^1.2.3, repository: 'https://c.io'}]\n",
                "dependencies[name=redis].version",
                "",
            ),
            (
                "dependencies: [{name: redis, version: 1.2.3, repository: '@b'}]\n",
                "dependencies[name=redis].version",
                "",
            ),
            (
                "releases: [{name: w, chart: b/redis, version: 1.2.3}]\nrepositories: [{name: b, url: 'https://c.io'}]\n",
                "releases[name=w].version",
                "chart redis 1.2.3 of https://c.io",
            ),
            (
                "releases: [{name: w, chart: 'oci://ghcr.io/x/redis', version: 1.2.3}]\n",
                "releases[name=w].version",
                "chart redis 1.2.3 of oci://ghcr.io/x",
            ),
        ] {
            names(text, address, expected);
        }
    }

    #[test]
    fn no_more_are_looked_for_than_is_sound() {
        let text: String = (0..50).map(|n| format!("a{n}: {{image: 'x/y:{n}'}}\n")).collect();
        let addresses: Vec<String> = (0..50).map(|n| format!("a{n}.image")).collect();
        let found = named_by(&text, &addresses.iter().map(String::as_str).collect());
        assert_eq!(found.len(), MAX_ARTIFACTS);
    }
}
