//! Controls for signals that are asked with `by`: the same query about services without a deployment. Asked for only where a
//! signal regressed without them.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Told, fetch_all, not_controls, read_all};
use crate::agent::look::context::Pass;
use crate::domain::judge::evidence::{Evidence, Found, Gap};
use crate::domain::judge::question::{
    Part, Question, Reading, Subject, ask, at_one_moment, candidates, requests,
};
use crate::domain::judge::verdict::needs_controls;
use crate::domain::time::Time;

/// For which signals controls are asked for.
#[derive(Default)]
pub(super) struct Others {
    /// Also for those that did not regress.
    all: bool,
    /// Those that need not be asked for any more: the place of the subject, and that of the signal.
    asked: BTreeSet<(usize, usize)>,
}

impl Others {
    /// Those that an answer about all services has had already are not asked for. `asked` are the questions of a subject, in the
    /// order of [`ask`], with what they found.
    pub(super) fn leave_out_told(&mut self, subject: usize, asked: &[(Question, Reading)]) {
        let of_signals = asked.iter().filter(|(question, _)| question.part == Part::Signal).enumerate();
        let told = of_signals.filter(|(_, (_, reading))| !reading.is_narrowed);
        self.asked.extend(told.map(|(place, _)| (subject, place)));
    }

    /// Also for those that did not regress.
    pub(super) fn all() -> Self {
        Self { all: true, ..Self::default() }
    }
}

/// Asks for controls where there are none yet. What cannot be asked leaves its signal without a verdict: it may be that
/// everybody has what the service has.
pub(super) async fn add_others(
    pass: &Pass<'_>,
    subjects: &[(Subject, Time)],
    found: &mut [Evidence],
    deployed: &BTreeSet<String>,
    others: &mut Others,
) {
    let mut places = Vec::new();
    let mut questions = Vec::new();
    for (index, ((subject, until), evidence)) in subjects.iter().zip(found.iter()).enumerate() {
        let wanted: Vec<usize> =
            if others.all { (0..evidence.signals.len()).collect() } else { needs_controls(evidence) };
        let is_wanted = |place: usize| {
            let told = evidence.signals.get(place);
            wanted.contains(&place)
                && told.is_some_and(|told| {
                    told.signal.by.is_some() && told.signal.segment.is_none() && told.controls.is_empty()
                })
        };
        let of_signals = ask(subject, *until, 0).into_iter().filter(|question| question.part == Part::Signal);
        for (place, question) in of_signals.enumerate() {
            if is_wanted(place) && others.asked.insert((index, place)) {
                places.push((index, place));
                questions.push(question);
            }
        }
    }
    // One moment for all of them: each further one would tell of all services again.
    let newest = places.iter().filter_map(|(index, _)| subjects.get(*index)).map(|(one, _)| one.deployed_at);
    let Some(at) = newest.max() else { return };
    narrow(pass, &mut questions, at, deployed).await;
    let readings = read_all(pass, questions, deployed).await;
    for ((index, place), (_, reading)) in places.into_iter().zip(readings) {
        let Some(signal) = found.get_mut(index).and_then(|evidence| evidence.signals.get_mut(place)) else {
            continue;
        };
        match reading.found {
            Found::Gap(gap @ (Gap::Unavailable(_) | Gap::Rejected(_))) => {
                let reason = format!("services without a deployment: {gap}");
                signal.found = Found::Gap(Gap::Unavailable(reason));
            }
            Found::Samples(_) | Found::Gap(Gap::NoData | Gap::Ambiguous(_)) => {
                signal.controls = reading.controls;
            }
        }
    }
}

/// Has the questions ask about candidates alone, where there are many services. `at` is when they are looked for.
async fn narrow(pass: &Pass<'_>, questions: &mut [Question], at: Time, deployed: &BTreeSet<String>) {
    let moments: Vec<Question> = questions.iter().map(|question| at_one_moment(question, at)).collect();
    let (listing, places) = requests(&moments);
    let present = fetch_all(pass, listing).await;
    let not_controls = not_controls(questions, deployed);
    let mut known: BTreeMap<usize, _> = BTreeMap::new();
    for (question, place) in questions.iter_mut().zip(places) {
        let (Ok(request), Some(by), Some(place)) = (&mut question.request, &question.signal.by, place) else {
            continue;
        };
        match present.get(place) {
            Some(Told { reply: reply @ Ok(_), .. }) => {
                let only = known.entry(place).or_insert_with(|| candidates(reply, by, &not_controls));
                request.only.clone_from(only);
            }
            Some(Told { reply: Err(gap), .. }) => question.request = Err(gap.clone()),
            None => {}
        }
    }
}
