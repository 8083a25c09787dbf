//! Files that belong to how a repository is worked on, and not to what runs: of its continuous integration, of tools, of its readers.
//! What changes in them deploys nothing, unless a rule of the configuration names them.

/// Directories of such files, at any depth.
const DIRECTORIES: [&str; 13] = [
    ".github",
    ".gitlab",
    ".forgejo",
    ".gitea",
    ".circleci",
    ".woodpecker",
    ".buildkite",
    ".tekton",
    ".husky",
    ".vscode",
    ".idea",
    ".devcontainer",
    ".mise",
];

/// The names of such files.
const NAMES: [&str; 19] = [
    ".gitlab-ci.yml",
    ".gitlab-ci.yaml",
    ".travis.yml",
    ".drone.yml",
    ".woodpecker.yml",
    "azure-pipelines.yml",
    "Jenkinsfile",
    "bitbucket-pipelines.yml",
    ".pre-commit-config.yaml",
    "renovate.json",
    "renovate.json5",
    ".renovaterc",
    ".renovaterc.json",
    "dependabot.yml",
    "mise.toml",
    ".mise.toml",
    ".tool-versions",
    ".editorconfig",
    "CODEOWNERS",
];

/// How the names of texts for people end.
const ENDS: [&str; 7] = [".md", ".markdown", ".mdx", ".md.gotmpl", ".rst", ".adoc", ".asciidoc"];

/// What texts for people are called that have no such end: `README`, `CHANGELOG.txt`.
const TEXTS: [&str; 12] = [
    "README",
    "CHANGELOG",
    "CHANGES",
    "HISTORY",
    "NEWS",
    "NOTES",
    "RELEASE-NOTES",
    "RELEASE_NOTES",
    "UPGRADING",
    "CONTRIBUTING",
    "LICENSE",
    "NOTICE",
];

/// By what a path is known as that of such a file: its directory, its name, or the end of its name.
pub(super) fn mark_of(path: &str) -> Option<&str> {
    let mut steps = path.split('/');
    let name = steps.next_back()?;
    let in_directory = || DIRECTORIES.iter().find(|known| steps.clone().any(|step| step == **known));
    let by_name = || NAMES.iter().find(|known| name == **known);
    let by_end = || ENDS.iter().find(|end| name.ends_with(**end));
    let known = in_directory().or_else(by_name).or_else(by_end).copied();
    known.or_else(|| text_for_people(name, steps.next_back()))
}

/// The name, without its end, of a text for people. `directory` is the one that it is in.
fn text_for_people<'p>(name: &'p str, directory: Option<&str>) -> Option<&'p str> {
    let stem = match name.rsplit_once('.') {
        Some((stem, "txt" | "TXT" | "MD" | "RST")) => stem,
        Some(_) => return None,
        None => name,
    };
    // Helm installs a chart with what this file says. Source: <https://helm.sh/docs/chart_template_guide/notes_files/>.
    let is_template = stem == "NOTES" && directory == Some("templates");
    // In small letters most of these may be names of services: `versions/news.txt`.
    let is_small = matches!(stem, "readme" | "Readme" | "changelog" | "Changelog") && stem.len() < name.len();
    (TEXTS.contains(&stem) && !is_template || is_small).then_some(stem)
}
