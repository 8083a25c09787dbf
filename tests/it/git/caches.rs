//! Caches that are damaged, shared, or left behind by a killed process.

use std::path::{Path, PathBuf};

use backout::ports::Repository;

use super::{fetch_main, history_since, http_options, id, main_branch, open, options, push_file};
use crate::support::command;
use crate::support::git::{WorkTree, fast_import, linear_history};
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};

/// The one cache in a cache directory.
pub(super) fn directory(cache: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.extension().is_some_and(|extension| extension == "git")).unwrap()
}

fn each_pack(bare: &Path, change: impl Fn(&Path)) {
    let mut count = 0;
    for entry in std::fs::read_dir(bare.join("objects/pack")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pack") {
            change(&path);
            count += 1;
        }
    }
    assert!(count > 0);
}

#[test]
fn a_broken_cache_is_cloned_again() {
    let remote = HttpRemote::start();
    fast_import(&remote.repository(), &linear_history(300, 3, 1_600_000_000));
    let cache = tempfile::tempdir().unwrap();
    let tip = fetch_main(&open(http_options(&remote, cache.path())));
    let bare = directory(cache.path());
    let truncate = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let length = std::fs::metadata(path).unwrap().len();
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length / 2).unwrap();
    };
    let damages: [(&str, &dyn Fn()); 6] = [
        ("truncated packs", &|| each_pack(&bare, truncate)),
        ("deleted packs", &|| each_pack(&bare, |path| std::fs::remove_file(path).unwrap())),
        ("garbage HEAD", &|| std::fs::write(bare.join("HEAD"), b"\0\xffgarbage").unwrap()),
        ("garbage ref", &|| std::fs::write(bare.join("refs/heads/main"), "zzz").unwrap()),
        ("no objects", &|| std::fs::remove_dir_all(bare.join("objects")).unwrap()),
        ("garbage shallow", &|| std::fs::write(bare.join("shallow"), "nothing\n").unwrap()),
    ];
    for (name, damage) in damages {
        // Once found by reading, once by fetching; each time by a process that has just started.
        damage();
        let reader = open(http_options(&remote, cache.path()));
        let snapshot = history_since(&reader, 0);
        assert_eq!((snapshot.head, snapshot.commits.len()), (tip, 300), "{name}");
        damage();
        let fetcher = open(http_options(&remote, cache.path()));
        assert_eq!(fetch_main(&fetcher), tip, "{name}");
        assert_eq!(history_since(&fetcher, 0).commits.len(), 300, "{name}");
    }
}

#[test]
fn a_push_survives_a_broken_cache() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    let tip = people.commit_file("a", "1");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    fetch_main(&repository);
    each_pack(&directory(cache.path()), |path| std::fs::remove_file(path).unwrap());
    let pushed = push_file(&repository, id(&tip), "a", "2").unwrap();
    assert_eq!(repository.remote_tip(&main_branch()).unwrap(), Some(pushed));
}

#[test]
fn what_a_killed_process_leaves_is_no_obstacle() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    people.commit_file("a", "1");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    fetch_main(&open(http_options(&remote, cache.path())));
    let bare = directory(cache.path());
    let tip = people.commit_file("a", "2");
    people.push(&remote.repository());
    for left in ["shallow.lock", "refs/heads/main.lock", "packed-refs.lock", "objects/pack/pack_git2_x"] {
        std::fs::write(bare.join(left), "").unwrap();
    }
    std::fs::create_dir(bare.with_extension("new")).unwrap();
    assert_eq!(fetch_main(&open(http_options(&remote, cache.path()))), id(&tip));
    assert!(!bare.join("objects/pack/pack_git2_x").exists());
}

#[test]
fn a_cache_of_very_many_packs_is_cloned_again() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    people.commit_file("a", "1");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    fetch_main(&repository);
    let packs = directory(cache.path()).join("objects/pack");
    for number in 0..400 {
        std::fs::write(packs.join(format!("pack-{number:040x}.pack")), "").unwrap();
    }
    let tip = people.commit_file("a", "2");
    people.push(&remote.repository());
    assert_eq!(fetch_main(&repository), id(&tip));
    assert!(std::fs::read_dir(packs).unwrap().count() < 10);
}

/// Brings the clone of people to what the remote has.
fn pull(people: &WorkTree, remote: &HttpRemote) {
    people.git(&["pull", "-q", "--ff-only", remote.repository().to_str().unwrap(), "main"]);
}

