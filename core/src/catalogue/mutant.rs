//! The planted bugs: each is a line of code made wrong on purpose, to prove that a law is watched.

mod later;
mod liveness;
mod safety;

use super::joined;
use super::law::LawId;
use later::LATER;
use liveness::LIVENESS;
use safety::SAFETY;

/// A planted bug. A simulation that runs with it must report a broken law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Stable name, in `[a-z0-9_]+`.
    pub name: &'static str,
    /// Which line of code is made wrong, and how.
    pub statement: &'static str,
    /// The law that the bug is planted to break.
    pub law: LawId,
    /// Further laws that the same bug may break; being caught by one of them counts as well.
    pub also: &'static [LawId],
    /// Whether there is a line of code yet that can be made wrong.
    pub due: Due,
}

/// When a bug can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Today: the line asks for it by name.
    Now,
    /// Once what it belongs to is built; this is what is missing.
    Later(&'static str),
}

impl Mutant {
    /// The mutant with this name.
    pub fn by_name(name: &str) -> Option<&'static Mutant> {
        MUTANTS.iter().find(|mutant| mutant.name == name)
    }

    /// Whether a violation of `law` counts as catching this mutant.
    pub fn is_caught_by(&self, law: LawId) -> bool {
        self.law == law || self.also.contains(&law)
    }

    /// Whether it can be planted today.
    pub const fn is_due(&self) -> bool {
        matches!(self.due, Due::Now)
    }
}

static TABLE: [Mutant; SAFETY.len() + LIVENESS.len() + LATER.len()] =
    joined(&[SAFETY, LIVENESS, LATER]);

/// Every planted bug: those that can be planted today in the order of the laws that they break,
/// then those that wait.
pub const MUTANTS: &[Mutant] = &TABLE;
