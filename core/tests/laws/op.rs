//! What can be asked of the engine, as its services ask it.

use std::collections::BTreeMap;

use serde_json::Value;
use steadfast_core::completion::Report;
use steadfast_core::definition::Prepared;
use steadfast_core::effect::{self, EffectKind, EffectState, Target, Trigger, Verdict, Wish};
use steadfast_core::execution::{Execution, Idempotency};
use steadfast_core::queue::LimitOverride;
use steadfast_core::snapshot::Wanted;
use steadfast_core::submit::Submission;
use steadfast_core::unit::Unit;
use steadfast_core::worker::WorkerInput;
use steadfast_core::workflow::{Evaluator, Need, Program, advance};
use steadfast_core::{
    ActionRef, ExecutionId, FencingToken, QueueKey, WorkerId, WorkerName, admission, claim,
    completion, submit, sweep,
};

use super::world::World;

/// One request.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Submit(ActionRef, Option<Idempotency>, Value),
    Claim(WorkerId, u32),
    Dispatch,
    Accept(WorkerId, ExecutionId, FencingToken),
    Report(Report),
    Release(ExecutionId, FencingToken),
    Cancel(ExecutionId),
    Wake(ExecutionId),
    Rescue(ExecutionId),
    CheckWorkers,
    Worker(WorkerName, WorkerInput),
    /// Gives everything back and goes.
    Leave(WorkerId),
    Limit(QueueKey, Option<LimitOverride>),
    Declare(QueueKey, Option<u32>),
    Pause(QueueKey, bool),
    Admit(QueueKey),
    Advance(ExecutionId),
    /// Somebody takes the effects that are due.
    TakeEffects(u32),
    /// Whoever has effects says what came of them.
    SettleEffects(Verdict),
}

/// Whether it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    Refused(String),
}

fn reply<T, E: ToString>(outcome: Result<T, E>) -> Reply {
    outcome.map_or_else(|refusal| Reply::Refused(refusal.to_string()), |_| Reply::Done)
}

impl Op {
    /// Adds what a service would load for it.
    pub(crate) fn want(&self, world: &World, wanted: &mut Wanted) {
        match self {
            Self::Submit(action, idempotency, input) => {
                wanted.keys.extend(idempotency.iter().map(|idempotency| idempotency.key.clone()));
                let prepared = world.toy.prepare(action, input.clone());
                wanted.queues.extend(prepared.map(|prepared| prepared.queue));
            }
            Self::Claim(..) | Self::Dispatch => wanted.ready = usize::MAX,
            Self::Accept(_, id, _)
            | Self::Release(id, _)
            | Self::Cancel(id)
            | Self::Wake(id)
            | Self::Rescue(id) => drop(wanted.executions.insert(*id)),
            Self::Report(report) => {
                wanted.executions.insert(report.execution);
                if takes_more(report) {
                    wanted.ready = usize::MAX;
                }
            }
            Self::Worker(name, WorkerInput::Drain(incarnation)) => {
                let worker = WorkerId { name: name.clone(), incarnation: *incarnation };
                wanted.executions.extend(held(world, &worker));
            }
            Self::CheckWorkers | Self::Worker(..) => {}
            Self::Leave(worker) => wanted.executions.extend(held(world, worker)),
            Self::Limit(queue, _) | Self::Declare(queue, _) => {
                wanted.queues.insert(queue.clone());
                wanted.count_unlimited = true;
            }
            Self::Pause(queue, _) | Self::Admit(queue) => {
                wanted.queues.insert(queue.clone());
            }
            Self::Advance(run) => drop(wanted.runs.insert(*run)),
            Self::TakeEffects(_) | Self::SettleEffects(_) => wanted.effects = usize::MAX,
        }
    }

    /// Does it.
    pub(crate) fn perform(
        &self,
        world: &World,
        unit: &mut Unit,
        needs: &[Need],
    ) -> Result<Reply, Need> {
        Ok(match self {
            Self::Submit(action, idempotency, input) => {
                match world.toy.prepare(action, input.clone()) {
                    Ok(prepared) => enter(unit, prepared, idempotency.clone()),
                    Err(error) => Reply::Refused(error.to_string()),
                }
            }
            Self::Claim(worker, permits) => reply(claim::claim(unit, worker, *permits)),
            Self::Dispatch => {
                let loads = loads(world, unit);
                claim::dispatch(unit, loads);
                Reply::Done
            }
            Self::Accept(worker, id, token) => {
                let Some(_) = unit.execution(*id) else { return Ok(absent()) };
                reply(claim::accept(unit, worker, *id, *token))
            }
            Self::Report(report) => {
                let holder = unit.execution(report.execution).and_then(|e| e.worker.clone());
                let before = loads(world, unit);
                let answer = completion::complete(unit, report.clone());
                if let Some(holder) = holder.filter(|_| takes_more(report) && answer.is_ok()) {
                    let looked_up = unit.executions().map(|e| e.id).collect();
                    claim::succeed(unit, &holder, 1, &looked_up, before);
                }
                reply(answer)
            }
            Self::Release(id, token) => {
                let Some(_) = unit.execution(*id) else { return Ok(absent()) };
                reply(claim::release(unit, *id, *token))
            }
            Self::Cancel(id) if unit.execution(*id).is_none() => absent(),
            Self::Cancel(id) => reply(admission::cancel(unit, *id)),
            Self::Wake(id) => reply(sweep::wake(unit, *id)),
            Self::Rescue(id) => reply(sweep::rescue(unit, *id)),
            Self::CheckWorkers => {
                sweep::check_workers(unit);
                Reply::Done
            }
            Self::Worker(name, input) => tell_worker(unit, name, input),
            Self::Leave(worker) => leave(unit, worker),
            Self::Limit(..) | Self::Declare(..) | Self::Pause(..) | Self::Admit(..) => {
                self.operate(unit)
            }
            Self::Advance(run) => return advance_run(world, unit, *run, needs),
            Self::TakeEffects(most) => {
                let _ = effect::deliver(unit, *most);
                Reply::Done
            }
            Self::SettleEffects(verdict) => settle_effects(unit, verdict),
        })
    }

