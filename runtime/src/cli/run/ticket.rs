//! Which run of the same thing in a data directory this is.
//!
//! Runs of one action with the same parameters are numbered. The number of the current one is a
//! note that moves on once its result has gone to standard output; each is submitted under a key
//! made of its number. So whenever a process dies, the next one submits under the same key and
//! finds what is there, whether it was about to run, running, or ended without having been shown.

use serde_json::Value;
use sha2::{Digest, Sha256};
use steadfast_runtime::Engine;
use steadfast_services::port::{Query, StoreError};

/// The current run of an action with these parameters.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    note: String,
    number: u64,
}

impl Ticket {
    /// Reads the number of the current run.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn read(
        engine: &Engine,
        action: &str,
        parameters: &Value,
    ) -> Result<Self, StoreError> {
        let mut hasher = Sha256::new();
        hasher.update(action.as_bytes());
        hasher.update([0]);
        hasher.update(parameters.to_string().as_bytes());
        let hash: String =
            hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let note = format!("run:{action}:{hash}");
        let found = engine.query().note(&note).await?;
        let number = found.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self { note, number })
    }

    /// The key that the run is submitted under.
    pub(crate) fn key(&self) -> String {
        format!("{}:{}", self.note, self.number)
    }

    /// The result has gone to standard output: the next run is a new one.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub(crate) async fn delivered(&self, engine: &Engine) -> Result<(), StoreError> {
        engine.query().put_note(&self.note, &(self.number + 1).to_string()).await
    }
}
