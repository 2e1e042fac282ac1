//! Closed vocabularies and transition tables: what every state machine here has in common.
//!
//! A machine's states are one enum with names that are stable in the store and on the wire, and
//! its arrows are one constant table. The machine asserts against the table, the documentation is
//! drawn from it and the tests walk it.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;

/// One arrow: from, to, and the verb written on it.
pub type Edge<S> = (S, S, &'static str);

/// A word that is not in a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a {vocabulary}")]
pub struct UnknownWord {
    /// What was expected.
    pub vocabulary: &'static str,
    /// What was found.
    pub word: String,
}

/// Whether `edges` has an arrow from `from` to `to`.
#[must_use]
pub fn may_become<S: PartialEq>(edges: &[Edge<S>], from: S, to: S) -> bool {
    edges.iter().any(|edge| edge.0 == from && edge.1 == to)
}

/// Whether no arrow leaves `state`.
#[must_use]
pub fn is_final<S: PartialEq>(edges: &[Edge<S>], state: S) -> bool {
    edges.iter().all(|edge| edge.0 != state)
}

/// A life cycle as a mermaid state diagram, for the documentation. `begin` is the first state and
/// the verb that leads to it.
#[must_use]
pub fn diagram<S: Copy + PartialEq + Display>(
    begin: (S, &str),
    states: &[S],
    edges: &[Edge<S>],
) -> String {
    let mut text = format!("stateDiagram-v2\n    [*] --> {}: {}\n", begin.0, begin.1);
    for (from, to, verb) in edges {
        text.push_str(&format!("    {from} --> {to}: {verb}\n"));
    }
    for state in states.iter().filter(|state| is_final(edges, **state)) {
        text.push_str(&format!("    {state} --> [*]\n"));
    }
    text
}

/// Looks `word` up in a vocabulary.
pub(crate) fn parse<S: Copy + Display>(
    vocabulary: &'static str,
    all: &[S],
    word: &str,
) -> Result<S, UnknownWord> {
    let known = all.iter().copied().find(|state| state.to_string() == word);
    known.ok_or_else(|| UnknownWord { vocabulary, word: word.to_string() })
}

/// Declares a closed vocabulary: an enum, the list of its words and both conversions.
macro_rules! words {
    (
        $(#[$meta:meta])* $name:ident is $vocabulary:literal {
            $($(#[$doc:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize,
            serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name on the wire and in the store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::table::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                $crate::table::parse($vocabulary, Self::ALL, word)
            }
        }
    };
}
pub(crate) use words;

/// What the tests of every machine ask of its table: each state can be reached from the first, no
/// arrow is drawn twice, every word parses back, and what is final is what the machine says.
#[cfg(test)]
pub(crate) fn check_table<S>(first: S, states: &[S], edges: &[Edge<S>], finals: &[S])
where
    S: Copy + PartialEq + Display + core::fmt::Debug + core::str::FromStr + serde::Serialize,
{
    for state in states.iter().copied() {
        let reached = edges.iter().any(|edge| edge.1 == state);
        assert!(reached || state == first, "{state} cannot be reached");
        assert_eq!(is_final(edges, state), finals.contains(&state), "{state}");
        assert_eq!(state.to_string().parse().ok(), Some(state));
        let json = serde_json::to_string(&state).expect("a state is JSON");
        assert_eq!(json, format!("\"{state}\""));
        for to in states.iter().copied() {
            let arrows = edges.iter().filter(|edge| (edge.0, edge.1) == (state, to)).count();
            assert!(arrows <= 1, "{state} -> {to}");
            assert_eq!(arrows == 1, may_become(edges, state, to));
        }
    }
    let drawn = diagram((first, "begin"), states, edges);
    assert_eq!(drawn.lines().count(), 2 + edges.len() + finals.len());
}
