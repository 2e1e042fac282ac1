//! Named streams of chance from one seed.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// One stream of random numbers, for one concern of one run.
///
/// The generator is Xoshiro256++, started from the SplitMix64 sequence of (seed, stream name).
/// Ranges are cut here and not by a library, because a library may change how it does so, and
/// then every seed on record would mean something else.
#[derive(Debug, Clone)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream `name` of `seed`. The same pair gives the same numbers, always.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut state = seed;
        for byte in name.bytes() {
            state = split_mix(&mut state) ^ u64::from(byte);
        }
        let mut start = [0; 32];
        for word in start.chunks_exact_mut(8) {
            word.copy_from_slice(&split_mix(&mut state).to_le_bytes());
        }
        Self(Xoshiro256PlusPlus::from_seed(start))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`, or 0 when `limit` is 0. Always costs one draw.
    pub fn below(&mut self, limit: u64) -> u64 {
        scale(self.bits(), limit)
    }

    /// A number within `range`, both ends included.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        low + self.below((high - low).saturating_add(1))
    }

    /// Whether something that happens `times` in a thousand happens now.
    pub fn per_mille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }

    /// A duration within `range`, to the microsecond.
    pub fn duration(&mut self, range: RangeInclusive<Duration>) -> Duration {
        let (low, high) = range.into_inner();
        let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.within(micros(low)..=micros(high)))
    }
}

/// SplitMix64: moves `state` on and returns a well-mixed word.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    stir(*state)
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of the word.
pub(crate) const fn stir(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A number below `limit` from any word, or 0 when `limit` is 0: the high half of the product. Its
/// bias is limit / 2^64, which no run can notice.
pub(crate) const fn scale(word: u64, limit: u64) -> u64 {
    ((word as u128 * limit as u128) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_three(seed: u64, name: &str) -> [u64; 3] {
        let mut stream = Stream::new(seed, name);
        [stream.bits(), stream.bits(), stream.bits()]
    }

    #[test]
    fn a_stream_depends_on_its_seed_and_its_name() {
        assert_eq!(first_three(7, "faults"), first_three(7, "faults"));
        assert_ne!(first_three(7, "faults"), first_three(8, "faults"));
        assert_ne!(first_three(7, "faults"), first_three(7, "latency"));
        assert_ne!(first_three(0, ""), first_three(0, "a"));
    }

    /// Seeds on record must keep their meaning; a change here changes all of them.
    #[test]
    fn the_derivation_is_pinned() {
        let mut state = 1_234_567;
        assert_eq!(split_mix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(Stream::new(42, "faults").bits(), 10_582_535_542_364_821_385);
    }

    #[test]
    fn ranges_are_kept_and_both_ends_are_met() {
        let mut stream = Stream::new(1, "ranges");
        let drawn: Vec<u64> = (0..200).map(|_| stream.within(3..=5)).collect();
        assert!(drawn.iter().all(|n| (3..=5).contains(n)));
        assert!(drawn.contains(&3) && drawn.contains(&5));
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.within(9..=9), 9);
    }
}
