//! What was put aside, looked at and settled by an operator.

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use steadfast_core::decision::Settle;
use steadfast_rabbitmq::{RabbitBroker, Verdict};
use steadfast_services::port::{Broker as _, Parked, Topic};

use crate::broker::{advance, publish, receive, seen, settle, subscribe, worker};
use crate::support::{channel, options, shared, take, throw, until};

/// Parks `count` hints, which say `advance` of a number from 0 on.
async fn park(broker: &RabbitBroker, count: u64) {
    let mut consumer = subscribe(broker, Topic::Advance).await;
    publish(broker, (0..count).map(advance)).await;
    let mut left = usize::try_from(count).expect("few");
    while left > 0 {
        let taken = receive(&mut consumer, left).await;
        left -= taken.len();
        settle(&mut consumer, taken, Settle::Park(String::from("because"))).await;
    }
}

async fn listed(broker: &RabbitBroker) -> Vec<Parked> {
    broker.parked().await.expect("it can be asked")
}

fn ids(parked: &[Parked]) -> Vec<&str> {
    parked.iter().map(|message| message.id.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_messages_are_listed_as_often_as_one_likes_by_any_process() {
    let server = shared();
    let one = RabbitBroker::connect(options(&server.url(), "listed")).await.expect("it works");
    let two = RabbitBroker::connect(options(&server.url(), "listed")).await.expect("it works");
    assert_eq!(listed(&one).await, []);
    park(&one, 5).await;
    let first = listed(&one).await;
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|parked| parked.reason == "because"));
    assert!(first.iter().all(|parked| parked.exchange == "test-listed.hints"));
    assert!(first.iter().all(|parked| parked.key == "advance"));
    let (mine, theirs) = tokio::join!(listed(&one), listed(&two));
    assert_eq!(ids(&mine), ids(&first), "the same names, in the same order");
    assert_eq!(ids(&theirs), ids(&first), "whoever looks");
    // More often than a broker lets a message be delivered unless it is told otherwise.
    for _ in 0..25 {
        assert_eq!(listed(&two).await.len(), 5);
    }
    until("all are back", async || one.count_parked().await == Ok(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_replayed_arrives_where_it_came_from_and_what_is_discarded_is_gone() {
    let server = shared();
    let broker = RabbitBroker::connect(options(&server.url(), "settled")).await.expect("it works");
    park(&broker, 3).await;
    let parked = listed(&broker).await;
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    let settled = broker.settle_parked(&parked[1].id, Verdict::Replay).await.expect("it is asked");
    assert_eq!(settled.as_ref(), Some(&parked[1]));
    let came = receive(&mut consumer, 1).await;
    assert_eq!(seen(&came), [(advance(1), false)]);
    settle(&mut consumer, came, Settle::Ack).await;
    let gone = broker.settle_parked(&parked[0].id, Verdict::Discard).await.expect("it is asked");
    assert_eq!(gone.as_ref(), Some(&parked[0]));
    assert_eq!(ids(&listed(&broker).await), [parked[2].id.as_str()]);
    for id in [parked[0].id.as_str(), parked[1].id.as_str(), "", "nobody"] {
        let none = broker.settle_parked(id, Verdict::Discard).await.expect("it is asked");
        assert_eq!(none, None);
    }
    until("one is left", async || broker.count_parked().await == Ok(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_has_its_bytes_and_headers_and_one_that_nobody_takes_stays() {
    let server = shared();
    let broker = RabbitBroker::connect(options(&server.url(), "bytes")).await.expect("it works");
    let (_connection, raw) = channel(&server.url()).await;
    let mut headers = FieldTable::default();
    headers.insert("trace".into(), AMQPValue::LongString("t-1".into()));
    let properties =
        BasicProperties::default().with_headers(headers.clone()).with_message_id("theirs".into());
    let consumer = subscribe(&broker, Topic::Admit).await;
    throw(&raw, "test-bytes.hints", "admit", b"\x00\xff", properties.clone()).await;
    // The same once more, as after an acknowledgement that was lost: one message to an operator.
    throw(&raw, "test-bytes.hints", "admit", b"\x00\xff", properties).await;
    let mut consumer = consumer;
    assert!(crate::broker::is_idle(&mut consumer).await, "none can be read");
    drop(consumer);
    until("both are put aside", async || broker.count_parked().await == Ok(2)).await;
    let parked = listed(&broker).await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].body, b"\x00\xff");
    raw.queue_delete("test-bytes.admit".into(), Default::default()).await.expect("it is deleted");
    let refused = broker.settle_parked(&parked[0].id, Verdict::Replay).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("still parked")));
    assert_eq!(listed(&broker).await, parked);
    drop(subscribe(&broker, Topic::Admit).await);
    broker.settle_parked(&parked[0].id, Verdict::Replay).await.expect("now somebody takes it");
    let back = take(&raw, "test-bytes.admit").await;
    assert_eq!(back.data, b"\x00\xff");
    let back = back.properties.headers().as_ref().expect("it has headers").inner();
    assert_eq!(back.get("trace"), headers.inner().get("trace"));
    assert!(back.keys().all(|name| !name.as_str().starts_with("steadfast-")), "{back:?}");
    assert_eq!(listed(&broker).await, [], "its copy went with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_who_dies_at_any_moment_loses_nothing() {
    let server = shared();
    let options = options(&server.url(), "dies");
    let broker = RabbitBroker::connect(options.clone()).await.expect("it works");
    park(&broker, 12).await;
    let all: BTreeSet<Vec<u8>> = listed(&broker).await.into_iter().map(|p| p.body).collect();
    assert_eq!(all.len(), 12);
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    let mut moment = Duration::from_micros(100);
    let mut cut = 0;
    loop {
        let left = listed(&broker).await;
        let Some(next) = left.first() else {
            // What a dead operator held comes back once the broker has noticed.
            tokio::time::sleep(Duration::from_secs(2)).await;
            if listed(&broker).await.is_empty() {
                break;
            }
            continue;
        };
        // A process of its own, which is gone at this moment, its connections with it.
        let theirs = RabbitBroker::connect(options.clone()).await.expect("it works");
        let replay = theirs.settle_parked(&next.id, Verdict::Replay);
        cut += u32::from(tokio::time::timeout(moment, replay).await.is_err());
        drop(theirs);
        moment = moment.mul_f64(1.5).min(Duration::from_secs(5));
    }
    assert!(cut > 3, "it was cut off {cut} times");
    let mut back = BTreeSet::new();
    while back.len() < 12 {
        let came = receive(&mut consumer, 1).await;
        back.extend(seen(&came).into_iter().map(|(message, _)| message));
        settle(&mut consumer, came, Settle::Ack).await;
    }
    assert_eq!(back, (0..12).map(advance).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_worker_is_counted() {
    let server = shared();
    let broker = RabbitBroker::connect(options(&server.url(), "depth")).await.expect("it works");
    let (busy, absent) = (worker("busy", 1), worker("absent", 1));
    drop(subscribe(&broker, Topic::Worker(busy.clone())).await);
    // What is published together is one message.
    for id in 0..4 {
        publish(&broker, [crate::broker::offer(&busy, id)]).await;
    }
    until("all are counted", async || {
        let both = [absent.clone(), busy.clone()];
        broker.waiting_for(&both).await == Ok(vec![None, Some(4)])
    })
    .await;
    drop(broker.subscribe(Topic::Ended).await);
}
