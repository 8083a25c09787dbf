//! Lines that came or went with a deployment: taking them away, and putting them back beside their neighbours.

use std::collections::HashSet;

use super::super::leaves::Text;
use super::super::leaves::leaf::{self, Leaf};
use super::super::lines::{TextEdit, is_trifle};
use super::super::types::{Companion, FieldOutcome, FieldResult, Refusal};
use super::super::words;
use super::locate::Restore;
use super::spans::Spans;
use super::{result, with_line_ends};

/// The most lines that are passed over on the way to the neighbour of a line that went.
const MAX_PASSED: usize = 16;

impl Restore<'_> {
    /// Takes away what the commit added beside a field, or says that it cannot be told.
    pub(super) fn companion(
        &self,
        companion: &Companion,
        (before, now): (&Spans<()>, &Spans<()>),
    ) -> Result<(FieldResult, Option<TextEdit>), Refusal> {
        let refusal = || Refusal::Companion(companion.address.clone());
        let here = self.current.at(&companion.address);
        let leaf = match here {
            [] => None,
            [leaf] => self.current.leaves.get(*leaf),
            _ => return Err(refusal()),
        };
        let is_alias = companion.text.starts_with('*');
        // An alias that stood over a merge is gone where that brings something.
        let is_beneath = |leaf: &&Leaf| leaf.is_within_alias() && (!is_alias || companion.beneath.is_some());
        let beneath = leaf.filter(is_beneath).map(|leaf| leaf.value.as_str());
        let leaf = leaf.filter(|leaf| !is_beneath(leaf));
        // Something else comes by the merge now than what stood there before or came in its place.
        if leaf.is_none() && beneath != companion.beneath.as_deref() && (companion.added || beneath.is_some())
        {
            return Ok((
                result(companion, FieldOutcome::Superseded(beneath.unwrap_or_default().to_owned())),
                None,
            ));
        }
        let block = leaf::block(&companion.address);
        let is_same = || self.versions().is_same_beside(&companion.key, block, block);
        let holds = leaf.is_some_and(|leaf| self.holds(leaf, companion));
        let is_other = || !is_same() || self.is_of_another(companion, leaf);
        let is_due = companion.is_alone() && holds == companion.added && self.current.text != self.bad.text;
        if is_due && is_other() {
            return Err(Refusal::OfAnother(companion.address.clone()));
        }
        let (outcome, edit) = match (companion.added, leaf) {
            (true, None) => (FieldOutcome::AlreadyBack, None),
            (true, Some(leaf)) if !holds => {
                (FieldOutcome::Superseded(self.current.get(&leaf.span).to_owned()), None)
            }
            (true, Some(leaf)) if now.touch(&leaf.span) => (FieldOutcome::Restored, None),
            (true, Some(leaf)) => {
                (FieldOutcome::Restored, Some(self.without_line(companion, leaf).ok_or_else(refusal)?))
            }
            (false, Some(_)) if holds => (FieldOutcome::AlreadyBack, None),
            (false, Some(leaf)) => (FieldOutcome::Superseded(self.current.get(&leaf.span).to_owned()), None),
            (false, None) if before.touch(&companion.span) => (FieldOutcome::Restored, None),
            // Its key stands there still, as the head of what came with the commit.
            (false, None) if self.heads_what_came(companion) => (FieldOutcome::Restored, None),
            (false, None) => (FieldOutcome::Restored, Some(self.beside(companion).ok_or_else(refusal)?)),
        };
        Ok((result(companion, outcome), edit))
    }

    /// Whether a leaf of the current version holds what came or went, however that is written: what an alias brings counts, and not what
    /// somebody calls it since.
    fn holds(&self, leaf: &Leaf, companion: &Companion) -> bool {
        let is_value = || match companion.text.starts_with('*') {
            true => leaf.is_brought_alone() && leaf.value == companion.value,
            false => leaf.brought.is_none() && words::value_of(leaf) == companion.value.as_str(),
        };
        self.current.get(&leaf.span) == companion.text || is_value()
    }

    /// Whether a field that held nothing became the head of a block that holds nothing else than what came with the commit, as it came.
    fn heads_what_came(&self, companion: &Companion) -> bool {
        let is_nothing = matches!(companion.value.as_str(), "" | "~" | "null");
        let under = |end: &str| self.current.under(&format!("{}{end}", companion.address)).iter();
        let mut below = under(".").chain(under("[")).peekable();
        let came = |leaf: &usize| {
            let address = self.current.address(*leaf);
            let text = self.current.leaves.get(*leaf).map(|leaf| self.current.get(&leaf.span));
            let mut companions = self.comparison.companions.iter();
            companions.any(|one| one.added && one.address == address && Some(one.text.as_str()) == text)
        };
        is_nothing && below.peek().is_some() && below.all(came)
    }

    /// Whether what came or went would be of another thing by now, as it would be told of a value that changed there.
    fn is_of_another(&self, companion: &Companion, now: Option<&Leaf>) -> bool {
        let of = |text: &'_ Text<'_>| {
            text.at(&companion.address).first().and_then(|leaf| text.leaves.get(*leaf)).cloned()
        };
        let Some(own) = (if companion.added { of(self.bad) } else { of(self.parent) }) else { return false };
        let block = own.block().to_owned();
        // What is not there stands among the others of its block.
        let within = |text: &Text<'_>| {
            let first = text.in_block(&block).first().and_then(|leaf| text.leaves.get(*leaf));
            Leaf { span: first.map_or(0..0, |leaf| leaf.span.clone()), ..own.clone() }
        };
        let then = if companion.added { own.clone() } else { within(self.bad) };
        let here = now.cloned().unwrap_or_else(|| within(self.current));
        self.versions().is_of_another(&then, &here)
    }

    /// Puts the line of a field that the commit removed back behind the one that was above it, or before the one that was below, where
    /// that still stands in the same block.
    fn beside(&self, companion: &Companion) -> Option<TextEdit> {
        let line = self.parent.line_of(&companion.span);
        let body = self.parent.lines.body(line);
        let own = self.parent.on_line(line).first().and_then(|leaf| self.parent.leaves.get(*leaf))?;
        let is_whole = self.parent.on_line(line).len() == 1
            && (own.brought.is_none() || !own.is_within_alias())
            && own.address == companion.address
            && !body.trim_start().starts_with(['-', '{', '[', '"'])
            && !body.ends_with([',', '}', ']'])
            && !companion.text.contains('\n');
        if !is_whole || !companion.addressed {
            return None;
        }
        let indent = |body: &str| body.len() - body.trim_start().len();
        let found = |neighbour: usize| {
            let leaf =
                self.parent.on_line(neighbour).first().and_then(|leaf| self.parent.leaves.get(*leaf))?;
            let now = match self.current.at(&leaf.address) {
                [now] => self.current.leaves.get(*now).filter(|now| now.sure)?,
                _ => return None,
            };
            let lines =
                self.current.lines.at(now.span.start)..=self.current.lines.at(now.span.end.max(1) - 1);
            let (then, here) = (self.parent.lines.body(neighbour), self.current.lines.body(*lines.start()));
            let key =
                |body: &'_ str| body.trim_start().split([':', '=']).next().unwrap_or("").trim().to_owned();
            let is_it = leaf.block() == leaf::block(&companion.address)
                && lines.start() == lines.end()
                && indent(then) == indent(body)
                && indent(here) == indent(body)
                && key(then) == key(here);
            is_it.then_some(*lines.start())
        };
        // Those that went with it, and comments, are no neighbours.
        let is_passed = |line: &usize| {
            let body = self.parent.lines.body(*line);
            let went = |one: &Companion| !one.added && self.parent.line_of(&one.span) == *line;
            body.trim_start().starts_with('#') || self.comparison.companions.iter().any(went)
        };
        let above = (line.saturating_sub(MAX_PASSED)..line).rev().find(|line| !is_passed(line));
        let below = (line + 1..=line + MAX_PASSED).find(|line| !is_passed(line));
        let at = above.and_then(found).map(|above| above + 1).or_else(|| below.and_then(found))?;
        let near = self.current.lines.raw(&(at.checked_sub(1)?..at));
        let place = self.current.lines.span(&(at..at)).start;
        let text = with_line_ends(self.parent.lines.raw(&(line..line + 1)), near, self.line_end());
        near.ends_with('\n').then_some((place..place, text))
    }

    /// Takes the line of an added field away, where it is the only one on it and the line is the bad commit's.
    fn without_line(&self, companion: &Companion, leaf: &Leaf) -> Option<TextEdit> {
        let (now, bad) = (self.current.line_of(&leaf.span), self.bad.line_of(&companion.span));
        let alone = |text: &Text<'_>, line: usize| text.on_line(line).len() == 1;
        let body = self.current.lines.body(now);
        let (here, then) = (body.trim_start(), self.bad.lines.body(bad).trim_start());
        // It holds the same value: only its quotes are others.
        let head = |body: &'_ str| body.split([':', '=']).next().unwrap_or("").trim_end().to_owned();
        let same = here == then || head(here) == head(then) && !here.contains('#') && !then.contains('#');
        let next = (now + 1..self.current.lines.len()).map(|line| self.current.lines.body(line).trim_start());
        let in_brackets = body.ends_with(',') || next.take(1).any(|line| line.starts_with(['}', ']', ')']));
        let begins_item = body.trim_start().starts_with('-');
        let only = alone(self.current, now) && alone(self.bad, bad) && !in_brackets && !begins_item;
        let is_part =
            companion.is_alone() && (self.empties_its_block(now) || self.is_part_of_more(companion));
        let is_gone = only && same && !is_part;
        let range = self.current.lines.range(now);
        // The line of `image: {tag: v1}` is more than its tag.
        let in_flow = self.current.get(&(range.start..leaf.span.start)).contains(['{', '[']);
        let text = self.was_on_line(bad).filter(|was| is_gone && !(in_flow && was.is_empty()))?;
        let text = if text.is_empty() {
            text
        } else {
            with_line_ends(&text, self.current.lines.raw(&(now..now + 1)), self.line_end())
        };
        Some((range, text))
    }

    /// What stood in the place of a line that came: nothing, or a line with the same key. None where that is not clear.
    fn was_on_line(&self, bad: usize) -> Option<String> {
        let hunks = &self.comparison.hunks;
        let at = hunks.partition_point(|(_, new)| new.end <= bad);
        let Some((old, new)) = hunks.get(at).filter(|(old, new)| new.start <= bad && !old.is_empty()) else {
            return Some(String::new());
        };
        let head = |body: &'_ str| body.split([':', '=']).next().unwrap_or("").trim_end().to_owned();
        let own = head(self.bad.lines.body(bad));
        let mut alike = old.clone().filter(|line| head(self.parent.lines.body(*line)) == own);
        match (alike.next(), alike.next(), new.len()) {
            (None, ..) => Some(String::new()),
            (Some(line), None, 1) => Some(self.parent.lines.raw(&(line..line + 1)).to_owned()),
            (Some(_), _, _) => None,
        }
    }

    /// The lines that hold what the bad commit added, and that go with it.
    fn going(&self) -> &HashSet<usize> {
        let line = |companion: &Companion| match self.current.at(&companion.address) {
            [leaf] => {
                let leaf = self.current.leaves.get(*leaf).filter(|leaf| self.holds(leaf, companion))?;
                Some(self.current.line_of(&leaf.span))
            }
            _ => None,
        };
        let added = || self.comparison.companions.iter().filter(|companion| companion.added);
        self.going.get_or_init(|| added().filter_map(line).collect())
    }

    /// Whether a line, with those that go as well, is all that the one above it is the head of: without them that would be null.
    fn empties_its_block(&self, line: usize) -> bool {
        let indent = |line: usize| {
            let body = self.current.lines.body(line);
            body.len() - body.trim_start().len()
        };
        let going = self.going();
        let content = |line: &usize| !is_trifle(self.current.lines.body(*line)) && !going.contains(line);
        let above = (0..line).rev().find(content);
        let below = (line + 1..self.current.lines.len()).find(content);
        let is_head = |above: usize| {
            let body = self.current.lines.body(above);
            indent(above) < indent(line) && body.ends_with([':', ']'])
        };
        above.is_some_and(is_head) && below.is_none_or(|below| indent(below) < indent(line))
    }

    /// Whether more came into its block with the same commit, which would be left without it.
    fn is_part_of_more(&self, companion: &Companion) -> bool {
        let block = leaf::block(&companion.address);
        let is_beside = |address: &str| !block.is_empty() && address.starts_with(block);
        self.comparison.others.iter().any(|(address, _, came)| *came == companion.added && is_beside(address))
    }
}
