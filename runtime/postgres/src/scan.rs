//! The statements that read.
//!
//! What is locked is locked by identity, in order: a list is found first, without locks, and the
//! rows of it are then locked by `id = ANY(list) ORDER BY id FOR UPDATE`. Identities never change,
//! so the order of locking is the order of the keys whatever happens meanwhile; what may have
//! changed is asked again of the locked row, in words that no index answers (`status * 1`). Every transaction reads without whole-table plans
//! (see `session`), so each of these walks an index from the list to the rows.

use crate::table::effect::columns as effect;
use crate::table::execution::{columns as execution, pointer};
use crate::table::queue::columns as queue;
use crate::table::run::columns as run;
use crate::table::schedule::columns as schedule;
use crate::table::visit::columns as visit;
use crate::table::worker::columns as worker;

pub(crate) const LIVE_WORKERS: &str =
    concat!("SELECT ", worker!(), " FROM worker w WHERE w.state <> 4 ORDER BY w.name");

pub(crate) const WORKERS: &str = concat!(
    "SELECT ",
    worker!(),
    " FROM worker w WHERE w.name = ANY($1) ORDER BY w.name FOR UPDATE"
);

pub(crate) const QUEUES: &str =
    concat!("SELECT ", queue!(), " FROM queue q WHERE q.key = ANY($1) ORDER BY q.key FOR UPDATE");

/// Queues, and whether the slots of each are counted.
pub(crate) const OCCUPANCY: &str = "SELECT k.queue, \
     (SELECT count(*) FROM (SELECT FROM execution_live x \
      WHERE x.status + 0 = 1 AND x.queue = k.queue LIMIT $3) w), \
     CASE WHEN k.limited THEN \
      (SELECT count(*) FROM execution_live x WHERE x.status - 2 BETWEEN 0 AND 3 AND x.queue = k.queue) \
     ELSE 0 END \
     FROM UNNEST($1::text[], $2::bool[]) AS k (queue, limited)";

/// Queues, and how many of each.
pub(crate) const LINE: &str = concat!(
    "SELECT ",
    execution!(),
    " FROM execution_live e WHERE e.id = ANY(ARRAY(\
     SELECT x.id FROM UNNEST($1::text[]) AS k (queue) CROSS JOIN LATERAL (\
     SELECT y.id FROM execution_live y WHERE y.status + 0 = 1 AND y.queue = k.queue \
     ORDER BY y.line, y.id LIMIT $2) x)) AND e.status * 1 = 1 ORDER BY e.id FOR UPDATE"
);

pub(crate) const RUNS: &str = concat!(
    "SELECT ",
    run!(),
    " FROM run_live r WHERE r.execution = ANY($1) ORDER BY r.execution FOR UPDATE"
);

pub(crate) const FILED_RUNS: &str = concat!(
    "SELECT ",
    run!(),
    " FROM run r WHERE r.filed >= 1 AND r.execution = ANY($1) ORDER BY r.execution"
);

pub(crate) const EXECUTIONS: &str = concat!(
    "SELECT ",
    execution!(),
    " FROM execution_live e WHERE e.id = ANY($1) ORDER BY e.id FOR UPDATE"
);

/// Executions that are filed: they never change, so nobody locks them.
pub(crate) const FILED: &str = concat!(
    "SELECT ",
    execution!(),
    " FROM execution e WHERE e.filed >= 1 AND e.id = ANY($1) ORDER BY e.id"
);

/// Whoever submits with a key has its lock until the end of the transaction: the key is unique
/// among the living by an index, and in history because its holder looks there after this.
pub(crate) const LOCK_KEYS: &str = "SELECT pg_advisory_xact_lock(k.hash) FROM (\
     SELECT DISTINCT hashtextextended(x.key, 1936029299) AS hash \
     FROM UNNEST($1::text[]) AS x (key) ORDER BY hash) k";

pub(crate) const BY_KEY: &str = concat!(
    "SELECT ",
    execution!(),
    " FROM execution e WHERE e.idempotency_key = ANY($1) ORDER BY e.id FOR UPDATE"
);

/// How many runtimes are merged in order; workers have fewer.
const READY_ARMS: usize = 16;

