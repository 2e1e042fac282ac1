//! What every transaction wrote, noted by the database itself, and the same as a history of the
//! core's own rows, on which the laws are judged.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;
use steadfast_core::decision::{Changed, ItemPage, Outcome, Writes};
use steadfast_core::execution::{Cause, Execution, Idempotency};
use steadfast_core::history::History;
use steadfast_core::law::{self, Change};
use steadfast_core::policy::Policy;
use steadfast_core::queue::{LimitOverride, Queue};
use steadfast_core::settings::Settings;
use steadfast_core::snapshot::Snapshot;
use steadfast_core::worker::{Worker, WorkerState};
use steadfast_core::workflow::{Run, Visit, VisitState};
use steadfast_core::{
    Attempt, ExecutionId, Incarnation, ItemKey, Order, Status, TaskKey, TaskName, Timestamp,
    Transport, Version, Work, WorkerId, WorkerName,
};

/// Notes every row that is written. A row that moves to history comes as a new one of another table:
/// if it ended with that it has changed, and if it was only put away it has not. What a transaction writes is written after it has locked all
/// that it looks at, so for those that met the order of the notes is the order of the commits.
pub(crate) const NOTE_EVERYTHING: &str = "
CREATE TABLE public.audit (
    seq BIGSERIAL PRIMARY KEY, xid TEXT NOT NULL DEFAULT pg_current_xact_id()::text,
    at BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    op TEXT NOT NULL, tab TEXT NOT NULL, row JSONB NOT NULL);
CREATE FUNCTION public.note() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    after JSONB := to_jsonb(NEW);
    filed BOOLEAN := COALESCE((to_jsonb(NEW) ->> 'filed')::bigint, 0) > 0;
BEGIN
    IF filed AND NOT (TG_ARGV[0] = 'execution' AND after ->> 'run' IS NULL
                      AND after ->> 'runtime' IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.audit (op, tab, row) VALUES (
        CASE WHEN filed AND (after ->> 'version')::bigint > 0 THEN 'UPDATE' ELSE TG_OP END,
        TG_ARGV[0], after);
    RETURN NULL; END $$;
DO $$ DECLARE t TEXT; BEGIN
    FOREACH t IN ARRAY ARRAY['execution', 'queue', 'worker', 'run', 'visit', 'visit_items'] LOOP
        EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE ON steadfast.%I
            FOR EACH ROW EXECUTE FUNCTION public.note(%L)', t, t);
    END LOOP; END $$;";

/// Reads all of it, a line for each row.
pub(crate) const READ: &str = "SELECT json_build_object('xid', xid, 'at', at, 'op', op, 'tab', tab, 'row', row) \
     FROM public.audit ORDER BY seq";

/// One row that was written.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) xid: String,
    pub(crate) at: u64,
    pub(crate) new: bool,
    pub(crate) table: String,
    pub(crate) row: Value,
}

/// The notes of a run.
pub(crate) fn notes(lines: &str) -> Vec<Note> {
    let note = |line: &str| {
        let mut note: Value = serde_json::from_str(line).expect("the database writes JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Note {
            xid: text(&note["xid"]),
            at: note["at"].as_u64().expect("a time"),
            new: note["op"] == "INSERT",
            table: text(&note["tab"]),
            row: note["row"].take(),
        }
    };
    lines.lines().map(note).collect()
}

