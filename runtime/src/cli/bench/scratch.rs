//! Something of its own on the configured servers: a database and a namespace of queues, made for
//! one bench and removed by it. What is there already is never touched.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};
use steadfast_runtime::core::WorkerId;
use steadfast_runtime::{Servers, rabbitmq};

use super::cost;
use crate::cli::failure::Failure;
use crate::cli::setup::micros;

/// A database and a namespace that are nobody else's.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    /// The servers, with the addresses and names of what was made.
    pub(super) servers: Servers,
    /// Where the database was made from.
    from: String,
    name: String,
}

impl Scratch {
    /// Makes them at the configured servers.
    pub(super) async fn make(configured: &Servers) -> Result<Self, Failure> {
        let own = format!("{}-{:x}", std::process::id(), micros());
        let name = format!("steadfast_bench_{}", own.replace('-', "_"));
        let from = configured.database_url.clone();
        let mut servers = configured.clone();
        servers.database_url = at(&from, &name)?;
        servers.database.migrate = true;
        servers.direct_url =
            configured.direct_url.as_deref().map(|url| at(url, &name)).transpose()?;
        if let Some(queue) = &mut servers.message_queue {
            queue.keep_to(&format!("steadfast-bench-{own}"));
        }
        let _reached = connect(&from).await?.close().await;
        // Refused if there is one of this name already, so what is dropped later was made here.
        execute(&from, format!("CREATE DATABASE {name}")).await.map_err(|failure| {
            Failure::environment(format!(
                "the bench needs a database of its own beside the configured one, and cannot make \
                 it; its user needs the right CREATEDB: {failure}"
            ))
        })?;
        Ok(Self { servers, from, name })
    }

    /// A connection to the database that was made.
    pub(super) async fn connect(&self) -> Result<PgConnection, Failure> {
        connect(&self.servers.database_url).await
    }

    /// Fails unless the database holds nothing but the executions of this bench's `actions`.
    pub(super) async fn check_own(&self) -> Result<(), Failure> {
        let sql = "SELECT count(*) FROM steadfast.execution WHERE action NOT LIKE 'bench.%'";
        let mut database = self.connect().await?;
        let row = sqlx::raw_sql(sql).fetch_one(&mut database).await.map_err(|e| lost(&e))?;
        let foreign: i64 = row.try_get(0).map_err(|error| lost(&error))?;
        let _closed = database.close().await;
        if foreign > 0 {
            return Err(Failure::environment(format!(
                "somebody else works in the bench's own database: {foreign} executions are not of \
                 the bench"
            )));
        }
        Ok(())
    }

    /// How many row versions died in all of it.
    pub(super) async fn dead_tuples(&self) -> Result<u64, Failure> {
        cost::dead_tuples(&self.servers.database_url).await
    }

    /// Removes both. `workers` are those whose queues there were.
    pub(super) async fn remove(self, workers: &[WorkerId]) -> Result<(), Failure> {
        let queues = match &self.servers.message_queue {
            Some(queue) => rabbitmq::remove(queue, workers).await,
            None => Ok(()),
        };
        execute(&self.from, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
        queues
            .map_err(|problem| Failure::environment(format!("the bench's queues stay: {problem}")))
    }
}

/// The same server and user, another database.
fn at(url: &str, database: &str) -> Result<String, Failure> {
    let options: PgConnectOptions = url.parse().map_err(|error| lost(&error))?;
    Ok(options.database(database).to_url_lossy().to_string())
}

async fn connect(url: &str) -> Result<PgConnection, Failure> {
    let unreachable = |error| Failure::unreachable(format!("the database: {error}"));
    PgConnection::connect(url).await.map_err(unreachable)
}

async fn execute(url: &str, sql: String) -> Result<(), Failure> {
    let mut database = connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut database).await.map_err(|e| lost(&e))?;
    // It would end by itself.
    let _closed = database.close().await;
    Ok(())
}

fn lost(error: &sqlx::Error) -> Failure {
    Failure::environment(format!("the database: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_same_but_for_the_database() {
        let url = at("postgres://u:s%40cret@h:6432/theirs?sslmode=disable", "mine").expect("one");
        assert!(url.starts_with("postgres://u:s%40cret@h:6432/mine?"), "{url}");
        assert!(url.contains("sslmode=disable") && !url.contains("theirs"), "{url}");
    }
}
