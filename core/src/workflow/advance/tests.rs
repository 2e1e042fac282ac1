//! Runs of small workflows, one ended task at a time.

#[path = "../../../tests/laws/fixtures.rs"]
#[allow(dead_code, reason = "the random worlds use the rest")]
mod fixtures;
mod joins;
mod lists;
#[path = "../../../tests/laws/toy.rs"]
#[allow(dead_code, reason = "the random worlds use the rest")]
mod toy;
mod whole;

/// The crate under test, under the name that its other tests know it by.
mod engine {
    pub(super) use crate::*;
}

use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec;

use serde_json::json;

use super::*;
use crate::completion::{Report, complete};
use crate::decision::Decision;
use crate::definition::Transport;
use crate::execution::Refusal;
use crate::id::ItemKey;
use crate::law;
use crate::settings::Settings;
use crate::snapshot::{Snapshot, Terms, Wanted};
use crate::submit::{Submission, submit};
use crate::time::Timestamp;
use fixtures::{graph, task, then};
use toy::{Toy, ToyAction};

/// One run on a store of its own, judged after every commit.
struct Flow {
    store: Snapshot,
    toy: Toy,
    now: Timestamp,
    run: ExecutionId,
    /// How many identities a transaction gets.
    block: u64,
    /// How many children a transaction loads.
    children: usize,
    /// Judging long lists after every commit would take its square.
    judged: bool,
}

impl Flow {
    /// A run of `graph` that has begun.
    fn begin(graph: Graph) -> Self {
        let mut flow = Self::submitted(fixtures::toy().graph("f.main", graph));
        flow.advance();
        flow
    }

    /// A submitted run of `f.main`.
    fn submitted(toy: Toy) -> Self {
        let mut flow = Self {
            store: Snapshot::new(),
            toy,
            now: Timestamp::from_micros(1_000_000_000),
            run: ExecutionId(1),
            block: 1_000_000,
            children: usize::MAX,
            judged: true,
        };
        let prepared = flow.toy.prepare(&"f.main".into(), json!({})).expect("it is known");
        let submission =
            Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
        let (unit, _) =
            flow.load(&Wanted { queues: ["f.main".into()].into(), ..Wanted::default() });
        let mut unit = unit;
        submit(&mut unit, submission).expect("the queue is empty");
        flow.commit(unit);
        flow
    }

    fn load(&self, wanted: &Wanted) -> (Unit, Terms) {
        let next = self.store.next_id();
        let terms = Terms {
            now: self.now,
            settings: Settings::DEFAULT,
            transport: Transport::Embedded,
            fresh_ids: next..next + self.block,
            entropy: 0,
        };
        (self.store.load(&terms, wanted), terms)
    }

    fn commit(&mut self, unit: Unit) -> Decision {
        let decision = unit.into_decision();
        self.store.apply(&decision.writes).expect("nobody else writes");
        if self.judged {
            law::check_snapshot(&self.store).expect("the laws hold");
        }
        decision
    }

    /// Advances a run once.
    fn advance_run(&mut self, run: ExecutionId) -> Decision {
        let mut needs = Vec::new();
        loop {
            let mut wanted =
                Wanted { runs: [run].into(), children: self.children, ..Wanted::default() };
            needs.iter().for_each(|need| wanted.add(need));
            let (mut unit, _) = self.load(&wanted);
            let mut facts = self.store.facts(&unit, run, &needs);
            // How a visit ended is not for the store to say: it would have to guess.
            facts.results.values_mut().for_each(|result| result.status = Status::Completed);
            let action = self.execution(run).action.clone();
            let program = Program { graph: &self.toy.graphs[&action], evaluator: &self.toy };
            match advance(&mut unit, run, program, &facts) {
                Ok(()) => return self.commit(unit),
                Err(need) => {
                    assert!(!needs.contains(&need), "asked twice for {need:?}");
                    needs.push(need);
                }
            }
        }
    }

    fn advance(&mut self) -> Decision {
        self.advance_run(self.run)
    }

    fn execution(&self, id: ExecutionId) -> &Execution {
        self.store.execution(id).expect("it exists")
    }

