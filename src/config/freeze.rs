//! Freeze windows.

use super::context::Context;
use super::report::Place;
use super::types;
use crate::domain::environment::freeze::{Freeze, MAX_FREEZE_SECS, Schedule, Zone};
use crate::domain::environment::pause::MAX_WHY;
use crate::domain::text::one_line;

/// The most freeze windows of an environment: each costs every pass a look at its schedule.
const MAX_FREEZES: usize = 100;

impl Context<'_> {
    /// The freeze windows of an environment.
    pub(super) fn freezes(&mut self, environment: &str, wire: &types::Environment) -> Vec<Freeze> {
        let wires = wire.freeze.as_deref().unwrap_or_default();
        let path = ["environments", environment, "freeze"];
        if wires.len() > MAX_FREEZES {
            self.findings
                .add(self.place(&path), format!("more than {MAX_FREEZES} windows: join some of them"));
            return Vec::new();
        }
        let items = self.node(&path).map(|node| node.items().to_vec()).unwrap_or_default();
        let pairs = wires.iter().zip(&items);
        pairs.filter_map(|(wire, node)| self.freeze(wire, &|key| node.place_of(key))).collect()
    }

    fn freeze(&mut self, wire: &types::Freeze, place: &dyn Fn(&str) -> Place) -> Option<Freeze> {
        let duration_secs = self.seconds(Some(wire.duration), 0, place("duration"));
        if duration_secs > MAX_FREEZE_SECS {
            let days = MAX_FREEZE_SECS / 86_400;
            let message = format!("must be at most {days}d: for good, set `mode: propose`");
            self.findings.add(place("duration"), message);
        }
        let schedule = Schedule::parse(&wire.schedule);
        let schedule = schedule.map_err(|message| self.findings.add(place("schedule"), message)).ok();
        let zone = Zone::named(wire.time_zone.as_deref().unwrap_or("UTC"));
        let zone = zone.map_err(|message| self.findings.add(place("time_zone"), message)).ok();
        let why = one_line(&wire.why, MAX_WHY);
        if why.is_empty() {
            self.findings.add(place("why"), "is empty: say why nothing is to be pushed then");
        }
        Some(Freeze { schedule: schedule?, duration_secs, zone: zone?, why })
    }
}
