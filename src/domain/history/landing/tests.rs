use super::*;

fn id(n: u8) -> CommitId {
    CommitId::from_bytes([n; 20])
}

fn look(tip: u8, first: i64, last: i64) -> Sighting {
    Sighting { tip: id(tip), first: Time::from_unix(first), last: Time::from_unix(last), is_exact: false }
}

fn moved(tip: u8, at: i64) -> Sighting {
    Sighting { is_exact: true, ..look(tip, at, at) }
}

/// Commits 3, 2 and 1 with their committers' times, newest first: when each landed, from when to when, and how that is
/// known.
fn landed(times: [i64; 3], seen: &[Sighting], now: i64) -> Vec<(i64, i64, i64, LandedBy)> {
    landed_and_told(times, seen, &[], now)
}

fn landed_and_told(
    times: [i64; 3],
    seen: &[Sighting],
    told: &[Sighting],
    now: i64,
) -> Vec<(i64, i64, i64, LandedBy)> {
    let now = Time::from_unix(now);
    let mut believed: Vec<Time> = times.iter().copied().map(Time::from_unix).collect();
    crate::domain::history::snapshot::settle_times(&mut believed, now);
    let commits: Vec<(CommitId, Time, Time)> = [3, 2, 1]
        .into_iter()
        .zip(times)
        .zip(believed)
        .map(|((n, raw), believed)| (id(n), Time::from_unix(raw), believed))
        .collect();
    let shown = |one: Landing| (one.at.unix(), one.earliest.unix(), one.latest.unix(), one.by);
    landings(&commits, seen, told, now).into_iter().map(shown).collect()
}

#[test]
fn without_more_the_committers_time_is_taken() {
    let found = landed([9_000, 5_000, 1_000], &[], 9_100);
    let by = LandedBy::Committer;
    assert_eq!(found, [(9_000, 9_000, 9_000, by), (5_000, 5_000, 5_000, by), (1_000, 1_000, 1_000, by)]);
    // The first look of all says nothing about the time before.
    assert_eq!(landed([9_000, 5_000, 1_000], &[look(3, 9_100, 9_100)], 9_100), found);
}

#[test]
fn what_lands_long_after_it_was_committed_is_seen_by_looking() {
    let seen = [look(1, 1_000, 8_940), look(3, 9_000, 9_060)];
    let found = landed([7_400, 5_000, 1_000], &seen, 9_060);
    assert_eq!(found[0], (8_940, 8_940, 9_000, LandedBy::Sighting));
    assert_eq!(found[1], (8_940, 8_940, 9_000, LandedBy::Sighting));
    // Committed between two looks: as the committer says, at least.
    let found = landed([8_970, 5_000, 1_000], &[look(2, 1_000, 8_940), look(3, 9_000, 9_000)], 9_000);
    assert_eq!(found[0], (8_970, 8_970, 9_000, LandedBy::Committer));
}

#[test]
fn looks_within_one_second_are_told_apart_by_where_the_branch_was() {
    let found = landed([7_400, 5_000, 1_000], &[look(3, 9_000, 9_000), look(2, 9_000, 9_000)], 9_000);
    assert_eq!(found[0], (9_000, 9_000, 9_000, LandedBy::Sighting));
}

#[test]
fn the_log_of_a_forge_says_exactly_when() {
    let seen = [moved(1, 1_010), moved(3, 9_000)];
    let found = landed([7_400, 5_000, 1_000], &seen, 9_060);
    assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), [9_000, 9_000, 1_010]);
    assert!(found.iter().all(|one| one.3 == LandedBy::Forge));
    // What is below the oldest move in the log may have come before it.
    let found = landed([7_400, 5_000, 1_000], &[moved(3, 9_000)], 9_060);
    assert_eq!((found[0].0, found[1].0), (9_000, 5_000));
}

