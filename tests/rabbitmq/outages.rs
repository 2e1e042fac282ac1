//! A broker that goes away, comes back, closes what is open, or has no memory left.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use steadfast_core::Timestamp;
use steadfast_core::decision::{Message, Settle};
use steadfast_rabbitmq::{Options, RabbitBroker, RabbitSubscription};
use steadfast_services::port::{Broker as _, Committed, StoreError, Subscription as _, Topic};

use crate::broker::{advance, is_idle, publish, receive, seen, settle, subscribe};
use crate::support::{channel, options, private, throw, until};

const ENOUGH: Duration = Duration::from_secs(60);

/// Publishes, and says whether the broker has it.
async fn is_published(broker: &RabbitBroker, message: Message) -> bool {
    let committed = Committed::by_store(Timestamp::ZERO);
    let began = Instant::now();
    let told = broker.publish(&committed, vec![message]).await;
    assert!(began.elapsed() < Duration::from_secs(8), "a publish is bounded");
    match told {
        Ok(_) => true,
        Err(StoreError::Unavailable(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

/// Consumes as the engine does: subscribes again after each error. Settles everything, and ends when
/// `last` was seen.
async fn consume(broker: RabbitBroker, last: u64) -> (BTreeSet<Message>, u32) {
    let (mut all, mut ended) = (BTreeSet::new(), 0);
    loop {
        let Ok(mut subscription) = broker.subscribe(Topic::Advance).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while let Ok(some) = subscription.receive(16).await {
            let messages: Vec<Message> =
                seen(&some).into_iter().map(|(message, _)| message).collect();
            let receipts = some.into_iter().map(|delivery| (delivery.receipt, Settle::Ack));
            if subscription.settle(receipts.collect()).await.is_err() {
                break;
            }
            all.extend(messages);
            if all.contains(&advance(last)) {
                return (all, ended);
            }
        }
        ended += 1;
    }
}

/// Nothing is to be had from it any more, and it says so at once, not by hanging.
async fn has_ended(subscription: &mut RabbitSubscription) -> bool {
    let told = tokio::time::timeout(ENOUGH, subscription.receive(9)).await;
    matches!(told.expect("it does not hang"), Err(StoreError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_costs_nothing_that_was_confirmed() {
    let mut server = private();
    let broker = RabbitBroker::connect(options(&server.url(), "restart")).await.expect("it works");
    let consumer = tokio::spawn(consume(broker.clone(), 9_999));
    let publisher = tokio::spawn({
        let broker = broker.clone();
        async move {
            let mut confirmed = BTreeSet::new();
            for id in 0..300 {
                if is_published(&broker, advance(id)).await {
                    confirmed.insert(advance(id));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            confirmed
        }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let restarted = tokio::task::spawn_blocking(move || {
        server.restart().expect("it restarts");
        server
    });
    let _server = restarted.await.expect("the server is there");
    let confirmed = publisher.await.expect("it publishes");
    assert!((1..300).contains(&confirmed.len()), "{} were confirmed", confirmed.len());
    until("publishing works again", async || is_published(&broker, advance(9_999)).await).await;
    let consumed = tokio::time::timeout(ENOUGH, consumer).await.expect("the last one comes");
    let (consumed, ended) = consumed.expect("it consumes");
    let missing: Vec<&Message> = confirmed.difference(&consumed).collect();
    assert!(missing.is_empty(), "confirmed and never seen: {missing:?}");
    assert!((1..=3).contains(&ended), "the subscription ended {ended} times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_connections_are_opened_again_and_old_receipts_are_void() {
    let server = private();
    let broker = RabbitBroker::connect(options(&server.url(), "closed")).await.expect("it works");
    let mut first = subscribe(&broker, Topic::Advance).await;
    publish(&broker, (0..3).map(advance)).await;
    let old = receive(&mut first, 3).await;
    server.rabbitmqctl(&["close_all_connections", "maintenance"]).expect("they are closed");
    assert!(has_ended(&mut first).await && has_ended(&mut first).await);
    let mut old = old.into_iter().map(|delivery| (delivery.receipt, Settle::Ack));
    let told = first.settle(old.by_ref().take(1).collect()).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "it cannot have been settled");
    until("it can be used again", async || broker.ready().is_ok()).await;

    // On the new channel the broker counts from 1 again; the old receipts mean nothing there.
    let mut second = subscribe(&broker, Topic::Advance).await;
    let again = receive(&mut second, 3).await;
    assert_eq!(seen(&again), [0, 1, 2].map(|id| (advance(id), true)));
    second.settle(old.collect()).await.expect("what is unknown is passed over");
    drop(second);
    let mut third = subscribe(&broker, Topic::Advance).await;
    let again = receive(&mut third, 3).await;
    settle(&mut third, again, Settle::Ack).await;
    publish(&broker, [advance(7)]).await;
    assert_eq!(seen(&receive(&mut third, 1).await), [(advance(7), false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_consumer_and_a_closed_channel_end_the_subscription_alone() {
    let server = private();
    let url = server.url();
    let broker = RabbitBroker::connect(options(&url, "cancel")).await.expect("it works");
    let mut advances = subscribe(&broker, Topic::Advance).await;
    let mut admits = subscribe(&broker, Topic::Admit).await;
    let (_connection, raw) = channel(&url).await;
    // The broker cancels the consumers of a queue that is deleted.
    raw.queue_delete("test-cancel.advance".into(), Default::default()).await.expect("it is gone");
    assert!(has_ended(&mut advances).await);
    publish(&broker, [Message::Admit("q".into())]).await;
    assert_eq!(receive(&mut admits, 1).await[0].message, Message::Admit("q".into()));
    let mut again = subscribe(&broker, Topic::Advance).await;
    publish(&broker, [advance(1)]).await;
    let taken = receive(&mut again, 1).await;

    // The broker closes a channel whose exchange is gone; the next publish has another.
    raw.exchange_delete("test-cancel.hints".into(), Default::default()).await.expect("it is gone");
    assert!(!is_published(&broker, advance(2)).await, "there is nowhere to publish to");
    until("publishing works again", async || is_published(&broker, advance(3)).await).await;
    settle(&mut again, taken, Settle::Ack).await;
    assert_eq!(receive(&mut again, 1).await[0].message, advance(3));
    assert!(broker.ready().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_alarm_blocks_publishers_for_a_bounded_time_and_nobody_else() {
    let server = private();
    let options = options(&server.url(), "alarm");
    let options = Options { confirm_timeout: Duration::from_secs(2), ..options };
    let broker = RabbitBroker::connect(options).await.expect("it works");
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    publish(&broker, (0..4).map(advance)).await;
    let mut taken = receive(&mut consumer, 4).await;
    let (_connection, raw) = channel(&server.url()).await;
    throw(&raw, "test-alarm.hints", "advance", b"garbage", BasicProperties::default()).await;
    server.rabbitmqctl(&["set_vm_memory_high_watermark", "0.00001"]).expect("it is set");
    until("publishing is refused", async || !is_published(&broker, advance(10)).await).await;
    until("the broker is known to block", async || {
        !is_published(&broker, advance(10)).await && broker.ready().is_err()
    })
    .await;
    let began = Instant::now();
    assert!(!is_published(&broker, advance(10)).await);
    assert!(began.elapsed() < Duration::from_millis(500), "now it is known at once");

    // What is done is still heard, and what is put off waits here.
    let put_off = vec![taken.remove(1)];
    settle(&mut consumer, taken, Settle::Ack).await;
    let began = Instant::now();
    settle(&mut consumer, put_off, Settle::Delay(steadfast_core::Span::from_millis(400))).await;
    let again = receive(&mut consumer, 1).await;
    assert_eq!(seen(&again), [(advance(1), true)]);
    assert!(began.elapsed() >= Duration::from_millis(400));
    settle(&mut consumer, again, Settle::Ack).await;
    // So does what is to be parked, and nothing spins.
    assert!(is_idle(&mut consumer).await);
    assert_eq!(broker.counted().parked, 0);

    server.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).expect("it is set");
    until("publishing works again", async || is_published(&broker, advance(11)).await).await;
    let mut last = receive(&mut consumer, 1).await;
    while last[0].message != advance(11) {
        assert_eq!(last[0].message, advance(10), "what was given up may still arrive");
        last = receive(&mut consumer, 1).await;
    }
    until("it is parked", async || {
        let _nothing = tokio::time::timeout(Duration::from_millis(100), consumer.receive(1)).await;
        broker.counted().parked == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_down_is_waited_for() {
    let mut server = private();
    server.stop().expect("it stops");
    let options = options(&server.url(), "later");
    let broker =
        RabbitBroker::start(Options { connect_timeout: Duration::from_secs(1), ..options });
    let broker = broker.expect("the options are fine");
    let began = Instant::now();
    assert!(!is_published(&broker, advance(1)).await);
    assert!(began.elapsed() < Duration::from_millis(500), "nobody waits for what is not there");
    let refused = broker.subscribe(Topic::Advance).await.err();
    let Some(StoreError::Unavailable(text)) = refused else { panic!("it is refused") };
    assert!(text.contains("check its address and that it runs"), "{text}");
    let launched = tokio::task::spawn_blocking(move || {
        server.launch().expect("it starts");
        server
    });
    let _server = launched.await.expect("the server is there");
    until("it can be used", async || broker.ready().is_ok()).await;
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    publish(&broker, [advance(2)]).await;
    assert_eq!(seen(&receive(&mut consumer, 1).await), [(advance(2), false)]);
}