    /// The execution at a place such as `a`, `a~1` (its second visit) or `a[3]`.
    fn at(&self, place: &str) -> ExecutionId {
        let of_run = |e: &&Execution| e.parent() == Some(self.run);
        let mut children = self.store.executions.iter().filter(of_run);
        let named = |place: &ItemKey| place.to_string().split_once('/').map(|(_, n)| n.to_owned());
        let found = children.find(|e| e.place.as_ref().and_then(named).as_deref() == Some(place));
        found.unwrap_or_else(|| panic!("nothing is at {place}; there is {}", self.show())).id
    }

    /// Lets a worker run an execution to this end.
    fn report(
        &mut self,
        id: ExecutionId,
        ending: Ending,
        result: Value,
    ) -> Result<Status, Refusal> {
        let wanted = Wanted { executions: [id].into(), ..Wanted::default() };
        let (mut unit, _) = self.load(&wanted);
        if self.execution(id).status == Status::Ready {
            let worker =
                Some(crate::WorkerId { name: "ada".into(), incarnation: Default::default() });
            unit.tell(id, &ExecutionInput::Claim(worker, Span::ZERO)).expect("it is ready");
        }
        let execution = unit.execution(id).expect("it is loaded");
        let error = (ending != Ending::Succeeded).then(|| String::from("it broke"));
        let (token, queue) = (execution.token(), execution.queue.clone());
        let status =
            complete(&mut unit, Report { execution: id, token, queue, ending, result, error });
        self.commit(unit);
        status
    }

    /// Ends the execution at a place, and advances.
    fn end(&mut self, place: &str, ending: Ending) -> Decision {
        let id = self.at(place);
        self.report(id, ending, json!(place)).expect("it is under way");
        self.advance()
    }

    fn succeed(&mut self, places: &[&str]) {
        places.iter().for_each(|place| drop(self.end(place, Ending::Succeeded)));
    }

    fn cancel(&mut self, id: ExecutionId) {
        let wanted = Wanted { executions: [id].into(), ..Wanted::default() };
        let (mut unit, _) = self.load(&wanted);
        admission::cancel(&mut unit, id).expect("it is not over");
        self.commit(unit);
    }

    fn wake(&mut self, id: ExecutionId) -> Result<Status, Refusal> {
        let wanted = Wanted { executions: [id].into(), ..Wanted::default() };
        let (mut unit, _) = self.load(&wanted);
        let woken = crate::sweep::wake(&mut unit, id);
        self.commit(unit);
        woken
    }

    fn status(&self) -> Status {
        self.execution(self.run).status
    }

    fn error(&self) -> &str {
        let left = self.store.results.get(&self.run);
        left.and_then(|left| left.error.as_deref()).unwrap_or_default()
    }

    fn var(&self, name: &str) -> Option<&Value> {
        self.store.runs[&self.run].vars.get(name)
    }

    /// The children, with the status of those that are over.
    fn show(&self) -> String {
        let mut text = String::new();
        for child in self.store.executions.children(self.run) {
            let place = child.place.as_ref().expect("a child has a place").to_string();
            let name = place.split_once('/').map_or("", |(_, name)| name);
            let separator = if text.is_empty() { "" } else { " " };
            let status = child.status;
            text += &match status.is_terminal() {
                true => format!("{separator}{name}:{status}"),
                false => format!("{separator}{name}"),
            };
        }
        text
    }
}

fn leads(name: &str, next: Vec<crate::workflow::Transition>) -> crate::workflow::Task {
    crate::workflow::Task { next, ..task(name, "a.free") }
}

#[test]
fn a_line_of_tasks_runs_one_after_the_other() {
    let mut flow = Flow::begin(graph(vec![
        leads("a", vec![then("succeeded", &["b"])]),
        leads("b", vec![then("succeeded", &["c"])]),
        task("c", "a.free"),
    ]));
    let table = [("a", "a:completed b"), ("b", "a:completed b:completed c")];
    for (ended, expected) in table {
        flow.end(ended, Ending::Succeeded);
        assert_eq!((flow.show().as_str(), flow.status()), (expected, Status::Running));
    }
    let decision = flow.end("c", Ending::Succeeded);
    assert_eq!(flow.status(), Status::Completed);
    assert!(!flow.store.runs[&flow.run].open);
    assert!(
        decision
            .messages
            .contains(&Message::Ended { execution: flow.run, status: Status::Completed })
    );
    law::quiescent(&flow.store).expect("nothing is left");
}

