//! Files in which a deployment changed the version of a secret.

use crate::domain::field::{self, File, Selection};
use crate::domain::history::snapshot::FileDiff;

/// Whether a commit changed the version of a secret in a file: that stays, and so does what else it changed there.
pub(super) fn moves_secret(file: &FileDiff, fields: &Selection) -> bool {
    let [old, new] =
        [&file.old, &file.new].map(|version| version.as_ref().and_then(|version| version.bytes.as_deref()));
    let subject = File { path: file.path.as_str(), fields };
    old.zip(new).is_some_and(|(old, new)| field::moves_secret(&subject, old, new))
}
