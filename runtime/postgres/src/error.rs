//! What PostgreSQL's errors mean.

use sqlx::postgres::{PgDatabaseError, PgSeverity};
use steadfast_services::port::{Commit, StoreError};

/// Why a database cannot be used. The binary ends with exit code 4.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none.
    #[error(
        "database.url is not an address of a PostgreSQL database ({0}); write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Address(String),
    /// Nobody answers there.
    #[error(
        "the database at {at} cannot be reached ({reason}); check that the server runs and that database.url names its host and port"
    )]
    Unreachable {
        /// Host, port and database.
        at: String,
        /// What was seen.
        reason: String,
    },
    /// It lets us not in.
    #[error(
        "the database at {at} refuses the login ({reason}); check user and password in database.url"
    )]
    Login {
        /// Host, port and database.
        at: String,
        /// What it says.
        reason: String,
    },
    /// The server has no such database.
    #[error("there is no such database: {at} ({reason}); create it or correct database.url")]
    NoDatabase {
        /// Host, port and database.
        at: String,
        /// What it says.
        reason: String,
    },
    /// This user may not.
    #[error(
        "the user of database.url may not do what is needed at {at} ({reason}); let it create the schema steadfast, or create it for that user"
    )]
    Permission {
        /// Host, port and database.
        at: String,
        /// What it says.
        reason: String,
    },
    /// The server is too old.
    #[error("the server at {at} is PostgreSQL {found}, and 15 or newer is needed; upgrade it")]
    OldServer {
        /// Host, port and database.
        at: String,
        /// Its version.
        found: String,
    },
    /// The database cannot hold every text.
    #[error(
        "the database {at} has the encoding {found}, and UTF8 is needed; create another with ENCODING 'UTF8'"
    )]
    Encoding {
        /// Host, port and database.
        at: String,
        /// Its encoding.
        found: String,
    },
    /// It was written by a newer version.
    #[error(
        "the database {at} was written by a newer version (schema {found}, this one knows {known}); \
         use that version or another database"
    )]
    NewerSchema {
        /// Host, port and database.
        at: String,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// It was written by an older version, and nobody said that it may be changed.
    #[error(
        "the database {at} has the schema {found}, and this version needs {known}; \
         bring it up to date with `steadfast migrate`"
    )]
    OlderSchema {
        /// Host, port and database.
        at: String,
        /// Its schema; 0 if there is none.
        found: i64,
        /// The schema of this version.
        known: i64,
    },
    /// There is no room left.
    #[error("no space is left for the database {at} ({reason}); make room and try again")]
    Full {
        /// Host, port and database.
        at: String,
        /// What it says.
        reason: String,
    },
    /// Anything else.
    #[error("the database {at} cannot be used: {reason}")]
    Unusable {
        /// Host, port and database.
        at: String,
        /// Why.
        reason: String,
    },
}

impl OpenError {
    /// What opening ran into.
    pub(crate) fn from_sqlx(at: &str, error: &sqlx::Error) -> Self {
        let (at, reason) = (at.to_owned(), error.to_string());
        match Class::of(error) {
            Class::Login => Self::Login { at, reason },
            Class::NoDatabase => Self::NoDatabase { at, reason },
            Class::Denied => Self::Permission { at, reason },
            Class::Full => Self::Full { at, reason },
            Class::Lost => Self::Unreachable { at, reason },
            _ => Self::Unusable { at, reason },
        }
    }
}

/// What kind of trouble an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Somebody else won a unique key.
    Unique,
    /// Two transactions waited for each other, or saw what cannot go together.
    Contention,
    /// A row breaks a rule of the schema.
    Rule,
    /// A lock did not come in time.
    Locked,
    /// An answer did not come in time.
    Late,
    /// The disk is full.
    Full,
    /// The server has too little of something else, or cannot read or write a file.
    Strained,
    /// It takes no writes: it follows another server.
    ReadOnly,
    /// User or password are wrong.
    Login,
    /// There is no such database.
    NoDatabase,
    /// The user may not.
    Denied,
    /// The connection is gone, or there was none.
    Lost,
    /// A row cannot be decoded.
    Decode,
    /// Anything else.
    Other,
}

