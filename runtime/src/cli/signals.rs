//! SIGINT and SIGTERM: the first asks for an end in good order, the second for one at once.

use std::future::Future;

use steadfast_runtime::Engine;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::{Code, Failure};

/// Both signals.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on the signals are handed out by [`Signals::next`] instead of ending the process.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let catch = |kind| {
            signal(kind)
                .map_err(|error| Failure::environment(format!("signals cannot be caught: {error}")))
        };
        let (interrupt, terminate) =
            (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    /// Waits for the next signal and gives the exit code that it stands for.
    pub(crate) async fn next(&mut self) -> Code {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Code::Interrupted,
            _ = self.terminate.recv() => Code::Terminated,
        }
    }

    /// Waits for an engine's end, which was asked for already: the next signal stops its running work
    /// at once, and one more gives up waiting (`None`).
    pub(crate) async fn hurried<T>(
        &mut self,
        engine: &Engine,
        end: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::pin!(end);
        tokio::select! {
            biased;
            ended = &mut end => return Some(ended),
            _ = self.next() => engine.hurry(),
        }
        tokio::select! {
            biased;
            ended = &mut end => Some(ended),
            _ = self.next() => None,
        }
    }
}
