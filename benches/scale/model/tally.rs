//! Counts over time, and times of which the median is asked.

/// Times in milliseconds, each to three percent.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    buckets: Vec<u64>,
    count: u64,
    most: i64,
}

/// How many buckets there are between a power of two and the next.
const FINE: i64 = 32;

impl Times {
    pub(super) fn add(&mut self, ms: i64) {
        let ms = ms.max(0);
        let slot = slot(ms);
        if self.buckets.len() <= slot {
            self.buckets.resize(slot + 1, 0);
        }
        self.buckets[slot] += 1;
        self.count += 1;
        self.most = self.most.max(ms);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The time that so many in a thousand do not exceed.
    pub(super) fn at(&self, per_mille: u64) -> i64 {
        let rank = (self.count * per_mille).div_ceil(1_000);
        let mut seen = 0;
        for (slot, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return value(slot).min(self.most);
            }
        }
        self.most
    }

    /// Median, 99th percentile and the most, for people.
    pub(super) fn cell(&self) -> String {
        format!("{} / {} / {}", human(self.at(500)), human(self.at(990)), human(self.most))
    }
}

fn slot(ms: i64) -> usize {
    if ms < 2 * FINE {
        return ms as usize;
    }
    let power = i64::from(ms.ilog2()) - i64::from(FINE.ilog2());
    (power * FINE + (ms >> power)) as usize
}

fn value(slot: usize) -> i64 {
    let slot = slot as i64;
    if slot < 2 * FINE {
        return slot;
    }
    let power = slot / FINE - 1;
    (slot - power * FINE) << power
}

fn human(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{:.1} s", ms as f64 / 1e3),
        _ => format!("{:.1} min", ms as f64 / 60e3),
    }
}

/// Counts of each minute, from which sums and the busiest minute and hour follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes {
    minutes: Vec<f64>,
}

impl Minutes {
    pub(super) fn add(&mut self, ms: i64, count: f64) {
        let minute = (ms.max(0) / 60_000) as usize;
        if self.minutes.len() <= minute {
            self.minutes.resize(minute + 1, 0.0);
        }
        self.minutes[minute] += count;
    }

    pub(super) fn sum(&self) -> f64 {
        self.minutes.iter().sum()
    }

    /// The most in one minute.
    pub(super) fn busiest_minute(&self) -> f64 {
        self.minutes.iter().copied().fold(0.0, f64::max)
    }

    /// The most in one hour of the clock.
    pub(super) fn busiest_hour(&self) -> f64 {
        self.minutes.chunks(60).map(|hour| hour.iter().sum()).fold(0.0, f64::max)
    }
}
