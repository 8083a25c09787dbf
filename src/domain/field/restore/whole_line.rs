//! Lines of which more than their release fields changed: each goes back as a whole, or not at all.

use std::ops::Range;

use super::super::leaves::leaf::{Leaf, LeafKind};
use super::super::types::{FieldOutcome, Refusal, ScalarChange};
use super::locate::Restore;

impl<'t> Restore<'t> {
    /// What became of a field in such a line. With the old word alone the line would say what neither version said.
    pub(super) fn whole_line(
        &self,
        change: &ScalarChange,
        bad: &Leaf,
        leaf: &Leaf,
    ) -> Result<(FieldOutcome, Option<Range<usize>>), Refusal> {
        let mixture = || Refusal::Mixture(change.address.clone());
        let old = self.old_line(change).ok_or_else(mixture)?;
        if bad.kind != LeafKind::Line || leaf.kind != LeafKind::Line {
            return Err(mixture());
        }
        let now = self.current.get(&leaf.span);
        if now == self.bad.get(&bad.span) {
            return Ok((FieldOutcome::Restored, Some(leaf.span.clone())));
        }
        if now == old {
            return Ok((FieldOutcome::AlreadyBack, None));
        }
        match self.line_outcome(change, bad, leaf) {
            (FieldOutcome::Restored, _) => Err(mixture()),
            (outcome, _) => Ok((outcome, None)),
        }
    }

    /// The line that a field was in before the bad commit.
    pub(super) fn old_line(&self, change: &ScalarChange) -> Option<&'t str> {
        let leaves = self.parent.on_line(self.parent.line_of(&change.old)).iter();
        let is_around = |leaf: &&Leaf| {
            leaf.kind == LeafKind::Line
                && leaf.span.start <= change.old.start
                && change.old.end <= leaf.span.end
        };
        let leaf = leaves.filter_map(|leaf| self.parent.leaves.get(*leaf)).find(is_around)?;
        Some(self.parent.get(&leaf.span))
    }
}
