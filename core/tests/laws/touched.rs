//! What a commit can make wrong is found where it changed something. Random worlds are broken in
//! one random row, and judging what that commit touched says what judging every row says.

use proptest::prelude::*;
use steadfast_core::decision::ItemPage;
use steadfast_core::effect::{Target, Trigger};
use steadfast_core::history::{Commit, RowChange};
use steadfast_core::law::{self, Change};
use steadfast_core::snapshot::Snapshot;
use steadfast_core::workflow::{Visit, VisitState};
use steadfast_core::{ExecutionId, Order, QueueKey, Status};

use super::plan::step;
use super::{cases, manner, world};

/// Where to break what: any numbers.
type Blow = (u8, usize, u8, u32);

/// A row that there is, by a random number.
fn any<T>(rows: impl Iterator<Item = T>, place: usize) -> Option<T> {
    let mut rows: Vec<T> = rows.collect();
    (!rows.is_empty()).then(|| rows.swap_remove(place % rows.len()))
}

/// Changes one thing about one row, and says what was changed.
fn strike(rows: &mut Snapshot, (table, place, field, to): Blow) -> Commit {
    match table % 9 {
        0..=3 => strike_execution(rows, place, field, to),
        4 | 5 => strike_visit(rows, place, field, to),
        6 => strike_run_or_queue(rows, place, field, to),
        7 => strike_page(rows, place, to),
        _ => strike_effect(rows, place, field, to),
    }
}

fn strike_effect(rows: &mut Snapshot, place: usize, field: u8, to: u32) -> Commit {
    let Some(before) = any(rows.effects.values().cloned(), place) else {
        return Commit::default();
    };
    let mut after = before;
    match field % 4 {
        0 => after.index = to % 3,
        1 => after.trigger = Trigger::ALL[to as usize % Trigger::ALL.len()],
        2 => after.notice.status = Status::ALL[to as usize % Status::ALL.len()],
        _ => after.key.target = Target::new("stranger"),
    }
    let before = rows.effects.insert(after.key.clone(), after.clone());
    Commit { effects: vec![RowChange { before, after }], ..Commit::default() }
}

fn strike_execution(rows: &mut Snapshot, place: usize, field: u8, to: u32) -> Commit {
    let Some(before) = any(rows.executions.iter().cloned(), place) else {
        return Commit::default();
    };
    let mut after = before.clone();
    let other = any(rows.executions.iter().cloned(), to as usize).expect("there is one");
    match field % 12 {
        0 => after.status = Status::ALL[to as usize % Status::ALL.len()],
        1 => after.order = to.checked_sub(1).map(|order| Order(u64::from(order) % 8)),
        2 => (after.queue, after.order) = (other.queue, other.order),
        3 => after.queue = QueueKey::new("nowhere"),
        4 => after.wake_at = after.wake_at.xor(Some(before.created_at)),
        5 => after.place = other.place,
        6 => after.place = None,
        7 => after.folded = !after.folded,
        8 => after.failures += to % 4,
        9 => after.losses += to % 8,
        10 => after.worker = None,
        _ => after.ended_at = after.ended_at.xor(Some(before.created_at)),
    }
    if to.is_multiple_of(5) {
        // A new row instead of a changed one.
        after.id = ExecutionId(rows.next_id());
    }
    let before = rows.executions.put(after.clone());
    Commit { executions: vec![RowChange { before, after }], ..Commit::default() }
}

