//! The in-process broker: who gets which hint, and which come again.

use std::time::Duration;

use steadfast_core::decision::{Message, Settle};
use steadfast_core::{
    ExecutionId, FencingToken, Incarnation, Span, Status, Timestamp, Transport, WorkerId,
};
use steadfast_embedded::{InprocBroker, InprocSubscription};
use steadfast_services::port::{Broker, Committed, Delivery, Subscription, Topic};

async fn publish(broker: &InprocBroker, messages: impl IntoIterator<Item = Message>) {
    let committed = Committed::by_store(Timestamp::ZERO);
    broker.publish(&committed, messages.into_iter().collect()).await.expect("it is taken");
}

async fn subscribe(broker: &InprocBroker, topic: Topic) -> InprocSubscription {
    broker.subscribe(topic).await.expect("one can subscribe")
}

async fn receive(subscription: &mut InprocSubscription, max: usize) -> Vec<Delivery> {
    let received = tokio::time::timeout(Duration::from_secs(5), subscription.receive(max));
    received.await.expect("something comes").expect("receiving works")
}

async fn is_idle(subscription: &mut InprocSubscription) -> bool {
    tokio::time::timeout(Duration::from_millis(30), subscription.receive(9)).await.is_err()
}

async fn settle_all(subscription: &mut InprocSubscription, all: Vec<Delivery>, how: &Settle) {
    let receipts = all.into_iter().map(|delivery| (delivery.receipt, how.clone()));
    subscription.settle(receipts.collect()).await.expect("it can be settled");
}

fn advance(id: u64) -> Message {
    Message::Advance(ExecutionId(id))
}

fn seen(deliveries: &[Delivery]) -> Vec<(Message, bool)> {
    deliveries.iter().map(|d| (d.message.clone(), d.redelivered)).collect()
}

