use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;

use super::laws::{self, Change};
use super::unreadable::{self, Unreadable, UnreadableInput, UnreadableState};
use super::{outbox, *};
use crate::catalogue::LawId;
use crate::table::check_table;
use crate::unit::Rows;

const LEASE: Span = Span::from_secs(10);
const HOLD: Hold = Hold { lease: LEASE, limit: None };

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn key(index: u32) -> MessageKey {
    MessageKey::member(ExecutionId(7), Generation(1), index)
}

fn fresh(id: u64) -> Message {
    let mut message = Message::new(MessageId(id), key(0), Transport::Postgres, at(0));
    message.retry.jitter_permille = 0;
    message.retry.count = 1;
    message
}

fn receipt(token: u64) -> Receipt {
    Receipt { message: MessageId(1), token: FencingToken(token) }
}

fn nack(token: u64, fault: Fault) -> MessageInput {
    MessageInput::Nack { receipt: receipt(token), fault, entropy: 0 }
}

/// A message in this state, claimed once at 0 s if it was ever claimed.
fn message(state: MessageState) -> Message {
    let mut message = fresh(1);
    let mut tell = |input: MessageInput| {
        let _told = message.handle(&input, at(0)).expect("a legal input");
    };
    if state != Ready {
        tell(MessageInput::Claim(HOLD));
    }
    match state {
        Ready | Claimed => {}
        Working => tell(MessageInput::Start(receipt(1))),
        Delayed => tell(MessageInput::Delay(receipt(1), LEASE)),
        Done => tell(MessageInput::Ack(receipt(1))),
        Parked => tell(MessageInput::Reject(receipt(1), "no".into())),
    }
    assert_eq!(message.state, state);
    message
}

/// Applies an input and judges what came of it by every law.
fn judged(
    message: &mut Message,
    input: &MessageInput,
    now: Timestamp,
) -> Result<Option<Verdict>, Refusal> {
    let before = message.clone();
    let answer = message.handle(input, now);
    let verdict = answer.as_ref().ok().copied().flatten();
    let accepted = answer.is_ok();
    let change = Change { before: &before, input, accepted, verdict, after: message, now };
    assert_eq!(laws::check(&change), Ok(()));
    answer
}

#[test]
fn the_tables_are_whole() {
    check_table(Ready, MessageState::ALL, TRANSITIONS, &[Done]);
    check_table(
        UnreadableState::Parked,
        UnreadableState::ALL,
        unreadable::TRANSITIONS,
        &[UnreadableState::Replayed, UnreadableState::Discarded],
    );
    assert!(diagram().contains("working --> parked: reject or spend the last start"));
    assert!(unreadable::diagram().contains("parked --> replayed: replay"));
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
    }
    assert!("Spent".parse::<Reason>().is_err());
}

/// One row of a table: when, in which state, told what, it becomes what.
type Told = (u64, MessageState, MessageInput, Result<MessageState, Refusal>);

fn claim() -> MessageInput {
    MessageInput::Claim(HOLD)
}

fn start() -> MessageInput {
    MessageInput::Start(receipt(1))
}

fn renew() -> MessageInput {
    MessageInput::Renew(receipt(1), LEASE)
}

fn ack(token: u64) -> MessageInput {
    MessageInput::Ack(receipt(token))
}

fn delay() -> MessageInput {
    MessageInput::Delay(receipt(1), LEASE)
}

fn reject() -> MessageInput {
    MessageInput::Reject(receipt(1), "no".into())
}

fn replay() -> MessageInput {
    MessageInput::Replay("fixed".into())
}

fn discard() -> MessageInput {
    MessageInput::Discard("moot".into())
}

fn meets(table: impl IntoIterator<Item = Told>) {
    for (now, state, input, expected) in table {
        let mut row = message(state);
        let before = row.clone();
        let became = judged(&mut row, &input, at(now)).map(|_| row.state);
        assert_eq!(became, expected, "{state} {input:?}");
        assert!(became.is_ok() || row == before, "{state} {input:?}");
    }
}

