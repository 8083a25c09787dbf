//! History compared with `git log` on random repositories with merges.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use backout::domain::history::snapshot::{FileDiff, FileKind};

use super::{history_since, open, options};
use crate::support::git::{bare, fast_import, git};

/// A stream of random commits: wide directories, renames between files and directories, mode changes, symbolic links,
/// submodules, deletions and merges.
pub(super) fn random_history(seed: u64, commits: usize) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stream = String::from("reset refs/heads/main\n");
    for number in 1..=commits {
        let message = format!("commit {number}\n\nbody {}", random.u32(..));
        writeln!(stream, "commit refs/heads/{}", if number == commits { "main" } else { "work" }).unwrap();
        writeln!(stream, "mark :{number}\ncommitter Bot <bot@x> {} +0000", 1_600_000_000 + number * 60)
            .unwrap();
        writeln!(stream, "data {}\n{message}", message.len()).unwrap();
        if number > 1 {
            writeln!(stream, "from :{}", random.usize(number.saturating_sub(5).max(1)..number)).unwrap();
            if random.u8(..4) == 0 {
                let other = random.usize(1..number);
                writeln!(stream, "merge :{other}").unwrap();
            }
        }
        for _ in 0..random.usize(0..6) {
            change(&mut random, &mut stream);
        }
        writeln!(stream).unwrap();
    }
    stream
}

fn change(random: &mut fastrand::Rng, stream: &mut String) {
    let service = random.u8(..60);
    let path = match random.u8(..10) {
        0..=5 => format!("apps/svc-{service:02}/values.yaml"),
        6 => format!("apps/svc-{service:02}"),
        7 => format!("apps/svc-{service:02}.yaml"),
        8 => format!("wide/{:04}", random.u16(..500)),
        _ => format!("top{}", random.u8(..3)),
    };
    let text = format!("tag: {}\n", random.u8(..20));
    match random.u8(..20) {
        0 => writeln!(stream, "D {path}").unwrap(),
        1 => writeln!(stream, "M 120000 inline {path}\ndata {}\n{text}", text.len()).unwrap(),
        2 => writeln!(stream, "M 160000 {:040x} {path}", random.u8(1..)).unwrap(),
        3..=5 => writeln!(stream, "M 100755 inline {path}\ndata {}\n{text}", text.len()).unwrap(),
        _ => writeln!(stream, "M 100644 inline {path}\ndata {}\n{text}", text.len()).unwrap(),
    }
}

/// A commit's id, and its changed files with their blobs before and after.
/// The blobs of a file on both sides, and what it was and is where that is another thing.
type Change = (String, String, Option<(&'static str, &'static str)>);
type Changes = (String, BTreeMap<String, Change>);

/// What `git log` says: per commit the changed plain files with their blobs on both sides.
fn truth(path: &Path) -> Vec<Changes> {
    let log = git(
        path,
        &[
            "log",
            "--first-parent",
            "-m",
            "--root",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            "--format=>%H",
            "main",
        ],
    );
    let none = "0".repeat(40);
    let mut commits = Vec::new();
    for line in log.lines().filter(|line| !line.is_empty()) {
        if let Some(commit) = line.strip_prefix('>') {
            commits.push((commit.to_owned(), BTreeMap::new()));
            continue;
        }
        let (columns, name) = line.trim_start_matches(':').split_once('\t').unwrap();
        let columns: Vec<&str> = columns.split(' ').collect();
        // Links and submodules are not files here: their side of a change counts as absent.
        let side =
            |mode: &str, blob: &str| if mode.starts_with("100") { blob.to_owned() } else { none.clone() };
        let (old, new) = (side(columns[0], columns[2]), side(columns[1], columns[3]));
        let kind = |mode: &str| match mode {
            "100755" => "executable",
            "120000" => "link",
            "160000" => "submodule",
            "000000" => "nothing",
            _ => "plain",
        };
        let is_bytes = |(old, new): &(&str, &str)| {
            let is_file = |kind: &str| kind == "plain" || kind == "executable";
            old == new && is_file(new)
                || (*old, *new) == ("plain", "nothing")
                || *old == "nothing" && is_file(new)
        };
        let turned = Some((kind(columns[0]), kind(columns[1]))).filter(|kinds| !is_bytes(kinds));
        if old != none || new != none || turned.is_some() {
            commits.last_mut().unwrap().1.insert(name.to_owned(), (old, new, turned));
        }
    }
    // The first of all deploys nothing.
    if let Some((_, files)) = commits.last_mut() {
        files.retain(|_, (old, new, turned)| {
            *turned = None;
            *old != none || *new != none
        });
    }
    commits
}

fn kind_of(kind: &FileKind) -> &'static str {
    match kind {
        FileKind::Nothing => "nothing",
        FileKind::Plain => "plain",
        FileKind::Executable => "executable",
        FileKind::Link(_) => "link",
        FileKind::Submodule(_) => "submodule",
    }
}

#[test]
fn history_is_what_git_log_says() {
    for seed in 0..6 {
        let parent = tempfile::tempdir().unwrap();
        let path = bare(parent.path(), "env.git");
        fast_import(&path, random_history(seed, 150).as_bytes());
        let repository = open(options(path.to_str().unwrap(), parent.path()));
        let snapshot = history_since(&repository, 0);
        let none = "0".repeat(40);
        let show = |version: &Option<backout::domain::history::snapshot::FileVersion>| {
            version.as_ref().map_or_else(|| none.clone(), |version| version.blob.to_string())
        };
        let ours: Vec<_> = snapshot
            .commits
            .iter()
            .map(|commit| {
                let paths: Vec<_> = commit.files.iter().map(|file| file.path.to_string()).collect();
                assert!(paths.is_sorted(), "seed {seed}: {paths:?}");
                let turned =
                    |file: &FileDiff| file.turned.as_ref().map(|(old, new)| (kind_of(old), kind_of(new)));
                let files: BTreeMap<_, _> = commit
                    .files
                    .iter()
                    .map(|f| (f.path.to_string(), (show(&f.old), show(&f.new), turned(f))))
                    .collect();
                (commit.id.to_string(), files)
            })
            .collect();
        assert_eq!(ours, truth(&path), "seed {seed}");
        let blobs: BTreeSet<_> = snapshot
            .commits
            .iter()
            .flat_map(|c| &c.files)
            .flat_map(|f| &f.new)
            .collect::<Vec<_>>()
            .iter()
            .filter_map(|v| Some((v.blob.to_string(), v.bytes.clone()?)))
            .collect();
        assert!(!blobs.is_empty());
        for (blob, bytes) in blobs.iter().take(20) {
            assert_eq!(git(&path, &["cat-file", "blob", blob]).as_bytes(), bytes.trim_ascii_end());
        }
        let merges = git(&path, &["rev-list", "--merges", "--first-parent", "--count", "main"]);
        assert_ne!(merges, "0", "seed {seed} has no merge: the test shows less than it says");
    }
}
