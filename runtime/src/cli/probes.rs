//! Where a process without an API says how it is.

use std::net::SocketAddr;
use std::path::Path;

use steadfast_runtime::Engine;
use steadfast_runtime::api::{self, ApiOptions, wait_on};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::dev::{api_options, listen_for, local_address};
use super::failure::Failure;
use crate::config::Config;

/// The port of a process, if it has one.
pub(super) struct Probes(Option<(TcpListener, ApiOptions)>);

impl Probes {
    /// Binds `address`, which `key` says, if it says anything.
    pub(super) async fn bind(
        key: &str,
        address: Option<&String>,
        config: &Config,
    ) -> Result<Self, Failure> {
        let Some(address) = address else { return Ok(Self(None)) };
        let options = api_options(config)?;
        let listener = listen_for(key, key, address, &options.tokens).await?;
        Ok(Self(Some((listener, options))))
    }

    /// Where others find it, unless somebody has said that.
    pub(super) fn address(&self) -> Result<Option<String>, Failure> {
        let Some((listener, _)) = &self.0 else { return Ok(None) };
        let address = local_address(listener)?;
        Ok(Some(published(address, Path::new("/proc/sys/kernel/hostname"))))
    }

    /// Says that the process lives and is not ready, for as long as this is awaited.
    pub(super) async fn wait(&self) {
        match &self.0 {
            Some((listener, options)) => wait_on(listener, options).await,
            None => std::future::pending().await,
        }
    }

    /// Answers until `stop` is cancelled. A port that fails is no reason to stop working.
    pub(super) async fn serve(self, engine: &Engine, stop: &CancellationToken) {
        let Some((listener, options)) = self.0 else { return stop.cancelled().await };
        let served = api::serve_probes(engine.clone(), listener, options, stop.clone()).await;
        if let Err(error) = served {
            tracing::error!(%error, "probes are not answered any more");
            stop.cancelled().await;
        }
    }
}

/// An address that listens everywhere is found under the name of its host.
fn published(address: SocketAddr, hostname: &Path) -> String {
    let name = std::fs::read_to_string(hostname).ok();
    match name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) if address.ip().is_unspecified() => format!("{name}:{}", address.port()),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_everywhere_is_found_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("hostname");
        std::fs::write(&name, "ada.example\n").unwrap();
        for (address, found) in [
            ("127.0.0.1:9100", "127.0.0.1:9100"),
            ("0.0.0.0:9100", "ada.example:9100"),
            ("[::]:9100", "ada.example:9100"),
            ("[::1]:9100", "[::1]:9100"),
        ] {
            assert_eq!(published(address.parse().unwrap(), &name), found);
        }
    }
}
