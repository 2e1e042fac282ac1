//! The same random commits, applied to the core's snapshot and to the store, are taken or refused
//! alike and read back alike.

pub(crate) mod draw;
mod reads;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use steadfast_core::decision::Writes;
use steadfast_core::snapshot::{Conflict, Snapshot};
use steadfast_services::port::{Batch, StoreError, Transaction};

use super::Full;
use super::rows::commit;
use draw::Draw;

async fn write(store: &impl Full, writes: &Writes) -> Result<(), StoreError> {
    let batches = [
        Batch::InsertWorkers(&writes.workers.inserted),
        Batch::UpdateWorkers(&writes.workers.updated),
        Batch::InsertQueues(&writes.queues.inserted),
        Batch::UpdateQueues(&writes.queues.updated),
        Batch::InsertRuns(&writes.runs.inserted),
        Batch::UpdateRuns(&writes.runs.updated),
        Batch::InsertExecutions(&writes.executions.inserted),
        Batch::UpdateExecutions(&writes.executions.updated),
        Batch::InsertVisits(&writes.visits.inserted),
        Batch::UpdateVisits(&writes.visits.updated),
        Batch::InsertParameters(&writes.parameters),
        Batch::InsertOutcomes(&writes.results),
        Batch::InsertItems(&writes.items),
    ];
    let mut tx = store.begin("test").await?;
    for batch in batches {
        tx.apply(batch).await?;
    }
    commit(tx).await;
    Ok(())
}

/// How many commits both took, both refused, and how many were not tried.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    taken: u32,
    refused: u32,
    skipped: u32,
}

/// Writes what the seeds draw, to a store and to a snapshot, and compares.
pub(crate) async fn compare<S: Full>(store: S, seeds: Vec<u64>) -> Tally {
    let mut tally = Tally::default();
    let mut model = Snapshot::new();
    for seed in seeds {
        let writes = Draw::new(seed).writes(&model);
        let mut after = model.clone();
        match after.apply(&writes) {
            Ok(()) => {
                write(&store, &writes).await.expect("the snapshot took it");
                model = after;
                tally.taken += 1;
            }
            // What a schema without foreign keys does not see; the store's own tests have the rest.
            Err(Conflict::Impossible { .. }) => {
                tally.skipped += 1;
                continue;
            }
            Err(conflict) => {
                let result = write(&store, &writes).await;
                let refused = matches!(result, Err(StoreError::Conflict(_)));
                assert!(refused, "{result:?}, but the snapshot says {conflict}");
                tally.refused += 1;
            }
        }
        let mut tx = store.begin("test").await.expect("a transaction begins");
        reads::compare(&mut tx, &model).await;
    }
    tally
}

/// Runs with a store that `fresh` makes for each sequence of commits.
pub(crate) fn the_store_and_the_snapshot_agree<S: Full>(fresh: impl AsyncFn() -> S) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for_any_seeds(|seeds| runtime.block_on(async { compare(fresh().await, seeds).await }));
}

/// Draws sequences of commits for `compare`, a store of its own for each.
pub(crate) fn for_any_seeds(compare: impl Fn(Vec<u64>) -> Tally) {
    let config = ProptestConfig { cases: 16, ..ProptestConfig::with_source_file(file!()) };
    let sum = RefCell::new(Tally::default());
    let seeds = prop::collection::vec(any::<u64>(), 20..60);
    let result = TestRunner::new(config).run(&seeds, |seeds| {
        let (more, mut sum) = (compare(seeds), sum.borrow_mut());
        sum.taken += more.taken;
        sum.refused += more.refused;
        sum.skipped += more.skipped;
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let sum = sum.into_inner();
    assert!(sum.taken > 200 && sum.refused > 4, "too little was tried: {sum:?}");
}
