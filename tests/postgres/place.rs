//! Where the tests find a database of their own: on one server, which all that run at the same
//! time share and the last one stops.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use steadfast_postgres::{Options, PostgresStore};
use steadfast_servers::{PgBouncer, Postgres};

/// The shared server.
pub(crate) fn server() -> Arc<Postgres> {
    static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let started = Postgres::start(&[]).unwrap_or_else(|failure| panic!("{failure}"));
    let started = Arc::new(started);
    *shared = Arc::downgrade(&started);
    started
}

/// The name of a new, empty database.
pub(crate) fn database(server: &Postgres) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).unwrap_or_else(|failure| panic!("{failure}"));
    name
}

/// A store in a database of its own.
pub(crate) async fn store_on(server: &Postgres) -> PostgresStore {
    open(&server.url(&database(server))).await
}

/// A store at an address.
pub(crate) async fn open(url: &str) -> PostgresStore {
    let store = PostgresStore::open(url, Options::default()).await;
    store.unwrap_or_else(|error| panic!("{error}"))
}

/// A store that speaks to the server.
pub(crate) async fn direct() -> (PostgresStore, Arc<Postgres>) {
    let server = server();
    (store_on(&server).await, server)
}

/// A store that speaks to a pooler with fewer sessions than the store has connections.
pub(crate) async fn pooled() -> (PostgresStore, (PgBouncer, Arc<Postgres>)) {
    let server = server();
    let pooler = PgBouncer::start(&server, &[("default_pool_size", "9")]);
    let pooler = pooler.unwrap_or_else(|failure| panic!("{failure}"));
    let store = open(&pooler.url(&database(&server))).await;
    (store, (pooler, server))
}
