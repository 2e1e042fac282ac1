//! What can be looked up: each answer is of one moment, and nothing is locked.

use std::borrow::Cow;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use steadfast_core::effect::Effect;
use steadfast_core::queue::Queue;
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{ActionRef, DefinitionHash, ExecutionId, Status, Transport};
use steadfast_services::port::{
    Commit, EffectCount, EffectFilter, ExecutionFilter, ExecutionView, Load, Query, QueueView,
    Store, StoreError, TaskView, Transaction,
};
use tracing::debug;

use crate::args::Args;
use crate::code::Code;
use crate::row::Reader;
use crate::store::PostgresStore;
use crate::table::Decoder;
use crate::table::effect::{EffectDecoder, columns as effect};
use crate::table::execution::{ExecutionDecoder, columns as execution};
use crate::table::payload::outcome;
use crate::table::queue::{QueueDecoder, columns as queue};
use crate::table::run::{RunDecoder, columns as run};
use crate::table::schedule::{ScheduleDecoder, columns as schedule};
use crate::table::visit::{VisitDecoder, columns as visit};
use crate::table::worker::{WorkerDecoder, columns as worker};
use crate::transaction::PostgresTransaction;

/// An execution with its parameters and outcome.
const VIEW: &str =
    concat!("SELECT ", execution!(), ", e.parameters, e.result, e.error FROM execution e WHERE ");

const TASKS: &str = concat!(
    "SELECT ",
    execution!(),
    ", e.error FROM execution e \
     WHERE e.run = $1 AND e.id + 0 > $2 ORDER BY e.id + 0 LIMIT $3"
);

const RUN: &str = concat!("SELECT ", run!(), " FROM run r WHERE r.execution = $1");

const VISITS: &str =
    concat!("SELECT ", visit!(), " FROM visit t WHERE t.run = $1 ORDER BY t.task, t.occurrence");

/// Who is first in line has waited the longest.
macro_rules! queue_view {
    ($of:literal) => {
        concat!(
            "SELECT ",
            queue!(),
            ", (SELECT count(*) FROM execution_live x WHERE x.status + 0 = 1 AND x.queue = q.key), \
             (SELECT count(*) FROM execution_live x \
              WHERE x.status - 2 BETWEEN 0 AND 3 AND x.queue = q.key), \
             (SELECT x.created_at FROM execution_live x \
              WHERE x.status + 0 = 1 AND x.queue = q.key ORDER BY x.line, x.id LIMIT 1) \
             FROM queue q ",
            $of,
            " ORDER BY q.key"
        )
    };
}

const WORKERS: &str = concat!(
    "SELECT ",
    worker!(),
    ", (SELECT count(*) FROM execution_live x \
        WHERE x.status - 0 BETWEEN 3 AND 5 AND x.worker = w.name AND x.incarnation = w.incarnation) \
     FROM worker w ORDER BY w.name"
);

const SCHEDULE: &str =
    concat!("SELECT ", schedule!(), " FROM schedule s WHERE s.name = $1 AND s.state <> 3");

const SCHEDULES: &str = concat!(
    "SELECT ",
    schedule!(),
    " FROM schedule s WHERE s.name > $1 AND s.state <> 3 ORDER BY s.name LIMIT $2"
);

const COUNTS: &str = "SELECT status, count(*) FROM execution GROUP BY status";

const EFFECTS: &str = concat!("SELECT ", effect!(), " FROM effect f");

const OPEN_EFFECTS: &str = "SELECT f.kind, f.state, count(*) FROM effect f \
     WHERE f.wake_at IS NOT NULL GROUP BY f.kind, f.state";

impl PostgresStore {
    /// The rows of one statement. Reading twice changes nothing, so a connection that is lost
    /// meanwhile is replaced once.
    async fn read(&self, sql: impl SqlSafeStr, args: impl Fn() -> Args) -> Load<Vec<PgRow>> {
        let sql = sql.into_sql_str();
        match self.read_once(sql.clone(), args()).await {
            Err(StoreError::Unavailable(reason)) => {
                debug!(reason, "reading again");
                self.read_once(sql, args()).await
            }
            answer => answer,
        }
    }

