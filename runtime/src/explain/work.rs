//! Executions that wait for a worker or have one.

use serde_json::{Map, Value};
use steadfast_core::execution::Execution;
use steadfast_core::worker::{Worker, WorkerState, select};
use steadfast_core::{Status, Work, WorkerId};

use super::words::{count, list, until};
use super::{Finding, Kind, Situation, workflow};

pub(super) fn ready(situation: &Situation<'_>) -> Finding {
    let Situation { execution, workers, .. } = *situation;
    let rows = || workers.iter().map(|(worker, _)| worker);
    let able: Vec<&(Worker, u32)> =
        workers.iter().filter(|(worker, _)| select::may_take(worker, execution, rows())).collect();
    if able.is_empty() {
        return nobody(situation);
    }
    let free = able.iter().find(|(worker, load)| *load < worker.capacity);
    let names: Vec<&str> = able.iter().map(|(worker, _)| worker.name.as_str()).collect();
    let finding = match free {
        Some((worker, load)) => {
            let room = count(u64::from(worker.capacity - load), "execution");
            let sentence =
                format!("worker `{}` has room for {room} and is about to take it", worker.name);
            Finding::new(Kind::BeingTaken, sentence)
        }
        None => {
            let busy =
                able.iter().map(|(w, load)| format!("`{}` ({load} of {})", w.name, w.capacity));
            let sentence = format!("every worker that could run it is full: {}", list(busy));
            Finding::new(Kind::WorkersBusy, sentence)
        }
    };
    finding.with("workers", names).with("runtime", runtime(execution))
}

/// No worker takes it: the nearest reason is the one that the fewest changes would remove.
fn nobody(situation: &Situation<'_>) -> Finding {
    let Situation { now, execution, workers, .. } = *situation;
    let alive: Vec<&Worker> =
        workers.iter().map(|(worker, _)| worker).filter(|worker| !worker.is_over()).collect();
    let runtime = runtime(execution);
    let offering = alive.iter().filter(|worker| offers(worker, execution));
    let able: Vec<&&Worker> = alive.iter().filter(|worker| worker.can_run(execution)).collect();
    let labels = list(execution.selector.iter().map(|(key, value)| format!("{key}={value}")));
    let mut sentence = if alive.is_empty() {
        String::from("no worker is alive")
    } else if offering.clone().next().is_none() {
        format!("no worker offers the runtime `{runtime}`")
    } else if able.is_empty() {
        format!("no worker that offers the runtime `{runtime}` has the labels {labels}")
    } else {
        let reasons = able.iter().map(|worker| format!("`{}` is {}", worker.name, why_not(worker)));
        format!("no worker that could run it takes anything new: {}", list(reasons))
    };
    if let Some(at) = execution.wake_at {
        sentence += &format!("; it fails {} if none appears", until(now, at));
    }
    let reasons: Map<String, Value> = alive
        .iter()
        .map(|worker| {
            let reason = if !offers(worker, execution) {
                "does not offer the runtime"
            } else if !worker.can_run(execution) {
                "lacks labels"
            } else {
                why_not(worker)
            };
            (worker.name.to_string(), Value::from(reason))
        })
        .collect();
    let selector: Map<String, Value> =
        execution.selector.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    Finding::new(Kind::NoEligibleWorker, sentence)
        .with("runtime", runtime)
        .with("labels", selector)
        .with("workers", reasons)
        .at("gives_up_at", execution.wake_at)
}

fn runtime(execution: &Execution) -> String {
    match &execution.work {
        Work::Runtime(runtime) => runtime.to_string(),
        Work::Workflow => String::from("workflow"),
    }
}

fn offers(worker: &Worker, execution: &Execution) -> bool {
    matches!(&execution.work, Work::Runtime(runtime) if worker.runtimes.contains(runtime))
}

