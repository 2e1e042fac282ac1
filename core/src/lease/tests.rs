use super::laws;
use super::*;
use crate::id::Incarnation;
use crate::table::check_table;

const LEASE: Span = Span::from_secs(10);
const DRIFT: Span = Span::from_secs(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn process(incarnation: u64) -> WorkerId {
    WorkerId { name: "engine".into(), incarnation: Incarnation(incarnation) }
}

fn judged(lease: &mut Lease, input: &LeaseInput, now: Timestamp) -> Result<(), Refusal> {
    let before = lease.clone();
    let answer = lease.handle(input, DRIFT, now);
    let judged = laws::check(&before, input, answer.is_ok(), lease, (DRIFT, now));
    assert_eq!(judged, Ok(()));
    answer
}

#[test]
fn the_table_is_whole() {
    check_table(Vacant, LeaseState::ALL, TRANSITIONS, &[]);
    assert!(diagram().contains("led --> led: take over"));
    assert_eq!("sweeps".parse(), Ok(Duty::Sweeps));
}

#[test]
fn every_input_meets_every_state() {
    let outdated = |presented, current| Refusal::Outdated {
        presented: Epoch(presented),
        current: Epoch(current),
    };
    let acquire = |incarnation| LeaseInput::Acquire(process(incarnation), LEASE);
    let renew = |epoch| LeaseInput::Renew(Epoch(epoch), LEASE);
    let resign = |epoch| LeaseInput::Resign(Epoch(epoch));
    // now  state   input       becomes, under the epoch
    let table = [
        (5, Vacant, acquire(2), Ok((Led, 2))),
        (5, Vacant, renew(1), Err(Refusal::Vacant)),
        (5, Vacant, resign(1), Err(Refusal::Vacant)),
        (5, Vacant, renew(0), Err(outdated(0, 1))),
        (5, Led, acquire(2), Err(Refusal::Led(at(10)))),
        (5, Led, acquire(1), Err(Refusal::Led(at(10)))),
        (10, Led, acquire(2), Err(Refusal::Led(at(10)))),
        (11, Led, acquire(2), Ok((Led, 2))),
        (5, Led, renew(1), Ok((Led, 1))),
        (0, Led, renew(1), Err(Refusal::Done)),
        (5, Led, renew(0), Err(outdated(0, 1))),
        (5, Led, renew(2), Err(outdated(2, 1))),
        (5, Led, resign(1), Ok((Vacant, 1))),
        (5, Led, resign(0), Err(outdated(0, 1))),
    ];
    for (now, state, input, expected) in table {
        let mut lease = Lease::new(Duty::Schedules);
        assert_eq!(judged(&mut lease, &acquire(1), at(0)), Ok(()));
        if state == Vacant {
            assert_eq!(judged(&mut lease, &resign(1), at(0)), Ok(()));
        }
        assert_eq!(lease.state(), state);
        let became = judged(&mut lease, &input, at(now));
        let became = became.map(|()| (lease.state(), lease.epoch.0));
        assert_eq!(became, expected, "{state} {input:?}");
    }
}

#[test]
fn a_paused_leader_is_recognised_at_its_first_write() {
    let mut lease = Lease::new(Duty::Schedules);
    for (now, process) in [(0, process(1)), (11, process(2))] {
        assert_eq!(judged(&mut lease, &LeaseInput::Acquire(process, LEASE), at(now)), Ok(()));
    }
    assert!(judged(&mut lease, &LeaseInput::Renew(Epoch(1), LEASE), at(12)).is_err());
    assert!(judged(&mut lease, &LeaseInput::Resign(Epoch(1)), at(12)).is_err());
    assert!(check_epoch(lease.epoch, Epoch(1)).is_err());
    assert!(check_epoch(Epoch(1), lease.epoch).is_ok());
}

#[test]
fn planted_violations_are_seen() {
    let mut led = Lease::new(Duty::Schedules);
    let acquire = LeaseInput::Acquire(process(2), LEASE);
    led.handle(&LeaseInput::Acquire(process(1), LEASE), DRIFT, at(0)).expect("vacant");
    let seen = |input: &LeaseInput, accepted, after: &Lease, now| {
        laws::check(&led, input, accepted, after, (DRIFT, at(now))).is_err()
    };
    let taken = Lease { epoch: Epoch(2), leader: Some(process(2)), until: at(21), ..led.clone() };
    assert!(!seen(&acquire, true, &taken, 11));
    // Within the lease; under the same epoch; in spite of a refusal; by an old leader's word.
    assert!(seen(&acquire, true, &taken, 10));
    let same = Lease { epoch: Epoch(1), ..taken.clone() };
    assert!(seen(&acquire, true, &same, 11));
    assert!(seen(&acquire, false, &taken, 11));
    let renewed = Lease { until: at(30), ..led.clone() };
    assert!(seen(&LeaseInput::Renew(Epoch(0), LEASE), true, &renewed, 5));
    assert!(laws::written_by_newest("a row", Epoch(2), Epoch(1)).is_err());
}
