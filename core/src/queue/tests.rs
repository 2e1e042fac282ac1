//! Lines and limits: who is let through when, under limits that change.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde_json::Value;

use super::*;
use crate::admission::{self, QueueFull};
use crate::completion::{Report, complete};
use crate::decision::Message;
use crate::definition::{Prepared, Transport, Work};
use crate::execution::{Cause, Ending, ExecutionInput, Idempotency, Refusal};
use crate::id::{ExecutionId, FencingToken};
use crate::policy::{OnLost, Policy, RetryPolicy};
use crate::settings::Settings;
use crate::snapshot::{Snapshot, Terms, Wanted};
use crate::status::Status;
use crate::submit::{self, Submission, SubmitRefusal, Submitted};
use crate::sweep;
use crate::time::Span;
use crate::unit::Unit;

/// A store with one queue, and how much of its line is loaded.
struct Line {
    store: Snapshot,
    now: Timestamp,
    heads: usize,
    settings: Settings,
}

fn prepared(limit: Option<u32>, retries: u32) -> Prepared {
    Prepared {
        action: "a.b".into(),
        definition: "1".into(),
        work: Work::Runtime("shell".into()),
        selector: Default::default(),
        queue: "a.b".into(),
        limit,
        policy: Policy {
            retry: RetryPolicy {
                count: retries,
                delay: Span::from_secs(9),
                ..RetryPolicy::default()
            },
            ..Policy::DEFAULT
        },
        parameters: Value::Null,
    }
}

impl Line {
    /// A queue with this declared limit, and so many submissions.
    fn new(limit: Option<u32>, submissions: usize) -> Self {
        let now = Timestamp::from_micros(1_000_000_000);
        let mut line = Self { store: Snapshot::new(), now, heads: 64, settings: Settings::DEFAULT };
        (0..submissions).for_each(|_| drop(line.submit(limit, 1)));
        line
    }

    /// One transaction; what it publishes.
    fn transact<T>(&mut self, act: impl FnOnce(&mut Unit) -> T) -> (T, Vec<Message>) {
        let next = self.store.next_id();
        let terms = Terms {
            now: self.now,
            settings: self.settings,
            transport: Transport::Embedded,
            fresh_ids: next..next + 100,
            entropy: 0,
        };
        let wanted = Wanted {
            executions: self
                .store
                .executions
                .iter()
                .filter(|e| e.status != Status::Queued)
                .map(|e| e.id)
                .collect(),
            queues: ["a.b".into()].into(),
            keys: ["key".into()].into(),
            heads: self.heads,
            count_unlimited: true,
            ..Wanted::default()
        };
        let mut unit = self.store.load(&terms, &wanted);
        let result = act(&mut unit);
        let decision = unit.into_decision();
        self.store.apply(&decision.writes).expect("nobody else writes");
        (result, decision.messages)
    }

    fn submit(&mut self, limit: Option<u32>, retries: u32) -> Result<Submitted, SubmitRefusal> {
        let prepared = prepared(limit, retries);
        let submission =
            Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
        self.transact(|unit| submit::submit(unit, submission)).0
    }

    fn tell(&mut self, id: u64, input: ExecutionInput) {
        self.transact(|unit| unit.tell(ExecutionId(id), &input)).0.expect("it fits");
    }

    /// Starts and ends what holds a slot.
    fn end(&mut self, id: u64, ending: Ending) -> Vec<Message> {
        self.begin(id);
        let (status, messages) = self.report(id, ending);
        status.expect("it is its attempt");
        messages
    }

    fn begin(&mut self, id: u64) {
        let worker = crate::id::WorkerId { name: "ada".into(), incarnation: Default::default() };
        let margin = self.settings.run_margin;
        self.tell(id, ExecutionInput::Claim(Some(worker), margin));
    }

    fn report(&mut self, id: u64, ending: Ending) -> (Result<Status, Refusal>, Vec<Message>) {
        let token = FencingToken(
            self.store.execution(ExecutionId(id)).expect("it is there").attempt.0.into(),
        );
        let report = Report {
            execution: ExecutionId(id),
            token,
            queue: "a.b".into(),
            ending,
            result: Value::Null,
            error: None,
        };
        self.transact(|unit| complete(unit, report))
    }

    fn limit(&mut self, limit: Option<LimitOverride>) -> Vec<Message> {
        self.transact(|unit| admission::limit(unit, &"a.b".into(), limit)).1
    }

