//! Servers that take work in the order in which it comes.

/// So many that do one thing at a time.
#[derive(Clone, Debug)]
pub(super) struct Servers(Vec<i64>);

impl Servers {
    pub(super) fn new(count: usize) -> Self {
        Self(vec![i64::MIN; count])
    }

    /// Work that comes at a time and takes so long: when it begins and ends.
    pub(super) fn take(&mut self, at: i64, takes: i64) -> (i64, i64) {
        let start = self.begin(at);
        self.end(start + takes);
        (start, start + takes)
    }

    /// When one is free for what comes at a time. It is busy until [`Servers::end`] is told when.
    pub(super) fn begin(&self, at: i64) -> i64 {
        self.0.iter().min().map_or(at, |free| at.max(*free))
    }

    /// The one that was free first is busy until then.
    pub(super) fn end(&mut self, until: i64) {
        if let Some(free) = self.0.iter_mut().min() {
            *free = until;
        }
    }
}
