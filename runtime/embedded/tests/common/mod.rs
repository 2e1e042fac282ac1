//! A store to write to, and rows to write.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(unused_imports, reason = "each test file uses what it needs")]

#[path = "../../../../tests/contract/store/rows.rs"]
mod rows;

pub(crate) use rows::*;
use steadfast_embedded::{DataDir, EmbeddedStore, Options};

/// A store in a directory of its own.
pub(crate) async fn store() -> EmbeddedStore {
    let directory = DataDir::temporary().await.expect("a directory can be made");
    EmbeddedStore::open(directory, Options::default()).await.expect("a store can be made")
}