    fn pause(&mut self, paused: bool) {
        self.transact(|unit| admission::pause(unit, &"a.b".into(), paused));
    }

    /// Who holds a slot and who waits, in order.
    fn show(&self) -> String {
        let ids = |all: Vec<u64>| format!("{all:?}");
        let holders = self.store.executions.holders(&"a.b".into()).map(|e| e.id.0).collect();
        let waiters = self.store.executions.line(&"a.b".into()).map(|e| e.id.0).collect();
        format!("{} {}", ids(holders), ids(waiters))
    }
}

#[test]
fn as_many_get_a_slot_as_the_limit_says_and_the_others_wait_in_order() {
    // limit  submissions   holders and waiters
    let table = [
        (None, 3, "[1, 2, 3] []"),
        (Some(0), 2, "[] [1, 2]"),
        (Some(1), 3, "[1] [2, 3]"),
        (Some(2), 4, "[1, 2] [3, 4]"),
    ];
    for (limit, submissions, expected) in table {
        assert_eq!(Line::new(limit, submissions).show(), expected, "{limit:?}");
    }
}

#[test]
fn a_limit_takes_effect_at_once_when_raised_and_as_slots_are_freed_when_lowered() {
    use LimitOverride::{At, Unlimited};
    // declared  new limit         then        after two have ended
    let table = [
        (Some(1), Some(At(3)), "[1, 2, 3] [4, 5]", "[3, 4, 5] []"),
        (Some(1), Some(Unlimited), "[1, 2, 3, 4, 5] []", "[3, 4, 5] []"),
        (Some(3), Some(At(1)), "[1, 2, 3] [4, 5]", "[3] [4, 5]"),
        (Some(3), Some(At(0)), "[1, 2, 3] [4, 5]", "[3] [4, 5]"),
        (Some(3), Some(At(2)), "[1, 2, 3] [4, 5]", "[3, 4] [5]"),
        (None, Some(At(2)), "[1, 2, 3, 4, 5] []", "[3, 4, 5] []"),
        (Some(2), None, "[1, 2] [3, 4, 5]", "[3, 4] [5]"),
    ];
    for (declared, limit, then, ended) in table {
        let mut line = Line::new(declared, 5);
        line.limit(limit);
        assert_eq!(line.show(), then, "{declared:?} -> {limit:?}");
        line.end(1, Ending::Succeeded);
        line.end(2, Ending::Succeeded);
        assert_eq!(line.show(), ended, "{declared:?} -> {limit:?}");
    }
}

#[test]
fn an_operators_limit_goes_before_the_declared_one_and_lifting_it_restores_that() {
    let mut line = Line::new(Some(1), 4);
    line.limit(Some(LimitOverride::At(2)));
    line.transact(|unit| admission::declare_limit(unit, &"a.b".into(), Some(4)));
    assert_eq!(line.show(), "[1, 2] [3, 4]");
    line.limit(None);
    assert_eq!(line.show(), "[1, 2, 3, 4] []");
}

#[test]
fn a_limit_on_a_queue_that_had_none_counts_those_that_hold_a_slot_already() {
    let mut line = Line::new(None, 3);
    line.limit(Some(LimitOverride::At(3)));
    line.submit(None, 0).expect("it may wait");
    assert_eq!(line.show(), "[1, 2, 3] [4]");
    line.end(2, Ending::Succeeded);
    assert_eq!(line.show(), "[1, 3, 4] []");
}

#[test]
fn while_paused_nobody_is_let_through_and_then_as_many_as_fit() {
    let mut line = Line::new(Some(2), 3);
    line.pause(true);
    line.end(1, Ending::Succeeded);
    line.limit(Some(LimitOverride::At(9)));
    line.submit(Some(2), 0).expect("it may wait");
    assert_eq!(line.show(), "[2] [3, 4]");
    line.pause(false);
    assert_eq!(line.show(), "[2, 3, 4] []");
}

