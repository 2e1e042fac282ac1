//! The contract of brokers, kept by the one within a process.
#![expect(clippy::disallowed_methods, reason = "brokers are watched from outside the engine")]

#[path = "contract/broker.rs"]
mod contract;

use steadfast_embedded::InprocBroker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_within_a_process_keeps_the_contract() {
    contract::check(async |_case| InprocBroker::new()).await;
}
