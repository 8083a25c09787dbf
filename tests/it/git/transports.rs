//! Fetching and pushing over HTTP and SSH, and being refused by them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backout::adapters::forge::TokenSource;
use backout::adapters::git::{GitAuth, GitOptions, GitRepository};
use backout::domain::ids::{BranchName, CommitId, FilePath};
use backout::domain::time::Time;
use backout::ports::{BoxFuture, CommitRequest, PushError, Repository, RepositoryError};
use secrecy::SecretString;

use super::{
    RUNTIME, fetch_main, history_since, http_options, id, main_branch, open, options, push_file, ssh_options,
};
use crate::support::forge::TOKEN;
use crate::support::free_port;
use crate::support::git::{WorkTree, fast_import, git, git_command, hook, linear_history};
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};
use crate::support::ssh_remote::SshRemote;

fn reads_and_writes(repository: &GitRepository, bare: &std::path::Path) {
    let mut people = WorkTree::new();
    people.commit_file("a/values.yaml", "tag: 1\n");
    let second = people.commit_file("a/values.yaml", "tag: 2\n");
    people.push(bare);
    assert_eq!(fetch_main(repository), id(&second));
    assert_eq!(history_since(repository, 0).commits.len(), 2);

    let third = people.commit_file("b.txt", "b\n");
    people.push(bare);
    assert_eq!(repository.remote_tip(&main_branch()).unwrap(), Some(id(&third)));
    assert_eq!(history_since(repository, 0).head, id(&second), "history is as of the last fetch");
    assert_eq!(fetch_main(repository), id(&third));
    assert_eq!(history_since(repository, 0).commits.len(), 3);

    repository.check_push(&main_branch()).unwrap();
    let pushed = push_file(repository, id(&third), "a/values.yaml", "tag: 1\n").unwrap();
    assert_eq!(git(bare, &["rev-parse", "main"]), pushed.to_string());
    assert_eq!(git(bare, &["show", "main:a/values.yaml"]), "tag: 1");
    assert_eq!(history_since(repository, 0).head, pushed, "the agent sees its own push at once");
    proposals_come_and_go(repository, bare, pushed);
    git(bare, &["fsck", "--strict"]);

    let missing = BranchName::new("nope").unwrap();
    assert!(
        matches!(repository.fetch(std::slice::from_ref(&missing)), Err(RepositoryError::NotFound(text)) if text.contains("nope"))
    );
    assert_eq!(repository.remote_tip(&missing).unwrap(), None);
}

/// A branch beside `main` is made, brought up to date with it, and removed.
pub(super) fn proposals_come_and_go(repository: &GitRepository, bare: &std::path::Path, main: CommitId) {
    let branch = BranchName::new("backout/production/a/1").unwrap();
    let files = |text: &str| {
        BTreeMap::from([(FilePath::new("a/values.yaml").unwrap(), Some(text.as_bytes().to_vec().into()))])
    };
    let make = |expected: Option<CommitId>, text: &str| {
        let request = CommitRequest {
            branch: &branch,
            expected,
            parent: main,
            onto: expected,
            files: &files(text),
            message: "Revert a\n\nBackout-Id: 1\n",
            at: Time::from_unix(1_800_000_000),
        };
        repository.commit_and_push(&request)
    };
    let first = make(None, "tag: 0\n").unwrap();
    let second = make(Some(first), "tag: 00\n").unwrap();
    let made = repository.commit(second).unwrap();
    assert_eq!(made.parents, [main, first], "made on main, and after what was there");
    assert!(made.message.contains("Backout-Id: 1"));
    let exactly = |files: BTreeMap<_, _>| repository.holds_exactly(second, main, &files).unwrap();
    assert!(exactly(files("tag: 00\n")) && !exactly(files("tag: 0\n")) && !exactly(BTreeMap::new()));
    assert!(matches!(make(Some(first), "tag: 1\n"), Err(PushError::Rejected { .. })), "it has moved");
    assert_eq!(repository.remote_branches("backout/").unwrap(), [(branch.clone(), second)].into());
    assert_eq!(repository.remote_branches("backup/").unwrap(), BTreeMap::new());
    let elsewhere = repository.remove_branch(&branch, first);
    assert!(matches!(elsewhere, Err(PushError::Rejected { .. })), "{elsewhere:?}");
    assert_eq!(git(bare, &["rev-parse", branch.as_str()]), second.to_string());
    repository.remove_branch(&branch, second).unwrap();
    assert_eq!(repository.remote_branches("backout/").unwrap(), BTreeMap::new());
    let gone = repository.remove_branch(&branch, second);
    assert!(matches!(gone, Err(PushError::Rejected { .. })), "{gone:?}");
}

