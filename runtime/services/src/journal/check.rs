//! Asking the core again.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use steadfast_core::decision::{Changed, Decision};
use steadfast_core::unit::{Row, Unit};

use super::steps::{self, Find};
use super::{FORMAT, Head, LENGTH, Outcome, digest};

/// A journal that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It was written by another version.
    #[error("{journal}: written in format {found}, and this program reads format {FORMAT}")]
    Format {
        /// Whose journal.
        journal: String,
        /// Its format.
        found: u32,
    },
    /// It does not begin as a journal does.
    #[error("{journal}: this is not a journal")]
    Foreign {
        /// Whose journal.
        journal: String,
    },
}

/// Something that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose journal.
    pub journal: String,
    /// The record's number in its process.
    pub number: u64,
    /// The step.
    pub step: String,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { journal, number, step, what } = self;
        write!(f, "{journal}: record {number} ({step}): {what}")
    }
}

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many decisions were made again, by step.
    pub decisions: BTreeMap<String, u64>,
    /// How many loaded rows were compared with what had been written.
    pub rows: u64,
    /// How many decisions have no known outcome: the process was killed, or lost the reply.
    pub open: u64,
    /// How many bytes were left of records that were being written when their process died.
    pub torn: u64,
    /// Everything that cannot be.
    pub faults: Vec<Fault>,
}

impl Findings {
    /// How many decisions were made again.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.decisions.values().sum()
    }
}

/// A row at a version: the table, the key as it is written down, the version.
type Place = (&'static str, Vec<u8>, u64);

/// Reads the journals of all processes that share a store.
pub struct Checker<'a> {
    find: Find<'a>,
    findings: Findings,
    /// Digests of what may be in the store.
    written: BTreeMap<Place, BTreeSet<u32>>,
    loaded: Vec<(Place, u32, Origin)>,
}

/// Which record it was: journal, number, step.
type Origin = (String, u64, String);

impl<'a> Checker<'a> {
    /// A checker that finds pinned workflows by `find`.
    #[must_use]
    pub fn new(find: Find<'a>) -> Self {
        let (written, loaded) = (BTreeMap::new(), Vec::new());
        Self { find, findings: Findings::default(), written, loaded }
    }

    /// Reads a journal and makes its decisions again. `journal` is what to call it.
    ///
    /// # Errors
    /// If this is none, or one of another version.
    pub fn read(&mut self, journal: &str, bytes: &[u8]) -> Result<(), Unreadable> {
        let mut rest = bytes;
        let foreign = || Unreadable::Foreign { journal: journal.to_owned() };
        let first = next_frame(&mut rest).ok_or_else(foreign)?;
        match Reader::new(first).next_borrowed() {
            Ok(Head::Opened { format: FORMAT }) => {}
            Ok(Head::Opened { format: found }) => {
                return Err(Unreadable::Format { journal: journal.to_owned(), found });
            }
            _ => return Err(foreign()),
        }
        let mut frames = Vec::new();
        while let Some(frame) = next_frame(&mut rest) {
            frames.push(frame);
        }
        self.findings.torn += rest.len() as u64;
        let outcomes = outcomes(&frames);
        for frame in frames {
            let mut reader = Reader::new(frame);
            match reader.next_borrowed() {
                Ok(Head::Decided { number, step }) => {
                    let outcome = outcomes.get(&number).copied();
                    let origin = (journal.to_owned(), number, step.to_owned());
                    self.make_again(&mut reader, outcome, origin);
                }
                Ok(_) => {}
                Err(what) => self.fault(&(journal.to_owned(), 0, String::new()), what),
            }
        }
        Ok(())
    }

    /// Compares what was loaded with what was written, and tells everything.
    #[must_use]
    pub fn finish(mut self) -> Findings {
        for (place, digest, origin) in std::mem::take(&mut self.loaded) {
            // A row from before the journal began has no origin in it.
            let Some(written) = self.written.get(&place) else { continue };
            self.findings.rows += 1;
            if !written.contains(&digest) {
                let (table, _, version) = place;
                let what =
                    format!("a row of {table} at version {version} is not as it was written");
                self.fault(&origin, what);
            }
        }
        self.findings
    }

    fn make_again(&mut self, reader: &mut Reader<'_>, outcome: Option<Outcome>, origin: Origin) {
        match self.decide(reader, &origin) {
            Ok((decision, recorded)) => {
                *self.findings.decisions.entry(origin.2.clone()).or_default() += 1;
                let again = digest::of_decision(&decision);
                if again != recorded {
                    let what = unlike(&decision, &again, &recorded);
                    self.fault(&origin, what);
                }
                self.findings.open +=
                    u64::from(!matches!(outcome, Some(Outcome::Committed | Outcome::Failed)));
                if outcome != Some(Outcome::Failed) {
                    self.note_writes(&decision);
                }
            }
            Err(what) => self.fault(&origin, what),
        }
    }