#[test]
fn every_transition_that_holds_fires_in_order_and_sees_what_was_published_before() {
    let publish = |name: &str, value: Value, transition: crate::workflow::Transition| {
        crate::workflow::Transition { publish: vec![(name.into(), value)], ..transition }
    };
    let graph = Graph {
        vars: vec![("n".into(), json!(0)), ("copy".into(), json!("$n"))],
        output_map: vec![("n".into(), json!("$n")), ("a".into(), json!("$task.a"))],
        ..graph(vec![
            leads(
                "a",
                vec![
                    publish("n", json!("+n"), then("always", &["b"])),
                    then("failed", &["never"]),
                    publish("n", json!("+n"), then("$n<2", &["c", "b"])),
                    publish("seen", json!("$result"), then("succeeded", &[])),
                    publish("n", json!("+n"), then("$n<2", &["never"])),
                ],
            ),
            task("b", "a.free"),
            task("c", "a.free"),
            task("never", "a.free"),
        ])
    };
    let mut flow = Flow::begin(graph);
    assert_eq!(flow.var("copy"), Some(&json!(0)));
    // `never` is reached by transitions alone, so it does not begin the run.
    assert_eq!(flow.show(), "a");
    flow.succeed(&["a"]);
    assert_eq!(flow.show(), "a:completed b b~1 c", "b was named twice and has no join");
    assert_eq!((flow.var("n"), flow.var("seen")), (Some(&json!(2)), Some(&json!("a"))));
    flow.succeed(&["b", "b~1", "c"]);
    assert_eq!(flow.status(), Status::Completed);
    assert_eq!(flow.store.results[&flow.run].result, json!({ "n": 2, "a": "a" }));
}

#[test]
fn a_failure_fails_the_run_unless_a_transition_takes_it_up() {
    let with = |when: &str| graph(vec![leads("a", vec![then(when, &["b"])]), task("b", "a.free")]);
    // when         ending            after it               the run
    let table = [
        ("failed", Ending::Failed, "a:failed b", Status::Completed, ""),
        ("always", Ending::Failed, "a:failed b", Status::Completed, ""),
        ("timed_out", Ending::TimedOut, "a:timed_out b", Status::Completed, ""),
        ("failed", Ending::TimedOut, "a:timed_out b", Status::Completed, ""),
        ("succeeded", Ending::Failed, "a:failed", Status::Failed, "task `a` failed: it broke"),
        ("timed_out", Ending::Failed, "a:failed", Status::Failed, "task `a` failed: it broke"),
        (
            "succeeded",
            Ending::TimedOut,
            "a:timed_out",
            Status::Failed,
            "task `a` timed out: it broke",
        ),
        ("failed", Ending::Succeeded, "a:completed", Status::Completed, ""),
    ];
    for (when, ending, expected, status, error) in table {
        let mut flow = Flow::begin(with(when));
        flow.end("a", ending);
        assert_eq!(flow.show(), expected, "{when} {ending:?}");
        if expected.ends_with(" b") {
            flow.succeed(&["b"]);
        }
        assert_eq!((flow.status(), flow.error()), (status, error), "{when} {ending:?}");
    }
}