/// Credentials of which the first have been taken back.
struct Renewed(AtomicUsize);

impl TokenSource for Renewed {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, String>> {
        let token = if self.0.load(Ordering::SeqCst) == 0 { "taken back" } else { TOKEN };
        Box::pin(async move { Ok(SecretString::from(token)) })
    }

    fn forget(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn credentials_of_a_forge_are_renewed_when_they_are_refused() {
    let remote = HttpRemote::start();
    let cache = tempfile::tempdir().unwrap();
    let source = Arc::new(Renewed(AtomicUsize::new(0)));
    let auth = GitAuth::Forge(Arc::clone(&source) as Arc<dyn TokenSource>);
    let options = GitOptions { auth, ..http_options(&remote, cache.path()) };
    reads_and_writes(&open(options), &remote.repository());
    assert_eq!(source.0.load(Ordering::SeqCst), 1, "once");
}

#[test]
fn http_reads_and_writes() {
    let remote = HttpRemote::start();
    let cache = tempfile::tempdir().unwrap();
    reads_and_writes(&open(http_options(&remote, cache.path())), &remote.repository());
}

#[test]
fn ssh_reads_and_writes() {
    let remote = SshRemote::start();
    let cache = tempfile::tempdir().unwrap();
    reads_and_writes(&open(ssh_options(&remote, cache.path())), &remote.repository());
}

#[test]
fn credentials_in_the_url_work_and_a_redirect_is_followed() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    let tip = people.commit_file("a", "1");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let url = remote.url().replace("http://", &format!("http://{USER}:{PASSWORD}@"));
    let repository = open(options(&url.replace("/env.git", "/moved/env.git"), cache.path()));
    assert_eq!(fetch_main(&repository), id(&tip));
    push_file(&repository, id(&tip), "a", "2").unwrap();
    let shown = format!("{repository:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    for entry in std::fs::read_dir(cache.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.to_string_lossy().contains(PASSWORD));
        if path.is_dir() {
            let config = std::fs::read_to_string(path.join("config")).unwrap();
            assert!(!config.contains(PASSWORD), "{config}");
        }
    }
}

#[test]
fn a_server_with_its_own_certificate_is_trusted_only_when_it_is_configured() {
    let remote = HttpRemote::start_tls();
    let cache = tempfile::tempdir().unwrap();
    let error = error_of(http_options(&remote, cache.path()));
    assert!(
        matches!(&error, RepositoryError::Unreachable { reason, .. } if reason.contains("ertificate")),
        "{error}"
    );
    let mut trusting = http_options(&remote, cache.path());
    trusting.http.ca_file = Some(remote.certificate());
    reads_and_writes(&open(trusting), &remote.repository());
}

#[test]
fn an_empty_repository_has_no_branches() {
    let remote = HttpRemote::start();
    let ssh = SshRemote::start();
    let cache = tempfile::tempdir().unwrap();
    for options in [http_options(&remote, cache.path()), ssh_options(&ssh, cache.path())] {
        let repository = open(options);
        let error = repository.fetch(&[main_branch()]).unwrap_err();
        assert!(matches!(error, RepositoryError::NotFound(_)), "{error}");
        assert_eq!(repository.remote_tip(&main_branch()).unwrap(), None);
        assert!(repository.all_notes().unwrap().is_empty());
        repository.check_push(&main_branch()).unwrap();
    }
}

#[test]
fn names_and_words_that_are_not_utf8_are_no_harm() {
    use std::os::unix::ffi::OsStrExt;
    let http = HttpRemote::start();
    let ssh = SshRemote::start();
    let cache = tempfile::tempdir().unwrap();
    for (options, bare) in [
        (http_options(&http, cache.path()), http.repository()),
        (ssh_options(&ssh, cache.path()), ssh.repository()),
    ] {
        let mut people = WorkTree::new();
        let tip = people.commit_file("a", "1");
        people.push(&bare);
        for name in [&b"refs/heads/caf\xe9"[..], b"refs/heads/AAA\xff", "refs/heads/münchen".as_bytes()] {
            let name = std::ffi::OsStr::from_bytes(name);
            assert!(git_command(&bare).arg("update-ref").arg(name).arg(&tip).status().unwrap().success());
        }
        let odd_head = std::ffi::OsStr::from_bytes(b"refs/heads/caf\xe9");
        assert!(git_command(&bare).args(["symbolic-ref", "HEAD"]).arg(odd_head).status().unwrap().success());
        let repository = open(options);
        let branches = [main_branch(), BranchName::new("münchen").unwrap()];
        assert_eq!(repository.fetch(&branches).unwrap().len(), 2);
        hook(&bare, "pre-receive", "printf 'caf\\351 closed' >&2; exit 1");
        let error = push_file(&repository, id(&tip), "a", "2").unwrap_err();
        assert!(matches!(&error, PushError::Rejected { reason, .. } if reason.contains("closed")), "{error}");
        std::fs::remove_file(bare.join("hooks/pre-receive")).unwrap();
        push_file(&repository, id(&tip), "a", "2").unwrap();
    }
}

#[test]
fn a_deep_history_is_fetched_step_by_step() {
    let remote = HttpRemote::start();
    let start = 1_600_000_000;
    fast_import(&remote.repository(), &linear_history(1500, 7, start));
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    let tip = fetch_main(&repository);
    let posts = || remote.access_log().matches("POST /env.git/git-upload-pack").count();
    let after_fetch = posts();

    let recent = history_since(&repository, start + 1400 * 60);
    assert_eq!(recent.commits.len(), 101);
    assert_eq!(posts(), after_fetch, "the first clone is deep enough for recent history");

    let older = history_since(&repository, start + 1000 * 60);
    assert_eq!(older.commits.len(), 501);
    assert!(posts() > after_fetch);
    // The times of the commits say how many are enough.
    let fetched = git(&super::caches::directory(cache.path()), &["rev-list", "--count", "main"]);
    assert!((533..620).contains(&fetched.parse::<usize>().unwrap()), "{fetched}");
    let all = history_since(&repository, 0);
    assert_eq!(all.commits.len(), 1500);
    assert!(all.commits.iter().all(|commit| commit.files.len() == 1));
    assert_eq!(all.commits[1499].parent, None);
    // A push from a cache that was deepened, and one from a fresh shallow one.
    let pushed = push_file(&repository, tip, "apps/svc-0/values.yaml", "x").unwrap();
    let other = tempfile::tempdir().unwrap();
    let shallow = open(http_options(&remote, other.path()));
    assert_eq!(fetch_main(&shallow), pushed);
    let again = push_file(&shallow, pushed, "apps/svc-1/values.yaml", "y").unwrap();
    git(&remote.repository(), &["fsck", "--strict"]);
    // A short id that only the whole history has.
    let oldest = all.commits[1490].id;
    assert_eq!(shallow.resolve(&oldest.to_string()[..12]).unwrap(), oldest);
    assert_eq!(shallow.resolve("main").unwrap(), again);
}

#[test]
fn a_history_that_was_fetched_ahead_is_not_fetched_again() {
    let remote = HttpRemote::start();
    let start = 1_600_000_000;
    fast_import(&remote.repository(), &linear_history(1500, 7, start));
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    fetch_main(&repository);
    let posts = || remote.access_log().matches("POST /env.git/git-upload-pack").count();
    repository.deepen(&main_branch(), Time::from_unix(start + 500 * 60)).unwrap();
    let ahead = posts();
    repository.deepen(&main_branch(), Time::from_unix(start + 700 * 60)).unwrap();
    assert_eq!(history_since(&repository, start + 500 * 60).commits.len(), 1001);
    assert_eq!(posts(), ahead);
    // Times that say nothing, or that lie: it is fetched all the same.
    for (name, date) in [("same", "1600000000 +0000"), ("ahead", "1900000000 +0000")] {
        let mut text = String::new();
        for n in 0..900 {
            let date = if n == 899 { date } else { "1600000000 +0000" };
            text.push_str(&format!(
                "commit refs/heads/{name}\ncommitter a <a@a> {date}\ndata 1\nx\nM 100644 inline {name}\ndata 4\n{n:04}\n"
            ));
        }
        fast_import(&remote.repository(), text.as_bytes());
        let branch = BranchName::new(name).unwrap();
        repository.fetch(std::slice::from_ref(&branch)).unwrap();
        repository.deepen(&branch, Time::from_unix(start - 1)).unwrap();
        let bare = super::caches::directory(cache.path());
        assert_eq!(git(&bare, &["rev-list", "--count", &format!("refs/heads/{name}")]), "900", "{name}");
    }
}

#[test]
fn a_deep_history_is_fetched_over_ssh_too() {
    let remote = SshRemote::start();
    fast_import(&remote.repository(), &linear_history(600, 5, 1_600_000_000));
    let cache = tempfile::tempdir().unwrap();
    let repository = open(ssh_options(&remote, cache.path()));
    fetch_main(&repository);
    assert_eq!(history_since(&repository, 0).commits.len(), 600);
}

#[test]
fn a_branch_that_was_moved_back_is_the_new_truth() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    let first = people.commit_file("a", "1");
    people.commit_file("a", "2");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    fetch_main(&repository);
    git(&remote.repository(), &["update-ref", "refs/heads/main", &first]);
    assert_eq!(fetch_main(&repository), id(&first));
    assert_eq!(history_since(&repository, 0).commits.len(), 1);
}

