//! When schedules are due: cron expressions in time zones, and fixed intervals. Everything here is
//! pure: the rules of the time zones are compiled in.
//!
//! A cron expression speaks of what clocks on the wall show. Where they are set forward, a time that
//! is left out is due at the first moment after the gap. Where they are set back, a time that comes
//! twice is due the first time. An expression that is due in every hour (`*` in its second field)
//! goes by the time that really passes instead, through both hours that are called alike.

use std::collections::VecDeque;
use std::str::FromStr;

use chrono::{
    DateTime, Duration, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;
use croner::Cron;
use steadfast_core::schedule::{Calendar, Timing};
use steadfast_core::{Span, Timestamp};

/// Why something is not the timing of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct Impossible {
    /// Which field of the request is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: String,
}

impl Impossible {
    /// No due time will ever come.
    #[must_use]
    pub fn never() -> Self {
        cron("is never due: no such day comes within a thousand years")
    }
}

fn cron(what: impl Into<String>) -> Impossible {
    Impossible { field: "cron", what: what.into() }
}

/// The due times of a schedule.
#[derive(Clone, Debug)]
pub struct Course(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// At every multiple of `span` from `anchor`.
    Every {
        span: Span,
        anchor: Timestamp,
    },
    Cron(Box<Expression>),
}

#[derive(Clone, Debug)]
struct Expression {
    cron: Cron,
    zone: Tz,
    /// Whether it is due in every hour.
    hourly: bool,
}

/// The fields of a cron expression, in order.
const FIELDS: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

/// What short names stand for.
const NICKNAMES: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Course {
    /// The due times of this timing. `anchor` is one of them, where they go by an interval.
    ///
    /// # Errors
    /// If there can be none; says which field is wrong.
    pub fn of(timing: &Timing, anchor: Timestamp) -> Result<Self, Impossible> {
        Ok(Self(match timing {
            Timing::Every(span) if *span < Span::from_secs(1) => {
                let what = String::from("must be at least 1");
                return Err(Impossible { field: "interval_seconds", what });
            }
            Timing::Every(span) => Kind::Every { span: *span, anchor },
            Timing::Cron { expression, timezone } => {
                Kind::Cron(Box::new(Expression::read(expression, timezone)?))
            }
        }))
    }
}

