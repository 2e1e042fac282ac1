//! How many hints a second go through a broker: published with confirms, consumed, acknowledged.
//!
//! `cargo run --release --example rate -p steadfast-rabbitmq -- URL [SECONDS]`
//!
//! One publisher and one consumer. The publisher is never further ahead than four batches, so the
//! queue stays short and both sides are measured; latency is from before the publish to the receive.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock and its arguments")]
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast_core::decision::{Message, Settle};
use steadfast_core::{ExecutionId, Timestamp};
use steadfast_rabbitmq::{Options, RabbitBroker};
use steadfast_services::port::{Broker as _, Committed, Subscription as _, Topic};
use tokio::sync::Semaphore;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        println!("usage: rate URL [SECONDS]");
        return;
    };
    let seconds = arguments.next().and_then(|word| word.parse().ok()).unwrap_or(5);
    println!("{:>5} {:>10} {:>12} {:>12}", "batch", "hints/s", "median ms", "99th ms");
    for batch in [1, 64, 256] {
        let options = Options { namespace: format!("rate-{batch}"), ..Options::new(&url) };
        let broker = RabbitBroker::connect(options).await.expect("the broker can be used");
        let (rate, mut latencies) = measure(&broker, batch, Duration::from_secs(seconds)).await;
        latencies.sort();
        let at = |part: usize| latencies[latencies.len() * part / 100].as_secs_f64() * 1e3;
        println!("{batch:>5} {rate:>10.0} {:>12.2} {:>12.2}", at(50), at(99));
    }
}

/// Hints per second, and how long each took.
async fn measure(broker: &RabbitBroker, batch: u64, span: Duration) -> (f64, Vec<Duration>) {
    let mut consumer = broker.subscribe(Topic::Advance).await.expect("one can subscribe");
    let began = Instant::now();
    let ahead = Arc::new(Semaphore::new(usize::try_from(4 * batch).expect("it is small")));
    let publisher = tokio::spawn({
        let (broker, ahead) = (broker.clone(), Arc::clone(&ahead));
        async move {
            let after = Committed::by_store(Timestamp::ZERO);
            while began.elapsed() < span {
                let permits = u32::try_from(batch).expect("it is small");
                ahead.acquire_many(permits).await.expect("it stays open").forget();
                // What a hint speaks of is when it was published.
                let now = u64::try_from(began.elapsed().as_micros()).expect("it is short");
                let hints = (0..batch).map(|_| Message::Advance(ExecutionId(now))).collect();
                broker.publish(&after, hints).await.expect("the broker takes them");
            }
        }
    });
    let mut latencies = Vec::new();
    let size = usize::try_from(batch).expect("it is small");
    while !(publisher.is_finished() && ahead.available_permits() == 4 * size) {
        let received = tokio::time::timeout(Duration::from_millis(200), consumer.receive(size));
        let Ok(received) = received.await else { continue };
        let deliveries = received.expect("it can be received");
        ahead.add_permits(deliveries.len());
        let now = began.elapsed();
        latencies.extend(deliveries.iter().map(|delivery| match delivery.message {
            Message::Advance(at) => now.saturating_sub(Duration::from_micros(at.0)),
            _ => Duration::ZERO,
        }));
        let receipts = deliveries.into_iter().map(|delivery| (delivery.receipt, Settle::Ack));
        consumer.settle(receipts.collect()).await.expect("it can be settled");
    }
    publisher.await.expect("it has published");
    (latencies.len() as f64 / span.as_secs_f64(), latencies)
}
