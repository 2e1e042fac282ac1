//! The API on a network: bounded in connections and in patience, and stopped without cutting
//! anybody short.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::auth::check_listen;
use super::{ApiOptions, probes_until, router_until};
use crate::engine::Engine;

/// A request's head is refused (431) once it is larger than this and still not whole.
const MAX_HEAD: usize = 32 * 1024;

/// The most header fields that a request may have.
const MAX_HEADERS: usize = 100;

/// How long accepting pauses when the system has no file descriptors left.
const BREATH: Duration = Duration::from_millis(100);

/// Serves the API on `listener` until `stop` is cancelled, then lets requests under way finish
/// within [`ApiOptions::shutdown_grace`]; event streams end at once.
///
/// # Errors
/// If other machines can reach the listener and no tokens are configured.
pub async fn serve(
    engine: Engine,
    listener: TcpListener,
    options: ApiOptions,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = router_until(engine, options.clone(), stop.clone());
    serve_router(router, listener, options, stop).await
}

/// Serves on `listener` what probes and scrapers ask of a process that has no API: `/health/live`,
/// `/health/ready`, `/health/detailed`, `/metrics`, and, for executors, `/health/worker`. Until `stop`
/// is cancelled.
///
/// # Errors
/// If other machines can reach the listener and no tokens are configured.
pub async fn serve_probes(
    engine: Engine,
    listener: TcpListener,
    options: ApiOptions,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = probes_until(engine, options.clone(), stop.clone());
    serve_router(router, listener, options, stop).await
}

async fn serve_router(
    router: Router,
    listener: TcpListener,
    options: ApiOptions,
    stop: CancellationToken,
) -> io::Result<()> {
    check_listen(listener.local_addr()?, &options.tokens)
        .map_err(|refusal| io::Error::new(io::ErrorKind::PermissionDenied, refusal))?;
    let grace = options.shutdown_grace;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let service = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    while let Some((socket, permit)) = accept(&listener, &permits, &stop).await {
        // What has ended is forgotten, so that the set stays as small as what is open.
        while connections.try_join_next().is_some() {}
        let connection = http.serve_connection(TokioIo::new(socket), service.clone());
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        warn!("requests were still under way after {grace:?}; they are cut off");
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection, when there is room for one; nothing when it is time to stop.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        // Those who come while there is no room wait in the system's backlog.
        let permit = Arc::clone(permits).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    // Answers are written whole; waiting for more to send only delays them.
                    let _ = socket.set_nodelay(true);
                    return Some((socket, permit));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = next => accepted,
    }
}