#[test]
fn only_the_wanted_branch_comes_and_never_tags() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    people.commit_file("a", "1");
    people.git(&["tag", "v1"]);
    people.git(&["branch", "other"]);
    people.git(&["push", "-q", "--all", remote.repository().to_str().unwrap()]);
    people.git(&["push", "-q", "--tags", remote.repository().to_str().unwrap()]);
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    fetch_main(&repository);
    let bare = super::caches::directory(cache.path());
    assert_eq!(git(&bare, &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(repository.resolve("other").unwrap(), repository.resolve("main").unwrap());
}

fn error_of(options: GitOptions) -> RepositoryError {
    open(options).fetch(&[main_branch()]).unwrap_err()
}

#[test]
fn a_wrong_password_is_denied_and_stays_secret() {
    let remote = HttpRemote::start();
    let cache = tempfile::tempdir().unwrap();
    let wrong = "wrong-s3cret";
    let bad = |auth: GitAuth| GitOptions { auth, ..options(&remote.url(), cache.path()) };
    let basic = || GitAuth::Basic { username: USER.to_owned(), password: wrong.into() };
    for auth in [GitAuth::None, GitAuth::Token(wrong.into()), basic()] {
        let error = error_of(bad(auth));
        assert!(matches!(error, RepositoryError::Denied { .. }), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("401") && !text.contains(wrong), "{text}");
    }
    let error = open(bad(basic())).check_push(&main_branch()).unwrap_err();
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error}");
    let error = error_of(options(&remote.url().replace("env.git", "none.git"), cache.path()));
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error}");
    let url = remote.url().replace("http://", &format!("http://{USER}:{wrong}@"));
    let error = error_of(options(&url, cache.path()));
    let text = format!("{error} {error:?} {:?}", options(&url, cache.path()));
    assert!(!text.contains(wrong) && text.contains("127.0.0.1"), "{text}");
}

