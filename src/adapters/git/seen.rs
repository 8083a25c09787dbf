//! A small file beside the cache, in which the agent remembers at which commit it saw each branch of the remote, and when. The file is
//! a hint: who deletes it leaves the agent with the times that committers gave.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lock;
use crate::domain::history::landing::{Sighting, with_sightings};
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;

/// The sightings of each branch, oldest first.
pub(super) type Known = BTreeMap<BranchName, Vec<Sighting>>;

/// The file of one repository.
#[derive(Debug)]
pub(super) struct Seen {
    /// None where there is no directory for it.
    file: Option<PathBuf>,
    /// The sightings that this process last read or wrote; none before it has read the file.
    known: Mutex<Option<Known>>,
}

/// The largest file that is read, in bytes: the most that is kept of a thousand branches.
const MAX_BYTES: u64 = 1 << 24;

/// How long to wait for another process, which holds the file for some milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_STEP: Duration = Duration::from_millis(1);

impl Seen {
    /// In a cache directory. `name` tells the repository from others.
    pub(super) fn new(cache_dir: &Path, name: &str) -> Self {
        let has_directory = !cache_dir.as_os_str().is_empty();
        let file = has_directory.then(|| cache_dir.join(format!("{name}.seen")));
        Self { file, known: Mutex::default() }
    }

    /// What is known of a branch, oldest first. The file is read once: what other processes add later is known after the next
    /// [`Seen::add`].
    pub(super) fn of(&self, branch: &BranchName) -> Vec<Sighting> {
        let mut known = self.known();
        let known = known.get_or_insert_with(|| self.file.as_deref().map(read_file).unwrap_or_default());
        known.get(branch).cloned().unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to what is known of branches, and to what other processes have added. Where that cannot be written, this process knows it
    /// all the same.
    pub(super) fn add(&self, new: &Known) -> std::io::Result<()> {
        let added = |mut known: Known| {
            for (branch, new) in new {
                let before = known.remove(branch).unwrap_or_default();
                known.insert(branch.clone(), with_sightings(before, new));
            }
            known
        };
        let known = self.known().take();
        let known = known.unwrap_or_else(|| self.file.as_deref().map(read_file).unwrap_or_default());
        *self.known() = Some(added(known));
        let Some(path) = &self.file else { return Ok(()) };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
            return Err(std::io::Error::other("it is no file: remove it"));
        }
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        if !lock::within(&file, true, (LOCK_WAIT, LOCK_STEP))? {
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "another process holds the file"));
        }
        let known = added(read(&file));
        // In place, and not by way of a second file: a file system writes what replaces another file to the disk at once. Who is
        // killed in between leaves lines that say nothing.
        let text = text_of(&known);
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        *self.known() = Some(known);
        Ok(())
    }
}

/// What stands in the file at a path. Where there is none, or something else, nothing does.
fn read_file(path: &Path) -> Known {
    let is_file = std::fs::metadata(path).is_ok_and(|about| about.is_file());
    let file = if is_file { File::open(path).ok() } else { None };
    file.map(|file| read(&file)).unwrap_or_default()
}

/// What a file holds. A line that is not understood says nothing.
fn read(file: &File) -> Known {
    let mut bytes = Vec::new();
    if file.take(MAX_BYTES + 1).read_to_end(&mut bytes).is_err() || bytes.len() as u64 > MAX_BYTES {
        bytes.clear();
    }
    let mut known = Known::new();
    for (branch, one) in String::from_utf8_lossy(&bytes).lines().filter_map(parse) {
        known.entry(branch).or_default().push(one);
    }
    known
}

fn text_of(known: &Known) -> String {
    let mut text = String::new();
    for (branch, one) in known.iter().flat_map(|(branch, all)| all.iter().map(move |one| (branch, one))) {
        let (first, last) = (one.first.unix(), one.last.unix());
        let kind = if one.is_exact { "moved" } else { "seen" };
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{kind} {} {first} {last} {branch}", one.tip);
    }
    text
}