#[test]
fn a_clock_that_is_ahead_is_held_to_the_first_look() {
    let found = landed([9_500, 5_000, 1_000], &[look(3, 9_000, 9_300)], 9_300);
    assert_eq!(found[0], (9_000, 5_000, 9_000, LandedBy::Sighting));
    let landing = |since| {
        let (at, earliest, latest, by) = found[0];
        let time = Time::from_unix;
        Landing { at: time(at), earliest: time(earliest), latest: time(latest), by, committed: time(9_500) }
            .leaves_open(time(since))
    };
    assert!(landing(8_700) && !landing(9_000) && !landing(4_999));
}

#[test]
fn looking_again_at_the_same_place_is_one_sighting() {
    let known = with_sightings(vec![look(1, 10, 20)], &[look(1, 30, 30), look(2, 40, 40), moved(2, 35)]);
    assert_eq!(known, [look(1, 10, 30), moved(2, 35), look(2, 40, 40)]);
    assert_eq!(with_sightings(known.clone(), &[moved(2, 35)]), known);
    let many: Vec<Sighting> = (0_u16..500).map(|n| look(n.to_le_bytes()[0], n.into(), n.into())).collect();
    assert_eq!(with_sightings(Vec::new(), &many).len(), MAX_SIGHTINGS);
}

#[test]
fn what_a_clock_that_was_ahead_saw_is_forgotten() {
    assert_eq!(
        with_sightings(vec![look(1, 10, 900), look(2, 950, 960)], &[look(1, 100, 100)]),
        [look(1, 10, 100)]
    );
    let found = landed([7_400, 5_000, 1_000], &[look(1, 1_000, 99_000), look(3, 99_000, 99_000)], 9_060);
    assert!(found[0].3 == LandedBy::Sighting && found[0].0 > 7_400, "{found:?}");
}

#[test]
fn what_is_told_counts_where_nothing_is_known() {
    let told = [look(2, 8_940, 8_940), look(3, 9_000, 9_000)];
    let by = LandedBy::Record;
    let times = [2_000, 1_500, 1_000];
    let found = landed_and_told(times, &[], &told, 9_900);
    assert_eq!(found[0], (8_940, 8_940, 9_000, by));
    assert_eq!(found[1], (1_500, 1_500, 1_500, LandedBy::Committer), "no look was without it");
    let (at, earliest, latest, by) = found[0];
    let time = Time::from_unix;
    let (at, earliest, latest) = (time(at), time(earliest), time(latest));
    let landing = Landing { at, earliest, latest, by, committed: time(2_000) };
    assert_eq!(
        [1_999, 2_000, 8_939, 8_940].map(|since| landing.is_let_off(time(since))),
        [false, true, true, false]
    );
    // What is known goes first.
    let own = [look(2, 1_600, 9_100), look(3, 9_200, 9_900)];
    assert_eq!(landed_and_told(times, &own, &told, 9_900), landed(times, &own, 9_900));
    let forge = [moved(2, 1_600), moved(3, 2_100)];
    assert_eq!(landed_and_told(times, &forge, &told, 9_900), landed(times, &forge, 9_900));
    // So near to the committer's time it says nothing new.
    assert_eq!(landed_and_told([8_700, 1_500, 1_000], &[], &told, 9_900)[0].3, LandedBy::Committer);
}

#[test]
fn a_lie_moves_nothing_to_before_its_time_or_to_after_it_was_known_to_be_there() {
    let times = [8_000, 5_000, 1_000];
    let known = landed(times, &[], 9_900);
    // Earlier than it was committed; later than now; gone again.
    for told in [
        vec![look(3, 2_000, 2_000)],
        vec![look(2, 7_000, 7_000), look(3, 7_100, 7_100)],
        vec![look(2, 20_000, 20_000)],
        vec![look(3, 8_000, 8_000), look(2, 9_800, 9_800)],
        vec![look(9, 9_800, 9_800)],
    ] {
        assert_eq!(landed_and_told(times, &[], &told, 9_900), known, "{told:?}");
    }
    // A fresh agent has itself seen the commit, or its child, before.
    let own = [look(3, 8_400, 9_900)];
    let told = [look(1, 8_800, 8_800), look(2, 8_900, 8_900)];
    assert_eq!(landed_and_told(times, &own, &told, 9_900), landed(times, &own, 9_900));
    // The parent of what the forge knows.
    let forge = [moved(3, 8_100)];
    assert_eq!(landed_and_told(times, &forge, &told, 9_900), landed(times, &forge, 9_900));
}

