//! Actions and workflows that between them have every feature.

use std::borrow::ToOwned;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use serde_json::{Value, json};

use super::engine::policy::{Backoff, OnLost};
use super::engine::workflow::{CancellationPolicy, Graph, Join, Task, Transition, WithItems};
use super::engine::{Policy, RetryPolicy, Span};
use super::toy::{Toy, ToyAction};

/// A task that runs `action` and does nothing else.
pub(crate) fn task(name: &str, action: &str) -> Task {
    Task {
        name: name.into(),
        action: action.into(),
        input: Value::Null,
        delay: Value::Null,
        retry: None,
        timeout: None,
        with_items: None,
        join: None,
        next: Vec::new(),
        worker_selector: Default::default(),
    }
}

/// When `when` holds, go on to `to`.
pub(crate) fn then(when: &str, to: &[&str]) -> Transition {
    Transition {
        when: Some(when.to_owned()),
        publish: Vec::new(),
        go: to.iter().map(|name| (*name).into()).collect(),
    }
}

pub(crate) fn graph(tasks: Vec<Task>) -> Graph {
    Graph { tasks, max_task_visits: 50, ..Graph::default() }
}

pub(crate) fn items(template: &str, batch_size: u32, concurrency: u32) -> Option<Box<WithItems>> {
    Some(Box::new(WithItems { items: json!(template), batch_size, concurrency }))
}

pub(crate) fn retries(count: u32, delay: Span) -> RetryPolicy {
    RetryPolicy { count, delay, backoff: Backoff::Linear, max_delay: None, jitter_permille: 0 }
}

fn actions() -> Toy {
    let patient = Policy {
        retry: retries(2, Span::from_secs(5)),
        timeout: Some(Span::from_secs(60)),
        ..Policy::DEFAULT
    };
    let fragile = Policy {
        retry: retries(1, Span::ZERO),
        on_lost: OnLost::Abandon,
        max_losses: 1,
        queue_timeout: Some(Span::from_secs(30)),
        ..Policy::DEFAULT
    };
    let gpu = [("gpu".to_owned(), "1".to_owned())].into();
    Toy::default()
        .action("a.free", ToyAction::shell(None))
        .action("a.one", ToyAction::shell(Some(1)))
        .action("a.two", ToyAction { policy: patient, ..ToyAction::shell(Some(2)) })
        .action("a.fragile", ToyAction { policy: fragile, ..ToyAction::shell(Some(1)) })
        .action("a.keyed", ToyAction { keyed: true, ..ToyAction::shell(Some(1)) })
        .action("a.gpu", ToyAction { selector: gpu, ..ToyAction::shell(Some(3)) })
}

fn fan() -> Graph {
    let mut join = task("join", "a.one");
    join.join = Some(Join::All);
    let mut some = task("some", "a.free");
    some.join = Some(Join::Count(2));
    let branch = |name: &str, action: &str| {
        let mut task = task(name, action);
        task.next = vec![then("succeeded", &["join"]), then("always", &["some"])];
        task
    };
    let mut start = task("start", "a.free");
    start.next = vec![then("always", &["a", "b", "c"])];
    graph(vec![
        start,
        branch("a", "a.two"),
        branch("b", "a.free"),
        branch("c", "a.fragile"),
        join,
        some,
    ])
}

fn lists() -> Graph {
    let mut each = task("each", "a.two");
    each.with_items = items("range:7", 2, 2);
    each.input = json!({ "item": "$item" });
    each.next = vec![then("succeeded", &["after"]), then("failed", &["sorry"])];
    let mut after = task("after", "a.free");
    after.input = json!({ "all": "$task.each" });
    after.delay = json!(5);
    let mut empty = task("empty", "a.free");
    empty.with_items = items("range:0", 1, 1);
    empty.next = vec![then("succeeded", &["after"])];
    let mut bad = task("bad", "a.free");
    bad.with_items = items("range:4", 1, 1);
    bad.input = json!({ "bad": "$item" });
    bad.next = vec![then("failed", &["sorry"])];
    graph(vec![each, after, empty, bad, task("sorry", "a.one")])
}

fn cycle() -> Graph {
    let mut first = task("first", "a.free");
    first.next = vec![
        Transition { publish: vec![("n".to_owned(), json!("+n"))], ..then("always", &[]) },
        then("$n<3", &["first", "side"]),
        then("always", &["meet"]),
    ];
    let mut side = task("side", "a.one");
    side.next = vec![then("always", &["meet"])];
    let mut meet = task("meet", "a.free");
    meet.join = Some(Join::All);
    let mut begin = task("begin", "a.free");
    begin.next = vec![then("always", &["first"])];
    graph(vec![begin, first, side, meet])
}

fn nest() -> Graph {
    let mut inner = task("inner", "f.lists");
    inner.next = vec![then("always", &["end"])];
    let many = Task { with_items: items("range:2", 1, 2), ..task("many", "f.fan") };
    Graph {
        cancellation: CancellationPolicy::AllowFinish,
        ..graph(vec![inner, many, task("end", "a.one")])
    }
}

/// Everything together.
pub(crate) fn toy() -> Toy {
    let hasty = Policy {
        retry: retries(1, Span::from_secs(1)),
        timeout: Some(Span::from_secs(20)),
        ..Policy::DEFAULT
    };
    actions()
        .graph("f.fan", fan())
        .graph("f.lists", lists())
        .graph("f.cycle", cycle())
        .graph("f.nest", nest())
        .graph_of("f.retry", fan(), ToyAction { policy: hasty, ..ToyAction::workflow() })
        .graph_of("f.one", lists(), ToyAction { limit: Some(1), ..ToyAction::workflow() })
}
