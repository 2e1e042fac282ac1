//! `dev`: API, executor and a worker in one process on the embedded store.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steadfast_runtime::api::{self, ApiOptions, Role, Token, check_listen};
use steadfast_runtime::{Data, Engine};
use tokio::net::{TcpListener, lookup_host};
use tokio_util::sync::CancellationToken;

use super::Setting;
use super::arguments::Dev;
use super::failure::{Code, Failure};
use super::setup;
use super::signals::Signals;
use crate::config::Config;
use crate::output::show;

/// How long the engine may take to stop, apart from the time that running work gets.
pub(crate) const GOODBYE: Duration = Duration::from_secs(10);

/// Serves until a signal comes.
pub(crate) fn dev(asked: Dev, setting: &Setting) -> Result<Code, Failure> {
    let config = &setting.config;
    let catalog = setup::load_catalog(config, &asked.pack)?;
    let actions = catalog.iter().count();
    let mut options = config.options();
    let directory = asked.data.or_else(|| configured_directory(config));
    if let Some(directory) = &directory {
        options.data = Data::Directory(directory.clone());
    }
    let api = api_options(config)?;
    let executor = setup::executor()?;
    let ended = executor.block_on(async {
        let mut signals = Signals::catch()?;
        // The port first: it is the likelier to be refused, and then nothing was touched.
        let listener = listen(&config.api.listen, &api.tokens).await?;
        let address = local_address(&listener)?;
        let starting = Engine::builder().options(options).catalog(catalog).start();
        let engine = tokio::select! {
            biased;
            code = signals.next() => return Ok(code),
            engine = starting => engine?,
        };
        announce(address, &place_of(directory.as_deref()), actions)?;
        let patience = Duration::from(config.worker.shutdown_timeout) + config.worker.kill_grace;
        serve(engine, listener, api, patience + GOODBYE, &mut signals).await
    });
    executor.shutdown_background();
    ended
}

pub(crate) async fn serve(
    engine: Engine,
    listener: TcpListener,
    options: ApiOptions,
    patience: Duration,
    signals: &mut Signals,
) -> Result<Code, Failure> {
    let stop = CancellationToken::new();
    let server = api::serve(engine.clone(), listener, options, stop.clone());
    tokio::pin!(server);
    let code = tokio::select! {
        biased;
        code = signals.next() => code,
        () = engine.stopped() => {
            return Err(Failure::environment(
                "the engine stopped because of a bug, which the log names; start it again to go on"
                    .to_owned(),
            ));
        }
        served = &mut server => {
            engine.shutdown(false).await;
            return Err(Failure::environment(match served {
                Ok(()) => "the API server ended by itself".to_owned(),
                Err(error) => format!("the API server failed: {error}"),
            }));
        }
    };
    eprintln!("steadfast: stopping; a second signal stops running work at once");
    // The API answers while running work finishes, so that it can be watched and says not ready.
    let finish = async {
        if tokio::time::timeout(patience, engine.shutdown(false)).await.is_err() {
            tracing::warn!("the engine did not stop in time; what it had is taken up next time");
        }
        stop.cancel();
    };
    let ended = async {
        let (served, ()) = tokio::join!(&mut server, finish);
        served
    };
    if let Some(Err(error)) = signals.hurried(&engine, ended).await {
        tracing::warn!(%error, "the API server did not end in good order");
    }
    Ok(code)
}

/// Binds the port of the API.
pub(crate) async fn listen(text: &str, tokens: &[Token]) -> Result<TcpListener, Failure> {
    listen_for("api.listen", "--listen", text, tokens).await
}

/// Binds the port that `key` says, and that `where_else` changes.
pub(super) async fn listen_for(
    key: &str,
    where_else: &str,
    text: &str,
    tokens: &[Token],
) -> Result<TcpListener, Failure> {
    let mut found = lookup_host(text).await.map_err(|error| {
        Failure::usage(format!("{key}: `{text}` is no address to listen on: {error}"))
    })?;
    let address = found
        .next()
        .ok_or_else(|| Failure::usage(format!("{key}: `{text}` is no address to listen on")))?;
    check_listen(address, tokens).map_err(|error| Failure::usage(error.to_string()))?;
    TcpListener::bind(address).await.map_err(|error| {
        Failure::environment(match error.kind() {
            ErrorKind::AddrInUse => format!(
                "{address} is in use by another program; stop it or choose another address with \
                 {where_else}"
            ),
            ErrorKind::PermissionDenied => format!(
                "this user may not listen on {address}; choose a port from 1024 on with {where_else}"
            ),
            _ => format!("cannot listen on {address}: {error}"),
        })
    })
}

pub(crate) fn local_address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    let address = listener.local_addr();
    address.map_err(|error| Failure::environment(format!("the port is gone: {error}")))
}

/// The one line on standard output: where it is, for people and for scripts that wait for it.
pub(crate) fn announce(address: SocketAddr, data: &str, actions: usize) -> Result<(), Failure> {
    let line = format!("steadfast listens on http://{address} ({actions} actions; {data})\n");
    show(&line).map_err(|error| Failure::cannot_write(&error))
}

/// Where its data is, in words.
fn place_of(data: Option<&Path>) -> String {
    match data {
        Some(directory) => format!("data in {}", directory.display()),
        None => "data in a temporary directory, gone when this stops; keep it with --data DIR"
            .to_owned(),
    }
}

/// The data directory that `database.url` names, if it is one.
fn configured_directory(config: &Config) -> Option<PathBuf> {
    let url = config.database_url.as_deref()?;
    match url.strip_prefix("sqlite://") {
        Some(path) => Some(PathBuf::from(path)),
        None => {
            eprintln!("steadfast: dev keeps its state in a directory and ignores database.url");
            None
        }
    }
}

pub(crate) fn api_options(config: &Config) -> Result<ApiOptions, Failure> {
    let tokens = config.api.tokens.iter().map(|token| {
        let role = match token.role.as_str() {
            "admin" => Role::Admin,
            "operator" => Role::Operator,
            _ => Role::Viewer,
        };
        Token::new(&token.name, role, &token.sha256)
    });
    Ok(ApiOptions {
        tokens: tokens
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::usage(error.to_string()))?,
        max_body_bytes: config.api.max_body_bytes,
        ..ApiOptions::default()
    })
}
