//! A run as one file that a browser shows.

use steadfast_sim::Outcome;

/// The page for one run of `scenario`.
#[must_use]
pub fn timeline(scenario: &str, outcome: &Outcome) -> String {
    format!("{scenario} {}", outcome.seed)
}