    fn decide(
        &mut self,
        reader: &mut Reader<'_>,
        origin: &Origin,
    ) -> Result<(Decision, Vec<u32>), String> {
        let unit: Unit = reader.next()?;
        self.note_loads(&unit, origin);
        let decision = steps::ask(&origin.2, reader, unit, self.find)
            .unwrap_or_else(|| Err(String::from("no step has this name")))?;
        Ok((decision, reader.next()?))
    }

    fn note_loads(&mut self, unit: &Unit, origin: &Origin) {
        let mut all = Vec::new();
        loads(&mut all, "workers", unit.workers.iter());
        loads(&mut all, "queues", unit.queues.iter());
        loads(&mut all, "executions", unit.executions());
        loads(&mut all, "runs", unit.runs.iter());
        loads(&mut all, "visits", unit.visits.iter());
        loads(&mut all, "schedules", unit.schedules.iter());
        loads(&mut all, "effects", unit.effects.iter());
        self.loaded.extend(all.into_iter().map(|(place, digest)| (place, digest, origin.clone())));
    }

    fn note_writes(&mut self, decision: &Decision) {
        let writes = &decision.writes;
        let mut all = Vec::new();
        written(&mut all, "workers", &writes.workers);
        written(&mut all, "queues", &writes.queues);
        written(&mut all, "executions", &writes.executions);
        written(&mut all, "runs", &writes.runs);
        written(&mut all, "visits", &writes.visits);
        written(&mut all, "schedules", &writes.schedules);
        written(&mut all, "effects", &writes.effects);
        for (place, digest) in all {
            self.written.entry(place).or_default().insert(digest);
        }
    }

    fn fault(&mut self, (journal, number, step): &Origin, what: String) {
        let (journal, step) = (journal.clone(), step.clone());
        self.findings.faults.push(Fault { journal, number: *number, step, what });
    }
}

fn loads<'r, R>(all: &mut Vec<(Place, u32)>, table: &'static str, rows: impl Iterator<Item = &'r R>)
where
    R: Row<Key: Serialize> + Serialize + 'r,
{
    all.extend(rows.map(|row| (place(table, row), digest::of(row))));
}

fn written<R>(all: &mut Vec<(Place, u32)>, table: &'static str, rows: &Changed<R>)
where
    R: Row<Key: Serialize> + Serialize,
{
    loads(all, table, rows.inserted.iter().chain(&rows.updated));
}

fn place<R: Row<Key: Serialize>>(table: &'static str, row: &R) -> Place {
    let key = rmp_serde::to_vec(&row.key()).expect("a key can be written");
    (table, key, row.version().0)
}

fn outcomes(frames: &[&[u8]]) -> BTreeMap<u64, Outcome> {
    let settled = |frame: &&[u8]| match Reader::new(frame).next_borrowed() {
        Ok(Head::Settled { number, outcome }) => Some((number, outcome)),
        _ => None,
    };
    frames.iter().filter_map(settled).collect()
}

/// Where the first difference is.
fn unlike(decision: &Decision, again: &[u32], recorded: &[u32]) -> String {
    let at = again.iter().zip(recorded).position(|(a, b)| a != b).unwrap_or(recorded.len());
    let writes = &decision.writes;
    format!(
        "the core decides otherwise now, first at digest {at} of {} then and {} now: {} executions, \
         {} queues, {} workers, {} runs, {} visits, {} effects and {} messages now",
        recorded.len(),
        again.len(),
        writes.executions.inserted.len() + writes.executions.updated.len(),
        writes.queues.inserted.len() + writes.queues.updated.len(),
        writes.workers.inserted.len() + writes.workers.updated.len(),
        writes.runs.inserted.len() + writes.runs.updated.len(),
        writes.visits.inserted.len() + writes.visits.updated.len(),
        writes.effects.inserted.len() + writes.effects.updated.len(),
        decision.messages.len(),
    )
}

/// The next whole frame.
fn next_frame<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<LENGTH>()?;
    let (frame, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some(frame)
}

/// Reads one value after the other.
pub(super) struct Reader<'b>(rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'b, [u8]>>);

impl<'b> Reader<'b> {
    fn new(frame: &'b [u8]) -> Self {
        Self(rmp_serde::Deserializer::from_read_ref(frame))
    }

    /// The next value.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        T::deserialize(&mut self.0).map_err(|error| format!("it cannot be read: {error}"))
    }

    fn next_borrowed<T: Deserialize<'b>>(&mut self) -> Result<T, String> {
        T::deserialize(&mut self.0).map_err(|error| format!("it cannot be read: {error}"))
    }
}
