//! One violation for each predicate, in the order of [`LAWS`](crate::law::LAWS).

use super::*;
use crate::decision::Outcome;
use crate::effect::EffectState::{Delivered, Planned, Sending};
use Status::{Accepted, Backoff, Completed, Failed, Offered, Queued, Ready, Running};

/// What was planted, with a name for it.
pub(super) fn all() -> Vec<(&'static str, Evidence)> {
    let mut all = slots();
    all.extend(attempts());
    all.extend(machines());
    all.extend(effects());
    all.extend(workflows());
    all.extend(workers());
    all.extend(words_and_numbers());
    all
}

/// S1 to S4.
fn slots() -> Vec<(&'static str, Evidence)> {
    let waiting = execution(2, Queued);
    let mut unknown = rows([execution(1, Ready)]);
    unknown.queues.clear();
    let moved = Execution { order: Some(Order(9)), ..execution(1, Queued) };
    vec![
        (
            "a second holder where one is allowed",
            change_beside(Some(waiting.clone()), execution(2, Ready), [execution(1, Ready)]),
        ),
        ("let in past the first in line", {
            change_beside(Some(execution(3, Queued)), execution(3, Ready), [waiting])
        }),
        ("a holder of no queue", Evidence::Rows(unknown)),
        ("a slot lost with nothing ended", {
            change(Some(execution(1, Ready)), execution(1, Queued))
        }),
        ("two with one place in line", {
            Evidence::Rows(rows([
                execution(1, Queued),
                Execution { order: Some(Order(1)), ..execution(2, Queued) },
            ]))
        }),
        ("a new place in line", change(Some(execution(1, Queued)), moved)),
    ]
}

/// S5 and S6.
fn attempts() -> Vec<(&'static str, Evidence)> {
    let newer = Execution { attempt: Attempt(2), ..execution(1, Running) };
    let over = Execution { attempt: Attempt(2), ..execution(1, Completed) };
    let due = Execution { wake_at: Some(LATER), ..execution(1, Completed) };
    vec![
        ("the word of an older attempt", reported(change(Some(newer), over), 1, 1)),
        ("something is due for what is over", Evidence::Rows(rows([due]))),
        ("over, and over again", change(Some(execution(1, Failed)), execution(1, Completed))),
    ]
}

/// S12 and S13.
fn effects() -> Vec<(&'static str, Evidence)> {
    let planned = effect(Planned);
    let delivered = effect(Delivered);
    let settled = {
        let voices = Some(Voices::default());
        let row = RowChange { before: Some(effect(Sending)), after: delivered.clone() };
        let commit = Commit { at: NOW, voices, effects: vec![row], ..Commit::default() };
        Evidence::Commit(commit, rows([]))
    };
    let twice = {
        let mut rows = rows([wishful(Completed)]);
        let mut other = planned.clone();
        other.key.target = Target::new("b");
        rows.effects.insert(planned.key.clone(), planned);
        rows.effects.insert(other.key.clone(), other);
        Evidence::Rows(rows)
    };
    vec![
        ("delivered by nobody's word", settled),
        ("two effects in one place of a plan", twice),
        ("an end that nobody is told of", Evidence::Rows(rows([wishful(Completed)]))),
    ]
}

/// S7, S8 and S11.
fn machines() -> Vec<(&'static str, Evidence)> {
    let back = {
        let ended = Visit { state: VisitState::Ended, ..visit() };
        let visits = vec![RowChange { before: Some(ended), after: visit() }];
        Evidence::Commit(Commit { visits, ..Commit::default() }, rows([]))
    };
    let foreign = {
        let mut evidence = change(Some(execution(1, Failed)), execution(1, Failed));
        if let Evidence::Commit(commit, _) = &mut evidence {
            commit.results = vec![(ExecutionId(1), Outcome::default())];
        }
        evidence
    };
    vec![
        ("done without having run", {
            let fresh = |status| Execution { attempt: Attempt(0), ..execution(1, status) };
            change(Some(fresh(Queued)), fresh(Completed))
        }),
        ("dead and alive again", {
            worker_change(worker(WorkerState::Dead), worker(WorkerState::Active))
        }),
        ("a visit that goes back", back),
        ("a result after the end", foreign),
        ("a delay without a timer", {
            Evidence::Rows(rows([Execution { wake_at: None, ..execution(1, Backoff) }]))
        }),
    ]
}

