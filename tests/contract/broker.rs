//! What every broker must do, whatever carries its messages. All messages differ, since a broker may
//! make one of equal hints that wait.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use steadfast_core::decision::{Message, Settle};
use steadfast_core::{
    ExecutionId, FencingToken, Incarnation, Span, Status, Timestamp, Transport, WorkerId,
};
use steadfast_services::port::{Broker, Committed, Delivery, Receipt, Subscription, Topic};

use crate::stage::timeout;

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for what must not come.
const QUIET: Duration = Duration::from_millis(300);

/// A test for each case. `$fresh` makes a broker for the name that it is given, and something that
/// is kept until the test is over; or `$perform`, after `stage`, gives a case a broker of a
/// simulated world.
macro_rules! broker_contract {
    ($kind:ident $fresh:path) => {
        $crate::broker::broker_contract! { $kind $fresh:
            each_message_of_work_has_one_consumer = "one-consumer",
            broadcasts_are_for_all_who_listen = "broadcast",
            a_worker_hears_what_is_said_to_it = "worker",
            messages_come_in_order_and_not_too_many = "order",
            what_is_not_settled_comes_again = "again",
            a_receipt_is_for_its_own_channel = "receipt",
            a_delayed_message_comes_again_later = "delay",
            a_parked_message_is_out_of_the_way = "park",
            a_receive_that_is_given_up_loses_nothing = "cancel",
        }
    };
    (stage $perform:path: $($case:ident = $name:literal,)*) => {$(
        #[test]
        fn $case() {
            $perform($crate::broker::$case);
        }
    )*};
    (tokio $fresh:path: $($case:ident = $name:literal,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (broker, _keep) = $fresh($name).await;
            $crate::broker::$case(broker).await;
        }
    )*};
}
pub(crate) use broker_contract;

pub(crate) async fn publish<B: Broker>(broker: &B, messages: impl IntoIterator<Item = Message>) {
    let committed = Committed::by_store(Timestamp::from_micros(7));
    broker.publish(&committed, messages.into_iter().collect()).await.expect("it is taken");
}

pub(crate) async fn subscribe<B: Broker>(broker: &B, topic: Topic) -> B::Subscription {
    broker.subscribe(topic).await.expect("one can subscribe")
}

/// Receives until there are `count`; there must not be more.
pub(crate) async fn receive<S: Subscription>(from: &mut S, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        let some = timeout(PATIENCE, from.receive(count - all.len())).await;
        let some = some.unwrap_or_else(|_| panic!("{} of {count} came: {all:?}", all.len()));
        all.extend(some.expect("receiving works"));
    }
    all
}

pub(crate) async fn is_idle<S: Subscription>(subscription: &mut S) -> bool {
    timeout(QUIET, subscription.receive(9)).await.is_err()
}

pub(crate) async fn settle<S: Subscription>(of: &mut S, all: Vec<Delivery>, how: Settle) {
    let receipts = all.into_iter().map(|delivery| (delivery.receipt, how.clone()));
    of.settle(receipts.collect()).await.expect("it can be settled");
}

pub(crate) fn advance(id: u64) -> Message {
    Message::Advance(ExecutionId(id))
}

pub(crate) fn worker(name: &str, incarnation: u64) -> WorkerId {
    WorkerId { name: name.into(), incarnation: Incarnation(incarnation) }
}

pub(crate) fn offer(to: &WorkerId, execution: u64) -> Message {
    let (execution, token) = (ExecutionId(execution), FencingToken(1));
    Message::Offer { worker: to.clone(), execution, token }
}

pub(crate) fn seen(deliveries: &[Delivery]) -> Vec<(Message, bool)> {
    deliveries.iter().map(|d| (d.message.clone(), d.redelivered)).collect()
}

fn ready(runtime: &str, transport: Transport) -> Message {
    Message::Ready { runtime: runtime.into(), transport }
}

pub(crate) async fn each_message_of_work_has_one_consumer<B: Broker>(broker: B) {
    let broker = &broker;
    publish(broker, (0..20).map(advance)).await;
    let mut one = subscribe(broker, Topic::Advance).await;
    let mut all = receive(&mut one, 20).await;
    let mut two = subscribe(broker, Topic::Advance).await;
    assert!(is_idle(&mut two).await, "the other one has them all");
    publish(broker, (20..40).map(advance)).await;
    // Whoever is first has them.
    let deadline = Instant::now() + PATIENCE;
    while all.len() < 40 && Instant::now() < deadline {
        for consumer in [&mut one, &mut two] {
            if let Ok(some) = timeout(QUIET, consumer.receive(5)).await {
                all.extend(some.expect("receiving works"));
            }
        }
    }
    let numbers: BTreeSet<Message> = all.iter().map(|delivery| delivery.message.clone()).collect();
    assert_eq!((all.len(), numbers), (40, (0..40).map(advance).collect()));

    publish(broker, [Message::Admit("a".into()), ready("shell", Transport::Rabbitmq)]).await;
    let mut admit = subscribe(broker, Topic::Admit).await;
    let mut dispatch = subscribe(broker, Topic::Dispatch).await;
    assert_eq!(receive(&mut admit, 1).await[0].message, Message::Admit("a".into()));
    let ready = ready("shell", Transport::Rabbitmq);
    assert_eq!(receive(&mut dispatch, 1).await[0].message, ready);
    assert!(is_idle(&mut one).await && is_idle(&mut admit).await && is_idle(&mut dispatch).await);
}