#[test]
fn the_looks_around_a_commit_are_those_that_tell_when_it_landed() {
    let seen = [look(1, 100, 8_900), look(2, 8_940, 8_940), look(3, 9_000, 9_600), moved(3, 8_990)];
    let around = |chain: &[CommitId], seen: &[Sighting], commit| looks_around(chain, seen, commit);
    let whole = [id(3), id(2), id(1)];
    assert_eq!(around(&whole, &seen, id(3)), Some((seen[1].clone(), seen[2].clone())));
    assert_eq!(around(&whole, &seen, id(2)), Some((seen[0].clone(), seen[1].clone())));
    assert_eq!(around(&whole, &seen, id(1)), None);
    assert_eq!(around(&whole, &seen[..2], id(3)), None);
    // The branch was at a commit that is too old to be read.
    let both = [seen[0].clone(), seen[2].clone()];
    assert_eq!(around(&whole[..2], &both, id(3)), Some((seen[0].clone(), seen[2].clone())));
}

proptest::proptest! {
    #[test]
    fn landings_are_monotone_and_within_their_bounds(
        times in proptest::collection::vec(0_i64..2_000, 1..12),
        seen in proptest::collection::vec((0_u8..14, 0_i64..2_000, 0_i64..300, proptest::bool::ANY), 0..12),
        told in proptest::collection::vec((0_u8..14, -100_i64..4_000), 0..6),
        now in 1_000_i64..2_000,
    ) {
        let now = Time::from_unix(now);
        let mut believed: Vec<Time> = times.iter().copied().map(Time::from_unix).collect();
        crate::domain::history::snapshot::settle_times(&mut believed, now);
        let commits: Vec<(CommitId, Time, Time)> = times
            .iter().zip(believed).enumerate()
            .map(|(n, (raw, believed))| (id(u8::try_from(n).unwrap()), Time::from_unix(*raw), believed)).collect();
        let seen: Vec<Sighting> = seen
            .into_iter()
            .map(|(tip, first, long, exact)| if exact { moved(tip, first) } else { look(tip, first, first + long) })
            .collect();
        let told: Vec<Sighting> = told.into_iter().map(|(tip, at)| look(tip, at, at)).collect();
        let without = landings(&commits, &seen, &[], now);
        let found = landings(&commits, &seen, &told, now);
        // A record dates nothing earlier, and what it dates says so.
        for (one, before) in found.iter().zip(&without) {
            let is_told = one.by == LandedBy::Record;
            proptest::prop_assert!(one.at == before.at || is_told && one.at > before.at);
        }
        proptest::prop_assert_eq!(found.len(), commits.len());
        proptest::prop_assert!(found.windows(2).all(|pair| pair[0].at >= pair[1].at));
        proptest::prop_assert!(found.iter().all(|one| one.at <= now && one.earliest <= one.at && one.at <= one.latest));
    }
}

#[test]
fn what_was_taken_off_and_comes_again_landed_when_it_came_again() {
    // Commit 3 was there from 5,000 on, was taken off, and came again at 9,000.
    let seen = [look(2, 4_000, 4_900), look(3, 5_000, 6_000), look(2, 6_100, 8_900), look(3, 9_000, 9_060)];
    let found = landed([4_950, 3_000, 1_000], &seen, 9_100);
    assert_eq!(found[0], (8_900, 8_900, 9_000, LandedBy::Sighting));
    // So does the forge's log say, also where nobody has looked in between.
    let moves = [moved(2, 4_000), moved(3, 4_960), moved(2, 6_050), moved(3, 8_950)];
    for looks in [&[][..], &[look(3, 5_000, 6_000), look(3, 9_000, 9_060)]] {
        let found = landed([4_950, 3_000, 1_000], &[&moves[..], looks].concat(), 9_100);
        assert_eq!(found[0], (8_950, 8_950, 8_950, LandedBy::Forge));
        // The commit below it was there all the time.
        assert_eq!(found[1].0, 4_000);
    }
}
