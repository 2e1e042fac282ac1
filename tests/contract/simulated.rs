//! The same contracts, kept by the simulated store and the simulated broker, each clause in worlds
//! of several seeds: at first everything is as fast as a scheduler, then it takes its time.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadfast_sim::{Outcome, Process, Settings, SimBroker, SimStore, report, stage};

use crate::store::random;

/// How long anything may be under way, one way, in the worlds that a clause is tried in.
pub(crate) const DELAYS: [Duration; 3] =
    [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(9)];

fn held(outcome: &Outcome) {
    assert!(outcome.held(), "{}", report("contract", outcome));
}

/// Performs a play in a world for each delay.
pub(crate) fn perform<F>(delays: &[Duration], play: impl Fn(Process) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    for (seed, delay) in delays.iter().enumerate() {
        let (play, delay) = (play.clone(), *delay);
        held(&stage::perform(seed as u64, &Settings::default(), move |me| async move {
            me.world().set_delay_max(delay);
            play(me).await;
        }));
    }
}

/// Asks a clause of the simulated store.
pub(crate) fn of_store<F>(clause: impl Fn(SimStore) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    perform(&DELAYS, move |me| clause(SimStore::new(me)));
}

/// Asks a case of the simulated broker. It promises no order when messages take their time.
pub(crate) fn of_broker<F>(case: impl Fn(SimBroker) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    perform(&DELAYS[..1], move |me| case(SimBroker::new(me)));
}

mod store {
    crate::store::store_contract!(stage crate::simulated::of_store);
}

mod services {
    crate::services::services_contract!(stage crate::simulated::of_store);
}

#[test]
fn the_store_and_the_snapshot_agree() {
    random::for_any_seeds(|seeds| {
        let tally = Arc::new(Mutex::new(random::Tally::default()));
        let heard = Arc::clone(&tally);
        held(&stage::perform(1, &Settings::default(), move |me| async move {
            let counted = random::compare(SimStore::new(me), seeds).await;
            *heard.lock().expect("nobody panicked") = counted;
        }));
        std::mem::take(&mut *tally.lock().expect("nobody panicked"))
    });
}

mod broker {
    crate::broker::broker_contract!(stage crate::simulated::of_broker);
}
