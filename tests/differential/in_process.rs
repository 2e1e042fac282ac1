//! The simulated broker beside the one within a process.

use std::sync::{Arc, Mutex};

use steadfast_core::decision::Message;
use steadfast_embedded::{InprocBroker, InprocSubscription};
use steadfast_services::port::{Broker, Committed, Published, StoreError, Topic};
use steadfast_sim::{Settings, SimBroker, report, stage};

use crate::differential::operations;
use crate::differential_brokers::{Summary, perform};

/// How many messages a history has.
const MESSAGES: u64 = 1_000;

/// What a simulated broker makes of a history.
pub(crate) fn simulated(seed: u64, count: u64) -> Summary {
    let summary = Arc::new(Mutex::new(Summary::default()));
    let written = Arc::clone(&summary);
    let outcome = stage::perform(seed, &Settings::default(), move |me| async move {
        let found = perform(&SimBroker::new(me), seed, count).await;
        *written.lock().expect("nobody panicked") = found;
    });
    assert!(outcome.held(), "{}", report("differential", &outcome));
    std::mem::take(&mut *summary.lock().expect("nobody panicked"))
}

/// Loses one message.
#[derive(Clone)]
struct Doctored(InprocBroker);

impl Broker for Doctored {
    type Subscription = InprocSubscription;

    async fn publish(
        &self,
        after: &Committed,
        mut messages: Vec<Message>,
    ) -> Result<Published, StoreError> {
        messages.retain(|message| *message != crate::broker::advance(77));
        self.0.publish(after, messages).await
    }

    async fn subscribe(&self, topic: Topic) -> Result<InprocSubscription, StoreError> {
        self.0.subscribe(topic).await
    }
}

#[tokio::test]
async fn messages_end_alike_within_a_process() {
    let (mut seed, mut compared) = (0, 0);
    while compared < operations(25_000) {
        seed += 1;
        let here = simulated(seed, MESSAGES);
        let there = perform(&InprocBroker::new(), seed, MESSAGES).await;
        compared += here.operations;
        here.compare(&there).unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
    }
}

#[tokio::test]
async fn a_broker_that_loses_a_message_is_found() {
    let there = perform(&Doctored(InprocBroker::new()), 1, 200).await;
    let difference = simulated(1, 200).compare(&there).expect_err("one was lost");
    assert!(difference.contains("message 77"), "{difference}");
}
