//! Random requests, legal and illegal, drawn without knowing the state and then aimed at it.

use proptest::prelude::*;
use serde_json::{Value, json};
use steadfast_core::completion::Report;
use steadfast_core::decision::Message;
use steadfast_core::execution::{Ending, Execution, Idempotency};
use steadfast_core::queue::LimitOverride;
use steadfast_core::worker::WorkerInput;
use steadfast_core::{
    ExecutionId, FencingToken, Incarnation, QueueKey, Span, Status, WorkerId, WorkerName,
};

use super::op::Op;
use super::world::World;

/// A request without an aim. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Submit { action: u8, key: Option<u8>, body: u8 },
    Claim { worker: u8, permits: u32 },
    Dispatch,
    Accept { pick: u8, token: i64, by: Option<u8> },
    Report { pick: u8, token: i64, ending: Ending },
    Release { pick: u8, token: i64 },
    Cancel(u8),
    Wake(u8),
    Rescue(u8),
    CheckWorkers,
    Worker { worker: u8, input: Told, old: bool },
}

/// What a worker's row is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Register,
    Beat,
    Drain,
    AskToDrain,
    Leave,
    Bury,
    Cordon(bool),
    Probed(bool),
}

/// What happens in one step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// One transaction for all.
    Together(Vec<Plan>),
    /// Many submissions in one transaction.
    Burst {
        action: u8,
        count: u16,
    },
    Advance(Vec<u8>),
    Limit(u8, Option<LimitOverride>),
    Declare(u8, Option<u32>),
    Pause(u8, bool),
    Admit(u8),
    /// A message arrives; it may arrive again.
    Deliver {
        pick: u8,
        again: bool,
    },
    Lose(u8),
    Forward(Span),
    Back(Span),
}

const WORKERS: [&str; 3] = ["ada", "bob", "cyd"];

/// What workers of these tests offer; the first has a GPU.
pub(crate) fn register(name: &str) -> WorkerInput {
    let gpu = (name == WORKERS[0] || name == "healer").then(|| ("gpu".into(), "1".into()));
    WorkerInput::Register {
        former: None,
        runtimes: ["shell".into()].into(),
        labels: gpu.into_iter().collect(),
        capacity: 2,
        lease: Span::from_secs(4),
    }
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        6 => Just(Ending::Succeeded),
        3 => Just(Ending::Failed),
        1 => Just(Ending::FailedForGood),
        1 => Just(Ending::TimedOut),
        1 => Just(Ending::Cancelled),
    ]
}

/// Mostly the current token.
fn token() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(0), 1 => Just(-1), 1 => Just(1)]
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        4 => Just(Told::Register),
        6 => Just(Told::Beat),
        1 => Just(Told::Drain),
        1 => Just(Told::AskToDrain),
        1 => Just(Told::Leave),
        1 => Just(Told::Bury),
        1 => any::<bool>().prop_map(Told::Cordon),
        1 => any::<bool>().prop_map(Told::Probed),
    ]
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let key = prop::option::weighted(0.3, 0..6u8);
    prop_oneof![
        5 => (any::<u8>(), key, 0..3u8)
            .prop_map(|(action, key, body)| Plan::Submit { action, key, body }),
        5 => (any::<u8>(), 1..4u32).prop_map(|(worker, permits)| Plan::Claim { worker, permits }),
        2 => Just(Plan::Dispatch),
        4 => (any::<u8>(), token(), prop::option::weighted(0.1, any::<u8>()))
            .prop_map(|(pick, token, by)| Plan::Accept { pick, token, by }),
        8 => (any::<u8>(), token(), ending())
            .prop_map(|(pick, token, ending)| Plan::Report { pick, token, ending }),
        1 => (any::<u8>(), token()).prop_map(|(pick, token)| Plan::Release { pick, token }),
        2 => any::<u8>().prop_map(Plan::Cancel),
        4 => any::<u8>().prop_map(Plan::Wake),
        2 => any::<u8>().prop_map(Plan::Rescue),
        2 => Just(Plan::CheckWorkers),
        5 => (any::<u8>(), told(), prop::bool::weighted(0.1))
            .prop_map(|(worker, input, old)| Plan::Worker { worker, input, old }),
    ]
}

