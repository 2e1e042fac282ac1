//! Moving a run forward: fold in what has ended, start what follows, end the run when nothing is
//! left. The same function begins a run, reacts to any number of ended children at once, cancels
//! and ends it; calling it again when nothing has happened changes nothing.
//!
//! What is open is decided by what has been *folded in*, never by the status of a child: a child
//! that is over but not folded in still has transitions to come.

mod follow;
mod start;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::evaluate::{EvaluateError, Evaluator, References, Scope, TaskResult};
use super::graph::{CancellationPolicy, Graph};
use super::run::{Run, Visit, VisitState};
use crate::admission;
use crate::decision::{Message, Outcome};
use crate::depth::{MAX_DEPTH, is_too_deep};
use crate::execution::{Ending, Execution, ExecutionInput};
use crate::id::{ExecutionId, QueueKey, TaskKey, TaskName};
use crate::status::Status;
use crate::time::Span;
use crate::unit::Unit;

/// What a run carries out.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// The pinned graph.
    pub graph: &'a Graph,
    /// Evaluates its expressions.
    pub evaluator: &'a dyn Evaluator,
}

/// What was loaded about a run beside its rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The run's parameters. Shared, because they may be large and every decision needs them.
    pub parameters: Arc<Value>,
    /// Results of ended visits, as far as something refers to them.
    pub results: BTreeMap<TaskKey, TaskResult>,
    /// Pages of item lists.
    pub items: BTreeMap<(TaskKey, u32), Vec<Value>>,
    /// Why the children that are about to be folded in failed.
    pub errors: BTreeMap<ExecutionId, String>,
    /// Not all children that ended, or that are to be stopped, were loaded.
    pub more_children: bool,
}

/// Something that must be loaded before the run can be advanced. The unit of work was changed
/// half-way and must be thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Results of these visits.
    Results(BTreeSet<TaskKey>),
    /// This page of a visit's items.
    Items(TaskKey, u32),
    /// These queues, which must be locked before anything else: in a new transaction.
    Queues(BTreeSet<QueueKey>),
}

