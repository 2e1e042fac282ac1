//! Every status in every situation: one explanation, of a kind that fits.

use std::sync::Arc;

use super::*;
use serde_json::json;
use steadfast_core::definition::Transport;
use steadfast_core::queue::Queue;
use steadfast_core::worker::WorkerState;
use steadfast_core::workflow::VisitState;
use steadfast_core::{
    ActionRef, Attempt, DefinitionHash, Incarnation, Policy, QueueKey, Runtime, Span, TaskKey,
    Version, Work, WorkerId,
};

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

fn execution(status: Status, work: Work) -> Execution {
    let worker = WorkerId { name: WorkerName::new("w1"), incarnation: Incarnation(1) };
    let has_worker = status.has_live_attempt() && work != Work::Workflow;
    Execution {
        id: ExecutionId(7),
        version: Version(1),
        action: ActionRef::new("test.hold"),
        definition: DefinitionHash::new("hash"),
        work,
        selector: BTreeMap::new(),
        transport: Transport::Embedded,
        status,
        queue: QueueKey::new("test.hold"),
        order: None,
        attempt: Attempt(u32::from(status != Status::Requested)),
        failures: 0,
        losses: 0,
        worker: has_worker.then_some(worker),
        excluded: Vec::new(),
        cancel_requested: false,
        wake_at: None,
        policy: Policy::DEFAULT,
        place: None,
        folded: false,
        retry_of: None,
        idempotency: None,
        created_at: NOW - Span::from_secs(10),
        started_at: None,
        ended_at: status.is_terminal().then_some(NOW),
        cause: None,
        wishes: Vec::new(),
    }
}

fn on_worker(status: Status) -> Execution {
    execution(status, Work::Runtime(Runtime::new("shell")))
}

fn workflow(status: Status) -> Execution {
    execution(status, Work::Workflow)
}

fn worker(name: &str) -> Worker {
    let mut worker = Worker::new(WorkerName::new(name));
    worker.incarnation = Incarnation(1);
    worker.state = WorkerState::Active;
    worker.runtimes = Arc::new(BTreeSet::from([Runtime::new("shell")]));
    worker.capacity = 2;
    worker.lease_until = NOW + Span::from_millis(3200);
    worker
}

fn queue(limit: Option<u32>, paused: bool, holding: u64) -> QueueView {
    let mut queue = Queue::new(QueueKey::new("test.hold"), limit, NOW);
    queue.paused = paused;
    QueueView { queue, waiting: 3, holding, oldest_waiting: Some(NOW) }
}

fn holder(id: u64, blocked: bool) -> Holder {
    Holder { execution: ExecutionId(id), worker: Some(WorkerName::new("w1")), blocked }
}

fn visit(task: &str, state: VisitState, created: u32, ended: u32) -> Visit {
    let key = TaskKey { run: ExecutionId(7), task: TaskName::new(task), occurrence: 0 };
    let mut visit = Visit::new(key, 3);
    visit.state = state;
    (visit.total, visit.created, visit.ended) = (created, created, ended);
    visit
}

fn join(arrived: &[&str]) -> Visit {
    let mut visit = visit("meet", VisitState::Waiting, 0, 0);
    visit.arrived = arrived.iter().map(TaskName::new).collect();
    visit
}

fn run(attempt: u32, visits: Vec<Visit>) -> (Run, Vec<Visit>) {
    (Run::new(ExecutionId(7), Attempt(attempt)), visits)
}

/// Owns what a situation borrows.
#[derive(Clone)]
struct Scene {
    execution: Execution,
    queue: Option<QueueView>,
    position: Option<u64>,
    holders: Vec<Holder>,
    workers: Vec<(Worker, u32)>,
    run: Option<(Run, Vec<Visit>)>,
}

impl Scene {
    fn of(execution: Execution) -> Self {
        Self {
            execution,
            queue: None,
            position: None,
            holders: Vec::new(),
            workers: vec![(worker("w1"), 1)],
            run: None,
        }
    }

