//! What a run is judged by: the laws of the engine, and those that any story must keep.

use std::fmt;

use steadfast_core::catalogue::LawId;

use crate::Event;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// A law of the engine.
    Engine(LawId),
    /// A law of the simulated world.
    World(WorldLaw),
}

/// What a story must keep, whatever it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorldLaw {
    /// What a story waits for comes to pass before its deadline.
    ComesToPass,
    /// What a story expects at its end is so.
    AsTold,
    /// A run ends within its limits.
    Finishes,
    /// Nothing panics.
    NoPanic,
    /// Killed is dead.
    NothingOutlivesTheWorld,
    /// A case means something in this version.
    CaseMatches,
    /// No service writes a row that a store refuses as impossible.
    RowsAreSound,
}

impl WorldLaw {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::ComesToPass,
        Self::AsTold,
        Self::Finishes,
        Self::NoPanic,
        Self::NothingOutlivesTheWorld,
        Self::CaseMatches,
        Self::RowsAreSound,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::ComesToPass => "comes_to_pass",
            Self::AsTold => "as_told",
            Self::Finishes => "finishes",
            Self::NoPanic => "no_panic",
            Self::NothingOutlivesTheWorld => "nothing_outlives_the_world",
            Self::CaseMatches => "case_matches",
            Self::RowsAreSound => "rows_are_sound",
        }
    }

    const fn statement(self) -> &'static str {
        match self {
            Self::ComesToPass => "what a story waits for comes to pass before its deadline",
            Self::AsTold => "what a story expects at its end is so",
            Self::Finishes => {
                "a run ends within its limits of simulated time, events and wall time"
            }
            Self::NoPanic => "nothing panics",
            Self::NothingOutlivesTheWorld => {
                "when every node is killed, no process of any node is left"
            }
            Self::CaseMatches => "every point that a case speaks of is reached",
            Self::RowsAreSound => "no service writes a row that a store refuses as impossible",
        }
    }
}

impl From<LawId> for Law {
    fn from(id: LawId) -> Self {
        Self::Engine(id)
    }
}

impl From<WorldLaw> for Law {
    fn from(law: WorldLaw) -> Self {
        Self::World(law)
    }
}

impl Law {
    /// Every law.
    pub fn all() -> impl Iterator<Item = Self> {
        let engine = LawId::ALL.iter().map(|id| Self::Engine(*id));
        engine.chain(WorldLaw::ALL.iter().map(|law| Self::World(*law)))
    }

    /// A sentence in `snake_case`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine(id) => id.name(),
            Self::World(law) => law.name(),
        }
    }

    /// What must hold, as prose.
    #[must_use]
    pub fn statement(self) -> &'static str {
        match self {
            Self::Engine(id) => id.law().statement,
            Self::World(law) => law.statement(),
        }
    }

    /// Its code in the catalogue, if it has one.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Engine(id) => Some(id.code()),
            Self::World(_) => None,
        }
    }

    /// The law called `name`, or with this code.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|law| law.name() == name || law.code() == Some(name))
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "{code} {}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

/// Watches one law over the events of one run.
///
/// `step` sees every event, at once after it was written; the first `Err` ends the run and says
/// what happened. `end` is asked once, when the story is over and every node is still up.
pub trait Checker: Send {
    /// The law that is watched.
    fn law(&self) -> Law;

    /// Judges one event.
    ///
    /// # Errors
    /// What happened instead, as a sentence, when the law fell.
    fn step(&mut self, event: &Event) -> Result<(), String>;

    /// Judges the whole.
    ///
    /// # Errors
    /// What is missing, as a sentence, when the law fell.
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
}
