use super::*;

fn at(text: &str) -> Timestamp {
    let moment = DateTime::parse_from_rfc3339(text).expect("a moment");
    Timestamp::from_micros(u64::try_from(moment.timestamp_micros()).expect("after 1970"))
}

fn shown(moment: Timestamp) -> String {
    let micros = i64::try_from(moment.as_micros()).expect("a moment");
    DateTime::from_timestamp_micros(micros).expect("a moment").format("%FT%TZ").to_string()
}

fn read(expression: &str, timezone: &str) -> Result<Course, Impossible> {
    let timing = Timing::Cron { expression: expression.to_owned(), timezone: timezone.to_owned() };
    Course::of(&timing, Timestamp::ZERO)
}

fn course(expression: &str, timezone: &str) -> Course {
    read(expression, timezone).expect("an expression")
}

/// The next due times after `from`.
fn next(expression: &str, timezone: &str, from: &str, count: usize) -> Vec<String> {
    let course = course(expression, timezone);
    let step = |at: &Timestamp| course.after(*at);
    std::iter::successors(step(&at(from)), step).take(count).map(shown).collect()
}

#[test]
fn fields_names_ranges_steps_and_nicknames_are_read() {
    let table = [
        ("30 4 * * *", "2026-01-01T00:00:00Z", "2026-01-01T04:30:00Z"),
        ("30 4 * * *", "2026-01-01T04:30:00Z", "2026-01-02T04:30:00Z"),
        ("*/15 * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:15:00Z"),
        ("0 9-17/4 * * *", "2026-01-01T10:00:00Z", "2026-01-01T13:00:00Z"),
        ("0 0 * * mon-fri", "2026-01-02T12:00:00Z", "2026-01-05T00:00:00Z"),
        ("0 0 1 JAN,jul *", "2026-01-02T00:00:00Z", "2026-07-01T00:00:00Z"),
        ("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
        // Both a day of the month and one of the week: either will do.
        ("0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("@hourly", "2026-01-01T00:00:01Z", "2026-01-01T01:00:00Z"),
        ("@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("  5   0 * *  * ", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
    ];
    for (expression, from, due) in table {
        assert_eq!(next(expression, "UTC", from, 1), [due], "{expression}");
    }
    assert_eq!(
        next("0 9 * * *", "Asia/Tokyo", "2026-01-01T00:00:00Z", 1),
        ["2026-01-02T00:00:00Z"]
    );
}

#[test]
fn a_leap_day_comes_every_four_years_and_not_in_2100() {
    let due = next("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2);
    assert_eq!(due, ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    let due = next("0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", 1);
    assert_eq!(due, ["2104-02-29T00:00:00Z"]);
}

#[test]
fn what_cannot_be_read_says_which_field_is_wrong() {
    let table = [
        ("60 * * * *", "UTC", "cron", "the minute `60`"),
        ("* 24 * * *", "UTC", "cron", "the hour `24`"),
        ("* * 0 * *", "UTC", "cron", "the day of month `0`"),
        ("* * 32 * *", "UTC", "cron", "the day of month `32`"),
        ("* * * 13 *", "UTC", "cron", "the month `13`"),
        ("* * * * 8", "UTC", "cron", "the day of week `8`"),
        ("* * * * xyz", "UTC", "cron", "the day of week `xyz`"),
        ("*/0 * * * *", "UTC", "cron", "the minute `*/0`"),
        ("5-1 * * * *", "UTC", "cron", "the minute `5-1`"),
        ("* * * *", "UTC", "cron", "has 4 fields"),
        ("0 * * * * *", "UTC", "cron", "has 6 fields"),
        ("", "UTC", "cron", "has 0 fields"),
        ("@reboot", "UTC", "cron", "`@reboot` is not one of"),
        ("* * * * *", "Mars/Olympus", "timezone", "`Mars/Olympus`"),
    ];
    for (expression, timezone, field, what) in table {
        let problem = read(expression, timezone).expect_err(expression);
        assert_eq!(problem.field, field, "{expression}");
        assert!(problem.what.contains(what), "{expression}: {problem}");
    }
    let short = Course::of(&Timing::Every(Span::from_millis(999)), Timestamp::ZERO);
    assert_eq!(short.expect_err("too short").field, "interval_seconds");
}

#[test]
fn a_day_that_never_comes_is_never_due() {
    assert_eq!(course("0 0 30 2 *", "UTC").after(at("2026-01-01T00:00:00Z")), None);
}

#[test]
fn a_time_that_clocks_leave_out_is_due_once_after_the_gap() {
    // 2026-03-29 in Berlin: 01:59:59 +01 is followed by 03:00:00 +02, which is 01:00:00Z.
    let due = next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
    assert_eq!(due, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    // Several in the gap are one.
    let due = next("0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
    assert_eq!(due, ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]);
    // 2026-03-08 in New York: 02:00 -05 becomes 03:00 -04, 07:00Z.
    let due = next("30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", 2);
    assert_eq!(due, ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    // Half an hour on Lord Howe: 2026-10-04, 02:00 +10:30 becomes 02:30 +11.
    let due = next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 1);
    assert_eq!(due, ["2026-10-03T15:30:00Z"]);
}

#[test]
fn a_time_that_clocks_show_twice_is_due_once() {
    // 2026-10-25 in Berlin: 02:59:59 +02 is followed by 02:00:00 +01, which is 01:00:00Z.
    let due = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
    assert_eq!(due, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    // 2026-11-01 in New York.
    let due = next("30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", 2);
    assert_eq!(due, ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
}

#[test]
fn what_is_due_in_every_hour_goes_by_the_time_that_passes() {
    let due = next("30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 4);
    let through = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"];
    assert_eq!(due[..3], through);
    let due = next("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3);
    assert_eq!(due, ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"]);
    // Where an offset is no whole number of hours, by what clocks show on either side.
    let due = next("0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:45:00Z", 3);
    assert_eq!(due, ["2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z", "2026-10-03T18:00:00Z"]);
}

#[test]
fn due_times_rise_through_a_year_in_every_sort_of_zone() {
    for zone in
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
    {
        for expression in ["*/20 * * * *", "30 1,2,3 * * *", "@hourly", "15 2 * * sun"] {
            let course = course(expression, zone);
            let mut at = at("2026-01-01T00:00:00Z");
            let end = at + Span::from_secs(366 * 86_400);
            while at < end {
                let next = course.after(at).expect("another one");
                assert!(next > at, "{expression} in {zone}: {} after {}", shown(next), shown(at));
                at = next;
            }
        }
    }
}

#[test]
fn intervals_keep_their_beat() {
    let anchor = at("2026-01-01T00:00:07Z");
    let course = Course::of(&Timing::Every(Span::from_secs(10)), anchor).expect("an interval");
    let table = [
        ("2026-01-01T00:00:07Z", "2026-01-01T00:00:17Z"),
        ("2026-01-01T00:00:08Z", "2026-01-01T00:00:17Z"),
        ("2026-01-01T00:01:07Z", "2026-01-01T00:01:17Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:07Z"),
        ("2025-12-31T23:59:57Z", "2026-01-01T00:00:07Z"),
        ("2025-12-31T23:59:56Z", "2025-12-31T23:59:57Z"),
    ];
    for (from, due) in table {
        assert_eq!(course.after(at(from)).map(shown).as_deref(), Some(due), "{from}");
    }
}

#[test]
fn the_last_due_times_are_found_from_the_end() {
    let from = at("2026-01-01T00:00:00Z");
    let minutes = course("* * * * *", "UTC");
    let days = course("@daily", "UTC");
    let interval = Course::of(&Timing::Every(Span::from_secs(60)), from).expect("an interval");
    let last = |course: &Course, count, until: &str| {
        shown(course.earliest_of_the_last(count, from, at(until)))
    };
    for course in [&minutes, &interval] {
        assert_eq!(last(course, 1, "2026-12-31T00:00:30Z"), "2026-12-31T00:00:00Z");
        assert_eq!(last(course, 100, "2026-12-31T02:00:30Z"), "2026-12-31T00:21:00Z");
        assert_eq!(last(course, 100, "2026-01-01T00:05:00Z"), "2026-01-01T00:00:00Z");
        assert_eq!(last(course, 3, "2026-01-01T00:05:00Z"), "2026-01-01T00:03:00Z");
    }
    assert_eq!(last(&days, 1, "2026-06-15T12:00:00Z"), "2026-06-15T00:00:00Z");
    assert_eq!(last(&days, 100, "2026-02-01T12:00:00Z"), "2026-01-01T00:00:00Z");
    assert_eq!(last(&days, 1, "2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z");
}
