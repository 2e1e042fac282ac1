//! Starting a visit: evaluating its list, and creating its executions inside its window.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::{Advance, Need};
use crate::decision::{ItemPage, Message};
use crate::definition::Prepared;
use crate::id::{ItemKey, TaskKey};
use crate::status::Status;
use crate::submit::submit_child;
use crate::time::Span;
use crate::workflow::evaluate::TaskResult;
use crate::workflow::graph::{Task, WithItems};
use crate::workflow::run::VisitState;

/// Ready to be created, or why it cannot be.
type Child = Result<Prepared, String>;

impl Advance<'_> {
    /// Starts a visit for which enough predecessors have arrived.
    pub(super) fn start(&mut self, key: &TaskKey) -> Result<(), Need> {
        let task = self.task(key).clone();
        let delay = match self.delay(&task)? {
            Ok(delay) => delay,
            Err(error) => {
                self.fail_at_start(key, error);
                return Ok(());
            }
        };
        let elements = match &task.with_items {
            None => None,
            Some(with) => match self.elements(with)? {
                Ok(elements) => Some(elements),
                Err(error) => {
                    self.fail_at_start(key, error);
                    return Ok(());
                }
            },
        };
        let now = self.unit.now;
        let vars = if elements.is_some() { self.run.vars.clone() } else { BTreeMap::new() };
        let visit = self.unit.visits.edit(key).expect("the visit is loaded");
        visit.state = VisitState::Running;
        visit.not_before = (!delay.is_zero()).then(|| now + delay);
        visit.total = 1;
        if let (Some(with), Some(elements)) = (&task.with_items, &elements) {
            let count = u32::try_from(elements.len()).unwrap_or(u32::MAX);
            visit.listed = true;
            visit.elements = count;
            visit.batch_size = with.batch_size;
            visit.total = count.div_ceil(with.batch_size);
            visit.concurrency = with.concurrency;
            visit.vars = vars;
        }
        if let Some(elements) = elements {
            self.write_pages(key, &elements);
            self.fill_from(key, Some(&elements))?;
        } else {
            self.fill_from(key, None)?;
        }
        self.end_visit_if_done(key);
        Ok(())
    }

    /// Creates further executions of a visit while its window has room.
    pub(super) fn fill(&mut self, key: &TaskKey) -> Result<(), Need> {
        self.fill_from(key, None)
    }

    fn fill_from(&mut self, key: &TaskKey, elements: Option<&[Value]>) -> Result<(), Need> {
        if self.run.halted {
            return Ok(());
        }
        let visit = self.unit.visit(key).expect("the visit is loaded");
        let ids = u32::try_from(self.unit.fresh_ids_left()).unwrap_or(u32::MAX);
        let blind = self.unit.is_planted("window_counts_started_items_only");
        let room = if blind { visit.whole_window() } else { visit.room() };
        let first = visit.created;
        let (listed, not_before) = (visit.listed, visit.not_before);
        let (children, error) = self.children(key, first..first + room.min(ids), elements)?;
        let created = u32::try_from(children.len()).unwrap_or(u32::MAX);
        let split = self.unit.is_planted("expansion_split_over_commits");
        let inserted = if split && created > 1 { created / 2 } else { created };
        for (index, prepared) in (first..).zip(children).take(inserted as usize) {
            let place = ItemKey { task: key.clone(), index: listed.then_some(index) };
            submit_child(self.unit, place, prepared, not_before).expect("an identity is left");
        }
        let visit = self.unit.visits.edit(key).expect("the visit is loaded");
        visit.created += created;
        if let Some(error) = error {
            // The rest of the list is not started; what is under way may finish.
            visit.total = visit.created;
            visit.error.get_or_insert(error);
        } else if ids < room {
            self.unit.publish(Message::Advance(self.id));
        }
        Ok(())
    }

    /// The children at `places`, up to the first that cannot be prepared.
    fn children(
        &self,
        key: &TaskKey,
        places: core::ops::Range<u32>,
        elements: Option<&[Value]>,
    ) -> Result<(Vec<Prepared>, Option<String>), Need> {
        let mut children = Vec::new();
        let mut unknown = BTreeSet::new();
        let mut error = None;
        for index in places {
            match self.child(key, index, elements)? {
                Ok(child) if self.unit.knows_queue(&child.queue) => children.push(child),
                Ok(child) => drop(unknown.insert(child.queue)),
                Err(reason) => {
                    error = Some(reason);
                    break;
                }
            }
        }
        if unknown.is_empty() { Ok((children, error)) } else { Err(Need::Queues(unknown)) }
    }

    fn child(&self, key: &TaskKey, index: u32, elements: Option<&[Value]>) -> Result<Child, Need> {
        let task = self.task(key);
        let visit = self.unit.visit(key).expect("the visit is loaded");
        let item = if visit.listed { Some(self.item(key, index, elements)?) } else { None };
        let scoped = item.as_ref().map(|item| (item, index));
        let describe = |error: String| match item {
            Some(_) => format!("item {index}: {error}"),
            None => error,
        };
        self.check_loaded(&self.program.evaluator.references(&task.input), None)?;
        let vars = if visit.listed { &visit.vars } else { &self.run.vars };
        let scope = self.scope(vars, None, scoped);
        let prepared = self
            .render_in(&task.input, &scope)
            .and_then(|input| self.program.evaluator.prepare(&task.action, input));
        Ok(match prepared {
            Ok(prepared) => Ok(self.with_task_policy(task, prepared)),
            Err(error) => Err(describe(error.to_string())),
        })
    }

    fn with_task_policy(&self, task: &Task, mut prepared: Prepared) -> Prepared {
        let policy = &mut prepared.policy;
        policy.retry = task.retry.unwrap_or(policy.retry);
        policy.timeout = task.timeout.or(policy.timeout);
        let inherited = self.unit.execution(self.id).and_then(|e| e.policy.cancellation);
        policy.cancellation = Some(inherited.unwrap_or(self.program.graph.cancellation));
        prepared.selector.extend(task.worker_selector.clone());
        prepared
    }

    /// The element, or sub-list of elements, for execution `index` of a visit.
    fn item(&self, key: &TaskKey, index: u32, elements: Option<&[Value]>) -> Result<Value, Need> {
        let visit = self.unit.visit(key).expect("the visit is loaded");
        let first = index * visit.batch_size;
        if visit.batch_size == 1 {
            return self.element(key, first, elements);
        }
        let end = (first + visit.batch_size).min(visit.elements);
        let batch: Result<Vec<Value>, Need> =
            (first..end).map(|at| self.element(key, at, elements)).collect();
        batch.map(Value::Array)
    }

    fn element(&self, key: &TaskKey, at: u32, elements: Option<&[Value]>) -> Result<Value, Need> {
        if let Some(elements) = elements {
            return Ok(elements[at as usize].clone());
        }
        let (page, offset) = (at / ItemPage::SIZE, at % ItemPage::SIZE);
        let found = self.facts.items.get(&(key.clone(), page));
        let element = found.and_then(|items| items.get(offset as usize));
        element.cloned().ok_or_else(|| Need::Items(key.clone(), page))
    }

    fn write_pages(&mut self, key: &TaskKey, elements: &[Value]) {
        for (page, items) in elements.chunks(ItemPage::SIZE as usize).enumerate() {
            let page = u32::try_from(page).unwrap_or(u32::MAX);
            self.unit.write_items(ItemPage { visit: key.clone(), page, items: items.to_owned() });
        }
    }

    fn delay(&self, task: &Task) -> Result<Result<Span, String>, Need> {
        if task.delay.is_null() {
            return Ok(Ok(Span::ZERO));
        }
        Ok(match self.render(&task.delay, None, None)? {
            Ok(value) => seconds(&value)
                .ok_or_else(|| format!("delay is {value}, not a number of seconds of at least 0")),
            Err(error) => Err(format!("delay: {error}")),
        })
    }

    fn elements(&self, with: &WithItems) -> Result<Result<Vec<Value>, String>, Need> {
        Ok(match self.render(&with.items, None, None)? {
            Ok(Value::Array(elements)) => Ok(elements),
            Ok(other) => Err(format!("with_items is {}, not a list", kind(&other))),
            Err(error) => Err(format!("with_items: {error}")),
        })
    }

    /// The visit fails before it has any execution; its transitions decide what follows.
    fn fail_at_start(&mut self, key: &TaskKey, error: String) {
        let visit = self.unit.visits.edit(key).expect("the visit is loaded");
        visit.state = VisitState::Running;
        visit.total = 0;
        visit.error = Some(error);
        self.end_visit_if_done(key);
    }

    /// Ends a visit whose executions have all ended, or, in a halted run, those it has.
    pub(super) fn end_visit_if_done(&mut self, key: &TaskKey) {
        let halted = self.run.halted;
        let visit = self.unit.visits.edit(key).expect("the visit is loaded");
        if visit.state != VisitState::Running || visit.ended < visit.created {
            return;
        }
        if halted && visit.created < visit.total {
            visit.total = visit.created;
            visit.error.get_or_insert_with(|| String::from("was cut short"));
        }
        if !visit.is_done() {
            return;
        }
        let status = visit.outcome();
        visit.state = VisitState::Ended;
        visit.status = Some(status);
        let known = (visit.total == 0).then(|| TaskResult {
            status,
            result: if status == Status::Completed {
                Value::Array(Vec::new())
            } else {
                Value::Null
            }
            .into(),
            error: visit.error.clone(),
        });
        let last = crate::workflow::Last { occurrence: key.occurrence, status };
        self.run.last.insert(key.task.clone(), last);
        self.note_result(key.task.clone(), key, status, known);
        self.ended.push_back(key.clone());
    }

    pub(super) fn task(&self, key: &TaskKey) -> &Task {
        self.program.graph.task(&key.task).expect("a visited task is in the graph")
    }
}

fn seconds(value: &Value) -> Option<Span> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Longer than a century is a mistake, and beyond it micros would lose their meaning.
    let range = 0.0..=3.2e9;
    range.contains(&number).then(|| Span::from_micros((number * 1e6) as u64))
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
