//! What every adapter has to keep, asked of the one that needs no server.

#[path = "contract/services.rs"]
mod services;
#[path = "contract/store/mod.rs"]
mod store;

use steadfast_embedded::{DataDir, EmbeddedStore, Options};

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
