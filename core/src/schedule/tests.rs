use super::laws;
use super::*;
use crate::table::check_table;
use crate::time::Span;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn fire(due: u64, next: Option<u64>, epoch: u64) -> ScheduleInput {
    ScheduleInput::Fire { due: at(due), next: next.map(at), epoch: Epoch(epoch) }
}

fn pass_over(due: u64, next: Option<u64>) -> ScheduleInput {
    ScheduleInput::PassOver { due: at(due), next: next.map(at) }
}

/// A schedule in this state that fired for 10 s under epoch 2 and is due at 20 s.
fn schedule(state: ScheduleState) -> Schedule {
    let plan = Plan::every(Span::from_secs(10), "core.noop".into());
    let mut schedule = Schedule::new(ScheduleName::new("nightly"), plan, at(10), at(0));
    let next = (state != Finished).then_some(20);
    let mut inputs = alloc::vec![fire(10, next, 2)];
    inputs.extend((state == Paused).then_some(ScheduleInput::Pause));
    inputs.extend((state == Removed).then_some(ScheduleInput::Remove));
    for input in inputs {
        let _firing = schedule.handle(input, at(10)).expect("a legal input");
    }
    assert_eq!(schedule.state, state);
    schedule
}

fn judged(
    schedule: &mut Schedule,
    input: ScheduleInput,
    now: Timestamp,
) -> Result<Option<Firing>, Refusal> {
    let before = schedule.clone();
    let answer = schedule.handle(input, now);
    assert!(answer.is_ok() || before == *schedule, "{input:?}");
    let firing = answer.as_ref().ok().and_then(Option::as_ref);
    assert_eq!(laws::check(&before, firing, schedule, now), Ok(()));
    answer
}

#[test]
fn the_table_is_whole() {
    check_table(Active, ScheduleState::ALL, TRANSITIONS, &[]);
    assert!(diagram().contains("removed --> active: create again"));
}

#[test]
fn every_input_meets_every_state() {
    let outdated = Refusal::Outdated { presented: Epoch(1), current: Epoch(2) };
    let (pause, resume) = (ScheduleInput::Pause, ScheduleInput::Resume(at(40)));
    // now  state  input                  fires for, state after
    let table = [
        (25, Active, fire(20, Some(30), 2), Ok((Some(20), Active))),
        (25, Active, fire(20, Some(30), 3), Ok((Some(20), Active))),
        (25, Active, fire(20, None, 2), Ok((Some(20), Finished))),
        (25, Active, fire(20, Some(30), 1), Err(outdated)),
        (19, Active, fire(20, Some(30), 2), Err(Refusal::NotDue(at(20)))),
        (25, Active, fire(10, Some(20), 2), Err(Refusal::Done)),
        (25, Active, fire(15, Some(20), 2), Err(Refusal::Moved(at(20)))),
        (25, Active, fire(20, Some(20), 2), Err(Refusal::Backwards(at(20)))),
        (25, Active, pause, Ok((None, Paused))),
        (25, Active, resume, Err(Refusal::Done)),
        (25, Paused, fire(20, Some(30), 2), Err(Refusal::Illegal(Paused))),
        (25, Paused, pause, Err(Refusal::Done)),
        (25, Paused, resume, Ok((None, Active))),
        (25, Paused, ScheduleInput::Resume(at(10)), Err(Refusal::Backwards(at(10)))),
        (25, Finished, fire(10, Some(30), 2), Err(Refusal::Done)),
        (25, Finished, fire(20, Some(30), 2), Err(Refusal::Illegal(Finished))),
        (25, Finished, pause, Err(Refusal::Illegal(Finished))),
        (25, Finished, resume, Err(Refusal::Illegal(Finished))),
        (25, Active, pass_over(20, Some(40)), Ok((None, Active))),
        (25, Active, pass_over(20, None), Ok((None, Finished))),
        (25, Active, pass_over(15, Some(20)), Err(Refusal::Moved(at(20)))),
        (19, Active, pass_over(20, Some(30)), Err(Refusal::NotDue(at(20)))),
        (25, Paused, pass_over(20, Some(30)), Err(Refusal::Illegal(Paused))),
        (25, Active, ScheduleInput::Remove, Ok((None, Removed))),
        (25, Paused, ScheduleInput::Remove, Ok((None, Removed))),
        (25, Finished, ScheduleInput::Remove, Ok((None, Removed))),
        (25, Removed, ScheduleInput::Remove, Err(Refusal::Done)),
        (25, Removed, fire(20, Some(30), 2), Err(Refusal::Illegal(Removed))),
        (25, Removed, pause, Err(Refusal::Illegal(Removed))),
        (25, Removed, resume, Err(Refusal::Illegal(Removed))),
    ];
    for (now, state, input, expected) in table {
        let mut row = schedule(state);
        let answer = judged(&mut row, input, at(now));
        let due = |firing: Firing| firing.due.as_micros() / 1_000_000;
        let became = answer.map(|firing| (firing.map(due), row.state));
        assert_eq!(became, expected, "{state} {input:?}");
    }
}

#[test]
fn two_leaders_that_read_the_same_due_time_fire_once() {
    let mut row = schedule(Active);
    let first = judged(&mut row, fire(20, Some(30), 3), at(21)).expect("due").expect("a firing");
    assert_eq!(judged(&mut row, fire(20, Some(30), 3), at(21)), Err(Refusal::Done));
    assert!(judged(&mut row, fire(20, Some(30), 2), at(21)).is_err());
    assert_eq!(first.idempotency_key(), "schedule/nightly/20000000");
    assert_eq!(laws::fired_once([&first]), Ok(()));
}

#[test]
fn a_name_that_is_used_again_remembers_what_it_fired() {
    let plan = || Plan::every(Span::from_secs(1), "core.echo".into());
    let mut row = schedule(Removed);
    assert_eq!(row.create_again(plan(), at(10), at(5)), Err(Refusal::Backwards(at(10))));
    assert_eq!(row.create_again(plan(), at(30), at(25)), Ok(()));
    assert_eq!((row.state, row.due, row.fired), (Active, at(30), Some(at(10))));
    assert_eq!(row.create_again(plan(), at(40), at(25)), Err(Refusal::Illegal(Active)));
}

#[test]
fn a_key_tells_its_firing_and_no_other_key_does() {
    let firing = Firing { schedule: ScheduleName::new("a.b-c"), due: at(7) };
    assert_eq!(Firing::of_key(&firing.idempotency_key()), Some(firing));
    for other in ["schedule/a", "schedule/a/07", "schedule/a/x", "a/7", ""] {
        assert_eq!(Firing::of_key(other), None, "{other}");
    }
}

#[test]
fn planted_violations_are_seen() {
    let before = schedule(Active);
    let mut after = before.clone();
    let firing = after.handle(fire(20, Some(30), 2), at(20)).expect("due").expect("a firing");
    let seen = |firing: Option<&Firing>, after: &Schedule, now| {
        laws::check(&before, firing, after, at(now)).is_err()
    };
    assert!(!seen(Some(&firing), &after, 20));
    // Early, for another time, forgotten, in silence, under an old epoch, twice.
    assert!(seen(Some(&firing), &after, 19));
    let other = Firing { due: at(15), ..firing.clone() };
    assert!(seen(Some(&other), &after, 20));
    assert!(seen(Some(&firing), &before, 20));
    assert!(seen(None, &after, 20));
    let outdated = Schedule { epoch: Epoch(1), ..after.clone() };
    assert!(seen(Some(&firing), &outdated, 20));
    assert!(laws::fired_once([&firing, &firing]).is_err());
}
