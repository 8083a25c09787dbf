//! What some worlds have besides: pauses, freeze windows, pins, budgets of services and trust that is earned. A random source of their own
//! draws them, so that the rest of a world follows from its seed as it would without them.

use std::collections::{BTreeMap, BTreeSet};

use backout::domain::environment::Environment;
use backout::domain::environment::freeze::{Freeze, Schedule, Zone};
use backout::domain::environment::pin_rules::PinRules;
use backout::domain::environment::policy::{Delivery, Mode, ServiceBudget};
use backout::domain::ids::{BranchName, CommitId};
use backout::domain::time::Time;

use super::tools::Tool;

/// Freeze windows, one after so many seconds, each so long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    every_mins: i64,
    duration_secs: i64,
}

impl Windows {
    /// Windows of which some begin while a story goes on.
    pub(super) fn drawn(random: &mut fastrand::Rng) -> Self {
        let every_mins = random.choice([10, 15, 20, 30]).unwrap();
        Self { every_mins, duration_secs: random.i64(120..every_mins * 60) }
    }

    /// The same as the configuration has it.
    pub(super) fn freeze(self) -> Freeze {
        Freeze {
            schedule: Schedule::parse(&format!("*/{} * * * *", self.every_mins)).unwrap(),
            duration_secs: u32::try_from(self.duration_secs).unwrap(),
            zone: Zone::named("UTC").unwrap(),
            why: "a sale".to_owned(),
        }
    }

    /// Whether one is open.
    pub(super) fn are_open(self, at: Time) -> bool {
        at.unix() % (self.every_mins * 60) < self.duration_secs
    }
}

/// What a world has besides, and what came of it.
pub(super) struct More {
    pub(super) random: fastrand::Rng,
    /// Whether people pause and resume.
    pub(super) has_pauses: bool,
    pub(super) windows: Option<Windows>,
    /// The tool by which reverted versions are kept out, and for how long, in seconds.
    pub(super) pins: Option<(Tool, u32)>,
    /// After how many accepted reverts of a service it earns that the agent reverts it by itself.
    pub(super) earn_after: Option<u32>,
    service_budget: Option<ServiceBudget>,
    /// How many services there are where the world is about few.
    few: usize,
    /// How often each thing happened, such as `resumed`.
    pub(super) happened: BTreeMap<&'static str, usize>,
    /// The deployments, with their services, that a pass left alone because of a pause.
    pub(super) held: BTreeSet<(CommitId, String)>,
    /// Each proposal that a person declined, with how many moves had been made by then.
    pub(super) declined: Vec<(BranchName, CommitId, usize)>,
}

impl More {
    /// What the world of a seed has besides.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x6261_636b_6f75_7400);
        let mut has = |one_of: u8| random.u8(0..one_of) == 0;
        let (has_pauses, is_frozen) = (has(4), has(6));
        let (has_pins, is_earned, has_budget) = (has(6), has(6), has(8));
        let few = random.usize(1..=2);
        let windows = is_frozen.then(|| Windows::drawn(&mut random));
        let pins = has_pins.then(|| {
            let tool = random.choice(Tool::ALL).unwrap();
            (tool, random.choice([240, 600, 7 * 86_400]).unwrap())
        });
        let earn_after = is_earned.then(|| random.choice([1, 1, 2]).unwrap());
        let service_budget = has_budget.then(|| ServiceBudget {
            max_reverts: random.choice([1, 1, 2]).unwrap(),
            window_secs: random.choice([600, 1_200, 3_600]).unwrap(),
        });
        Self { random, has_pauses, windows, pins, earn_after, service_budget, few, ..Self::nothing() }
    }

    /// Nothing besides.
    pub(super) fn nothing() -> Self {
        Self {
            random: fastrand::Rng::with_seed(0),
            has_pauses: false,
            windows: None,
            pins: None,
            earn_after: None,
            service_budget: None,
            few: 0,
            happened: BTreeMap::new(),
            held: BTreeSet::new(),
            declined: Vec::new(),
        }
    }

    /// Has the rules of the environment say so.
    pub(super) fn configure(&self, environment: &mut Environment) {
        environment.freezes = self.windows.iter().map(|windows| windows.freeze()).collect();
        let policy = &mut environment.services[0].policy;
        policy.service_budget = self.service_budget;
        if let Some((tool, for_secs)) = self.pins {
            policy.pin = PinRules { for_secs, ..tool.rules() };
        }
        if let Some(earn_after) = self.earn_after {
            (policy.mode, policy.earn_after) = (Mode::Earn, earn_after);
            environment.delivery = Delivery::Push;
        }
        // Else other guards object before these are asked, and what was bad before still stands in the baseline.
        if self.few().is_some() {
            (policy.cooldown_secs, policy.baseline_secs) = (0, 300);
            environment.budget.max_reverts = 3;
        }
    }

    /// How many services there are, where the world is about what happens to one again and again. Then the story is longer, too.
    pub(super) fn few(&self) -> Option<usize> {
        let is_about_few = self.earn_after.is_some() || self.service_budget.is_some() || self.pins.is_some();
        is_about_few.then_some(self.few)
    }

    /// The shape of a service's file, where it is drawn so: one in which the tool finds the image.
    pub(super) fn shape(&self, drawn: usize) -> usize {
        match self.pins {
            Some((Tool::Flux | Tool::FluxSuspend, _)) => 0,
            Some((Tool::ArgocdImageUpdater | Tool::Renovate, _)) => drawn % 3,
            Some((Tool::OwnField, _)) | None => drawn,
        }
    }

    /// Notes that something happened.
    pub(super) fn did(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// What the world has besides, each in a word or two.
    pub(super) fn features(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.has_pauses, "pauses"),
            (self.windows.is_some(), "freeze windows"),
            (self.pins.is_some(), "pins"),
            (self.earn_after.is_some(), "the mode earn"),
            (self.service_budget.is_some(), "budgets of services"),
        ];
        all.into_iter().filter_map(|(has, name)| has.then_some(name))
    }
}
