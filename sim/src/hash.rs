//! The hash that two runs of one seed must agree on.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::Event;

/// 128 bits that stand for a whole event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A hash of some bytes, for people to compare.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    let mut hash = SipHasher13::new();
    hash.write(bytes);
    hash.finish()
}

/// SipHash-1-3 with 128 bits of output and a key of zeros, over the events in order.
///
/// Each event is written as index, time in nanoseconds, node, length of the kind's name, the
/// name, and the payload; numbers are 8 bytes, little-endian. Nothing that a compiler or a
/// machine may choose (addresses, `Debug` text, native byte order) takes part.
#[derive(Debug, Clone)]
pub(crate) struct RollingHash(SipHasher13);

impl RollingHash {
    pub(crate) fn new() -> Self {
        Self(SipHasher13::new())
    }

    pub(crate) fn add(&mut self, event: &Event) {
        let name = event.kind.name.as_bytes();
        let head = [event.index, event.at.as_nanos(), event.node.into(), name.len() as u64];
        // In three pieces: many small ones take twice the time.
        self.0.write(head.map(u64::to_le_bytes).as_flattened());
        self.0.write(name);
        self.0.write(event.payload.map(u64::to_le_bytes).as_flattened());
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest(self.0.finish128().as_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Node, SimTime};

    static SAID: Kind = Kind::new("said", &["word"]);
    static MEANT: Kind = Kind::new("meant", &["word"]);

    fn event() -> Event {
        let at = SimTime::from_nanos(5);
        Event { index: 0, at, node: Node(1), kind: &SAID, payload: [9, 0, 0] }
    }

    fn digest(events: &[Event]) -> Digest {
        let mut hash = RollingHash::new();
        events.iter().for_each(|event| hash.add(event));
        hash.digest()
    }

    #[test]
    fn every_part_of_an_event_counts() {
        let same = digest(&[event()]);
        let others = [
            Event { index: 1, ..event() },
            Event { at: SimTime::from_nanos(6), ..event() },
            Event { node: Node(2), ..event() },
            Event { kind: &MEANT, ..event() },
            Event { payload: [9, 0, 1], ..event() },
        ];
        assert_eq!(same, digest(&[event()]));
        for other in others {
            assert_ne!(same, digest(&[other]), "{other:?}");
        }
        assert_ne!(same, digest(&[event(), event()]), "length");
        assert_ne!(same, digest(&[]), "emptiness");
    }

    #[test]
    fn order_counts() {
        let (first, second) = (event(), Event { payload: [8, 0, 0], ..event() });
        assert_ne!(digest(&[first, second]), digest(&[second, first]));
    }

    /// Hashes are compared between machines and builds; this one was computed
    /// by an implementation other than ours.
    #[test]
    fn the_encoding_is_pinned() {
        assert_eq!(digest(&[event()]).to_string(), "50de20ab13ed247c774be757ed36e678");
    }
}
