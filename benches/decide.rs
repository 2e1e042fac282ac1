//! What one decision costs: `cargo bench -p steadfast-benches --bench decide`.
//!
//! Each figure is for a unit of work of 256 inputs, so divide by 256 for one.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use steadfast_core::completion::{Report, complete};
use steadfast_core::execution::Ending;
use steadfast_core::settings::Settings;
use steadfast_core::submit::{Submission, submit};
use steadfast_core::sweep::tell_worker;
use steadfast_core::unit::Unit;
use steadfast_core::worker::{Worker, WorkerInput};
use steadfast_core::workflow::{
    EvaluateError, Evaluator, Facts, Graph, Program, References, Scope, Task, Transition,
    WithItems, advance,
};
use steadfast_core::{
    ActionRef, DefinitionHash, ExecutionId, Policy, Prepared, QueueKey, Runtime, Span, TaskName,
    Timestamp, Transport, Work, WorkerId, claim,
};

const BATCH: u32 = 256;

fn unit() -> Unit {
    let now = Timestamp::from_micros(1_000_000);
    Unit::new(now, Settings::DEFAULT, Transport::Embedded, 1..1_000_000, 7)
}

fn prepared(action: &str, work: Work, limit: Option<u32>) -> Prepared {
    let action = ActionRef::new(action);
    Prepared {
        queue: QueueKey::of(&action, None),
        action,
        definition: DefinitionHash::new("d"),
        work,
        selector: Default::default(),
        limit,
        policy: Policy::DEFAULT,
        parameters: json!({}),
    }
}

fn shell() -> Work {
    Work::Runtime(Runtime::new("shell"))
}

fn submit_all(unit: &mut Unit, limit: Option<u32>) {
    for _ in 0..BATCH {
        let prepared = prepared("bench.noop", shell(), limit);
        let submission =
            Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
        submit(unit, submission).expect("the queue is not full");
    }
}

fn with_worker(mut unit: Unit) -> (Unit, WorkerId) {
    let name = steadfast_core::WorkerName::new("w");
    unit.workers.insert(Worker::new(name.clone()));
    let register = WorkerInput::Register {
        former: None,
        runtimes: [Runtime::new("shell")].into(),
        labels: Default::default(),
        capacity: BATCH,
        lease: Span::from_secs(4),
    };
    tell_worker(&mut unit, &name, &register).expect("it registers");
    let id = unit.worker(&name).expect("it is there").id();
    (unit, id)
}

fn running(limit: Option<u32>) -> (Unit, Vec<Report>) {
    let (mut unit, worker) = with_worker(unit());
    submit_all(&mut unit, limit);
    let taken = claim::claim(&mut unit, &worker, BATCH).expect("the worker is current");
    let report = |a: claim::Assignment| Report {
        execution: a.execution,
        token: a.token,
        queue: a.queue,
        ending: Ending::Succeeded,
        result: Value::Null,
        error: None,
    };
    (unit, taken.into_iter().map(report).collect())
}

/// Evaluates nothing: what remains is the machine itself.
struct Literal;

impl Evaluator for Literal {
    fn references(&self, _: &Value) -> References {
        References::default()
    }

    fn condition(&self, _: &str, _: &Scope<'_>) -> Result<bool, EvaluateError> {
        Ok(true)
    }

    fn render(&self, template: &Value, _: &Scope<'_>) -> Result<Value, EvaluateError> {
        Ok(template.clone())
    }

    fn prepare(&self, action: &ActionRef, _: Value) -> Result<Prepared, EvaluateError> {
        Ok(prepared(action.as_str(), shell(), None))
    }
}

fn task(name: &str, next: &[&str]) -> Task {
    let go = next.iter().map(TaskName::new).collect();
    Task {
        name: TaskName::new(name),
        action: ActionRef::new("bench.noop"),
        input: Value::Null,
        delay: Value::Null,
        retry: None,
        timeout: None,
        with_items: None,
        join: None,
        next: vec![Transition { go, ..Transition::default() }],
        worker_selector: Default::default(),
    }
}

fn fan_out() -> Graph {
    let mut items = task("items", &["after"]);
    let list = json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    items.with_items = Some(Box::new(WithItems { items: list, batch_size: 1, concurrency: 10 }));
    let tasks = vec![items, task("after", &[])];
    Graph { tasks, max_task_visits: Graph::MAX_TASK_VISITS, ..Graph::default() }
}

fn workflow_run(graph: &Graph) -> Unit {
    let mut unit = unit();
    unit.look_for_queue(QueueKey::new("bench.noop"));
    let submission = Submission {
        prepared: prepared("bench.flow", Work::Workflow, None),
        idempotency: None,
        retry_of: None,
        wishes: Vec::new(),
    };
    let id = submit(&mut unit, submission).expect("it is accepted").id();
    let program = Program { graph, evaluator: &Literal };
    assert_eq!(advance(&mut unit, id, program, &Facts::default()), Ok(()));
    unit
}

fn machines(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    group.bench_function("submit and admit", |b| {
        b.iter_batched(unit, |mut unit| submit_all(&mut unit, None), BatchSize::SmallInput);
    });
    group.bench_function("submit and queue at a limit of 3", |b| {
        b.iter_batched(unit, |mut unit| submit_all(&mut unit, Some(3)), BatchSize::SmallInput);
    });
    let loaded = || {
        let (mut unit, worker) = with_worker(unit());
        submit_all(&mut unit, None);
        (unit, worker)
    };
    group.bench_function("claim", |b| {
        let take = |(mut unit, worker): (Unit, WorkerId)| claim::claim(&mut unit, &worker, BATCH);
        b.iter_batched(loaded, take, BatchSize::SmallInput);
    });
    let finish = |(mut unit, reports): (Unit, Vec<Report>)| {
        for report in reports {
            complete(&mut unit, report).expect("every report is the first");
        }
        unit.into_decision()
    };
    group.bench_function("complete and make the decision", |b| {
        b.iter_batched(|| running(None), finish, BatchSize::SmallInput);
    });
    group.finish();
}

fn workflows(c: &mut Criterion) {
    let graph = fan_out();
    let mut group = c.benchmark_group("advance");
    group.throughput(Throughput::Elements(1));
    group.bench_function("begin a run of 10 items", |b| b.iter(|| workflow_run(&graph)));
    let loaded = || workflow_run(&graph);
    group.bench_function("a call with nothing to do", |b| {
        let program = Program { graph: &graph, evaluator: &Literal };
        let step = |mut unit: Unit| {
            advance(&mut unit, ExecutionId(1), program, &Facts::default())
                .expect("nothing is needed");
            unit
        };
        b.iter_batched(loaded, step, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, machines, workflows);
criterion_main!(benches);