/// Why a worker that could run something takes nothing new.
fn why_not(worker: &Worker) -> &'static str {
    match worker.state {
        WorkerState::Draining => "draining",
        WorkerState::Suspect => "overdue with its heartbeat",
        WorkerState::Dead => "dead",
        WorkerState::Gone => "gone",
        WorkerState::Active if worker.cordoned => "cordoned",
        WorkerState::Active if !worker.healthy => "unhealthy: it beats and does not move",
        WorkerState::Active => "avoided after a failed attempt",
    }
}

/// The execution is with a worker.
pub(super) fn attempt(situation: &Situation<'_>) -> Finding {
    let Situation { now, execution, .. } = *situation;
    let Some(holder) = &execution.worker else {
        let sentence = "no worker is known to have it; it is about to be taken back";
        return Finding::new(Kind::WorkerLost, sentence);
    };
    let finding = match find(situation, holder) {
        None => {
            let sentence = format!(
                "worker `{}` is gone; the attempt is about to be taken from it",
                holder.name
            );
            Finding::new(Kind::WorkerLost, sentence)
        }
        Some(worker) if now >= worker.lease_until => {
            let sentence = format!(
                "the lease of worker `{}` is over; the attempt is taken from it once it is \
                 certain that it has stopped",
                worker.name
            );
            Finding::new(Kind::LeaseExpired, sentence).at("lease_until", Some(worker.lease_until))
        }
        Some(worker) => with_worker(situation, worker).at("lease_until", Some(worker.lease_until)),
    };
    finding.with("worker", holder.name.as_str()).with("attempt", execution.attempt.0)
}

/// The process that has it, if that still is the one of its name.
fn find<'a>(situation: &Situation<'a>, holder: &WorkerId) -> Option<&'a Worker> {
    let mut workers = situation.workers.iter().map(|(worker, _)| worker);
    workers.find(|worker| worker.id() == *holder && !worker.is_over())
}

fn with_worker(situation: &Situation<'_>, worker: &Worker) -> Finding {
    let Situation { now, execution, .. } = *situation;
    let name = &worker.name;
    let attempt = execution.attempt.0;
    let lease = format!("its lease ends {} unless it is renewed", until(now, worker.lease_until));
    match execution.status {
        Status::Offered => {
            let answer = execution.wake_at.map_or_else(String::new, |at| {
                format!(", which has to answer {}", until(now, at).replace("in", "within"))
            });
            let sentence = format!("attempt {attempt} was offered to worker `{name}`{answer}");
            Finding::new(Kind::WaitingForAnswer, sentence).at("answer_by", execution.wake_at)
        }
        Status::Accepted => {
            let sentence =
                format!("worker `{name}` has accepted attempt {attempt} and is about to start it");
            Finding::new(Kind::BeingStarted, sentence)
        }
        _ => {
            let sentence = format!("attempt {attempt} runs on worker `{name}`; {lease}");
            Finding::new(Kind::Running, sentence)
                .at("started_at", execution.started_at)
                .at("ended_by_engine_at", execution.wake_at)
        }
    }
}

/// It was asked to stop and has not yet.
pub(super) fn cancelling(situation: &Situation<'_>) -> Finding {
    let Situation { now, execution, .. } = *situation;
    if execution.is_workflow() {
        let (running, tasks) = workflow::under_way(situation);
        let sentence = format!(
            "was asked to stop and waits for {} under way",
            count(running, "task execution")
        );
        return Finding::new(Kind::Cancelling, sentence)
            .with("running", running)
            .with("tasks", tasks);
    }
    let name = execution.worker.as_ref().map(|worker| worker.name.as_str());
    let forced = execution.wake_at.map_or_else(String::new, |at| {
        format!("; it ends {} even if the worker says nothing", until(now, at))
    });
    let sentence = format!("worker `{}` was asked to stop it{forced}", name.unwrap_or("unknown"));
    Finding::new(Kind::Cancelling, sentence)
        .with("worker", name)
        .with("attempt", execution.attempt.0)
        .at("ends_by", execution.wake_at)
}