fn parse(line: &str) -> Option<(BranchName, Sighting)> {
    let mut words = line.split(' ');
    let is_exact = match words.next()? {
        "moved" => true,
        "seen" => false,
        _ => return None,
    };
    let tip: CommitId = words.next()?.parse().ok()?;
    let mut time = || words.next()?.parse().ok().map(Time::from_unix);
    let (first, last) = (time()?, time()?);
    let branch = words.next()?.parse().ok()?;
    (first <= last).then_some((branch, Sighting { tip, first, last, is_exact }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_reads_back_and_what_is_broken_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let opened = || Seen::new(&directory.path().join("not-there-yet"), "repo");
        let seen = opened();
        let (main, other): (BranchName, BranchName) = ("main".parse().unwrap(), "a/b".parse().unwrap());
        assert_eq!(seen.of(&main), []);
        let one = |tip: u8, first: i64| Sighting {
            tip: CommitId::from_bytes([tip; 20]),
            first: Time::from_unix(first),
            last: Time::from_unix(first),
            is_exact: tip == 3,
        };
        let of_main = |all: &[Sighting]| Known::from([(main.clone(), all.to_vec())]);
        seen.add(&of_main(&[one(1, 10)])).unwrap();
        seen.add(&of_main(&[one(1, 20), one(3, 15)])).unwrap();
        let known = [Sighting { last: Time::from_unix(20), ..one(1, 10) }, one(3, 15)];
        assert_eq!(seen.of(&main), known);
        assert_eq!(opened().of(&main), known);
        assert_eq!(seen.of(&other), []);
        let file = seen.file.as_ref().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let commit = "a".repeat(40);
        let broken = format!("nonsense\nseen 12 3 4 main\nseen {commit} 9 1 main\nseen {commit} 1 2\n{text}");
        std::fs::write(file, broken).unwrap();
        assert_eq!(opened().of(&main), known);
        // What another process has added stays, and is known after the next addition.
        opened().add(&Known::from([(other.clone(), vec![one(2, 12)])])).unwrap();
        assert_eq!(seen.of(&other), []);
        seen.add(&Known::new()).unwrap();
        assert_eq!((seen.of(&main), seen.of(&other)), (known.to_vec(), vec![one(2, 12)]));
        let nowhere = Seen::new(Path::new(""), "repo");
        nowhere.add(&of_main(&known)).unwrap();
        assert_eq!(nowhere.of(&main), known, "as long as the process lives");
    }

    #[test]
    fn a_file_that_got_shorter_and_one_that_is_held_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let seen = Seen::new(directory.path(), "repo");
        let main: BranchName = "main".parse().unwrap();
        let look = |time: i64| Sighting {
            tip: CommitId::from_bytes([1; 20]),
            first: Time::from_unix(time),
            last: Time::from_unix(time),
            is_exact: false,
        };
        seen.add(&Known::from([(main.clone(), vec![look(10)])])).unwrap();
        let file = seen.file.as_ref().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, format!("{text}{}", "nonsense\n".repeat(9))).unwrap();
        let bytes = std::fs::read(file).unwrap();
        std::fs::write(file, [b"\xff\n", bytes.as_slice()].concat()).unwrap();
        let holder = File::open(file).unwrap();
        holder.lock().unwrap();
        assert!(seen.add(&Known::from([(main.clone(), vec![look(20)])])).is_err());
        assert_eq!(seen.of(&main)[0].last, Time::from_unix(20), "the process knows it all the same");
        holder.unlock().unwrap();
        seen.add(&Known::from([(main.clone(), vec![look(30)])])).unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), text.replace("10 10", "10 30"));
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let main: BranchName = "main".parse().unwrap();
        let look = Sighting {
            tip: CommitId::from_bytes([1; 20]),
            first: Time::from_unix(1),
            last: Time::from_unix(1),
            is_exact: false,
        };
        let path = directory.path().join("repo.seen");
        let made: [&dyn Fn(); 3] = [
            &|| std::fs::create_dir(&path).unwrap(),
            &|| std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
            &|| drop(std::os::unix::net::UnixListener::bind(&path).unwrap()),
        ];
        for make in made {
            make();
            let seen = Seen::new(directory.path(), "repo");
            assert_eq!(seen.of(&main), []);
            assert!(seen.add(&Known::from([(main.clone(), vec![look.clone()])])).is_err());
            assert_eq!(seen.of(&main), std::slice::from_ref(&look));
            let removed =
                if path.is_dir() { std::fs::remove_dir(&path) } else { std::fs::remove_file(&path) };
            removed.unwrap();
        }
    }
}
