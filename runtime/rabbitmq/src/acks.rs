//! Which acknowledgements say that deliveries are done, in as few frames as possible.

use std::collections::BTreeMap;

/// One acknowledgement frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The delivery tag.
    pub(crate) tag: u64,
    /// Whether everything before it is meant as well.
    pub(crate) multiple: bool,
}

/// The deliveries of one channel that were not acknowledged, each with how many of its parts are not
/// done.
///
/// What the client library still holds is not in here. That does no harm: tags rise in the order of
/// delivery, so it comes after everything that an acknowledgement can mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outstanding(BTreeMap<u64, usize>);

impl Outstanding {
    /// A delivery has arrived.
    pub(crate) fn add(&mut self, tag: u64) {
        self.0.insert(tag, 1);
    }

    /// A part of a delivery turned out to be so many.
    pub(crate) fn split(&mut self, tag: u64, parts: usize) {
        if let Some(left) = self.0.get_mut(&tag) {
            *left = (*left + parts).saturating_sub(1);
        }
    }

    /// A part of each of these is done: removes those of which nothing is left, and says how to tell
    /// the broker. A run from the oldest on is one frame. Tags that are not outstanding are passed
    /// over, since to acknowledge one twice makes the broker close the channel.
    pub(crate) fn done(&mut self, tags: impl IntoIterator<Item = u64>) -> Vec<Ack> {
        for tag in tags {
            if let Some(left) = self.0.get_mut(&tag) {
                *left = left.saturating_sub(1);
            }
        }
        let run: Vec<u64> =
            self.0.iter().take_while(|(_, left)| **left == 0).map(|(tag, _)| *tag).collect();
        let mut acks = Vec::new();
        if let Some(&tag) = run.last() {
            acks.push(Ack { tag, multiple: run.len() > 1 });
        }
        for tag in run {
            self.0.remove(&tag);
        }
        acks.extend(
            self.0
                .extract_if(.., |_, left| *left == 0)
                .map(|(tag, _)| Ack { tag, multiple: false }),
        );
        acks
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_run_from_the_oldest_is_one_frame() {
        let mut outstanding = Outstanding((1..=6).map(|tag| (tag, 1)).collect());
        assert_eq!(outstanding.done([3]), [Ack { tag: 3, multiple: false }]);
        let acks = [Ack { tag: 4, multiple: true }, Ack { tag: 6, multiple: false }];
        assert_eq!(outstanding.done([6, 1, 4, 2]), acks);
        assert_eq!(outstanding.done([4, 9]), []);
        assert_eq!(outstanding.done([5]), [Ack { tag: 5, multiple: false }]);
    }

    #[test]
    fn a_delivery_is_done_when_all_its_parts_are() {
        let mut outstanding = Outstanding::default();
        (1..=3).for_each(|tag| outstanding.add(tag));
        outstanding.split(1, 3);
        assert_eq!(outstanding.done([1, 1, 2]), [Ack { tag: 2, multiple: false }]);
        assert_eq!(outstanding.done([1]), [Ack { tag: 1, multiple: false }]);
        assert_eq!(outstanding.done([1, 3]), [Ack { tag: 3, multiple: false }]);
    }

    proptest! {
        /// A broker that does as it is told settles exactly what was said to be done.
        #[test]
        fn the_broker_settles_just_what_is_done(
            rounds in prop::collection::vec(
                (0u64..8, prop::collection::vec(0u64..60, 0..12)), 1..12
            ),
        ) {
            let (mut outstanding, mut last) = (Outstanding::default(), 0);
            let (mut broker, mut wanted) = (BTreeSet::new(), BTreeSet::new());
            for (arrive, done) in rounds {
                for _ in 0..arrive {
                    last += 1;
                    outstanding.add(last);
                    broker.insert(last);
                    wanted.insert(last);
                }
                for ack in outstanding.done(done.clone()) {
                    prop_assert!(broker.contains(&ack.tag), "unknown delivery tag {}", ack.tag);
                    broker.retain(|&tag| tag != ack.tag && !(ack.multiple && tag < ack.tag));
                }
                wanted.retain(|tag| !done.contains(tag));
                prop_assert_eq!(&broker, &wanted);
            }
        }
    }
}
