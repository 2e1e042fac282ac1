//! What can be said to everybody who listens to the database: LISTEN and NOTIFY, for hints that
//! cannot go any other way. All of them may be lost.
//!
//! Nothing is notified in the transactions of the engine: a transaction that notifies takes a lock
//! that all others of the server wait for until it has committed. See decision 014.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener};
use steadfast_services::port::{Load, StoreError};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tracing::{debug, info};

use crate::error::{OpenError, store_error};
use crate::open;

/// What is listened to.
const CHANNEL: &str = "steadfast_hints";

/// The longest text that fits into a notification.
pub const LONGEST: usize = 7_900;

/// How much is remembered for a listener that is slow.
const BACKLOG: usize = 1_024;

/// How long a word may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long before a lost connection is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Says things to everybody, and hears them. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Wire(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    speaking: PgPool,
    heard: broadcast::Sender<Arc<str>>,
    listening: AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Wire {
    /// Begins to listen at `direct_url`, which must not lead through a pooler that shares sessions.
    /// A database that is not there is tried again and again. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the address is none.
    pub fn start(direct_url: &str) -> Result<Self, OpenError> {
        let connect = open::connect_options(direct_url)?;
        let (heard, _) = broadcast::channel(BACKLOG);
        let listen = listen(connect.clone(), heard.clone());
        #[expect(clippy::disallowed_methods, reason = "what is heard is of this process alone")]
        let listening = tokio::spawn(listen).abort_handle();
        let speaking = one_connection(connect);
        Ok(Self(Arc::new(Shared { speaking, heard, listening })))
    }

    /// Says texts, of at most [`LONGEST`] bytes each, to everybody who listens now.
    ///
    /// # Errors
    /// If the database does not take them.
    pub async fn say_all(&self, texts: &[String]) -> Load<()> {
        let say = "SELECT pg_notify($1, said) FROM UNNEST($2::text[]) AS said";
        let say = sqlx::query(say).bind(CHANNEL).bind(texts);
        match timeout(PATIENCE, say.execute(&self.0.speaking)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(store_error(&error)),
            Err(_) => Err(StoreError::Unavailable(String::from("no answer to a notification"))),
        }
    }

    /// What is said from now on.
    #[must_use]
    pub fn hear(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.heard.subscribe()
    }
}

fn one_connection(connect: PgConnectOptions) -> PgPool {
    let pool = open::pool_options(&connect).max_connections(1).acquire_timeout(PATIENCE);
    pool.idle_timeout(Duration::from_secs(60)).connect_lazy_with(connect)
}

async fn listen(connect: PgConnectOptions, heard: broadcast::Sender<Arc<str>>) {
    let pool = one_connection(connect);
    loop {
        if let Err(error) = listen_once(&pool, &heard).await {
            debug!(%error, "nothing is heard from the database; trying again");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Listens until the connection is lost. What is said until it is there again is lost, as any hint
/// may be.
async fn listen_once(
    pool: &PgPool,
    heard: &broadcast::Sender<Arc<str>>,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    info!("listening to the database");
    while let Some(notification) = listener.try_recv().await? {
        // Nobody may be there to hear it.
        let _ = heard.send(Arc::from(notification.payload()));
    }
    Ok(())
}
