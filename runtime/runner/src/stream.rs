//! The pipes to and from a process.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use crate::chores::Chores;
use crate::logs::LogWriter;
use crate::redact::Redactor;

/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// What is kept of a stream in memory.
#[derive(Debug)]
pub(crate) enum Keep {
    /// Everything, unless there is more than `limit`: then nothing, and `over` is set.
    All { bytes: Vec<u8>, limit: usize, over: bool },
    /// The last `limit` bytes or so, without the secrets.
    Tail { bytes: Vec<u8>, limit: usize, cut: bool },
}

impl Keep {
    pub(crate) fn all(limit: usize) -> Self {
        Self::All { bytes: Vec::new(), limit, over: false }
    }

    pub(crate) fn tail(limit: usize) -> Self {
        Self::Tail { bytes: Vec::new(), limit, cut: false }
    }

    fn take(&mut self, raw: &[u8], shown: &[u8]) {
        match self {
            Self::All { over: true, .. } => {}
            Self::All { bytes, limit, over } => {
                if bytes.len() + raw.len() > *limit {
                    *over = true;
                    *bytes = Vec::new();
                } else {
                    bytes.extend_from_slice(raw);
                }
            }
            Self::Tail { bytes, limit, cut } => {
                bytes.extend_from_slice(shown);
                // Cut at twice the limit, so that not every piece moves the whole tail.
                if bytes.len() > 2 * *limit {
                    Self::shorten(bytes, *limit, cut);
                }
            }
        }
    }

    fn shorten(bytes: &mut Vec<u8>, limit: usize, cut: &mut bool) {
        if bytes.len() > limit {
            bytes.drain(..bytes.len() - limit);
            *cut = true;
        }
    }

    /// The tail as text, or nothing when the stream was empty.
    pub(crate) fn text(mut self) -> Option<String> {
        let Self::Tail { bytes, limit, cut } = &mut self else { return None };
        Self::shorten(bytes, *limit, cut);
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        let dots = if *cut { "... " } else { "" };
        (!text.is_empty()).then(|| format!("{dots}{text}"))
    }
}

/// One output stream on its way to the log and to memory.
pub(crate) struct OutputStream {
    pipe: Option<pipe::Receiver>,
    redactor: Redactor,
    log: Arc<Mutex<LogWriter>>,
    keep: Keep,
    chores: Chores,
}

impl OutputStream {
    /// Takes over the read end of a pipe.
    pub(crate) fn new(
        fd: Option<OwnedFd>,
        redactor: Redactor,
        log: LogWriter,
        keep: Keep,
        chores: Chores,
    ) -> std::io::Result<Self> {
        let pipe = fd.map(pipe::Receiver::from_owned_fd).transpose()?;
        Ok(Self { pipe, redactor, log: Arc::new(Mutex::new(log)), keep, chores })
    }

    /// Reads to the end of the stream. May be dropped at any point and called again.
    pub(crate) async fn pump(&mut self) {
        let mut buffer = Vec::with_capacity(PIECE);
        while let Some(pipe) = &mut self.pipe {
            buffer.clear();
            match pipe.read_buf(&mut buffer).await {
                Ok(0) => self.pipe = None,
                Ok(_) => {
                    let shown = self.redactor.push(&buffer);
                    self.keep.take(&buffer, &shown);
                    self.log(shown).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "output of an action is not readable");
                    self.pipe = None;
                }
            }
        }
    }

    /// The stream is over: logs what was held back and returns what was kept.
    pub(crate) async fn finish(mut self) -> Keep {
        self.pipe = None;
        let shown = self.redactor.finish();
        self.keep.take(&[], &shown);
        self.log(shown).await;
        self.keep
    }

    /// A disk may take its time, which must not be the executor's.
    async fn log(&self, shown: Vec<u8>) {
        if shown.is_empty() {
            return;
        }
        let log = Arc::clone(&self.log);
        let _keeping = self.chores.begin();
        let write = move || log.lock().unwrap_or_else(PoisonError::into_inner).append(&shown);
        // The only error is a runtime that is shutting down.
        let _ = tokio::task::spawn_blocking(write).await;
    }
}

/// Writes `document` to a process's standard input and closes it. A process that does not read, or
/// not all of it, is within its rights.
pub(crate) async fn feed(input: Option<pipe::Sender>, document: Option<String>) {
    if let (Some(mut input), Some(document)) = (input, document) {
        let _ = input.write_all(document.as_bytes()).await;
    }
}