impl Class {
    /// The kind of `error`, by its SQLSTATE.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let Some(error) = database.try_downcast_ref::<PgDatabaseError>() else {
                    return Self::Other;
                };
                let class = Self::of_state(error.code());
                // The server ends the connection after these, whatever they say.
                let fatal = matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic);
                if fatal && class == Self::Other { Self::Lost } else { class }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Lost,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => Self::Decode,
            _ => Self::Other,
        }
    }

    /// See <https://www.postgresql.org/docs/15/errcodes-appendix.html>. The first two characters
    /// are the class; poolers report their own troubles in class 08.
    fn of_state(state: &str) -> Self {
        match state {
            "23505" => Self::Unique,
            "40001" | "40P01" => Self::Contention,
            "55P03" => Self::Locked,
            "57014" => Self::Late,
            "53100" => Self::Full,
            "25006" => Self::ReadOnly,
            "3D000" => Self::NoDatabase,
            "42501" => Self::Denied,
            // Ends of the session: by an administrator, a crash, a timeout, a database dropped.
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" => Self::Lost,
            _ => match state.get(..2) {
                Some("23") => Self::Rule,
                Some("53" | "58") => Self::Strained,
                Some("28") => Self::Login,
                Some("08") => Self::Lost,
                _ => Self::Other,
            },
        }
    }

    /// Whether the next transaction should have another connection, perhaps to another server.
    pub(crate) const fn spoils_connection(self) -> bool {
        matches!(self, Self::Lost | Self::ReadOnly | Self::Login | Self::NoDatabase)
    }
}

/// What a statement's error means for the transaction.
pub(crate) fn store_error(error: &sqlx::Error) -> StoreError {
    let text = error.to_string();
    match Class::of(error) {
        // Somebody else is at the same rows: what they do is seen by deciding again.
        Class::Unique | Class::Contention | Class::Locked => StoreError::Conflict(text),
        Class::Full => StoreError::Full(text),
        Class::Late
        | Class::Strained
        | Class::ReadOnly
        | Class::Login
        | Class::NoDatabase
        | Class::Denied
        | Class::Lost => StoreError::Unavailable(text),
        Class::Rule | Class::Decode | Class::Other => StoreError::Corrupt(text),
    }
}

/// What became of a commit that reported an error.
pub(crate) fn failed_commit(error: &sqlx::Error) -> Commit {
    match Class::of(error) {
        // Nobody answered, or the session was ended while it committed: it may have happened.
        Class::Lost => Commit::Unknown(error.to_string()),
        _ => Commit::Failed(store_error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart() {
        // state   class
        let table = [
            ("23505", Class::Unique),
            ("23514", Class::Rule),
            ("23502", Class::Rule),
            ("40001", Class::Contention),
            ("40P01", Class::Contention),
            ("55P03", Class::Locked),
            ("57014", Class::Late),
            ("53100", Class::Full),
            ("53300", Class::Strained),
            ("58030", Class::Strained),
            ("25006", Class::ReadOnly),
            ("28P01", Class::Login),
            ("28000", Class::Login),
            ("3D000", Class::NoDatabase),
            ("42501", Class::Denied),
            ("57P01", Class::Lost),
            ("25P03", Class::Lost),
            ("08006", Class::Lost),
            ("08P01", Class::Lost),
            ("42P01", Class::Other),
            ("XX000", Class::Other),
            ("", Class::Other),
        ];
        for (state, class) in table {
            assert_eq!(Class::of_state(state), class, "{state}");
        }
    }

    #[test]
    fn a_lost_connection_leaves_a_commit_in_doubt_and_a_refusal_does_not() {
        let lost = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(matches!(failed_commit(&lost), Commit::Unknown(_)));
        assert!(matches!(store_error(&lost), StoreError::Unavailable(_)));
        let unreadable = sqlx::Error::Decode("odd".into());
        assert!(matches!(failed_commit(&unreadable), Commit::Failed(StoreError::Corrupt(_))));
    }
}
