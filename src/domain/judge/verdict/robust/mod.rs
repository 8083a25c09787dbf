//! The rule that needs no numbers from its user: worse than what the baseline explains.
//!
//! 1. [`orient`]: the series is turned so that higher is worse.
//! 2. [`line`]: a line is drawn above what the baseline and the season explain.
//! 3. [`excursion`]: times at which the series is above it, before the deployment and since.
//! 4. [`evidence`]: an excursion since is held against how often such ones come by themselves.
//! 5. [`before`]: enough evidence is blamed on the deployment only if the damage began after it.
//!
//! [`trial`] does this for one series. It is done twice: with the samples as they are, which finds damage fast, and with
//! their running median ([`smooth`]), which finds a smaller rise under noise and spikes, and takes longer.

mod before;
mod evidence;
mod excursion;
mod line;
mod orient;
mod season;
mod smooth;
mod trial;

use self::evidence::Demand;
use self::line::{Line, Traits};
use self::orient::Orientation;
use self::trial::Look;
use super::assessment::{Assessment, State};
use super::frame::{Frame, MIN_BASELINE, Split, tail};
use crate::domain::environment::signal::Signal;
use crate::domain::judge::evidence::Seasonal;

/// How many samples of the baseline, the last ones, say what happens by itself.
const HISTORY_SAMPLES: usize = 80;

/// What the robust rule is told besides the samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// The signal.
    pub(super) signal: &'a Signal,
    /// The same window at other times.
    pub(super) seasonal: &'a [Seasonal],
    /// The length of the watch window, for the seasonal windows.
    pub(super) watch_secs: u32,
    /// How many segments of the signal are looked at.
    pub(super) segments: u32,
}

/// The robust rule.
pub(super) fn assess(split: &Split, frame: &Frame, context: &Context<'_>) -> Assessment {
    let found = split.before.len();
    if found < MIN_BASELINE {
        return Assessment::bare(State::Never(format!(
            "only {found} samples before the deployment, {MIN_BASELINE} are needed"
        )));
    }
    let orientation = Orientation::of(context.signal, split);
    let traits = Traits::of(context.signal, split);
    let mut split = split.map(|value| orientation.turn(value));
    split.before = tail(&split.before, HISTORY_SAMPLES).to_vec();
    let plain = Look {
        samples: &split,
        split: &split,
        traits,
        demand: Demand::of(context.signal, frame, context.segments),
    };
    let smooth = Look {
        samples: &split,
        split: &smooth::running_median(&split, frame),
        traits: traits.of_running_median(),
        demand: Demand::of_running_median(context.signal, frame, context.segments),
    };
    let season = Season { frame, context, orientation };
    let Some(usual) = plain.trial(frame, orientation, 0.0) else {
        return Assessment::bare(State::Never("the values are too large to judge".to_owned()));
    };
    let found = season.excuses(&plain, usual.assess(), usual.line);
    if found.state == State::Regressed {
        return found;
    }
    let slow = smooth.trial(frame, orientation, 0.0).map(|trial| (trial.assess(), trial.line));
    let Some((slow, line)) = slow.filter(|(slow, _)| slow.state == State::Regressed) else { return found };
    if smooth::is_supported(&split, smooth.split, &smooth.traits, slow.since) {
        let slow = season.excuses(&smooth, slow, line);
        return if slow.state == State::Regressed { slow } else { found };
    }
    match found.state {
        State::Fine => {
            let why = "typically worse than before, but not by enough to be sure";
            Assessment { state: State::Unclear(why.to_owned()), ..found }
        }
        State::Regressed
        | State::Preexisting
        | State::Unclear(_)
        | State::Blind
        | State::Never(_)
        | State::Excused(_) => found,
    }
}

/// What the time of day and of the week explains.
struct Season<'a> {
    frame: &'a Frame,
    context: &'a Context<'a>,
    orientation: Orientation,
}

impl Season<'_> {
    /// Judges a regression again by the line that the season moves. The season can excuse and never accuse: with the
    /// higher line alone, a baseline that was bad could seem good.
    fn excuses(&self, look: &Look<'_>, found: Assessment, line: Line) -> Assessment {
        let Context { seasonal, watch_secs, .. } = *self.context;
        let shift = season::shift(seasonal, self.frame, watch_secs, self.orientation, line.at - line.base);
        if found.state != State::Regressed || shift <= 0.0 {
            return found;
        }
        look.trial(self.frame, self.orientation, shift).map_or(found, |seasonal| seasonal.assess())
    }
}
