//! A broker that refuses, and what is said about it.

use std::time::{Duration, Instant};

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use steadfast_core::Timestamp;
use steadfast_rabbitmq::{Options, Problem, RabbitBroker, inspect};
use steadfast_services::port::{Broker as _, Committed, StoreError, Topic};

use crate::broker::{advance, publish, receive, subscribe, worker};
use crate::support::{channel, options, shared, until};

/// Why a broker cannot be used, as its user reads it.
async fn complaint(options: Options) -> (Problem, String) {
    let began = Instant::now();
    let problem = RabbitBroker::connect(options).await.expect_err("it cannot be used");
    assert!(began.elapsed() < Duration::from_secs(15), "it is said in time");
    let text = problem.to_string();
    (problem, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_made_differently_is_named() {
    let server = shared();
    let url = server.url();
    let (_connection, raw) = channel(&url).await;
    let classic = FieldTable::default();
    let declared = raw.queue_declare(
        "test-conflict.advance".into(),
        QueueDeclareOptions::durable(),
        classic.clone(),
    );
    declared.await.expect("it is made");
    let options = options(&url, "conflict");
    let (problem, text) = complaint(options.clone()).await;
    assert!(matches!(problem, Problem::Conflict { .. }), "{text}");
    for word in ["queue test-conflict.advance", "inequivalent arg", "delete_queue", "namespace"] {
        assert!(text.contains(word), "{text}");
    }
    let rows = inspect(&options).await.expect("it answers");
    let bad: Vec<&str> =
        rows.iter().filter(|row| row.found.is_err()).map(|row| row.what.as_str()).collect();
    assert_eq!(bad, ["queue test-conflict.advance"]);

    // The operator follows the advice, and nobody has to be started again.
    let broker = RabbitBroker::start(options).expect("the options are fine");
    until("the conflict is seen", async || matches!(broker.ready(), Err(Problem::Conflict { .. })))
        .await;
    server.rabbitmqctl(&["delete_queue", "test-conflict.advance"]).expect("it is deleted");
    until("it can be used", async || broker.ready().is_ok()).await;
    publish(&broker, [advance(1)]).await;

    // The same for a worker's own queue, which is declared with its consumer.
    let key = "test-conflict.worker.w.1";
    let made = raw.queue_declare(key.into(), QueueDeclareOptions::durable(), classic).await;
    made.expect("it is made");
    let refused = broker.subscribe(Topic::Worker(worker("w", 1))).await.err();
    let Some(StoreError::Unavailable(text)) = refused else { panic!("it is refused") };
    assert!(text.contains(key), "{text}");
    assert!(broker.ready().is_ok(), "a refused queue costs a channel, not the connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_and_hosts_are_told_apart() {
    let server = shared();
    let (problem, text) = complaint(options(&server.url_for("guest", "secret"), "wrong")).await;
    assert!(matches!(problem, Problem::Credentials { .. }), "{text}");
    assert!(text.contains("guest") && !text.contains("secret"), "{text}");

    let nowhere = server.url().replace("%2f", "nowhere");
    let (problem, text) = complaint(options(&nowhere, "nowhere")).await;
    assert!(matches!(problem, Problem::Vhost { .. }), "{text}");
    assert!(text.contains("add_vhost nowhere"), "{text}");

    let port = steadfast_servers::free_port().expect("there is one");
    let closed = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let (problem, text) = complaint(options(&closed, "closed")).await;
    assert!(matches!(problem, Problem::Unreachable(_)), "{text}");
    let (problem, text) = complaint(options("amqp://", "odd")).await;
    assert!(matches!(problem, Problem::Options(_) | Problem::Unreachable(_)), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_permissions_is_told_which() {
    let server = shared();
    let ctl = |arguments: &[&str]| server.rabbitmqctl(arguments).expect("it is done");
    ctl(&["add_user", "poor", "pw"]);
    ctl(&["set_permissions", "poor", "^other$", ".*", ".*"]);
    let url = server.url_for("poor", "pw");
    let (problem, text) = complaint(options(&url, "poor")).await;
    assert!(matches!(problem, Problem::Permission { .. }), "{text}");
    for word in ["exchange test-poor.hints", "poor", "set_permissions"] {
        assert!(text.contains(word), "{text}");
    }

    // May declare and consume, and not publish.
    ctl(&["set_permissions", "poor", "^test-poor", "^test-poor\\.(admit|dead|parked)", ".*"]);
    let rows = inspect(&options(&url, "poor")).await.expect("it answers");
    let bad = rows.iter().filter(|row| row.found.is_err()).count();
    assert!(bad > 0, "to bind a queue one has to be allowed to write to it");

    ctl(&["set_permissions", "poor", "^test-poor\\.", "^test-poor\\.", "^test-poor\\."]);
    let broker = RabbitBroker::connect(options(&url, "poor")).await.expect("now it works");
    let mut consumer = subscribe(&broker, Topic::Advance).await;
    ctl(&["set_permissions", "poor", "^test-poor\\.", "^$", "^test-poor\\."]);
    let committed = Committed::by_store(Timestamp::ZERO);
    // The broker remembers a permission per channel for a while.
    until("publishing is refused", async || {
        let told = broker.publish(&committed, vec![advance(1)]).await;
        matches!(told, Err(StoreError::Unavailable(text)) if text.contains("set_permissions"))
    })
    .await;
    ctl(&["set_permissions", "poor", "^test-poor\\.", "^test-poor\\.", "^test-poor\\."]);
    until("publishing works again", async || {
        broker.publish(&committed, vec![advance(2)]).await.is_ok()
    })
    .await;
    let mut last = receive(&mut consumer, 1).await;
    while last[0].message != advance(2) {
        last = receive(&mut consumer, 1).await;
    }
}
