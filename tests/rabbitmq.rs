//! The RabbitMQ broker against a real server: the contract of brokers, and everything that such a
//! server can do to its clients.
#![expect(clippy::disallowed_methods, reason = "brokers are watched from outside the engine")]

#[path = "contract/broker.rs"]
mod contract;
#[path = "rabbitmq/support.rs"]
mod support;

#[path = "rabbitmq/messages.rs"]
mod messages;
#[path = "rabbitmq/outages.rs"]
mod outages;
#[path = "rabbitmq/parked.rs"]
mod parked;
#[path = "rabbitmq/refusals.rs"]
mod refusals;

use steadfast_rabbitmq::RabbitBroker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_keeps_the_contract() {
    let server = support::shared();
    contract::check(async |case| {
        let options = support::options(&server.url(), case);
        RabbitBroker::connect(options).await.expect("it can be used")
    })
    .await;
}
