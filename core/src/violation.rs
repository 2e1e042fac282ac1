//! A broken law, as the checkers report it.

use alloc::string::String;

use crate::catalogue::LawId;

/// What was seen instead of what a law demands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {law}: {what}", law.code())]
pub struct Violation {
    /// The law.
    pub law: LawId,
    /// What happened, with the identities concerned.
    pub what: String,
}

impl Violation {
    /// `what` breaks `law`.
    #[must_use]
    pub fn new(law: LawId, what: impl Into<String>) -> Self {
        Self { law, what: what.into() }
    }
}

/// Ends a checker with a violation of `$law` unless `$holds`.
macro_rules! demand {
    ($holds:expr, $law:ident, $($what:tt)+) => {
        if !$holds {
            return Err($crate::violation::Violation::new(
                $crate::catalogue::LawId::$law,
                alloc::format!($($what)+),
            ));
        }
    };
}
pub(crate) use demand;
