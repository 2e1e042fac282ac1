//! Opening the database file: pragmas, migrations and the check of its age.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlStr};

use crate::error::OpenError;

/// The newest schema that this version knows.
pub const SCHEMA_VERSION: i64 = 4;

/// All migrations, by version.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "tables", include_str!("../migrations/0001_tables.sql")),
    (2, "retention", include_str!("../migrations/0002_retention.sql")),
    (3, "effects", include_str!("../migrations/0003_effects.sql")),
    (4, "schedules", include_str!("../migrations/0004_schedules.sql")),
];

/// When a commit is reported as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once it would survive a loss of power.
    #[default]
    Full,
    /// Once it would survive the death of the process; a loss of power may undo the last ones.
    Normal,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When a commit is reported as done.
    pub durability: Durability,
    /// How many connections answer queries at the same time.
    pub readers: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::Full, readers: 4 }
    }
}

/// How to connect for writing.
pub(crate) fn writer_options(path: &Path, options: &Options) -> SqliteConnectOptions {
    let synchronous = match options.durability {
        Durability::Full => SqliteSynchronous::Full,
        Durability::Normal => SqliteSynchronous::Normal,
    };
    common(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .thread_name(|_| String::from("store-writer"))
        // Pages are copied back into the database file after so many, about 16 MiB: often enough
        // for a short recovery, seldom enough that pages which change again and again are copied
        // once.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-65536")
        .pragma("cell_size_check", "ON")
}

fn reader_options(path: &Path) -> SqliteConnectOptions {
    common(path)
        .read_only(true)
        .thread_name(|number| format!("store-reader-{number}"))
        .pragma("cache_size", "-8192")
        .pragma("query_only", "ON")
}

fn common(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(5))
        // Each batch size has its own statements.
        .statement_cache_capacity(512)
        // The whole answer of an ordinary batch, so that the statement never waits for its reader.
        .row_buffer_size(1024)
        // Every connection has one thread, so SQLite need not lock it.
        .serialized(false)
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// Opens or creates the database and brings it to the schema of this version.
pub(crate) async fn open_writer(
    path: &Path,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, OpenError> {
    let failed = |error: &sqlx::Error| OpenError::from_sqlx(path, error);
    let mut connection = options.connect().await.map_err(|error| failed(&error))?;
    let found = schema(&mut connection).await.map_err(|error| failed(&error))?;
    if found > SCHEMA_VERSION {
        let path = path.to_path_buf();
        return Err(OpenError::NewerSchema { path, found, known: SCHEMA_VERSION });
    }
    if found < SCHEMA_VERSION {
        migrate(&mut connection, path).await?;
    }
    Ok(connection)
}

/// Connections that can only read.
pub(crate) fn open_readers(path: &Path, options: &Options) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(options.readers.max(1))
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(reader_options(path))
}

async fn schema(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(known).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(0);
    }
    let newest = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success";
    sqlx::query_scalar(newest).fetch_one(connection).await
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    migrator.run_direct(None, connection, false).await.map_err(|error| match &error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            OpenError::from_sqlx(path, error)
        }
        _ => OpenError::Unusable { path: path.to_path_buf(), reason: error.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_file_is_known() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
        let mut names: Vec<String> = files
            .expect("the directory is there")
            .map(|file| file.expect("it can be read").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let known = MIGRATIONS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql"));
        assert_eq!(names, known.collect::<Vec<_>>());
        assert_eq!(MIGRATIONS.last().map(|(version, ..)| *version), Some(SCHEMA_VERSION));
    }
}
