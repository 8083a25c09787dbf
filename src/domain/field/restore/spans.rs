//! Stretches of bytes, asked which of them a stretch touches: without looking at all of them.

use std::ops::Range;

/// Whether two stretches share a byte, or one is an empty one inside the other.
pub(super) fn overlaps(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Stretches with something at each, by where they begin.
pub(super) struct Spans<T> {
    sorted: Vec<(Range<usize>, T)>,
    /// The last end of all stretches up to each.
    ends: Vec<usize>,
}

impl<T> Spans<T> {
    pub(super) fn new(stretches: impl IntoIterator<Item = (Range<usize>, T)>) -> Self {
        let mut sorted: Vec<(Range<usize>, T)> = stretches.into_iter().collect();
        sorted.sort_by_key(|(span, _)| span.start);
        let mut last = 0;
        let mut end = |(span, _): &(Range<usize>, T)| {
            last = span.end.max(last);
            last
        };
        let ends = sorted.iter().map(&mut end).collect();
        Self { sorted, ends }
    }

    /// Those that share a byte with a stretch, or are an empty one inside it, in their order.
    pub(super) fn touching(&self, span: &Range<usize>) -> impl Iterator<Item = &T> {
        let last = self.sorted.partition_point(|(other, _)| other.start < span.end);
        let first = self.ends.partition_point(|end| *end <= span.start).min(last);
        let within = self.sorted.get(first..last).unwrap_or(&[]);
        within.iter().filter(|(other, _)| overlaps(span, other)).map(|(_, item)| item)
    }

    /// Whether there are any.
    pub(super) fn touch(&self, span: &Range<usize>) -> bool {
        self.touching(span).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_found_is_what_looking_at_each_finds(
            stretches in proptest::collection::vec((0_usize..30, 0_usize..6), 0..20), at in 0_usize..30, len in 0_usize..8,
        ) {
            let stretches: Vec<Range<usize>> = stretches.into_iter().map(|(at, len)| at..at + len).collect();
            let span = at..at + len;
            let spans = Spans::new(stretches.iter().cloned().enumerate().map(|(index, span)| (span, index)));
            let mut found: Vec<usize> = spans.touching(&span).copied().collect();
            found.sort_unstable();
            let each = stretches.iter().enumerate().filter(|(_, other)| overlaps(&span, other));
            proptest::prop_assert_eq!(found, each.map(|(index, _)| index).collect::<Vec<_>>());
        }
    }
}
