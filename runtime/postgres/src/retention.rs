//! Looking after history: filing what is over with its run, making the tables of the days to come,
//! dropping those of the days that are long gone.
//!
//! Each piece is a transaction of its own under a lock that nobody waits for, so of any number of
//! processes one does it. Dropping a table waits for whoever reads it, and whoever comes meanwhile
//! waits behind that: it is given little time, and tried again at the next look. Those who claim,
//! submit and report name the live table alone and never wait for it.

use sqlx::{SqlSafeStr, SqlStr};
use steadfast_core::{ExecutionId, Span};
use steadfast_services::port::{Commit, Load, Retained, StoreError};
use tracing::{debug, info};

use crate::args::Args;
use crate::row::Reader;
use crate::session::Session;
use crate::store::PostgresStore;

/// How many workflows one piece looks at, and how many executions of them it files.
const ROOTS: u32 = 200;
const PIECE: u32 = 2_000;
/// How many days have tables before they come.
const AHEAD: u64 = 3;
/// Microseconds of a day.
const DAY: u64 = 86_400_000_000;

/// Whether this process may look after history now, and how long it may wait for locks.
const BEGIN: &str = "SELECT pg_try_advisory_xact_lock(8319118157163423604), \
     set_config('lock_timeout', '300', true), set_config('statement_timeout', '60000', true)";

/// Of the workflows after the first argument that are over, the executions at the leaves of their
/// trees: whatever is filed, what it belongs to is still there and leads to the rest.
const LEAVES: &str = "WITH RECURSIVE root (id) AS (\
     SELECT x.id FROM execution_live x \
     WHERE x.status - 0 >= 7 AND x.run IS NULL AND x.id > $1 ORDER BY x.id LIMIT $2), \
     tree (id) AS (SELECT id FROM root UNION ALL \
     SELECT c.id FROM tree t JOIN execution_live c ON c.run = t.id), \
     found (id) AS MATERIALIZED (SELECT id FROM tree LIMIT $3) \
     SELECT e.id, (SELECT max(id) FROM root) FROM execution_live e WHERE e.id = ANY(ARRAY(\
     SELECT f.id FROM found f \
     WHERE NOT EXISTS (SELECT FROM execution_live c WHERE c.run = f.id))) \
     AND e.status * 1 >= 7 \
     AND NOT EXISTS (\
     SELECT FROM run_live r WHERE r.execution = ANY(ARRAY[e.id, e.run]) AND r.open) \
     ORDER BY e.id FOR UPDATE OF e SKIP LOCKED";

/// What belongs to executions, and then themselves.
const FILE: &[&str] = &[
    "UPDATE visit_items SET filed = $2 WHERE filed = 0 AND run = ANY($1)",
    "UPDATE visit SET filed = $2 WHERE filed = 0 AND run = ANY($1)",
    "UPDATE run SET filed = $2 WHERE filed = 0 AND execution = ANY($1)",
    "UPDATE execution SET filed = $2 WHERE filed = 0 AND id = ANY($1)",
];

/// The days of the two ends that have no tables.
const MISSING: &str = "SELECT d.day FROM generate_series($1, $2) AS d (day) \
     WHERE NOT EXISTS (SELECT FROM days() k WHERE k.day = d.day) ORDER BY d.day";

/// What stands in no day's table and is old enough. There is none, unless nobody looked after
/// history for days, so it is the one thing that is deleted row by row.
const REST: &[&str] = &[
    "DELETE FROM visit_items_rest WHERE ctid = ANY(ARRAY(\
     SELECT ctid FROM visit_items_rest WHERE filed < $1 LIMIT $2))",
    "DELETE FROM visit_rest WHERE ctid = ANY(ARRAY(\
     SELECT ctid FROM visit_rest WHERE filed < $1 LIMIT $2))",
    "DELETE FROM run_rest WHERE ctid = ANY(ARRAY(\
     SELECT ctid FROM run_rest WHERE filed < $1 LIMIT $2))",
    "DELETE FROM execution_rest WHERE ctid = ANY(ARRAY(\
     SELECT ctid FROM execution_rest WHERE filed < $1 LIMIT $2))",
];