fn strike_visit(rows: &mut Snapshot, place: usize, field: u8, to: u32) -> Commit {
    let Some(before) = any(rows.visits.values().cloned(), place) else { return Commit::default() };
    let mut after = Visit { ..before };
    match field % 10 {
        0 => {
            after.state =
                [VisitState::Waiting, VisitState::Running, VisitState::Ended][to as usize % 3]
        }
        1 => after.status = Some(Status::ALL[to as usize % Status::ALL.len()]),
        2 => after.total = to % 8,
        3 => after.created = to % 8,
        4 => after.ended = to % 8,
        5 => after.failed = to % 8,
        6 => after.concurrency = to % 3,
        7 => after.listed = !after.listed,
        8 => after.elements = to % 8,
        _ => after.needed = to % 2,
    }
    // A store refuses counts that do not fit together.
    after.created = after.created.min(after.total);
    after.ended = after.ended.min(after.created);
    after.failed = after.failed.min(after.ended);
    after.timed_out = after.timed_out.min(after.failed);
    if to.is_multiple_of(5) {
        after.key.occurrence += 1;
    }
    let before = rows.visits.insert(after.key.clone(), after.clone());
    Commit { visits: vec![RowChange { before, after }], ..Commit::default() }
}

fn strike_run_or_queue(rows: &mut Snapshot, place: usize, field: u8, to: u32) -> Commit {
    let run = any(rows.runs.values().cloned(), place);
    let queue = any(rows.queues.values().cloned(), place);
    if let (0..=1, Some(mut after)) = (field % 3, run) {
        match field % 4 {
            0 => after.open = !after.open,
            1 => after.halted = !after.halted,
            _ => after.visits.values_mut().for_each(|visits| *visits = visits.saturating_sub(1)),
        }
        let before = rows.runs.insert(after.execution, after.clone());
        return Commit { runs: vec![RowChange { before, after }], ..Commit::default() };
    }
    let Some(mut after) = queue else { return Commit::default() };
    after.next_order = Order(u64::from(to) % 8);
    let before = rows.queues.insert(after.key.clone(), after.clone());
    Commit { queues: vec![RowChange { before, after }], ..Commit::default() }
}

fn strike_page(rows: &mut Snapshot, place: usize, to: u32) -> Commit {
    let Some(visit) = any(rows.visits.keys().cloned(), place) else { return Commit::default() };
    let page = ItemPage { visit: visit.clone(), page: to % 2, items: vec![to.into()] };
    rows.items.insert((visit, page.page), page.items.clone());
    Commit { items: vec![page], ..Commit::default() }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_a_commit_touched_tells_what_all_rows_tell(
        manner in manner(),
        steps in prop::collection::vec(step(), 1..80),
        blows in prop::collection::vec(any_blow(), 40),
    ) {
        let mut world = world(&manner);
        for step in &steps {
            step.take(&mut world);
        }
        for blow in blows {
            let mut after = world.snapshot.clone();
            let commit = strike(&mut after, blow);
            let change = Change { commit: &commit, after: &after, settings: &world.settings };
            let touched = law::check_touched(&change).map_err(|violation| violation.law);
            let whole = law::check_snapshot(&after).map_err(|violation| violation.law);
            prop_assert_eq!(touched, whole, "{:?} by {:?}", commit, blow);
        }
    }
}

fn any_blow() -> impl Strategy<Value = Blow> {
    (0..9u8, 0..1_000usize, 0..120u8, 0..1_000u32)
}

/// The blows above must hurt, or nothing is compared.
#[test]
fn blows_break_every_law_about_rows() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut broken = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let strategy = (
            manner(),
            prop::collection::vec(step(), 1..120),
            prop::collection::vec(any_blow(), 60),
        );
        let (manner, steps, blows) = strategy.new_tree(&mut runner).expect("a story").current();
        let mut world = world(&manner);
        steps.iter().for_each(|step| step.take(&mut world));
        for blow in blows {
            let mut after = world.snapshot.clone();
            strike(&mut after, blow);
            broken.extend(law::check_snapshot(&after).err().map(|violation| violation.law.name()));
        }
    }
    let judged = law::LAWS.iter().filter(|(_, check)| matches!(check, law::Check::Snapshot(_)));
    let judged: std::collections::BTreeSet<&str> = judged.map(|(law, _)| law.name()).collect();
    assert_eq!(broken, judged);
}
