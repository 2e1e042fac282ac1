//! A run as a whole: nested, cancelled, timed out, tried again.

use super::*;
use crate::id::Attempt;
use crate::policy::Policy;
use crate::workflow::Task;
use fixtures::{items, retries};

fn cancelling(policy: CancellationPolicy) -> Flow {
    let mut list = task("each", "a.one");
    list.with_items = items("range:5", 1, 3);
    let graph = Graph {
        cancellation: policy,
        ..graph(vec![list, leads("b", vec![then("always", &["c"])]), task("c", "a.free")])
    };
    let mut flow = Flow::begin(graph);
    flow.start("each[0]");
    flow.start("b");
    flow
}

impl Flow {
    /// A worker takes the execution at a place.
    fn start(&mut self, place: &str) {
        let id = self.at(place);
        let (mut unit, _) = self.load(&Wanted { executions: [id].into(), ..Wanted::default() });
        let worker = Some(crate::WorkerId { name: "ada".into(), incarnation: Default::default() });
        unit.tell(id, &ExecutionInput::Claim(worker, Span::ZERO)).expect("it is ready");
        self.commit(unit);
    }

    fn asked(&self, place: &str) -> bool {
        self.execution(self.at(place)).cancel_requested
    }
}

#[test]
fn a_cancelled_run_starts_nothing_more_and_ends_when_what_runs_has_ended() {
    for policy in [CancellationPolicy::CancelRunning, CancellationPolicy::AllowFinish] {
        let mut flow = cancelling(policy);
        let before = created(&flow);
        flow.cancel(flow.run);
        assert_eq!(flow.status(), Status::Running, "its advance does the rest");
        let decision = flow.advance();
        let waiting = ["each[1]:cancelled", "each[2]:cancelled"];
        assert!(waiting.iter().all(|part| flow.show().contains(part)), "{}", flow.show());
        let asked = policy == CancellationPolicy::CancelRunning;
        assert_eq!((flow.asked("b"), flow.asked("each[0]")), (asked, asked), "{policy:?}");
        let stops = |m: &&Message| matches!(m, Message::Stop { .. });
        assert_eq!(decision.messages.iter().filter(stops).count(), 2 * usize::from(asked));
        flow.succeed(&["b"]);
        assert_eq!(flow.status(), Status::Running);
        flow.end("each[0]", Ending::Cancelled);
        assert_eq!((flow.status(), created(&flow)), (Status::Cancelled, before));
        assert_eq!(flow.error(), "was cancelled");
        law::quiescent(&flow.store).expect("nothing is left");
    }
}

fn created(flow: &Flow) -> usize {
    flow.store.executions.children(flow.run).count()
}

#[test]
fn a_run_cancelled_before_it_began_has_no_rows() {
    let mut flow =
        Flow::submitted(fixtures::toy().graph("f.main", graph(vec![task("a", "a.free")])));
    flow.cancel(flow.run);
    flow.advance();
    assert_eq!((flow.status(), flow.store.runs.len()), (Status::Cancelled, 0));
    law::quiescent(&flow.store).expect("nothing is left");
}

#[test]
fn cancelling_many_children_takes_as_many_commits_as_it_needs() {
    let mut list = task("each", "a.one");
    list.with_items = items("range:10", 1, 10);
    let mut flow = Flow::begin(graph(vec![list]));
    flow.children = 3;
    flow.cancel(flow.run);
    let mut rounds = 0;
    while flow.status() == Status::Running {
        let decision = flow.advance();
        rounds += 1;
        let more = decision.messages.contains(&Message::Advance(flow.run));
        assert!(more || flow.status() != Status::Running, "somebody goes on");
        assert!(rounds < 20);
    }
    assert_eq!(flow.status(), Status::Cancelled);
    law::quiescent(&flow.store).expect("nothing is left");
}

/// A run of `f.main` with this policy.
fn with_policy(graph: Graph, policy: Policy) -> Flow {
    let action = ToyAction { policy, ..ToyAction::workflow() };
    let mut flow = Flow::submitted(fixtures::toy().graph_of("f.main", graph, action));
    flow.advance();
    flow
}

#[test]
fn a_run_past_its_timeout_ends_and_what_it_started_is_stopped() {
    let policy = Policy { timeout: Some(Span::from_secs(10)), ..Policy::DEFAULT };
    let tasks = || graph(vec![leads("a", vec![then("always", &["c"])]), task("b", "a.free")]);
    let mut tasks = tasks();
    tasks.tasks.push(task("c", "a.free"));
    let mut flow = with_policy(tasks, policy);
    flow.start("a");
    flow.now += Span::from_secs(10);
    assert_eq!(flow.wake(flow.run), Ok(Status::TimedOut));
    assert!(flow.store.runs[&flow.run].open && flow.store.is_due(flow.run));
    flow.advance();
    assert!(flow.asked("a"));
    flow.end("a", Ending::Cancelled);
    assert_eq!(flow.show(), "a:cancelled b:cancelled", "and c never began");
    law::quiescent(&flow.store).expect("nothing is left");
}