#[test]
fn every_input_meets_every_held_state() {
    use Refusal::{Busy, Illegal, NotDue};
    // now  state    input             becomes
    meets([
        (5, Claimed, claim(), Err(Busy(at(10)))),
        (5, Claimed, start(), Ok(Working)),
        (5, Claimed, renew(), Ok(Claimed)),
        (0, Claimed, renew(), Err(Refusal::Done)),
        (5, Claimed, ack(1), Ok(Done)),
        (5, Claimed, delay(), Ok(Delayed)),
        (5, Claimed, nack(1, Fault::Work), Ok(Delayed)),
        (5, Claimed, nack(1, Fault::Backend), Ok(Delayed)),
        (5, Claimed, nack(1, Fault::Shutdown), Ok(Ready)),
        (5, Claimed, reject(), Ok(Parked)),
        (5, Claimed, MessageInput::Rearm, Err(NotDue(at(10)))),
        (10, Claimed, MessageInput::Rearm, Ok(Ready)),
        (10, Claimed, claim(), Err(Busy(at(10)))),
        (5, Claimed, replay(), Err(Illegal(Claimed))),
        (5, Claimed, discard(), Err(Illegal(Claimed))),
        (5, Working, claim(), Err(Busy(at(10)))),
        (5, Working, start(), Err(Refusal::Done)),
        (5, Working, renew(), Ok(Working)),
        (5, Working, ack(1), Ok(Done)),
        (5, Working, delay(), Ok(Delayed)),
        (5, Working, nack(1, Fault::Work), Ok(Delayed)),
        (5, Working, nack(1, Fault::Backend), Ok(Delayed)),
        (5, Working, nack(1, Fault::Shutdown), Ok(Ready)),
        (5, Working, reject(), Ok(Parked)),
        (5, Working, MessageInput::Rearm, Err(NotDue(at(10)))),
        (10, Working, MessageInput::Rearm, Ok(Ready)),
        (5, Working, replay(), Err(Illegal(Working))),
        (5, Working, discard(), Err(Illegal(Working))),
    ]);
}

#[test]
fn every_input_meets_every_free_state() {
    use Refusal::{Illegal, NotDue, NotYours, Over};
    let (mine, none) = (NotYours(receipt(1)), NotYours(receipt(0)));
    // now  state    input             becomes
    meets([
        (5, Ready, claim(), Ok(Claimed)),
        (5, Ready, MessageInput::Start(receipt(0)), Err(none)),
        (5, Ready, ack(0), Err(none)),
        (5, Ready, start(), Err(mine)),
        (5, Ready, renew(), Err(mine)),
        (5, Ready, ack(1), Err(mine)),
        (5, Ready, delay(), Err(mine)),
        (5, Ready, nack(1, Fault::Work), Err(mine)),
        (5, Ready, reject(), Err(mine)),
        (5, Ready, MessageInput::Rearm, Err(Refusal::Done)),
        (5, Ready, replay(), Err(Illegal(Ready))),
        (5, Ready, discard(), Err(Illegal(Ready))),
        (5, Delayed, claim(), Err(NotDue(at(10)))),
        (5, Delayed, start(), Err(mine)),
        (5, Delayed, ack(1), Err(mine)),
        (5, Delayed, MessageInput::Rearm, Err(NotDue(at(10)))),
        (10, Delayed, MessageInput::Rearm, Ok(Ready)),
        (5, Delayed, replay(), Err(Illegal(Delayed))),
        (5, Delayed, discard(), Err(Illegal(Delayed))),
        (5, Done, claim(), Err(Over)),
        (5, Done, ack(1), Err(Refusal::Done)),
        (5, Done, ack(2), Err(NotYours(receipt(2)))),
        (5, Done, MessageInput::Rearm, Err(Over)),
        (5, Done, replay(), Err(Over)),
        (5, Done, discard(), Err(Over)),
        (5, Parked, claim(), Err(Illegal(Parked))),
        (5, Parked, ack(1), Err(Refusal::Done)),
        (5, Parked, MessageInput::Rearm, Err(Illegal(Parked))),
        (5, Parked, replay(), Ok(Ready)),
        (5, Parked, discard(), Ok(Done)),
    ]);
}

