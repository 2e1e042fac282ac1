//! The checks of the servers of a production deployment: PostgreSQL and RabbitMQ.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use steadfast_runtime::{postgres, rabbitmq};

use super::{Row, State, row};
use crate::cli::production;
use crate::config::Config;

/// A difference of clocks that is worth a warning. Nothing is decided by any clock but the
/// database's; what people read in logs is dated by the others.
const CLOCKS_APART: Duration = Duration::from_secs(2);

/// Looks at the servers, if the configuration names any.
pub(super) async fn look_at(config: &Config) -> Vec<Row> {
    let is_postgres = config.database_url.as_deref().is_some_and(|url| url.starts_with("postgres"));
    let is_shared = matches!(config.transport.as_str(), "rabbitmq" | "postgres");
    if !is_shared && !is_postgres {
        let detail = "the transport is not shared and no PostgreSQL database is named";
        return vec![row("servers", State::Skipped, detail)];
    }
    let mut rows = Vec::new();
    if !is_shared {
        rows.push(row("transport", State::Failed, production::unshared(&config.transport)));
    }
    rows.extend(database(config).await);
    rows.extend(message_queue(config).await);
    rows
}

async fn database(config: &Config) -> Vec<Row> {
    let (url, options) = match production::database(config) {
        Ok(named) => named,
        Err(failure) => return vec![row("database", State::Failed, failure.to_string())],
    };
    let found = match postgres::inspect(&url, &options, wall_clock).await {
        Ok(found) => found,
        Err(error @ postgres::OpenError::NewerSchema { .. }) => {
            return vec![row("database schema", State::Failed, error.to_string())];
        }
        Err(error) => return vec![row("database", State::Failed, error.to_string())],
    };
    let mut rows = vec![reached(&found), schema(&found), clocks(&found)];
    rows.push(connections(&found, config));
    rows.push(pooler(&found, config));
    let notices = config.transport == "postgres" && !found.pooled;
    let listen_at = config.database.direct_url.as_ref().or(notices.then_some(&url));
    if let Some(direct) = listen_at {
        rows.push(match postgres::hears(direct, &options).await {
            Ok(()) => row("database listen", State::Ok, "what is notified is heard"),
            Err(error) => {
                let detail = error.to_string().replace("database.url", "database.direct_url");
                row("database listen", State::Failed, detail)
            }
        });
    }
    rows
}

fn reached(found: &postgres::Found) -> Row {
    let postgres::Found { at, version, .. } = found;
    if found.follows {
        let detail = format!("{at} only follows another server and takes no writes; name that one");
        return row("database", State::Failed, detail);
    }
    if !found.may_write {
        let detail = format!(
            "the user of database.url may not write the tables at {at}; use the user that ran \
             `steadfast migrate`, or grant it SELECT, INSERT, UPDATE and DELETE in schema steadfast"
        );
        return row("database", State::Failed, detail);
    }
    if !found.fsync {
        let detail =
            format!("{at} runs with fsync off: a crash of its host may lose accepted work");
        return row("database", State::Warning, detail);
    }
    row("database", State::Ok, format!("PostgreSQL {version} at {at}"))
}

fn schema(found: &postgres::Found) -> Row {
    let (schema, known) = (found.schema, postgres::SCHEMA_VERSION);
    if schema == known {
        return row("database schema", State::Ok, format!("version {schema}, the newest"));
    }
    let has = match schema {
        0 => String::from("there is none"),
        _ => format!("it is at version {schema}"),
    };
    let detail = format!("{has}, and this version needs {known}; run `steadfast migrate`");
    row("database schema", State::Failed, detail)
}

fn clocks(found: &postgres::Found) -> Row {
    let apart = Duration::from_micros(found.clock_ahead.unsigned_abs());
    let which = if found.clock_ahead < 0 { "behind" } else { "ahead of" };
    let detail = format!("the database's clock is {apart:.1?} {which} this machine's");
    if apart < CLOCKS_APART {
        return row("database clock", State::Ok, detail);
    }
    let detail = format!("{detail}; only the database's decides, but logs will not fit together");
    row("database clock", State::Warning, detail)
}

/// Whether what one process takes fits, and how many fit.
fn connections(found: &postgres::Found, config: &Config) -> Row {
    let each = i64::from(config.database.max_connections);
    let each = each + i64::from(config.database.direct_url.is_some());
    let postgres::Found { connections, connected, .. } = *found;
    let detail = format!(
        "a process takes up to {each}, the server has {connections} for users, of which {connected} \
         are taken now"
    );
    if found.pooled {
        let detail = format!("{detail}; processes share them through the pooler");
        return row("database connections", State::Ok, detail);
    }
    if connections < each {
        let detail = format!("{detail}; lower database.max_connections or raise max_connections");
        return row("database connections", State::Failed, detail);
    }
    let fit = connections / each;
    row("database connections", State::Ok, format!("{detail}; {fit} such processes fit"))
}

fn pooler(found: &postgres::Found, config: &Config) -> Row {
    let goes_around = config.database.direct_url.is_some();
    if found.pooled && !goes_around && config.transport == "postgres" {
        let detail = "sessions are shared, so nobody hears of new work and workers look for it now \
                      and then; set database.direct_url to the server itself";
        return row("database pooler", State::Warning, detail);
    }
    let detail = match (found.pooled, goes_around) {
        (false, _) => "none that shares sessions",
        (true, true) => "sessions are shared; database.direct_url goes around it",
        (true, false) => "sessions are shared, and there is no database.direct_url to go around it",
    };
    row("database pooler", State::Ok, detail)
}

async fn message_queue(config: &Config) -> Vec<Row> {
    if config.transport != "rabbitmq" {
        return Vec::new();
    }
    let options = match production::message_queue(config) {
        Ok(options) => options,
        Err(failure) => return vec![row("message queue", State::Failed, failure.to_string())],
    };
    let things = match rabbitmq::inspect(&options).await {
        Ok(things) => things,
        Err(problem) => return vec![row("message queue", State::Failed, problem.to_string())],
    };
    let mut rows = vec![row("message queue", State::Ok, "connected")];
    rows.extend(things.into_iter().map(thing));
    rows
}

/// Most of an inspection declares what is there: it succeeds if it is made as it should be, with
/// the type of its queue and its limits.
fn thing(thing: rabbitmq::Row) -> Row {
    let check = format!("message queue: {}", thing.what);
    match thing.found {
        Err(problem) => row(&check, State::Failed, problem.to_string()),
        Ok(found) if thing.what.starts_with("queue") => {
            let rabbitmq::Found { messages, consumers } = found;
            let detail = format!("as declared; {messages} messages, {consumers} consumers");
            row(&check, State::Ok, detail)
        }
        Ok(_) if thing.what.starts_with("exchange") => row(&check, State::Ok, "as declared"),
        Ok(_) => row(&check, State::Ok, "a message was sent, routed, confirmed and taken"),
    }
}

/// This machine's clock, in microseconds since 1970.
fn wall_clock() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the clock is what is compared")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
