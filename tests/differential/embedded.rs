//! The simulated store beside SQLite.

use std::sync::Arc;

use crate::differential::doctor::{Ailment, Doctor};
use crate::differential::replay::{Difference, one_by_one};
use crate::differential::{History, operations, record};

/// How many calls a history has; each has stores of its own.
const CALLS: usize = 1_500;

fn replay(history: &History, doctor: Doctor) -> Result<(), Difference> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (store, ()) = crate::fresh().await;
        one_by_one(store, history, Arc::new(doctor)).await
    })
}

/// Compares so many calls; answers with how many had to wait, and how many were refused.
fn compare(clients: usize, calls: usize) -> (usize, usize) {
    let (mut waits, mut refusals) = (0, 0);
    for seed in 0..calls.div_ceil(CALLS) as u64 {
        let history = record(seed, clients, CALLS, None);
        let (waited, refused) = history.waits_and_refusals();
        (waits, refusals) = (waits + waited, refusals + refused);
        if let Err(Difference(text)) = replay(&history, Doctor::default()) {
            panic!("{text}");
        }
    }
    (waits, refusals)
}

#[test]
fn a_client_alone_is_answered_the_same() {
    let (waits, refusals) = compare(1, operations(45_000));
    assert_eq!(waits, 0, "there is nobody to wait for");
    assert!(refusals > 100, "too little was refused: {refusals}");
}

#[test]
fn several_clients_leave_the_same_rows() {
    let (waits, refusals) = compare(4, operations(30_000));
    assert!(waits > 100 && refusals > 100, "too little happened: {waits}, {refusals}");
}

/// How many calls it takes at the most until a fault is found.
const BUDGET: u64 = 20_000 / CALLS as u64;

#[test]
fn a_store_that_loses_an_update_or_forgets_the_order_is_found() {
    for ailment in [Ailment::LosesAnUpdate, Ailment::ForgetsTheOrder] {
        let finds = |seed| replay(&record(seed, 1, CALLS, None), Doctor::with(ailment)).is_err();
        assert!((0..BUDGET).any(finds), "{ailment:?} was not found");
    }
}

#[test]
fn a_simulated_store_with_a_bug_of_the_catalogue_is_found() {
    for (bug, clients) in [
        ("line_read_newest_first", 1),
        ("children_query_lacks_abandoned", 1),
        ("start_without_compare_and_set", 1),
        ("burial_without_compare_and_set", 1),
        ("submit_key_checked_by_reading", 1),
    ] {
        let finds =
            |seed| replay(&record(seed, clients, CALLS, Some(bug)), Doctor::default()).is_err();
        assert!((0..BUDGET).any(finds), "{bug} was not found");
    }
}