#[test]
fn a_mistake_in_an_expression_fails_the_run_when_what_is_under_way_has_ended() {
    let broken = |transition| {
        graph(vec![
            leads("a", vec![transition, then("always", &["b"])]),
            task("b", "a.free"),
            task("c", "a.free"),
        ])
    };
    let mut publish = then("always", &["b"]);
    publish.publish = vec![("x".into(), json!("fail"))];
    let cases = [
        (broken(then("what?", &["b"])), "task `a`: when `what?`: `what?` is no condition"),
        (broken(publish), "task `a`: publish `x`: it was told to fail"),
    ];
    for (graph, error) in cases {
        let mut flow = Flow::begin(graph);
        flow.succeed(&["a"]);
        assert_eq!((flow.show().as_str(), flow.status()), ("a:completed c", Status::Running));
        flow.succeed(&["c"]);
        assert_eq!((flow.status(), flow.error()), (Status::Failed, error));
    }
    let vars =
        Graph { vars: vec![("v".into(), json!("fail"))], ..graph(vec![task("a", "a.free")]) };
    let flow = Flow::begin(vars);
    assert_eq!((flow.status(), flow.show().as_str()), (Status::Failed, ""));
    let output =
        Graph { output_map: vec![("o".into(), json!("$no"))], ..graph(vec![task("a", "a.free")]) };
    let mut flow = Flow::begin(output);
    flow.succeed(&["a"]);
    assert_eq!(flow.error(), "output `o`: `$no` is not known");
}

#[test]
fn two_branches_that_end_at_once_both_go_on() {
    // F66: a leads nowhere, b leads to d, and both are over when the run looks.
    let mut flow = Flow::begin(graph(vec![
        task("a", "a.free"),
        leads("b", vec![then("succeeded", &["d"])]),
        task("d", "a.free"),
    ]));
    for place in ["a", "b"] {
        flow.report(flow.at(place), Ending::Succeeded, Value::Null).expect("it is under way");
    }
    flow.children = 1;
    let decision = flow.advance();
    assert_eq!((flow.show().as_str(), flow.status()), ("a:completed b:completed", Status::Running));
    assert!(decision.messages.contains(&Message::Advance(flow.run)), "b is still to be heard of");
    flow.advance();
    assert_eq!(flow.show(), "a:completed b:completed d");
    flow.succeed(&["d"]);
    assert_eq!(flow.status(), Status::Completed);
}

#[test]
fn advancing_again_when_nothing_has_happened_changes_nothing() {
    let mut flow =
        Flow::begin(graph(vec![leads("a", vec![then("succeeded", &["b"])]), task("b", "a.free")]));
    for ended in ["", "a", "b"] {
        if !ended.is_empty() {
            flow.succeed(&[ended]);
        }
        for _ in 0..3 {
            let decision = flow.advance();
            assert!(decision.writes.is_empty(), "after {ended}: {:?}", decision.writes);
        }
    }
    assert_eq!(flow.status(), Status::Completed);
}

#[test]
fn a_cycle_visits_its_tasks_again_under_new_occurrences_up_to_the_bound() {
    let cycle = |bound| Graph {
        max_task_visits: bound,
        ..graph(vec![
            leads("start", vec![then("always", &["a"])]),
            leads(
                "a",
                vec![
                    crate::workflow::Transition {
                        publish: vec![("n".into(), json!("+n"))],
                        ..then("always", &[])
                    },
                    then("$n<4", &["a"]),
                ],
            ),
        ])
    };
    let mut flow = Flow::begin(cycle(9));
    flow.succeed(&["start", "a", "a~1", "a~2", "a~3"]);
    assert_eq!(flow.status(), Status::Completed);
    let mut flow = Flow::begin(cycle(3));
    flow.succeed(&["start", "a", "a~1", "a~2"]);
    let error = "task `a` was visited 3 times, which is max_task_visits";
    assert_eq!((flow.status(), flow.error()), (Status::Failed, error));
}

#[test]
fn a_delayed_task_is_requested_at_once_and_starts_in_time() {
    let mut slow = task("a", "a.free");
    slow.delay = json!(5);
    let mut flow = Flow::begin(graph(vec![slow.clone()]));
    let id = flow.at("a");
    assert_eq!(flow.execution(id).status, Status::Requested);
    let due = flow.now + Span::from_secs(5);
    assert_eq!(flow.wake(id), Err(Refusal::NotDue(due)));
    flow.now = due;
    assert_eq!(flow.wake(id), Ok(Status::Ready));
    slow.delay = json!("soon");
    let flow = Flow::begin(graph(vec![slow]));
    let error = "task `a` failed: delay is \"soon\", not a number of seconds of at least 0";
    assert_eq!((flow.status(), flow.error()), (Status::Failed, error));
}
