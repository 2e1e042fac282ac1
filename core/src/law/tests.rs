//! Each predicate can fail: for each there is a state, a commit or a history that is sound but for
//! one thing, and that thing is seen.

mod planted;
mod schedule;
mod seen;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::catalogue::{Kind, LAWS as CATALOGUE};
use crate::decision::Writes;
use crate::definition::{Transport, Work};
use crate::effect::{
    self, Effect, EffectKind, EffectState, GENERATION, Notice, Target, Trigger, Wish,
};
use crate::history::{Voices, Word};
use crate::id::{Attempt, Incarnation, ItemKey, Order, TaskKey, Version, WorkerId};
use crate::policy::Policy;
use crate::queue::Queue;
use crate::status::Status;
use crate::time::Timestamp;
use crate::worker::WorkerState;
use crate::workflow::{Run, Visit, VisitState};

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
const EARLIER: Timestamp = Timestamp::from_micros(900_000_000);
const LATER: Timestamp = Timestamp::from_micros(2_000_000_000);

/// What a predicate is shown.
#[allow(clippy::large_enum_variant, reason = "there are three dozen of them")]
enum Evidence {
    Rows(Snapshot),
    Commit(Commit, Snapshot),
    Log(History),
}

/// Judges the evidence by one predicate.
fn judge_by(check: &Check, evidence: &Evidence) -> Verdict {
    match (check, evidence) {
        (Check::Snapshot(holds), Evidence::Rows(rows)) => holds(&View::whole(rows)),
        (Check::Change(holds), Evidence::Commit(commit, after)) => {
            let settings = Settings { max_queue_length: 1, ..Settings::DEFAULT };
            holds(&Change { commit, after, settings: &settings })
        }
        (Check::History(holds), Evidence::Log(history)) => holds(history),
        _ => panic!("this is evidence of another kind"),
    }
}

/// A sound execution in this status, with its own place in the line of `q`.
fn execution(id: u64, status: Status) -> Execution {
    let live = status.has_live_attempt();
    Execution {
        id: ExecutionId(id),
        version: Version(1),
        action: "q".into(),
        definition: "1".into(),
        work: Work::Runtime("shell".into()),
        selector: BTreeMap::new(),
        transport: Transport::Embedded,
        status,
        queue: "q".into(),
        order: Some(Order(id)),
        attempt: Attempt(1),
        failures: 0,
        losses: 0,
        worker: live.then(ada),
        excluded: Vec::new(),
        cancel_requested: false,
        wake_at: (!status.is_terminal()).then_some(LATER),
        policy: Policy::DEFAULT,
        place: None,
        folded: false,
        retry_of: None,
        idempotency: None,
        created_at: EARLIER,
        started_at: None,
        ended_at: status.is_terminal().then_some(NOW),
        cause: None,
        wishes: Vec::new(),
    }
}

fn ada() -> WorkerId {
    WorkerId { name: "ada".into(), incarnation: Incarnation(2) }
}

fn worker(state: WorkerState) -> Worker {
    Worker {
        incarnation: Incarnation(2),
        state,
        lease_until: LATER,
        last_beat: EARLIER,
        runtimes: alloc::sync::Arc::new(["shell".into()].into()),
        ..Worker::new("ada".into())
    }
}

fn queue() -> Queue {
    Queue { next_order: Order(100), ..Queue::new("q".into(), Some(1), EARLIER) }
}

/// Rows with the queue, the worker and these executions.
fn rows(executions: impl IntoIterator<Item = Execution>) -> Snapshot {
    let mut snapshot = Snapshot::new();
    snapshot.queues.insert("q".into(), queue());
    snapshot.workers.insert("ada".into(), worker(WorkerState::Active));
    executions.into_iter().for_each(|execution| drop(snapshot.executions.put(execution)));
    snapshot
}

/// One execution changes; nobody reported on it.
fn change(before: Option<Execution>, after: Execution) -> Evidence {
    change_beside(before, after, [])
}

/// The same, beside others that stay as they are.
fn change_beside(
    before: Option<Execution>,
    after: Execution,
    others: impl IntoIterator<Item = Execution>,
) -> Evidence {
    let snapshot = rows(others.into_iter().chain([after.clone()]));
    let executions = vec![RowChange { before, after }];
    let voices = Some(Default::default());
    Evidence::Commit(Commit { at: NOW, voices, executions, ..Commit::default() }, snapshot)
}

