//! RabbitMQ beside the broker within a process, which is compared with the simulated one.

use steadfast_embedded::InprocBroker;
use steadfast_rabbitmq::RabbitBroker;

use crate::differential_brokers::perform;
use crate::support::{options, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_end_alike_on_rabbitmq() {
    let server = shared();
    let (mut seed, mut compared) = (0, 0);
    #[expect(clippy::disallowed_methods, reason = "the user says how long it may take")]
    let wanted = std::env::var("STEADFAST_OPERATIONS").ok();
    let wanted = wanted.map_or(20_000, |text| text.parse().expect("it is a number"));
    while compared < wanted {
        seed += 1;
        let options = options(&server.url(), &format!("history-{seed}"));
        let broker = RabbitBroker::connect(options).await.expect("it can be used");
        let here = perform(&InprocBroker::new(), seed, 1_000).await;
        let there = perform(&broker, seed, 1_000).await;
        compared += there.operations;
        here.compare(&there).unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
    }
}