#[test]
fn a_line_that_is_full_refuses_newcomers_that_would_wait() {
    let mut line = Line::new(Some(1), 1);
    line.settings.max_queue_length = 2;
    for _ in 0..2 {
        line.submit(Some(1), 0).expect("there is room in the line");
    }
    let before = line.store.clone();
    let full = QueueFull { queue: "a.b".into(), waiting: 2 };
    assert_eq!(line.submit(Some(1), 0), Err(SubmitRefusal::QueueFull(full)));
    assert_eq!(line.store, before, "nothing was created");
    line.limit(Some(LimitOverride::At(3)));
    assert!(line.submit(Some(1), 0).is_ok(), "the line is empty again");
    let mut closed = Line::new(Some(1), 0);
    closed.settings.max_queue_length = 0;
    assert!(closed.submit(Some(1), 0).is_ok(), "it need not wait");
    assert!(closed.submit(Some(1), 0).is_err());
}

#[test]
fn a_child_waits_in_a_full_line_and_is_not_expired() {
    let mut line = Line::new(Some(1), 2);
    line.settings.max_queue_length = 1;
    let place = crate::id::ItemKey {
        task: crate::id::TaskKey { run: ExecutionId(1), task: "t".into(), occurrence: 0 },
        index: None,
    };
    let child = prepared(Some(1), 0);
    let (id, _) = line.transact(|unit| submit::submit_child(unit, place, child, None));
    let child = line.store.execution(id.expect("an identity was left")).expect("it was created");
    assert_eq!((child.status, child.wake_at), (Status::Queued, None));
    assert_eq!(line.show(), "[1] [2, 3]");
}

#[test]
fn a_backoff_gives_the_slot_back_and_keeps_the_place_in_line() {
    let mut line = Line::new(Some(1), 3);
    line.end(1, Ending::Failed);
    assert_eq!(line.show(), "[2] [3]", "1 waits for its next attempt");
    line.now += Span::from_secs(9);
    line.transact(|unit| sweep::wake(unit, ExecutionId(1))).0.expect("it is due");
    assert_eq!(line.show(), "[2] [1, 3]");
    line.end(2, Ending::Succeeded);
    assert_eq!(line.show(), "[1] [3]");
}

#[test]
fn beyond_the_horizon_nobody_is_let_through_unseen() {
    let mut line = Line::new(Some(0), 6);
    line.heads = 2;
    let more = Message::Admit("a.b".into());
    assert!(line.limit(Some(LimitOverride::At(5))).contains(&more));
    assert_eq!(line.show(), "[1, 2] [3, 4, 5, 6]", "two were loaded");
    let (_, messages) = line.transact(|unit| unit.promote(&"a.b".into()));
    assert_eq!((line.show().as_str(), messages.contains(&more)), ("[1, 2, 3, 4] [5, 6]", true));
    let (_, messages) = line.transact(|unit| unit.promote(&"a.b".into()));
    assert_eq!((line.show().as_str(), messages.contains(&more)), ("[1, 2, 3, 4, 5] [6]", false));
}

#[test]
fn a_newcomer_does_not_overtake_waiters_that_were_not_loaded() {
    let mut line = Line::new(Some(0), 3);
    line.heads = 1;
    line.limit(Some(LimitOverride::At(9)));
    assert_eq!(line.show(), "[1] [2, 3]");
    line.submit(Some(0), 0).expect("it may wait");
    assert_eq!(line.show(), "[1, 2] [3, 4]");
    line.heads = 0;
    line.submit(Some(0), 0).expect("it may wait");
    assert_eq!(line.show(), "[1, 2] [3, 4, 5]", "with no head at hand, nobody passes");
}

#[test]
fn whoever_leaves_the_line_frees_nothing_but_its_place() {
    let mut line = Line::new(Some(1), 4);
    line.heads = 9;
    line.transact(|unit| admission::cancel(unit, ExecutionId(3))).0.expect("it waits");
    assert_eq!(line.show(), "[1] [2, 4]");
    line.now += Span::from_secs(3600);
    line.transact(|unit| sweep::wake(unit, ExecutionId(2))).0.expect("it is due");
    assert_eq!(line.show(), "[1] [4]");
    line.transact(|unit| admission::cancel(unit, ExecutionId(1))).0.expect("it is ready");
    assert_eq!(line.show(), "[4] []");
    let queue = &line.store.queues[&"a.b".into()];
    assert_eq!((queue.next_order, queue.completed), (Order(4), 3));
}