/// The oldest of `runtimes` runtimes, `$2` and following, up to `$1`. Each runtime's index entries
/// are in order and are merged; one after the other is locked until there are enough, and what
/// somebody else has locked is passed over. With very many runtimes all their ready rows are sorted
/// instead; those runtimes are one array.
pub(crate) fn ready(runtimes: usize) -> String {
    let arm = |condition: &str| {
        format!(
            "(SELECT x.id FROM execution_live x \
             WHERE x.status + 0 = 2 AND x.runtime = {condition} ORDER BY x.id)"
        )
    };
    let ids = if ready_has_arms(runtimes) && runtimes > 1 {
        let arms: Vec<String> =
            (2..runtimes + 2).map(|number| arm(&format!("${number}"))).collect();
        format!("{} ORDER BY id", arms.join(" UNION ALL "))
    } else {
        arm(if runtimes > 1 { "ANY($2)" } else { "$2" })
    };
    format!(
        "SELECT e.* FROM ({ids}) k CROSS JOIN LATERAL (\
         SELECT {} FROM execution_live e WHERE e.id = k.id AND e.status * 1 = 2 \
         FOR UPDATE SKIP LOCKED) e LIMIT $1",
        execution!(),
    )
}

/// Whether the runtimes of [`ready`] are arguments of their own.
pub(crate) const fn ready_has_arms(runtimes: usize) -> bool {
    runtimes <= READY_ARMS
}

/// Runs, and how many of each.
pub(crate) const ENDED_CHILDREN: &str = concat!(
    "SELECT ",
    execution!(),
    " FROM execution_live e WHERE e.id = ANY(ARRAY(\
     SELECT x.id FROM UNNEST($1::int8[]) AS k (run) CROSS JOIN LATERAL (\
     SELECT y.id FROM execution_live y WHERE y.status - 0 >= 7 AND NOT y.folded AND y.run = k.run \
     ORDER BY y.id LIMIT $2) x)) AND NOT e.folded ORDER BY e.id FOR UPDATE"
);

/// Runs, and how many of each.
pub(crate) const LIVE_CHILDREN: &str = concat!(
    "SELECT ",
    pointer!(),
    " FROM UNNEST($1::int8[]) WITH ORDINALITY AS k (run, place) CROSS JOIN LATERAL (\
     SELECT * FROM execution_live x WHERE x.status - 0 < 7 AND x.run = k.run \
     ORDER BY x.cancel_requested, x.id LIMIT $2) e ORDER BY k.place, e.cancel_requested, e.id"
);

pub(crate) const OPEN_VISITS: &str = concat!(
    "SELECT ",
    visit!(),
    " FROM visit_live t WHERE t.run = ANY($1) AND t.open \
     ORDER BY t.run, t.task, t.occurrence FOR UPDATE"
);

pub(crate) const PARAMETERS: &str =
    "SELECT e.id, e.parameters FROM execution_live e WHERE e.id = ANY($1) ORDER BY e.id";

pub(crate) const FILED_PARAMETERS: &str = "SELECT e.id, e.parameters FROM execution e \
     WHERE e.filed >= 1 AND e.id = ANY($1) ORDER BY e.id";

pub(crate) const ERRORS: &str = "SELECT e.id, e.error FROM execution e \
     WHERE e.id = ANY($1) AND e.error IS NOT NULL ORDER BY e.id";

pub(crate) const VISIT_RESULTS: &str = "SELECT e.run, e.task, e.occurrence, e.item, e.status, e.result, e.error \
     FROM UNNEST($1::int8[], $2::text[], $3::int8[]) AS k (run, task, occurrence) \
     JOIN execution_live e ON e.run = k.run AND e.task = k.task AND e.occurrence = k.occurrence \
      AND e.status - 0 >= 7 \
     ORDER BY e.run, e.task, e.occurrence, COALESCE(e.item, -1)";

pub(crate) const ITEMS: &str = "SELECT i.run, i.task, i.occurrence, i.page, i.items \
     FROM UNNEST($1::int8[], $2::text[], $3::int8[], $4::int8[]) AS k (run, task, occurrence, page) \
     JOIN visit_items_live i ON i.run = k.run AND i.task = k.task \
      AND i.occurrence = k.occurrence AND i.page = k.page \
     ORDER BY i.run, i.task, i.occurrence, i.page";

pub(crate) const POINTERS: &str =
    concat!("SELECT ", pointer!(), " FROM execution_live e WHERE e.id = ANY($1) ORDER BY e.id");

pub(crate) const FILED_POINTERS: &str = concat!(
    "SELECT ",
    pointer!(),
    " FROM execution e WHERE e.filed >= 1 AND e.id = ANY($1) ORDER BY e.id"
);

/// Until when, and how many.
pub(crate) const DUE: &str = concat!(
    "SELECT ",
    pointer!(),
    " FROM execution_live e WHERE e.wake_at <= $1 ORDER BY e.wake_at, e.id LIMIT $2"
);

