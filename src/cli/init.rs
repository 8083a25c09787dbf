//! `backout init`: proposes a configuration from what is in a repo.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use super::common::{Common, Ending, Format};
use super::{output, world};
use crate::adapters::git::{current_branch, origin_url};
use crate::domain::environment::layout::{Layout, has_release_field, layouts};
use crate::domain::history::scope::Everything;
use crate::domain::ids::FilePath;
use crate::ports::Repository;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// A local clone of the environment repo
    #[arg(default_value = ".")]
    repository: PathBuf,
}

/// The most files that are looked through, and the most of them that are read.
const MAX_FILES: usize = 200_000;
const MAX_READ: usize = 20_000;
/// Layouts that cover fewer files than this share of the largest one are left out.
const SMALL_SHARE: usize = 20;

/// Runs the command.
pub(super) async fn run(common: &Common, args: InitArgs) -> anyhow::Result<Ending> {
    let branch =
        current_branch(&args.repository).with_context(|| format!("{}", args.repository.display()))?;
    let repository = Arc::clone(&world::without_config(&args.repository)?.repository);
    let of_branch = branch.clone();
    let reading = tokio::task::spawn_blocking(move || release_files(repository.as_ref(), of_branch.as_str()));
    let files = output::progress("reading the repository", reading).await??;
    let mut found = layouts(files.iter().map(FilePath::as_str));
    let most = found.first().map_or(0, |layout| layout.files);
    found.retain(|layout| layout.files * SMALL_SHARE >= most);
    anyhow::ensure!(
        !found.is_empty(),
        "no file with an image, tag or version was found on {branch}: write backout.yaml by hand, docs/configuration.md \
         shows how"
    );
    let path = || args.repository.canonicalize().unwrap_or_else(|_| args.repository.clone());
    let url = origin_url(&args.repository).unwrap_or_else(|| path().to_string_lossy().into_owned());
    let proposal = propose(&url, branch.as_str(), &found);
    match common.format {
        Format::Text => output::text(&proposal),
        Format::Json => output::json(&serde_json::json!({
            "config": proposal,
            "layouts": found.iter().map(|layout| serde_json::json!({
                "pattern": layout.pattern, "files": layout.files,
                "services": layout.services, "environments": layout.environments,
            })).collect::<Vec<_>>(),
        }))?,
    }
    Ok(Ending::Quiet)
}

fn release_files(repository: &dyn Repository, branch: &str) -> anyhow::Result<Vec<FilePath>> {
    let head = repository.resolve(branch)?;
    let mut found = Vec::new();
    let mut read = 0;
    for path in repository.list_files(head, &Everything, MAX_FILES)? {
        let name = path.as_str().rsplit('/').next().unwrap_or("");
        let structured =
            [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending)) || !name.contains('.');
        if !structured || read >= MAX_READ {
            continue;
        }
        read += 1;
        let bytes = repository.read_file(head, &path)?.unwrap_or_default();
        if std::str::from_utf8(&bytes).is_ok_and(has_release_field) {
            found.push(path);
        }
    }
    Ok(found)
}

fn propose(repository: &str, branch: &str, layouts: &[Layout]) -> String {
    let named: BTreeSet<&str> =
        layouts.iter().flat_map(|l| l.environments.iter().map(String::as_str)).collect();
    let environments: Vec<&str> = if named.is_empty() { vec![branch] } else { named.into_iter().collect() };
    let mut out =
        String::from("# A proposal, made from the files of the repository. Look through all of it.\n");
    let mut add = |text: &str| out.push_str(text);
    add(&format!(
        "repository:\n  # The URL that you push to; see `auth` for tokens and keys.\n  url: {}\n\n",
        quoted(repository)
    ));
    add("environments:\n");
    for environment in &environments {
        add(&format!("  {}:\n    branch: {}\n", quoted(environment), quoted(branch)));
        add(
            "    # observe: judge and record only. propose: prepare the revert for a person. auto: revert.\n",
        );
        add("    mode: observe\n");
    }
    add("\nmetrics:\n  prometheus:\n    kind: prometheus\n    url: http://prometheus:9090\n\n");
    add(
        "signals:\n  # Keep the label that names the service, so that one request answers for all services.\n",
    );
    add("  errors:\n    source: prometheus\n    kind: error-ratio\n    by: service\n    query: |\n");
    add("      # `or … * 0`: a service without errors has the ratio 0, and not no data.\n");
    add("      (\n");
    add("        sum by (service) (rate(http_requests_total{code=~\"5..\"}[1m]))\n");
    add("          or sum by (service) (rate(http_requests_total[1m])) * 0\n");
    add("      ) / sum by (service) (rate(http_requests_total[1m]))\n\n");
    add("services:\n");
    for layout in layouts {
        let some: Vec<&str> = layout.services.iter().take(4).map(String::as_str).collect();
        let more = layout.services.len().saturating_sub(some.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let files = if layout.files == 1 { "1 file".to_owned() } else { format!("{} files", layout.files) };
        add(&format!("  # {files}: {}{more}\n", output::plain(&some.join(", "))));
        add(&format!("  - pattern: {}\n", quoted(&layout.pattern)));
        if layout.environments.is_empty() && environments.len() > 1 {
            add(&format!("    environments: [{}]\n", quoted(environments.first().unwrap_or(&branch))));
        }
    }
    out
}

/// A YAML scalar in double quotes: JSON strings are such scalars.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