pub(crate) async fn broadcasts_are_for_all_who_listen<B: Broker>(broker: B) {
    let broker = &broker;
    let ended = |id| Message::Ended { execution: ExecutionId(id), status: Status::Failed };
    publish(broker, [ended(1)]).await;
    let ready = |runtime| ready(runtime, Transport::Embedded);
    let mut shell = subscribe(broker, Topic::Ready(vec!["shell".into()])).await;
    let mut both = subscribe(broker, Topic::Ready(vec!["shell".into(), "perl".into()])).await;
    let mut over = subscribe(broker, Topic::Ended).await;
    assert!(is_idle(&mut over).await, "a broadcast is for those who listen");
    publish(broker, [ready("shell"), ready("ruby"), ready("perl"), ended(2)]).await;
    assert_eq!(seen(&receive(&mut shell, 1).await), [(ready("shell"), false)]);
    let mut heard = seen(&receive(&mut both, 2).await);
    heard.sort();
    let mut said = [(ready("shell"), false), (ready("perl"), false)];
    said.sort();
    assert_eq!(heard, said, "in any order, as they are for different ears");
    assert_eq!(seen(&receive(&mut over, 1).await), [(ended(2), false)]);
    assert!(is_idle(&mut shell).await && is_idle(&mut both).await && is_idle(&mut over).await);
}

pub(crate) async fn a_worker_hears_what_is_said_to_it<B: Broker>(broker: B) {
    let broker = &broker;
    // Names that mean something to brokers must not mean anything here.
    let (me, former, other) = (worker("w.#", 2), worker("w.#", 1), worker("w.*", 2));
    let mut mine = subscribe(broker, Topic::Worker(me.clone())).await;
    let mut others = subscribe(broker, Topic::Worker(other.clone())).await;
    let execution = ExecutionId(4);
    let stop = Message::Stop { worker: me.clone(), execution, token: FencingToken(1) };
    publish(broker, [offer(&former, 1), offer(&me, 2), offer(&other, 3), stop.clone()]).await;
    let heard = seen(&receive(&mut mine, 2).await);
    assert_eq!(heard, [(offer(&me, 2), false), (stop, false)]);
    assert_eq!(seen(&receive(&mut others, 1).await), [(offer(&other, 3), false)]);
    assert!(is_idle(&mut mine).await && is_idle(&mut others).await);
}

pub(crate) async fn messages_come_in_order_and_not_too_many<B: Broker>(broker: B) {
    let broker = &broker;
    let mut subscription = subscribe(broker, Topic::Advance).await;
    publish(broker, (0..300).map(advance)).await;
    publish(broker, (300..400).map(advance)).await;
    let mut next = 0;
    while next < 400 {
        let received = timeout(PATIENCE, subscription.receive(16)).await;
        let some = received.expect("something comes").expect("receiving works");
        assert!((1..=16).contains(&some.len()), "{} came", some.len());
        let wanted: Vec<(Message, bool)> =
            (next..next + some.len() as u64).map(|id| (advance(id), false)).collect();
        assert_eq!(seen(&some), wanted);
        next += some.len() as u64;
        settle(&mut subscription, some, Settle::Ack).await;
    }
}

pub(crate) async fn what_is_not_settled_comes_again<B: Broker>(broker: B) {
    let broker = &broker;
    let mut first = subscribe(broker, Topic::Advance).await;
    publish(broker, (0..6).map(advance)).await;
    let mut taken = receive(&mut first, 5).await;
    let done = vec![taken.remove(3), taken.remove(1)];
    settle(&mut first, done, Settle::Ack).await;
    assert!(!is_idle(&mut first).await, "the sixth is there");
    drop(first);
    let mut second = subscribe(broker, Topic::Advance).await;
    let again = receive(&mut second, 4).await;
    let wanted = [0, 2, 4, 5].map(|id| (advance(id), true));
    assert_eq!(seen(&again), wanted);
    settle(&mut second, again, Settle::Ack).await;
    drop(second);
    let mut third = subscribe(broker, Topic::Advance).await;
    assert!(is_idle(&mut third).await, "what is settled does not come again");
}