/// How many.
pub(crate) const ORPHANS: &str = concat!(
    "SELECT ",
    pointer!(),
    " FROM execution_live e LEFT JOIN worker w ON w.name = e.worker \
     WHERE e.status - 0 BETWEEN 3 AND 5 AND e.worker IS NOT NULL \
     AND (w.name IS NULL OR w.state IN (2, 4) OR w.incarnation <> e.incarnation) LIMIT $1"
);

/// From each queue to the next, without looking at those who wait between.
pub(crate) const LINES: &str = "WITH RECURSIVE step (queue) AS (\
     SELECT min(x.queue) FROM execution_live x WHERE x.status + 0 = 1 \
     UNION ALL \
     SELECT (SELECT min(x.queue) FROM execution_live x WHERE x.status + 0 = 1 AND x.queue > step.queue) \
     FROM step WHERE step.queue IS NOT NULL) \
     SELECT queue FROM step WHERE queue IS NOT NULL LIMIT $1";

/// From each runtime to the next.
pub(crate) const READY_RUNTIMES: &str = "WITH RECURSIVE step (runtime) AS (\
     SELECT min(x.runtime) FROM execution_live x WHERE x.status + 0 = 2 \
     UNION ALL \
     SELECT (SELECT min(x.runtime) FROM execution_live x \
             WHERE x.status + 0 = 2 AND x.runtime > step.runtime) \
     FROM step WHERE step.runtime IS NOT NULL) \
     SELECT runtime FROM step WHERE runtime IS NOT NULL";

/// How many. An open run whose execution does not live belongs to one that is filed, and is over.
pub(crate) const RUNNABLE: &str = "WITH RECURSIVE step (run) AS (\
     SELECT min(x.run) FROM execution_live x WHERE x.status - 0 >= 7 AND NOT x.folded AND x.run IS NOT NULL \
     UNION ALL \
     SELECT (SELECT min(x.run) FROM execution_live x \
             WHERE x.status - 0 >= 7 AND NOT x.folded AND x.run > step.run) \
     FROM step WHERE step.run IS NOT NULL) \
     (SELECT run FROM step WHERE run IS NOT NULL LIMIT $1) \
     UNION \
     (SELECT x.id FROM execution_live x \
      WHERE x.status + 0 = 2 AND x.runtime IS NULL ORDER BY x.id LIMIT $1) \
     UNION \
     (SELECT r.execution FROM run_live r LEFT JOIN execution_live e ON e.id = r.execution \
      WHERE r.open AND (e.id IS NULL OR e.status - 0 >= 7 OR e.cancel_requested) LIMIT $1) \
     UNION \
     (SELECT DISTINCT t.run FROM visit_live t \
      WHERE t.open AND t.state = 1 AND t.created < t.total \
      AND t.created - t.ended < t.concurrency LIMIT $1) \
     ORDER BY 1 LIMIT $1";

/// Name and incarnation of a worker.
pub(crate) const HELD: &str = "SELECT e.id, e.attempt, e.queue, e.cancel_requested, e.status = 3 \
     FROM execution_live e \
     WHERE e.status - 0 BETWEEN 3 AND 5 AND e.worker = $1 AND e.incarnation = $2 ORDER BY e.id";

pub(crate) const LOADS: &str = "SELECT e.worker, e.incarnation, count(*) FROM execution_live e \
     WHERE e.status - 0 BETWEEN 3 AND 5 AND e.worker IS NOT NULL GROUP BY e.worker, e.incarnation";

pub(crate) const QUEUES_OF: &str = "SELECT q.key FROM queue q WHERE q.action = $1 ORDER BY q.key";

pub(crate) const SCHEDULES: &str = concat!(
    "SELECT ",
    schedule!(),
    " FROM schedule s WHERE s.name = ANY($1) ORDER BY s.name FOR UPDATE"
);

/// How many.
pub(crate) const DUE_SCHEDULES: &str =
    "SELECT s.name, s.due FROM schedule s WHERE s.state + 0 = 0 ORDER BY s.due, s.name LIMIT $1";
/// Until when, and how many.
pub(crate) const DUE_EFFECTS: &str = concat!(
    "SELECT ",
    effect!(),
    " FROM effect f WHERE f.wake_at <= $1 ORDER BY f.wake_at LIMIT $2 FOR UPDATE SKIP LOCKED"
);

pub(crate) const EFFECTS: &str = concat!(
    "SELECT ",
    effect!(),
    " FROM UNNEST($1::int8[], $2::int8[], $3::int8[], $4::text[]) \
     AS k (execution, generation, kind, target) \
     JOIN effect f ON f.execution = k.execution AND f.generation = k.generation \
      AND f.kind = k.kind AND f.target = k.target \
     ORDER BY f.execution, f.generation, f.kind, f.target FOR UPDATE OF f"
);
