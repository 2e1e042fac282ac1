//! The laws, and the shape of what watches them.

mod one_winner_per_token;

pub use one_winner_per_token::OneWinnerPerToken;

use crate::Event;

/// What must hold, by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Law {
    /// A sentence in `snake_case`.
    pub name: &'static str,
    /// The same as prose.
    pub statement: &'static str,
}

/// Watches one law over the events of one run.
///
/// `step` sees every event, at once after it was written; the first `Err` ends the run and says
/// what happened. `end` is asked once, when the story is over and every node is still up.
pub trait Checker: Send {
    /// The law that is watched.
    fn law(&self) -> &'static Law;

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

/// The laws by name.
pub mod laws {
    use super::Law;

    /// Watched by [`super::OneWinnerPerToken`].
    pub static ONE_WINNER_PER_TOKEN: Law = Law {
        name: "one_winner_per_token",
        statement: "each token is granted exactly once, tokens rise by one, and at most the \
                    node that was granted one is ever told that it won it",
    };
    /// Watched by `World::until`: what a story waits for comes to pass before its deadline.
    pub static COMES_TO_PASS: Law = Law {
        name: "comes_to_pass",
        statement: "what a story waits for comes to pass before its deadline",
    };
    /// Watched by the runner.
    pub static FINISHES: Law = Law {
        name: "finishes",
        statement: "a run ends within its limits of simulated time, events and wall time",
    };
    /// Watched by the runner.
    pub static NO_PANIC: Law = Law { name: "no_panic", statement: "nothing panics" };
    /// Watched by the runner.
    pub static NOTHING_OUTLIVES_THE_WORLD: Law = Law {
        name: "nothing_outlives_the_world",
        statement: "when every node is killed, no process of any node is left",
    };
}

/// Every law.
pub static LAWS: &[&Law] = &[
    &laws::ONE_WINNER_PER_TOKEN,
    &laws::COMES_TO_PASS,
    &laws::FINISHES,
    &laws::NO_PANIC,
    &laws::NOTHING_OUTLIVES_THE_WORLD,
];