/// S14 to S17.
fn workflows() -> Vec<(&'static str, Evidence)> {
    let child = || execution(2, Running);
    let mut unvisited = run_of(visit(), child());
    unvisited.visits.clear();
    let shrunk = {
        let before = Visit { ended: 1, ..visit() };
        let visits = vec![RowChange { before: Some(before), after: visit() }];
        Evidence::Commit(Commit { visits, ..Commit::default() }, rows([]))
    };
    vec![
        ("a child of no visit", Evidence::Rows(unvisited)),
        ("a completed visit with an item left out", {
            let short = Visit {
                state: VisitState::Ended,
                status: Some(Completed),
                total: 2,
                ended: 1,
                ..visit()
            };
            Evidence::Rows(run_of(short, Execution { folded: true, ..execution(2, Completed) }))
        }),
        ("an end that was counted and not folded in", {
            Evidence::Rows(run_of(Visit { ended: 1, ..visit() }, execution(2, Completed)))
        }),
        ("a count that goes back", shrunk),
        ("one too many under way", {
            Evidence::Rows(run_of(Visit { concurrency: 0, ..visit() }, child()))
        }),
    ]
}

/// S19 to S21.
fn workers() -> Vec<(&'static str, Evidence)> {
    let mut draining = change(Some(execution(1, Offered)), execution(1, Accepted));
    if let Evidence::Commit(_, after) = &mut draining {
        after.workers.insert("ada".into(), worker(WorkerState::Draining));
    }
    let lost = Execution { losses: 1, worker: None, ..execution(1, Backoff) };
    let mut superseded = worker_change(worker(WorkerState::Active), worker(WorkerState::Draining));
    if let Evidence::Commit(commit, _) = &mut superseded {
        let old = WorkerId { name: "ada".into(), incarnation: Incarnation(1) };
        commit.voices.get_or_insert_default().workers.insert(old);
    }
    vec![
        ("a stopping worker takes an offer", draining),
        ("an attempt taken from a living worker", change(Some(execution(1, Running)), lost)),
        ("dead within its lease", {
            worker_change(worker(WorkerState::Active), worker(WorkerState::Dead))
        }),
        ("an older process is listened to", superseded),
    ]
}

/// S26.
fn moved_elsewhere() -> Evidence {
    let after = Execution { transport: Transport::Postgres, ..execution(1, Running) };
    change(Some(execution(1, Ready)), after)
}

/// S22 to S31, and L5.
fn words_and_numbers() -> Vec<(&'static str, Evidence)> {
    let log = |changes: Vec<(Execution, Execution)>| {
        let mut history = History::new();
        for (before, after) in changes {
            let executions = vec![RowChange { before: Some(before), after }];
            history.push(Commit { at: NOW, executions, ..Commit::default() });
        }
        Evidence::Log(history)
    };
    let lost = || Execution { losses: 1, worker: None, ..execution(1, Backoff) };
    let asked = Execution { cancel_requested: true, ..execution(1, Running) };
    let again = Execution { failures: 1, ..execution(1, Backoff) };
    let unpaid = Execution { failures: 2, ..execution(1, Backoff) };
    let uncounted = {
        let mut evidence = change(Some(execution(1, Running)), execution(1, Completed));
        if let Evidence::Commit(commit, _) = &mut evidence {
            commit.queues = vec![RowChange { before: Some(queue()), after: queue() }];
        }
        evidence
    };
    let newcomer = |id| Execution { attempt: Attempt(0), ..execution(id, Queued) };
    vec![
        ("two ends of one execution", {
            log(vec![
                (execution(1, Running), execution(1, Failed)),
                (execution(1, Running), execution(1, Completed)),
            ])
        }),
        ("an end that only one of two columns knows", {
            Evidence::Rows(rows([Execution { ended_at: Some(NOW), ..execution(1, Running) }]))
        }),
        ("an end that the queue did not count", uncounted),
        ("a schedule that moved on and submitted nothing", schedule::in_silence()),
        ("one attempt lost twice", {
            log(vec![(execution(1, Running), lost()), (execution(1, Running), lost())])
        }),
        ("two executions for one due time", schedule::twice()),
        ("a row that says another transport", moved_elsewhere()),
        ("tried again after it was asked to stop", {
            let after = Execution { cancel_requested: true, ..again };
            change(Some(asked), after)
        }),
        ("more failures than the policy allows", Evidence::Rows(rows([unpaid.clone()]))),
        ("two failures for one attempt", change(Some(execution(1, Running)), unpaid)),
        ("a line longer than allowed", { change_beside(None, newcomer(3), [newcomer(2)]) }),
        ("a commit on a state that never was", {
            log(vec![(execution(1, Queued), execution(1, Ready))])
        }),
        ("a run that completed with a branch unheard of", {
            let after = run_of(visit(), execution(2, Completed));
            let before = after.execution(ExecutionId(1)).expect("it is there").clone();
            let over = Execution {
                status: Completed,
                ended_at: Some(NOW),
                wake_at: None,
                ..before.clone()
            };
            let executions = vec![RowChange { before: Some(before), after: over }];
            Evidence::Commit(Commit { executions, ..Commit::default() }, after)
        }),
        ("a join that all have reached and that waits", {
            let arrived = ["one".into(), "two".into()].into();
            let waiting = Visit { arrived, ..Visit::new(key(), 2) };
            Evidence::Rows(run_of(waiting, execution(2, Completed)))
        }),
    ]
}
