//! What a template sees of the world, without copying it.
//!
//! minijinja wants values that own themselves; a run's parameters and results may be large and
//! are only borrowed here. So its objects hold a path into the scope and look it up, in the scope
//! that is entered on this thread, each time something is read. Outside of any scope they are
//! undefined.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use scoped_tls::scoped_thread_local;
use serde_json::Value as Json;

use steadfast_core::workflow::{Scope, TaskResult};
use steadfast_core::{ExecutionId, Status, TaskName, Timestamp};

/// What does not change from one evaluation to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// The pack's configuration, as `config.NAME`.
    pub(crate) config: Json,
    /// Stored keys, as `keystore.NAME`.
    pub(crate) keystore: Json,
    /// The declared parameters: one that was not given is null rather than undefined.
    pub(crate) declared: BTreeSet<String>,
}

/// The small values of a scope.
#[derive(Clone, Copy, Debug)]
struct Frame {
    run: ExecutionId,
    now: Timestamp,
    index: Option<u32>,
}

scoped_thread_local!(static PARAMETERS: Json);
scoped_thread_local!(static VARS: BTreeMap<String, Json>);
scoped_thread_local!(static TASKS: BTreeMap<TaskName, TaskResult>);
scoped_thread_local!(static FINISHED: TaskResult);
scoped_thread_local!(static ITEM: Json);
scoped_thread_local!(static FRAME: Frame);
scoped_thread_local!(static SURROUNDINGS: Surroundings);

/// Runs `evaluate` with `scope` in view.
pub(crate) fn within<R>(
    scope: &Scope<'_>,
    surroundings: &Surroundings,
    evaluate: impl FnOnce() -> R,
) -> R {
    let index = scope.item.map(|(_, index)| index);
    let frame = Frame { run: scope.run, now: scope.now, index };
    let with_item = || match scope.item {
        Some((item, _)) => ITEM.set(item, evaluate),
        None => evaluate(),
    };
    let with_finished = || match scope.finished {
        Some(finished) => FINISHED.set(finished, with_item),
        None => with_item(),
    };
    let with_tasks = || TASKS.set(scope.tasks, || VARS.set(scope.vars, with_finished));
    let with_parameters = || PARAMETERS.set(scope.parameters, with_tasks);
    SURROUNDINGS.set(surroundings, || FRAME.set(&frame, with_parameters))
}

/// How the task ended whose transitions are being evaluated.
pub(super) fn finished_status() -> Option<Status> {
    FINISHED.is_set().then(|| FINISHED.with(|finished| finished.status))
}

/// Its result.
pub(super) fn finished_result() -> Option<Value> {
    FINISHED.is_set().then(|| view(Place::Root(Root::Finished)))
}

/// What time the engine says it is.
pub(super) fn now() -> Option<Timestamp> {
    FRAME.is_set().then(|| FRAME.with(|frame| frame.now))
}

/// Where a borrowed value is.
#[derive(Clone, Debug)]
enum Root {
    Parameters,
    Config,
    Keystore,
    Item,
    Finished,
    Variable(String),
    Result(TaskName),
}

/// A value by the way that leads to it.
#[derive(Clone, Debug)]
enum Place {
    Root(Root),
    Member(Arc<Place>, String),
    Element(Arc<Place>, usize),
}

impl Root {
    fn read<R>(&self, see: impl FnOnce(Option<&Json>) -> R) -> R {
        match self {
            Self::Parameters if PARAMETERS.is_set() => PARAMETERS.with(|value| see(Some(value))),
            Self::Config if SURROUNDINGS.is_set() => SURROUNDINGS.with(|s| see(Some(&s.config))),
            Self::Keystore if SURROUNDINGS.is_set() => {
                SURROUNDINGS.with(|s| see(Some(&s.keystore)))
            }
            Self::Item if ITEM.is_set() => ITEM.with(|item| see(Some(item))),
            Self::Finished if FINISHED.is_set() => FINISHED.with(|f| see(Some(&*f.result))),
            Self::Variable(name) if VARS.is_set() => VARS.with(|vars| see(vars.get(name))),
            Self::Result(task) if TASKS.is_set() => {
                TASKS.with(|tasks| see(tasks.get(task).map(|task| &*task.result)))
            }
            _ => see(None),
        }
    }
}

impl Place {
    /// Shows the value to `see`. The way is walked by callbacks because the value is only
    /// borrowed while its root is.
    fn read<R>(&self, see: impl FnOnce(Option<&Json>) -> R) -> R {
        let mut see = Some(see);
        let mut seen = None;
        self.walk(&mut |value| {
            if let Some(see) = see.take() {
                seen = Some(see(value));
            }
        });
        match (seen, see) {
            (Some(seen), _) => seen,
            (None, Some(see)) => see(None),
            // `see` is taken only where `seen` is set.
            (None, None) => unreachable!("the value was seen without a result"),
        }
    }

    fn walk(&self, see: &mut dyn FnMut(Option<&Json>)) {
        match self {
            Self::Root(root) => root.read(see),
            Self::Member(parent, name) => {
                parent.walk(&mut |value| see(value.and_then(|value| value.get(name.as_str()))));
            }
            Self::Element(parent, index) => {
                parent.walk(&mut |value| see(value.and_then(|value| value.get(index))));
            }
        }
    }
}

/// A list or a mapping that stays where it is.
#[derive(Debug)]
pub(super) struct Borrowed(Arc<Place>);

impl Borrowed {
    /// A copy of it.
    pub(super) fn to_json(&self) -> Option<Json> {
        self.0.read(|value| value.cloned())
    }
}

fn view(place: Place) -> Value {
    view_if_any(place).unwrap_or(Value::UNDEFINED)
}

