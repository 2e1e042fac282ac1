//! What can be looked up, on connections that only read: they see what is committed and never
//! wait for the writer.

use std::borrow::Cow;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr, SqliteConnection};
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

use crate::args::Args;
use crate::code::Code;
use crate::error::store_error;
use crate::row::{Cells, Reader};
use crate::store::EmbeddedStore;
use crate::table::Decoder;
use crate::table::effect::{EffectDecoder, columns as effect};
use crate::table::execution::{ExecutionDecoder, columns as execution};
use crate::table::payload::outcome;
use crate::table::queue::{QueueDecoder, columns as queue};
use crate::table::run::{RunDecoder, columns as run};
use crate::table::schedule::{ScheduleDecoder, columns as schedule};
use crate::table::visit::{VisitDecoder, columns as visit};
use crate::table::worker::{WorkerDecoder, columns as worker};
use crate::transaction::EmbeddedTransaction;

/// An execution with its parameters and outcome.
const VIEW: &str = concat!(
    "SELECT ",
    execution!("e."),
    ", p.value, o.result, o.error FROM execution e \
     LEFT JOIN execution_parameters p ON p.execution = e.id \
     LEFT JOIN execution_outcome o ON o.execution = e.id WHERE "
);

const TASKS: &str = concat!(
    "SELECT ",
    execution!("e."),
    ", o.error FROM execution e INDEXED BY execution_by_run \
     LEFT JOIN execution_outcome o ON o.execution = e.id \
     WHERE e.run = ? AND e.id > ? ORDER BY e.id LIMIT ?"
);

const RUN: &str = concat!("SELECT ", run!(), " FROM run r WHERE r.execution = ?");

const VISITS: &str =
    concat!("SELECT ", visit!(), " FROM visit t WHERE t.run = ? ORDER BY t.task, t.occurrence");

/// Who is first in line has waited the longest.
macro_rules! queue_view {
    ($of:literal) => {
        concat!(
            "SELECT ",
            queue!(),
            ", (SELECT count(*) FROM execution x INDEXED BY execution_line \
                WHERE x.status = 1 AND x.queue = q.key), \
             (SELECT count(*) FROM execution x INDEXED BY execution_holding \
              WHERE x.status BETWEEN 2 AND 5 AND x.queue = q.key), \
             (SELECT x.created_at FROM execution x INDEXED BY execution_line \
              WHERE x.status = 1 AND x.queue = q.key ORDER BY x.line, x.id LIMIT 1) \
             FROM queue q ",
            $of,
            " ORDER BY q.key"
        )
    };
}

const WORKERS: &str = concat!(
    "SELECT ",
    worker!(),
    ", (SELECT count(*) FROM execution x INDEXED BY execution_live \
        WHERE x.status BETWEEN 3 AND 5 AND x.worker = w.name AND x.incarnation = w.incarnation) \
     FROM worker w ORDER BY w.name"
);

const SCHEDULE: &str =
    concat!("SELECT ", schedule!(), " FROM schedule s WHERE s.name = ? AND s.state <> 3");

const SCHEDULES: &str = concat!(
    "SELECT ",
    schedule!(),
    " FROM schedule s WHERE s.name > ? AND s.state <> 3 ORDER BY s.name LIMIT ?"
);

const COUNTS: &str =
    "SELECT status, count(*) FROM execution INDEXED BY execution_by_status GROUP BY status";

const EFFECTS: &str = concat!("SELECT ", effect!(), " FROM effect f");

const OPEN_EFFECTS: &str = "SELECT f.kind, f.state, count(*) FROM effect f INDEXED BY effect_due \
     WHERE f.wake_at IS NOT NULL GROUP BY f.kind, f.state";

impl EmbeddedStore {
    async fn read(&self, sql: impl SqlSafeStr, args: Args) -> Load<Vec<SqliteRow>> {
        let mut connection = self.readers().acquire().await.map_err(|error| store_error(&error))?;
        fetch(&mut connection, sql.into_sql_str(), args).await
    }
}

async fn fetch(connection: &mut SqliteConnection, sql: SqlStr, args: Args) -> Load<Vec<SqliteRow>> {
    let rows = sqlx::query_with(sql, args.finish()?).fetch_all(connection).await;
    rows.map_err(|error| store_error(&error))
}

