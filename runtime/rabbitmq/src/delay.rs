//! Queues in which messages wait until it is time for them to come again.
//!
//! All messages in such a queue wait equally long, so none stands behind one that waits longer. One
//! queue serves whatever queue its messages came from: they keep that queue's name as their routing
//! key, and the default exchange brings them back to it.

use steadfast_core::Span;

/// The longest delay: what should come later comes after a day and is put off again.
const LONGEST_MS: u64 = 24 * 3600 * 1000;

/// How long a message really waits for a delay of `span`, in milliseconds: never shorter, rounded up
/// to two digits so that there are few queues.
pub(crate) fn millis(span: Span) -> u64 {
    let millis = span.as_micros().div_ceil(1000).clamp(1, LONGEST_MS);
    let mut unit = 1;
    while millis / unit >= 100 {
        unit *= 10;
    }
    millis.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_are_rounded_up_to_two_digits() {
        let rounded = |ms| millis(Span::from_millis(ms));
        assert_eq!([0, 1, 99, 100, 101, 500, 999].map(rounded), [1, 1, 99, 100, 110, 500, 1000]);
        assert_eq!(millis(Span::from_micros(1_001)), 2);
        assert_eq!(millis(Span::MAX), 87_000_000);
    }

    proptest! {
        #[test]
        fn none_is_shorter_and_none_much_longer(asked in 1u64..LONGEST_MS) {
            let waits = millis(Span::from_millis(asked));
            prop_assert!(waits >= asked && waits <= asked + asked / 10 + 1);
        }
    }
}