/// Each fetch leaves a pack, and each note and revert single objects.
#[test]
fn packs_and_single_objects_are_joined_and_nothing_is_lost() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    people.commit_file("a", "0");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    fetch_main(&repository);
    let packs = directory(cache.path()).join("objects/pack");
    let count = |extension: &str| {
        let paths = std::fs::read_dir(&packs).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).count()
    };
    let mut most = 0;
    let mut tip = fetch_main(&repository);
    for number in 1..=45 {
        tip = match number % 10 {
            0 => push_file(&repository, tip, "own", &number.to_string()).unwrap(),
            _ => {
                pull(&people, &remote);
                let tip = people.commit_file("a", &number.to_string());
                people.push(&remote.repository());
                id(&tip)
            }
        };
        assert_eq!(fetch_main(&repository), tip);
        most = most.max(count("pack"));
    }
    assert_eq!(most, 32, "beyond that they are joined");
    assert_eq!((count("pack"), count("idx")), (count("idx"), count("pack")));
    for reader in [&repository, &open(http_options(&remote, cache.path()))] {
        let snapshot = history_since(reader, 0);
        assert_eq!((snapshot.head, snapshot.commits.len()), (tip, 46));
    }
    let bare = directory(cache.path());
    let checked = command("git").args(["fsck", "--full", "--strict"]).current_dir(&bare).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // A broken pack among them holds up no fetch.
    each_pack(&bare, |path| {
        let index = path.with_extension("idx");
        let copy = index.with_file_name(format!("pack-{}.idx", "0".repeat(40)));
        std::fs::write(copy.with_extension("pack"), "broken").unwrap();
        std::fs::write(copy, "broken").unwrap();
    });
    for number in 46..81 {
        pull(&people, &remote);
        let tip = id(&people.commit_file("a", &number.to_string()));
        people.push(&remote.repository());
        assert_eq!(fetch_main(&repository), tip);
    }
    assert_eq!(history_since(&repository, 0).commits.len(), 81);
}

#[test]
fn two_processes_share_a_cache() {
    let remote = HttpRemote::start();
    fast_import(&remote.repository(), &linear_history(400, 3, 1_600_000_000));
    let cache = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let repository = open(http_options(&remote, cache.path()));
                for _ in 0..3 {
                    fetch_main(&repository);
                    assert_eq!(history_since(&repository, 0).commits.len(), 400);
                }
            });
        }
    });
}

const VICTIM_URL: &str = "BACKOUT_TEST_VICTIM_URL";
const VICTIM_CACHE: &str = "BACKOUT_TEST_VICTIM_CACHE";

#[test]
#[ignore = "the victim of a_kill_at_any_moment_is_survived, which starts it"]
fn victim() {
    let text = |name: &str| std::env::var_os(name).unwrap().into_string().unwrap();
    let repository = open(options(&text(VICTIM_URL), Path::new(&text(VICTIM_CACHE))));
    fetch_main(&repository);
    history_since(&repository, 0);
}

#[test]
fn a_kill_at_any_moment_is_survived() {
    let remote = HttpRemote::start();
    fast_import(&remote.repository(), &linear_history(2000, 50, 1_600_000_000));
    let url = remote.url().replace("http://", &format!("http://{USER}:{PASSWORD}@"));
    let cache = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut people = WorkTree::new();
    people.git(&["pull", "-q", remote.repository().to_str().unwrap(), "main"]);
    for round in 0..24 {
        let program = std::env::current_exe().unwrap();
        let mut victim = command(program.to_str().unwrap())
            .args(["--exact", "git::caches::victim", "--ignored", "--quiet"])
            .env(VICTIM_URL, &url)
            .env(VICTIM_CACHE, cache.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(random.u64(5..250)));
        victim.kill().unwrap();
        victim.wait().unwrap();
        if round % 6 == 5 {
            people.commit_file("more", &round.to_string());
            people.push(&remote.repository());
            let repository = open(options(&url, cache.path()));
            fetch_main(&repository);
            let count = history_since(&repository, 0).commits.len();
            assert_eq!(count.to_string(), people.git(&["rev-list", "--count", "HEAD"]));
            if round == 11 {
                std::fs::remove_dir_all(directory(cache.path())).unwrap();
            }
        }
    }
}