/// Effects that are over and whose execution is not there any more. One that is still to be
/// delivered has all that it tells, and goes when that is over.
const EFFECTS: &str = "DELETE FROM effect WHERE ctid = ANY(ARRAY(\
     SELECT f.ctid FROM effect f WHERE f.ended_at < $1 \
     AND NOT EXISTS (SELECT FROM execution e WHERE e.id = f.execution) LIMIT $2))";

/// Definitions that no process has spoken of for long. Those that something is pinned to, or that a
/// definition names which is not among them, are seen now; the rest goes.
const OLD_DEFINITIONS: &str = "SELECT d.hash FROM definition d WHERE d.seen_at < $1 LIMIT 20";
const PINNED: &str = "UPDATE definition d SET seen_at = $2 WHERE d.hash = ANY($1) AND (\
     EXISTS (SELECT FROM execution e WHERE e.definition = d.hash) \
     OR EXISTS (SELECT FROM definition o \
      WHERE o.hash <> d.hash AND position(d.hash IN o.body) > 0))";
const UNPINNED: &str = "DELETE FROM definition WHERE hash = ANY($1) AND seen_at < $2";

impl PostgresStore {
    /// One piece of the work; see [`Store::retain`](steadfast_services::port::Store::retain).
    pub(crate) async fn retain_some(&self, keep: Span) -> Load<Retained> {
        let mut done = Retained::default();
        // Nobody waits for what is late here: it is done at the next look.
        for result in [self.make_days().await, self.file(&mut done).await] {
            passed_over(result)?;
        }
        if done.more {
            return Ok(done);
        }
        for result in [
            self.drop_days(keep, &mut done).await,
            self.sweep_rest(keep, &mut done).await,
            self.sweep_effects(keep, &mut done).await,
            self.drop_definitions(keep, &mut done).await,
        ] {
            passed_over(result)?;
        }
        Ok(done)
    }

    /// A transaction for one piece; `None` if another process is at it.
    async fn piece(&self) -> Load<Option<Session>> {
        let mut session = self.session().await?;
        let rows = session.rows(SqlStr::from_static(BEGIN), Args::default()).await?;
        let mine = rows.first().map(|row| Reader::new(row).flag()).transpose()?;
        Ok(mine.unwrap_or(false).then_some(session))
    }

    async fn make_days(&self) -> Load<()> {
        let Some(mut session) = self.piece().await? else { return Ok(()) };
        let today = session.now().as_micros() / DAY;
        let args = Args::default().int(today).int(today + AHEAD);
        let missing = session.rows(SqlStr::from_static(MISSING), args).await?;
        for day in &missing {
            let day = Reader::new(day).int()?;
            session.execute("SELECT make_day($1)".into_sql_str(), Args::default().int(day)).await?;
            info!(day, "made the tables of history for a day to come");
        }
        finish(session).await
    }

    async fn file(&self, done: &mut Retained) -> Load<()> {
        let mut after = 0u64;
        loop {
            let Some(mut session) = self.piece().await? else { return Ok(()) };
            let args = Args::default().int(after).int(ROOTS).int(PIECE);
            let leaves = session.rows(SqlStr::from_static(LEAVES), args).await?;
            let (mut ids, mut last) = (Vec::new(), None);
            for row in &leaves {
                let mut row = Reader::new(row);
                ids.push(ExecutionId(row.int()?));
                last = row.opt_int()?;
            }
            let Some(last) = last else { return finish(session).await };
            let now = session.now().as_micros();
            for sql in FILE {
                let args = Args::default().ints(ids.iter().map(|id| id.0)).int(now);
                session.execute(SqlStr::from_static(sql), args).await?;
            }
            finish(session).await?;
            done.filed += ids.len() as u64;
            // The leaves of a tree go first, then what they belonged to.
            done.more = true;
            if ids.len() >= PIECE as usize / 2 {
                return Ok(());
            }
            after = last;
        }
    }

