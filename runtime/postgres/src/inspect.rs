//! Looking at a database without using it: for whoever wants to know whether it can be used.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, SqlSafeStr};
use tokio::time::timeout;

use crate::error::OpenError;
use crate::open;
use crate::options::Options;

/// How often two connections are compared. A pooler that is busy may give them two sessions of the
/// server once, and hardly ever each time.
const LOOKS: u32 = 4;

/// How long a notification may take.
const NOTIFIED_WITHIN: Duration = Duration::from_secs(3);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Host, port and database.
    pub at: String,
    /// The server's version, in its own words.
    pub version: String,
    /// Its schema; 0 if there is none.
    pub schema: i64,
    /// By how many microseconds its clock is ahead of this process's (behind if negative), as far
    /// as the way there and back lets one know.
    pub clock_ahead: i64,
    /// How many connections the server takes from users like this one.
    pub connections: i64,
    /// How many of them are there now.
    pub connected: i64,
    /// Whether it only follows another server, and takes no writes.
    pub follows: bool,
    /// Whether this user may write the rows. True as long as there are no tables.
    pub may_write: bool,
    /// Whether sessions of the server are shared between transactions.
    pub pooled: bool,
    /// Whether it survives a crash of its host.
    pub fsync: bool,
}

const LOOK: &str = "SELECT current_setting('server_version'), \
     (extract(epoch FROM clock_timestamp()) * 1000000)::int8, \
     current_setting('max_connections')::int8 \
       - current_setting('superuser_reserved_connections')::int8, \
     (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
     pg_is_in_recovery(), current_setting('fsync') <> 'off'";

/// What the engine does to its largest table. A list of privileges would ask for any of them.
const MAY_WRITE: &str = "SELECT bool_and(has_table_privilege('steadfast.execution', p)) \
     FROM UNNEST(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p";

/// Looks at the database at `url`. `now` is this process's clock, in microseconds since 1970.
///
/// # Errors
/// If it cannot be looked at, or is of no use: see [`OpenError`]. An older schema is no error.
pub async fn inspect(
    url: &str,
    options: &Options,
    now: impl Fn() -> i64,
) -> Result<Found, OpenError> {
    let connect = open::connect_options(url)?;
    let at = open::place(&connect);
    let late = |_| OpenError::Unreachable { at: at.clone(), reason: String::from("no answer") };
    let look = look(&connect, &at, now);
    let found = timeout(options.acquire_timeout, look).await.map_err(late)??;
    match found.schema {
        schema if schema > open::SCHEMA_VERSION => {
            Err(OpenError::NewerSchema { at, found: schema, known: open::SCHEMA_VERSION })
        }
        _ => Ok(found),
    }
}

async fn look(
    connect: &PgConnectOptions,
    at: &str,
    now: impl Fn() -> i64,
) -> Result<Found, OpenError> {
    let failed = |error: sqlx::Error| OpenError::from_sqlx(at, &error);
    let mut one = connect.connect().await.map_err(failed)?;
    open::check_server(&mut one, at).await?;
    let schema = open::schema(&mut one).await.map_err(failed)?;
    let asked = now();
    let row = sqlx::raw_sql(LOOK).fetch_one(&mut one).await.map_err(failed)?;
    let between = asked + (now() - asked) / 2;
    let theirs: i64 = row.try_get(1).map_err(failed)?;
    let may_write = if schema == 0 {
        true
    } else {
        let row = sqlx::raw_sql(MAY_WRITE).fetch_one(&mut one).await.map_err(failed)?;
        row.try_get(0).map_err(failed)?
    };
    let mut two = connect.connect().await.map_err(failed)?;
    let pooled = shares_sessions(&mut one, &mut two).await.map_err(failed)?;
    let found = Found {
        at: at.to_owned(),
        version: row.try_get(0).map_err(failed)?,
        schema,
        clock_ahead: theirs - between,
        connections: row.try_get(2).map_err(failed)?,
        connected: row.try_get(3).map_err(failed)?,
        follows: row.try_get(4).map_err(failed)?,
        may_write,
        pooled,
        fsync: row.try_get(5).map_err(failed)?,
    };
    for connection in [one, two] {
        // They would end by themselves; saying so spares the server's log a line.
        let _closed = connection.close().await;
    }
    Ok(found)
}

/// Whether the database at `url` is behind a pooler that shares sessions between transactions.
///
/// # Errors
/// If it cannot be asked.
pub async fn is_pooled(url: &str) -> Result<bool, OpenError> {
    let connect = open::connect_options(url)?;
    let at = open::place(&connect);
    let ask = async {
        let mut one = connect.connect().await?;
        let mut two = connect.connect().await?;
        let pooled = shares_sessions(&mut one, &mut two).await?;
        for connection in [one, two] {
            let _closed = connection.close().await;
        }
        Ok(pooled)
    };
    ask.await.map_err(|error: sqlx::Error| OpenError::from_sqlx(&at, &error))
}

/// Whether two connections that are open at the same time were ever served by the same session.
async fn shares_sessions(
    one: &mut PgConnection,
    two: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    let session = "SELECT pg_backend_pid()::int8";
    let mut ones: Vec<i64> = Vec::new();
    let mut twos: Vec<i64> = Vec::new();
    for _ in 0..LOOKS {
        ones.push(sqlx::raw_sql(session).fetch_one(&mut *one).await?.try_get(0)?);
        twos.push(sqlx::raw_sql(session).fetch_one(&mut *two).await?.try_get(0)?);
    }
    Ok(ones.iter().any(|session| twos.contains(session)) || ones.iter().any(|s| *s != ones[0]))
}

/// Whether whoever listens at `url` hears what is notified there. Behind a pooler that shares
/// sessions it does not, although nothing is refused.
///
/// # Errors
/// If the database cannot be used, or nothing is heard within three seconds.
pub async fn hears(url: &str, options: &Options) -> Result<(), OpenError> {
    let connect = open::connect_options(url)?;
    let at = open::place(&connect);
    let failed = |error: sqlx::Error| OpenError::from_sqlx(&at, &error);
    let late = |_| OpenError::Unreachable { at: at.clone(), reason: String::from("no answer") };
    let listen = async {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(connect.clone());
        let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
        let channel = format!("steadfast_doctor_{}", std::process::id());
        listener.listen(&channel).await.map_err(failed)?;
        let mut other = connect.connect().await.map_err(failed)?;
        let notify = AssertSqlSafe(format!("NOTIFY {channel}")).into_sql_str();
        // Several times: a pooler hands one session on to the next, and may hand the right one. It
        // may also give the notification to whoever sent it, who does not expect one.
        for _ in 0..LOOKS {
            let _sent = sqlx::raw_sql(notify.clone()).execute(&mut other).await;
        }
        let heard = timeout(NOTIFIED_WITHIN, listener.recv()).await;
        let _closed = other.close().await;
        Ok(heard.is_ok_and(|heard| heard.is_ok()))
    };
    let heard =
        timeout(options.acquire_timeout + NOTIFIED_WITHIN, listen).await.map_err(late)??;
    if heard {
        return Ok(());
    }
    let reason = String::from(
        "who listens there hears nothing; name the server itself in database.direct_url, not a \
         pooler, or leave it out",
    );
    Err(OpenError::Unusable { at, reason })
}
