//! Workflows: what their tasks wait for.

use serde_json::{Value, json};
use steadfast_core::workflow::{Visit, VisitState};

use super::words::{count, list};
use super::{Finding, Kind, Situation};

pub(super) fn ready() -> Finding {
    let sentence = "the engine is about to start its first tasks";
    Finding::new(Kind::BeingAdvanced, sentence)
}

pub(super) fn running(situation: &Situation<'_>) -> Finding {
    let (running, tasks) = under_way(situation);
    let joins: Vec<&Visit> =
        visits(situation).filter(|visit| visit.state == VisitState::Waiting).collect();
    let finding = if let Some(join) = joins.first() {
        waiting_for_join(situation, join, running)
    } else if running > 0 {
        let sentence = format!(
            "waits for {} of {}",
            count(running, "execution"),
            list(tasks.iter().filter_map(|task| task["name"].as_str()).map(quoted)),
        );
        Finding::new(Kind::WaitingForTasks, sentence)
    } else {
        let sentence = "the engine is about to take its next step";
        Finding::new(Kind::BeingAdvanced, sentence)
    };
    let joins: Vec<Value> = joins.iter().map(|join| join_facts(situation, join)).collect();
    finding.with("running", running).with("tasks", tasks).with("joins", joins)
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

/// A workflow that has not begun its current attempt has no visits that count.
fn visits<'a>(situation: &Situation<'a>) -> impl Iterator<Item = &'a Visit> {
    let attempt = situation.execution.attempt;
    let run = situation.run.filter(|(run, _)| run.attempt == attempt);
    run.into_iter().flat_map(|(_, visits)| visits).filter(|v| v.state != VisitState::Ended)
}

/// How many executions of tasks are under way, and of which tasks.
pub(super) fn under_way(situation: &Situation<'_>) -> (u64, Vec<Value>) {
    let open = visits(situation).filter(|visit| visit.state == VisitState::Running);
    let mut running = 0;
    let mut tasks = Vec::new();
    for visit in open {
        let here = visit.created.saturating_sub(visit.ended);
        running += u64::from(here);
        tasks.push(json!({
            "name": visit.key.task.as_str(),
            "occurrence": visit.key.occurrence,
            "running": here,
            "ended": visit.ended,
            "total": visit.total,
        }));
    }
    (running, tasks)
}

fn waiting_for_join(situation: &Situation<'_>, join: &Visit, running: u64) -> Finding {
    let missing = missing(situation, join);
    let waits = if missing.is_empty() {
        String::from("others")
    } else {
        list(missing.iter().map(String::as_str).map(quoted))
    };
    let sentence = format!(
        "task `{}` has {} of the {} predecessors that it needs and waits for {waits}; {} under way",
        join.key.task,
        join.arrived.len(),
        join.needed,
        match running {
            1 => String::from("1 task execution is"),
            running => format!("{running} task executions are"),
        }
    );
    Finding::new(Kind::WaitingForJoin, sentence)
}

fn join_facts(situation: &Situation<'_>, join: &Visit) -> Value {
    json!({
        "task": join.key.task.as_str(),
        "occurrence": join.key.occurrence,
        "arrived": join.arrived.len(),
        "needed": join.needed,
        "missing": missing(situation, join),
    })
}

fn missing(situation: &Situation<'_>, join: &Visit) -> Vec<String> {
    let all = situation.predecessors.get(&join.key.task);
    let rest = all.into_iter().flatten().filter(|name| !join.arrived.contains(*name));
    rest.map(ToString::to_string).collect()
}
