//! The journal of a process in files: what the core was asked and what it decided, for whoever
//! wants to ask it again.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use steadfast_services::journal::{Journal, Sink};
use tracing::warn;

/// Where a process keeps its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// The directory; several processes may share it. It is created if it does not exist.
    pub directory: PathBuf,
    /// How many bytes one process keeps at the most; then the oldest half goes.
    pub max_bytes: u64,
}

/// Opens the journal of this process, which is called `name` in the directory.
///
/// # Errors
/// If the directory cannot be written to.
pub(super) fn open(options: &JournalOptions, name: &str) -> io::Result<Journal> {
    DirBuilder::new().recursive(true).mode(0o700).create(&options.directory)?;
    let plain = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.', "_");
    let files = Files {
        stem: options.directory.join(plain),
        half: (options.max_bytes / 2).max(1),
        state: Mutex::new(State::Closed),
    };
    *files.state.lock().unwrap_or_else(PoisonError::into_inner) = files.begin(0)?;
    Ok(Journal::new(Box::new(files)))
}

/// One file after the other, of which the last two are kept.
struct Files {
    stem: PathBuf,
    half: u64,
    state: Mutex<State>,
}

enum State {
    Open {
        file: File,
        number: u64,
        written: u64,
    },
    /// It could not be written to.
    Closed,
}

impl Files {
    fn path(&self, number: u64) -> PathBuf {
        let mut path = self.stem.clone().into_os_string();
        path.push(format!("-{number:04}.journal"));
        path.into()
    }

    fn begin(&self, number: u64) -> io::Result<State> {
        let mut file = create(&self.path(number))?;
        file.write_all(&Journal::preamble())?;
        if let Some(old) = number.checked_sub(2) {
            std::fs::remove_file(self.path(old))?;
        }
        Ok(State::Open { file, number, written: 0 })
    }

    fn write(&self, state: &mut State, record: &[u8]) -> io::Result<()> {
        let State::Open { file, number, written } = state else { return Ok(()) };
        // At once and not buffered: what the system has outlives this process.
        file.write_all(record)?;
        *written += record.len() as u64;
        if *written >= self.half {
            *state = self.begin(*number + 1)?;
        }
        Ok(())
    }
}

/// Parameters and results stand in it: nobody else may read it.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

impl Sink for Files {
    fn append(&self, record: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.write(&mut state, record) {
            let stem = self.stem.display();
            warn!(%error, journal = %stem, "the journal cannot be written and ends here");
            *state = State::Closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use steadfast_services::journal::Checker;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_last_two_files_are_kept_and_each_can_be_read_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files {
            stem: directory.path().join("ada"),
            half: 1000,
            state: Mutex::new(State::Closed),
        };
        *files.state.lock().unwrap() = files.begin(0).unwrap();
        for _ in 0..5 * 1000 / 100 {
            // A frame of 96 bytes that says nothing.
            files.append(&[&96u32.to_le_bytes()[..], &[0xc0; 96]].concat());
        }
        assert_eq!(names(directory.path()), ["ada-0004.journal", "ada-0005.journal"]);
        for name in names(directory.path()) {
            let bytes = std::fs::read(directory.path().join(&name)).unwrap();
            let mut checker = Checker::new(&|_| None);
            assert_eq!(checker.read(&name, &bytes), Ok(()));
        }
    }

    #[test]
    fn a_directory_that_is_a_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let taken = directory.path().join("taken");
        std::fs::write(&taken, "").unwrap();
        let options = JournalOptions { directory: taken, max_bytes: 1 << 20 };
        assert!(open(&options, "ada").is_err());
    }
}