    async fn read_once(&self, sql: SqlStr, args: Args) -> Load<Vec<PgRow>> {
        let mut session = self.snapshot().await?;
        let rows = session.rows(sql, args).await?;
        session.end().await?;
        Ok(rows)
    }
}

/// Commits a transaction that may as well be repeated.
async fn finish(tx: PostgresTransaction) -> Load<()> {
    match tx.commit().await {
        Commit::Committed(_) => Ok(()),
        Commit::Failed(error) => Err(error),
        Commit::Unknown(reason) => Err(StoreError::Unavailable(reason)),
    }
}

fn views(rows: &[PgRow]) -> Load<Vec<ExecutionView>> {
    let mut decoder = ExecutionDecoder::default();
    let view = |row| {
        let mut row = Reader::new(row);
        let execution = decoder.decode(&mut row)?;
        let parameters = row.json_or(|| serde_json::Value::Object(serde_json::Map::new()))?;
        Ok(ExecutionView { execution, parameters, outcome: outcome(&mut row)? })
    };
    rows.iter().map(view).collect()
}

impl Query for PostgresStore {
    async fn execution(&self, id: ExecutionId) -> Load<Option<ExecutionView>> {
        let sql = AssertSqlSafe(format!("{VIEW} e.id = $1"));
        let rows = self.read(sql, || Args::default().int(id.0)).await?;
        Ok(views(&rows)?.pop())
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Load<Vec<ExecutionView>> {
        let sql = AssertSqlSafe(listing(filter).0);
        views(&self.read(sql, || listing(filter).1).await?)
    }

    async fn tasks(
        &self,
        run: ExecutionId,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Load<Vec<TaskView>> {
        let after = after.map_or(0, |id| id.0);
        let rows = self.read(TASKS, || Args::default().int(run.0).int(after).int(limit)).await?;
        let mut decoder = ExecutionDecoder::default();
        let view = |row| {
            let mut row = Reader::new(row);
            let execution = decoder.decode(&mut row)?;
            Ok(TaskView { execution, error: row.opt_string()? })
        };
        rows.iter().map(view).collect()
    }

    async fn run(&self, id: ExecutionId) -> Load<Option<(Run, Vec<Visit>)>> {
        // Both statements see the same moment.
        let mut session = self.snapshot().await?;
        let of = || Args::default().int(id.0);
        let runs = session.rows(SqlStr::from_static(RUN), of()).await?;
        let visits = session.rows(SqlStr::from_static(VISITS), of()).await?;
        session.end().await?;
        let run = RunDecoder::all(&runs)?.pop();
        Ok(run.zip(Some(VisitDecoder::all(&visits)?)))
    }

    async fn queues(&self, action: Option<&ActionRef>) -> Load<Vec<QueueView>> {
        let rows = match action {
            None => self.read(queue_view!(""), Args::default).await?,
            Some(action) => {
                let of = || Args::default().text(action.as_str());
                self.read(queue_view!("WHERE q.action = $1"), of).await?
            }
        };
        let view = |row| {
            let mut row = Reader::new(row);
            let queue: Queue = QueueDecoder.decode(&mut row)?;
            let (waiting, holding) = (row.int()?, row.int()?);
            Ok(QueueView { queue, waiting, holding, oldest_waiting: row.opt_time()? })
        };
        rows.iter().map(view).collect()
    }

    async fn workers(&self) -> Load<Vec<(Worker, u32)>> {
        let rows = self.read(WORKERS, Args::default).await?;
        let view = |row| {
            let mut row = Reader::new(row);
            Ok((WorkerDecoder.decode(&mut row)?, row.small()?))
        };
        rows.iter().map(view).collect()
    }

    async fn schedule(&self, name: &ScheduleName) -> Load<Option<Schedule>> {
        let rows = self.read(SCHEDULE, || Args::default().text(name.as_str())).await?;
        Ok(ScheduleDecoder::all(&rows)?.pop())
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: u32) -> Load<Vec<Schedule>> {
        let after = after.map_or("", ScheduleName::as_str);
        let rows = self.read(SCHEDULES, || Args::default().text(after).int(limit)).await?;
        ScheduleDecoder::all(&rows)
    }

    async fn count_by_transport(&self) -> Load<Vec<(Transport, u64)>> {
        let sql = "SELECT transport, count(*) FROM execution_live WHERE status < 7 GROUP BY transport ORDER BY 1";
        let mut counts = Vec::new();
        for row in &self.read(sql, Args::default).await? {
            let mut row = Reader::new(row);
            counts.push((row.word()?, row.int()?));
        }
        Ok(counts)
    }

    async fn count_by_status(&self) -> Load<Vec<(Status, u64)>> {
        let mut counts: Vec<(Status, u64)> =
            <Status as Code>::ALL.iter().map(|s| (*s, 0)).collect();
        for row in &self.read(COUNTS, Args::default).await? {
            let mut row = Reader::new(row);
            let (status, found): (Status, u64) = (row.word()?, row.int()?);
            counts.iter_mut().filter(|count| count.0 == status).for_each(|count| count.1 = found);
        }
        Ok(counts)
    }

    async fn effects(&self, filter: &EffectFilter) -> Load<Vec<Effect>> {
        let sql = AssertSqlSafe(effect_listing(filter).0);
        EffectDecoder::all(&self.read(sql, || effect_listing(filter).1).await?)
    }

    async fn open_effects(&self) -> Load<Vec<EffectCount>> {
        let rows = self.read(OPEN_EFFECTS, Args::default).await?;
        let count = |row| {
            let mut row = Reader::new(row);
            Ok((row.word()?, row.word()?, row.int()?))
        };
        rows.iter().map(count).collect()
    }

    async fn definition(&self, hash: &DefinitionHash) -> Load<Option<String>> {
        let sql = "SELECT body FROM definition WHERE hash = $1";
        let rows = self.read(sql, || Args::default().text(hash.as_str())).await?;
        rows.first().map(|row| Reader::new(row).text().map(Cow::into_owned)).transpose()
    }

    async fn put_definitions(&self, definitions: &[(DefinitionHash, String)]) -> Load<()> {
        let mut tx = self.begin("put definitions").await?;
        tx.put_definitions(definitions).await?;
        finish(tx).await
    }

    async fn note(&self, key: &str) -> Load<Option<String>> {
        let sql = "SELECT value FROM note WHERE key = $1";
        let rows = self.read(sql, || Args::default().text(key)).await?;
        rows.first().map(|row| Reader::new(row).text().map(Cow::into_owned)).transpose()
    }

    async fn put_note(&self, key: &str, value: &str) -> Load<()> {
        let mut tx = self.begin("put note").await?;
        tx.put_note(key, value).await?;
        finish(tx).await
    }
}

/// The statement for a page of executions. The living contribute their newest rows, and so does
/// history for each wanted status, found in an index in order; the newest of those are the page.
fn listing(filter: &ExecutionFilter) -> (String, Args) {
    let mut numbered = Numbered { args: Args::default(), count: 0 };
    let mut asked = Vec::new();
    if let Some(parent) = filter.parent {
        asked.push(format!("x.run = {}", numbered.int(parent.0)));
    }
    if let Some(action) = &filter.action {
        asked.push(format!("x.action = {}", numbered.text(action.as_str())));
    }
    let cursor = filter.cursor.map(|cursor| numbered.int(cursor.0.0));
    let limit = numbered.int(u64::from(filter.limit));
    let mut arms = Vec::new();
    let wanted: Vec<Option<Status>> = match filter.statuses.is_empty() {
        true => vec![None],
        false => filter.statuses.iter().copied().map(Some).collect(),
    };
    for status in wanted {
        let live = arm_of_the_living(status, filter);
        let filed = arm_of_history(status, filter);
        for Arm { table, mut conditions, id } in [Some(live), filed].into_iter().flatten() {
            conditions.extend(asked.iter().cloned());
            conditions.extend(cursor.as_ref().map(|cursor| format!("{id} < {cursor}")));
            let all = conditions.join(" AND ");
            arms.push(format!(
                "(SELECT x.id FROM {table} x WHERE {all} ORDER BY {id} DESC LIMIT {limit})"
            ));
        }
    }
    let ids = arms.join(" UNION ");
    let page = format!("SELECT id FROM ({ids}) a ORDER BY id DESC LIMIT {limit}");
    (format!("{VIEW} e.id = ANY(ARRAY({page})) ORDER BY e.id DESC"), numbered.args)
}

/// Where the rows of a listing are: in which table, by which conditions, in which order. Whatever
/// narrows the listing has an index in the order of `id + 0`; see the migration. Codes stand in the
/// text, since partial indexes are found by them.
struct Arm {
    table: &'static str,
    conditions: Vec<String>,
    id: &'static str,
}

fn arm_of_the_living(status: Option<Status>, filter: &ExecutionFilter) -> Arm {
    let mut conditions = vec![String::from("true")];
    let mut narrow = filter.parent.is_some();
    if let Some(status) = status {
        conditions.push(format!("x.status = {}", status.code()));
        // What there is little of is sorted; the rest is dense among the newest.
        let few = match status {
            status if status.has_live_attempt() => Some("x.status - 0 BETWEEN 3 AND 5"),
            Status::Requested | Status::Backoff => Some("x.status + 0 IN (0, 6)"),
            _ => None,
        };
        narrow |= few.is_some();
        conditions.extend(few.map(String::from));
    }
    Arm { table: "execution_live", conditions, id: if narrow { "x.id + 0" } else { "x.id" } }
}

/// History has nothing that is not over.
fn arm_of_history(status: Option<Status>, filter: &ExecutionFilter) -> Option<Arm> {
    if status.is_some_and(|status| !status.is_terminal()) {
        return None;
    }
    let mut conditions = vec![String::from("x.filed >= 1")];
    conditions.extend(status.map(|status| format!("x.status = {}", status.code())));
    let rare = status.is_some_and(|status| status != Status::Completed);
    let narrow = filter.parent.is_some() || filter.action.is_some() || rare;
    Some(Arm { table: "execution", conditions, id: if narrow { "x.id + 0" } else { "x.id" } })
}

/// The statement for a page of effects.
fn effect_listing(filter: &EffectFilter) -> (String, Args) {
    let mut numbered = Numbered { args: Args::default(), count: 0 };
    let mut conditions = vec![String::from("true")];
    if let Some(execution) = filter.execution {
        conditions.push(format!("f.execution = {}", numbered.int(execution.0)));
    }
    if let Some(state) = filter.state {
        conditions.push(format!("f.state = {}", state.code()));
    }
    if let Some(cursor) = filter.cursor {
        let (id, place) = (numbered.int(cursor.execution.0), numbered.int(cursor.index.into()));
        conditions
            .push(format!("f.execution <= {id} AND (f.execution < {id} OR f.place > {place})"));
    }
    let (limit, conditions) = (numbered.int(filter.limit.into()), conditions.join(" AND "));
    let order = "ORDER BY f.execution DESC, f.place";
    (format!("{EFFECTS} WHERE {conditions} {order} LIMIT {limit}"), numbered.args)
}

/// Arguments that know their numbers.
struct Numbered {
    args: Args,
    count: u32,
}

impl Numbered {
    fn int(&mut self, value: u64) -> String {
        self.args = std::mem::take(&mut self.args).int(value);
        self.next()
    }

    fn text(&mut self, value: &str) -> String {
        self.args = std::mem::take(&mut self.args).text(value);
        self.next()
    }

    fn next(&mut self) -> String {
        self.count += 1;
        format!("${}", self.count)
    }
}
