//! Deliveries that need a publish before they are done: put off, or put aside.
//!
//! The publish is confirmed before the delivery is acknowledged. Where it fails nothing is lost and
//! nothing spins: the delivery stays unacknowledged, in this consumer's hands, until its time.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::Span;
use tokio::time::Instant;
use tracing::warn;

use super::{RabbitSubscription, now};
use crate::broker::Counters;
use crate::delay;
use crate::letter::{Letter, Raw};
use crate::problem::Problem;
use crate::session::{Fate, Session};

/// How long to wait before something is tried again to put aside.
const PARK_AGAIN: Duration = Duration::from_secs(1);

/// How many are done at once.
const BATCH: usize = 256;

/// What is to be done about a delivery.
#[derive(Debug)]
pub(super) enum Errand {
    /// Publish it so that it comes again after a span.
    PutOff(Raw, Span),
    /// Publish it to where it is kept, with the reason.
    Park(Raw, String),
    /// Hand it out again: it could not be put off, and has waited here instead.
    Return(Raw),
}

/// Errands by when they are due.
#[derive(Debug, Default)]
pub(super) struct Errands {
    due: BTreeMap<(Instant, u64), Errand>,
    last: u64,
}

impl Errands {
    pub(super) fn add(&mut self, at: Instant, errand: Errand) {
        self.last += 1;
        self.due.insert((at, self.last), errand);
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The deliveries that are handed out again now, the latest first.
    pub(super) fn take_returning(&mut self, now: Instant) -> Vec<Raw> {
        let is_due = |key: &(Instant, u64), errand: &mut Errand| {
            key.0 <= now && matches!(errand, Errand::Return(_))
        };
        let taken = self.due.extract_if(.., is_due).filter_map(|(_, errand)| match errand {
            Errand::Return(raw) => Some(raw),
            _ => None,
        });
        let mut taken: Vec<Raw> = taken.collect();
        taken.reverse();
        taken
    }

    /// Some that need a publish now; they stay until they are removed.
    fn publishes(&self, now: Instant) -> Vec<((Instant, u64), &Errand)> {
        let due = self.due.range(..=(now, u64::MAX));
        let due = due.filter(|(_, errand)| !matches!(errand, Errand::Return(_)));
        due.take(BATCH).map(|(key, errand)| (*key, errand)).collect()
    }
}

impl RabbitSubscription {
    /// Does what is due.
    ///
    /// # Errors
    ///
    /// If the broker cannot be told what is done. That a publish failed is no error.
    pub(super) async fn run_errands(&mut self) -> Result<(), Problem> {
        loop {
            let due = self.errands.publishes(now());
            if due.is_empty() {
                return Ok(());
            }
            let keys: Vec<(Instant, u64)> = due.iter().map(|(key, _)| *key).collect();
            let published = self.publish(&due).await;
            let errands = keys.iter().filter_map(|key| self.errands.due.remove(key));
            let errands: Vec<Errand> = errands.collect();
            match published {
                Ok(()) => self.all_done(errands).await?,
                Err(problem) => self.wait_here(errands, &problem),
            }
        }
    }

    /// Publishes what errands ask for; after an error it may be done in part.
    async fn publish(&self, errands: &[((Instant, u64), &Errand)]) -> Result<(), Problem> {
        let names = &self.shared.names;
        let mut delays = Vec::new();
        let mut letters = Vec::with_capacity(errands.len());
        for (_, errand) in errands {
            let id = self.shared.new_id();
            match errand {
                Errand::PutOff(raw, span) => {
                    let millis = delay::millis(*span);
                    if !delays.contains(&millis) {
                        delays.push(millis);
                    }
                    letters.push(Letter::later(names, raw, &self.queue, millis, id));
                }
                Errand::Park(raw, reason) => letters.push(Letter::parked(names, raw, reason, id)),
                Errand::Return(_) => {}
            }
        }
        let patience = self.shared.options.confirm_timeout;
        let session = self.shared.link.session()?;
        if !delays.is_empty() {
            // Each time, since the broker deletes those that nobody has declared for a while.
            let declare = async |channel: &lapin::Channel| {
                for millis in &delays {
                    names.delay(*millis).declare(channel).await?;
                }
                Ok(())
            };
            session.within(patience, declare).await?;
        }
        let fates = session.send(&letters, patience).await?;
        taken(&session, &fates)
    }

    async fn all_done(&mut self, errands: Vec<Errand>) -> Result<(), Problem> {
        let counters = &self.shared.counters;
        let mut tags = Vec::with_capacity(errands.len());
        for errand in errands {
            match errand {
                Errand::PutOff(raw, _) => {
                    Counters::add(&counters.delayed, 1);
                    tags.push(raw.tag);
                }
                Errand::Park(raw, reason) => {
                    warn!(reason, queue = self.queue, key = raw.key, "a message was put aside");
                    Counters::add(&counters.parked, 1);
                    tags.push(raw.tag);
                }
                Errand::Return(_) => {}
            }
        }
        self.ack(tags).await
    }

    /// What could not be published waits in this consumer's hands.
    fn wait_here(&mut self, errands: Vec<Errand>, problem: &Problem) {
        warn!(%problem, count = errands.len(), queue = self.queue, "deliveries wait in this process");
        for errand in errands {
            match errand {
                Errand::PutOff(mut raw, span) => {
                    raw.redelivered = true;
                    let until = now().checked_add(Duration::from_millis(delay::millis(span)));
                    self.errands.add(until.unwrap_or_else(now), Errand::Return(raw));
                }
                park => self.errands.add(now() + PARK_AGAIN, park),
            }
        }
    }
}

/// Whether everything arrived where it is kept.
fn taken(session: &Session, fates: &[Fate]) -> Result<(), Problem> {
    let refused = fates.iter().filter(|fate| **fate != Fate::Taken).count();
    if refused == 0 {
        return Ok(());
    }
    session.doubted.notify_one();
    Err(Problem::Refused { refused, all: fates.len(), why: "no queue took them" })
}
