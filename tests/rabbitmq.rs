//! The RabbitMQ broker against a real server: the contract of brokers, and everything that such a
//! server can do to its clients.
#![expect(clippy::disallowed_methods, reason = "brokers are watched from outside the engine")]

#[path = "contract/broker.rs"]
mod broker;
#[path = "faults/broker.rs"]
mod broker_faults;
#[path = "faults/rabbitmq.rs"]
mod broker_faults_rabbitmq;
#[path = "differential/broker.rs"]
mod differential_brokers;
#[path = "differential/rabbitmq.rs"]
mod differential_rabbitmq;
#[path = "contract/stage.rs"]
mod stage;
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

use std::sync::Arc;

use steadfast_rabbitmq::RabbitBroker;
use steadfast_servers::RabbitServer;

async fn fresh(case: &str) -> (RabbitBroker, Arc<RabbitServer>) {
    let server = support::shared();
    let options = support::options(&server.url(), case);
    (RabbitBroker::connect(options).await.expect("it can be used"), server)
}

broker::broker_contract!(tokio fresh);
