//! Bugs planted on purpose, to prove that a law sees.

/// A bug that the simulated world has when it is asked to, and that one law must catch.
#[derive(Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// The law that falls when it is planted.
    pub law: &'static str,
    /// A scenario in which it shows.
    pub scenario: &'static str,
}

impl Mutant {
    /// A compare-and-set that does not compare: it writes over whatever is there.
    pub const BLIND_WRITE: Self =
        Self { name: "blind_write", law: "one_winner_per_token", scenario: "claim_race" };
}

/// Every planted bug.
pub static MUTANTS: &[Mutant] = &[Mutant::BLIND_WRITE];