/// Advances the run of execution `id` as far as it goes.
///
/// The execution, its queue, its run and open visits, and its ended unfolded children must be
/// loaded; when it is being cancelled or is over, its other children too.
///
/// # Errors
/// If more must be loaded first; the unit must be thrown away then.
///
/// # Panics
/// If the execution was not loaded.
pub fn advance(
    unit: &mut Unit,
    id: ExecutionId,
    program: Program<'_>,
    facts: &Facts,
) -> Result<(), Need> {
    let execution = unit.execution(id).expect("the execution is loaded").clone();
    match execution.status {
        Status::Ready
            if execution.failures > 0 && unit.is_planted("failed_attempt_read_as_terminal") =>
        {
            Ok(())
        }
        Status::Ready => begin(unit, &execution, program, facts),
        Status::Running => step(unit, &execution, program, facts),
        status if status.is_terminal() => {
            clean_up(unit, &execution, program, facts);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn begin(
    unit: &mut Unit,
    execution: &Execution,
    program: Program<'_>,
    facts: &Facts,
) -> Result<(), Need> {
    let id = execution.id;
    unit.tell(id, &ExecutionInput::Claim(None, Span::ZERO)).expect("a ready run can begin");
    let attempt = execution.attempt.next();
    if unit.runs.find(&id).is_some() {
        // The attempt before may have been cut short by its timeout.
        fold_children(unit, id, facts);
        stop_children(unit, execution, program.graph, facts);
        let open = |visit: &&Visit| visit.key.run == id && visit.is_open();
        let keys: Vec<TaskKey> = unit.visits.iter().filter(open).map(|v| v.key.clone()).collect();
        for key in keys {
            unit.visits.edit(&key).expect("it was just listed").abandon();
        }
    }
    match unit.runs.edit(&id) {
        Some(run) => run.restart(attempt),
        None => unit.runs.insert(Run::new(id, attempt)),
    }
    let mut advance = Advance::new(unit, id, program, facts);
    advance.set_vars()?;
    for task in program.graph.entries() {
        advance.arrive(&task.name, None)?;
    }
    advance.settle()
}

fn step(
    unit: &mut Unit,
    execution: &Execution,
    program: Program<'_>,
    facts: &Facts,
) -> Result<(), Need> {
    if unit.runs.find(&execution.id).is_none_or(|run| run.attempt != execution.attempt) {
        return Ok(());
    }
    fold_children(unit, execution.id, facts);
    if execution.cancel_requested {
        stop_children(unit, execution, program.graph, facts);
    }
    let mut advance = Advance::new(unit, execution.id, program, facts);
    advance.run.halted |= execution.cancel_requested;
    advance.settle()
}

/// After the end nothing is started; what still runs is stopped, and what ends is noted.
fn clean_up(unit: &mut Unit, execution: &Execution, program: Program<'_>, facts: &Facts) {
    let id = execution.id;
    fold_children(unit, id, facts);
    stop_children(unit, execution, program.graph, facts);
    let open = |visit: &&Visit| visit.key.run == id && visit.is_open();
    let keys: Vec<TaskKey> = unit.visits.iter().filter(open).map(|v| v.key.clone()).collect();
    let mut live = facts.more_children;
    let by_status = unit.is_planted("run_closed_by_item_status");
    for key in keys {
        let visit = unit.visits.edit(&key).expect("it was just listed");
        if visit.ended == visit.created {
            visit.abandon();
        } else if !by_status {
            live = true;
        }
    }
    if !live && let Some(run) = unit.runs.edit(&id) {
        run.open = false;
    }
}

/// Ends a run that cannot be carried out at all, for example because its definition is unreadable.
///
/// # Panics
/// If the execution was not loaded.
pub fn abort(unit: &mut Unit, id: ExecutionId, error: &str) {
    let execution = unit.execution(id).expect("the execution is loaded");
    if execution.status == Status::Ready {
        unit.tell(id, &ExecutionInput::Claim(None, Span::ZERO)).expect("a ready run can begin");
    }
    let token = unit.execution(id).expect("the execution is loaded").token();
    let finish = ExecutionInput::Finish { token, ending: Ending::FailedForGood, entropy: 0 };
    if unit.tell(id, &finish).is_ok() {
        unit.leave(id, Outcome { result: Value::Null, error: Some(String::from(error)) });
    }
}

/// Counts every loaded child that has ended, once.
fn fold_children(unit: &mut Unit, run: ExecutionId, facts: &Facts) {
    let missing = unit.is_planted("abandoned_missing_from_terminal_set");
    let is_over = |e: &Execution| !(missing && e.status == Status::Abandoned);
    let ended = |e: &&Execution| e.parent() == Some(run) && e.awaits_folding() && is_over(e);
    let children: Vec<Execution> = unit.executions().filter(ended).cloned().collect();
    let again = unit.is_planted("completion_counted_again");
    let rewritten = unit.is_planted("progress_as_a_rewritten_list").then(|| unit.visits.clone());
    for child in children {
        if !again {
            unit.fold(child.id);
        }
        let place = child.place.expect("a child has a place");
        let error = facts.errors.get(&child.id);
        let error = error.or_else(|| unit.outcome(child.id).and_then(|o| o.error.as_ref()));
        let error = error.map(|error| match place.index {
            Some(index) => format!("item {index}: {error}"),
            None => error.clone(),
        });
        if let Some(visit) = unit.visits.edit(&place.task) {
            if let Some(read) = rewritten.as_ref().and_then(|read| read.find(&place.task)) {
                *visit = read.clone();
            }
            visit.count(child.status, error.as_deref());
        }
    }
    if facts.more_children {
        unit.publish(Message::Advance(run));
    }
}

/// Cancels what has not started, and asks the rest to stop if the run's policy says so. A nested
/// run is asked in any case: it must start nothing new, and takes over the policy.
fn stop_children(unit: &mut Unit, execution: &Execution, graph: &Graph, facts: &Facts) {
    if unit.is_planted("cancel_does_not_reach_children") {
        return;
    }
    let policy = execution.policy.cancellation.unwrap_or(graph.cancellation);
    let stop = |e: &&Execution| {
        e.parent() == Some(execution.id)
            && !e.status.is_terminal()
            && (policy == CancellationPolicy::CancelRunning
                || !e.status.has_live_attempt()
                || e.is_workflow())
    };
    let children: Vec<ExecutionId> = unit.executions().filter(stop).map(|e| e.id).collect();
    for child in children {
        // Refused only if it was asked before.
        let _ = admission::cancel(unit, child);
    }
    fold_children(unit, execution.id, facts);
}

/// A run in the middle of being advanced.
struct Advance<'a> {
    unit: &'a mut Unit,
    id: ExecutionId,
    run: Run,
    program: Program<'a>,
    facts: &'a Facts,
    /// Visits that have ended and whose transitions are yet to be evaluated.
    ended: VecDeque<TaskKey>,
    /// What finished tasks left; without the results that nothing has asked for.
    tasks: BTreeMap<TaskName, TaskResult>,
    /// Which entries of `tasks` are whole.
    whole: BTreeSet<TaskName>,
}

impl<'a> Advance<'a> {
    fn new(unit: &'a mut Unit, id: ExecutionId, program: Program<'a>, facts: &'a Facts) -> Self {
        let run = unit.runs.find(&id).expect("the run is loaded").clone();
        let mut advance = Self {
            unit,
            id,
            run,
            program,
            facts,
            ended: VecDeque::new(),
            tasks: BTreeMap::new(),
            whole: BTreeSet::new(),
        };
        for (task, last) in advance.run.last.clone() {
            let key = advance.key(&task, last.occurrence);
            advance.note_result(task, &key, last.status, None);
        }
        advance
    }

    fn key(&self, task: &TaskName, occurrence: u32) -> TaskKey {
        TaskKey { run: self.id, task: task.clone(), occurrence }
    }

    fn note_result(
        &mut self,
        task: TaskName,
        key: &TaskKey,
        status: Status,
        known: Option<TaskResult>,
    ) {
        // How a visit ended is for the visit to say: its executions do not tell, for example, that
        // it could not create the next one.
        let error = self.unit.visit(key).and_then(|visit| visit.error.clone());
        let found = known.or_else(|| {
            let TaskResult { result, error: left, .. } = self.facts.results.get(key)?.clone();
            Some(TaskResult { status, result, error: error.or(left) })
        });
        if found.is_some() {
            self.whole.insert(task.clone());
        } else {
            self.whole.remove(&task);
        }
        let empty = TaskResult { status, result: Value::Null.into(), error: None };
        self.tasks.insert(task, found.unwrap_or(empty));
    }

    /// Evaluates the first values of the variables, each seeing those before it.
    fn set_vars(&mut self) -> Result<(), Need> {
        for (name, template) in &self.program.graph.vars {
            match self.render(template, None, None)? {
                Ok(value) => {
                    self.run.vars.insert(name.clone(), value);
                }
                Err(error) => self.fail_workflow(&format!("variable `{name}`: {error}")),
            }
        }
        Ok(())
    }

    /// Starts, continues and ends visits until nothing more can be done, then ends the run if
    /// nothing is left.
    fn settle(mut self) -> Result<(), Need> {
        self.continue_visits()?;
        while let Some(key) = self.ended.pop_front() {
            self.follow(&key)?;
        }
        let ending = self.ending()?;
        self.save();
        if let Some((ending, outcome)) = ending {
            self.end(ending, outcome);
        }
        Ok(())
    }

    fn continue_visits(&mut self) -> Result<(), Need> {
        let running = |v: &&Visit| v.key.run == self.id && v.state == VisitState::Running;
        let keys: Vec<TaskKey> =
            self.unit.visits.iter().filter(running).map(|v| v.key.clone()).collect();
        for key in keys {
            self.fill(&key)?;
            self.end_visit_if_done(&key);
        }
        Ok(())
    }

    /// The workflow itself is at fault: nothing new starts, and the run fails when what is under
    /// way has ended.
    fn fail_workflow(&mut self, error: &str) {
        self.run.halted = true;
        self.note_fault(String::from(error));
    }

    fn note_fault(&mut self, fault: String) {
        self.run.fault.get_or_insert(fault);
    }

    /// How the run ends, if nothing is under way any more.
    fn ending(&mut self) -> Result<Option<(Ending, Outcome)>, Need> {
        let open = |v: &&Visit| v.key.run == self.id && v.state != VisitState::Ended;
        let visits: Vec<Visit> = self.unit.visits.iter().filter(open).cloned().collect();
        let early = self.unit.is_planted("run_ends_with_open_items");
        let under_way =
            |v: &Visit| v.state == VisitState::Running && !(early && v.created == v.total);
        if self.facts.more_children || visits.iter().any(under_way) {
            return Ok(None);
        }
        if self.unit.execution(self.id).is_some_and(|e| e.cancel_requested) {
            let error = Some(String::from("was cancelled"));
            return Ok(Some((Ending::Cancelled, Outcome { result: Value::Null, error })));
        }
        if let Some(waiting) = visits.first() {
            let missing = self.describe_join(waiting);
            self.note_fault(missing);
        }
        if self.run.fault.is_none()
            && let Some(result) = self.output()?
        {
            return Ok(Some((Ending::Succeeded, Outcome { result, error: None })));
        }
        let error = self.run.fault.clone();
        Ok(Some((Ending::Failed, Outcome { result: Value::Null, error })))
    }

    /// The run's result; `None` if it cannot be rendered, which is then the run's fault.
    fn output(&mut self) -> Result<Option<Value>, Need> {
        let mut result = Map::new();
        for (key, template) in &self.program.graph.output_map {
            match self.render(template, None, None)? {
                Ok(value) => {
                    result.insert(key.clone(), value);
                }
                Err(error) => {
                    self.fail_workflow(&format!("output `{key}`: {error}"));
                    return Ok(None);
                }
            }
        }
        Ok(Some(if result.is_empty() { Value::Null } else { Value::Object(result) }))
    }

    fn describe_join(&self, visit: &Visit) -> String {
        let task = &visit.key.task;
        let missing: Vec<TaskName> = self
            .program
            .graph
            .predecessors(task)
            .into_iter()
            .filter(|name| !visit.arrived.contains(name))
            .collect();
        let names: Vec<&str> = missing.iter().map(TaskName::as_str).collect();
        format!(
            "task `{task}` can never start: {} of {} predecessors arrived, and it still waits for {}",
            visit.arrived.len(),
            visit.needed,
            names.join(", "),
        )
    }

    /// Puts the run's row back into the unit.
    fn save(&mut self) {
        let run = self.run.clone();
        *self.unit.runs.edit(&self.id).expect("the run is loaded") = run;
    }

    fn end(&mut self, ending: Ending, outcome: Outcome) {
        let mine = |v: &&Visit| v.key.run == self.id && v.is_open();
        let keys: Vec<TaskKey> =
            self.unit.visits.iter().filter(mine).map(|v| v.key.clone()).collect();
        for key in keys {
            let visit = self.unit.visits.edit(&key).expect("it was just listed");
            visit.state = VisitState::Ended;
            visit.absorbing = false;
        }
        let abandoned = |v: &&Visit| v.key.run == self.id && v.is_abandoned();
        let open = self.unit.visits.iter().find(abandoned).is_some();
        self.unit.runs.edit(&self.id).expect("the run is loaded").open = open;
        let token = self.unit.execution(self.id).expect("the execution is loaded").token();
        let entropy = self.unit.draw();
        let finish = ExecutionInput::Finish { token, ending, entropy };
        let status = self.unit.tell(self.id, &finish).expect("a running run can end");
        if status.is_terminal() {
            self.unit.leave(self.id, outcome);
        }
    }

    /// Renders a template, after making sure that everything it reads is loaded.
    fn render(
        &self,
        template: &Value,
        finished: Option<&TaskKey>,
        item: Option<(&Value, u32)>,
    ) -> Result<Result<Value, EvaluateError>, Need> {
        self.check_loaded(&self.program.evaluator.references(template), finished)?;
        let scope = self.scope(&self.run.vars, finished, item);
        Ok(self.render_in(template, &scope))
    }

    /// Renders what may be written: an expression may wrap a value deeper and deeper.
    fn render_in(&self, template: &Value, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
        let value = self.program.evaluator.render(template, scope)?;
        if is_too_deep(&value) {
            let error = format!("its value is nested deeper than {MAX_DEPTH} levels");
            return Err(EvaluateError(error));
        }
        Ok(value)
    }

    fn scope<'b>(
        &'b self,
        vars: &'b BTreeMap<String, Value>,
        finished: Option<&TaskKey>,
        item: Option<(&'b Value, u32)>,
    ) -> Scope<'b> {
        Scope {
            parameters: &self.facts.parameters,
            vars,
            tasks: &self.tasks,
            finished: finished.and_then(|key| self.tasks.get(&key.task)),
            item,
            run: self.id,
            now: self.unit.now,
        }
    }

    fn check_loaded(
        &self,
        references: &References,
        finished: Option<&TaskKey>,
    ) -> Result<(), Need> {
        let read = |task: &&TaskName| {
            references.any_task
                || references.tasks.contains(*task)
                || (references.result && finished.is_some_and(|key| key.task == **task))
        };
        let missing: BTreeSet<TaskKey> = self
            .run
            .last
            .iter()
            .filter(|(task, _)| read(task) && !self.whole.contains(*task))
            .map(|(task, last)| self.key(task, last.occurrence))
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(Need::Results(missing)) }
    }
}
