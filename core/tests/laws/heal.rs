//! The second act: all faults stop, the sweeps run, one good worker does what it is given, and
//! everything must come to rest.

use steadfast_core::effect::Verdict;
use steadfast_core::execution::{Ending, Execution};
use steadfast_core::law;
use steadfast_core::queue::LimitOverride;
use steadfast_core::worker::WorkerInput;
use steadfast_core::{QueueKey, Span, Status, Timestamp, WorkerId, WorkerName};

use super::op::Op;
use super::plan::{register, report};
use super::world::{World, holds};

/// Lets everything come to rest, and demands that nothing is left.
pub(crate) fn converge(world: &mut World, ending: Ending) {
    world.mail.clear();
    open_queues(world);
    hire(world);
    let mut rounds = 0;
    // Every execution needs a few rounds at most: to be let in, to run, to be tried again.
    while law::quiescent(&world.snapshot).is_err()
        && rounds < 200 + 8 * world.snapshot.executions.len()
    {
        rounds += 1;
        let healer = world.snapshot.workers[&WorkerName::new("healer")].id();
        sweep(world, &healer);
        work(world, &healer, ending);
        tell(world, rounds);
        step_clock(world);
    }
    if let Err(violation) = law::quiescent(&world.snapshot) {
        panic!("{violation}\n{}", left_over(world));
    }
    holds(law::check_history(&world.history));
    assert_eq!(world.history.replay().as_ref(), Ok(&world.snapshot), "the log is the state");
}

/// Every queue lets somebody through.
fn open_queues(world: &mut World) {
    let queues: Vec<QueueKey> = world.snapshot.queues.keys().cloned().collect();
    for queue in queues {
        world.transact(&[Op::Pause(queue.clone(), false)]);
        if world.snapshot.queues[&queue].limit() == Some(0) {
            world.transact(&[Op::Limit(queue, Some(LimitOverride::At(1)))]);
        }
    }
}

fn hire(world: &mut World) {
    let name = WorkerName::new("healer");
    world.transact(&[Op::Worker(name.clone(), register(name.as_str()))]);
}

/// What the sweeps find by looking.
fn sweep(world: &mut World, healer: &WorkerId) {
    let beat = WorkerInput::Beat(healer.incarnation, Span::from_secs(4));
    world.transact(&[Op::Worker(healer.name.clone(), beat), Op::CheckWorkers]);
    let now = world.now;
    let due = world.all(|e| e.wake_at.is_some_and(|at| at <= now));
    let live = world.all(|e| e.status.has_live_attempt() && e.worker.is_some());
    let ops: Vec<Op> =
        live.into_iter().map(Op::Rescue).chain(due.into_iter().map(Op::Wake)).collect();
    world.transact(&ops);
    let idle: Vec<QueueKey> = world.snapshot.idle_queues().map(|q| q.key.clone()).collect();
    let idle: Vec<Op> = idle.into_iter().map(Op::Admit).collect();
    world.transact(&idle);
    for run in world.all(Execution::is_workflow) {
        for _ in 0..100 {
            if world.snapshot.is_due(run) {
                world.transact(&[Op::Advance(run)]);
            }
        }
    }
}

/// The healer takes what there is and ends it.
fn work(world: &mut World, healer: &WorkerId, ending: Ending) {
    if world.transport.pushes() {
        world.transact(&[Op::Dispatch]);
        let offered = world.all(|e| e.status == Status::Offered);
        for id in offered {
            let execution = world.snapshot.execution(id).expect("it was just listed").clone();
            if execution.worker.as_ref() == Some(healer) {
                world.transact(&[Op::Accept(healer.clone(), id, execution.token())]);
            }
        }
    } else {
        world.transact(&[Op::Claim(healer.clone(), 64)]);
    }
    let mine = |e: &Execution| e.status == Status::Running && e.worker.as_ref() == Some(healer);
    let ops: Vec<Op> = world
        .all(mine)
        .into_iter()
        .filter_map(|id| world.snapshot.execution(id))
        .map(|e| report(e, e.token(), if e.cancel_requested { Ending::Cancelled } else { ending }))
        .collect();
    world.transact(&ops);
}

/// Whoever is to be told is told; now and then somebody falls silent, or is not understood.
fn tell(world: &mut World, round: usize) {
    world.transact(&[Op::TakeEffects(8)]);
    let failed = Verdict::Failed { error: "503".into(), lasting: false, after: None };
    match round % 4 {
        0 => drop(world.transact(&[Op::SettleEffects(failed)])),
        1 => {}
        2 => drop(world.transact(&[Op::SettleEffects(Verdict::Unsent)])),
        _ => drop(world.transact(&[Op::SettleEffects(Verdict::Delivered)])),
    }
}

/// On to the next thing that is due, but never so far that the healer's lease ends.
fn step_clock(world: &mut World) {
    let next = world.snapshot.executions.iter().filter_map(|e| e.wake_at).min();
    let next = next.unwrap_or(Timestamp::ZERO).max(world.now + Span::from_secs(1));
    world.now = next.min(world.now + Span::from_secs(3));
    // With nothing under way but waiting, there is no lease to be kept.
    let busy = world.snapshot.executions.iter().any(|e| {
        matches!(e.status, Status::Ready) || (e.status.has_live_attempt() && e.worker.is_some())
    });
    let due = world.snapshot.executions.iter().filter_map(|e| e.wake_at);
    let due = due.chain(world.snapshot.effects.values().filter_map(|e| e.wake_at)).min();
    if let Some(due) = due.filter(|due| !busy && *due > world.now) {
        world.now = due;
        hire(world);
    }
}

/// What is left, for whoever reads the report.
fn left_over(world: &World) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let snapshot = &world.snapshot;
    for e in snapshot.executions.iter().filter(|e| !e.status.is_terminal() || e.awaits_folding()) {
        let (id, action, status, place) = (e.id, &e.action, e.status, &e.place);
        let due = snapshot.is_due(id);
        let cancel = e.cancel_requested;
        let _ = writeln!(text, "{id} {action} {status} {place:?} due {due} cancel {cancel}");
    }
    for visit in snapshot.visits.values().filter(|visit| visit.is_open()) {
        let _ = writeln!(text, "{visit:?}");
    }
    for run in snapshot.runs.values().filter(|run| run.open) {
        let _ = writeln!(text, "{run:?}");
    }
    text
}
