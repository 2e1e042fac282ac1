//! The stored standard output and standard error of actions.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much of one stream is kept unless told otherwise.
const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    /// `stdout` or `stderr`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Logs in files, `DIR/logs/<shard>/<execution>/<attempt>.stdout|.stderr`. A file exists once its
/// stream had a byte. Files are readable by their owner only. All methods block on the disk.
#[derive(Clone, Debug)]
pub struct LogStore {
    root: PathBuf,
    max_bytes: u64,
}

impl LogStore {
    /// Logs below `directory`, which is created when the first log is.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self { root: directory.as_ref().join("logs"), max_bytes: DEFAULT_MAX_BYTES }
    }

    /// Keeps `bytes` of a stream, then a line that says so.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The whole log of one stream, or nothing when there was no output.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(
        &self,
        execution: u64,
        attempt: u32,
        stream: LogStream,
    ) -> io::Result<Option<Vec<u8>>> {
        self.read_from(execution, attempt, stream, 0, u64::MAX)
    }

    /// At most `limit` bytes from `offset` on, to page through a log or to follow one that grows.
    /// Nothing when there was no output yet.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read_from(
        &self,
        execution: u64,
        attempt: u32,
        stream: LogStream,
        offset: u64,
        limit: u64,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut file = match File::open(self.path(execution, attempt, stream)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// The attempts of `execution` that have a log, in order.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn attempts(&self, execution: u64) -> io::Result<Vec<u32>> {
        let entries = match fs::read_dir(self.directory(execution)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut attempts = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let number: Option<u32> =
                name.to_str().and_then(|name| name.split_once('.')?.0.parse().ok());
            attempts.extend(number);
        }
        attempts.sort_unstable();
        attempts.dedup();
        Ok(attempts)
    }

    /// Removes the logs of all attempts of `execution`; fine when there are none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, execution: u64) -> io::Result<()> {
        match fs::remove_dir_all(self.directory(execution)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A writer for one stream; nothing is created yet.
    pub(crate) fn writer(&self, execution: u64, attempt: u32, stream: LogStream) -> LogWriter {
        LogWriter {
            path: self.path(execution, attempt, stream),
            file: None,
            room: self.max_bytes,
            max_bytes: self.max_bytes,
            lost: 0,
            broken: false,
        }
    }

    /// Executions are spread over 256 directories, so that none grows without bounds.
    fn directory(&self, execution: u64) -> PathBuf {
        self.root.join(format!("{:02x}", execution % 256)).join(execution.to_string())
    }

    fn path(&self, execution: u64, attempt: u32, stream: LogStream) -> PathBuf {
        self.directory(execution).join(format!("{attempt}.{}", stream.name()))
    }
}

/// Appends to one log. A disk that refuses is reported once and tried again with the next piece;
/// it never stops the action.
#[derive(Debug)]
pub(crate) struct LogWriter {
    path: PathBuf,
    file: Option<File>,
    /// Bytes that may still be written.
    room: u64,
    max_bytes: u64,
    /// Bytes that the disk did not take since the last one that it did.
    lost: u64,
    /// Whether the trouble has been reported.
    broken: bool,
}

impl LogWriter {
    /// Appends `piece` as far as there is room for it.
    pub(crate) fn append(&mut self, piece: &[u8]) {
        if self.room == 0 || piece.is_empty() {
            return;
        }
        let fits = usize::try_from(self.room).map_or(piece.len(), |room| room.min(piece.len()));
        self.write(&piece[..fits]);
        self.room -= fits as u64;
        if self.room == 0 {
            let line = format!("\n[steadfast: log ends here, limit {} bytes]\n", self.max_bytes);
            self.write(line.as_bytes());
        }
    }

    fn write(&mut self, piece: &[u8]) {
        if let Err((error, missing)) = self.try_write(piece) {
            self.lost += missing as u64;
            if !self.broken {
                self.broken = true;
                tracing::warn!(path = %self.path.display(), %error, "output not logged");
            }
        }
    }

    fn try_write(&mut self, piece: &[u8]) -> Result<(), (io::Error, usize)> {
        let lost = self.lost;
        let file = self.open().map_err(|error| (error, piece.len()))?;
        if lost > 0 {
            let line = format!("\n[steadfast: {lost} bytes not logged, the disk refused]\n");
            write_all(file, line.as_bytes()).map_err(|(error, _)| (error, piece.len()))?;
            self.lost = 0;
        }
        write_all(self.open().map_err(|error| (error, piece.len()))?, piece)
    }

    fn open(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            if let Some(directory) = self.path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
            let mut options = OpenOptions::new();
            self.file = Some(options.append(true).create(true).mode(0o600).open(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Like [`Write::write_all`], but says how much is missing.
fn write_all(file: &mut File, mut piece: &[u8]) -> Result<(), (io::Error, usize)> {
    while !piece.is_empty() {
        match file.write(piece) {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), piece.len())),
            Ok(written) => piece = &piece[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, piece.len())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_appears_with_its_first_byte_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = LogStore::new(directory.path());
        let mut writer = store.writer(259, 2, LogStream::Stderr);
        writer.append(b"");
        assert_eq!(store.read(259, 2, LogStream::Stderr).unwrap(), None);
        writer.append(b"one\n");
        writer.append(b"two\n");
        assert_eq!(store.read(259, 2, LogStream::Stderr).unwrap().unwrap(), b"one\ntwo\n");
        assert_eq!(store.read_from(259, 2, LogStream::Stderr, 4, 2).unwrap().unwrap(), b"tw");
        assert!(directory.path().join("logs/03/259/2.stderr").is_file());
        assert_eq!(store.attempts(259).unwrap(), [2]);
        store.remove(259).unwrap();
        store.remove(259).unwrap();
        assert_eq!(store.attempts(259).unwrap(), [] as [u32; 0]);
    }

    #[test]
    fn a_log_ends_at_its_limit_with_a_line_that_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let store = LogStore::new(directory.path()).with_max_bytes(10);
        let mut writer = store.writer(1, 1, LogStream::Stdout);
        for _ in 0..5 {
            writer.append(b"123456");
        }
        let log = String::from_utf8(store.read(1, 1, LogStream::Stdout).unwrap().unwrap()).unwrap();
        assert_eq!(log, "1234561234\n[steadfast: log ends here, limit 10 bytes]\n");
    }

    #[test]
    fn a_full_disk_loses_bytes_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let store = LogStore::new(directory.path());
        let path = store.path(7, 1, LogStream::Stdout);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut writer = store.writer(7, 1, LogStream::Stdout);
        writer.append(b"gone");
        writer.append(b"gone");
        fs::remove_file(&path).unwrap();
        writer.file = None;
        writer.append(b"kept\n");
        let log = String::from_utf8(store.read(7, 1, LogStream::Stdout).unwrap().unwrap()).unwrap();
        assert_eq!(log, "\n[steadfast: 8 bytes not logged, the disk refused]\nkept\n");
    }
}
