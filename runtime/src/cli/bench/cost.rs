//! What work costs the machine: processor time by process, and what the database wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use sqlx::{Connection as _, PgConnection, Row as _};

use super::Sample;
use crate::cli::failure::Failure;

/// How many of the kernel's ticks make a second; it has been so on every Linux for decades.
const TICKS: f64 = 100.0;

/// Whose processor time is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers {
    postgres: Option<u32>,
    rabbitmq: Option<u32>,
}

/// How much there was until now.
#[derive(Clone, Debug, Default)]
pub(super) struct Cost {
    ours: f64,
    postgres: Option<f64>,
    rabbitmq: Option<f64>,
    written: Option<(u64, u64)>,
}

impl Servers {
    /// Finds the processes, if they are on this machine and may be looked at.
    pub(super) async fn find(database: &mut PgConnection, broker_port: Option<u16>) -> Self {
        let pid = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(database).await;
        let pid = pid.ok().and_then(|row| row.try_get::<i32, _>(0).ok());
        let postgres = pid.and_then(|pid| {
            let pid = u32::try_from(pid).ok()?;
            let (name, parent, _) = stat(pid)?;
            (name == "postgres").then_some(parent)
        });
        let rabbitmq = broker_port.and_then(listener).filter(|pid| named(*pid, "beam.smp"));
        Self { postgres, rabbitmq }
    }

    /// What was spent so far, by this process, its workers and the servers.
    pub(super) async fn cost(&self, database: &mut PgConnection, workers: &[u32]) -> Cost {
        let ours = workers.iter().filter_map(|pid| spent(*pid)).sum::<f64>();
        Cost {
            ours: ours + spent(std::process::id()).unwrap_or(0.0),
            postgres: self.postgres.map(tree),
            rabbitmq: self.rabbitmq.and_then(spent),
            written: written(database).await,
        }
    }
}

impl Cost {
    /// What came since `before`, for each of `count`, into `sample`.
    pub(super) fn since(
        &self,
        before: &Self,
        count: f64,
        phase: [&'static str; 5],
        into: &mut Sample,
    ) {
        let [ours, postgres, rabbitmq, commits, wal] = phase;
        let per_thousand = |spent: f64| spent.max(0.0) / count * 1000.0;
        into.insert(ours, per_thousand(self.ours - before.ours));
        if let (Some(now), Some(then)) = (self.postgres, before.postgres) {
            into.insert(postgres, per_thousand(now - then));
        }
        if let (Some(now), Some(then)) = (self.rabbitmq, before.rabbitmq) {
            into.insert(rabbitmq, per_thousand(now - then));
        }
        if let (Some(now), Some(then)) = (self.written, before.written) {
            into.insert(commits, now.0.saturating_sub(then.0) as f64 / count);
            into.insert(wal, now.1.saturating_sub(then.1) as f64 / count);
        }
    }
}

/// How many transactions have written and how many bytes of log there are. Every transaction that
/// writes or locks a row takes a number, and the numbers are given out one after the other.
async fn written(database: &mut PgConnection) -> Option<(u64, u64)> {
    let sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8, \
               pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8";
    let row = sqlx::raw_sql(sql).fetch_one(database).await.ok()?;
    let number = |at: usize| u64::try_from(row.try_get::<i64, _>(at).ok()?).ok();
    Some((number(0)?, number(1)?))
}

/// Row versions that were made and are dead, in all of a database: what vacuum has to clean. Exact
/// once every session has ended.
pub(super) async fn dead_tuples(url: &str) -> Result<u64, Failure> {
    let sql = "SELECT COALESCE(sum(n_tup_upd + n_tup_del), 0)::int8 FROM pg_stat_user_tables";
    let asked = async {
        let mut database = PgConnection::connect(url).await?;
        let row = sqlx::raw_sql(sql).fetch_one(&mut database).await?;
        let dead = row.try_get::<i64, _>(0)?;
        database.close().await?;
        Ok::<_, sqlx::Error>(dead.unsigned_abs())
    };
    asked.await.map_err(|error| Failure::environment(format!("the database: {error}")))
}

/// A process's name, its parent, and the ticks that it and its reaped children have run for.
fn stat(pid: u32) -> Option<(String, u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    read_stat(&text)
}

fn read_stat(text: &str) -> Option<(String, u32, u64)> {
    // The name is in parentheses and may have any in it.
    let (head, tail) = text.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let words: Vec<&str> = tail.split(' ').collect();
    let ticks = words.get(11..15)?.iter().filter_map(|word| word.parse::<u64>().ok()).sum();
    Some((name.to_owned(), words.get(1)?.parse().ok()?, ticks))
}

fn named(pid: u32, name: &str) -> bool {
    stat(pid).is_some_and(|(found, ..)| found == name)
}

fn spent(pid: u32) -> Option<f64> {
    stat(pid).map(|(_, _, ticks)| ticks as f64 / TICKS)
}

/// What a process, its living children and those that it reaped have spent.
fn tree(root: u32) -> f64 {
    let children = processes().into_iter().filter(|(_, (_, parent, _))| *parent == root);
    let ticks: u64 = children.map(|(_, (_, _, ticks))| ticks).sum();
    ticks as f64 / TICKS + spent(root).unwrap_or(0.0)
}

fn processes() -> BTreeMap<u32, (String, u32, u64)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The process that listens on a port of this machine.
fn listener(port: u16) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).ok());
    let sockets: BTreeSet<String> =
        tables.iter().flatten().flat_map(|table| listening(table, port)).collect();
    processes().into_keys().find(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.any(|link| sockets.contains(link.to_string_lossy().as_ref()))
    })
}

/// The sockets of a table of the kernel that listen on `port`, as links to them look.
fn listening(table: &str, port: u16) -> Vec<String> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = words.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local, 16).ok()? == port && *words.get(3)? == "0A";
        is_it.then(|| words.get(9).map(|inode| format!("socket:[{inode}]")))?
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let line = "41 (a) b (c) S 7 41 41 0 -1 4194560 9 0 0 0 10 20 30 40 20 0 1 0 5";
        assert_eq!(read_stat(line), Some((String::from("a) b (c"), 7, 100)));
        assert_eq!(read_stat("nothing"), None);
        assert!(spent(std::process::id()).is_some());
    }

    #[test]
    fn who_listens_is_told_from_who_talks() {
        let table = "  sl  local_address rem_address   st ...\n   \
             0: 0100007F:1628 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 77 1\n   \
             1: 0100007F:1628 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0 0 78 1\n";
        assert_eq!(listening(table, 0x1628), ["socket:[77]"]);
        assert_eq!(listening(table, 1), Vec::<String>::new());
    }
}
