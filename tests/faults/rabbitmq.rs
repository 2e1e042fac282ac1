//! RabbitMQ, broken by its operator.

use std::sync::Mutex;

use steadfast_rabbitmq::RabbitBroker;
use steadfast_servers::RabbitServer;

use crate::broker_faults::{Blow, Breakable, what_was_not_settled_comes_again_whatever_breaks};
use crate::support::{options, private};

struct Real {
    server: Mutex<RabbitServer>,
    broker: RabbitBroker,
}

impl Breakable for Real {
    type Broker = RabbitBroker;

    fn broker(&self) -> &RabbitBroker {
        &self.broker
    }

    async fn strike(&self, blow: Blow) -> bool {
        let mut server = self.server.lock().expect("nobody panicked");
        match blow {
            // A channel of the broker's own cannot be closed from outside alone; `outages.rs` lets
            // the server do so by deleting what it needs.
            Blow::ChannelCloses => return false,
            Blow::ConnectionsClose => {
                server.rabbitmqctl(&["close_all_connections", "by the test"]).expect("it is done");
            }
            Blow::Restarts => server.restart().expect("it comes back"),
            // Its consumer does not hear of it within a minute, which is not mended yet: its hints are
            // lost until it subscribes again, and a sweep finds what they spoke of.
            Blow::QueueDeleted => return false,
        }
        true
    }

    /// The memory alarm in `outages.rs` holds confirms back; nothing here can lose one alone.
    async fn lose_a_confirm(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_settled_comes_again_whatever_breaks_rabbitmq() {
    let server = private();
    let broker = RabbitBroker::connect(options(&server.url(), "broken")).await;
    let broker = broker.expect("it can be used");
    let real = Real { server: Mutex::new(server), broker };
    assert_eq!(what_was_not_settled_comes_again_whatever_breaks(real).await, 2);
}