#[test]
fn a_server_that_forbids_pushes_denies_them() {
    let remote = HttpRemote::start();
    git(&remote.repository(), &["config", "http.receivepack", "false"]);
    let mut people = WorkTree::new();
    let tip = people.commit_file("a", "1");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    fetch_main(&repository);
    let error = repository.check_push(&main_branch()).unwrap_err();
    assert!(matches!(error, RepositoryError::Denied { .. }), "{error}");
    let error = push_file(&repository, id(&tip), "a", "2").unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
}

#[test]
fn an_unknown_host_key_and_an_unknown_user_are_refused() {
    let remote = SshRemote::start();
    let cache = tempfile::tempdir().unwrap();
    let mut unknown_host = ssh_options(&remote, cache.path());
    unknown_host.ssh.known_hosts_file = Some(remote.file("nothing"));
    let error = error_of(unknown_host);
    assert!(
        matches!(&error, RepositoryError::Denied { reason, .. } if reason.contains("Host key")),
        "{error}"
    );
    let mut other_user = ssh_options(&remote, cache.path());
    other_user.ssh.key_file = Some(remote.file("other_key"));
    let error = error_of(other_user);
    assert!(matches!(&error, RepositoryError::Denied { reason, .. } if reason.contains("denied")), "{error}");
    let mut elsewhere = ssh_options(&remote, cache.path());
    elsewhere.url = elsewhere.url.replace("env.git", "no'ne.git");
    let error = error_of(elsewhere);
    assert!(
        matches!(&error, RepositoryError::Denied { reason, .. } if reason.contains("no'ne.git")),
        "{error}"
    );
}

