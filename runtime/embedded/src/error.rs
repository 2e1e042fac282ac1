//! What SQLite's errors mean.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::error::DatabaseError;
use steadfast_services::port::{Commit, StoreError};

/// Why a data directory cannot be used. The binary ends with exit code 4.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the data directory {} is in use by process {}; stop it or choose another directory",
        path.display(),
        pid.map_or_else(|| "(unknown)".into(), |pid: u32| pid.to_string())
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that has it, if it could be found out.
        pid: Option<u32>,
    },
    /// It was written by a newer version.
    #[error(
        "{} was written by a newer version (schema {found}, this one knows {known}); \
         use that version or another directory",
        path.display()
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The file is something else.
    #[error("{} is not a database; move it away or choose another directory", .0.display())]
    NotADatabase(PathBuf),
    /// The file is damaged.
    #[error("{} is damaged ({reason}); restore it from a backup or choose another directory", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// There is no room left.
    #[error("no space is left for {}; make room and try again", .0.display())]
    Full(PathBuf),
    /// This user may not.
    #[error("{} cannot be read and written by this user; check its owner and mode", .0.display())]
    Permission(PathBuf),
    /// Anything else.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl OpenError {
    /// What an operation on a file or directory ran into.
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission(path)
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            _ => Self::Unusable { path, reason: error.to_string() },
        }
    }

    /// What opening the database ran into.
    pub(crate) fn from_sqlx(path: &Path, error: &sqlx::Error) -> Self {
        let path = path.to_path_buf();
        let reason = error.to_string();
        match Class::of(error) {
            Class::NotADatabase => Self::NotADatabase(path),
            Class::Corrupt => Self::Corrupt { path, reason },
            Class::Full => Self::Full(path),
            Class::Denied => Self::Permission(path),
            _ => Self::Unusable { path, reason },
        }
    }
}

/// What kind of trouble an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Somebody else won a unique key.
    Unique,
    /// A row breaks a rule of the schema.
    Rule,
    /// Somebody else holds a lock.
    Busy,
    /// The disk is full.
    Full,
    /// Reading or writing a file failed.
    Disk,
    /// The file's contents are damaged.
    Corrupt,
    /// The file is no database.
    NotADatabase,
    /// The file may not be opened or written.
    Denied,
    /// The connection is gone.
    Lost,
    /// A row cannot be decoded.
    Decode,
    /// Anything else.
    Other,
}

impl Class {
    /// The kind of `error`, by SQLite's result code.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => Self::of_code(code(database.as_ref())),
            sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut => {
                Self::Lost
            }
            sqlx::Error::Io(_) => Self::Disk,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => Self::Decode,
            _ => Self::Other,
        }
    }

    /// See <https://www.sqlite.org/rescode.html>. The lower eight bits are the primary code.
    const fn of_code(code: i32) -> Self {
        match code {
            1555 | 2067 | 2579 => return Self::Unique,
            // The shared-memory file cannot grow, which is what a full disk looks like first.
            4874 => return Self::Full,
            _ => {}
        }
        match code & 0xff {
            19 => Self::Rule,
            5 | 6 => Self::Busy,
            13 => Self::Full,
            10 | 9 | 7 => Self::Disk,
            11 => Self::Corrupt,
            26 => Self::NotADatabase,
            3 | 8 | 14 | 23 => Self::Denied,
            _ => Self::Other,
        }
    }

    /// Whether SQLite may have rolled the transaction back by itself, or the connection is in
    /// doubt: it is replaced before the next transaction.
    pub(crate) const fn spoils_connection(self) -> bool {
        !matches!(self, Self::Unique | Self::Rule | Self::Decode)
    }
}

fn code(error: &dyn DatabaseError) -> i32 {
    error.code().and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// What a statement's error means for the transaction.
pub(crate) fn store_error(error: &sqlx::Error) -> StoreError {
    let text = error.to_string();
    match Class::of(error) {
        Class::Unique => StoreError::Conflict(text),
        Class::Full => StoreError::Full(text),
        Class::Busy | Class::Disk | Class::Denied | Class::Lost => StoreError::Unavailable(text),
        Class::Rule | Class::Corrupt | Class::NotADatabase | Class::Decode | Class::Other => {
            StoreError::Corrupt(text)
        }
    }
}

/// What became of a commit that reported an error.
pub(crate) fn failed_commit(error: &sqlx::Error) -> Commit {
    match Class::of(error) {
        // The write or the sync of the log failed, or nobody answered: whether the log's last
        // frame will be found there is known only after opening the file again.
        Class::Disk | Class::Lost => Commit::Unknown(error.to_string()),
        _ => Commit::Failed(store_error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_codes_are_told_apart() {
        // code   class
        let table = [
            (1555, Class::Unique),
            (2067, Class::Unique),
            (2579, Class::Unique),
            (275, Class::Rule),
            (1299, Class::Rule),
            (5, Class::Busy),
            (517, Class::Busy),
            (13, Class::Full),
            (4874, Class::Full),
            (778, Class::Disk),
            (1034, Class::Disk),
            (11, Class::Corrupt),
            (267, Class::Corrupt),
            (26, Class::NotADatabase),
            (14, Class::Denied),
            (8, Class::Denied),
            (1, Class::Other),
        ];
        for (code, class) in table {
            assert_eq!(Class::of_code(code), class, "{code}");
        }
    }
}