    fn queue(self, queue: QueueView) -> Self {
        Self { queue: Some(queue), ..self }
    }

    fn holders(self, holders: &[Holder]) -> Self {
        Self { holders: holders.to_vec(), ..self }
    }

    fn workers(self, workers: &[(Worker, u32)]) -> Self {
        Self { workers: workers.to_vec(), ..self }
    }

    fn run(self, run: (Run, Vec<Visit>)) -> Self {
        Self { run: Some(run), ..self }
    }

    fn with(mut self, edit: impl FnOnce(&mut Execution)) -> Self {
        edit(&mut self.execution);
        self
    }

    fn explain(&self) -> Explanation {
        let all = ["a", "b", "c"].map(TaskName::new);
        let predecessors = BTreeMap::from([(TaskName::new("meet"), BTreeSet::from(all))]);
        explain(&Situation {
            now: NOW,
            execution: &self.execution,
            queue: self.queue.as_ref(),
            position: self.position,
            holders: &self.holders,
            workers: &self.workers,
            run: self.run.as_ref(),
            predecessors: &predecessors,
        })
    }
}

fn edited(edit: impl FnOnce(&mut Worker)) -> Vec<(Worker, u32)> {
    let mut worker = worker("w1");
    edit(&mut worker);
    vec![(worker, 1)]
}

/// Every worker's state that matters.
fn crews() -> Vec<Vec<(Worker, u32)>> {
    vec![
        Vec::new(),
        edited(|_| {}),
        vec![(worker("w1"), 2)],
        vec![(worker("w1"), 2), (worker("w2"), 0)],
        edited(|w| w.cordoned = true),
        edited(|w| w.healthy = false),
        edited(|w| w.runtimes = Arc::default()),
        edited(|w| w.incarnation = Incarnation(2)),
        edited(|w| w.lease_until = NOW),
        edited(|w| w.state = WorkerState::Suspect),
        edited(|w| w.state = WorkerState::Draining),
        edited(|w| w.state = WorkerState::Dead),
        edited(|w| w.state = WorkerState::Gone),
    ]
}

fn queues() -> Vec<(Option<QueueView>, Vec<Holder>)> {
    vec![
        (None, vec![]),
        (Some(queue(None, false, 4)), vec![]),
        (Some(queue(Some(2), false, 1)), vec![holder(1, true)]),
        (Some(queue(Some(2), false, 2)), vec![holder(1, false), holder(2, true)]),
        (Some(queue(Some(2), false, 2)), vec![holder(1, true), holder(2, true)]),
        (Some(queue(Some(2), false, 2)), vec![holder(1, true)]),
        (Some(queue(Some(2), true, 2)), vec![holder(1, true), holder(2, true)]),
        (Some(queue(Some(9), false, 9)), (1..=9).map(|id| holder(id, false)).collect()),
        (Some(queue(Some(1), false, 1)), vec![]),
    ]
}

fn runs() -> Vec<Option<(Run, Vec<Visit>)>> {
    let running = || visit("a", VisitState::Running, 5, 2);
    vec![
        None,
        Some(run(1, vec![])),
        Some(run(2, vec![running()])),
        Some(run(1, vec![running(), visit("b", VisitState::Running, 1, 0)])),
        Some(run(1, vec![visit("a", VisitState::Running, 2, 2)])),
        Some(run(1, vec![visit("a", VisitState::Ended, 2, 2)])),
        Some(run(1, vec![running(), join(&["a", "b"])])),
        Some(run(1, vec![join(&[])])),
    ]
}

fn allowed(status: Status) -> &'static [Kind] {
    use Kind::*;
    match status {
        Status::Requested => &[Delayed, EnteringQueue],
        Status::Queued => &[QueuePaused, WaitingForSlot, SlotDeadlock, BeingAdmitted],
        Status::Ready => &[NoEligibleWorker, WorkersBusy, BeingTaken, BeingAdvanced],
        Status::Offered => &[WaitingForAnswer, LeaseExpired, WorkerLost, Cancelling],
        Status::Accepted => &[BeingStarted, LeaseExpired, WorkerLost, Cancelling],
        Status::Running => &[
            Running,
            LeaseExpired,
            WorkerLost,
            Cancelling,
            BeingAdvanced,
            WaitingForTasks,
            WaitingForJoin,
        ],
        Status::Backoff => &[Backoff],
        _ => &[Over],
    }
}

