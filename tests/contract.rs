//! What every adapter has to keep, asked of those that need no server: the store on SQLite, the
//! broker within a process, and the simulated store and broker.
#![expect(clippy::disallowed_methods, reason = "brokers are watched from outside the engine")]

#[path = "contract/broker.rs"]
mod broker;
#[path = "faults/broker.rs"]
mod broker_faults;
#[path = "faults/simulated_broker.rs"]
mod broker_faults_simulated;
#[path = "differential/mod.rs"]
mod differential;
#[path = "differential/broker.rs"]
mod differential_brokers;
#[path = "differential/embedded.rs"]
mod differential_embedded;
#[path = "differential/in_process.rs"]
mod differential_in_process;
#[path = "faults/store.rs"]
mod faults;
#[path = "faults/simulated.rs"]
mod faults_simulated;
#[path = "contract/services.rs"]
mod services;
#[path = "contract/simulated.rs"]
mod simulated;
#[path = "contract/stage.rs"]
mod stage;
#[path = "contract/store/mod.rs"]
mod store;

use steadfast_embedded::{DataDir, EmbeddedStore, InprocBroker, Options};

async fn fresh() -> (EmbeddedStore, ()) {
    let directory = DataDir::temporary().await.expect("a directory can be made");
    let store = EmbeddedStore::open(directory, Options::default()).await;
    (store.expect("a store can be made"), ())
}

store::store_contract!(fresh);
services::services_contract!(fresh);

#[test]
fn the_store_and_the_snapshot_agree() {
    store::random::the_store_and_the_snapshot_agree(async || fresh().await.0);
}

mod in_process {
    use super::InprocBroker;

    async fn fresh(_case: &str) -> (InprocBroker, ()) {
        (InprocBroker::new(), ())
    }

    crate::broker::broker_contract!(tokio fresh);
}