    async fn drop_days(&self, keep: Span, done: &mut Retained) -> Load<()> {
        loop {
            let Some(mut session) = self.piece().await? else { return Ok(()) };
            // A day goes when its last moment is older than that.
            let before = session.now().as_micros().saturating_sub(keep.as_micros()) / DAY;
            let sql = "SELECT day FROM days() WHERE day < $1 LIMIT 1".into_sql_str();
            let days = session.rows(sql, Args::default().int(before)).await?;
            let Some(day) = days.first().map(|row| Reader::new(row).int()).transpose()? else {
                return finish(session).await;
            };
            let sql = "SELECT drop_day($1)".into_sql_str();
            let rows = session.rows(sql, Args::default().int(day)).await?;
            let dropped = rows.first().map(|row| Reader::new(row).int()).transpose()?;
            finish(session).await?;
            // At least one, so that it is heard of.
            done.dropped += dropped.unwrap_or(0).max(1);
            info!(day, executions = dropped, "the history of a day was dropped");
        }
    }

    async fn sweep_rest(&self, keep: Span, done: &mut Retained) -> Load<()> {
        let Some(mut session) = self.piece().await? else { return Ok(()) };
        let before = session.now().as_micros().saturating_sub(keep.as_micros());
        for (place, sql) in REST.iter().enumerate() {
            let args = Args::default().int(before).int(PIECE);
            let deleted = session.execute(SqlStr::from_static(sql), args).await?;
            done.dropped += if place + 1 == REST.len() { deleted } else { 0 };
            done.more |= deleted >= u64::from(PIECE);
        }
        finish(session).await
    }

    async fn sweep_effects(&self, keep: Span, done: &mut Retained) -> Load<()> {
        let Some(mut session) = self.piece().await? else { return Ok(()) };
        let before = session.now().as_micros().saturating_sub(keep.as_micros());
        let args = Args::default().int(before).int(PIECE);
        let deleted = session.execute(SqlStr::from_static(EFFECTS), args).await?;
        done.more |= deleted >= u64::from(PIECE);
        finish(session).await
    }

    async fn drop_definitions(&self, keep: Span, done: &mut Retained) -> Load<()> {
        let Some(mut session) = self.piece().await? else { return Ok(()) };
        let now = session.now().as_micros();
        // A day more than history is kept: processes speak of their definitions several times a day.
        let before = now.saturating_sub(keep.as_micros()).saturating_sub(DAY);
        let old = SqlStr::from_static(OLD_DEFINITIONS);
        let rows = session.rows(old, Args::default().int(before)).await?;
        if rows.is_empty() {
            return finish(session).await;
        }
        let hashes: Vec<String> = rows
            .iter()
            .map(|row| Reader::new(row).text().map(std::borrow::Cow::into_owned))
            .collect::<Load<_>>()?;
        let these = || Args::default().texts(hashes.iter().map(String::as_str));
        // It has to look through history, which has no index for it.
        let sql = "SELECT set_config('enable_seqscan', 'on', true)".into_sql_str();
        session.rows(sql, Args::default()).await?;
        session.execute(SqlStr::from_static(PINNED), these().int(now)).await?;
        done.definitions +=
            session.execute(SqlStr::from_static(UNPINNED), these().int(before)).await?;
        finish(session).await
    }
}

async fn finish(session: Session) -> Load<()> {
    match session.commit().await {
        Commit::Committed(_) => Ok(()),
        Commit::Failed(error) => Err(error),
        Commit::Unknown(reason) => Err(StoreError::Unavailable(reason)),
    }
}

/// What could not be had in time, or changed meanwhile, is tried again at the next look.
fn passed_over(result: Load<()>) -> Load<()> {
    match result {
        Err(StoreError::Conflict(reason)) => {
            debug!(reason, "history is looked after later");
            Ok(())
        }
        other => other,
    }
}