/// The history that the notes tell, judged by every law that rows can tell, commit by commit.
/// The error names the law that fell, or says that the rows do not follow from one another.
pub(crate) fn judge(notes: &[Note], settings: &Settings) -> Result<(History, Snapshot), String> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_transaction: BTreeMap<&str, Vec<&Note>> = BTreeMap::new();
    for note in notes {
        let of_it = by_transaction.entry(&note.xid).or_default();
        if of_it.is_empty() {
            order.push(&note.xid);
        }
        of_it.push(note);
    }
    let (mut history, mut after) = (History::new(), Snapshot::new());
    for xid in order {
        let rows = &by_transaction[xid];
        let at = decided_at(rows, &after);
        let written = writes(rows, &after);
        history
            .commit(&mut after, at, None, &written)
            .map_err(|conflict| format!("transaction {xid}: {conflict}"))?;
        let commit = history.commits().last().expect("it was just added");
        let change = Change { commit, after: &after, settings };
        law::check_change(&change).map_err(|broken| format!("transaction {xid}: {broken}"))?;
        law::check_touched(&change).map_err(|broken| format!("transaction {xid}: {broken}"))?;
    }
    law::check_snapshot(&after).map_err(|broken| format!("at the end: {broken}"))?;
    law::check_history(&history).map_err(|broken| format!("as a whole: {broken}"))?;
    Ok((history, after))
}

/// When it was decided: some rows say so; else when its first row was noted, a little later.
fn decided_at(notes: &[&Note], before: &Snapshot) -> Timestamp {
    let said = notes.iter().filter(|note| note.table == "execution").find_map(|note| {
        let after = execution(&Row(&note.row));
        let over = before.execution(after.id).is_some_and(|before| before.ended_at.is_some());
        after.ended_at.filter(|_| !over).or(note.new.then_some(after.created_at))
    });
    said.unwrap_or_else(|| Timestamp::from_micros(notes[0].at))
}

fn writes(notes: &[&Note], before: &Snapshot) -> Writes {
    // An outcome that did not come with its execution is a second note of the same version.
    let of_executions = notes.iter().filter(|note| note.table == "execution");
    let mut seen = BTreeSet::new();
    let (first, _again): (Vec<&Note>, Vec<&Note>) = of_executions
        .clone()
        .partition(|note| seen.insert((Row(&note.row).int("id"), Row(&note.row).int("version"))));
    let left: BTreeMap<ExecutionId, Outcome> = of_executions
        .filter(|note| Row(&note.row).flag("has_outcome"))
        .map(|note| outcome(&Row(&note.row)))
        .filter(|(id, _)| !before.results.contains_key(id))
        .collect();
    let new = first.iter().filter(|note| note.new);
    let parameters = new.filter_map(|note| {
        let row = Row(&note.row);
        Some((ExecutionId(row.int("id")), row.opt_json("parameters")?))
    });
    fn rows<R>(notes: &[&Note], table: &str, read: impl Fn(&Row<'_>) -> R) -> Changed<R> {
        let of = |new: bool| {
            let wanted = notes.iter().filter(|note| note.table == table && note.new == new);
            wanted.map(|note| read(&Row(&note.row))).collect()
        };
        Changed { inserted: of(true), updated: of(false) }
    }
    Writes {
        workers: rows(notes, "worker", worker),
        queues: rows(notes, "queue", queue),
        executions: rows(&first, "execution", execution),
        runs: rows(notes, "run", run),
        visits: rows(notes, "visit", visit),
        schedules: Changed::default(),
        parameters: parameters.collect(),
        results: left.into_iter().collect(),
        items: rows(notes, "visit_items", items).inserted,
        // Nobody is told of anything here.
        effects: Changed::default(),
        unchanged: 0,
    }
}

/// The columns of a row.
struct Row<'a>(&'a Value);

