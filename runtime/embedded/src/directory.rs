//! The data directory: `steadfast.db`, `lock` and `logs/`, for one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::OpenError;

/// How long a lock is waited for. The guardian of an engine that was killed holds the lock for
/// some milliseconds more, until it has ended what the engine had started.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often the lock is tried meanwhile.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// A directory that this process alone uses.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
    temporary: bool,
}

impl DataDir {
    /// Opens or creates the directory and locks it. Waits a few seconds if another process is
    /// just about to let go of it.
    ///
    /// # Errors
    /// With [`OpenError::InUse`] if another process has it; otherwise if it cannot be created,
    /// read or written.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::lock(path.into(), false).await
    }

    /// Creates a directory that is removed again when it is dropped.
    ///
    /// # Errors
    /// If it cannot be created.
    pub async fn temporary() -> Result<Self, OpenError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::temp_dir();
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("steadfast-{}-{number}", std::process::id()));
            // Nobody else looks into it, and one that is there already is somebody else's.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Self::lock(path, true).await,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(OpenError::from_io(&path, &error)),
            }
        }
    }

    async fn lock(path: PathBuf, temporary: bool) -> Result<Self, OpenError> {
        let failed = |error: &std::io::Error| OpenError::from_io(&path, error);
        fs::create_dir_all(path.join("logs")).map_err(|error| failed(&error))?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(path.join("lock")).map_err(|error| failed(&error))?;
        let tries = PATIENCE.as_millis() / TRY_EVERY.as_millis();
        for _ in 0..tries {
            match lock.try_lock() {
                Ok(()) => {
                    sign(&mut lock).map_err(|error| failed(&error))?;
                    return Ok(Self { path, lock, temporary });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_EVERY).await,
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
        }
        let pid = holder(&mut lock);
        Err(OpenError::InUse { path, pid })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("steadfast.db")
    }

    /// Where the output of actions goes.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The lock. Whoever inherits it keeps the directory locked until it ends, so a guardian
    /// process holds off a successor until nothing of this process is left running.
    #[must_use]
    pub fn lock_fd(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Says in the lock file who has it, for the next one's error message.
fn sign(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    writeln!(lock, "{}", std::process::id())
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.seek(SeekFrom::Start(0)).ok()?;
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