/// Commits a transaction that may as well be repeated.
pub(crate) async fn finish(tx: EmbeddedTransaction) -> Load<()> {
    match tx.commit().await {
        Commit::Committed(_) => Ok(()),
        Commit::Failed(error) => Err(error),
        Commit::Unknown(reason) => Err(StoreError::Unavailable(reason)),
    }
}

fn of_id(id: u64) -> Args {
    let mut args = Args::default();
    args.int(id);
    args
}

fn of_text(text: &str) -> Args {
    let mut args = Args::default();
    args.text(text);
    args
}

fn views(rows: &[SqliteRow]) -> Load<Vec<ExecutionView>> {
    let mut decoder = ExecutionDecoder::default();
    let view = |row| {
        let mut row = Reader::new(row);
        let execution = decoder.decode(&mut row)?;
        let parameters = row.json_or(|| serde_json::Value::Object(serde_json::Map::new()))?;
        Ok(ExecutionView { execution, parameters, outcome: outcome(&mut row)? })
    };
    rows.iter().map(view).collect()
}

impl Query for EmbeddedStore {
    async fn execution(&self, id: ExecutionId) -> Load<Option<ExecutionView>> {
        let sql = AssertSqlSafe(format!("{VIEW} e.id = ?"));
        Ok(views(&self.read(sql, of_id(id.0)).await?)?.pop())
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Load<Vec<ExecutionView>> {
        let (sql, args) = listing(filter);
        views(&self.read(AssertSqlSafe(sql), args).await?)
    }

    async fn tasks(
        &self,
        run: ExecutionId,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Load<Vec<TaskView>> {
        let mut args = of_id(run.0);
        args.int(after.map_or(0, |id| id.0));
        args.int(limit);
        let rows = self.read(TASKS, args).await?;
        let mut decoder = ExecutionDecoder::default();
        let view = |row| {
            let mut row = Reader::new(row);
            let execution = decoder.decode(&mut row)?;
            Ok(TaskView { execution, error: row.opt_string()? })
        };
        rows.iter().map(view).collect()
    }

    async fn run(&self, id: ExecutionId) -> Load<Option<(Run, Vec<Visit>)>> {
        let failed = |error: sqlx::Error| store_error(&error);
        // Both statements see the same moment.
        let mut tx = self.readers().begin().await.map_err(failed)?;
        let runs = fetch(&mut tx, SqlStr::from_static(RUN), of_id(id.0)).await?;
        let visits = fetch(&mut tx, SqlStr::from_static(VISITS), of_id(id.0)).await?;
        tx.rollback().await.map_err(failed)?;
        let run = RunDecoder::all(&runs)?.pop();
        Ok(run.zip(Some(VisitDecoder::all(&visits)?)))
    }

    async fn queues(&self, action: Option<&ActionRef>) -> Load<Vec<QueueView>> {
        let rows = match action {
            None => self.read(queue_view!(""), Args::default()).await?,
            Some(action) => {
                self.read(queue_view!("WHERE q.action = ?"), of_text(action.as_str())).await?
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
        let rows = self.read(WORKERS, Args::default()).await?;
        let view = |row| {
            let mut row = Reader::new(row);
            Ok((WorkerDecoder.decode(&mut row)?, row.small()?))
        };
        rows.iter().map(view).collect()
    }

    async fn schedule(&self, name: &ScheduleName) -> Load<Option<Schedule>> {
        Ok(ScheduleDecoder::all(&self.read(SCHEDULE, of_text(name.as_str())).await?)?.pop())
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: u32) -> Load<Vec<Schedule>> {
        let mut args = of_text(after.map_or("", ScheduleName::as_str));
        args.int(limit);
        ScheduleDecoder::all(&self.read(SCHEDULES, args).await?)
    }

    async fn count_by_transport(&self) -> Load<Vec<(Transport, u64)>> {
        let sql = "SELECT transport, count(*) FROM execution WHERE status < 7 GROUP BY transport ORDER BY 1";
        let mut counts = Vec::new();
        for row in &self.read(sql, Args::default()).await? {
            let mut row = Reader::new(row);
            counts.push((row.word()?, row.int()?));
        }
        Ok(counts)
    }

    async fn count_by_status(&self) -> Load<Vec<(Status, u64)>> {
        let mut counts: Vec<(Status, u64)> = Status::ALL.map(|status| (status, 0)).to_vec();
        for row in &self.read(COUNTS, Args::default()).await? {
            let mut row = Reader::new(row);
            let (status, found): (Status, u64) = (row.word()?, row.int()?);
            counts.iter_mut().filter(|count| count.0 == status).for_each(|count| count.1 = found);
        }
        Ok(counts)
    }

    async fn effects(&self, filter: &EffectFilter) -> Load<Vec<Effect>> {
        let (mut args, mut conditions) = (Args::default(), vec!["1"]);
        if let Some(execution) = filter.execution {
            conditions.push("f.execution = ?");
            args.int(execution.0);
        }
        if let Some(state) = filter.state {
            conditions.push("f.state = ?");
            args.int(state.code());
        }
        if let Some(cursor) = filter.cursor {
            conditions.push("f.execution <= ? AND (f.execution < ? OR f.place > ?)");
            args.int(cursor.execution.0);
            args.int(cursor.execution.0);
            args.int(cursor.index);
        }
        args.int(filter.limit);
        let conditions = conditions.join(" AND ");
        let sql =
            format!("{EFFECTS} WHERE {conditions} ORDER BY f.execution DESC, f.place LIMIT ?");
        EffectDecoder::all(&self.read(AssertSqlSafe(sql), args).await?)
    }

    async fn open_effects(&self) -> Load<Vec<EffectCount>> {
        let rows = self.read(OPEN_EFFECTS, Args::default()).await?;
        let count = |row| {
            let mut row = Reader::new(row);
            Ok((row.word()?, row.word()?, row.int()?))
        };
        rows.iter().map(count).collect()
    }

    async fn definition(&self, hash: &DefinitionHash) -> Load<Option<String>> {
        let sql = "SELECT body FROM definition WHERE hash = ?";
        let rows = self.read(sql, of_text(hash.as_str())).await?;
        rows.first().map(|row| Reader::new(row).text().map(Cow::into_owned)).transpose()
    }

    async fn put_definitions(&self, definitions: &[(DefinitionHash, String)]) -> Load<()> {
        let mut tx = self.begin("put definitions").await?;
        tx.put_definitions(definitions).await?;
        finish(tx).await
    }

    async fn note(&self, key: &str) -> Load<Option<String>> {
        let sql = "SELECT value FROM note WHERE key = ?";
        let rows = self.read(sql, of_text(key)).await?;
        rows.first().map(|row| Reader::new(row).text().map(Cow::into_owned)).transpose()
    }

    async fn put_note(&self, key: &str, value: &str) -> Load<()> {
        let mut tx = self.begin("put note").await?;
        tx.put_note(key, value).await?;
        finish(tx).await
    }
}

/// The statement for a page of executions. Each wanted status contributes its newest rows, found
/// in an index in order, and the newest of those are the page.
fn listing(filter: &ExecutionFilter) -> (String, Args) {
    let mut args = Args::default();
    let mut arms = Vec::new();
    if filter.statuses.is_empty() {
        arms.push(arm(filter, None, &mut args));
    }
    for status in &filter.statuses {
        arms.push(arm(filter, Some(*status), &mut args));
    }
    args.int(filter.limit);
    let ids = arms.join(" UNION ");
    let sql = format!("{VIEW} e.id IN ({ids} ORDER BY 1 DESC LIMIT ?) ORDER BY e.id DESC");
    (sql, args)
}

fn arm(filter: &ExecutionFilter, status: Option<Status>, args: &mut Args) -> String {
    let mut conditions = vec!["1"];
    if let Some(parent) = filter.parent {
        conditions.push("x.run = ?");
        args.int(parent.0);
    }
    if let Some(action) = &filter.action {
        conditions.push("x.action = ?");
        args.text(action.as_str());
    }
    if let Some(status) = status {
        conditions.push("x.status = ?");
        args.int(status.code());
    }
    if let Some(cursor) = filter.cursor {
        conditions.push("x.id < ?");
        args.int(cursor.0.0);
    }
    args.int(filter.limit);
    // Nearly all that is kept has completed, and every other status is rarer than any action.
    let index = match (filter.parent, &filter.action, status) {
        (Some(_), ..) => "INDEXED BY execution_by_run",
        (None, Some(_), None | Some(Status::Completed)) => "INDEXED BY execution_by_action",
        (None, _, Some(_)) => "INDEXED BY execution_by_status",
        (None, None, None) => "NOT INDEXED",
    };
    format!(
        "SELECT id FROM (SELECT x.id FROM execution x {index} WHERE {} ORDER BY x.id DESC LIMIT ?)",
        conditions.join(" AND ")
    )
}
