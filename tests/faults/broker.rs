//! What must be so of messages when something breaks between a broker and its clients, whatever
//! breaks it and whether it is real.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use steadfast_core::Timestamp;
use steadfast_core::decision::{Message, Settle};
use steadfast_services::port::{Broker, Committed, Subscription, Topic};

use crate::broker::{advance, publish, receive, seen, subscribe};
use crate::stage::{sleep, timeout};

/// How it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The consumer's channel closes.
    ChannelCloses,
    /// Every connection closes.
    ConnectionsClose,
    /// The broker goes away and comes back.
    Restarts,
    /// The queue is deleted, and its consumers are cancelled.
    QueueDeleted,
}

const BLOWS: [Blow; 4] =
    [Blow::ChannelCloses, Blow::ConnectionsClose, Blow::Restarts, Blow::QueueDeleted];

/// A broker that can be broken.
pub(crate) trait Breakable: Sync {
    /// The broker.
    type Broker: Broker;

    fn broker(&self) -> &Self::Broker;

    /// Lets this happen. Whether it is possible here.
    fn strike(&self, blow: Blow) -> impl Future<Output = bool> + Send;

    /// The next publish is done, and nobody hears of it. Whether that is possible here.
    fn lose_a_confirm(&self) -> impl Future<Output = bool> + Send;
}

/// Subscribes as soon as that is possible.
async fn subscribe_again<B: Broker>(broker: &B) -> B::Subscription {
    for _ in 0..600 {
        if let Ok(subscription) = broker.subscribe(Topic::Advance).await {
            return subscription;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody can subscribe any more");
}

/// Publishes until it is confirmed; answers with how often that took.
async fn publish_for_certain<B: Broker>(broker: &B, message: Message) -> u32 {
    let after = Committed::by_store(Timestamp::from_micros(7));
    for tries in 1..600 {
        if broker.publish(&after, vec![message.clone()]).await.is_ok() {
            return tries;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody can publish any more");
}

/// Receives until this message comes; a subscription that has ended is replaced. Answers with what
/// came before it.
async fn until_it_comes<B: Broker>(
    broker: &B,
    subscription: &mut B::Subscription,
    wanted: &Message,
) -> Vec<(Message, bool)> {
    let mut before = Vec::new();
    loop {
        let received = timeout(Duration::from_secs(60), subscription.receive(1)).await;
        let Ok(some) = received.expect("it comes") else {
            *subscription = subscribe_again(broker).await;
            continue;
        };
        let what = seen(&some);
        let receipts = some.into_iter().map(|delivery| (delivery.receipt, Settle::Ack));
        // Where that is not heard it comes again, which whoever counts has to allow for.
        let _heard = subscription.settle(receipts.collect()).await;
        if what.iter().any(|(message, _)| message == wanted) {
            return before;
        }
        before.extend(what);
    }
}

/// Breaks it in every way. Answers with how many of these there were.
pub(crate) async fn what_was_not_settled_comes_again_whatever_breaks<B: Breakable>(of: B) -> usize {
    let (broker, mut tried) = (of.broker(), 0);
    for (round, blow) in BLOWS.into_iter().enumerate() {
        let first = round as u64 * 100;
        let mut consumer = subscribe(broker, Topic::Advance).await;
        publish(broker, (first..first + 5).map(advance)).await;
        let mut taken = receive(&mut consumer, 5).await;
        let unsettled: BTreeSet<Message> = taken[2..].iter().map(|d| d.message.clone()).collect();
        let done = taken.drain(..2).map(|delivery| (delivery.receipt, Settle::Ack)).collect();
        consumer.settle(done).await.expect("it is heard");
        if !of.strike(blow).await {
            let rest = taken.into_iter().map(|delivery| (delivery.receipt, Settle::Ack));
            consumer.settle(rest.collect()).await.expect("it is heard");
            continue;
        }
        tried += 1;
        // Whatever is said of it now, or not: what was not settled before comes again, with a flag.
        let last = advance(first + 50);
        publish_for_certain(broker, last.clone()).await;
        let came = until_it_comes(broker, &mut consumer, &last).await;
        let flagged: BTreeSet<Message> =
            came.iter().filter(|(_, again)| *again).map(|(message, _)| message.clone()).collect();
        let known: BTreeSet<Message> = (first..first + 5).map(advance).collect();
        assert!(came.iter().all(|(message, _)| known.contains(message)), "{blow:?}: {came:?}");
        if blow != Blow::QueueDeleted {
            assert!(flagged.is_superset(&unsettled), "{blow:?}: {came:?}");
        }
    }
    tried
}

/// A publish of which nothing is heard is said to have failed, and may have been done.
pub(crate) async fn a_publish_without_a_confirm_has_failed_and_may_arrive<B: Breakable>(of: B) {
    let broker = of.broker();
    let mut consumer = subscribe(broker, Topic::Advance).await;
    if of.lose_a_confirm().await {
        assert!(publish_for_certain(broker, advance(1)).await > 1, "the confirm was not lost");
    }
    publish_for_certain(broker, advance(2)).await;
    let before = until_it_comes(broker, &mut consumer, &advance(2)).await;
    assert!(!before.is_empty(), "what was confirmed at last is there");
    assert!(before.iter().all(|(message, _)| *message == advance(1)), "{before:?}");
}
