use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use alloc::{format, vec};

use serde_json::{Value, json};

use super::laws;
use super::*;
use crate::catalogue::LawId;
use crate::message::Kind;
use crate::table::check_table;
use crate::unit::Rows;
use crate::violation::Violation;

use FailurePolicy::{Collect, FailFast};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

const RUN: ExecutionId = ExecutionId(7);

fn plan(generation: u32, members: u32, policy: FailurePolicy) -> Plan {
    Plan { key: BarrierKey { run: RUN, generation: Generation(generation) }, members, policy }
}

fn member(generation: u32, index: u32) -> MemberKey {
    MemberKey { run: RUN, generation: Generation(generation), index }
}

fn done(generation: u32, index: u32) -> BarrierInput {
    BarrierInput::Settle(member(generation, index), MemberOutcome::Done(json!(index)))
}

fn failed(index: u32) -> BarrierInput {
    BarrierInput::Settle(member(1, index), MemberOutcome::Failed("broke".into()))
}

fn skipped(index: u32) -> BarrierInput {
    BarrierInput::Settle(member(1, index), MemberOutcome::Skipped("not needed".into()))
}

fn armed(members: u32, policy: FailurePolicy) -> (Barrier, Rows<Member>) {
    let armed = arm(plan(1, members, policy), None, at(0)).expect("nothing is armed");
    assert_eq!(laws::armed_whole(&armed), Ok(()));
    let mut rows = Rows::default();
    armed.members.into_iter().for_each(|member| rows.load(member));
    (armed.barrier, rows)
}

fn go_on(generation: u32) -> Closing {
    Closing::Continue(MessageKey::single(Kind::Continue, RUN, Generation(generation)))
}

fn abort(reason: AbortReason, index: Option<u32>) -> Closing {
    Closing::Abort(plan(1, 0, Collect).key, Abort { reason, index })
}

/// Tells a barrier something and judges the rows by the laws.
fn judged(
    barrier: &mut Barrier,
    rows: &mut Rows<Member>,
    input: &BarrierInput,
) -> Result<Option<Closing>, Refusal> {
    let before: Vec<Member> = rows.iter().cloned().collect();
    let row = barrier.clone();
    let answer = barrier.handle(rows, input, at(5));
    assert!(answer.is_ok() || (row == *barrier && rows.iter().eq(&before)), "{input:?}");
    assert_eq!(laws::check(barrier, rows.iter()), Ok(()));
    let pairs = before.iter().zip(rows.iter());
    assert_eq!(
        pairs.map(|(before, after)| laws::ended_once(before, after)).find(Result::is_err),
        None
    );
    answer
}

#[test]
fn the_tables_are_whole() {
    let finals = &[BarrierState::Complete, BarrierState::Aborted];
    check_table(BarrierState::Open, BarrierState::ALL, TRANSITIONS, finals);
    let finals = &[MemberState::Done, MemberState::Failed, MemberState::Skipped];
    check_table(MemberState::Pending, MemberState::ALL, MEMBER_TRANSITIONS, finals);
    assert!(diagram().contains("open --> complete: last member ends"));
    assert!(member_diagram().contains("pending --> skipped: skip"));
}

