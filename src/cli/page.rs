//! `backout page`: the pages of the daemon as files, for those who run it from cron.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::common::{Common, Ending};
use super::{output, world};
use crate::agent::{EnvironmentReport, Intent, PassReport, Stop, World, overview, pass};
use crate::page::{Filter, Place, Seen, ServiceState, Shown, Site, environment, index, service, style};
use crate::ports::RepositoryError;

/// The file that says that a folder is this command's own.
const MARK: &str = ".backout-page";

/// How the name of a file begins that is not written to its end.
const UNFINISHED: &str = ".backout-new-";

/// After how long nobody writes such a file any more, in seconds.
const UNFINISHED_SECS: u64 = 3_600;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct PageArgs {
    /// The folder for the pages: a new or an empty one, or one of an earlier run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: PageArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    let mut folder = Folder::open(args.out)?;
    let report = output::progress("looking", pass(&world, Intent::Plan, &Stop::default())).await;
    let (mut site, mut ending) = (site(&world, report), Ending::Quiet);
    folder.write(&Place::Style, &style())?;
    let mut left = Vec::new();
    for ((estate, of), seen) in world.environments().zip(&site.environments) {
        let read = match &seen.report {
            Some(_) => overview(&world, estate, of).await.map_err(|error| error.to_string()),
            None => Err(seen.problem.clone().unwrap_or_else(|| "it was not examined".to_owned())),
        };
        match read {
            Ok(overview) => {
                write_environment(Shown { site: &site, seen, overview: &overview }, &mut folder)?;
                left.push(overview.left());
            }
            Err(problem) => {
                output::problem(&format!("{}: {problem}", of.name));
                ending = Ending::Error;
                // The pages of the last time say of which time they are.
                folder.keep(&Place::Environment(seen.name.clone(), None));
                left.push(Vec::new());
            }
        }
    }
    site.environments.iter_mut().zip(left).for_each(|(seen, left)| seen.left = left);
    folder.write(&Place::Index, &index(&site))?;
    folder.remove_others()?;
    output::line(&format!("the pages begin with {}", folder.path.join(Place::Index.path()).display()));
    Ok(ending)
}

/// Writes the pages of an environment and of its services.
fn write_environment(shown: Shown<'_>, folder: &mut Folder) -> anyhow::Result<()> {
    let name = &shown.seen.name;
    for state in std::iter::once(None).chain(ServiceState::ALL.map(Some)) {
        let filter = Filter { state, search: String::new() };
        folder.write(&Place::Environment(name.clone(), state), &environment(shown, &filter))?;
    }
    for one in &shown.overview.status.services {
        if let Some(page) = service(shown, &one.service) {
            folder.write(&Place::Service(name.clone(), one.service.clone()), &page)?;
        }
    }
    Ok(())
}

/// What a pass has seen, for pages.
fn site(world: &World, passed: Result<PassReport, RepositoryError>) -> Site {
    let (at, reports) = match passed {
        Ok(PassReport { at, environments, took: _ }) => (at, environments.into_iter().map(Ok).collect()),
        Err(error) => (world.clock.now(), vec![Err(error.to_string()); world.environments().count()]),
    };
    let mut environments = Vec::new();
    for ((estate, environment), of) in world.environments().zip(reports) {
        let nothing = Seen::new(&estate.name, environment);
        let of: Result<EnvironmentReport, String> = of;
        environments.push(match of {
            Ok(of) if of.is_examined() => Seen { report: Some((at, of)), ..nothing },
            Ok(of) => Seen { problem: of.problems.into_iter().next(), ..nothing },
            Err(problem) => Seen { problem: Some(problem), ..nothing },
        });
    }
    Site { at, is_served: false, notices: Vec::new(), environments }
}

/// The folder that the pages are written into.
struct Folder {
    path: PathBuf,
    /// The paths in it that this run has written.
    written: BTreeSet<String>,
    /// The folders in it that stay as they are, each with a `/` at its end.
    kept: Vec<String>,
}

