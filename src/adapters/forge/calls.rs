//! From the port's calls to the methods of an adapter, which have the same names for all forges.

/// The calls of `Forge` that every adapter hands on as they are, for the inside of its `impl`. What differs stands beside.
macro_rules! calls {
    () => {
        fn review<'a>(
            &'a self,
            branch: &'a $crate::domain::ids::BranchName,
            base: &'a $crate::domain::ids::BranchName,
        ) -> $crate::ports::Forged<'a, Option<$crate::domain::review::Review>> {
            Box::pin(self.find_review(branch, base))
        }

        fn open<'a>(
            &'a self,
            new: &'a $crate::domain::review::NewReview,
        ) -> $crate::ports::Forged<'a, $crate::domain::review::Review> {
            Box::pin(self.open_review(new))
        }

        fn describe<'a>(
            &'a self,
            review: &'a $crate::domain::review::Review,
            body: &'a str,
        ) -> $crate::ports::Forged<'a, ()> {
            Box::pin(self.describe_review(review, body))
        }

        fn merge<'a>(
            &'a self,
            review: &'a $crate::domain::review::Review,
            base: &'a $crate::domain::ids::BranchName,
            message: &'a str,
        ) -> $crate::ports::Forged<'a, $crate::domain::review::Merging> {
            Box::pin(self.merge_review(review, base, message))
        }

        fn unschedule<'a>(
            &'a self,
            review: &'a $crate::domain::review::Review,
        ) -> $crate::ports::Forged<'a, ()> {
            Box::pin(self.unschedule_review(review))
        }

        fn close<'a>(&'a self, review: &'a $crate::domain::review::Review) -> $crate::ports::Forged<'a, ()> {
            Box::pin(self.close_review(review))
        }

        fn issues(&self) -> $crate::ports::Forged<'_, Vec<$crate::domain::review::ManualIssue>> {
            Box::pin(self.manual_issues())
        }

        fn open_issue<'a>(
            &'a self,
            title: &'a str,
            body: &'a str,
        ) -> $crate::ports::Forged<'a, $crate::domain::review::ManualIssue> {
            Box::pin(self.open_manual_issue(title, body))
        }

        fn close_issue<'a>(&'a self, number: u64, comment: &'a str) -> $crate::ports::Forged<'a, ()> {
            Box::pin(self.close_manual_issue(number, comment))
        }

        fn status<'a>(
            &'a self,
            status: &'a $crate::domain::review::CommitStatus,
        ) -> $crate::ports::Forged<'a, ()> {
            Box::pin(async {
                match self.shows(status).await? {
                    Some(true) => Ok(()),
                    Some(false) | None => self.send_status(status).await,
                }
            })
        }

        fn restate<'a>(
            &'a self,
            status: &'a $crate::domain::review::CommitStatus,
        ) -> $crate::ports::Forged<'a, ()> {
            Box::pin(async {
                match self.shows(status).await? {
                    Some(false) => self.send_status(status).await,
                    Some(true) | None => Ok(()),
                }
            })
        }

        fn pulls<'a>(
            &'a self,
            base: &'a $crate::domain::ids::BranchName,
        ) -> $crate::ports::Forged<'a, Vec<$crate::domain::review::OpenPull>> {
            Box::pin(self.open_pulls(base))
        }

        fn comment<'a>(
            &'a self,
            commit: $crate::domain::ids::CommitId,
            text: &'a str,
        ) -> $crate::ports::Forged<'a, ()> {
            Box::pin(self.comment_on_source(commit, text))
        }

        fn moves<'a>(
            &'a self,
            branch: &'a $crate::domain::ids::BranchName,
            since: $crate::domain::time::Time,
        ) -> $crate::ports::Forged<'a, Vec<$crate::domain::history::landing::BranchMove>> {
            Box::pin(self.branch_moves(branch, since))
        }

        fn check<'a>(
            &'a self,
            base: &'a $crate::domain::ids::BranchName,
            delivery: $crate::domain::environment::policy::Delivery,
        ) -> $crate::ports::Forged<'a, String> {
            Box::pin(self.check_repository(base, delivery))
        }
    };
}

pub(super) use calls;
