//! The store: a pool of connections, each transaction on one of its own.

use std::sync::Arc;

use sqlx::postgres::PgPool;
use steadfast_core::Span;
use steadfast_services::port::{Load, Retained, Store};

use crate::error::OpenError;
use crate::ids::Ids;
use crate::open;
use crate::options::Options;
use crate::session::{Beginnings, Session};
use crate::transaction::PostgresTransaction;

/// The store on PostgreSQL. Clones share it.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    beginnings: Beginnings,
    ids: Arc<Ids>,
}

impl PostgresStore {
    /// Connects to the database at `url`, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// If the database cannot be used: see [`OpenError`].
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let connect = open::connect_options(url)?;
        open::prepare(&connect, &options).await?;
        let shared = Shared {
            pool: open::pool(connect, &options),
            beginnings: Beginnings::new(&options),
            ids: Arc::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Ends everything in good order: waits for the transactions that are under way, then closes
    /// the connections. Later transactions are refused.
    pub async fn close(&self) {
        self.shared.pool.close().await;
    }

    /// A transaction that may write.
    pub(crate) async fn session(&self) -> Load<Session> {
        Session::write(&self.shared.pool, &self.shared.beginnings).await
    }

    /// A transaction that sees one moment and writes nothing.
    pub(crate) async fn snapshot(&self) -> Load<Session> {
        Session::read(&self.shared.pool, &self.shared.beginnings).await
    }
}

impl Store for PostgresStore {
    type Tx = PostgresTransaction;

    async fn begin(&self, _purpose: &'static str) -> Load<PostgresTransaction> {
        let session = self.session().await?;
        Ok(PostgresTransaction::begun(session, Arc::clone(&self.shared.ids)))
    }

    async fn retain(&self, keep: Span) -> Load<Retained> {
        self.retain_some(keep).await
    }
}
