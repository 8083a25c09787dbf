//! The environment repo through libgit2: a bare local cache of a remote, or a local repository itself.
//!
//! `repository` implements the port with everything below it: `storage` with `cache` and `local` holds the repository; `fetch` and
//! `push` speak to its server, which `transport` reaches; `history` and `lookup` read commits, `heads` those of
//! open pull requests; `source_code` those of applications, in other repositories; `commit` and `notes` build them. `options`, `login`, `names` and `fault` are what these share.

mod blobs;
mod cache;
mod changed_files;
mod child;
mod commit;
mod commit_object;
mod commits;
mod fault;
mod fetch;
mod heads;
mod history;
mod init;
mod join;
mod kept;
mod local;
mod location;
mod lock;
mod login;
mod looks;
mod lookup;
mod names;
mod notes;
mod options;
mod packs;
mod pauses;
mod push;
mod refs;
mod repository;
mod rewritten;
mod seen;
mod sign;
mod source_code;
mod storage;
mod touched;
mod transport;
mod tree_diff;
mod tree_edit;

pub use self::init::init_bare;
pub use self::local::{current_branch, origin_url, person_of};
pub use self::login::{GitAuth, SshOptions};
pub use self::options::GitOptions;
pub use self::repository::GitRepository;
pub use self::sign::Signing;
pub use self::source_code::{ListedSourceCode, is_repository_url};