/// The execution's worker reported in the commit.
fn reported(evidence: Evidence, id: u64, token: u64) -> Evidence {
    let Evidence::Commit(mut commit, after) = evidence else { panic!("a commit is reported in") };
    let voices = commit.voices.get_or_insert_default();
    let word = Word { token: crate::id::FencingToken(token), worker: None };
    voices.reports.insert(ExecutionId(id), word);
    Evidence::Commit(commit, after)
}

fn worker_change(before: Worker, after: Worker) -> Evidence {
    let mut snapshot = rows([]);
    snapshot.workers.insert("ada".into(), after.clone());
    let workers = vec![RowChange { before: Some(before), after }];
    Evidence::Commit(Commit { at: NOW, workers, ..Commit::default() }, snapshot)
}

fn key() -> TaskKey {
    TaskKey { run: ExecutionId(1), task: "t".into(), occurrence: 0 }
}

/// A run of which the only task has one execution.
fn run_of(visit: Visit, child: Execution) -> Snapshot {
    let workflow = Execution { work: Work::Workflow, ..execution(1, Status::Running) };
    let place = Some(ItemKey { task: visit.key.clone(), index: visit.listed.then_some(0) });
    let mut snapshot = rows([workflow, Execution { place, ..child }]);
    let mut run = Run::new(ExecutionId(1), Attempt(1));
    run.visits.insert("t".into(), 1);
    snapshot.runs.insert(ExecutionId(1), run);
    snapshot.visits.insert(visit.key.clone(), visit);
    snapshot
}

/// A visit with one execution under way.
fn visit() -> Visit {
    Visit { state: VisitState::Running, total: 1, created: 1, ..Visit::new(key(), 1) }
}

/// An execution whose end somebody is to be told.
fn wishful(status: Status) -> Execution {
    let (trigger, kind) = (Trigger::Ended, EffectKind::Webhook);
    let wishes = vec![Wish { trigger, kind, target: Target::new("a") }];
    Execution { wishes, ..execution(1, status) }
}

/// The effect of its completion, sent once unless it is planned.
fn effect(state: EffectState) -> Effect {
    let execution = wishful(Status::Completed);
    let (notice, run) = (Notice::of(&execution), (execution.id, GENERATION));
    let retry = Settings::DEFAULT.effect_retry;
    let mut effect = effect::plan(run, &notice, &execution.wishes, retry, EARLIER).remove(0);
    (effect.state, effect.sends) = (state, u32::from(state != EffectState::Planned));
    if state.is_over() {
        (effect.wake_at, effect.ended_at) = (None, Some(NOW));
    }
    effect
}

/// What came of a try that was begun, with the token that was presented.
fn settled(before: Effect, after: Effect, presented: Option<u64>) -> Verdict {
    let mut voices = Voices::default();
    if let Some(token) = presented {
        voices.effects.insert(before.key.clone(), crate::id::FencingToken(token));
    }
    let effects = vec![RowChange { before: Some(before), after }];
    let commit = Commit { at: NOW, voices: Some(voices), effects, ..Commit::default() };
    judge_by(&Check::Change(effects::settled), &Evidence::Commit(commit, rows([])))
}

#[test]
fn only_the_word_of_its_sender_settles_an_effect_once() {
    use EffectState::{Delivered, GaveUp, Planned, Sending};
    let early = |state| Effect { wake_at: Some(LATER), ..effect(state) };
    let resent = Effect { sends: 2, ..effect(Sending) };
    let failed = Effect { failures: 1, ..effect(Planned) };
    // before, after, presented, sound
    let table = [
        (effect(Planned), effect(Sending), None, true),
        (early(Planned), effect(Sending), None, false),
        (effect(Sending), effect(Delivered), Some(1), true),
        (effect(Sending), effect(Delivered), Some(2), false),
        (effect(Sending), effect(Delivered), None, false),
        (effect(Planned), effect(Delivered), Some(0), false),
        (effect(Sending), resent.clone(), None, true),
        (early(Sending), resent, None, false),
        (effect(Sending), Effect { sends: 1, ..failed.clone() }, None, true),
        (early(Sending), Effect { sends: 1, ..failed.clone() }, None, false),
        (early(Sending), Effect { sends: 1, ..failed }, Some(1), true),
        (effect(Sending), effect(GaveUp), None, true),
        (effect(GaveUp), Effect { sends: 1, ..effect(Planned) }, None, true),
        (effect(GaveUp), effect(Delivered), None, false),
        (effect(Delivered), Effect { sends: 1, ..effect(Planned) }, None, false),
        (effect(Sending), effect(Planned), None, false),
    ];
    for (place, (before, after, presented, sound)) in table.into_iter().enumerate() {
        let verdict = settled(before, after, presented);
        assert_eq!(verdict.is_ok(), sound, "{place}: {verdict:?}");
    }
}

