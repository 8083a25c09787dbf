use super::*;
use crate::domain::change::plan::tests::deployment;
use crate::domain::history::ledger::rollback_id;
use crate::domain::history::snapshot::Person;

fn person(name: &str, mail: &str) -> Person {
    Person { name: name.to_owned(), email: mail.to_owned() }
}

fn id(minute: i64) -> CommitId {
    CommitId::from_bytes([u8::try_from(minute).unwrap(); 20])
}

/// A change of the version, by a person.
fn change(minute: i64, old: &str, new: &str) -> Deployment {
    let mut deployment = deployment(&format!("tag: {old}\n"), &format!("tag: {new}\n"));
    deployment.commit = id(minute);
    deployment.at = Time::from_unix(minute * 60);
    deployment.author = person("Jo", "jo@example.com");
    deployment
}

/// The agent's revert of the change of a minute, in the minute after it.
fn revert(of: &Deployment) -> (Deployment, RevertEntry) {
    let minute = of.at.unix() / 60 + 1;
    let field = &of.fields[0];
    let own = Deployment { kind: ChangeKind::OwnRevert, ..change(minute, &field.new, &field.old) };
    let entry = RevertEntry {
        id: rollback_id(&of.environment, &of.service, of.commit),
        commit: own.commit,
        at: own.at,
        environment: of.environment.clone(),
        service: of.service.clone(),
        reverts: of.commit,
        with: Vec::new(),
        together_with: None,
        then: Vec::new(),
        bad_values: of.trailer_values(),
        requested: false,
    };
    (own, entry)
}

/// What a test says happened, oldest first.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A deployment that the agent reverted.
    Reverted,
    /// The same, and no record says that the deployment was found bad: somebody made the revert up.
    Forged,
    /// The same, on a person's request.
    Requested,
    /// The same, and it did not help.
    InVain,
    /// A deployment of which the proposed revert was declined.
    Declined,
    /// A deployment that was found bad, and that a person took back.
    Fixed,
    /// A deployment that a person took back, and nobody had found it bad.
    TakenBack,
    /// A person deployed again what was reverted last.
    PutBack,
    /// A bot did.
    PutBackByBot,
    /// A deployment that nothing happened to.
    Fine,
}

fn trust_after(events: &[Event], now_minute: i64) -> Trust {
    let (mut changes, mut reverts) = (Vec::new(), Vec::new());
    let (mut in_vain, mut declined, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    let mut good = "v0".to_owned();
    let mut last_bad = String::new();
    for (place, event) in (0_i64..).zip(events) {
        let minute = 10 * place + 1;
        let new = format!("v{}", place + 1);
        match event {
            Event::PutBack | Event::PutBackByBot => {
                let mut back = change(minute, &good, &last_bad);
                if matches!(event, Event::PutBackByBot) {
                    back.author = person("renovate[bot]", "renovate[bot]@users.noreply.github.com");
                }
                good.clone_from(&last_bad);
                changes.push(back);
            }
            Event::Fine => {
                changes.push(change(minute, &good, &new));
                good = new;
            }
            Event::Declined => {
                declined.push((id(minute), Time::from_unix((minute + 1) * 60)));
                changes.push(change(minute, &good, &new));
                good = new;
            }
            Event::Fixed | Event::TakenBack => {
                if matches!(event, Event::Fixed) {
                    bad.push(id(minute));
                }
                changes.push(change(minute, &good, &new));
                changes.push(change(minute + 1, &new, &good));
            }
            Event::Reverted | Event::Requested | Event::InVain | Event::Forged => {
                let own = change(minute, &good, &new);
                let (back, mut entry) = revert(&own);
                entry.requested = matches!(event, Event::Requested);
                if matches!(event, Event::InVain) {
                    in_vain.push(entry.commit);
                }
                if !matches!(event, Event::Forged) {
                    bad.push(own.commit);
                }
                changes.extend([own, back]);
                reverts.push(entry);
                last_bad = new;
            }
        }
    }
    changes.reverse();
    let lineage = Lineage::new(changes, Vec::new());
    let answers =
        Answers { reverts: &reverts, in_vain: &in_vain, declined: &declined, bad: &bad, are_proven: true };
    lineage.trust(&answers, (3, 14 * 86_400), &[], Time::from_unix(now_minute * 60))
}

#[test]
fn trust_is_earned_by_what_people_accepted_since_the_last_no() {
    use Event::{
        Declined, Fine, Fixed, Forged, InVain, PutBack, PutBackByBot, Requested, Reverted, TakenBack,
    };
    for (events, accepted, no) in [
        (&[][..], 0, ""),
        (&[Fine, Fine], 0, ""),
        (&[Reverted, Fine, Reverted], 2, ""),
        (&[Reverted, Reverted, Reverted], 3, ""),
        (&[Reverted, Requested, Reverted], 2, ""),
        (&[Reverted, InVain, Reverted], 2, ""),
        (&[Forged, Forged, Forged], 0, ""),
        (&[Reverted, Forged], 1, ""),
        (&[Fixed, Reverted, Fixed], 3, ""),
        (&[TakenBack, Reverted], 1, ""),
        (&[Reverted, Reverted, Declined], 0, "a person declined the revert of 1515151515"),
        (&[Reverted, Declined, Reverted, Reverted], 2, "a person declined the revert of 0b0b0b0b0b"),
        (&[Reverted, Reverted, PutBack], 0, "Jo put back what 0c0c0c0c0c reverted"),
        (&[Reverted, PutBack, Reverted], 1, "Jo put back what 0202020202 reverted"),
        (&[Reverted, Reverted, PutBackByBot], 2, ""),
        (&[Declined, Declined, Fine], 0, "a person declined the revert of 0b0b0b0b0b"),
    ] {
        let trust = trust_after(events, 200);
        assert_eq!(trust.accepted, accepted, "{events:?}");
        assert_eq!(trust.last_no.as_ref().map_or("", |no| no.what.as_str()), no, "{events:?}");
        assert_eq!(trust.is_earned(), accepted >= 3, "{events:?}");
    }
}

#[test]
fn what_came_later_does_not_count_for_an_earlier_time() {
    use Event::{Declined, Reverted};
    let events = [Reverted, Reverted, Declined, Reverted];
    let accepted: Vec<usize> = [0, 5, 15, 21, 25, 35].map(|now| trust_after(&events, now).accepted).to_vec();
    assert_eq!(accepted, [0, 1, 2, 2, 0, 1]);
}

#[test]
fn trust_is_told_in_words() {
    let trust = trust_after(&[Event::Reverted, Event::Declined, Event::Reverted], 200);
    assert_eq!(
        trust.line(),
        "accepted reverts: 1, needed: 3, counted since 1970-01-01T00:12:00Z, when a person declined the revert of 0b0b0b0b0b"
    );
    assert_eq!(trust_after(&[], 200).line(), "accepted reverts: 0, needed: 3");
}
