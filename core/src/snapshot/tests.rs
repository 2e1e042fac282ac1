//! What a store refuses, and how much of it a service sees.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::decision::{ItemPage, Writes};
use crate::definition::{Prepared, Transport, Work};
use crate::execution::Idempotency;
use crate::id::{Incarnation, ItemKey, Order, Version, WorkerId};
use crate::policy::Policy;
use crate::settings::Settings;
use crate::submit::{Submission, submit};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

fn terms(next: u64) -> Terms {
    Terms {
        now: NOW,
        settings: Settings::DEFAULT,
        transport: Transport::Embedded,
        fresh_ids: next..next + 100,
        entropy: 0,
    }
}

fn prepared(limit: u32) -> Prepared {
    Prepared {
        action: "q".into(),
        definition: "1".into(),
        work: Work::Runtime("shell".into()),
        selector: BTreeMap::new(),
        queue: "q".into(),
        limit: Some(limit),
        policy: Policy::DEFAULT,
        parameters: serde_json::json!({ "n": 1 }),
    }
}

/// What submitting so many to a fresh store writes.
fn submissions(count: usize, limit: u32) -> Writes {
    let mut unit = Snapshot::new().load(&terms(1), &Wanted::default());
    for place in 0..count {
        let idempotency =
            Some(Idempotency { key: alloc::format!("key {place}"), fingerprint: "f".into() });
        let submission = Submission {
            prepared: prepared(limit),
            idempotency,
            retry_of: None,
            wishes: Vec::new(),
        };
        submit(&mut unit, submission).expect("there is room");
    }
    unit.into_decision().writes
}

fn store(count: usize, limit: u32) -> Snapshot {
    let mut snapshot = Snapshot::new();
    snapshot.apply(&submissions(count, limit)).expect("the store was empty");
    snapshot
}

fn updated(execution: Execution) -> Writes {
    let mut writes = Writes::default();
    writes.executions.updated = vec![execution];
    writes
}

fn inserted(execution: Execution) -> Writes {
    let mut writes = Writes::default();
    writes.executions.inserted = vec![execution];
    writes
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stale,
    Exists,
    Impossible,
}

fn kind(outcome: Result<(), Conflict>) -> Option<Kind> {
    outcome.err().map(|conflict| match conflict {
        Conflict::Stale { .. } => Kind::Stale,
        Conflict::Exists(_) => Kind::Exists,
        Conflict::Impossible { .. } => Kind::Impossible,
    })
}

/// Applies each commit to a store with one execution, and compares what it says.
fn check_table(table: Vec<(&str, Writes, Option<Kind>)>) {
    for (name, writes, expected) in table {
        let mut snapshot = store(1, 1);
        let before = snapshot.clone();
        assert_eq!(kind(snapshot.apply(&writes)), expected, "{name}");
        assert_eq!(snapshot == before, expected.is_some(), "{name}");
        if expected.is_none() {
            assert!(snapshot.apply(&writes).is_err(), "{name}: not a second time");
        }
    }
}

fn stored() -> Execution {
    store(1, 1).execution(ExecutionId(1)).expect("it was submitted").clone()
}

/// The stored execution as its next version.
fn next() -> Execution {
    Execution { version: Version(1), ..stored() }
}

/// Another one.
fn new() -> Execution {
    Execution { id: ExecutionId(2), idempotency: None, order: Some(Order(1)), ..stored() }
}

fn task() -> TaskKey {
    TaskKey { run: ExecutionId(1), task: "t".into(), occurrence: 0 }
}

