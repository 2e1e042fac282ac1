//! The statements that read. Every one that is on a hot path names its index, so that SQLite
//! refuses to prepare it rather than read the whole table. Lists of
//! keys are given sorted and each key once, and are walked in their order.

use crate::shape::Shape;
use crate::table::effect::columns as effect;
use crate::table::execution::{packed, pointers};
use crate::table::queue::columns as queue;
use crate::table::run::columns as run;
use crate::table::schedule::columns as schedule;
use crate::table::visit::columns as visit;
use crate::table::worker::columns as worker;

pub(crate) const LIVE_WORKERS: &str =
    concat!("SELECT ", worker!(), " FROM worker w WHERE w.state <> 4 ORDER BY w.name");

pub(crate) static WORKERS: Shape = Shape::values(
    1,
    "WITH k(name) AS (",
    concat!(") SELECT ", worker!(), " FROM k CROSS JOIN worker w ON w.name = k.name"),
);

pub(crate) static QUEUES: Shape = Shape::values(
    1,
    "WITH k(key) AS (",
    concat!(") SELECT ", queue!(), " FROM k CROSS JOIN queue q ON q.key = k.key"),
);

/// Rows of queue and whether its slots are counted.
pub(crate) static OCCUPANCY: Shape = Shape::values(
    3,
    "WITH k(queue, limited, most) AS (",
    ") SELECT k.queue, \
     min(k.most, (SELECT count(*) FROM execution x INDEXED BY execution_line \
      WHERE x.status = 1 AND x.queue = k.queue)), \
     CASE WHEN k.limited THEN \
      (SELECT count(*) FROM execution x INDEXED BY execution_holding \
       WHERE x.status BETWEEN 2 AND 5 AND x.queue = k.queue) \
     ELSE 0 END \
     FROM k WHERE k.queue IS NOT NULL",
);

/// Rows of queue and how many of it.
pub(crate) static LINE: Shape = Shape::union(
    2,
    concat!(packed!(), "("),
    "SELECT * FROM (SELECT x.id FROM execution x INDEXED BY execution_line \
     WHERE x.status = 1 AND x.queue = ? ORDER BY x.line, x.id LIMIT COALESCE(?, 0))",
    ") k CROSS JOIN execution e ON e.id = k.id",
);

pub(crate) const RUNS: &str =
    concat!("SELECT ", run!(), " FROM json_each(?) k CROSS JOIN run r ON r.execution = k.value");

pub(crate) const EXECUTIONS: &str =
    concat!(packed!(), "json_each(?) k CROSS JOIN execution e ON e.id = k.value");

pub(crate) static BY_KEY: Shape = Shape::values(
    1,
    "WITH k(key) AS (",
    concat!(
        ") ",
        packed!(),
        "k CROSS JOIN execution e INDEXED BY execution_key ON e.idempotency_key = k.key"
    ),
);

/// Runtimes, then how many in all. Each runtime's oldest are merged as far as they are wanted.
pub(crate) static READY: Shape = Shape::union(
    1,
    concat!(packed!(), "("),
    "SELECT x.id AS id FROM execution x INDEXED BY execution_ready \
     WHERE x.status = 2 AND x.runtime = ?",
    "ORDER BY 1 LIMIT ?) k CROSS JOIN execution e ON e.id = k.id",
);

/// Rows of run and how many of it.
pub(crate) static ENDED_CHILDREN: Shape = Shape::union(
    2,
    concat!(packed!(), "("),
    "SELECT * FROM (SELECT x.id FROM execution x INDEXED BY execution_ended_child \
     WHERE x.status >= 7 AND x.folded = 0 AND x.run = ? ORDER BY x.id LIMIT COALESCE(?, 0))",
    ") k CROSS JOIN execution e ON e.id = k.id",
);

/// Runs, how many of each.
pub(crate) const LIVE_CHILDREN: &str = pointers!(
    "json_each(?) k CROSS JOIN execution e ON e.id IN (\
     SELECT x.id FROM execution x INDEXED BY execution_live_child \
     WHERE x.status < 7 AND x.run = k.value ORDER BY x.cancel_requested, x.id LIMIT ?) \
     ORDER BY e.run, e.cancel_requested, e.id"
);

pub(crate) const OPEN_VISITS: &str = concat!(
    "SELECT ",
    visit!(),
    " FROM json_each(?) k \
     CROSS JOIN visit t INDEXED BY visit_open ON t.run = k.value AND t.open = 1 \
     ORDER BY t.run, t.task, t.occurrence"
);

pub(crate) const PARAMETERS: &str = "SELECT p.execution, p.value \
     FROM json_each(?) k CROSS JOIN execution_parameters p ON p.execution = k.value";

pub(crate) const ERRORS: &str = "SELECT o.execution, o.error FROM json_each(?) k \
     CROSS JOIN execution_outcome o ON o.execution = k.value AND o.error IS NOT NULL";

pub(crate) static VISIT_RESULTS: Shape = Shape::values(
    3,
    "WITH k(run, task, occurrence) AS (",
    ") SELECT e.run, e.task, e.occurrence, e.item, e.status, o.result, o.error \
     FROM k CROSS JOIN execution e INDEXED BY execution_place \
     ON e.run = k.run AND e.task = k.task AND e.occurrence = k.occurrence AND e.status >= 7 \
     LEFT JOIN execution_outcome o ON o.execution = e.id \
     ORDER BY e.run, e.task, e.occurrence, COALESCE(e.item, -1)",
);

