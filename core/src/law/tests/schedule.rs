use super::*;
use crate::execution::Idempotency;
use crate::lease::Epoch;
use crate::schedule::{Firing, Plan, Schedule, ScheduleName, ScheduleState};
use crate::time::Span;

/// A schedule that was due earlier.
fn due() -> Schedule {
    let plan = Plan::every(Span::from_secs(100), "q".into());
    let row = Schedule::new(ScheduleName::new("nightly"), plan, EARLIER, Timestamp::ZERO);
    Schedule { epoch: Epoch(1), ..row }
}

/// The same after it has fired.
fn fired() -> Schedule {
    Schedule { fired: Some(EARLIER), due: LATER, version: Version(1), ..due() }
}

/// What it fires.
fn submitted(id: u64) -> Execution {
    let firing = Firing { schedule: ScheduleName::new("nightly"), due: EARLIER };
    let idempotency = Idempotency { key: firing.idempotency_key(), fingerprint: "f".into() };
    Execution { idempotency: Some(idempotency), ..execution(id, Status::Ready) }
}

fn commit(before: Schedule, after: Option<Schedule>, new: Option<Execution>) -> Evidence {
    let schedules =
        after.into_iter().map(|after| RowChange { before: Some(before.clone()), after });
    let executions = new.into_iter().map(|after| RowChange { before: None, after });
    let commit = Commit {
        at: NOW,
        schedules: schedules.collect(),
        executions: executions.collect(),
        ..Commit::default()
    };
    Evidence::Commit(commit, rows([]))
}

pub(super) fn in_silence() -> Evidence {
    commit(due(), Some(fired()), None)
}

pub(super) fn twice() -> Evidence {
    let mut history = History::new();
    for id in [1, 2] {
        let executions = vec![RowChange { before: None, after: submitted(id) }];
        history.push(Commit { at: NOW, executions, ..Commit::default() });
    }
    Evidence::Log(history)
}

#[test]
fn each_part_of_a_firing_is_demanded() {
    let judge = |evidence: &Evidence| {
        judge_by(&Check::Change(super::super::schedule::fires), evidence).map_err(|v| v.law)
    };
    let whole = commit(due(), Some(fired()), Some(submitted(1)));
    assert_eq!(judge(&whole), Ok(()));
    // Left out, which is no firing.
    assert_eq!(judge(&commit(due(), Some(Schedule { due: LATER, ..due() }), None)), Ok(()));
    let paused = || Schedule { state: ScheduleState::Paused, ..due() };
    let bad = [
        in_silence(),
        commit(due(), None, Some(submitted(1))),
        commit(due(), Some(Schedule { due: LATER, ..due() }), Some(submitted(1))),
        // Forgotten, under an old epoch, paused, too early, for a time that it was not due at.
        commit(fired(), Some(due()), None),
        commit(due(), Some(Schedule { epoch: Epoch(0), ..fired() }), Some(submitted(1))),
        commit(paused(), Some(fired()), Some(submitted(1))),
        commit(due(), Some(Schedule { fired: Some(LATER), ..fired() }), None),
        commit(Schedule { due: NOW, ..due() }, Some(fired()), Some(submitted(1))),
        commit(fired(), Some(fired()), Some(submitted(1))),
    ];
    for (place, evidence) in bad.iter().enumerate() {
        assert_eq!(judge(evidence), Err(LawId::S25), "{place}");
    }
}