    fn operate(&self, unit: &mut Unit) -> Reply {
        let (Self::Limit(key, _) | Self::Declare(key, _) | Self::Pause(key, _) | Self::Admit(key)) =
            self
        else {
            return absent();
        };
        if unit.queues.find(key).is_none() {
            return absent();
        }
        match self {
            Self::Limit(key, limit) => admission::limit(unit, key, *limit),
            Self::Declare(key, limit) => admission::declare_limit(unit, key, *limit),
            Self::Pause(key, paused) => admission::pause(unit, key, *paused),
            _ => unit.promote(key),
        }
        Reply::Done
    }
}

fn settle_effects(unit: &mut Unit, verdict: &Verdict) -> Reply {
    let sending = unit.effects.iter().filter(|effect| effect.state == EffectState::Sending);
    let taken: Vec<_> = sending.map(|effect| (effect.key.clone(), effect.token())).collect();
    for (key, token) in taken {
        let settled = effect::settle(unit, &key, token, verdict);
        assert!(settled.is_ok(), "its own sender is listened to: {settled:?}");
    }
    Reply::Done
}

fn absent() -> Reply {
    Reply::Refused("there is no such thing".into())
}

fn enter(unit: &mut Unit, prepared: Prepared, idempotency: Option<Idempotency>) -> Reply {
    let wish = |trigger, target: &str| {
        let (kind, target) = (EffectKind::Webhook, Target::new(target));
        Wish { trigger, kind, target }
    };
    let wishes = vec![wish(Trigger::Ended, "observer"), wish(Trigger::Unsuccessful, "pager")];
    reply(submit::submit(unit, Submission { prepared, idempotency, retry_of: None, wishes }))
}

fn tell_worker(unit: &mut Unit, name: &WorkerName, input: &WorkerInput) -> Reply {
    if unit.worker(name).is_none() && matches!(input, WorkerInput::Register { .. }) {
        unit.workers.insert(steadfast_core::worker::Worker::new(name.clone()));
    }
    let told = sweep::tell_worker(unit, name, input);
    if let (Ok(()), WorkerInput::Drain(incarnation)) = (&told, input) {
        let worker = WorkerId { name: name.clone(), incarnation: *incarnation };
        sweep::release_unstarted(unit, &worker);
    }
    reply(told)
}

fn held(world: &World, worker: &WorkerId) -> Vec<ExecutionId> {
    world.all(|e| e.worker.as_ref() == Some(worker) && e.status.has_live_attempt())
}

/// A well-behaved worker leaves with empty hands.
fn leave(unit: &mut Unit, worker: &WorkerId) -> Reply {
    let leave = WorkerInput::Leave(worker.incarnation);
    let mut row = match unit.worker(&worker.name) {
        Some(row) => row.clone(),
        None => return absent(),
    };
    if let Err(refusal) = row.handle(&leave, unit.now) {
        return Reply::Refused(refusal.to_string());
    }
    // What it holds is loaded, or was claimed in this very transaction.
    let mine = |e: &&Execution| e.worker.as_ref() == Some(worker) && e.status.has_live_attempt();
    let held: Vec<_> = unit.executions().filter(mine).map(|e| (e.id, e.token())).collect();
    for (id, token) in held {
        claim::release(unit, id, token).expect("it was just listed, with its token");
    }
    tell_worker(unit, &worker.name, &leave)
}

/// Every other report asks for work in its place.
fn takes_more(report: &Report) -> bool {
    report.execution.0.is_multiple_of(2)
}

fn loads(world: &World, unit: &Unit) -> Vec<(WorkerId, u32)> {
    let mut loads: BTreeMap<WorkerId, u32> = BTreeMap::new();
    // What is loaded is newer than what is stored.
    let stored = world.snapshot.executions.iter().map(|e| unit.execution(e.id).unwrap_or(e));
    for execution in stored.filter(|e| e.status.has_live_attempt()) {
        if let Some(worker) = &execution.worker {
            *loads.entry(worker.clone()).or_default() += 1;
        }
    }
    loads.into_iter().collect()
}

fn advance_run(
    world: &World,
    unit: &mut Unit,
    run: ExecutionId,
    needs: &[Need],
) -> Result<Reply, Need> {
    let Some(execution) = unit.execution(run).filter(|e| e.is_workflow()) else {
        return Ok(absent());
    };
    let graph = &world.toy.graphs[&execution.action];
    let facts = world.snapshot.facts(unit, run, needs);
    advance(unit, run, Program { graph, evaluator: &world.toy }, &facts)?;
    Ok(Reply::Done)
}