/// The value at `place`: scalars by copy, the rest borrowed. `None` if nothing is there.
fn view_if_any(place: Place) -> Option<Value> {
    let scalar = place.read(|value| match value? {
        Json::Null => Some(Some(Value::from(()))),
        Json::Bool(flag) => Some(Some(Value::from(*flag))),
        Json::Number(number) => Some(Some(from_number(number))),
        Json::String(text) => Some(Some(Value::from(text.as_str()))),
        Json::Array(_) | Json::Object(_) => Some(None),
    })?;
    Some(scalar.unwrap_or_else(|| Value::from_object(Borrowed(Arc::new(place)))))
}

fn from_number(number: &serde_json::Number) -> Value {
    if let Some(whole) = number.as_i64() {
        Value::from(whole)
    } else if let Some(whole) = number.as_u64() {
        Value::from(whole)
    } else {
        Value::from(number.as_f64().unwrap_or(f64::NAN))
    }
}

impl Object for Borrowed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.0.read(|value| value.is_some_and(Json::is_array)) {
            true => ObjectRepr::Seq,
            false => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(name) = key.as_str() {
            return self.get_value_by_str(name);
        }
        view_if_any(Place::Element(Arc::clone(&self.0), key.as_usize()?))
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let found = view_if_any(Place::Member(Arc::clone(&self.0), key.to_string()));
        let parameter = matches!(*self.0, Place::Root(Root::Parameters));
        found.or_else(|| (parameter && is_declared(key)).then(|| Value::from(())))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.0.read(|value| match value {
            Some(Json::Array(elements)) => Enumerator::Seq(elements.len()),
            Some(Json::Object(members)) => {
                Enumerator::Values(members.keys().map(|key| Value::from(key.as_str())).collect())
            }
            _ => Enumerator::Empty,
        })
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.0.read(|value| match value {
            Some(Json::Array(elements)) => Some(elements.len()),
            Some(Json::Object(members)) => Some(members.len()),
            _ => Some(0),
        })
    }
}

fn is_declared(parameter: &str) -> bool {
    SURROUNDINGS.is_set() && SURROUNDINGS.with(|s| s.declared.contains(parameter))
}

/// The names that a template may use on their own.
pub(crate) const NAMESPACES: &[&str] = &[
    "parameters",
    "workflow",
    "vars",
    "variables",
    "task",
    "tasks",
    "config",
    "keystore",
    "system",
    "item",
    "index",
    "null",
];

/// The outermost object: resolves the namespaces.
#[derive(Debug)]
pub(super) struct World;

impl Object for World {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "parameters" => view_if_any(Place::Root(Root::Parameters)),
            "config" => view_if_any(Place::Root(Root::Config)),
            "keystore" => view_if_any(Place::Root(Root::Keystore)),
            "item" => view_if_any(Place::Root(Root::Item)),
            "index" => FRAME.is_set().then(|| FRAME.with(|frame| frame.index))?.map(Value::from),
            "workflow" | "vars" | "variables" => Some(Value::from_object(Variables)),
            "task" | "tasks" => Some(Value::from_object(Tasks)),
            "system" => system(),
            "null" => Some(Value::from(())),
            // A function is found elsewhere, and no variable may hide it.
            _ if super::functions::is_known(key) => None,
            // Older workflows name variables and parameters without their namespace.
            _ => view_if_any(Place::Root(Root::Variable(key.to_string()))).or_else(|| {
                let parameters = Arc::new(Borrowed(Arc::new(Place::Root(Root::Parameters))));
                parameters.get_value_by_str(key)
            }),
        }
    }
}

fn system() -> Option<Value> {
    let frame = FRAME.is_set().then(|| FRAME.with(|frame| *frame))?;
    let seconds = frame.now.as_micros() / 1_000_000;
    Some(Value::from_pairs([
        ("execution_id", Value::from(frame.run.0)),
        ("timestamp", Value::from(seconds)),
    ]))
}

/// `workflow`: the run's variables.
#[derive(Debug)]
struct Variables;

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        view_if_any(Place::Root(Root::Variable(key.as_str()?.to_string())))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if !VARS.is_set() {
            return Enumerator::Empty;
        }
        let names = |vars: &BTreeMap<String, Json>| vars.keys().map(Value::from).collect();
        Enumerator::Values(VARS.with(names))
    }
}

/// `task`: what finished tasks left.
#[derive(Debug)]
struct Tasks;

impl Object for Tasks {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = TaskName::from(key.as_str()?);
        let known = TASKS.is_set() && TASKS.with(|tasks| tasks.contains_key(&name));
        known.then(|| Value::from_object(Finished(name)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if !TASKS.is_set() {
            return Enumerator::Empty;
        }
        let names = |tasks: &BTreeMap<TaskName, TaskResult>| {
            tasks.keys().map(|name| Value::from(name.as_str())).collect()
        };
        Enumerator::Values(TASKS.with(names))
    }
}

/// `task.NAME`.
#[derive(Debug)]
struct Finished(TaskName);

impl Object for Finished {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let result = Place::Root(Root::Result(self.0.clone()));
        match key.as_str()? {
            "result" | "results" | "data" => view_if_any(result),
            "status" => self.read(|task| Value::from(task.status.as_str())),
            "error" => self.read(|task| match &task.error {
                Some(error) => Value::from(error.as_str()),
                None => Value::from(()),
            }),
            // Older workflows name a member of the result without `result`.
            member => view_if_any(Place::Member(Arc::new(result), member.to_string())),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["error", "result", "results", "status"])
    }
}

impl Finished {
    fn read(&self, see: impl FnOnce(&TaskResult) -> Value) -> Option<Value> {
        if !TASKS.is_set() {
            return None;
        }
        TASKS.with(|tasks| tasks.get(&self.0).map(see))
    }
}