#[tokio::test(start_paused = true)]
async fn competing_consumers_share_and_broadcast_consumers_each_get_all() {
    let broker = InprocBroker::new();
    publish(&broker, (0..4).map(advance)).await;
    let mut one = subscribe(&broker, Topic::Advance).await;
    let mut two = subscribe(&broker, Topic::Advance).await;
    assert_eq!(seen(&receive(&mut one, 3).await).len(), 3, "published before, kept till now");
    assert_eq!(seen(&receive(&mut two, 3).await), [(advance(3), false)]);
    assert!(is_idle(&mut one).await);

    let ready =
        |runtime: &str| Message::Ready { runtime: runtime.into(), transport: Transport::Embedded };
    let mut shell = subscribe(&broker, Topic::Ready(vec!["shell".into()])).await;
    let mut both = subscribe(&broker, Topic::Ready(vec!["shell".into(), "perl".into()])).await;
    publish(&broker, [ready("shell"), ready("perl"), ready("ruby")]).await;
    assert_eq!(seen(&receive(&mut shell, 9).await), [(ready("shell"), false)]);
    assert_eq!(receive(&mut both, 9).await.len(), 2);

    let ended = Message::Ended { execution: ExecutionId(1), status: Status::Completed };
    publish(&broker, [ended.clone()]).await;
    let mut late = subscribe(&broker, Topic::Ended).await;
    assert!(is_idle(&mut late).await, "a broadcast is for those who listen");
    publish(&broker, [ended.clone()]).await;
    assert_eq!(seen(&receive(&mut late, 9).await), [(ended, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_gets_its_own() {
    let broker = InprocBroker::new();
    let me = WorkerId { name: "w".into(), incarnation: Incarnation(2) };
    let former = WorkerId { name: "w".into(), incarnation: Incarnation(1) };
    let stop = |worker: &WorkerId| Message::Stop {
        worker: worker.clone(),
        execution: ExecutionId(1),
        token: FencingToken(1),
    };
    let mut mine = subscribe(&broker, Topic::Worker(me.clone())).await;
    publish(&broker, [stop(&former), stop(&me)]).await;
    assert_eq!(seen(&receive(&mut mine, 9).await), [(stop(&me), false)]);
    assert_eq!(broker.lost(), 1, "nobody listens for the former one");
}

#[tokio::test(start_paused = true)]
async fn equal_hints_that_wait_are_one_but_one_that_was_taken_comes_anew() {
    let broker = InprocBroker::new();
    let mut subscription = subscribe(&broker, Topic::Advance).await;
    publish(&broker, (0..10_000).map(|n| advance(n % 2))).await;
    let first = receive(&mut subscription, 10).await;
    assert_eq!(seen(&first), [(advance(0), false), (advance(1), false)]);
    publish(&broker, [advance(0)]).await;
    assert_eq!(seen(&receive(&mut subscription, 10).await), [(advance(0), false)]);
    settle_all(&mut subscription, first, &Settle::Ack).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_gone_consumer_did_not_settle_comes_again_first() {
    let broker = InprocBroker::new();
    let mut first = subscribe(&broker, Topic::Admit).await;
    let admit = |key: &str| Message::Admit(key.into());
    publish(&broker, ["a", "b", "c", "d"].map(admit)).await;
    let mut taken = receive(&mut first, 3).await;
    settle_all(&mut first, vec![taken.remove(1)], &Settle::Ack).await;
    publish(&broker, [admit("c")]).await;
    drop(first);
    let mut second = subscribe(&broker, Topic::Admit).await;
    let again = receive(&mut second, 9).await;
    assert_eq!(seen(&again), [(admit("a"), true), (admit("c"), true), (admit("d"), false)]);
    settle_all(&mut second, again, &Settle::Ack).await;
    assert!(is_idle(&mut second).await);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_hint_comes_again_when_its_time_has_come() {
    let broker = InprocBroker::new();
    let mut subscription = subscribe(&broker, Topic::Advance).await;
    publish(&broker, [advance(1)]).await;
    let taken = receive(&mut subscription, 1).await;
    settle_all(&mut subscription, taken, &Settle::Delay(Span::from_millis(80))).await;
    assert!(is_idle(&mut subscription).await);
    // It belongs to the topic, not to who delayed it.
    drop(subscription);
    let mut other = subscribe(&broker, Topic::Advance).await;
    assert_eq!(seen(&receive(&mut other, 9).await), [(advance(1), true)]);
}

#[tokio::test(start_paused = true)]
async fn a_parked_hint_is_kept_with_its_reason() {
    let broker = InprocBroker::new();
    let mut subscription = subscribe(&broker, Topic::Advance).await;
    publish(&broker, [advance(1)]).await;
    let taken = receive(&mut subscription, 1).await;
    settle_all(&mut subscription, taken, &Settle::Park("odd".into())).await;
    let parked = broker.parked();
    assert_eq!((&parked[0].message, parked[0].reason.as_str()), (&advance(1), "odd"));
    assert!(is_idle(&mut subscription).await);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_drops_and_counts() {
    let broker = InprocBroker::new();
    publish(&broker, (0..10_005).map(advance)).await;
    assert_eq!(broker.lost(), 5);
    let mut subscription = subscribe(&broker, Topic::Advance).await;
    assert_eq!(receive(&mut subscription, 20_000).await.len(), 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_concurrency_every_hint_reaches_exactly_one_consumer() {
    let broker = InprocBroker::new();
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut subscription = subscribe(&broker, Topic::Advance).await;
        let sender = sender.clone();
        tasks.spawn(async move {
            loop {
                // Given up again and again: a message that was not returned is not lost.
                let patience = Duration::from_micros(50);
                let batch = tokio::time::timeout(patience, subscription.receive(7)).await;
                let Ok(batch) = batch else { continue };
                for delivery in batch.expect("receiving works") {
                    sender.send(delivery.message).expect("the test listens");
                    let receipt = vec![(delivery.receipt, Settle::Ack)];
                    subscription.settle(receipt).await.expect("it can be settled");
                }
            }
        });
    }
    for n in 0..5_000 {
        publish(&broker, [advance(n)]).await;
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut all = Vec::new();
    for _ in 0..5_000 {
        let next = tokio::time::timeout(Duration::from_secs(10), received.recv()).await;
        all.push(next.expect("all arrive").expect("consumers live"));
    }
    tasks.shutdown().await;
    all.sort();
    assert_eq!(all, (0..5_000).map(advance).collect::<Vec<_>>());
}
