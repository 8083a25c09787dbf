//! What one operation and the way to its server share: a name for the server, and why the operation failed.

use std::sync::{Mutex, PoisonError};

use git2::transport::{Service, SmartSubtransportStream};

use super::super::fault::one_line;
use crate::ports::RepositoryError;

/// What libgit2 writes a request to and reads the answer from.
pub(super) type Stream = Box<dyn SmartSubtransportStream>;

/// A server during one operation, and what went wrong there.
pub(super) struct Link {
    /// The server's address without secrets.
    remote: String,
    failure: Mutex<Option<RepositoryError>>,
}

impl Link {
    /// To a server whose address, without secrets, is `remote`.
    pub(super) fn new(remote: String) -> Self {
        Self { remote, failure: Mutex::new(None) }
    }

    /// The server's address without secrets.
    pub(super) fn remote(&self) -> &str {
        &self.remote
    }

    /// Remembers why the operation is about to fail; the first reason counts, and libgit2 gets a copy of its text.
    pub(super) fn fail(&self, kind: FailureKind, reason: &str) -> git2::Error {
        let remote = self.remote.clone();
        let reason = one_line(reason, 600);
        let error = git2::Error::new(git2::ErrorCode::GenericError, git2::ErrorClass::Net, &reason);
        let failure = match kind {
            FailureKind::Denied => RepositoryError::Denied { remote, reason },
            FailureKind::Unreachable => RepositoryError::Unreachable { remote, reason },
        };
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        error
    }

    /// The same, for a stream.
    pub(super) fn fail_io(&self, kind: FailureKind, reason: &str) -> std::io::Error {
        std::io::Error::other(self.fail(kind, reason).message().to_owned())
    }

    /// Why the operation failed, where it did so at the server; forgets it.
    pub(super) fn take_failure(&self) -> Option<RepositoryError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What kind of failure a transport met.
#[derive(Clone, Copy)]
pub(super) enum FailureKind {
    /// The server does not let us in.
    Denied,
    /// The server does not answer, or not as a Git server does.
    Unreachable,
}

/// The name of the program on the server.
pub(super) fn program(service: Service) -> &'static str {
    match service {
        Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
        Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
    }
}

/// Gives its bytes a few at a time.
#[cfg(test)]
pub(super) struct Slow(pub(super) Vec<u8>, pub(super) usize);

#[cfg(test)]
impl std::io::Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(self.1).min(buffer.len());
        let taken: Vec<u8> = self.0.drain(..count).collect();
        taken.as_slice().read(buffer)
    }
}

#[cfg(test)]
impl std::io::Write for Slow {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
