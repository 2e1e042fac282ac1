//! Where each planted bug shows: in the swarm, unless a sharper scenario is named here.

use crate::Scenario;

/// Where a bug is hunted that nothing is said about.
const SWARM: &str = "swarm";

/// The bugs for which the swarm takes too many seeds, and where they show sooner.
pub const GROUNDS: &[(&str, &str)] = &[];

/// One quick catch for each law that can be broken today.
pub const SHARP: &[&str] = &[];

/// The scenario in which a planted bug is hunted.
///
/// # Panics
/// If the table names a scenario that there is not; a test looks.
#[must_use]
pub fn ground_of(mutant: &str) -> &'static Scenario {
    let named = GROUNDS.iter().find(|(name, _)| *name == mutant);
    let name = named.map_or(SWARM, |(_, scenario)| scenario);
    Scenario::named(name).unwrap_or_else(|| panic!("no scenario is called {name}"))
}