fn limit() -> impl Strategy<Value = Option<LimitOverride>> {
    prop_oneof![
        Just(None),
        Just(Some(LimitOverride::Unlimited)),
        (0..4u32).prop_map(|limit| Some(LimitOverride::At(limit))),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let span = prop::sample::select(vec![1, 100, 1_000, 3_500, 10_000, 60_000, 400_000, 4_000_000]);
    prop_oneof![
        10 => plan().prop_map(|plan| Step::Together(vec![plan])),
        6 => prop::collection::vec(plan(), 2..9).prop_map(Step::Together),
        1 => (any::<u8>(), prop_oneof![4 => 1..20u16, 1 => Just(256)]).prop_map(|(action, count)| Step::Burst { action, count }),
        5 => prop::collection::vec(any::<u8>(), 1..4).prop_map(Step::Advance),
        1 => (any::<u8>(), limit()).prop_map(|(queue, limit)| Step::Limit(queue, limit)),
        1 => (any::<u8>(), prop::option::of(0..4u32)).prop_map(|(q, l)| Step::Declare(q, l)),
        1 => any::<(u8, bool)>().prop_map(|(queue, paused)| Step::Pause(queue, paused)),
        2 => any::<u8>().prop_map(Step::Admit),
        8 => any::<(u8, bool)>().prop_map(|(pick, again)| Step::Deliver { pick, again }),
        1 => any::<u8>().prop_map(Step::Lose),
        4 => span.prop_map(|millis| Step::Forward(Span::from_millis(millis))),
        1 => (1..900u64).prop_map(|millis| Step::Back(Span::from_millis(millis))),
    ]
}

fn choose<T: Clone>(among: &[T], pick: u8) -> Option<T> {
    (!among.is_empty()).then(|| among[pick as usize % among.len()].clone())
}

/// A worker process: the current one of a name, or an older one.
fn process(world: &World, pick: u8, old: bool) -> WorkerId {
    let name = WorkerName::new(WORKERS[pick as usize % WORKERS.len()]);
    let current = world.snapshot.workers.get(&name).map_or(0, |row| row.incarnation.0);
    WorkerId { name, incarnation: Incarnation(current.saturating_sub(u64::from(old))) }
}

/// An execution that is `preferred`, or any one.
fn execution(world: &World, pick: u8, preferred: fn(&Execution) -> bool) -> Option<Execution> {
    let wanted = world.all(preferred);
    let among = if wanted.is_empty() || pick > 230 { world.all(|_| true) } else { wanted };
    choose(&among, pick).and_then(|id| world.snapshot.execution(id).cloned())
}

fn shift(execution: &Execution, by: i64) -> FencingToken {
    FencingToken(execution.token().0.saturating_add_signed(by))
}

pub(crate) fn report(execution: &Execution, token: FencingToken, ending: Ending) -> Op {
    let good = ending == Ending::Succeeded;
    Op::Report(Report {
        execution: execution.id,
        token,
        queue: execution.queue.clone(),
        ending,
        result: if good { json!(execution.id.0) } else { Value::Null },
        error: (!good).then(|| format!("it ended as {ending:?}")),
    })
}

impl Plan {
    /// The request, aimed at what there is.
    pub(crate) fn aim(&self, world: &World) -> Option<Op> {
        let live = |e: &Execution| e.status.has_live_attempt() && !e.is_workflow();
        let open = |e: &Execution| !e.status.is_terminal();
        let timed = |e: &Execution| e.wake_at.is_some();
        Some(match *self {
            Self::Submit { action, key, body } => submission(world, action, key, body)?,
            Self::Claim { worker, permits } => Op::Claim(process(world, worker, false), permits),
            Self::Dispatch if world.transport.pushes() => Op::Dispatch,
            Self::Dispatch => return None,
            Self::Accept { pick, token, by } => {
                let wanted = execution(world, pick, |e| e.status == Status::Offered)?;
                let holder = wanted.worker.clone().filter(|_| by.is_none());
                let holder = holder.unwrap_or_else(|| process(world, by.unwrap_or(pick), false));
                Op::Accept(holder, wanted.id, shift(&wanted, token))
            }
            Self::Report { pick, token, ending } => {
                let wanted = execution(world, pick, live)?;
                report(&wanted, shift(&wanted, token), ending)
            }
            Self::Release { pick, token } => {
                let wanted = execution(world, pick, live)?;
                Op::Release(wanted.id, shift(&wanted, token))
            }
            Self::Cancel(pick) => Op::Cancel(execution(world, pick, open)?.id),
            Self::Wake(pick) => Op::Wake(execution(world, pick, timed)?.id),
            Self::Rescue(pick) => Op::Rescue(execution(world, pick, live)?.id),
            Self::CheckWorkers => Op::CheckWorkers,
            Self::Worker { worker, input, old } => tell(process(world, worker, old), input),
        })
    }
}

fn submission(world: &World, action: u8, key: Option<u8>, body: u8) -> Option<Op> {
    let actions: Vec<_> = world.toy.actions.keys().cloned().collect();
    let idempotency = key.map(|key| Idempotency {
        key: format!("key {key}"),
        fingerprint: format!("{action} {body}"),
    });
    Some(Op::Submit(choose(&actions, action)?, idempotency, json!({ "key": body })))
}

fn run(world: &World, pick: u8) -> Option<ExecutionId> {
    execution(world, pick, Execution::is_workflow).map(|execution| execution.id)
}

fn tell(process: WorkerId, told: Told) -> Op {
    let WorkerId { name, incarnation } = process.clone();
    let input = match told {
        Told::Register => register(name.as_str()),
        Told::Beat => WorkerInput::Beat(incarnation, Span::from_secs(4)),
        Told::Drain => WorkerInput::Drain(incarnation),
        Told::AskToDrain => WorkerInput::AskToDrain,
        Told::Leave => return Op::Leave(process),
        Told::Bury => WorkerInput::Bury(incarnation),
        Told::Cordon(cordoned) => WorkerInput::Cordon(cordoned),
        Told::Probed(moves) => WorkerInput::Probed(incarnation, moves),
    };
    Op::Worker(name, input)
}

impl Step {
    /// Does it.
    pub(crate) fn take(&self, world: &mut World) {
        match self {
            Self::Forward(span) => world.now += *span,
            Self::Back(span) => world.now = world.now - *span,
            Self::Lose(pick) => drop(take_mail(world, *pick, false)),
            _ => {
                let ops = self.aim(world);
                world.transact(&ops);
            }
        }
    }

    /// The requests of one transaction.
    pub(crate) fn aim(&self, world: &mut World) -> Vec<Op> {
        let queues: Vec<QueueKey> = world.snapshot.queues.keys().cloned().collect();
        let op = match self {
            Self::Together(plans) => {
                return plans.iter().filter_map(|plan| plan.aim(world)).collect();
            }
            Self::Burst { action, count } => {
                // A burst of workflows would only take long.
                let shell: Vec<_> = world.toy.shell_actions().collect();
                let one = choose(&shell, *action).map(|action| Op::Submit(action, None, json!({})));
                return one.into_iter().cycle().take(*count as usize).collect();
            }
            Self::Advance(picks) => {
                let mut runs: Vec<_> = picks.iter().filter_map(|pick| run(world, *pick)).collect();
                runs.sort_unstable();
                runs.dedup();
                return runs.into_iter().map(Op::Advance).collect();
            }
            Self::Limit(pick, limit) => choose(&queues, *pick).map(|q| Op::Limit(q, *limit)),
            Self::Declare(pick, limit) => choose(&queues, *pick).map(|q| Op::Declare(q, *limit)),
            Self::Pause(pick, paused) => choose(&queues, *pick).map(|q| Op::Pause(q, *paused)),
            Self::Admit(pick) => choose(&queues, *pick).map(Op::Admit),
            Self::Deliver { pick, again } => {
                take_mail(world, *pick, *again).and_then(|message| deliver(world, *pick, message))
            }
            Self::Lose(_) | Self::Forward(_) | Self::Back(_) => None,
        };
        op.into_iter().collect()
    }
}

fn take_mail(world: &mut World, pick: u8, again: bool) -> Option<Message> {
    if world.mail.is_empty() {
        return None;
    }
    let place = pick as usize % world.mail.len();
    Some(if again { world.mail[place].clone() } else { world.mail.remove(place) })
}

/// What whoever receives a message does.
fn deliver(world: &World, pick: u8, message: Message) -> Option<Op> {
    match message {
        Message::Ready { .. } if world.transport.pushes() => Some(Op::Dispatch),
        Message::Ready { .. } => Some(Op::Claim(process(world, pick, false), 2)),
        Message::Offer { worker, execution, token } => Some(Op::Accept(worker, execution, token)),
        Message::Stop { execution, token, .. } => {
            let execution = world.snapshot.execution(execution)?;
            Some(report(execution, token, Ending::Cancelled))
        }
        Message::Admit(queue) => Some(Op::Admit(queue)),
        Message::Advance(run) => Some(Op::Advance(run)),
        Message::Ended { .. } => None,
    }
}