#[test]
fn every_input_meets_every_state() {
    use BarrierState::{Aborted, Complete, Open};
    let cancel = || BarrierInput::Abort(AbortReason::RunEnded);
    let stale =
        |presented| Refusal::Stale { presented: Generation(presented), current: Generation(1) };
    let broke = abort(AbortReason::MemberFailed, Some(1));
    let told = abort(AbortReason::RunEnded, None);
    // Two members; what has happened before, what is told, what comes of it, the state after.
    let table: [(FailurePolicy, Vec<BarrierInput>, BarrierInput, _, BarrierState); 22] = [
        (Collect, vec![], done(1, 0), Ok(None), Open),
        (Collect, vec![], failed(0), Ok(None), Open),
        (Collect, vec![], skipped(0), Ok(None), Open),
        (Collect, vec![], done(0, 0), Err(stale(0)), Open),
        (Collect, vec![], done(2, 0), Err(stale(2)), Open),
        (Collect, vec![], done(1, 2), Err(Refusal::NoSuchMember(member(1, 2))), Open),
        (Collect, vec![], cancel(), Ok(Some(told)), Aborted),
        (Collect, vec![done(1, 0)], done(1, 0), Err(Refusal::Done), Open),
        (Collect, vec![done(1, 0)], failed(0), Err(Refusal::Done), Open),
        (Collect, vec![failed(0)], done(1, 0), Err(Refusal::Done), Open),
        (Collect, vec![done(1, 0)], done(1, 1), Ok(Some(go_on(1))), Complete),
        (Collect, vec![done(1, 1)], failed(0), Ok(Some(go_on(1))), Complete),
        (Collect, vec![skipped(1)], skipped(0), Ok(Some(go_on(1))), Complete),
        (Collect, vec![done(1, 0), done(1, 1)], done(1, 1), Err(Refusal::Done), Complete),
        (Collect, vec![done(1, 0), done(1, 1)], cancel(), Err(Refusal::Closed(Complete)), Complete),
        (Collect, vec![cancel()], done(1, 0), Err(Refusal::Closed(Aborted)), Aborted),
        (Collect, vec![cancel()], cancel(), Err(Refusal::Done), Aborted),
        (FailFast, vec![], failed(1), Ok(Some(broke)), Aborted),
        (FailFast, vec![done(1, 0)], failed(1), Ok(Some(broke)), Aborted),
        (FailFast, vec![skipped(0)], skipped(1), Ok(Some(go_on(1))), Complete),
        (FailFast, vec![failed(1)], done(1, 0), Err(Refusal::Closed(Aborted)), Aborted),
        (FailFast, vec![failed(1)], failed(1), Err(Refusal::Done), Aborted),
    ];
    for (policy, past, input, expected, state) in table {
        let (mut barrier, mut rows) = armed(2, policy);
        for input in &past {
            let _closing = judged(&mut barrier, &mut rows, input).expect("a legal past");
        }
        let answer = judged(&mut barrier, &mut rows, &input);
        assert_eq!((answer, barrier.state), (expected, state), "{policy} {past:?} {input:?}");
    }
}

#[test]
fn a_barrier_without_members_is_complete_at_once() {
    let armed = arm(plan(1, 0, FailFast), None, at(3)).expect("nothing is armed");
    assert_eq!(armed.closing, Some(go_on(1)));
    assert_eq!(
        (armed.barrier.state, armed.barrier.closed_at),
        (BarrierState::Complete, Some(at(3)))
    );
    assert_eq!(armed.barrier.results([]), Ok(vec![]));
    assert_eq!(laws::check(&armed.barrier, []), Ok(()));
}

#[test]
fn a_newer_generation_closes_the_older_and_nothing_of_it_counts() {
    let (mut old, mut old_rows) = armed(2, Collect);
    assert_eq!(judged(&mut old, &mut old_rows, &done(1, 0)), Ok(None));
    let before = old.clone();
    for (generation, refusal) in [
        (1, Refusal::Done),
        (0, Refusal::Stale { presented: Generation(0), current: Generation(1) }),
    ] {
        assert_eq!(arm(plan(generation, 3, Collect), Some(&mut old), at(1)), Err(refusal));
        assert_eq!(old, before);
    }
    let new = arm(plan(2, 2, Collect), Some(&mut old), at(1)).expect("a newer generation");
    assert_eq!(old.abort, Some(Abort { reason: AbortReason::Superseded, index: None }));
    assert_eq!(laws::newest_alone_is_open([&old, &new.barrier]), Ok(()));
    // The old member is late wherever it reports.
    let late = judged(&mut old, &mut old_rows, &done(1, 1));
    assert_eq!(late, Err(Refusal::Closed(BarrierState::Aborted)));
    let (mut barrier, mut rows) = (new.barrier, Rows::default());
    new.members.into_iter().for_each(|member| rows.load(member));
    let stale = Refusal::Stale { presented: Generation(1), current: Generation(2) };
    assert_eq!(judged(&mut barrier, &mut rows, &done(1, 1)), Err(stale));
    assert_eq!(judged(&mut barrier, &mut rows, &done(2, 1)), Ok(None));
    assert_eq!(judged(&mut barrier, &mut rows, &done(2, 0)), Ok(Some(go_on(2))));
}

