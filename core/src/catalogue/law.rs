//! What a law is, and the closed list of them.

use super::joined;
use super::liveness::LIVENESS;
use super::safety::SAFETY;

codes! {
    /// A law. The order is that of the table: safety, then liveness.
    LawId {
        S1 S1p S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24
        S25 S26 S27 S28 S29 S30 S31
        L1 L2 L3 L4 L5 L6 L7 L8 L9 L10 L11 L12 L13 L14
    }
}

impl LawId {
    /// The law's entry.
    pub fn law(self) -> &'static Law {
        LAWS.get(self as usize).expect("the table has an entry for each id")
    }

    /// The law's stable name, in `[a-z0-9_]+`.
    pub fn name(self) -> &'static str {
        self.law().name
    }
}

/// A promise of the engine that every run is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// Which law this is.
    pub id: LawId,
    /// Its code, `S1` to `S31`, `S1p` and `L1` to `L14`.
    pub code: &'static str,
    /// Its stable name, in `[a-z0-9_]+`: a sentence in snake case.
    pub name: &'static str,
    /// What holds, precisely.
    pub statement: &'static str,
    /// Whether it forbids or demands.
    pub kind: Kind,
    /// The evidence that is needed to judge it.
    pub scope: Scope,
    /// What a user suffers when it breaks.
    pub why: &'static str,
    /// Names of the [`Mutant`](super::Mutant)s that are planted to break it.
    pub mutants: &'static [&'static str],
    /// Codes of the [`Failure`](super::Failure)s that it guards against.
    pub failures: &'static [&'static str],
}

impl Law {
    /// The law with this code.
    pub fn by_code(code: &str) -> Option<&'static Law> {
        LAWS.iter().find(|law| law.code == code)
    }

    /// The law with this name.
    pub fn by_name(name: &str) -> Option<&'static Law> {
        LAWS.iter().find(|law| law.name == name)
    }
}

/// Whether a law forbids or demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Something bad never happens. Judged after every step, under all faults.
    Safety,
    /// Something good happens in time. Judged after faults have stopped, while clocks run, every
    /// runtime has an eligible worker, and every action ends or is killed at its run deadline.
    Liveness,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Liveness => "liveness",
        }
    }
}

/// The evidence that is needed to judge a law in full, from little to much. More is always enough:
/// a law over one change can be judged from the log, a law over rows from a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The rows at one moment.
    Snapshot,
    /// One committed change: its input, the rows before and the rows after.
    Transition,
    /// The history of a run.
    Log,
    /// What rows cannot tell: which processes really run, and how much time has really passed.
    World,
}

impl Scope {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Transition => "transition",
            Self::Log => "log",
            Self::World => "world",
        }
    }
}

static TABLE: [Law; SAFETY.len() + LIVENESS.len()] = joined(&[SAFETY, LIVENESS]);

/// Every law, in the order of [`LawId`].
pub const LAWS: &[Law] = &TABLE;

const _: () = assert!(LAWS.len() == LawId::ALL.len(), "there is one law for each id");
const _: () = {
    let mut place = 0;
    while place < LAWS.len() {
        assert!(LAWS[place].id as usize == place, "the laws stand in the order of their ids");
        place += 1;
    }
};
