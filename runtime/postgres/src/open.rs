//! Opening a database: the pool, the checks of what is there, the migrations.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::error::OpenError;
use crate::options::Options;

/// The newest schema that this version knows.
pub const SCHEMA_VERSION: i64 = 5;

/// All migrations, by version. Each is one file and is run whole or not at all.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "tables", include_str!("../migrations/0001_tables.sql")),
    (2, "history", include_str!("../migrations/0002_history.sql")),
    (3, "logs", include_str!("../migrations/0003_logs.sql")),
    (4, "effects", include_str!("../migrations/0004_effects.sql")),
    (5, "schedules", include_str!("../migrations/0005_schedules.sql")),
];

/// The first version of the server that is known to have everything that is used.
const OLDEST_SERVER: i64 = 150_000;

/// Names the lock under which migrations run: "steadfst" as a number. It belongs to the
/// transaction, so it works and ends behind a pooler too.
const LOCK: i64 = 0x7374_6561_6466_7374;

/// How long looking and migrating may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a database is, for messages: nothing of the password.
pub(crate) fn place(connect: &PgConnectOptions) -> String {
    let database = connect.get_database().unwrap_or_else(|| connect.get_username());
    match connect.get_socket() {
        Some(socket) => format!("{}/{database}", socket.display()),
        None => format!("{}:{}/{database}", connect.get_host(), connect.get_port()),
    }
}

/// How to connect, so that it works behind a pooler too: no startup parameter that a pooler
/// refuses, no named statement.
pub(crate) fn connect_options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let scheme = url.split("://").next();
    if !matches!(scheme, Some("postgres" | "postgresql")) {
        return Err(OpenError::Address(String::from("it does not begin with postgres://")));
    }
    let options = PgConnectOptions::from_str(url);
    let options = options.map_err(|error| OpenError::Address(error.to_string()))?;
    Ok(options
        .application_name("steadfast")
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging())
}

/// Looks at the database and brings it to the schema of this version.
pub(crate) async fn prepare(
    connect: &PgConnectOptions,
    options: &Options,
) -> Result<(), OpenError> {
    let at = place(connect);
    let failed = |error: &sqlx::Error| OpenError::from_sqlx(&at, error);
    let late = |_| OpenError::Unreachable { at: at.clone(), reason: String::from("no answer") };
    let connection = timeout(options.acquire_timeout, connect.connect()).await.map_err(late)?;
    let mut connection = connection.map_err(|error| failed(&error))?;
    let work = async {
        begin(&mut connection).await.map_err(|error| failed(&error))?;
        check_server(&mut connection, &at).await?;
        migrate(&mut connection, &at, options.migrate).await?;
        let done = sqlx::raw_sql("COMMIT").execute(&mut connection).await;
        done.map(|_| ()).map_err(|error| failed(&error))
    };
    timeout(PATIENCE, work).await.map_err(late)??;
    // It would end by itself; saying so spares the server's log a line.
    let _closed = connection.close().await;
    Ok(())
}

/// One transaction for everything: whoever comes second waits and then finds it done.
async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SET LOCAL statement_timeout = '{}ms'; SET LOCAL client_min_messages = 'warning'; \
         SET LOCAL idle_in_transaction_session_timeout = '10s'; \
         SELECT pg_advisory_xact_lock({LOCK})",
        PATIENCE.as_millis(),
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

pub(crate) async fn check_server(connection: &mut PgConnection, at: &str) -> Result<(), OpenError> {
    let sql = "SELECT current_setting('server_version_num')::int8, \
               current_setting('server_version'), current_setting('server_encoding'), \
               current_setting('fsync')";
    let read = async {
        let row = sqlx::raw_sql(sql).fetch_one(connection).await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
    };
    let (number, version, encoding, fsync): (i64, String, String, String) =
        read.await.map_err(|error| OpenError::from_sqlx(at, &error))?;
    let at = at.to_owned();
    if number < OLDEST_SERVER {
        return Err(OpenError::OldServer { at, found: version });
    }
    if encoding != "UTF8" {
        return Err(OpenError::Encoding { at, found: encoding });
    }
    if fsync == "off" {
        warn!(at, "the server runs with fsync off: a crash of its host may lose accepted work");
    }
    Ok(())
}

async fn migrate(connection: &mut PgConnection, at: &str, allowed: bool) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| OpenError::from_sqlx(at, &error);
    let found = schema(connection).await.map_err(failed)?;
    let (at_owned, known) = (at.to_owned(), SCHEMA_VERSION);
    if found > known {
        return Err(OpenError::NewerSchema { at: at_owned, found, known });
    }
    if found < known && !allowed {
        return Err(OpenError::OlderSchema { at: at_owned, found, known });
    }
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, ..)| *version > found) {
        if *version == 1 {
            sqlx::raw_sql(FIRST).execute(&mut *connection).await.map_err(failed)?;
        }
        let path = "SET LOCAL search_path = steadfast";
        sqlx::raw_sql(path).execute(&mut *connection).await.map_err(failed)?;
        sqlx::raw_sql(*sql).execute(&mut *connection).await.map_err(failed)?;
        let note = format!("INSERT INTO migration (version, name) VALUES ({version}, '{name}')");
        sqlx::raw_sql(AssertSqlSafe(note)).execute(&mut *connection).await.map_err(failed)?;
        info!(at, version, name, "the schema was brought up to date");
    }
    Ok(())
}

/// What the migrations themselves are noted in.
const FIRST: &str = "CREATE SCHEMA IF NOT EXISTS steadfast; \
     CREATE TABLE steadfast.migration (\
     version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
     applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp())";

/// The newest migration that was run; 0 if none was.
pub(crate) async fn schema(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let known = "SELECT to_regclass('steadfast.migration') IS NOT NULL";
    let row = sqlx::raw_sql(known).fetch_one(&mut *connection).await?;
    if !row.try_get::<bool, _>(0)? {
        return Ok(0);
    }
    let newest = "SELECT COALESCE(max(version), 0) FROM steadfast.migration";
    sqlx::raw_sql(newest).fetch_one(connection).await?.try_get(0)
}

/// How every pool begins.
pub(crate) fn pool_options(connect: &PgConnectOptions) -> PgPoolOptions {
    let port = connect.get_port();
    PgPoolOptions::new().after_connect(move |_, _| {
        crate::nodelay::set(port);
        Box::pin(async { Ok(()) })
    })
}

/// Connections, made when they are needed.
pub(crate) fn pool(connect: PgConnectOptions, options: &Options) -> PgPool {
    pool_options(&connect)
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        // A dead connection is noticed when a transaction begins on it.
        .test_before_acquire(false)
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1800))
        .connect_lazy_with(connect)
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

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in ["", "localhost", "sqlite://x", "mysql://u@h/d", "postgres://h:port/d"] {
            let refused = connect_options(url);
            assert!(matches!(refused, Err(OpenError::Address(_))), "{url}: {refused:?}");
        }
        let good = connect_options("postgres://u:secret@example.org:6432/d").expect("it is one");
        assert_eq!(place(&good), "example.org:6432/d");
    }
}