#[test]
fn results_come_by_index_whatever_the_order() {
    let (mut barrier, mut rows) = armed(4, Collect);
    assert_eq!(barrier.results(rows.iter()), Err(Refusal::Waiting(4)));
    for input in [done(1, 3), failed(1), done(1, 0), skipped(2)] {
        let _closing = judged(&mut barrier, &mut rows, &input).expect("a member ends once");
    }
    let backwards: Vec<Member> = rows.iter().cloned().rev_sorted();
    let results = barrier.results(&backwards).expect("it is complete");
    let told: Vec<(u32, MemberState, &Value)> =
        results.iter().map(|m| (m.key.index, m.state, &m.result)).collect();
    let null = Value::Null;
    let (zero, three) = (json!(0), json!(3));
    assert_eq!(
        told,
        [
            (0, MemberState::Done, &zero),
            (1, MemberState::Failed, &null),
            (2, MemberState::Skipped, &null),
            (3, MemberState::Done, &three),
        ]
    );
    let missing = backwards.iter().filter(|member| member.key.index != 2);
    assert_eq!(barrier.results(missing), Err(Refusal::NoSuchMember(member(1, 2))));
}

/// Sorts members by falling index.
trait Backwards {
    fn rev_sorted(self) -> Vec<Member>;
}

impl<I: Iterator<Item = Member>> Backwards for I {
    fn rev_sorted(self) -> Vec<Member> {
        let mut members: Vec<Member> = self.collect();
        members.sort_by_key(|member| core::cmp::Reverse(member.key.index));
        members
    }
}

#[test]
fn a_result_that_no_store_keeps_fails_its_member_alone() {
    let deep = (0..90).fold(json!("a\0b"), |inner, _| json!([inner]));
    // result             storable
    let table = [
        (json!({"a": [1, "two"]}), None),
        (json!("\\u0000"), None),
        (json!({"a": [{"b": "x\0"}]}), Some("the result contains a NUL character")),
        (json!({"a\0": 1}), Some("the result contains a NUL character")),
        (deep, Some("the result contains a NUL character")),
        (json!("x".repeat(300)), Some("the result has 302 bytes, 256 are allowed")),
    ];
    for (result, why) in table {
        let expected = match why {
            None => MemberOutcome::Done(result.clone()),
            Some(why) => MemberOutcome::Failed(why.to_string()),
        };
        assert_eq!(MemberOutcome::of_result(result, 256), expected);
    }
}

#[test]
fn only_an_open_barrier_without_live_members_is_stuck() {
    let (mut barrier, mut rows) = armed(1, Collect);
    assert!(!barrier.is_stuck(1) && barrier.is_stuck(0));
    assert_eq!(judged(&mut barrier, &mut rows, &done(1, 0)), Ok(Some(go_on(1))));
    assert!(!barrier.is_stuck(0));
    assert_eq!(barrier.progressed_at, at(5));
    assert_eq!(format!("{}", member(1, 0)), "ex-7/gen-1[0]");
}