pub(crate) static ITEMS: Shape = Shape::values(
    4,
    "WITH k(run, task, occurrence, page) AS (",
    ") SELECT i.run, i.task, i.occurrence, i.page, i.items \
     FROM k CROSS JOIN visit_items i ON i.run = k.run AND i.task = k.task \
     AND i.occurrence = k.occurrence AND i.page = k.page \
     ORDER BY i.run, i.task, i.occurrence, i.page",
);

pub(crate) const POINTERS: &str =
    pointers!("json_each(?) k CROSS JOIN execution e ON e.id = k.value");

pub(crate) const DUE: &str = pointers!(
    "execution e INDEXED BY execution_due WHERE e.wake_at <= ? ORDER BY e.wake_at, e.id LIMIT ?"
);

pub(crate) const ORPHANS: &str = pointers!(
    "execution e INDEXED BY execution_live LEFT JOIN worker w ON w.name = e.worker \
     WHERE e.status BETWEEN 3 AND 5 AND e.worker IS NOT NULL \
     AND (w.name IS NULL OR w.state IN (2, 4) OR w.incarnation <> e.incarnation) LIMIT ?"
);

/// From each queue to the next, without looking at those who wait between.
pub(crate) const LINES: &str = "WITH RECURSIVE step(queue) AS (\
     SELECT min(x.queue) FROM execution x INDEXED BY execution_line WHERE x.status = 1 \
     UNION ALL \
     SELECT (SELECT min(x.queue) FROM execution x INDEXED BY execution_line \
             WHERE x.status = 1 AND x.queue > step.queue) \
     FROM step WHERE step.queue IS NOT NULL LIMIT ?) \
     SELECT queue FROM step WHERE queue IS NOT NULL";

/// From each runtime to the next.
pub(crate) const READY_RUNTIMES: &str = "WITH RECURSIVE step(runtime) AS (\
     SELECT min(x.runtime) FROM execution x INDEXED BY execution_ready WHERE x.status = 2 \
     UNION ALL \
     SELECT (SELECT min(x.runtime) FROM execution x INDEXED BY execution_ready \
             WHERE x.status = 2 AND x.runtime > step.runtime) \
     FROM step WHERE step.runtime IS NOT NULL) \
     SELECT runtime FROM step WHERE runtime IS NOT NULL";

/// How many of each, four times, and how many in all.
pub(crate) const RUNNABLE: &str = "WITH RECURSIVE step(run) AS (\
     SELECT min(x.run) FROM execution x INDEXED BY execution_ended_child \
     WHERE x.status >= 7 AND x.folded = 0 AND x.run IS NOT NULL \
     UNION ALL \
     SELECT (SELECT min(x.run) FROM execution x INDEXED BY execution_ended_child \
             WHERE x.status >= 7 AND x.folded = 0 AND x.run > step.run) \
     FROM step WHERE step.run IS NOT NULL LIMIT ?) \
     SELECT run FROM step WHERE run IS NOT NULL \
     UNION \
     SELECT id FROM (SELECT x.id FROM execution x INDEXED BY execution_ready \
                     WHERE x.status = 2 AND x.runtime IS NULL ORDER BY x.id LIMIT ?) \
     UNION \
     SELECT execution FROM (SELECT r.execution FROM run r INDEXED BY run_open \
                            CROSS JOIN execution e ON e.id = r.execution \
                            WHERE r.open = 1 AND (e.status >= 7 OR e.cancel_requested) LIMIT ?) \
     UNION \
     SELECT run FROM (SELECT DISTINCT t.run FROM visit t INDEXED BY visit_open \
                      WHERE t.open = 1 AND t.state = 1 AND t.created < t.total \
                      AND t.created - t.ended < t.concurrency LIMIT ?) \
     ORDER BY 1 LIMIT ?";

pub(crate) const HELD: &str = "SELECT json_group_array(json_array(id, attempt, queue, cancel_requested, offered)) FROM (\
     SELECT e.id, e.attempt, e.queue, e.cancel_requested, e.status = 3 AS offered \
     FROM execution e INDEXED BY execution_live \
     WHERE e.status BETWEEN 3 AND 5 AND e.worker = ? AND e.incarnation = ? ORDER BY e.id)";

pub(crate) const LOADS: &str = "SELECT e.worker, e.incarnation, count(*) \
     FROM execution e INDEXED BY execution_live \
     WHERE e.status BETWEEN 3 AND 5 AND e.worker IS NOT NULL GROUP BY e.worker, e.incarnation";

pub(crate) const QUEUES_OF: &str =
    "SELECT q.key FROM queue q INDEXED BY queue_by_action WHERE q.action = ? ORDER BY q.key";

pub(crate) static SCHEDULES: Shape = Shape::values(
    1,
    "WITH k(name) AS (",
    concat!(") SELECT ", schedule!(), " FROM k CROSS JOIN schedule s ON s.name = k.name"),
);

/// How many.
pub(crate) const DUE_SCHEDULES: &str = "SELECT s.name, s.due \
     FROM schedule s INDEXED BY schedule_due WHERE s.state = 0 ORDER BY s.due, s.name LIMIT ?";
/// Until when, and how many.
pub(crate) const DUE_EFFECTS: &str = concat!(
    "SELECT ",
    effect!(),
    " FROM effect f INDEXED BY effect_due WHERE f.wake_at <= ? ORDER BY f.wake_at LIMIT ?"
);

pub(crate) static EFFECTS: Shape = Shape::values(
    4,
    "WITH k(execution, generation, kind, target) AS (",
    concat!(
        ") SELECT ",
        effect!(),
        " FROM k CROSS JOIN effect f ON f.execution = k.execution \
         AND f.generation = k.generation AND f.kind = k.kind AND f.target = k.target"
    ),
);
