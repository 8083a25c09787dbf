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
const NAMES: [&str; 20] = [
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
    "LICENSE",
];

/// How the names of texts for people end.
const ENDS: [&str; 4] = [".md", ".markdown", ".rst", ".adoc"];

/// By what a path is known as that of such a file: its directory, its name, or the end of its name.
pub(super) fn mark_of(path: &str) -> Option<&'static str> {
    let mut steps = path.split('/');
    let name = steps.next_back()?;
    let in_directory = || DIRECTORIES.iter().find(|known| steps.clone().any(|step| step == **known));
    let by_name = || NAMES.iter().find(|known| name == **known);
    let by_end = || ENDS.iter().find(|end| name.ends_with(**end));
    in_directory().or_else(by_name).or_else(by_end).copied()
}
