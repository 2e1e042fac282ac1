//! The process beside a worker that outlives it, and says that it is dead.

use std::io;
use std::time::Duration;

use steadfast_core::{Incarnation, Transport, WorkerId, WorkerName};
use steadfast_packs::Catalog;
use steadfast_postgres::PostgresStore;
use steadfast_rabbitmq::RabbitBroker;
pub use steadfast_runner::{Witness, WitnessProgram};
use steadfast_services::port::StoreError;
use steadfast_services::service::witness;

use super::broker::AnyBroker;
use super::builder::{OpenError, Options, Place, Servers, local_env, notified};
use super::env::LocalEnv;
use super::paired::Paired;
use super::store::AnyStore;

/// How long the broker is waited for; without it, what was freed is found by a sweep.
const BROKER: Duration = Duration::from_millis(500);

/// How long to wait before the database is looked for again.
const AGAIN: Duration = Duration::from_millis(200);

/// Listens on standard input until the worker beside it is gone, ends what that has left running,
/// and gives its attempts back. The options are the worker's own. Connections are made only then.
///
/// # Errors
/// If the database cannot be used. The lease of the worker ends by itself.
pub async fn bear_witness(options: Options, mut witness: Witness) -> Result<(), OpenError> {
    let listening = tokio::task::spawn_blocking(move || {
        witness.listen(io::stdin().lock());
        witness
    });
    let Ok(witness) = listening.await else { return Ok(()) };
    let dead = witness.dead_worker();
    // It is under way while the servers are reached.
    let ending = tokio::task::spawn_blocking(move || witness.end_actions());
    let end = async {
        // It returns, or the process ends with it.
        let _ = ending.await;
    };
    match (dead, options.servers.clone()) {
        (Some(incarnation), Some(servers)) => {
            let name = WorkerName::new(&options.worker_name);
            let worker = WorkerId { name, incarnation: Incarnation(incarnation) };
            match reach(&options, servers).await {
                Ok(env) => witness::bear_witness(&env, &worker, end).await,
                Err(error) => {
                    end.await;
                    return Err(error);
                }
            }
        }
        _ => end.await,
    }
    Ok(())
}

/// The servers, as soon as the database can be reached.
async fn reach(options: &Options, servers: Servers) -> Result<LocalEnv, OpenError> {
    let broker = async {
        let Some(message_queue) = servers.message_queue.clone() else {
            let broker = notified(options, &servers).await?;
            return Ok::<_, OpenError>((broker, Transport::Postgres));
        };
        let connecting = RabbitBroker::connect(message_queue.clone());
        let rabbit = match tokio::time::timeout(BROKER, connecting).await {
            Ok(Ok(broker)) => broker,
            Ok(Err(_)) | Err(_) => RabbitBroker::start(message_queue)?,
        };
        // A sweep finds what nobody heard of.
        Ok((AnyBroker::Rabbit(Paired { rabbit, wire: None }), Transport::Rabbitmq))
    };
    // By then the lease has ended by itself.
    let patience = Duration::from(options.settings.lease.times(3));
    let (store, broker) = tokio::join!(open(&servers, patience), broker);
    let (broker, transport) = broker?;
    let at = Place { store: AnyStore::Postgres(store?), broker, transport, directory: None };
    local_env(options, at, Catalog::default())
}

async fn open(servers: &Servers, patience: Duration) -> Result<PostgresStore, OpenError> {
    let options = steadfast_postgres::Options { connections: 1, ..servers.database.clone() };
    let opening = async {
        loop {
            match PostgresStore::open(&servers.database_url, options.clone()).await {
                Ok(store) => return store,
                Err(error) => tracing::warn!(%error, "the witness cannot reach the database"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let opened = tokio::time::timeout(patience, opening).await;
    opened
        .map_err(|_| OpenError::Store(StoreError::Unavailable(String::from("it does not answer"))))
}
