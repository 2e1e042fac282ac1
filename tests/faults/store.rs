//! What a store may say when something breaks under it, and what must then be so, whatever breaks it
//! and whether it is real.
#![allow(dead_code, reason = "each test program uses its part")]

use std::future::Future;

use steadfast_core::ExecutionId;
use steadfast_services::port::{Batch, Commit, Query, Store, StoreError, Transaction};

use crate::store::rows::{commit, execution};

/// The statement that is under way when it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Load,
    Write,
    Commit,
}

/// How it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The connection is gone before the server hears of the statement.
    BeforeItIsHeard,
    /// The server has done it, and the connection is gone before anybody is told.
    BeforeItIsTold,
    /// Some of the answer arrives.
    InTheAnswer,
    /// The server has ended the session before the statement is sent.
    SessionEnded,
    /// The server goes away and comes back before the statement is sent.
    ServerRestarts,
}

const STATEMENTS: [At; 3] = [At::Load, At::Write, At::Commit];
const BLOWS: [Blow; 5] = [
    Blow::BeforeItIsHeard,
    Blow::BeforeItIsTold,
    Blow::InTheAnswer,
    Blow::SessionEnded,
    Blow::ServerRestarts,
];

/// A store that can be broken.
pub(crate) trait Breakable: Sync {
    /// The store.
    type Store: Store<Tx: Transaction + Send> + Query;

    fn store(&self) -> &Self::Store;

    /// Lets this happen: at once, or to the next such statement. Whether that is possible here.
    fn strike(&self, at: At, blow: Blow) -> impl Future<Output = bool> + Send;
}

/// What became of a transaction.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Committed,
    Failed,
    Unknown,
}

/// A transaction with one statement of each sort, struck at one of them.
async fn transact<B: Breakable>(of: &B, id: u64, at: At, blow: Blow) -> Option<Outcome> {
    let mut tx = of.store().begin("test").await.expect("it begins");
    if at == At::Load && !of.strike(at, blow).await {
        return None;
    }
    let loaded = tx.executions(&[ExecutionId(id)]).await;
    assert_eq!(loaded.is_err(), at == At::Load, "{blow:?}: {loaded:?}");
    if at == At::Write && !of.strike(at, blow).await {
        return None;
    }
    let written = tx.apply(Batch::InsertExecutions(&[execution(id)])).await;
    assert_eq!(written.is_err(), at != At::Commit, "{at:?}, {blow:?}: {written:?}");
    let told = [loaded.err(), written.err()];
    let is_outage = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
    assert!(told.iter().flatten().all(is_outage), "{at:?}, {blow:?}: {told:?}");
    if at == At::Commit && !of.strike(at, blow).await {
        return None;
    }
    Some(match tx.commit().await {
        Commit::Committed(_) => Outcome::Committed,
        Commit::Failed(StoreError::Unavailable(_)) => Outcome::Failed,
        Commit::Failed(other) => panic!("{at:?}, {blow:?}: {other}"),
        Commit::Unknown(_) => Outcome::Unknown,
    })
}

async fn exists<B: Breakable>(of: &B, id: u64) -> bool {
    let mut patience = 100;
    loop {
        match Query::execution(of.store(), ExecutionId(id)).await {
            Ok(found) => return found.is_some(),
            // It may still be on its way back.
            Err(error) => assert!(patience > 0, "{error}"),
        }
        patience -= 1;
        crate::stage::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Breaks it at every statement in every way. Answers with how many of these there were.
pub(crate) async fn whatever_breaks_the_outcome_is_true<B: Breakable>(of: B) -> usize {
    let (mut id, mut tried) = (0, 0);
    for at in STATEMENTS {
        for blow in BLOWS {
            id += 1;
            let Some(outcome) = transact(&of, id, at, blow).await else { continue };
            tried += 1;
            let is_there = exists(&of, id).await;
            let has_landed =
                at == At::Commit && matches!(blow, Blow::BeforeItIsTold | Blow::InTheAnswer);
            assert_eq!(is_there, has_landed, "{at:?}, {blow:?}: {outcome:?}");
            match outcome {
                Outcome::Committed => assert!(is_there, "{at:?}, {blow:?}: it is not there"),
                Outcome::Failed => assert!(!is_there, "{at:?}, {blow:?}: it is there"),
                Outcome::Unknown => assert_eq!(at, At::Commit, "{blow:?}: it can be known"),
            }
            // Whoever does it again finds out by the key, and the store goes on.
            let mut again = of.store().begin("test").await.expect("it begins");
            let told = again.apply(Batch::InsertExecutions(&[execution(id)])).await;
            let is_refused = matches!(told, Err(StoreError::Conflict(_)));
            assert_eq!(is_refused, is_there, "{at:?}, {blow:?}: {told:?}");
            if !is_refused {
                commit(again).await;
            }
        }
    }
    tried
}
