//! Gitea and Forgejo, whose APIs are the same here.

use std::sync::Arc;

use super::plain::PlainWire;
use super::rest::Rest;
use super::{ForgeOptions, TokenSource};
use crate::adapters::http::HttpError;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::text::ChartStyle;
use crate::domain::review::{CommitStatus, ManualIssue, Merging, NewReview, Review};
use crate::ports::{Forge, ForgeError, Forged};

/// A repository on Gitea.
pub struct Gitea {
    rest: Rest<PlainWire>,
    options: ForgeOptions,
}

impl Gitea {
    /// Reads the credentials; nothing is sent yet.
    ///
    /// # Errors
    /// When the HTTP options are not valid.
    pub fn new(options: ForgeOptions) -> Result<Self, HttpError> {
        let host = options.api.host_str().unwrap_or("").to_owned();
        let wire = PlainWire::new(&options, http::header::AUTHORIZATION, "token ")?;
        let name = format!("Gitea at {host}, {}", options.repository);
        Ok(Self { rest: Rest::new(name, wire), options })
    }

    /// The credentials, for Git.
    pub(super) fn tokens(self: &Arc<Self>) -> Arc<dyn TokenSource> {
        Arc::clone(self) as Arc<dyn TokenSource>
    }
}

impl TokenSource for Gitea {
    fn token(&self) -> crate::ports::BoxFuture<'_, Result<secrecy::SecretString, String>> {
        self.rest.wire().token()
    }

    fn forget(&self) {}
}

fn stub<T: Send + 'static>() -> Forged<'static, T> {
    Box::pin(async { Err(ForgeError::Unavailable("stub".to_owned())) })
}

impl Forge for Gitea {
    fn chart(&self) -> ChartStyle {
        ChartStyle::Table
    }
    fn review<'a>(&'a self, _branch: &'a BranchName, _base: &'a BranchName) -> Forged<'a, Option<Review>> {
        stub()
    }
    fn open<'a>(&'a self, _new: &'a NewReview) -> Forged<'a, Review> {
        stub()
    }
    fn describe<'a>(&'a self, _review: &'a Review, _body: &'a str) -> Forged<'a, ()> {
        stub()
    }
    fn merge<'a>(
        &'a self,
        _review: &'a Review,
        _base: &'a BranchName,
        _message: &'a str,
    ) -> Forged<'a, Merging> {
        stub()
    }
    fn unschedule<'a>(&'a self, _review: &'a Review) -> Forged<'a, ()> {
        stub()
    }
    fn close<'a>(&'a self, _review: &'a Review) -> Forged<'a, ()> {
        stub()
    }
    fn issues(&self) -> Forged<'_, Vec<ManualIssue>> {
        stub()
    }
    fn open_issue<'a>(&'a self, _title: &'a str, _body: &'a str) -> Forged<'a, ManualIssue> {
        stub()
    }
    fn close_issue<'a>(&'a self, _number: u64, _comment: &'a str) -> Forged<'a, ()> {
        stub()
    }
    fn status<'a>(&'a self, _status: &'a CommitStatus) -> Forged<'a, ()> {
        stub()
    }
    fn comment<'a>(&'a self, _commit: CommitId, _text: &'a str) -> Forged<'a, ()> {
        stub()
    }
    fn check<'a>(&'a self, _base: &'a BranchName) -> Forged<'a, String> {
        let _ = &self.options;
        stub()
    }
}