impl Folder {
    /// Opens it, and makes it where it is not there. What others have put into a folder is not written over.
    fn open(path: PathBuf) -> anyhow::Result<Self> {
        let shown = path.display();
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {shown}"))?;
        let mark = path.join(MARK);
        if !mark.exists() {
            let mut there =
                std::fs::read_dir(&path).with_context(|| format!("cannot read the folder {shown}"))?;
            ensure!(
                there.next().is_none(),
                "the folder {shown} holds files that this command has not written: name a new or an empty one"
            );
            std::fs::write(&mark, "written by backout page\n")
                .with_context(|| format!("cannot write into {shown}"))?;
        }
        Ok(Self { path, written: BTreeSet::new(), kept: Vec::new() })
    }

    /// Writes a page. Who reads it meanwhile reads the old one or the new one, whole.
    fn write(&mut self, place: &Place, text: &str) -> anyhow::Result<()> {
        let file = self.path.join(place.path());
        let write = || {
            let parent = self.folder_of(place)?;
            let mut new =
                tempfile::Builder::new().prefix(UNFINISHED).permissions(readable()).tempfile_in(parent)?;
            new.write_all(text.as_bytes())?;
            new.persist(&file).map_err(|error| error.error)?;
            Ok::<_, std::io::Error>(())
        };
        write().with_context(|| format!("cannot write {}", file.display()))?;
        self.written.insert(place.path());
        Ok(())
    }

    /// The folder of a page, which is made where it is not there. One that is a link leads to what others own.
    fn folder_of(&self, place: &Place) -> std::io::Result<PathBuf> {
        let path = place.path();
        let mut folder = self.path.clone();
        for part in Path::new(&path).parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            match std::fs::symlink_metadata(&folder) {
                Ok(there) if there.is_dir() => {}
                Ok(_) => {
                    let why = format!("{} is no folder: remove it", folder.display());
                    return Err(std::io::Error::new(ErrorKind::NotADirectory, why));
                }
                Err(_) => std::fs::create_dir_all(&folder)?,
            }
        }
        Ok(folder)
    }

    /// Leaves a page as it is, and all that is in its folder.
    fn keep(&mut self, place: &Place) {
        let path = place.path();
        self.kept.extend(path.strip_suffix("index.html").map(str::to_owned));
    }

    /// Removes the pages of environments and services that are no more.
    fn remove_others(&self) -> anyhow::Result<()> {
        let all = folders_in(&self.path)?.into_iter().find(|folder| folder.ends_with("environments"));
        self.remove_others_in(&self.path)?;
        for environment in all.map_or_else(|| Ok(Vec::new()), |all| folders_in(&all))? {
            let services =
                folders_in(&environment)?.into_iter().filter(|folder| folder.ends_with("services"));
            for folder in services.chain([environment.clone()]) {
                self.remove_others_in(&folder)
                    .with_context(|| format!("cannot clear {}", folder.display()))?;
                // What is not empty stays.
                drop(std::fs::remove_dir(&folder));
            }
        }
        Ok(())
    }

    fn remove_others_in(&self, folder: &Path) -> std::io::Result<()> {
        let Ok(files) = std::fs::read_dir(folder) else { return Ok(()) };
        for file in files {
            let file = file?;
            let path = file.path();
            let Some(own) = path.strip_prefix(&self.path).ok().and_then(Path::to_str) else { continue };
            let stays =
                self.written.contains(own) || self.kept.iter().any(|kept| own.starts_with(kept.as_str()));
            let is_page = own.ends_with(".html") && folder != self.path && !stays;
            let is_unfinished = || {
                let age = file.metadata().and_then(|there| there.modified()).map(|at| at.elapsed());
                let is_old =
                    age.is_ok_and(|age| age.is_ok_and(|age| age > Duration::from_secs(UNFINISHED_SECS)));
                file.file_name().to_string_lossy().starts_with(UNFINISHED) && is_old
            };
            if file.file_type()?.is_file() && (is_page || is_unfinished()) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Who may read the pages: everybody, as far as the process lets them, like any other file that a program writes.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

/// The folders in a folder, of which none is a link; none where it is not there.
fn folders_in(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(there) = std::fs::read_dir(path) else { return Ok(Vec::new()) };
    let mut folders = Vec::new();
    for one in there {
        let one = one.with_context(|| format!("cannot read {}", path.display()))?;
        if one.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(one.path());
        }
    }
    Ok(folders)
}
