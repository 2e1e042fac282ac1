//! The simulated store, broken by its own faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast_sim::{Occasion, SimStore, Site, Strike};

use crate::faults::{At, Blow, Breakable, whatever_breaks_the_outcome_is_true};
use crate::simulated::of_store;

struct Simulated(SimStore);

impl Breakable for Simulated {
    type Store = SimStore;

    fn store(&self) -> &SimStore {
        &self.0
    }

    async fn strike(&self, at: At, blow: Blow) -> bool {
        let world = self.0.process().world();
        let site = match at {
            At::Load => Site::Load,
            At::Write => Site::Write,
            At::Commit => Site::Commit,
        };
        let strike = match (at, blow) {
            (_, Blow::SessionEnded | Blow::ServerRestarts) => {
                world.restart_store();
                return true;
            }
            (At::Commit, Blow::BeforeItIsHeard) => Strike::CommitLost,
            (At::Commit, _) => Strike::CommitLandsReplyLost,
            (_, Blow::BeforeItIsHeard) => Strike::ConnectionReset,
            (_, Blow::BeforeItIsTold) => Strike::StatementTimesOut,
            (_, Blow::InTheAnswer) => Strike::StatementFails,
        };
        world.at_the_next(Occasion::at(site), strike);
        true
    }
}

#[test]
fn whatever_breaks_the_simulated_store_the_outcome_is_true() {
    let tried = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tried);
    of_store(move |store| {
        let counted = Arc::clone(&counted);
        async move {
            let tried = whatever_breaks_the_outcome_is_true(Simulated(store)).await;
            counted.store(tried, Ordering::Relaxed);
        }
    });
    assert_eq!(tried.load(Ordering::Relaxed), 15);
}