impl Expression {
    fn read(expression: &str, timezone: &str) -> Result<Self, Impossible> {
        let zone = Tz::from_str(timezone).map_err(|_| Impossible {
            field: "timezone",
            what: format!("`{timezone}` is not the name of a time zone, such as `Europe/Berlin`"),
        })?;
        let expression = expression.trim();
        let long = match expression.starts_with('@') {
            true => {
                let known = NICKNAMES.iter().find(|(name, _)| *name == expression);
                let names: Vec<&str> = NICKNAMES.iter().map(|(name, _)| *name).collect();
                let unknown = || cron(format!("`{expression}` is not one of {}", names.join(", ")));
                known.ok_or_else(unknown)?.1
            }
            false => expression,
        };
        let fields: Vec<&str> = long.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            let names = FIELDS.join(", ");
            return Err(cron(format!("has {} fields and not these five: {names}", fields.len())));
        }
        for (place, (name, field)) in FIELDS.iter().zip(&fields).enumerate() {
            let mut alone = ["*"; FIELDS.len()];
            alone[place] = field;
            if let Err(error) = Cron::from_str(&alone.join(" ")) {
                return Err(cron(format!("the {name} `{field}` cannot be read: {error}")));
            }
        }
        let parsed = Cron::from_str(&fields.join(" "));
        let parsed = parsed.map_err(|error| cron(error.to_string()))?;
        Ok(Self { cron: parsed, zone, hourly: fields[1] == "*" })
    }

    /// The first due time on a clock that shows `shown` and is never set, after that.
    fn after_on_the_wall(&self, shown: NaiveDateTime) -> Option<NaiveDateTime> {
        let found = self.cron.find_next_occurrence(&shown.and_utc(), false);
        found.ok().map(|found| found.naive_utc())
    }

    fn after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.hourly { self.after_by_the_hour(moment) } else { self.after_by_the_wall(moment) }
    }

    /// Each time that clocks show is due once.
    fn after_by_the_wall(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut shown = self.zone.from_utc_datetime(&moment.naive_utc()).naive_local();
        loop {
            shown = self.after_on_the_wall(shown)?;
            let due = match self.zone.from_local_datetime(&shown) {
                MappedLocalTime::Single(due) | MappedLocalTime::Ambiguous(due, _) => due.to_utc(),
                MappedLocalTime::None => self.after_the_gap(shown)?,
            };
            // What clocks show for the second time was due the first time.
            if due > moment {
                return Some(due);
            }
        }
    }

    /// The first moment after clocks were set forward over `shown`.
    fn after_the_gap(&self, shown: NaiveDateTime) -> Option<DateTime<Utc>> {
        // No gap is longer than a day; the offset changes once between these two.
        let day = Duration::days(1);
        let offset = |at: DateTime<Utc>| self.offset(at);
        let (before, after) = ((shown - day).and_utc(), (shown + day).and_utc());
        self.change_between(before, after).filter(|at| offset(*at) != offset(before))
    }

    /// The hours that really pass are counted: the expression is due by each offset while it holds.
    fn after_by_the_hour(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (mut from, mut inclusive) = (moment, false);
        loop {
            let offset = self.offset(from);
            let shown = from.naive_utc() + offset;
            let shown = if inclusive { shown - TimeDelta::seconds(1) } else { shown };
            let due = (self.after_on_the_wall(shown)? - offset).and_utc();
            match self.change_between(from, due) {
                // The offset is another by then: look again from where it changes.
                Some(change) if change <= due => (from, inclusive) = (change, true),
                _ => return Some(due),
            }
        }
    }

    fn offset(&self, at: DateTime<Utc>) -> TimeDelta {
        let offset = self.zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        TimeDelta::seconds(i64::from(offset.local_minus_utc()))
    }

    /// The first second after `from`, until `until`, at which the offset is another.
    fn change_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let offset = self.offset(from);
        let mut same = from;
        // Two changes are further apart than a day.
        let mut other = loop {
            if same >= until {
                return None;
            }
            let next = (same + Duration::days(1)).min(until);
            if self.offset(next) != offset {
                break next;
            }
            same = next;
        };
        while other - same > TimeDelta::seconds(1) {
            let middle = same + TimeDelta::seconds((other - same).num_seconds() / 2);
            if self.offset(middle) == offset { same = middle } else { other = middle }
        }
        Some(other)
    }
}

impl Calendar for Course {
    fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Every { span, anchor } if moment < *anchor => {
                let (span, before) = (span.as_micros(), anchor.since(moment).as_micros());
                // The first multiple after it, counted back from the anchor.
                let back = (before - 1) / span * span;
                Some(Timestamp::from_micros(anchor.as_micros() - back))
            }
            Kind::Every { span, anchor } => {
                let steps = moment.since(*anchor).as_micros() / span.as_micros() + 1;
                Some(*anchor + span.times(steps))
            }
            Kind::Cron(expression) => {
                // To the second, as clocks are set: nothing is due between two of them.
                let seconds = i64::try_from(moment.as_micros() / 1_000_000).ok()?;
                let found = expression.after(DateTime::from_timestamp(seconds, 0)?)?;
                let micros = u64::try_from(found.timestamp_micros()).ok()?;
                Some(Timestamp::from_micros(micros))
            }
        }
    }

    fn earliest_of_the_last(&self, count: u32, from: Timestamp, until: Timestamp) -> Timestamp {
        if let Kind::Every { span, .. } = &self.0 {
            let steps = until.since(from).as_micros() / span.as_micros();
            return from + span.times(steps.saturating_sub(u64::from(count.max(1)) - 1));
        }
        // Look back ever further, so that what was missed in a year is not walked through.
        let mut width = Span::from_secs(60).times(u64::from(count) + 1);
        loop {
            let start = (until - width).max(from);
            let mut last = VecDeque::new();
            last.extend((start == from).then_some(from));
            let mut at = start;
            while let Some(next) = self.after(at).filter(|next| *next <= until) {
                last.push_back(next);
                if last.len() > count.max(1) as usize {
                    last.pop_front();
                }
                at = next;
            }
            if start == from || last.len() >= count.max(1) as usize {
                return last.front().copied().unwrap_or(from);
            }
            width = width.times(4);
        }
    }
}

#[cfg(test)]
mod tests;