impl Row<'_> {
    fn opt_int(&self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }

    fn int(&self, name: &str) -> u64 {
        self.opt_int(name).unwrap_or_else(|| panic!("no number {name} in {}", self.0))
    }

    fn small(&self, name: &str) -> u32 {
        u32::try_from(self.int(name)).expect("a small number")
    }

    fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or_else(|| panic!("no flag {name} in {}", self.0))
    }

    fn opt_text(&self, name: &str) -> Option<&str> {
        self.0[name].as_str()
    }

    fn text(&self, name: &str) -> &str {
        self.opt_text(name).unwrap_or_else(|| panic!("no text {name} in {}", self.0))
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> T {
        self.opt_json(name).unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    fn opt_json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = self.opt_text(name)?;
        Some(serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}")))
    }

    fn time(&self, name: &str) -> Timestamp {
        Timestamp::from_micros(self.int(name))
    }

    fn opt_time(&self, name: &str) -> Option<Timestamp> {
        self.opt_int(name).map(Timestamp::from_micros)
    }

    /// A word of a closed vocabulary, by its place in it.
    fn opt_word<T: Copy>(&self, name: &str, words: &[T]) -> Option<T> {
        words.get(usize::try_from(self.opt_int(name)?).ok()?).copied()
    }

    fn word<T: Copy>(&self, name: &str, words: &[T]) -> T {
        self.opt_word(name, words).unwrap_or_else(|| panic!("no word {name} in {}", self.0))
    }

    fn task(&self) -> Option<TaskKey> {
        Some(TaskKey {
            run: ExecutionId(self.opt_int("run")?),
            task: TaskName::new(self.opt_text("task")?),
            occurrence: self.small("occurrence"),
        })
    }
}

const CAUSES: &[Cause] = &[
    Cause::QueueTimeout,
    Cause::Unschedulable,
    Cause::WorkerLost,
    Cause::OfferExpired,
    Cause::RunTimeout,
    Cause::Cancelled,
    Cause::Refused,
];

fn execution(row: &Row<'_>) -> Execution {
    let worker = row.opt_text("worker").map(|name| WorkerId {
        name: WorkerName::new(name),
        incarnation: Incarnation(row.int("incarnation")),
    });
    Execution {
        id: ExecutionId(row.int("id")),
        version: Version(row.int("version")),
        status: row.word("status", &Status::ALL),
        work: row.opt_text("runtime").map_or(Work::Workflow, |name| Work::Runtime(name.into())),
        queue: row.text("queue").into(),
        order: row.opt_int("line").map(Order),
        attempt: Attempt(row.small("attempt")),
        failures: row.small("failures"),
        losses: row.small("losses"),
        worker,
        cancel_requested: row.flag("cancel_requested"),
        folded: row.flag("folded"),
        wake_at: row.opt_time("wake_at"),
        started_at: row.opt_time("started_at"),
        ended_at: row.opt_time("ended_at"),
        cause: row.opt_word("cause", CAUSES),
        excluded: row.opt_json("excluded").unwrap_or_default(),
        place: row.task().map(|task| ItemKey {
            task,
            index: row.opt_int("item").map(|index| u32::try_from(index).expect("a small number")),
        }),
        action: row.text("action").into(),
        definition: row.text("definition").into(),
        transport: row.word("transport", &Transport::ALL),
        created_at: row.time("created_at"),
        retry_of: row.opt_int("retry_of").map(ExecutionId),
        selector: row.opt_json("selector").unwrap_or_default(),
        policy: row.opt_json("policy").map_or(Policy::DEFAULT, whole_policy),
        idempotency: row.opt_text("idempotency_key").map(|key| Idempotency {
            key: key.to_owned(),
            fingerprint: row.text("fingerprint").to_owned(),
        }),
        wishes: row.opt_json("wishes").unwrap_or_default(),
    }
}

fn queue(row: &Row<'_>) -> Queue {
    let small = |limit: u64| u32::try_from(limit).expect("a small number");
    Queue {
        key: row.text("key").into(),
        version: Version(row.int("version")),
        action: row.text("action").into(),
        declared_limit: row.opt_int("declared_limit").map(small),
        operator_limit: match row.0["operator_limit"].as_i64() {
            None => None,
            Some(-1) => Some(LimitOverride::Unlimited),
            Some(limit) => Some(LimitOverride::At(small(limit.unsigned_abs()))),
        },
        paused: row.flag("paused"),
        next_order: Order(row.int("next_line")),
        completed: row.int("completed"),
        updated_at: row.time("updated_at"),
    }
}

