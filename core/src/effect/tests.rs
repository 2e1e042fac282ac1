use alloc::vec::Vec;

use super::laws::{self, Change};
use super::*;
use crate::catalogue::LawId;
use crate::id::{ActionRef, Attempt};
use crate::policy::Backoff;
use crate::table::check_table;
use crate::time::Span;
use crate::unit::Rows;

const LEASE: Span = Span::from_secs(10);

/// Two further tries, 5 s apart.
const RETRY: RetryPolicy = RetryPolicy {
    count: 2,
    delay: Span::from_secs(5),
    backoff: Backoff::Constant,
    max_delay: None,
    jitter_permille: 0,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn wish(trigger: Trigger, kind: EffectKind, target: &str) -> Wish {
    Wish { trigger, kind, target: Target::new(target) }
}

fn wishes() -> [Wish; 4] {
    [
        wish(Trigger::Completed, EffectKind::Billing, "acme"),
        wish(Trigger::Unsuccessful, EffectKind::Notification, "on call"),
        wish(Trigger::Ended, EffectKind::Webhook, "https://a.example"),
        wish(Trigger::Completed, EffectKind::Billing, "acme"),
    ]
}

fn planned(status: Status) -> Vec<Effect> {
    plan((ExecutionId(7), Generation(2)), &notice(status), &wishes(), RETRY, at(0))
}

fn notice(status: Status) -> Notice {
    let action = ActionRef::new("demo.echo");
    Notice { action, status, attempt: Attempt(1), error: None, ended_at: at(0) }
}

fn token(number: u64) -> FencingToken {
    FencingToken(number)
}

fn fail(number: u64, lasting: bool) -> EffectInput {
    EffectInput::Fail {
        token: token(number),
        error: "503".into(),
        lasting,
        after: None,
        entropy: 0,
    }
}

/// An effect in this state, sent once at 0 s unless it is planned.
fn effect(state: EffectState) -> Effect {
    let mut effect = planned(Status::Completed).remove(0);
    let inputs: &[EffectInput] = match state {
        Planned => &[],
        Sending => &[EffectInput::Send(LEASE)],
        Delivered => &[EffectInput::Send(LEASE), EffectInput::Deliver(FencingToken(1))],
        GaveUp => &[EffectInput::Send(LEASE), EffectInput::Abandon(String::new())],
    };
    for input in inputs {
        effect.handle(input, at(0)).expect("a legal input");
    }
    assert_eq!(effect.state, state);
    effect
}

fn judged(effect: &mut Effect, input: &EffectInput, now: Timestamp) -> Result<(), Refusal> {
    let before = effect.clone();
    let answer = effect.handle(input, now);
    let accepted = answer.is_ok();
    let change = Change { before: &before, input, accepted, after: effect, now };
    assert_eq!(laws::check(&change), Ok(()));
    answer
}

#[test]
fn the_table_is_whole() {
    check_table(Planned, EffectState::ALL, TRANSITIONS, &[Delivered]);
    assert!(diagram().contains("sending --> delivered: deliver"));
    assert_eq!("run_count".parse(), Ok(EffectKind::RunCount));
}

#[test]
fn every_input_meets_every_state() {
    use Refusal::{Busy, Illegal, NotDue, Over};
    let send = || EffectInput::Send(LEASE);
    let deliver = |number| EffectInput::Deliver(token(number));
    let release = |number| EffectInput::Release(token(number));
    let expire = || EffectInput::Expire { entropy: 0 };
    let abandon = || EffectInput::Abandon("parked".into());
    let fenced = |presented, current| Refusal::Fenced {
        presented: token(presented),
        current: token(current),
    };
    // now  state     input            becomes
    let table = [
        (5, Planned, send(), Ok(Sending)),
        (5, Planned, deliver(0), Err(fenced(0, 0))),
        (5, Planned, fail(0, false), Err(fenced(0, 0))),
        (5, Planned, release(0), Err(fenced(0, 0))),
        (5, Planned, expire(), Err(Illegal(Planned))),
        (5, Planned, abandon(), Ok(GaveUp)),
        (5, Sending, send(), Err(Busy(at(10)))),
        (99, Sending, send(), Err(Busy(at(10)))),
        (5, Sending, deliver(1), Ok(Delivered)),
        (99, Sending, deliver(1), Ok(Delivered)),
        (5, Sending, deliver(0), Err(fenced(0, 1))),
        (5, Sending, deliver(2), Err(fenced(2, 1))),
        (5, Sending, fail(1, false), Ok(Planned)),
        (5, Sending, fail(1, true), Ok(GaveUp)),
        (5, Sending, fail(2, true), Err(fenced(2, 1))),
        (5, Sending, release(1), Ok(Planned)),
        (5, Sending, expire(), Err(NotDue(at(10)))),
        (10, Sending, expire(), Ok(Planned)),
        (5, Sending, abandon(), Ok(GaveUp)),
        (5, Delivered, send(), Err(Over(Delivered))),
        (5, Delivered, deliver(1), Err(Refusal::Done)),
        (5, Delivered, deliver(2), Err(Over(Delivered))),
        (5, Delivered, fail(1, true), Err(Over(Delivered))),
        (5, Delivered, release(1), Err(Over(Delivered))),
        (99, Delivered, expire(), Err(Over(Delivered))),
        (5, Delivered, abandon(), Err(Over(Delivered))),
        (5, GaveUp, send(), Err(Over(GaveUp))),
        (5, GaveUp, deliver(1), Err(Over(GaveUp))),
        (5, GaveUp, fail(1, false), Err(Over(GaveUp))),
        (5, GaveUp, release(1), Err(Over(GaveUp))),
        (99, GaveUp, expire(), Err(Over(GaveUp))),
        (5, GaveUp, abandon(), Err(Over(GaveUp))),
        (5, Planned, EffectInput::Revive, Err(Illegal(Planned))),
        (5, Sending, EffectInput::Revive, Err(Illegal(Sending))),
        (5, Delivered, EffectInput::Revive, Err(Over(Delivered))),
        (5, GaveUp, EffectInput::Revive, Ok(Planned)),
    ];
    for (now, state, input, expected) in table {
        let mut row = effect(state);
        let became = judged(&mut row, &input, at(now)).map(|()| row.state);
        assert_eq!(became, expected, "{state} {input:?}");
    }
    let mut waiting = effect(Sending);
    assert_eq!(judged(&mut waiting, &fail(1, false), at(5)), Ok(()));
    assert_eq!(judged(&mut waiting, &send(), at(9)), Err(NotDue(at(10))));
    assert_eq!(judged(&mut waiting, &send(), at(10)), Ok(()));
    assert_eq!(waiting.token(), token(2));
}

#[test]
fn what_is_planned_follows_from_the_status_and_nothing_else() {
    use EffectKind::{Billing, Notification, Webhook};
    for status in Status::ALL {
        let kinds: Vec<EffectKind> = planned(status).iter().map(|e| e.key.kind).collect();
        let expected: &[EffectKind] = match status {
            Status::Completed => &[Billing, Webhook],
            _ if status.is_terminal() => &[Notification, Webhook],
            _ => &[],
        };
        assert_eq!(kinds, expected, "{status}");
        let indexes: Vec<u32> = planned(status).iter().map(|e| e.index).collect();
        assert_eq!(indexes, (0..expected.len() as u32).collect::<Vec<_>>());
        assert_eq!(laws::agree(status, Generation(2), &planned(status)), Ok(()));
        assert_eq!(laws::unique(&planned(status)), Ok(()));
    }
    let key = &planned(Status::Completed)[1];
    assert_eq!(key.key.idempotency_key(), "ex-7/gen-2/webhook/https://a.example");
    assert_eq!(key.message(), MessageKey::effect(ExecutionId(7), Generation(2), 1));
}

#[test]
fn tries_end_with_the_budget_and_every_one_has_the_same_key() {
    let mut row = effect(Planned);
    let key = row.key.idempotency_key();
    let mut now = 0;
    for number in 1..=3 {
        assert_eq!(judged(&mut row, &EffectInput::Send(LEASE), at(now)), Ok(()));
        assert_eq!(row.key.idempotency_key(), key);
        // Releasing costs nothing, however often.
        let release = EffectInput::Release(row.token());
        assert_eq!(judged(&mut row, &release, at(now)), Ok(()));
        assert_eq!(judged(&mut row, &EffectInput::Send(LEASE), at(now)), Ok(()));
        let silent = number == 2;
        let input =
            if silent { EffectInput::Expire { entropy: 0 } } else { fail(number * 2, false) };
        now += if silent { 10 } else { 0 };
        assert_eq!(judged(&mut row, &input, at(now)), Ok(()));
        now += 5;
    }
    assert_eq!((row.state, row.failures, row.sends), (GaveUp, 3, 6));
    assert_eq!(row.error.as_deref(), Some("503"));
}

#[test]
fn a_receiver_that_asks_for_time_has_it_within_bounds() {
    let after = |asked: u64, most: Option<u64>| {
        let mut row = effect(Sending);
        row.retry.max_delay = most.map(Span::from_secs);
        let (token, error) = (row.token(), "429".into());
        let after = Some(Span::from_secs(asked));
        let fail = EffectInput::Fail { token, error, lasting: false, after, entropy: 0 };
        assert_eq!(judged(&mut row, &fail, at(0)), Ok(()));
        row.wake_at.expect("it is tried again")
    };
    assert_eq!(after(1, None), at(5));
    assert_eq!(after(60, None), at(60));
    assert_eq!(after(60, Some(20)), at(20));
    assert!(after(u64::MAX / 2_000_000, None) <= at(7 * 24 * 3600));
}

#[test]
fn what_is_revived_begins_anew_and_keeps_its_token() {
    let mut row = effect(GaveUp);
    row.failures = 3;
    assert_eq!(judged(&mut row, &EffectInput::Revive, at(7)), Ok(()));
    assert_eq!((row.state, row.failures, row.sends), (Planned, 0, 1));
    assert_eq!((row.wake_at, row.ended_at), (Some(at(7)), None));
    assert_eq!(judged(&mut row, &EffectInput::Send(LEASE), at(7)), Ok(()));
    let stale = EffectInput::Deliver(token(1));
    assert!(matches!(judged(&mut row, &stale, at(7)), Err(Refusal::Fenced { .. })));
}

#[test]
fn errors_are_told_as_far_as_they_fit() {
    let mut told = notice(Status::Failed);
    told.take_error(&"\u{e4}".repeat(Notice::LONGEST_ERROR));
    let error = told.error.expect("it has one");
    assert_eq!(error.len(), Notice::LONGEST_ERROR);
    told = notice(Status::Failed);
    told.take_error(&format!("x{}", "\u{e4}".repeat(Notice::LONGEST_ERROR)));
    assert_eq!(told.error.map(|error| error.len()), Some(Notice::LONGEST_ERROR - 1));
}

#[test]
fn taking_is_bounded_and_takes_over_from_the_silent() {
    let mut rows = Rows::default();
    let mut effects = planned(Status::Completed);
    effects[0].retry.delay = Span::ZERO;
    effects[0].handle(&EffectInput::Send(LEASE), at(0)).expect("due");
    effects.into_iter().for_each(|effect| rows.load(effect));
    let kinds = |taken: &[(EffectKey, FencingToken)]| {
        taken.iter().map(|(key, token)| (key.kind, token.0)).collect::<Vec<_>>()
    };
    assert_eq!(take(&mut rows, 0, LEASE, 0, at(10)), []);
    let taken = take(&mut rows, 1, LEASE, 0, at(5));
    assert_eq!(kinds(&taken), [(EffectKind::Webhook, 1)]);
    let taken = take(&mut rows, 9, LEASE, 0, at(10));
    assert_eq!(kinds(&taken), [(EffectKind::Billing, 2)]);
    assert_eq!(take(&mut rows, 9, LEASE, 0, at(10)), []);
}

#[test]
fn planted_violations_are_seen() {
    let law = |before: &Effect, input: &EffectInput, accepted, after: &Effect| {
        let change = Change { before, input, accepted, after, now: at(5) };
        laws::check(&change).err().map(|violation| violation.law)
    };
    let (sending, delivered) = (effect(Sending), effect(Delivered));
    let deliver = |number| EffectInput::Deliver(token(number));
    assert_eq!(law(&sending, &deliver(1), true, &delivered), None);
    // Another's word; twice; in spite of a refusal; by the way.
    assert_eq!(law(&sending, &deliver(2), true, &delivered), Some(LawId::S12));
    assert_eq!(law(&delivered, &deliver(1), true, &delivered), Some(LawId::S12));
    assert_eq!(law(&sending, &deliver(1), false, &delivered), Some(LawId::S12));
    let expire = EffectInput::Expire { entropy: 0 };
    let release = EffectInput::Release(token(1));
    assert_eq!(law(&sending, &release, true, &delivered), Some(LawId::S12));
    assert_eq!(law(&delivered, &expire, true, &effect(Planned)), Some(LawId::S12));
    // Before its sender's time is over.
    let again = Effect { sends: 1, failures: 1, ..effect(Planned) };
    assert_eq!(law(&sending, &expire, true, &again), Some(LawId::S20));
    // A second sender, a token used twice, another key for the receiver.
    let send = EffectInput::Send(LEASE);
    let second = Effect { sends: 2, ..sending.clone() };
    assert_eq!(law(&sending, &send, true, &second), Some(LawId::S12));
    let planned_again = Effect { sends: 1, ..effect(Planned) };
    assert_eq!(law(&planned_again, &send, true, &sending), Some(LawId::S12));
    let mut renamed = delivered.clone();
    renamed.key.generation = Generation(3);
    assert_eq!(law(&sending, &deliver(1), true, &renamed), Some(LawId::S12));
    assert!(laws::unique([&sending, &delivered]).is_err());
    let elsewhere = Effect { key: renamed.key.clone(), ..sending.clone() };
    assert!(laws::unique([&sending, &elsewhere]).is_ok());
    let crowded = Effect { key: planned(Status::Completed)[1].key.clone(), ..sending.clone() };
    assert!(laws::unique([&sending, &crowded]).is_err());
    // Planned before the end, for another end, by a generation to be; an older one is its own.
    let agree = |status, generation| {
        let judged = laws::agree(status, Generation(generation), [&sending]);
        judged.err().map(|violation| violation.law)
    };
    assert_eq!(agree(Status::Completed, 2), None);
    assert_eq!(agree(Status::Running, 3), None);
    assert_eq!(agree(Status::Running, 2), Some(LawId::S13));
    assert_eq!(agree(Status::Cancelled, 2), Some(LawId::S13));
    assert_eq!(agree(Status::Completed, 1), Some(LawId::S13));
    // The end is there and its effects, or one of them, are not.
    let all = planned(Status::Completed);
    let whole =
        |effects: &[Effect]| laws::whole(Status::Completed, Generation(2), &wishes(), effects);
    assert_eq!(whole(&all), Ok(()));
    assert!(whole(&all[1..]).is_err() && whole(&[]).is_err());
    assert_eq!(laws::whole(Status::Running, Generation(2), &wishes(), []), Ok(()));
}