#[test]
fn whatever_the_situation_there_is_one_explanation_that_fits() {
    let mut seen = BTreeSet::new();
    let mut judged = 0;
    let wakes = [None, Some(NOW), Some(NOW + Span::from_secs(3))];
    for status in Status::ALL {
        for base in [on_worker(status), workflow(status)] {
            for (wake_at, cancel) in wakes.into_iter().flat_map(|at| [(at, false), (at, true)]) {
                for workers in crews() {
                    for (queue, holders) in queues() {
                        for run in runs() {
                            let mut execution = base.clone();
                            (execution.wake_at, execution.cancel_requested) = (wake_at, cancel);
                            let scene = Scene {
                                execution,
                                queue: queue.clone(),
                                position: None,
                                holders: holders.clone(),
                                workers: workers.clone(),
                                run,
                            };
                            let why = scene.explain();
                            assert!(allowed(status).contains(&why.kind), "{status}: {why:?}");
                            assert_eq!((why.id, why.status), (7, status));
                            let fine = !why.sentence.is_empty() && !why.sentence.ends_with('.');
                            assert!(fine && !why.sentence.contains("  "), "{why:?}");
                            seen.insert(why.kind);
                            judged += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, BTreeSet::from(Kind::ALL), "every kind is met");
    assert!(judged > 100_000, "{judged}");
}

fn expect(what: &str, scene: &Scene, kind: Kind, says: &str) -> Explanation {
    let why = scene.explain();
    assert_eq!(why.kind, kind, "{what}: {why:?}");
    assert!(why.sentence.contains(says), "{what}: {why:?}");
    why
}

#[test]
fn the_line() {
    let soon = NOW + Span::from_millis(1500);
    let queued = || Scene::of(on_worker(Status::Queued));
    let delayed = Scene::of(on_worker(Status::Requested)).with(|e| e.wake_at = Some(soon));
    expect("delayed", &delayed, Kind::Delayed, "ends in 1.5 s");
    let mut waiting =
        queued().queue(queue(Some(2), false, 2)).holders(&[holder(1, false), holder(2, true)]);
    waiting.position = Some(3);
    let why = expect(
        "no slot",
        &waiting,
        Kind::WaitingForSlot,
        "one of 2 slots of `test.hold`, held by executions 1 and 2; it is number 3 of 3 in line",
    );
    assert_eq!((&why.facts["position"], &why.facts["limit"]), (&json!(3), &json!(2)));
    let deadlock = queued().queue(queue(Some(1), false, 1)).holders(&[holder(1, true)]);
    expect("deadlock", &deadlock, Kind::SlotDeadlock, "can never get a slot: all 1 slot");
    let paused = queued().queue(queue(Some(1), true, 1)).holders(&[holder(1, true)]);
    expect("paused", &paused, Kind::QueuePaused, "resume `test.hold`");
    let many: Vec<Holder> = (1..=9).map(|id| holder(id, false)).collect();
    let crowd = queued().queue(queue(Some(9), false, 9)).holders(&many);
    expect("many holders", &crowd, Kind::WaitingForSlot, "1, 2, 3, 4 and 5 and 4 more");
    expect("room", &queued().queue(queue(Some(2), false, 1)), Kind::BeingAdmitted, "is free");
    let backoff = Scene::of(on_worker(Status::Backoff)).with(|e| e.wake_at = Some(soon));
    let why = expect("backoff", &backoff, Kind::Backoff, "attempt 2 enters the queue in 1.5 s");
    assert_eq!(why.facts["attempt"], 2);
}

#[test]
fn workers_that_do_not_come() {
    let ready = || Scene::of(on_worker(Status::Ready));
    let none = Kind::NoEligibleWorker;
    expect("nobody", &ready().workers(&[]), none, "no worker is alive");
    let other = ready().workers(&edited(|w| w.runtimes = Arc::default()));
    expect("runtime", &other, none, "offers the runtime `shell`");
    let selecting = ready().with(|e| {
        e.selector.insert("zone".into(), "eu".into());
    });
    expect("labels", &selecting, none, "has the labels zone=eu");
    let cordoned = ready().workers(&edited(|w| w.cordoned = true));
    let why = expect("cordoned", &cordoned, none, "`w1` is cordoned");
    assert_eq!(why.facts["workers"], json!({ "w1": "cordoned" }));
    let giving_up = ready().workers(&[]).with(|e| e.wake_at = Some(NOW + Span::from_secs(9)));
    expect("deadline", &giving_up, none, "fails in 9.0 s if none appears");
    let busy = ready().workers(&[(worker("w1"), 2)]);
    expect("busy", &busy, Kind::WorkersBusy, "`w1` (2 of 2)");
    expect("room", &ready(), Kind::BeingTaken, "room for 1 execution");
    let avoiding = ready()
        .workers(&[(worker("w1"), 0), (worker("w2"), 2)])
        .with(|e| e.excluded.push(WorkerName::new("w1")));
    expect("another is better", &avoiding, Kind::WorkersBusy, "`w2` (2 of 2)");
}

#[test]
fn attempts_and_leases() {
    let running = || Scene::of(on_worker(Status::Running));
    expect("running", &running(), Kind::Running, "worker `w1`; its lease ends in 3.2 s");
    let over = running().workers(&edited(|w| w.lease_until = NOW));
    expect("lease over", &over, Kind::LeaseExpired, "lease of worker `w1` is over");
    let dead = running().workers(&edited(|w| w.state = WorkerState::Dead));
    expect("dead", &dead, Kind::WorkerLost, "`w1` is gone");
    let newer = running().workers(&edited(|w| w.incarnation = Incarnation(2)));
    expect("another process", &newer, Kind::WorkerLost, "`w1` is gone");
    let offered =
        Scene::of(on_worker(Status::Offered)).with(|e| e.wake_at = Some(NOW + Span::from_secs(2)));
    expect("offered", &offered, Kind::WaitingForAnswer, "which has to answer within 2.0 s");
    let stopping = running().with(|e| {
        e.cancel_requested = true;
        e.wake_at = Some(NOW + Span::from_secs(2));
    });
    expect("asked to stop", &stopping, Kind::Cancelling, "ends in 2.0 s even if");
}

#[test]
fn workflows() {
    let running = || Scene::of(workflow(Status::Running));
    let tasks = vec![visit("a", VisitState::Running, 5, 2), visit("b", VisitState::Running, 1, 0)];
    let under_way = running().run(run(1, tasks.clone()));
    let why = expect("tasks", &under_way, Kind::WaitingForTasks, "4 executions of `a` and `b`");
    assert_eq!(why.facts["running"], 4);
    let joining = running().run(run(1, vec![tasks[0].clone(), join(&["a", "b"])]));
    let says = "`meet` has 2 of the 3 predecessors that it needs and waits for `c`";
    let why = expect("join", &joining, Kind::WaitingForJoin, says);
    assert_eq!(why.facts["joins"][0]["missing"], json!(["c"]));
    let former = running().run(run(2, tasks.clone()));
    expect("another attempt's", &former, Kind::BeingAdvanced, "next step");
    let stopping = running().run(run(1, tasks)).with(|e| e.cancel_requested = true);
    expect("asked to stop", &stopping, Kind::Cancelling, "4 task executions under way");
    expect("new", &Scene::of(workflow(Status::Ready)), Kind::BeingAdvanced, "first tasks");
}

#[test]
fn kinds_have_the_names_of_the_wire() {
    assert_eq!(json!(Kind::WaitingForSlot), json!("waiting_for_slot"));
    assert_eq!(json!(Kind::SlotDeadlock), json!("slot_deadlock"));
}