#[test]
fn a_run_that_failed_is_tried_again_from_the_beginning() {
    let policy = Policy { retry: retries(1, Span::ZERO), ..Policy::DEFAULT };
    let tasks = graph(vec![leads("a", vec![then("succeeded", &["b"])]), task("b", "a.free")]);
    let mut flow = with_policy(Graph { vars: vec![("n".into(), json!(0))], ..tasks }, policy);
    flow.succeed(&["a"]);
    flow.end("b", Ending::Failed);
    assert_eq!(flow.status(), Status::Ready, "it waits to begin anew");
    flow.advance();
    let run = &flow.store.runs[&flow.run];
    assert_eq!((run.attempt, run.open, run.last.len()), (Attempt(2), true, 0));
    assert_eq!(flow.show(), "a:completed a~1 b:failed");
    flow.succeed(&["a~1", "b~1"]);
    assert_eq!(flow.status(), Status::Completed);
}

#[test]
fn nothing_of_an_attempt_that_was_cut_short_goes_on_in_the_next() {
    let policy = Policy {
        retry: retries(1, Span::ZERO),
        timeout: Some(Span::from_secs(10)),
        ..Policy::DEFAULT
    };
    let meet = Task { join: Some(crate::workflow::Join::All), ..task("m", "a.free") };
    let leg = |name: &str| leads(name, vec![then("always", &["m"])]);
    let mut flow = with_policy(graph(vec![leg("a"), leg("b"), meet]), policy);
    flow.succeed(&["a"]);
    flow.start("b");
    flow.now += Span::from_secs(10);
    assert_eq!(flow.wake(flow.run), Ok(Status::Ready));
    flow.advance();
    assert!(flow.asked("b"), "the new attempt stops what the old one left");
    assert_eq!(flow.show(), "a:completed a~1 b b~1");
    // The old b ends late. It is counted, and leads nowhere.
    flow.end("b", Ending::Succeeded);
    assert_eq!(flow.show(), "a:completed a~1 b:completed b~1");
    flow.succeed(&["a~1"]);
    assert!(!flow.show().contains(" m"), "the old arrivals do not count: {}", flow.show());
    flow.succeed(&["b~1", "m~1"]);
    assert_eq!(flow.status(), Status::Completed);
    law::quiescent(&flow.store).expect("nothing is left");
}

#[test]
fn what_an_earlier_attempt_left_running_is_waited_for_after_the_end() {
    let policy = Policy {
        retry: retries(1, Span::ZERO),
        timeout: Some(Span::from_secs(10)),
        ..Policy::DEFAULT
    };
    let mut flow = with_policy(graph(vec![task("a", "a.free")]), policy);
    flow.start("a");
    flow.now += Span::from_secs(10);
    assert_eq!(flow.wake(flow.run), Ok(Status::Ready));
    flow.advance();
    flow.succeed(&["a~1"]);
    assert_eq!((flow.status(), flow.store.runs[&flow.run].open), (Status::Completed, true));
    flow.end("a", Ending::Cancelled);
    law::quiescent(&flow.store).expect("nothing is left");
}

#[test]
fn a_workflow_calls_a_workflow_and_cancels_it_with_its_own_policy() {
    for policy in [CancellationPolicy::CancelRunning, CancellationPolicy::AllowFinish] {
        let outer = Graph {
            cancellation: policy,
            ..graph(vec![
                leads("inner", vec![then("succeeded", &["after"])]),
                task("after", "a.free"),
            ])
        };
        let mut outer = outer;
        outer.tasks[0].action = "f.inner".into();
        let inner = graph(vec![task("x", "a.free"), task("y", "a.one")]);
        let toy = fixtures::toy().graph("f.main", outer).graph("f.inner", inner);
        for cancelled in [false, true] {
            let mut flow = Flow::submitted(toy.clone());
            let main = flow.run;
            flow.advance();
            let nested = flow.at("inner");
            let advance_inner = Message::Advance(nested);
            flow.advance_run(nested);
            flow.run = nested;
            flow.start("x");
            if cancelled {
                flow.cancel(main);
                let decision = flow.advance_run(main);
                assert!(decision.messages.contains(&advance_inner), "it is told to stop");
                flow.advance_run(nested);
                let asked = policy == CancellationPolicy::CancelRunning;
                assert_eq!(flow.asked("x"), asked, "the policy is the outer run's: {policy:?}");
                flow.succeed(&["x"]);
            } else {
                flow.succeed(&["x", "y"]);
            }
            flow.advance_run(main);
            flow.run = main;
            if !cancelled {
                assert_eq!(flow.show(), "after inner:completed");
                flow.succeed(&["after"]);
            }
            let expected = if cancelled { Status::Cancelled } else { Status::Completed };
            assert_eq!((flow.status(), flow.execution(nested).status), (expected, expected));
            law::quiescent(&flow.store).expect("nothing is left");
        }
    }
}

#[test]
fn a_run_that_cannot_be_read_is_ended_and_cleaned_up() {
    let mut flow = Flow::begin(graph(vec![task("a", "a.free")]));
    let (mut unit, _) = flow.load(&Wanted { runs: [flow.run].into(), ..Wanted::default() });
    abort(&mut unit, flow.run, "it cannot be read");
    flow.commit(unit);
    assert_eq!((flow.status(), flow.error()), (Status::Failed, "it cannot be read"));
    flow.advance();
    assert_eq!(flow.show(), "a:cancelled");
    law::quiescent(&flow.store).expect("nothing is left");
}
