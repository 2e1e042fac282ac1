//! Random workflow graphs, and what must have been visited when a run of one is over.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use steadfast_core::snapshot::Snapshot;
use steadfast_core::workflow::{Graph, Join, Task, Visit};
use steadfast_core::{ExecutionId, Status, TaskName};

use super::fixtures::{graph, items, task, then};

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// How one task looks.
#[derive(Clone, Debug)]
struct Shape {
    action: &'static str,
    join: Option<u32>,
    list: Option<(u8, u32, u32)>,
    /// For each later task: does it lead there, and when.
    edges: Vec<Option<&'static str>>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let edge = prop::option::weighted(
        0.4,
        prop::sample::select(vec!["always", "succeeded", "failed", "succeeded"]),
    );
    (
        prop::sample::select(vec!["a.free", "a.one", "a.two", "f.fan"]),
        prop::option::weighted(0.5, 0..4u32),
        prop::option::weighted(0.3, (0..6u8, 1..4u32, 1..4u32)),
        prop::collection::vec(edge, NAMES.len()),
    )
        .prop_map(|(action, join, list, edges)| Shape { action, join, list, edges })
}

/// A graph without cycles and without expressions that can fail.
pub(crate) fn acyclic() -> impl Strategy<Value = Graph> {
    prop::collection::vec(shape(), 2..NAMES.len()).prop_map(|shapes| {
        let mut tasks: Vec<Task> = Vec::new();
        for (place, shape) in shapes.iter().enumerate() {
            let mut made = task(NAMES[place], shape.action);
            if let Some((count, batch, window)) = shape.list {
                made.with_items = items(&format!("range:{count}"), batch, window);
                made.input = json!({ "item": "$item" });
            }
            let later = NAMES[..shapes.len()].iter().zip(&shape.edges).skip(place + 1);
            for (name, when) in later.filter_map(|(name, when)| Some((name, (*when)?))) {
                made.next.push(then(when, &[name]));
            }
            tasks.push(made);
        }
        let mut graph = graph(tasks);
        for (place, shape) in shapes.iter().enumerate() {
            let leading = graph.predecessors(&NAMES[place].into()).len() as u32;
            graph.tasks[place].join = match shape.join {
                Some(0) if leading > 0 => Some(Join::All),
                Some(count) if leading > 0 => Some(Join::Count(count.min(leading))),
                _ => None,
            };
        }
        graph
    })
}

/// Demands that every successor that an ended task names was arrived at, once.
pub(crate) fn check_successors(snapshot: &Snapshot, run: ExecutionId, graph: &Graph) {
    let visits: Vec<&Visit> = snapshot.visits_of(run).collect();
    let mut expected: BTreeMap<TaskName, usize> = BTreeMap::new();
    for task in graph.entries() {
        *expected.entry(task.name.clone()).or_default() += 1;
    }
    for visit in &visits {
        let Some(status) = visit.status else { continue };
        for transition in &graph.task(&visit.key.task).expect("it is in the graph").next {
            let holds = match transition.when.as_deref() {
                Some("succeeded") => status == Status::Completed,
                Some("failed") => status != Status::Completed,
                _ => true,
            };
            for next in transition.go.iter().filter(|_| holds) {
                *expected.entry(next.clone()).or_default() += 1;
            }
        }
    }
    for task in &graph.tasks {
        let mine = visits.iter().filter(|visit| visit.key.task == task.name);
        let arrived: usize = match task.join {
            None => mine.count(),
            Some(_) => mine.map(|visit| visit.arrived.len()).sum(),
        };
        let expected = expected.get(&task.name).copied().unwrap_or(0);
        assert_eq!(arrived, expected, "arrivals at {} in {run}", task.name);
    }
}
