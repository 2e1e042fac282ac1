//! What becomes of messages that nobody can use: expired, unreadable, without a listener.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use steadfast_core::Span;
use steadfast_core::decision::{Message, Settle};
use steadfast_rabbitmq::{Options, RabbitBroker, inspect};
use steadfast_services::port::{Broker as _, Committed, StoreError, Topic};

use crate::broker::{advance, is_idle, offer, publish, receive, seen, settle, subscribe, worker};
use crate::support::{channel, options, shared, take, throw, until};

fn header<'a>(headers: Option<&'a FieldTable>, name: &str) -> &'a AMQPValue {
    headers.and_then(|headers| headers.inner().get(name)).expect("the header is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_worker_takes_in_time_arrives_among_the_dead_letters() {
    let server = shared();
    let options = options(&server.url(), "dead");
    let options = Options { worker_queue_ttl: Duration::from_millis(600), ..options };
    let broker = RabbitBroker::connect(options).await.expect("it can be used");
    let mut dead = subscribe(&broker, Topic::Dead).await;
    let gone = worker("w", 1);
    drop(subscribe(&broker, Topic::Worker(gone.clone())).await);
    publish(&broker, [offer(&gone, 1), offer(&gone, 2)]).await;
    assert_eq!(broker.counted().unroutable, 0, "the queue outlives its consumer");
    assert!(is_idle(&mut dead).await, "its time has not come");
    let letters = receive(&mut dead, 2).await;
    assert_eq!(seen(&letters), [(offer(&gone, 1), false), (offer(&gone, 2), false)]);
    settle(&mut dead, letters, Settle::Ack).await;
    // What was delivered to the worker and is in its hands does not expire.
    let here = worker("w", 2);
    let mut mine = subscribe(&broker, Topic::Worker(here.clone())).await;
    publish(&broker, [offer(&here, 3)]).await;
    let taken = receive(&mut mine, 1).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(is_idle(&mut dead).await);
    settle(&mut mine, taken, Settle::Ack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_that_nobody_reads_goes_when_its_time_is_over() {
    let server = shared();
    let options = Options {
        worker_queue_ttl: Duration::from_millis(300),
        dead_letter_ttl: Duration::from_secs(4),
        ..options(&server.url(), "forgotten")
    };
    let broker = RabbitBroker::connect(options.clone()).await.expect("it can be used");
    let gone = worker("w", 1);
    drop(subscribe(&broker, Topic::Worker(gone.clone())).await);
    publish(&broker, [offer(&gone, 1)]).await;
    let letters = async || {
        let rows = inspect(&options).await.expect("it answers");
        let dead = rows.into_iter().find(|row| row.what == "queue test-forgotten.dead");
        dead.expect("it is there").found.expect("it is fine").messages
    };
    until("it is a dead letter", async || letters().await == 1).await;
    until("it is gone", async || letters().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_parked_with_its_bytes_and_the_reason() {
    let server = shared();
    let broker = RabbitBroker::connect(options(&server.url(), "garbage")).await.expect("it works");
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    let (_connection, raw) = channel(&server.url()).await;
    let json = || BasicProperties::default().with_content_type("application/json".into());
    let mut headers = FieldTable::default();
    headers.insert("trace".into(), AMQPValue::LongString("t-1".into()));
    let odd_kind =
        format!(r#"{{"version":1,"id":"i","at":1,"message":{{"{}":2}}}}"#, "dance".repeat(60_000));
    let mut long = FieldTable::default();
    long.insert("long".into(), AMQPValue::LongString("x".repeat(100_000).into()));
    let odd = [
        // Long enough that to repeat it in a header would cost the connection.
        (odd_kind.as_bytes(), json()),
        (&b"with long headers"[..], json().with_headers(long)),
        (&b"\x00\xff not JSON"[..], json().with_headers(headers).with_expiration("60000".into())),
        (&b"{\"version\":9,\"news\":1}"[..], json().with_message_id("theirs".into())),
        (&b"{\"version\":1,\"id\":\"i\",\"at\":1,\"message\":{\"dance\":2}}"[..], json()),
        (&b"{}"[..], BasicProperties::default().with_content_type("text/plain".into())),
        (&b""[..], BasicProperties::default()),
    ];
    for (body, properties) in &odd {
        throw(&raw, "test-garbage.hints", "advance", body, properties.clone()).await;
    }
    publish(&broker, [advance(1)]).await;
    // What can be read is not held up, and what cannot is gone from the queue.
    let good = receive(&mut consumer, 1).await;
    assert_eq!(seen(&good), [(advance(1), false)]);
    settle(&mut consumer, good, Settle::Ack).await;
    assert!(is_idle(&mut consumer).await);
    let reasons = [
        "dance",
        "not an envelope",
        "not an envelope",
        "version 9",
        "dance",
        "text/plain",
        "not an envelope",
    ];
    for ((body, properties), reason) in odd.iter().zip(reasons) {
        let parked = take(&raw, "test-garbage.parked").await;
        assert_eq!(parked.data, *body);
        let headers = parked.properties.headers().as_ref();
        let AMQPValue::LongString(said) = header(headers, "steadfast-reason") else {
            panic!("the reason is text");
        };
        assert!(said.to_string().contains(reason), "{said} for {reason}");
        let text = |text: &str| AMQPValue::LongString(text.into());
        assert_eq!(*header(headers, "steadfast-exchange"), text("test-garbage.hints"));
        assert_eq!(*header(headers, "steadfast-routing-key"), text("advance"));
        assert_eq!(parked.properties.content_type(), properties.content_type());
        if let Some(id) = properties.message_id() {
            assert_eq!(parked.properties.message_id().as_ref(), Some(id));
        }
        if *body == b"with long headers" {
            assert_eq!(*header(headers, "steadfast-headers-left-out"), AMQPValue::Boolean(true));
        } else if let Some(had) = properties.headers() {
            assert_eq!(*header(headers, "steadfast-headers"), AMQPValue::FieldTable(had.clone()));
        }
    }
    assert_eq!(broker.counted().parked, 7);
    // Nothing is left: neither with the consumer nor in its queue.
    drop(consumer);
    let mut next = subscribe(&broker, Topic::Advance).await;
    assert!(is_idle(&mut next).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_by_its_reader_is_parked_too() {
    let server = shared();
    let broker = RabbitBroker::connect(options(&server.url(), "parked")).await.expect("it works");
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    publish(&broker, [advance(5)]).await;
    let taken = receive(&mut consumer, 1).await;
    settle(&mut consumer, taken, Settle::Park(String::from("nobody knows ex-5"))).await;
    let (_connection, raw) = channel(&server.url()).await;
    let parked = take(&raw, "test-parked.parked").await;
    let said = header(parked.properties.headers().as_ref(), "steadfast-reason");
    assert_eq!(*said, AMQPValue::LongString("nobody knows ex-5".into()));
    let body: serde_json::Value = serde_json::from_slice(&parked.data).expect("it is JSON");
    assert_eq!(body["message"], serde_json::json!({ "advance": 5 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_for_nobody_is_counted_and_one_without_its_queue_is_refused() {
    let server = shared();
    let url = server.url();
    let broker = RabbitBroker::connect(options(&url, "nobody")).await.expect("it works");
    publish(&broker, [offer(&worker("nobody", 1), 1), advance(1)]).await;
    let long = worker(&"w".repeat(300), 1);
    publish(&broker, [offer(&long, 1)]).await;
    let counted = broker.counted();
    assert_eq!((counted.published, counted.unroutable), (1, 2));
    let refused = broker.subscribe(Topic::Worker(long)).await.err();
    let Some(StoreError::Unavailable(text)) = refused else { panic!("it is refused") };
    assert!(text.contains("longer than 255 bytes"), "{text}");

    // Somebody deletes a queue behind our back.
    let (_connection, raw) = channel(&url).await;
    let deleted = raw.queue_delete("test-nobody.advance".into(), Default::default()).await;
    assert_eq!(deleted.expect("it is deleted"), 1);
    let committed = Committed::by_store(steadfast_core::Timestamp::ZERO);
    let lost = broker.publish(&committed, vec![advance(2), Message::Admit("q".into())]).await;
    let Err(StoreError::Unavailable(text)) = lost else { panic!("one was not taken") };
    assert!(text.contains("1 of 2"), "{text}");
    until("the queue is declared again", async || {
        broker.publish(&committed, vec![advance(3)]).await.is_ok()
    })
    .await;
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    assert_eq!(receive(&mut consumer, 1).await[0].message, advance(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_can_be_inspected() {
    let server = shared();
    let options = options(&server.url(), "inspect");
    let broker = RabbitBroker::connect(options.clone()).await.expect("it works");
    publish(&broker, (0..3).map(advance)).await;
    let _consumer = subscribe(&broker, Topic::Admit).await;
    let rows = inspect(&options).await.expect("it answers");
    let names: Vec<&str> = rows.iter().map(|row| row.what.as_str()).collect();
    let all = [
        "exchange test-inspect.hints",
        "exchange test-inspect.delay",
        "queue test-inspect.admit",
        "queue test-inspect.advance",
        "queue test-inspect.dispatch",
        "queue test-inspect.parked",
        "exchange test-inspect.dlx",
        "queue test-inspect.dead",
        "round trip",
    ];
    assert_eq!(names, all);
    assert!(rows.iter().all(|row| row.found.is_ok()));
    let kinds = server.rabbitmqctl(&["list_queues", "name", "type"]).expect("it is asked");
    assert!(kinds.lines().any(|line| line == "test-inspect.advance\tquorum"), "{kinds}");
    let found = |what: &str| rows.iter().find(|row| row.what == what).map(|r| r.found.clone());
    let advance = found("queue test-inspect.advance").expect("it is there").expect("it is fine");
    assert_eq!((advance.messages, advance.consumers), (3, 0));
    let admit = found("queue test-inspect.admit").expect("it is there").expect("it is fine");
    assert_eq!((admit.messages, admit.consumers), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_cannot_keep_is_not_published() {
    let server = shared();
    let broker = RabbitBroker::connect(options(&server.url(), "full")).await.expect("it works");
    // Somebody else's queue for the same messages has room for one.
    let (_connection, raw) = channel(&server.url()).await;
    let mut small = FieldTable::default();
    small.insert("x-max-length".into(), AMQPValue::LongLongInt(1));
    small.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let queue = "test-full.small";
    let made = raw.queue_declare(queue.into(), Default::default(), small).await;
    made.expect("it is made");
    let (exchange, none) = ("test-full.hints".into(), FieldTable::default());
    let bound = raw.queue_bind(queue.into(), exchange, "advance".into(), Default::default(), none);
    bound.await.expect("it is bound");
    let committed = Committed::by_store(steadfast_core::Timestamp::ZERO);
    let admit = Message::Admit("q".into());
    let told = broker.publish(&committed, vec![advance(1), admit, advance(2)]).await;
    let Err(StoreError::Unavailable(text)) = told else { panic!("one was not taken") };
    assert!(text.contains("1 of 3") && text.contains("could not keep"), "{text}");
    assert_eq!(broker.counted().published, 2);
    // The channel is as good as before.
    publish(&broker, [Message::Admit("r".into())]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_to_one_worker_travels_together_and_is_settled_one_by_one() {
    let server = shared();
    let broker = RabbitBroker::connect(options(&server.url(), "together")).await.expect("it works");
    let me = worker("w", 1);
    let mut mine = subscribe(&broker, Topic::Worker(me.clone())).await;
    publish(&broker, (1..=5).map(|id| offer(&me, id))).await;
    assert_eq!(broker.counted().published, 5);
    let queue = "test-together.worker.w.1";
    let mut taken = receive(&mut mine, 3).await;
    let waiting = server.rabbitmqctl(&["list_queues", "name", "messages"]).expect("it answers");
    assert!(waiting.lines().any(|line| line == format!("{queue}\t1")), "one message: {waiting}");
    // One is put off: it comes back alone, while the message waits for the others.
    let later = Settle::Delay(Span::from_millis(200));
    settle(&mut mine, vec![taken.remove(1)], later).await;
    settle(&mut mine, taken, Settle::Ack).await;
    let rest = receive(&mut mine, 3).await;
    let said = [(offer(&me, 4), false), (offer(&me, 5), false), (offer(&me, 2), true)];
    assert_eq!(seen(&rest), said);
    settle(&mut mine, rest, Settle::Ack).await;
    until("nothing is left", async || {
        let waiting = server.rabbitmqctl(&["list_queues", "name", "messages"]);
        waiting.expect("it answers").lines().any(|line| line == format!("{queue}\t0"))
    })
    .await;
    // What was not settled comes again whole.
    publish(&broker, (6..=7).map(|id| offer(&me, id))).await;
    let mut taken = receive(&mut mine, 2).await;
    settle(&mut mine, vec![taken.remove(0)], Settle::Ack).await;
    drop(mine);
    let mut mine = subscribe(&broker, Topic::Worker(me.clone())).await;
    let again = receive(&mut mine, 2).await;
    assert_eq!(seen(&again), [(offer(&me, 6), true), (offer(&me, 7), true)]);
    settle(&mut mine, again, Settle::Ack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_has_no_more_unsettled_than_it_may_and_others_have_the_rest() {
    let server = shared();
    let options = Options { prefetch: 4, ..options(&server.url(), "prefetch") };
    let broker = RabbitBroker::connect(options).await.expect("it works");
    let mut one = subscribe(&broker, Topic::Advance).await;
    publish(&broker, (0..10).map(advance)).await;
    let mut mine = receive(&mut one, 4).await;
    assert!(is_idle(&mut one).await, "it has its four");
    let mut two = subscribe(&broker, Topic::Advance).await;
    let others = receive(&mut two, 4).await;
    assert_eq!(others[0].message, advance(4));
    // One settled in the middle makes room for one.
    settle(&mut one, vec![mine.remove(2)], Settle::Ack).await;
    assert_eq!(seen(&receive(&mut one, 1).await), [(advance(8), false)]);
    assert!(is_idle(&mut one).await);
    settle(&mut two, others, Settle::Ack).await;
    assert_eq!(seen(&receive(&mut two, 1).await), [(advance(9), false)]);
    // What one has in its hands comes again when it is gone, and only that.
    settle(&mut one, mine, Settle::Ack).await;
    drop(one);
    assert_eq!(seen(&receive(&mut two, 1).await), [(advance(8), true)]);
}
