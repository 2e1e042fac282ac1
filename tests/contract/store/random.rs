//! The same random commits, applied to the core's snapshot and to the store, are taken or refused
//! alike and read back alike.

mod draw;
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
struct Tally {
    taken: u32,
    refused: u32,
    skipped: u32,
}

async fn compare<S: Full>(store: S, seeds: Vec<u64>, tally: &mut Tally) {
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
}

/// Runs with a store that `fresh` makes for each sequence of commits.
pub(crate) fn the_store_and_the_snapshot_agree<S: Full>(fresh: impl AsyncFn() -> S) {
    let config = ProptestConfig { cases: 16, ..ProptestConfig::with_source_file(file!()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let tally = RefCell::new(Tally::default());
    let seeds = prop::collection::vec(any::<u64>(), 20..60);
    let result = TestRunner::new(config).run(&seeds, |seeds| {
        let store = runtime.block_on(fresh());
        runtime.block_on(compare(store, seeds, &mut tally.borrow_mut()));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let tally = tally.into_inner();
    assert!(tally.taken > 200 && tally.refused > 4, "too little was tried: {tally:?}");
}