fn worker(row: &Row<'_>) -> Worker {
    use WorkerState::{Active, Dead, Draining, Gone, Suspect};
    Worker {
        version: Version(row.int("version")),
        incarnation: Incarnation(row.int("incarnation")),
        state: row.word("state", &[Active, Suspect, Dead, Draining, Gone]),
        cordoned: row.flag("cordoned"),
        healthy: row.flag("healthy"),
        runtimes: row.json::<BTreeSet<_>>("runtimes").into(),
        labels: row.json("labels"),
        capacity: row.small("capacity"),
        lease_until: row.time("lease_until"),
        last_beat: row.time("last_beat"),
        registered_at: row.time("registered_at"),
        ..Worker::new(WorkerName::new(row.text("name")))
    }
}

fn run(row: &Row<'_>) -> Run {
    Run {
        execution: ExecutionId(row.int("execution")),
        version: Version(row.int("version")),
        attempt: Attempt(row.small("attempt")),
        open: row.flag("open"),
        halted: row.flag("halted"),
        vars: row.opt_json("vars").unwrap_or_default(),
        visits: row.opt_json("visits").unwrap_or_default(),
        last: row.opt_json("last").unwrap_or_default(),
        fault: row.opt_text("fault").map(str::to_owned),
    }
}

fn visit(row: &Row<'_>) -> Visit {
    Visit {
        version: Version(row.int("version")),
        state: row.word("state", &[VisitState::Waiting, VisitState::Running, VisitState::Ended]),
        status: row.opt_word("status", &Status::ALL),
        arrived: row.opt_json("arrived").unwrap_or_default(),
        absorbing: row.flag("absorbing"),
        listed: row.flag("listed"),
        elements: row.small("elements"),
        batch_size: row.small("batch_size"),
        total: row.small("total"),
        created: row.small("created"),
        ended: row.small("ended"),
        failed: row.small("failed"),
        timed_out: row.small("timed_out"),
        concurrency: row.small("concurrency"),
        vars: row.opt_json("vars").unwrap_or_default(),
        not_before: row.opt_time("not_before"),
        error: row.opt_text("error").map(str::to_owned),
        ..Visit::new(row.task().expect("a visit has a key"), row.small("needed"))
    }
}

/// What is written of a policy is what differs from the ordinary one.
fn whole_policy(written: serde_json::Map<String, Value>) -> Policy {
    let mut all = serde_json::to_value(Policy::DEFAULT).expect("a policy is JSON");
    all.as_object_mut().expect("of fields").extend(written);
    serde_json::from_value(all).expect("it is a policy")
}

fn outcome(row: &Row<'_>) -> (ExecutionId, Outcome) {
    let error = row.opt_text("error").map(str::to_owned);
    let result = row.opt_json("result").unwrap_or(Value::Null);
    (ExecutionId(row.int("id")), Outcome { result, error })
}

fn items(row: &Row<'_>) -> ItemPage {
    let visit = row.task().expect("a page belongs to a visit");
    ItemPage { visit, page: row.small("page"), items: row.json("items") }
}

/// How long it took from the death of a worker until each attempt that it had was taken from it.
pub(crate) fn detection(history: &History, worker: &str, died_at: u64) -> Vec<u64> {
    let mut held: BTreeMap<ExecutionId, Attempt> = BTreeMap::new();
    let mut took = Vec::new();
    for commit in history.commits() {
        let at = commit.at.as_micros();
        for change in &commit.executions {
            let after = &change.after;
            let is_held = after.status.has_live_attempt()
                && after.worker.as_ref().is_some_and(|holder| holder.name.as_str() == worker);
            if at <= died_at {
                if is_held {
                    held.insert(after.id, after.attempt);
                } else {
                    held.remove(&after.id);
                }
            } else if let Some(attempt) = held.remove(&after.id) {
                let lost = change.before.as_ref().is_some_and(|b| b.losses < after.losses);
                if is_held && after.attempt == attempt && !lost {
                    held.insert(after.id, attempt);
                } else if lost {
                    took.push(at - died_at);
                }
            }
        }
    }
    took
}