#[test]
fn a_stale_receipt_changes_nothing_and_is_told_so() {
    let settlements = |receipt| {
        [
            MessageInput::Start(receipt),
            MessageInput::Renew(receipt, LEASE.times(9)),
            MessageInput::Ack(receipt),
            MessageInput::Delay(receipt, LEASE),
            MessageInput::Nack { receipt, fault: Fault::Work, entropy: 1 },
            MessageInput::Reject(receipt, "no".into()),
        ]
    };
    let mut row = message(Claimed);
    for input in [MessageInput::Rearm, MessageInput::Claim(HOLD)] {
        assert_eq!(judged(&mut row, &input, at(10)), Ok(None));
    }
    let held = row.clone();
    let other = Receipt { message: MessageId(2), token: FencingToken(2) };
    for input in settlements(receipt(1)).iter().chain(&settlements(other)) {
        let stale = laws::receipt_of(input).expect("a settlement has a receipt");
        assert_eq!(judged(&mut row, input, at(11)), Err(Refusal::NotYours(stale)));
        assert_eq!(row, held);
    }
    assert_eq!(judged(&mut row, &MessageInput::Ack(receipt(2)), at(12)), Ok(None));
}

#[test]
fn only_starts_burn_the_budget_and_only_by_the_works_own_fault() {
    let mut row = fresh(1);
    let mut told = |input: MessageInput, now| judged(&mut row, &input, at(now)).expect("legal");
    // Ten consumers die between claiming and starting.
    for turn in 0..10 {
        assert_eq!(told(MessageInput::Claim(HOLD), turn * 100), None);
        assert_eq!(told(MessageInput::Rearm, turn * 100 + 10), None);
    }
    // Five begin and find the store away or are stopped.
    for turn in 10..15 {
        assert_eq!(told(MessageInput::Claim(HOLD), turn * 100), None);
        assert_eq!(told(MessageInput::Start(receipt(turn + 1)), turn * 100), None);
        let fault = if turn % 2 == 0 { Fault::Backend } else { Fault::Shutdown };
        assert_eq!(told(nack(turn + 1, fault), turn * 100), None);
        if fault == Fault::Backend {
            assert_eq!(told(MessageInput::Rearm, turn * 100 + 60), None);
        }
    }
    // The budget of one further start is still whole: the second failure spends it.
    assert_eq!(told(MessageInput::Claim(HOLD), 2000), None);
    assert_eq!(told(MessageInput::Start(receipt(16)), 2000), None);
    assert_eq!(told(nack(16, Fault::Work), 2000), None);
    assert_eq!(told(MessageInput::Rearm, 2001), None);
    assert_eq!(told(MessageInput::Claim(HOLD), 2001), None);
    assert_eq!(told(MessageInput::Start(receipt(17)), 2001), None);
    let owner = Owner::Member { run: ExecutionId(7), generation: Generation(1), index: 0 };
    let verdict = Verdict { message: MessageId(1), owner, reason: Reason::Spent };
    assert_eq!(told(MessageInput::Rearm, 2011), Some(verdict));
    assert_eq!((row.deliveries, row.starts, row.spent), (17, 7, 2));
    assert_eq!(row.parked.as_ref().map(|parked| parked.at), Some(at(2011)));
    // A replay starts the budget anew; the token goes on.
    assert_eq!(judged(&mut row, &MessageInput::Replay("fixed".into()), at(3000)), Ok(None));
    assert_eq!((row.spent, row.token()), (0, FencingToken(17)));
    assert_eq!(row.note.as_deref(), Some("fixed"));
}

#[test]
fn an_outage_is_no_hot_loop_even_without_a_delay_in_the_policy() {
    for (state, fault) in [(Claimed, Fault::Work), (Working, Fault::Backend)] {
        let mut row = message(state);
        row.retry.delay = Span::ZERO;
        assert_eq!(judged(&mut row, &nack(1, fault), at(3)), Ok(None));
        assert_eq!(row.wake_at, Some(at(4)));
    }
}

#[test]
fn a_holder_that_hangs_and_renews_loses_it_in_the_end() {
    let hold = Hold { lease: LEASE, limit: Some(Span::from_secs(25)) };
    let mut row = fresh(1);
    let renew = MessageInput::Renew(receipt(1), LEASE);
    assert_eq!(judged(&mut row, &MessageInput::Claim(hold), at(0)), Ok(None));
    for (now, until) in [(9, 19), (18, 25)] {
        assert_eq!(judged(&mut row, &renew, at(now)), Ok(None));
        assert_eq!(row.wake_at, Some(at(until)));
    }
    assert_eq!(judged(&mut row, &renew, at(20)), Err(Refusal::Done));
    assert_eq!(judged(&mut row, &renew, at(25)), Err(Refusal::HeldTooLong(at(25))));
    assert_eq!(judged(&mut row, &MessageInput::Rearm, at(25)), Ok(None));
}

