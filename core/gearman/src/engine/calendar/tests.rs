//! Times are compared with what `date -u` says of them.

use super::*;

fn calendar(words: &str) -> Option<Calendar> {
    let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    Calendar::parse(words.try_into().expect("five words"))
}

/// The times of a calendar after a second, as year, month, day, hour, minute.
fn times(words: &str, mut after: u64, count: usize) -> Vec<(u64, u64, u64, u64, u64)> {
    let calendar = calendar(words).expect("the words are a calendar");
    let mut next = || {
        after = calendar.next(after).expect("dates go on");
        let (year, month, day) = civil(after / DAY_SECONDS);
        assert_eq!(after % 60, 0, "calendars count whole minutes");
        (year, month, day, after / 3_600 % 24, after / 60 % 60)
    };
    (0..count).map(|_| next()).collect()
}

/// 2026-08-01 12:34:56 UTC, a Saturday.
const NOW: u64 = 1_785_587_696;

#[test]
fn days_and_dates_are_each_others_inverse_for_two_cycles() {
    let mut date = (1970, 1, 1);
    for days in 0..2 * 146_097 {
        assert_eq!(civil(days), date, "day {days}");
        let (year, month, day) = date;
        assert_eq!(days_since_1970(year, month, day), days, "{date:?}");
        date = match (month, day) {
            (12, 31) => (year + 1, 1, 1),
            _ if day == days_of(year, month) => (year, month + 1, 1),
            _ => (year, month, day + 1),
        };
    }
    assert_eq!(civil(NOW / DAY_SECONDS), (2026, 8, 1));
}

#[test]
fn every_minute_is_the_next_whole_one() {
    assert_eq!(times("* * * * *", NOW, 2), [(2026, 8, 1, 12, 35), (2026, 8, 1, 12, 36)]);
    let exact = calendar("* * * * *").and_then(|calendar| calendar.next(NOW - 56));
    assert_eq!(exact, Some(NOW + 4), "after means after");
}

#[test]
fn steps_lists_and_ranges_name_sets() {
    assert_eq!(
        times("*/20 3,5-6 * * *", NOW, 4),
        [(2026, 8, 2, 3, 0), (2026, 8, 2, 3, 20), (2026, 8, 2, 3, 40), (2026, 8, 2, 5, 0)]
    );
    assert_eq!(times("50/5 13 * * *", NOW, 2), [(2026, 8, 1, 13, 50), (2026, 8, 1, 13, 55)]);
    assert_eq!(times("10-40/15 13 1 8 *", NOW, 2)[1], (2026, 8, 1, 13, 25));
    assert_eq!(times("0 0 1 jan *", NOW, 1), [(2027, 1, 1, 0, 0)]);
}

#[test]
fn the_29th_of_february_comes_in_leap_years() {
    let days = times("0 0 29 2 *", NOW, 2);
    assert_eq!(days, [(2028, 2, 29, 0, 0), (2032, 2, 29, 0, 0)]);
    let before_2100 = days_since_1970(2096, 3, 1) * DAY_SECONDS;
    assert_eq!(times("0 0 29 feb *", before_2100, 1), [(2104, 2, 29, 0, 0)]);
}

#[test]
fn a_day_of_the_week_or_one_of_the_month_is_enough_if_both_are_named() {
    // The 3rd is a Monday, the 13th a Thursday.
    let either = times("0 9 13 * 0", NOW, 4);
    let days: Vec<u64> = either.iter().map(|time| time.2).collect();
    assert_eq!(days, [3, 10, 13, 17]);
}

#[test]
fn a_day_has_to_fit_both_if_one_begins_with_a_star() {
    let fridays = times("0 9 * * fri", NOW, 2);
    assert_eq!(fridays, [(2026, 8, 7, 9, 0), (2026, 8, 14, 9, 0)]);
    // Odd days that are Sundays.
    let days: Vec<u64> = times("0 9 */2 8 6", NOW, 2).iter().map(|time| time.2).collect();
    assert_eq!(days, [9, 23]);
}

#[test]
fn monday_is_0_as_in_the_protocol() {
    assert_eq!(times("0 0 * * 0", NOW, 1), times("0 0 * * mon", NOW, 1));
    assert_eq!(times("0 0 * * 6", NOW, 1), times("0 0 * * Sun", NOW, 1));
}

#[test]
fn times_that_never_come_and_words_that_are_none_are_refused() {
    for words in [
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 0 *",
        "* * * 13 *",
        "* * * * 7",
        "*/0 * * * *",
        "5-3 * * * *",
        "- * * * *",
        "1,,2 * * * *",
        " * * * *",
        "1- * * * *",
        "x * * * *",
        "* * * mon *",
        "-1 * * * *",
        "99999999999999999999 * * * *",
        "*/ * * * *",
        "** * * * *",
        "1/2/3 * * * *",
    ] {
        assert_eq!(calendar(words), None, "{words}");
    }
}

#[test]
fn dates_end_without_a_panic() {
    let calendar = calendar("* * * * *").expect("every minute");
    assert_eq!(calendar.next(u64::MAX), None);
    assert!(calendar.next(SECONDS_MAX).is_some());
}
