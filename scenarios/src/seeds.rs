//! Which seeds to run.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The variable that widens what `cargo test` runs.
pub const SEEDS_VARIABLE: &str = "STEADFAST_SEEDS";

/// A range of seeds, written `A..B`; `B` is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(pub Range<u64>);

impl Seeds {
    /// What the environment asks for, if anything.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    #[expect(clippy::disallowed_methods, reason = "how a developer widens a test run")]
    pub fn from_environment() -> Result<Option<Self>, String> {
        match std::env::var(SEEDS_VARIABLE) {
            Ok(text) => {
                text.parse().map(Some).map_err(|wrong| format!("{SEEDS_VARIABLE}: {wrong}"))
            }
            Err(_) => Ok(None),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.end - self.0.start
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.start, self.0.end)
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (start, end) =
            text.split_once("..").ok_or_else(|| format!("`{text}` is not of the form A..B"))?;
        let (start, end) = (parse_seed(start)?, parse_seed(end)?);
        if start < end {
            Ok(Self(start..end))
        } else {
            Err(format!("`{text}` holds no seed: B is not in A..B"))
        }
    }
}

/// Reads one seed, decimal or hexadecimal after `0x`.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub fn parse_seed(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let number = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map_err(|_| format!("`{text}` is not a seed: a whole number from 0 to 2^64 - 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written() {
        assert_eq!("3..7".parse(), Ok(Seeds(3..7)));
        assert_eq!("0x10..0x20".parse(), Ok(Seeds(16..32)));
        assert_eq!(Seeds(3..7).to_string(), "3..7");
        assert_eq!(Seeds(3..7).count(), 4);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "5", "5..", "..5", "5..5", "6..5", "a..b", "-1..5", "0..0x1g"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }
}