#[test]
fn parking_tells_the_owner_that_stands_in_the_key() {
    let (execution, generation) = (ExecutionId(7), Generation(2));
    let run = Owner::Execution { execution, generation };
    // kind               index  owner
    let table = [
        (Kind::Orchestrate, 0, run),
        (Kind::Continue, 0, run),
        (Kind::Member, 3, Owner::Member { run: execution, generation, index: 3 }),
        (Kind::Effect, 4, Owner::Effect { execution, generation, index: 4 }),
        (Kind::Ended, 0, Owner::Nobody),
    ];
    for (kind, index, owner) in table {
        let mut row = fresh(1);
        row.key = MessageKey { kind, execution, generation, index };
        assert_eq!(judged(&mut row, &MessageInput::Claim(HOLD), at(0)), Ok(None));
        let reject = MessageInput::Reject(receipt(1), "unknown field".into());
        let verdict = judged(&mut row, &reject, at(0)).expect("held").expect("parked");
        assert_eq!((verdict.owner, verdict.reason), (owner, Reason::Rejected));
        assert_eq!(row.parked.expect("parked").detail, "unknown field");
    }
    let key = MessageKey::single(Kind::Continue, execution, generation);
    assert_eq!(key.to_string(), "continue/ex-7/gen-2/0");
}

fn rows(messages: impl IntoIterator<Item = Message>) -> Rows<Message> {
    let mut rows = Rows::default();
    messages.into_iter().for_each(|message| rows.load(message));
    rows
}

fn ids(taken: &Taken) -> Vec<u64> {
    taken.receipts.iter().map(|receipt| receipt.message.0).collect()
}

#[test]
fn taking_is_bounded_oldest_first_and_arms_what_is_due() {
    let other = Message { transport: Transport::Embedded, id: MessageId(9), ..fresh(1) };
    let young = Message { created_at: at(3), id: MessageId(2), ..fresh(1) };
    let silent = Message { id: MessageId(5), ..message(Claimed) };
    let spent =
        Message { id: MessageId(4), spent: 2, starts: 2, deliveries: 2, ..message(Working) };
    let mut all = rows([
        fresh(3),
        young,
        silent,
        spent,
        other,
        Message { id: MessageId(6), ..message(Done) },
        fresh(8).for_relay(Order(0)),
    ]);
    let taken = take(&mut all, Transport::Postgres, 1, HOLD, at(5));
    assert_eq!(ids(&taken), [3]);
    let taken = take(&mut all, Transport::Postgres, 9, HOLD, at(11));
    assert_eq!(ids(&taken), [5, 2]);
    assert_eq!(taken.receipts[0].token, FencingToken(2));
    assert_eq!(taken.verdicts.len(), 1);
    assert_eq!(take(&mut all, Transport::Postgres, 9, HOLD, at(11)), Taken::default());
    let gone = tell(&mut all, MessageId(77), &MessageInput::Rearm, at(11));
    assert_eq!(gone, Err(Refusal::Gone));
}