#[test]
fn a_hundred_thousand_members_touch_two_rows_each() {
    let (mut barrier, all) = armed(100_000, Collect);
    let mut closings = 0;
    for member in all.iter() {
        // The one member is all that is loaded, however many there are.
        let mut rows = Rows::default();
        rows.load(member.clone());
        let input = BarrierInput::Settle(member.key, MemberOutcome::Done(Value::Null));
        let closing = barrier.handle(&mut rows, &input, at(1)).expect("it ends once");
        closings += u32::from(closing.is_some());
        assert_eq!(rows.into_changed(&mut 0).updated.len(), 1);
    }
    assert_eq!((closings, barrier.state), (1, BarrierState::Complete));
}

#[test]
fn planted_violations_are_seen() {
    let law = |judged: Result<(), Violation>| judged.err().map(|violation| violation.law);
    let (mut barrier, mut rows) = armed(3, Collect);
    assert_eq!(judged(&mut barrier, &mut rows, &done(1, 0)), Ok(None));
    let members: Vec<Member> = rows.iter().cloned().collect();
    let check = |barrier: &Barrier, members: &[Member]| law(laws::check(barrier, members));
    assert_eq!(check(&barrier, &members), None);
    // Counted without a row; fired early; not fired; a member missing, doubled or foreign.
    let counted = Barrier { ended: 2, ..barrier.clone() };
    assert_eq!(check(&counted, &members), Some(LawId::S18));
    let early = Barrier { state: BarrierState::Complete, ..barrier.clone() };
    assert_eq!(check(&early, &members), Some(LawId::S18));
    let mut whole = members.clone();
    whole.iter_mut().for_each(|member| member.state = MemberState::Done);
    let forgotten = Barrier { ended: 3, ..barrier.clone() };
    assert_eq!(check(&forgotten, &whole), Some(LawId::S18));
    assert_eq!(check(&barrier, &members[..2]), Some(LawId::S17));
    let doubled = [members.clone(), members[..1].to_vec()].concat();
    assert_eq!(check(&barrier, &doubled), Some(LawId::S18));
    let foreign = [members.clone(), vec![Member::new(member(1, 3))]].concat();
    assert_eq!(check(&barrier, &foreign), Some(LawId::S18));
    // Aborted without a reason; still open after a failure that ends it.
    let silent = Barrier { state: BarrierState::Aborted, ..barrier.clone() };
    assert_eq!(check(&silent, &members), Some(LawId::S18));
    let slow = Barrier { policy: FailFast, failed: 1, ..barrier.clone() };
    let mut one_failed = members.clone();
    one_failed[0].state = MemberState::Failed;
    assert_eq!(check(&slow, &one_failed), Some(LawId::S18));
    // A member's second end; two open generations; a half-armed barrier.
    let again = Member { reason: Some("changed".into()), ..members[0].clone() };
    assert_eq!(law(laws::ended_once(&members[0], &again)), Some(LawId::S18));
    let newer = Barrier { key: plan(2, 3, Collect).key, ..barrier.clone() };
    assert_eq!(law(laws::newest_alone_is_open([&barrier, &newer])), Some(LawId::S18));
    let mut half = arm(plan(3, 2, Collect), None, at(0)).expect("nothing is armed");
    half.messages.pop();
    assert_eq!(law(laws::armed_whole(&half)), Some(LawId::S17));
    half.messages.push(member(3, 1).message());
    half.members[0].key.generation = Generation(2);
    assert_eq!(law(laws::armed_whole(&half)), Some(LawId::S17));
    // Continued twice, too early, or not at all.
    let message = MessageKey::single(Kind::Continue, RUN, Generation(1));
    let continued = |state, inserted: &[MessageKey]| {
        let barriers = BTreeMap::from([(barrier.key, Barrier { state, ..barrier.clone() })]);
        law(laws::continued_once(inserted, &barriers))
    };
    assert_eq!(continued(BarrierState::Complete, &[message]), None);
    assert_eq!(continued(BarrierState::Complete, &[message; 2]), Some(LawId::S18));
    assert_eq!(continued(BarrierState::Open, &[message]), Some(LawId::S18));
    assert_eq!(continued(BarrierState::Complete, &[]), Some(LawId::S18));
}