#[test]
fn what_is_told_is_what_was_wished_for_and_is_so() {
    let judge = |execution: Execution, effect: Option<Effect>| {
        let mut rows = rows([execution]);
        rows.effects.extend(effect.map(|effect| (effect.key.clone(), effect)));
        effects::planned(&View::whole(&rows)).is_ok()
    };
    let planned = effect(EffectState::Planned);
    let mut untrue = planned.clone();
    untrue.notice.status = Status::Failed;
    assert!(judge(wishful(Status::Completed), Some(planned.clone())));
    assert!(judge(wishful(Status::Running), None));
    assert!(!judge(wishful(Status::Running), Some(planned.clone())));
    assert!(!judge(execution(1, Status::Completed), Some(planned)));
    assert!(!judge(wishful(Status::Completed), Some(untrue)));
}

#[test]
fn a_sound_state_breaks_no_law() {
    use Status::{Backoff, Cancelled, Completed, Queued, Running};
    let sound = [
        rows([]),
        rows([execution(1, Running), execution(2, Queued), execution(3, Backoff)]),
        rows([execution(1, Completed), execution(2, Cancelled)]),
        run_of(visit(), execution(2, Running)),
        run_of(
            Visit { ended: 1, ..visit() },
            Execution { folded: true, ..execution(2, Completed) },
        ),
    ];
    for snapshot in sound {
        assert_eq!(check_snapshot(&snapshot), Ok(()));
    }
    let sound = [
        change(None, Execution { attempt: Attempt(0), ..execution(200, Queued) }),
        change(
            Some(execution(1, Queued)),
            Execution { attempt: Attempt(2), ..execution(1, Running) },
        ),
    ];
    for evidence in sound {
        let Evidence::Commit(mut commit, after) = evidence else { unreachable!() };
        // The queue counts the newcomer.
        let counted = u64::from(commit.executions[0].before.is_none());
        let before = Queue { next_order: Order(100 - counted), ..queue() };
        commit.queues = vec![RowChange { before: Some(before), after: queue() }];
        let change = Change { commit: &commit, after: &after, settings: &Settings::DEFAULT };
        assert_eq!(check_change(&change), Ok(()));
    }
}

#[test]
fn every_predicate_sees_what_was_planted_for_it() {
    let planted = planted::all();
    assert_eq!(planted.len(), LAWS.len(), "one for each predicate, in the order of the table");
    for (place, ((law, check), (name, evidence))) in LAWS.iter().zip(planted).enumerate() {
        let verdict = judge_by(check, &evidence);
        let seen = verdict.as_ref().err().map(|violation| violation.law);
        assert_eq!(seen, Some(*law), "{place}: {name}: {verdict:?}");
    }
}

#[test]
fn the_word_of_a_stranger_is_seen_even_under_the_right_token() {
    let word = |name: &str| {
        let offered = change(Some(execution(1, Status::Offered)), execution(1, Status::Running));
        let Evidence::Commit(mut commit, after) = offered else { unreachable!() };
        let worker = Some(WorkerId { name: name.into(), ..ada() });
        let word = Word { token: crate::id::FencingToken(1), worker };
        commit.voices.get_or_insert_default().reports.insert(ExecutionId(1), word);
        judge_by(&Check::Change(attempts::one_effective), &Evidence::Commit(commit, after))
    };
    assert_eq!(word("ada"), Ok(()));
    assert_eq!(word("bob").map_err(|violation| violation.law), Err(LawId::S5));
}

