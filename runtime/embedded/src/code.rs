//! The closed vocabularies as the small integers that the tables hold. `migrations` has the same
//! lists for whoever looks at the file with other tools; a test compares them.

use steadfast_core::effect::{EffectKind, EffectState, Trigger};
use steadfast_core::execution::Cause;
use steadfast_core::schedule::ScheduleState;
use steadfast_core::worker::WorkerState;
use steadfast_core::workflow::VisitState;
use steadfast_core::{Status, Transport};

/// A closed vocabulary: each word's integer is its place in the list.
pub(crate) trait Code: Copy + PartialEq + Sized + 'static {
    /// What it is a vocabulary of, for messages.
    const NAME: &'static str;
    /// All words. Only ever appended to: the places are in files.
    const ALL: &'static [Self];

    /// The integer.
    fn code(self) -> u64 {
        Self::ALL.iter().position(|word| *word == self).map_or(u64::MAX, |place| place as u64)
    }

    /// The word.
    fn of_code(code: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

impl Code for Status {
    const NAME: &'static str = "status";
    const ALL: &'static [Self] = &Self::ALL;
}

impl Code for Cause {
    const NAME: &'static str = "cause";
    const ALL: &'static [Self] = &[
        Self::QueueTimeout,
        Self::Unschedulable,
        Self::WorkerLost,
        Self::OfferExpired,
        Self::RunTimeout,
        Self::Cancelled,
        Self::Refused,
    ];
}

impl Code for Transport {
    const NAME: &'static str = "transport";
    const ALL: &'static [Self] = &Self::ALL;
}

impl Code for WorkerState {
    const NAME: &'static str = "worker state";
    const ALL: &'static [Self] =
        &[Self::Active, Self::Suspect, Self::Dead, Self::Draining, Self::Gone];
}

impl Code for VisitState {
    const NAME: &'static str = "visit state";
    const ALL: &'static [Self] = &[Self::Waiting, Self::Running, Self::Ended];
}

impl Code for ScheduleState {
    const NAME: &'static str = "schedule state";
    const ALL: &'static [Self] = &[Self::Active, Self::Paused, Self::Finished, Self::Removed];
}

impl Code for EffectKind {
    const NAME: &'static str = "effect kind";
    const ALL: &'static [Self] = Self::ALL;
}

impl Code for Trigger {
    const NAME: &'static str = "effect trigger";
    const ALL: &'static [Self] = Self::ALL;
}

impl Code for EffectState {
    const NAME: &'static str = "effect state";
    const ALL: &'static [Self] = Self::ALL;
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIGRATION: &str = include_str!("../migrations/0001_tables.sql");

    #[test]
    fn the_ranges_in_the_schema_are_the_core_s() {
        for status in <Status as Code>::ALL {
            let code = status.code();
            assert_eq!(status.holds_slot(), (2..=5).contains(&code), "{status}");
            assert_eq!(status.has_live_attempt(), (3..=5).contains(&code), "{status}");
            assert_eq!(status.is_terminal(), code >= 7, "{status}");
            assert!(MIGRATION.contains(&format!("({code}, '{status}')")), "{status}");
        }
        assert_eq!(Status::Requested.code(), 0);
        assert_eq!(Status::Queued.code(), 1);
        assert_eq!(Status::Ready.code(), 2);
        assert_eq!(Status::Backoff.code(), 6);
    }

    #[test]
    fn worker_states_have_their_wire_names_in_the_schema() {
        for state in WorkerState::ALL {
            let name = serde_json::to_string(state).expect("a state is JSON").replace('"', "'");
            assert!(MIGRATION.contains(&format!("({}, {name})", state.code())), "{name}");
        }
        assert_eq!(WorkerState::Dead.code(), 2);
        assert_eq!(WorkerState::Gone.code(), 4);
    }

    #[test]
    fn the_words_of_effects_are_the_core_s() {
        const MIGRATION: &str = include_str!("../migrations/0003_effects.sql");
        fn check<T: Code + core::fmt::Display>(column: &str) {
            let words = T::ALL.iter().map(|word| format!("{} {word}", word.code()));
            let list = format!("{column}: {}.", words.collect::<Vec<_>>().join(", "));
            assert!(MIGRATION.contains(&list), "{list}");
        }
        check::<EffectKind>("kind");
        check::<Trigger>("fires");
        check::<EffectState>("state");
        for state in <EffectState as Code>::ALL {
            assert_eq!(state.is_over(), state.code() >= 2, "{state}");
        }
    }

    #[test]
    fn words_come_back() {
        fn check<T: Code + core::fmt::Debug>() {
            for word in T::ALL {
                assert_eq!(T::of_code(word.code()), Some(*word));
            }
            assert_eq!(T::of_code(T::ALL.len() as u64), None);
        }
        check::<Status>();
        check::<Cause>();
        check::<Transport>();
        check::<WorkerState>();
        check::<VisitState>();
        check::<ScheduleState>();
        check::<EffectKind>();
        check::<Trigger>();
        check::<EffectState>();
    }
}