#[test]
fn a_store_takes_executions_that_follow_from_what_it_has_and_refuses_others_whole() {
    use Kind::{Exists, Impossible, Stale};
    let place = || Some(ItemKey { task: task(), index: None });
    let holder = Some(WorkerId { name: "w".into(), incarnation: Incarnation(1) });
    let mut two_places = inserted(Execution { place: place(), ..new() });
    two_places.executions.inserted.push(Execution { id: ExecutionId(3), place: place(), ..new() });
    let ahead = Execution { version: Version(2), ..next() };
    let known = Execution { id: ExecutionId(1), ..new() };
    let past = Execution { version: Version(1), ..new() };
    let known_key = Execution { idempotency: stored().idempotency, ..new() };
    let other_key = Execution { idempotency: None, ..next() };
    let running = Execution { status: Status::Running, ..next() };
    check_table(vec![
        ("the next version", updated(next()), None),
        ("the same version", updated(stored()), Some(Stale)),
        ("a version ahead", updated(ahead), Some(Stale)),
        ("no such row", updated(Execution { id: ExecutionId(9), ..next() }), Some(Stale)),
        ("a new row", inserted(new()), None),
        ("a known identity", inserted(known), Some(Exists)),
        ("a new row with a past", inserted(past), Some(Impossible)),
        ("a known submit key", inserted(known_key), Some(Exists)),
        ("one place twice", two_places, Some(Exists)),
        ("another submit key", updated(other_key), Some(Impossible)),
        (
            "an end under way",
            updated(Execution { ended_at: Some(NOW), ..next() }),
            Some(Impossible),
        ),
        ("a slot and no place", updated(Execution { order: None, ..next() }), Some(Impossible)),
        (
            "a holder and no attempt",
            updated(Execution { worker: holder, ..next() }),
            Some(Impossible),
        ),
        ("an attempt and no holder", updated(running), Some(Impossible)),
        ("folded before its end", updated(Execution { folded: true, ..next() }), Some(Impossible)),
        (
            "a queue that is not",
            inserted(Execution { queue: "r".into(), ..new() }),
            Some(Impossible),
        ),
    ]);
}

#[test]
fn a_store_takes_what_belongs_to_its_rows_once() {
    use Kind::{Exists, Impossible};
    let page = |page, len| ItemPage { visit: task(), page, items: vec![Value::Null; len] };
    let pages = |pages| Writes { items: pages, ..Writes::default() };
    let results = |ids: &[u64]| Writes {
        results: ids.iter().map(|id| (ExecutionId(*id), Outcome::default())).collect(),
        ..Writes::default()
    };
    let mut visit = Writes::default();
    visit.visits.inserted = vec![Visit::new(task(), 1)];
    let mut run = visit.clone();
    run.runs.inserted = vec![Run::new(ExecutionId(1), crate::id::Attempt(1))];
    let mut miscounted = run.clone();
    miscounted.visits.inserted[0].created = 1;
    let parameters =
        Writes { parameters: vec![(ExecutionId(1), Value::Null)], ..Writes::default() };
    check_table(vec![
        ("a page", pages(vec![page(0, 256), page(1, 3)]), None),
        ("a page twice", pages(vec![page(0, 1), page(0, 1)]), Some(Exists)),
        ("a page too long", pages(vec![page(0, 257)]), Some(Impossible)),
        ("a result", results(&[1]), None),
        ("a result twice", results(&[1, 1]), Some(Exists)),
        ("a result of nothing", results(&[5]), Some(Impossible)),
        ("parameters afterwards", parameters, Some(Impossible)),
        ("a visit without a run", visit, Some(Impossible)),
        ("a run with a visit", run, None),
        ("a visit that miscounts", miscounted, Some(Impossible)),
    ]);
}

#[test]
fn the_same_commit_does_not_land_twice() {
    let mut snapshot = store(3, 1);
    let before = snapshot.clone();
    assert_eq!(kind(snapshot.apply(&submissions(3, 1))), Some(Kind::Exists));
    assert_eq!(snapshot, before);
}

#[test]
fn a_unit_sees_the_heads_of_a_line_and_where_its_sight_ends() {
    let snapshot = store(6, 2);
    // heads   loaded    horizon
    let table = [
        (0, 0, Some(Order(0))),
        (1, 1, Some(Order(2))),
        (3, 3, Some(Order(4))),
        (4, 4, None),
        (9, 4, None),
    ];
    for (heads, loaded, horizon) in table {
        let wanted = Wanted { queues: ["q".into()].into(), heads, ..Wanted::default() };
        let unit = snapshot.load(&terms(7), &wanted);
        let occupancy = unit.occupancy(&"q".into());
        assert_eq!(unit.executions().count(), loaded, "{heads}");
        assert_eq!(occupancy, Occupancy { holding: 2, waiting: 4, horizon }, "{heads}");
    }
}

#[test]
fn loading_alone_writes_nothing() {
    let snapshot = store(4, 2);
    let wanted = Wanted {
        executions: (1..9).map(ExecutionId).collect(),
        keys: ["key 1".into(), "none".into()].into(),
        queues: ["q".into(), "none".into()].into(),
        runs: [ExecutionId(1)].into(),
        ready: 9,
        ..Wanted::default()
    };
    let unit = snapshot.load(&terms(7), &wanted);
    assert!(unit.knows_queue(&"none".into()) && !unit.knows_queue(&"other".into()));
    assert!(unit.into_decision().writes.is_empty());
}