#[test]
fn a_server_that_is_not_there_or_silent_is_unreachable() {
    let cache = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    for (scheme, port) in
        [("http", free_port()), ("ssh", free_port()), ("http", silent_port), ("ssh", silent_port)]
    {
        let mut options = options(&format!("{scheme}://127.0.0.1:{port}/env.git"), cache.path());
        options.http.timeout = Duration::from_secs(1);
        options.http.connect_timeout = Duration::from_secs(1);
        let error = error_of(options);
        assert!(matches!(error, RepositoryError::Unreachable { .. }), "{scheme}: {error}");
    }
    let unknown = options("ftp://x/y", cache.path());
    GitRepository::open(unknown, RUNTIME.handle().clone()).unwrap_err();
}

/// Answers every request with this status line, content type and body.
fn answering(head: &str, content_type: &str, body: &[u8]) -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let head = format!("HTTP/1.1 {head}\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n");
    let answer = [head.as_bytes(), body].concat();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            if connection.read(&mut request).is_ok_and(|count| count > 0) {
                drop(connection.write_all(&answer));
            }
        }
    });
    port
}

#[test]
fn answers_that_make_no_sense_are_errors_and_nothing_worse() {
    let cache = tempfile::tempdir().unwrap();
    let git = "application/x-git-upload-pack-advertisement";
    let service = "001e# service=git-upload-pack\n0000";
    let zero = "0".repeat(40);
    let bodies = [
        String::new(),
        "garbage".to_owned(),
        "0000".to_owned(),
        "zzzz".to_owned(),
        "ffff".to_owned(),
        service.to_owned(),
        format!("{service}0001"),
        format!("{service}0010too short"),
        format!("{service}0011ERR no\0way!\n0000"),
        format!("{service}003f{zero} capabilities^{{}}\0 shallow\n"),
        format!("{service}{}", "0008\0\0\0\0".repeat(50_000)),
    ];
    for body in &bodies {
        let port = answering("200 OK", git, body.as_bytes());
        let error = error_of(options(&format!("http://127.0.0.1:{port}/x"), cache.path()));
        assert!(!error.to_string().contains('\0'), "{body:?}: {error}");
    }
    for (head, content_type, body) in [
        ("200 OK", "text/html", "<html>log in</html>"),
        ("302 Found\r\nLocation: http://127.0.0.2:1/elsewhere", "text/plain", ""),
        ("503 Busy", "text/plain", "come\0back\nlater"),
    ] {
        let port = answering(head, content_type, body.as_bytes());
        let error = error_of(options(&format!("http://127.0.0.1:{port}/x"), cache.path()));
        assert!(matches!(error, RepositoryError::Unreachable { .. }), "{head}: {error}");
    }
}