#[test]
fn the_relay_keeps_the_order_of_an_execution_and_publishes_until_confirmed() {
    let about = |id: u64, execution: u64, order: u64| {
        let key = MessageKey::single(Kind::Ended, ExecutionId(execution), Generation(id as u32));
        Message { key, ..fresh(id).for_relay(Order(order)) }
    };
    // Ids are no order: the place under the execution's lock is.
    let mut all = rows([about(1, 7, 2), about(2, 7, 1), about(3, 8, 5), about(4, 7, 3)]);
    let in_order = |all: &Rows<Message>| {
        let all: Vec<Message> = all.iter().cloned().collect();
        laws::published_in_order(&all)
    };
    let taken = outbox::take(&mut all, 9, HOLD, at(1));
    assert_eq!(ids(&taken), [2, 3]);
    assert_eq!(in_order(&all), Ok(()));
    // Nothing of execution 7 goes out while the first is unconfirmed, even after its relay died.
    assert_eq!(outbox::take(&mut all, 9, HOLD, at(5)), Taken::default());
    let again = outbox::take(&mut all, 1, HOLD, at(11));
    assert_eq!(ids(&again), [2]);
    let old = outbox::settlement(taken.receipts[0], outbox::Answer::Confirmed);
    assert!(tell(&mut all, MessageId(2), &old, at(12)).is_err());
    let refused = outbox::settlement(again.receipts[0], outbox::Answer::Refused { entropy: 0 });
    assert_eq!(tell(&mut all, MessageId(2), &refused, at(12)), Ok(None));
    let third = outbox::take(&mut all, 9, HOLD, at(13));
    assert_eq!(ids(&third), [2, 3]);
    let confirm = outbox::settlement(third.receipts[0], outbox::Answer::Confirmed);
    assert_eq!(tell(&mut all, MessageId(2), &confirm, at(14)), Ok(None));
    let state = |all: &Rows<Message>, id| all.find(&MessageId(id)).expect("loaded").publication();
    assert_eq!(state(&all, 2), Some(outbox::Publication::Published));
    assert_eq!(ids(&outbox::take(&mut all, 9, HOLD, at(15))), [1]);
    assert_eq!(in_order(&all), Ok(()));
    // Refusals by the broker cost nothing, however many.
    assert_eq!(all.find(&MessageId(2)).expect("loaded").spent, 0);
}

#[test]
fn what_cannot_be_read_is_kept_as_it_came() {
    let parked = Unreadable::park(MessageId(5), "queue work", b"\xff\x00{", "not UTF-8", at(1));
    assert_eq!(parked.bytes, b"\xff\x00{");
    assert_eq!(parked.parked.reason, Reason::Unreadable);
    let mut row = parked.clone();
    let replay = UnreadableInput::Replay(key(2), Transport::Rabbitmq, "newer version".into());
    let message = row.handle(&replay, at(2)).expect("parked").expect("a message");
    assert_eq!((message.id, message.key, message.state), (MessageId(5), key(2), Ready));
    let discard = UnreadableInput::Discard("noise".into());
    let over = unreadable::UnreadableRefusal::Over(UnreadableState::Replayed);
    assert_eq!(row.handle(&discard, at(3)), Err(over));
    let mut row = parked.clone();
    assert_eq!(row.handle(&discard, at(3)), Ok(None));
    assert!(row.handle(&replay, at(4)).is_err());
    assert!(!parked.may_be_purged(LEASE, at(10)) && parked.may_be_purged(LEASE, at(11)));
}

#[test]
fn a_row_goes_only_after_its_retention_and_with_its_execution() {
    // state    now  live   goes
    let table = [
        (Done, 9, false, false),
        (Done, 10, true, false),
        (Done, 10, false, true),
        (Parked, 10, true, false),
        (Parked, 10, false, true),
        (Ready, 99, false, false),
        (Working, 99, false, false),
        (Delayed, 99, false, false),
    ];
    for (state, now, live, goes) in table {
        let row = message(state);
        assert_eq!(row.may_be_purged(LEASE, live, at(now)), goes, "{state} {now} {live}");
        let before = BTreeMap::from([(row.id, row)]);
        let live: BTreeSet<_> = live.then_some(ExecutionId(7)).into_iter().collect();
        let law = laws::purged_rightly(&before, &BTreeMap::new(), &live, LEASE, at(now));
        assert_eq!(law.is_ok(), goes, "{state}");
    }
}

/// What a checker says of `before` becoming `after` by `input`.
fn law_of(
    before: &Message,
    input: MessageInput,
    accepted: bool,
    verdict: Option<Verdict>,
    after: &Message,
) -> Option<LawId> {
    let change = Change { before, input: &input, accepted, verdict, after, now: at(5) };
    laws::check(&change).err().map(|violation| violation.law)
}