#[test]
fn a_submit_key_gives_one_execution() {
    let mut line = Line::new(Some(1), 0);
    let mut submit = |fingerprint: &str| {
        let idempotency = Idempotency { key: "key".into(), fingerprint: fingerprint.into() };
        let prepared = prepared(Some(1), 0);
        let submission = Submission {
            prepared,
            idempotency: Some(idempotency),
            retry_of: None,
            wishes: Vec::new(),
        };
        let twice = vec![submission; 2];
        line.transact(|unit| twice.into_iter().map(|one| submit::submit(unit, one)).collect()).0
    };
    let first: Vec<Result<Submitted, SubmitRefusal>> = submit("x");
    let id = ExecutionId(1);
    assert_eq!(first, [Ok(Submitted::Created(id)), Ok(Submitted::Existing(id))]);
    assert_eq!(submit("x")[0], Ok(Submitted::Existing(id)));
    assert_eq!(submit("y")[0], Err(SubmitRefusal::KeyReused(id)));
}

/// The ends that are announced.
fn ends(messages: &[Message]) -> Vec<(u64, Status)> {
    let told = messages.iter().filter_map(|message| match message {
        Message::Ended { execution, status } => Some((execution.0, *status)),
        _ => None,
    });
    told.collect()
}

#[test]
fn what_a_worker_reports_is_announced_once_however_often_it_says_so() {
    let table = [
        (Ending::Succeeded, Status::Completed),
        (Ending::Failed, Status::Failed),
        (Ending::FailedForGood, Status::Failed),
        (Ending::TimedOut, Status::TimedOut),
        (Ending::Cancelled, Status::Cancelled),
    ];
    for (ending, status) in table {
        let mut line = Line::new(Some(1), 0);
        line.submit(Some(1), 0).expect("it need not wait");
        line.submit(Some(1), 0).expect("it may wait");
        assert_eq!(ends(&line.end(1, ending)), [(1, status)], "{ending:?}");
        let (again, messages) = line.report(1, ending);
        assert_eq!((again, messages), (Err(Refusal::Over(status)), vec![]), "{ending:?}");
    }
    let mut line = Line::new(Some(1), 1);
    assert_eq!(ends(&line.end(1, Ending::Failed)), [], "it is tried again, and not over");
}

#[test]
fn an_end_that_no_worker_reports_is_announced_once_as_well() {
    const FIRST: ExecutionId = ExecutionId(1);
    const SECOND: ExecutionId = ExecutionId(2);
    const MINUTE: Span = Span::from_secs(60);
    type Act = fn(&mut Unit) -> Result<Status, Refusal>;
    let cancel_first: Act = |unit| admission::cancel(unit, FIRST);
    let cancel_second: Act = |unit| admission::cancel(unit, SECOND);
    let wake_first: Act = |unit| sweep::wake(unit, FIRST);
    let wake_second: Act = |unit| sweep::wake(unit, SECOND);
    let lose: Act =
        |unit| unit.tell(FIRST, &ExecutionInput::Lose(FencingToken(1), Cause::WorkerLost));
    // what happens              to whom  it runs  after       act                            the end
    let table: [(&str, ExecutionId, bool, Span, Act, Status); 6] = [
        ("cancelled in the line", SECOND, false, Span::ZERO, cancel_second, Status::Cancelled),
        ("cancelled with a slot", FIRST, false, Span::ZERO, cancel_first, Status::Cancelled),
        ("waited too long", SECOND, true, MINUTE.times(60), wake_second, Status::Failed),
        ("found no worker", FIRST, false, MINUTE.times(5), wake_first, Status::Failed),
        ("ran past its time", FIRST, true, MINUTE.times(2), wake_first, Status::TimedOut),
        ("lost for good", FIRST, true, Span::ZERO, lose, Status::Abandoned),
    ];
    for (what, id, runs, after, act, status) in table {
        let mut line = Line::new(Some(1), 0);
        for _ in [FIRST, SECOND] {
            let mut prepared = prepared(Some(1), 0);
            prepared.policy.timeout = Some(MINUTE);
            prepared.policy.on_lost = OnLost::Abandon;
            let submission =
                Submission { prepared, idempotency: None, retry_of: None, wishes: Vec::new() };
            line.transact(|unit| submit::submit(unit, submission)).0.expect("it may wait");
        }
        if runs {
            line.begin(1);
        }
        line.now += after;
        let (outcome, messages) = line.transact(act);
        assert_eq!((outcome, ends(&messages)), (Ok(status), vec![(id.0, status)]), "{what}");
        let (again, messages) = line.transact(act);
        assert!(again.is_err() && ends(&messages).is_empty(), "{what}: {again:?} {messages:?}");
    }
}