#[test]
fn what_was_merely_offered_costs_nothing_and_is_not_taken_away_early() {
    let judge = |check: fn(&Change<'_>) -> Verdict, after: Execution| {
        let offered = Execution { wake_at: Some(LATER), ..execution(1, Status::Offered) };
        let Evidence::Commit(mut commit, rows) = change(Some(offered), after) else {
            unreachable!()
        };
        commit.voices = Some(Voices::default());
        judge_by(&Check::Change(check), &Evidence::Commit(commit, rows)).map_err(|v| v.law)
    };
    let charged = Execution { losses: 1, worker: None, ..execution(1, Status::Backoff) };
    let free = Execution { worker: None, ..execution(1, Status::Ready) };
    assert_eq!(judge(attempts::spent, charged), Err(LawId::S28));
    assert_eq!(judge(attempts::spent, free.clone()), Ok(()));
    assert_eq!(judge(worker::healthy_work, free), Err(LawId::S20));
}

#[test]
fn every_safety_law_is_judged_here_or_it_is_said_where() {
    let here: BTreeSet<LawId> = LAWS.iter().map(|(law, _)| *law).collect();
    let elsewhere: BTreeSet<LawId> = ELSEWHERE.iter().map(|(law, _)| *law).collect();
    for law in CATALOGUE.iter().filter(|law| law.kind == Kind::Safety) {
        let judged = (here.contains(&law.id), elsewhere.contains(&law.id));
        assert!(judged.0 != judged.1, "{}: {judged:?}", law.code);
    }
}

#[test]
fn a_slot_that_stands_empty_beside_a_waiter_is_seen() {
    let idle = rows([execution(2, Status::Queued)]);
    let none = BTreeSet::new();
    assert_eq!(work_conserved(&idle, &none).map_err(|v| v.law), Err(LawId::L3));
    assert_eq!(work_conserved(&idle, &["q".into()].into()), Ok(()));
    let busy = rows([execution(1, Status::Ready), execution(2, Status::Queued)]);
    assert_eq!(work_conserved(&busy, &none), Ok(()));
}

#[test]
fn whatever_is_left_at_rest_is_seen() {
    use Status::{Completed, Queued, Ready};
    let timer = Execution { wake_at: Some(LATER), ..execution(1, Completed) };
    let place = Some(ItemKey { task: key(), index: None });
    let unfolded = Execution { place, ..execution(2, Completed) };
    let done = || Execution { folded: true, ..execution(2, Completed) };
    let mut open_run = rows([]);
    open_run.runs.insert(ExecutionId(1), Run::new(ExecutionId(1), Attempt(1)));
    let mut open_visit = open_run.clone();
    open_visit.runs.values_mut().for_each(|run| run.open = false);
    let absorbing = Visit { state: VisitState::Ended, absorbing: true, ended: 1, ..visit() };
    open_visit.visits.insert(key(), absorbing);
    let left = [
        rows([execution(1, Ready)]),
        rows([execution(1, Queued)]),
        rows([timer]),
        rows([unfolded]),
        open_run,
        open_visit,
    ];
    for snapshot in &left {
        assert_eq!(quiescent(snapshot).map_err(|v| v.law), Err(LawId::L14), "{snapshot:?}");
    }
    assert_eq!(quiescent(&rows([execution(1, Completed), done()])), Ok(()));
}

#[test]
fn a_whole_history_is_judged_commit_by_commit() {
    let mut history = History::new();
    let mut snapshot = Snapshot::new();
    let first = Execution {
        version: Version(0),
        attempt: Attempt(0),
        created_at: NOW,
        ..execution(0, Status::Ready)
    };
    let mut writes = Writes::default();
    writes.queues.inserted = vec![Queue { version: Version(0), next_order: Order(1), ..queue() }];
    writes.executions.inserted = vec![first.clone()];
    history.commit(&mut snapshot, NOW, None, &writes).expect("it is sound");
    assert_eq!(check_all(&history, &Settings::DEFAULT), Ok(()));
    let mut writes = Writes::default();
    let over =
        Execution { version: Version(1), status: Status::Completed, ended_at: Some(NOW), ..first };
    writes.executions.updated = vec![over];
    history.commit(&mut snapshot, NOW, None, &writes).expect("a store does not know the table");
    let verdict = check_all(&history, &Settings::DEFAULT);
    assert_eq!(verdict.map_err(|violation| violation.law), Err(LawId::S7), "it never ran");
}
