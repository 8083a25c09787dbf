//! Which window is open when, by tables. Times are as people of the place write them, with their distance from UTC.

use super::*;

/// A moment, such as `2026-03-29T03:00:00+02:00`.
fn at(text: &str) -> Time {
    Time::from_unix(text.parse::<Timestamp>().unwrap().as_second())
}

fn freeze(schedule: &str, hours: u32, zone: &str) -> Freeze {
    Freeze {
        schedule: Schedule::parse(schedule).unwrap(),
        duration_secs: hours * 3_600,
        zone: Zone::named(zone).unwrap(),
        why: schedule.to_owned(),
    }
}

/// Where, the schedule, for how many hours, now, and until when it is frozen: none where it is not.
type Row<'t> = (&'t str, &'t str, u32, &'t str, Option<&'t str>);

#[track_caller]
fn hold(rows: &[Row<'_>]) {
    for (zone, schedule, hours, now, until) in rows {
        let found = frozen(&[freeze(schedule, *hours, zone)], at(now));
        let expected = until.map(|until| Some(at(until)));
        assert_eq!(found.map(|frozen| frozen.until), expected, "{zone} `{schedule}` for {hours} h, at {now}");
    }
}

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";
const LORD_HOWE: &str = "Australia/Lord_Howe";

#[test]
fn a_freeze_that_never_ends_is_known_from_one_that_does() {
    let now = at("2026-12-01T12:00:00Z");
    for (windows, expected) in [
        (&[("0 * * * *", 1)][..], true),
        (&[("0 16 * * FRI", 7 * 24)], true),
        // In the night in which clocks go back there is an hour between two of these.
        (&[("0 0 * * *", 24)], true),
        (&[("0 0 * * MON-FRI", 24), ("0 0 * * SAT", 48)], true),
        (&[("0 0 1 * *", 31 * 24)], true),
        (&[("0 0 1 1 *", 366 * 24)], true),
        (&[], false),
        (&[("0 * * * MON-FRI", 1)], false),
        (&[("0 0 * * MON-FRI", 24)], false),
        (&[("0 8 * * *", 23)], false),
        (&[("0 0 1 * *", 29 * 24)], false),
        (&[("0 0 1 1 *", 364 * 24)], false),
    ] {
        let freezes: Vec<Freeze> =
            windows.iter().map(|(schedule, hours)| freeze(schedule, *hours, BERLIN)).collect();
        assert_eq!(is_always_frozen(&freezes, now), expected, "{windows:?}");
    }
}

#[test]
fn a_window_is_open_from_its_first_second_to_its_last() {
    hold(&[
        // A weekend from Friday at four until Monday at eight.
        (BERLIN, "0 16 * * FRI", 64, "2026-12-04T15:59:59+01:00", None),
        (BERLIN, "0 16 * * FRI", 64, "2026-12-04T16:00:00+01:00", Some("2026-12-07T08:00:00+01:00")),
        (BERLIN, "0 16 * * FRI", 64, "2026-12-06T03:00:00+01:00", Some("2026-12-07T08:00:00+01:00")),
        (BERLIN, "0 16 * * FRI", 64, "2026-12-07T07:59:59+01:00", Some("2026-12-07T08:00:00+01:00")),
        (BERLIN, "0 16 * * FRI", 64, "2026-12-07T08:00:00+01:00", None),
        (BERLIN, "0 16 * * FRI", 64, "2026-12-09T16:00:00+01:00", None),
        // Every night, over midnight.
        ("UTC", "0 22 * * *", 8, "2026-12-09T21:59:59Z", None),
        ("UTC", "0 22 * * *", 8, "2026-12-09T23:59:59Z", Some("2026-12-10T06:00:00Z")),
        ("UTC", "0 22 * * *", 8, "2026-12-10T00:00:00Z", Some("2026-12-10T06:00:00Z")),
        ("UTC", "0 22 * * *", 8, "2026-12-10T06:00:00Z", None),
        // Over the end of the year.
        (BERLIN, "0 0 20 12 *", 14 * 24, "2026-12-31T23:59:59+01:00", Some("2027-01-03T00:00:00+01:00")),
        (BERLIN, "0 0 20 12 *", 14 * 24, "2027-01-02T23:59:59+01:00", Some("2027-01-03T00:00:00+01:00")),
        (BERLIN, "0 0 20 12 *", 14 * 24, "2027-01-03T00:00:00+01:00", None),
        (BERLIN, "0 0 20 12 *", 14 * 24, "2026-12-19T23:59:59+01:00", None),
        // On the 29th of February, which some years have not, and over it.
        ("UTC", "0 12 29 2 *", 24, "2028-02-29T12:00:00Z", Some("2028-03-01T12:00:00Z")),
        ("UTC", "0 12 29 2 *", 24, "2027-03-01T11:00:00Z", None),
        ("UTC", "0 12 28 2 *", 48, "2028-03-01T00:00:00Z", Some("2028-03-01T12:00:00Z")),
        ("UTC", "0 12 28 2 *", 48, "2027-03-02T00:00:00Z", Some("2027-03-02T12:00:00Z")),
        // The 31st, which some months have not.
        ("UTC", "0 0 31 * *", 24, "2026-12-01T00:00:00Z", None),
        ("UTC", "0 0 31 * *", 24, "2026-12-31T00:00:00Z", Some("2027-01-01T00:00:00Z")),
    ]);
}

#[test]
fn a_day_of_the_month_or_a_day_of_the_week_is_enough_where_both_are_named() {
    hold(&[
        // 13 November 2026 is a Friday, 13 December a Sunday.
        ("UTC", "0 0 13 * FRI", 24, "2026-11-13T12:00:00Z", Some("2026-11-14T00:00:00Z")),
        ("UTC", "0 0 13 * FRI", 24, "2026-12-13T12:00:00Z", Some("2026-12-14T00:00:00Z")),
        ("UTC", "0 0 13 * FRI", 24, "2026-12-18T12:00:00Z", Some("2026-12-19T00:00:00Z")),
        ("UTC", "0 0 13 * FRI", 24, "2026-12-12T12:00:00Z", None),
        // `*` restricts nothing, and neither do `?` and `*/1`; `*/2` does.
        ("UTC", "0 0 13 * *", 24, "2026-12-18T12:00:00Z", None),
        ("UTC", "0 0 ? * FRI", 24, "2026-12-13T12:00:00Z", None),
        ("UTC", "0 0 */1 * FRI", 24, "2026-12-13T12:00:00Z", None),
        ("UTC", "0 0 */2 * FRI", 24, "2026-12-13T12:00:00Z", Some("2026-12-14T00:00:00Z")),
        // The month holds for both.
        ("UTC", "0 0 13 11 FRI", 24, "2026-12-18T12:00:00Z", None),
        // Sunday is 0 and 7, and a range may end with it.
        ("UTC", "0 0 * * 7", 24, "2026-12-13T12:00:00Z", Some("2026-12-14T00:00:00Z")),
        ("UTC", "0 0 * * 0", 24, "2026-12-13T12:00:00Z", Some("2026-12-14T00:00:00Z")),
        ("UTC", "0 0 * * 6-7", 24, "2026-12-13T12:00:00Z", Some("2026-12-14T00:00:00Z")),
        ("UTC", "0 0 * * sat,Sun", 24, "2026-12-12T12:00:00Z", Some("2026-12-14T00:00:00Z")),
        ("UTC", "30 8-10/2 1 JAN-mar *", 1, "2027-02-01T10:45:00Z", Some("2027-02-01T11:30:00Z")),
        ("UTC", "5/20 6 * * *", 1, "2026-12-01T06:04:59Z", None),
        ("UTC", "5/20 6 * * *", 1, "2026-12-01T06:05:00Z", Some("2026-12-01T07:45:00Z")),
    ]);
}

#[test]
fn clocks_that_go_forward_skip_no_window() {
    hold(&[
        // In Berlin 02:00 becomes 03:00 on 29 March 2026: what begins at half past two begins an hour later by the clock.
        (BERLIN, "30 2 * * *", 1, "2026-03-29T01:59:59+01:00", None),
        (BERLIN, "30 2 * * *", 1, "2026-03-29T03:29:59+02:00", None),
        (BERLIN, "30 2 * * *", 1, "2026-03-29T03:30:00+02:00", Some("2026-03-29T04:30:00+02:00")),
        (BERLIN, "30 2 * * *", 1, "2026-03-29T04:30:00+02:00", None),
        // The weekend is as long as ever, and ends at nine by the clock.
        (BERLIN, "0 16 * * FRI", 64, "2026-03-30T08:30:00+02:00", Some("2026-03-30T09:00:00+02:00")),
        // New York, 8 March 2026.
        (NEW_YORK, "0 2 * * SUN", 2, "2026-03-08T03:00:00-04:00", Some("2026-03-08T05:00:00-04:00")),
        (NEW_YORK, "0 0 * * SUN", 4, "2026-03-08T04:59:59-04:00", Some("2026-03-08T05:00:00-04:00")),
        // Lord Howe goes forward by half an hour: on 4 October 2026 02:00 becomes 02:30.
        (LORD_HOWE, "15 2 * * *", 1, "2026-10-04T02:44:59+11:00", None),
        (LORD_HOWE, "15 2 * * *", 1, "2026-10-04T02:45:00+11:00", Some("2026-10-04T03:45:00+11:00")),
        (LORD_HOWE, "0 1 * * *", 2, "2026-10-04T03:29:59+11:00", Some("2026-10-04T03:30:00+11:00")),
        // Cairo goes forward at midnight: 24 April 2026 begins at 01:00.
        ("Africa/Cairo", "30 0 * * *", 1, "2026-04-24T01:29:59+03:00", None),
        ("Africa/Cairo", "30 0 * * *", 1, "2026-04-24T01:30:00+03:00", Some("2026-04-24T02:30:00+03:00")),
        // Samoa had no 30 December 2011.
        ("Pacific/Apia", "0 12 30 12 *", 1, "2011-12-31T12:30:00+14:00", Some("2011-12-31T13:00:00+14:00")),
    ]);
}

#[test]
fn clocks_that_go_back_open_no_window_twice() {
    hold(&[
        // In Berlin 03:00 becomes 02:00 on 25 October 2026.
        (BERLIN, "30 2 * * *", 1, "2026-10-25T02:29:59+02:00", None),
        (BERLIN, "30 2 * * *", 1, "2026-10-25T02:30:00+02:00", Some("2026-10-25T02:30:00+01:00")),
        (BERLIN, "30 2 * * *", 1, "2026-10-25T02:29:59+01:00", Some("2026-10-25T02:30:00+01:00")),
        (BERLIN, "30 2 * * *", 1, "2026-10-25T02:30:00+01:00", None),
        (BERLIN, "0 16 * * FRI", 64, "2026-10-26T06:59:59+01:00", Some("2026-10-26T07:00:00+01:00")),
        (BERLIN, "0 16 * * FRI", 64, "2026-10-26T07:00:00+01:00", None),
        // New York, 1 November 2026.
        (NEW_YORK, "30 1 * * *", 1, "2026-11-01T01:30:00-04:00", Some("2026-11-01T01:30:00-05:00")),
        (NEW_YORK, "30 1 * * *", 1, "2026-11-01T01:30:00-05:00", None),
        // Lord Howe, 5 April 2026: 02:00 becomes 01:30.
        (LORD_HOWE, "45 1 * * *", 1, "2026-04-05T01:44:59+11:00", None),
        (LORD_HOWE, "45 1 * * *", 1, "2026-04-05T01:45:00+11:00", Some("2026-04-05T02:15:00+10:30")),
        (LORD_HOWE, "45 1 * * *", 1, "2026-04-05T02:15:00+10:30", None),
    ]);
}

#[test]
fn windows_that_touch_are_one_freeze() {
    hold(&[
        // Each lasts longer than until the next.
        ("UTC", "0 0 * * 1-5", 30, "2026-12-07T00:00:00Z", Some("2026-12-12T06:00:00Z")),
        ("UTC", "0 0 * * 1-5", 30, "2026-12-12T05:59:59Z", Some("2026-12-12T06:00:00Z")),
        ("UTC", "0 0 * * 1-5", 30, "2026-12-12T06:00:00Z", None),
        // Exactly as long.
        ("UTC", "0 0 * * 1-5", 24, "2026-12-07T12:00:00Z", Some("2026-12-12T00:00:00Z")),
    ]);
    let endless = frozen(&[freeze("0 0 * * *", 24, BERLIN)], at("2026-12-07T12:00:00Z")).unwrap();
    assert_eq!(endless.until, None);
    assert_eq!(endless.to_string(), "frozen, with no end in sight (0 0 * * *)");
    let endless = frozen(&[freeze("* * * * *", 366 * 24, BERLIN)], at("2026-12-07T12:00:00Z")).unwrap();
    assert_eq!(endless.until, None);
}

#[test]
fn of_several_windows_the_last_says_why_and_all_say_until_when() {
    let windows = [
        freeze("0 16 * * FRI", 64, BERLIN),
        freeze("0 6 * * MON", 4, BERLIN),
        freeze("0 20 * * SUN", 2, NEW_YORK),
    ];
    let until = |now: &str| frozen(&windows, at(now)).map(|frozen| (frozen.why, frozen.until));
    let monday = Some(at("2026-12-07T10:00:00+01:00"));
    assert_eq!(until("2026-12-06T12:00:00+01:00"), Some(("0 16 * * FRI".to_owned(), monday)));
    // In New York it is Sunday evening.
    assert_eq!(until("2026-12-07T02:30:00+01:00"), Some(("0 16 * * FRI".to_owned(), monday)));
    assert_eq!(until("2026-12-07T07:00:00+01:00"), Some(("0 6 * * MON".to_owned(), monday)));
    assert_eq!(until("2026-12-07T10:00:00+01:00"), None);
    assert_eq!(frozen(&[], at("2026-12-07T10:00:00Z")), None);
}

#[test]
fn a_clock_that_is_far_off_freezes_nothing_and_ends() {
    let windows = [freeze("* * * * *", 366 * 24, BERLIN)];
    for secs in [i64::MIN, i64::MAX, -400_000_000_000, 400_000_000_000] {
        assert_eq!(frozen(&windows, Time::from_unix(secs)), None, "{secs}");
    }
    // The first and the last moments that a calendar has.
    for moment in [Timestamp::MIN, Timestamp::MAX] {
        let _either = frozen(&windows, Time::from_unix(moment.as_second()));
    }
}

#[test]
fn what_is_no_schedule_is_refused_with_what_to_write() {
    for (schedule, told) in [
        ("", "has 0 fields: write the five fields"),
        ("@daily", "has 1 fields"),
        ("0 0 16 * * FRI", "has 6 fields"),
        ("60 * * * *", "\"60\" is no minute: write `*`, numbers from 0 to 59"),
        ("0 24 * * *", "\"24\" is no hour"),
        ("0 0 0 * *", "\"0\" is no day of the month"),
        ("0 0 32 * *", "numbers from 1 to 31"),
        ("0 0 * 13 *", "\"13\" is no month"),
        ("0 0 * foo *", "names from JAN to DEC"),
        ("0 0 * * 8", "\"8\" is no day of the week"),
        ("0 0 * * FRIDAY", "names from SUN to SAT"),
        ("0 0 L * *", "\"L\" is no day of the month"),
        ("0 0 * * 5#2", "\"5#2\" is no day of the week"),
        ("*/0 * * * *", "\"*/0\" is no minute"),
        ("5-1 * * * *", "\"5-1\" is no minute"),
        ("1,,2 * * * *", "\"\" is no minute"),
        ("-1 * * * *", "\"-1\" is no minute"),
        ("99999999999999999999 * * * *", "is no minute"),
        ("0 0 30 2 *", "never begins"),
        ("0 0 31 2,4,6,9,11 *", "never begins"),
    ] {
        let refused = Schedule::parse(schedule).unwrap_err();
        assert!(refused.contains(told), "{schedule:?}: {refused}");
    }
    assert!(Schedule::parse(&"0 ".repeat(400)).unwrap_err().contains("at most 512 bytes"));
    // On a Monday it begins all the same.
    Schedule::parse("0 0 30 2 MON").unwrap();
    for zone in ["Europe/Berlln", "CEST", "", "../etc/passwd", "+01:00"] {
        assert!(Zone::named(zone).unwrap_err().contains("such as `Europe/Berlin` or `UTC`"), "{zone}");
    }
    assert_eq!(Schedule::parse(" 0  16 * * fri ").unwrap().to_string(), "0 16 * * fri");
}
