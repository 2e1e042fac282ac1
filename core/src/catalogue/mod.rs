//! The catalogue: what the engine promises, what would break it, and how that is made impossible.
//!
//! - [`LAWS`]: the laws that every run is checked against, one for each [`LawId`];
//! - [`FAILURES`]: the known mechanisms of failure, each a short story that ends in a broken law;
//! - [`Rule`]: the design rules that take the possibility of such a story away;
//! - [`MUTANTS`]: the planted bugs that prove that a law is watched.
//!
//! It is data, and the only place where these things are named. Law tables, coverage tables and
//! `docs/catalogue.md` ([`render_catalogue`]) are made from it; a predicate, a scenario or a
//! report refers to an entry by its [`LawId`], its code or its name. Codes and names are stable:
//! an entry may be worded better, but is not renamed or numbered anew.

/// Defines a closed enum whose variants are codes, with the list of them and both conversions.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($code:ident)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "a code is explained by its entry in the catalogue")]
        pub enum $name {
            $($code,)+
        }

        impl $name {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];

            /// The code as it is written, for instance in documents and reports.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)+
                }
            }

            /// The entry with this code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.code() == code)
            }
        }

        impl core::fmt::Display for $name {
            /// Prints the name, which is a sentence in snake case.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

mod failure;
mod law;
mod liveness;
mod mutant;
mod render;
mod rule;
mod safety;

pub use failure::{Applies, FAILURES, Failure, Subject};
pub use law::{Kind, LAWS, Law, LawId, Scope};
pub use mutant::{Due, MUTANTS, Mutant};
pub use render::render_catalogue;
pub use rule::Rule;

/// Joins constant tables into one.
const fn joined<T: Copy, const N: usize>(parts: &[&[T]]) -> [T; N] {
    let mut all = [parts[0][0]; N];
    let (mut part, mut next) = (0, 0);
    while part < parts.len() {
        let mut entry = 0;
        while entry < parts[part].len() {
            all[next] = parts[part][entry];
            next += 1;
            entry += 1;
        }
        part += 1;
    }
    assert!(next == N, "the parts fill the table");
    all
}

#[cfg(test)]
mod tests;
