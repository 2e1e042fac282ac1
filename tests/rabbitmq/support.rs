//! A server for those tests that leave it as it is, and a look at queues by other means.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use steadfast_rabbitmq::Options;
use steadfast_servers::RabbitServer;

/// One server for all tests that run at the same time; gone with the last of them.
pub(crate) fn shared() -> Arc<RabbitServer> {
    static SHARED: Mutex<Weak<RabbitServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(private());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A server for one test alone.
pub(crate) fn private() -> RabbitServer {
    RabbitServer::start().unwrap_or_else(|failure| panic!("{failure}"))
}

/// Options for a case of its own, with short pauses.
pub(crate) fn options(url: &str, case: &str) -> Options {
    Options {
        namespace: format!("test-{case}"),
        dead_letter_exchange: Some(format!("test-{case}.dlx")),
        reconnect_min: Duration::from_millis(50),
        reconnect_max: Duration::from_millis(500),
        ..Options::new(url)
    }
}

/// A channel in confirm mode that knows nothing of ours.
pub(crate) async fn channel(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await;
    let connection = connection.expect("it connects");
    let channel = connection.create_channel().await.expect("a channel opens");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("it confirms");
    (connection, channel)
}

/// Publishes anything.
pub(crate) async fn throw(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
    let confirmation = sent.expect("it is sent").await.expect("it is confirmed");
    assert!(confirmation.is_ack() && confirmation.take_message().is_none(), "it arrives");
}

/// Takes one message out of a queue, when there is one.
pub(crate) async fn take(channel: &Channel, queue: &str) -> lapin::message::Delivery {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await;
        if let Some(got) = got.expect("the queue is there") {
            return got.delivery;
        }
        assert!(Instant::now() < deadline, "nothing comes to {queue}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
