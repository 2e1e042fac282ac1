//! What follows a visit: its transitions in order, and the arrival at each task they name.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::{Advance, Need};
use crate::id::{TaskKey, TaskName};
use crate::status::Status;
use crate::workflow::graph::{Join, Task, Transition};
use crate::workflow::run::{Visit, VisitState};

impl Advance<'_> {
    /// Evaluates the transitions of a visit that has just ended. Every one that holds fires.
    pub(super) fn follow(&mut self, key: &TaskKey) -> Result<(), Need> {
        let task = self.task(key).clone();
        let mut fired = false;
        for transition in &task.next {
            if self.run.halted {
                break;
            }
            if self.holds(key, transition)? {
                fired = true;
                self.fire(key, transition)?;
            }
        }
        let visit = self.unit.visit(key).expect("the visit is loaded");
        if visit.status != Some(Status::Completed) && !fired {
            let reason = visit.error.clone();
            let reason = reason.map_or_else(String::new, |error| format!(": {error}"));
            let verb = if visit.status == Some(Status::TimedOut) { "timed out" } else { "failed" };
            self.note_fault(format!("task `{}` {verb}{reason}", key.task));
        }
        Ok(())
    }

    fn holds(&mut self, key: &TaskKey, transition: &Transition) -> Result<bool, Need> {
        let Some(condition) = &transition.when else { return Ok(true) };
        let template = Value::String(condition.clone());
        self.check_loaded(&self.program.evaluator.references(&template), Some(key))?;
        let scope = self.scope(&self.run.vars, Some(key), None);
        match self.program.evaluator.condition(condition, &scope) {
            Ok(holds) => Ok(holds),
            Err(error) => {
                self.fail_workflow(&format!("task `{}`: when `{condition}`: {error}", key.task));
                Ok(false)
            }
        }
    }

    fn fire(&mut self, key: &TaskKey, transition: &Transition) -> Result<(), Need> {
        for (name, template) in &transition.publish {
            match self.render(template, Some(key), None)? {
                Ok(value) => {
                    self.run.vars.insert(name.clone(), value);
                }
                Err(error) => {
                    let task = &key.task;
                    let error = error.to_string();
                    self.fail_workflow(&format!("task `{task}`: publish `{name}`: {error}"));
                    return Ok(());
                }
            }
        }
        for next in &transition.go {
            self.arrive(next, Some(&key.task))?;
        }
        Ok(())
    }

    /// A predecessor arrives at `name` (`None` = the beginning of the run). Without a join each
    /// arrival is a visit of its own; with one, arrivals of the same lap meet in one visit, and
    /// those that come after it has started are absorbed.
    pub(super) fn arrive(&mut self, name: &TaskName, from: Option<&TaskName>) -> Result<(), Need> {
        if self.run.halted {
            return Ok(());
        }
        let task = self.program.graph.task(name).expect("a successor is in the graph");
        let key = match self.open_visit(task, from) {
            Some(key) => key,
            None => match self.new_visit(task) {
                Some(key) => key,
                None => return Ok(()),
            },
        };
        let predecessors = self.program.graph.predecessors(name).len();
        let unchecked = self.unit.is_planted("join_not_rechecked");
        let visit = self.unit.visits.edit(&key).expect("the visit is here");
        let before = visit.arrived.len();
        visit.arrived.extend(from.cloned());
        visit.absorbing = task.join.is_some() && visit.arrived.len() < predecessors;
        let arrived = if unchecked { before } else { visit.arrived.len() };
        let arrived = u32::try_from(arrived).unwrap_or(u32::MAX);
        let starts = task.join.is_none() || from.is_none() || arrived >= visit.needed;
        if visit.state == VisitState::Waiting && starts {
            self.start(&key)?;
        }
        Ok(())
    }

    /// The earliest visit of a joining task at which `from` has not arrived yet.
    fn open_visit(&self, task: &Task, from: Option<&TaskName>) -> Option<TaskKey> {
        task.join?;
        let from = from?;
        let open = |v: &&Visit| {
            v.key.run == self.id
                && v.key.task == task.name
                && (v.absorbing || v.state == VisitState::Waiting)
                && !v.arrived.contains(from)
        };
        self.unit.visits.iter().find(open).map(|visit| visit.key.clone())
    }

    fn new_visit(&mut self, task: &Task) -> Option<TaskKey> {
        let visited = self.run.visits.get(&task.name).copied().unwrap_or(0);
        let max = self.program.graph.max_task_visits;
        if visited >= max {
            let name = &task.name;
            self.fail_workflow(&format!(
                "task `{name}` was visited {max} times, which is max_task_visits"
            ));
            return None;
        }
        if !self.unit.is_planted("occurrence_not_counted") {
            self.run.visits.insert(task.name.clone(), visited + 1);
        }
        let key = self.key(&task.name, visited);
        let needed = match task.join {
            None => 1,
            Some(Join::Count(count)) => count,
            Some(Join::All) => self.program.graph.arrivals_needed(task),
        };
        self.unit.visits.insert(Visit::new(key.clone(), needed));
        Some(key)
    }
}
