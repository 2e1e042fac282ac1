//! The simulated broker, broken by its own faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast_sim::{BrokerPlan, Occasion, Process, SimBroker, Site, Strike};

use crate::broker_faults::{
    Blow, Breakable, a_publish_without_a_confirm_has_failed_and_may_arrive,
    what_was_not_settled_comes_again_whatever_breaks,
};
use crate::simulated::{DELAYS, perform};

struct Simulated {
    me: Process,
    broker: SimBroker,
}

impl Simulated {
    /// With queues that survive a restart, as RabbitMQ has them.
    fn new(me: Process) -> Self {
        me.world().set_broker_plan(BrokerPlan { durable: true, ..BrokerPlan::default() });
        Self { broker: SimBroker::new(me.clone()), me }
    }
}

impl Breakable for Simulated {
    type Broker = SimBroker;

    fn broker(&self) -> &SimBroker {
        &self.broker
    }

    async fn strike(&self, blow: Blow) -> bool {
        match blow {
            Blow::ChannelCloses => {
                self.me.world().at_the_next(Occasion::at(Site::Deliver), Strike::ChannelCloses);
            }
            Blow::ConnectionsClose | Blow::Restarts => self.me.world().restart_broker(),
            // It has no operator who would delete a queue.
            Blow::QueueDeleted => return false,
        }
        true
    }

    async fn lose_a_confirm(&self) -> bool {
        self.me.world().at_the_next(Occasion::at(Site::Publish), Strike::ConfirmLost);
        true
    }
}

#[test]
fn what_was_not_settled_comes_again_whatever_breaks_the_simulated_broker() {
    let tried = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tried);
    perform(&DELAYS, move |me| {
        let counted = Arc::clone(&counted);
        async move {
            let tried = what_was_not_settled_comes_again_whatever_breaks(Simulated::new(me)).await;
            counted.store(tried, Ordering::Relaxed);
        }
    });
    assert_eq!(tried.load(Ordering::Relaxed), 3);
}

#[test]
fn a_publish_without_a_confirm_has_failed_and_may_arrive_simulated() {
    perform(&DELAYS[..1], |me| {
        a_publish_without_a_confirm_has_failed_and_may_arrive(Simulated::new(me))
    });
}
