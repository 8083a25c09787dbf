use proptest::prelude::*;

use super::*;
use crate::domain::chart::tests::made;
use crate::domain::environment::signal::SignalKind;
use crate::domain::judge::evidence::{Control, Found};

/// What a picture is drawn from.
struct Known {
    title: String,
    evidence: Evidence,
    judgement: Judgement,
}

fn known(title: &str, values: &[f64], line: Option<f64>, percent: bool) -> Known {
    let at = |index: i64| Time::from_unix(1_795_144_440 + index * 60);
    let samples: Vec<Sample> =
        (0..).zip(values).map(|(index, value)| Sample { at: at(index), value: *value }).collect();
    let middle = at(i64::try_from(values.len()).unwrap() / 2);
    let (mut evidence, mut judgement) = made(&samples, middle, SignalKind::Latency, line);
    evidence.settle_secs = 0;
    evidence.signals[0].controls.push(Control { service: title.to_owned(), samples });
    let finding = &mut judgement.findings[0];
    finding.verdict = Verdict::Inconclusive(title.to_owned());
    title.clone_into(&mut finding.reason);
    (finding.percent, finding.before, finding.since) = (percent, values.first().copied(), Some(middle));
    Known { title: title.to_owned(), evidence, judgement }
}

fn drawn(known: &Known) -> String {
    let Known { title, evidence, judgement } = known;
    draw(&Picture { title: title.clone(), service: Some(title), evidence, judgement, names: vec![title] })
}

#[test]
fn samples_are_grey_before_blue_after_and_red_beyond_the_line() {
    let svg = drawn(&known("t", &[1.0, 1.0, 1.0, 9.0, 9.0, 9.0], Some(3.0), false));
    let document = roxmltree::Document::parse(&svg).unwrap();
    let count = |name: &str, class: &str| {
        document
            .descendants()
            .filter(|n| {
                n.has_tag_name(("http://www.w3.org/2000/svg", name)) && n.attribute("class") == Some(class)
            })
            .count()
    };
    assert_eq!((count("polyline", "series before"), count("polyline", "series after")), (1, 1));
    assert_eq!(count("circle", "bad"), 2, "one of the three is at the deployment itself");
    for mark in ["deployed", "onset", "limit", "usual"] {
        assert_eq!(count("line", mark), 1, "{mark}");
    }
    let texts: Vec<&str> = document.descendants().filter_map(|n| n.text()).collect();
    assert!(texts.contains(&"deployed 03:17") && texts.contains(&"03:16"), "{texts:?}");
}

#[test]
fn samples_that_settle_are_shaded_and_not_red() {
    let mut picture = known("t", &[1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0], Some(3.0), false);
    let red = |picture: &Known| drawn(picture).matches("circle class=\"bad\"").count();
    assert_eq!(red(&picture), 3);
    picture.evidence.settle_secs = 120;
    assert_eq!(red(&picture), 2, "the one at the end of it counts");
    let svg = drawn(&picture);
    assert!(svg.contains("rect class=\"settling\"") && svg.contains(">settling</text>"), "{svg}");
    picture.evidence.settle_secs = 1;
    assert!(!drawn(&picture).contains(">settling</text>"), "no room");
}

#[test]
fn the_names_of_moments_do_not_overlap() {
    let values: Vec<f64> = (0..60).map(f64::from).collect();
    let mut picture = known("t", &values, Some(3.0), false);
    let Found::Samples(samples) = &picture.evidence.signals[0].found else { panic!("no samples") };
    let first = samples[0].at;
    for deployed in 0..60 {
        for onset in 0..60 {
            picture.evidence.deployed_at = first.plus_secs(deployed * 60);
            picture.judgement.findings[0].since = Some(first.plus_secs(onset * 60));
            let Known { evidence, judgement, .. } = &picture;
            let flags = flags(&Chart::of(evidence, &evidence.signals[0], &judgement.findings[0]).unwrap());
            let [one, other] = &flags[..] else { panic!("two moments") };
            let ((from, to), (other_from, other_to)) = (one.extent(), other.extent());
            assert!(from >= 0.0 && other_from >= 0.0 && to <= WIDTH && other_to <= WIDTH);
            let apart = to <= other_from || other_to <= from || one.row > other.row;
            assert!(apart, "{deployed} {onset}");
        }
    }
}

#[test]
fn the_name_of_a_revert_covers_no_other() {
    let values: Vec<f64> = (0..60).map(f64::from).collect();
    let mut picture = known("t", &values, Some(3.0), false);
    let Found::Samples(samples) = &picture.evidence.signals[0].found else { panic!("no samples") };
    let first = samples[0].at;
    let mut marked = 0;
    for deployed in (0..60).step_by(3) {
        for (onset, reverted) in
            (0..60).step_by(3).flat_map(|onset| (0..80).step_by(3).map(move |at| (onset, at)))
        {
            picture.evidence.deployed_at = first.plus_secs(deployed * 60);
            picture.judgement.findings[0].since = Some(first.plus_secs(onset * 60));
            let Known { evidence, judgement, .. } = &picture;
            let chart = Chart::of(evidence, &evidence.signals[0], &judgement.findings[0]).unwrap();
            let chart = chart.reverted(Some(first.plus_secs(reverted * 60)));
            // It came after the deployment, and not long after the last sample.
            assert_eq!(chart.reverted_at.is_some(), reverted > deployed && reverted <= 59 + 14);
            let flags = flags(&chart);
            assert!(flags.iter().all(|flag| flag.extent().0 >= 0.0 && flag.extent().1 <= WIDTH));
            if let [one, other, last] = &flags[..] {
                marked += 1;
                let apart = |a: &Flag, b: &Flag| (a.row - b.row).abs() > 0.5 || !a.covers(b);
                assert!(apart(one, last) && apart(other, last), "{deployed} {onset} {reverted}");
            }
        }
    }
    assert!(marked > 1_000);
}

#[test]
fn sentences_are_told_once_and_to_their_end() {
    let long = "word ".repeat(60) + "end";
    let mut picture = known(&long, &[1.0, 2.0, 3.0, 4.0], None, false);
    let ends = |picture: &Known| drawn(picture).matches("end</text>").count();
    assert_eq!(ends(&picture), 1, "in the title");
    picture.title = format!("regressed: {long}");
    assert_eq!(ends(&picture), 1, "behind the verdict");
    picture.judgement.findings[0].reason = format!("{long}; and more");
    let svg = drawn(&picture);
    assert!(svg.contains(">and more</text>") && ends(&picture) == 1, "{svg}");
    picture.judgement.findings[0].reason = format!("other {long}");
    assert_eq!(ends(&picture), 2);
}

proptest! {
    #[test]
    fn any_picture_is_well_formed_and_holds_no_markup_of_others(
        title in any::<String>(),
        values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 0..20),
        line in prop::option::of(prop::num::f64::NORMAL),
        percent in any::<bool>(),
    ) {
        let title = format!("{title}]]><script>x</script><!--&#0;");
        let svg = drawn(&known(&title, &values, line, percent));
        let document = match roxmltree::Document::parse(&svg) {
            Ok(document) => document,
            Err(error) => panic!("{error}\n{svg}"),
        };
        let elements = ["svg", "title", "style", "rect", "text", "line", "polyline", "circle"];
        for node in document.descendants().filter(|node| node.is_element()) {
            prop_assert!(elements.contains(&node.tag_name().name()));
        }
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
        prop_assert_eq!(&svg, &drawn(&known(&title, &values, line, percent)));
    }
}
