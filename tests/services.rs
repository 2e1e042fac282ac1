//! The services on the embedded store.

#[path = "contract/services.rs"]
mod services;

use steadfast_embedded::{DataDir, EmbeddedStore, Options};

async fn fresh() -> (EmbeddedStore, ()) {
    let directory = DataDir::temporary().await.expect("a directory can be made");
    let store = EmbeddedStore::open(directory, Options::default()).await;
    (store.expect("it opens"), ())
}

services::services_contract!(fresh);