pub(crate) async fn a_receipt_is_for_its_own_channel<B: Broker>(broker: B) {
    let broker = &broker;
    let mut first = subscribe(broker, Topic::Advance).await;
    publish(broker, (0..3).map(advance)).await;
    let old = receive(&mut first, 3).await;
    drop(first);
    let mut second = subscribe(broker, Topic::Advance).await;
    let mine = receive(&mut second, 3).await;
    settle(&mut second, old, Settle::Ack).await;
    // Its own still work, and a second time changes nothing.
    let tags: Vec<u64> = mine.iter().map(|delivery| delivery.receipt.tag()).collect();
    for _ in 0..2 {
        let receipts = vec![(Receipt::by_broker(tags[1]), Settle::Ack)];
        second.settle(receipts).await.expect("it can be settled");
    }
    drop(second);
    let mut third = subscribe(broker, Topic::Advance).await;
    let again = receive(&mut third, 2).await;
    assert_eq!(seen(&again), [(advance(0), true), (advance(2), true)]);
    settle(&mut third, again, Settle::Ack).await;
    assert!(is_idle(&mut third).await);
}

pub(crate) async fn a_delayed_message_comes_again_later<B: Broker>(broker: B) {
    let broker = &broker;
    let delay = Duration::from_millis(700);
    let mut first = subscribe(broker, Topic::Advance).await;
    publish(broker, [advance(1)]).await;
    let taken = receive(&mut first, 1).await;
    let began = Instant::now();
    let span = Span::from_millis(700);
    settle(&mut first, taken, Settle::Delay(span)).await;
    assert!(began.elapsed() < delay, "nobody waits for it");
    // Others are not held up by it.
    publish(broker, [advance(2)]).await;
    let meanwhile = receive(&mut first, 1).await;
    assert_eq!((seen(&meanwhile), began.elapsed() < delay), (vec![(advance(2), false)], true));
    settle(&mut first, meanwhile, Settle::Ack).await;
    let again = receive(&mut first, 1).await;
    assert_eq!(seen(&again), [(advance(1), true)]);
    assert!(began.elapsed() >= delay, "it came after {:?}", began.elapsed());
    // It belongs to the topic, not to who delayed it; and once more is possible.
    settle(&mut first, again, Settle::Delay(span)).await;
    drop(first);
    let mut second = subscribe(broker, Topic::Advance).await;
    let again = receive(&mut second, 1).await;
    assert_eq!(seen(&again), [(advance(1), true)]);
    assert!(began.elapsed() >= 2 * delay, "it came after {:?}", began.elapsed());
    settle(&mut second, again, Settle::Ack).await;
    assert!(is_idle(&mut second).await);

    // To one subscriber's own mailbox as well.
    let mut ended = subscribe(broker, Topic::Ended).await;
    let message = Message::Ended { execution: ExecutionId(3), status: Status::Completed };
    publish(broker, [message.clone()]).await;
    let taken = receive(&mut ended, 1).await;
    settle(&mut ended, taken, Settle::Delay(Span::from_millis(50))).await;
    assert_eq!(seen(&receive(&mut ended, 1).await), [(message, true)]);
}

pub(crate) async fn a_parked_message_is_out_of_the_way<B: Broker>(broker: B) {
    let broker = &broker;
    let mut first = subscribe(broker, Topic::Advance).await;
    publish(broker, (1..4).map(advance)).await;
    let mut taken = receive(&mut first, 3).await;
    let odd = vec![taken.remove(1)];
    settle(&mut first, odd, Settle::Park(String::from("odd"))).await;
    settle(&mut first, taken, Settle::Ack).await;
    drop(first);
    let mut second = subscribe(broker, Topic::Advance).await;
    assert!(is_idle(&mut second).await, "it does not come again");
}

pub(crate) async fn a_receive_that_is_given_up_loses_nothing<B: Broker>(broker: B) {
    let broker = &broker;
    let mut subscription = subscribe(broker, Topic::Advance).await;
    let mut all = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    let (mut published, mut patience) = (0, 0);
    while all.len() < 500 && Instant::now() < deadline {
        if published < 500 {
            publish(broker, (published..published + 25).map(advance)).await;
            published += 25;
        }
        patience = (patience * 7 + 3) % 2_000;
        let patience = Duration::from_micros(patience);
        if let Ok(some) = timeout(patience, subscription.receive(7)).await {
            let some = some.expect("receiving works");
            all.extend(seen(&some));
            settle(&mut subscription, some, Settle::Ack).await;
        }
    }
    assert_eq!(all, (0..500).map(|id| (advance(id), false)).collect::<Vec<_>>());
}