#[test]
fn planted_violations_are_seen() {
    let held = Message { deliveries: 2, ..message(Claimed) };
    let done = Message { deliveries: 2, ..message(Done) };
    let mut parked = Message { deliveries: 2, ..message(Parked) };
    let ack = |token| MessageInput::Ack(receipt(token));
    let verdict = |owner| Some(Verdict { message: held.id, owner, reason: Reason::Rejected });
    let reject = || MessageInput::Reject(receipt(2), "no".into());
    let owner = held.key.owner();
    // The legal ones, so that the plants differ from them in one thing each.
    assert_eq!(law_of(&held, ack(2), true, None, &done), None);
    assert_eq!(law_of(&held, reject(), true, verdict(owner), &parked), None);
    // Acknowledged or renewed without the token; changed in spite of a refusal.
    assert_eq!(law_of(&held, ack(1), true, None, &done), Some(LawId::S9));
    let renewed = Message { wake_at: Some(at(99)), ..held.clone() };
    let renew = || MessageInput::Renew(receipt(1), LEASE);
    assert_eq!(law_of(&held, renew(), true, None, &renewed), Some(LawId::S9));
    assert_eq!(law_of(&held, renew(), false, None, &renewed), Some(LawId::S9));
    // Claimed twice; claimed under an old token; held without an end.
    let twice = Message { deliveries: 3, ..held.clone() };
    let claim = || MessageInput::Claim(HOLD);
    assert_eq!(law_of(&held, claim(), true, None, &twice), Some(LawId::S9));
    let ready = Message { deliveries: 2, ..message(Ready) };
    assert_eq!(law_of(&ready, claim(), true, None, &held), Some(LawId::S9));
    let endless = Message { wake_at: None, ..held.clone() };
    assert!(laws::held_in_full(&endless).is_err());
    // A delivery or an outage is charged; parked as spent with starts left.
    let charged = Message { spent: 1, starts: 1, deliveries: 3, ..held.clone() };
    assert_eq!(law_of(&ready, claim(), true, None, &charged), Some(LawId::S28));
    let delayed = Message { spent: 1, starts: 1, deliveries: 2, ..message(Delayed) };
    let outage = nack(2, Fault::Backend);
    assert_eq!(law_of(&held, outage, true, None, &delayed), Some(LawId::S28));
    let over = Message { spent: 3, starts: 3, deliveries: 3, ..message(Working) };
    let claimed = Message { spent: 2, starts: 2, deliveries: 3, ..message(Claimed) };
    let start = MessageInput::Start(receipt(3));
    assert_eq!(law_of(&claimed, start, true, None, &over), Some(LawId::S28));
    parked.parked = Some(Parking { reason: Reason::Spent, detail: "x".into(), at: at(0) });
    assert_eq!(law_of(&held, reject(), true, verdict(owner), &parked), Some(LawId::S28));
    // Parked without telling the owner, or without a reason; done by nobody's word.
    parked.parked = Some(Parking { reason: Reason::Rejected, detail: "x".into(), at: at(0) });
    assert_eq!(law_of(&held, reject(), true, None, &parked), Some(LawId::S11));
    assert_eq!(law_of(&held, reject(), true, verdict(Owner::Nobody), &parked), Some(LawId::S11));
    parked.parked = None;
    assert_eq!(law_of(&held, reject(), true, verdict(owner), &parked), Some(LawId::S11));
    let delay = MessageInput::Delay(receipt(2), LEASE);
    assert_eq!(law_of(&held, delay, true, None, &done), Some(LawId::S11));
    // Armed while its holder still has time; held beyond its limit.
    let rearmed = Message { deliveries: 2, ..message(Ready) };
    assert_eq!(law_of(&held, MessageInput::Rearm, true, None, &rearmed), Some(LawId::S20));
    let beyond = Message { hold_until: Some(at(9)), ..held.clone() };
    assert!(laws::held_in_full(&beyond).is_err());
    // Two live messages with one key; one message overtaking another.
    let twin = Message { id: MessageId(2), ..held.clone() };
    assert!(laws::enqueued_once([&held, &twin]).is_err());
    assert!(laws::enqueued_once([&done, &twin]).is_ok());
    let first = fresh(3).for_relay(Order(1));
    let second = Message { id: MessageId(4), ..message(Claimed) }.for_relay(Order(2));
    assert!(laws::published_in_order([&first, &second]).is_err());
    assert!(laws::published_in_order([&second]).is_ok());
}
