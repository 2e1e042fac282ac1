//! The same random history on one broker and on another: messages are published, received, settled,
//! put off, parked, or kept until their consumer is gone. What becomes of a message at its nth
//! delivery follows from the seed, so it is the same whoever delivers it, and in whatever order.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::Span;
use steadfast_core::decision::{Message, Settle};
use steadfast_services::port::{Broker, Subscription, Topic};

use crate::broker::{advance, publish, subscribe};
use crate::stage::timeout;

/// How long nothing has to come until what is kept is let go.
const QUIET: Duration = Duration::from_millis(60);
/// How often nothing may come in a row until the rest counts as lost.
const SILENCE: u32 = 50;

/// What is done with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acked,
    Parked,
    Delayed,
    Kept,
}

/// A number that follows from two others (the end of SplitMix64).
fn mix(one: u64, other: u64) -> u64 {
    let mut z = one.wrapping_add(other.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn fate(seed: u64, message: u64, nth: u32) -> Fate {
    match mix(mix(seed, message), nth.into()) % 20 {
        _ if nth > 3 => Fate::Acked,
        0 => Fate::Parked,
        1 | 2 => Fate::Delayed,
        3 | 4 => Fate::Kept,
        _ => Fate::Acked,
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Story {
    deliveries: u32,
    was_parked: bool,
    is_over: bool,
}

/// What became of all, and how many calls that took, one for each message.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    stories: BTreeMap<u64, Story>,
    pub(crate) operations: usize,
}

impl Summary {
    /// Where the two differ. A broker that restarts nothing delivers nothing without need.
    pub(crate) fn compare(&self, other: &Self) -> Result<(), String> {
        for (message, story) in &self.stories {
            let another = other.stories.get(message);
            if another != Some(story) {
                return Err(format!("message {message}: {story:?} here, {another:?} there"));
            }
        }
        if other.stories.len() == self.stories.len() {
            return Ok(());
        }
        Err(format!("{} messages here, {} there", self.stories.len(), other.stories.len()))
    }
}

/// Publishes so many messages and sees to it that all come to their end.
pub(crate) async fn perform<B: Broker>(broker: &B, seed: u64, count: u64) -> Summary {
    let mut summary = Summary::default();
    let (mut published, mut turn, mut silence) = (0, 0, 0);
    let mut consumers: [Option<B::Subscription>; 2] = [None, None];
    while silence < SILENCE && (published < count || summary.stories.values().any(|s| !s.is_over)) {
        turn += 1;
        let draw = mix(seed, turn);
        if published < count && draw.is_multiple_of(2) {
            let some = (draw >> 8) % 20 + 1;
            let all = published..(published + some).min(count);
            summary.operations += usize::try_from(all.end - all.start).expect("they are few");
            published = all.end;
            summary.stories.extend(all.clone().map(|message| (message, Story::default())));
            publish(broker, all.map(advance)).await;
        }
        let nth = usize::from((draw >> 16) & 1 == 1);
        if (draw >> 20).is_multiple_of(40) {
            consumers[nth] = None;
        }
        if consumers[nth].is_none() {
            consumers[nth] = Some(subscribe(broker, Topic::Advance).await);
        }
        let Some(consumer) = &mut consumers[nth] else { continue };
        let most = usize::try_from((draw >> 32) % 16 + 1).expect("it is small");
        match timeout(QUIET, consumer.receive(most)).await {
            Ok(deliveries) => {
                silence = 0;
                let deliveries = deliveries.expect("receiving works");
                let mut receipts = Vec::new();
                for delivery in deliveries {
                    let Message::Advance(execution) = delivery.message else { continue };
                    summary.operations += 2;
                    let story = summary.stories.entry(execution.0).or_default();
                    story.deliveries += 1;
                    let is_flagged = delivery.redelivered || story.deliveries == 1;
                    assert!(is_flagged, "{execution} comes again and does not say so");
                    assert!(!story.is_over, "{execution} comes after its end");
                    let settle = match fate(seed, execution.0, story.deliveries) {
                        Fate::Kept => continue,
                        Fate::Delayed => Settle::Delay(Span::from_millis(4)),
                        Fate::Parked => Settle::Park("odd".into()),
                        Fate::Acked => Settle::Ack,
                    };
                    story.was_parked = matches!(settle, Settle::Park(_));
                    story.is_over = !matches!(settle, Settle::Delay(_));
                    receipts.push((delivery.receipt, settle));
                }
                consumer.settle(receipts).await.expect("settling works");
            }
            // What is kept is let go.
            Err(_) => {
                silence += 1;
                consumers = [None, None];
            }
        }
    }
    summary
}
