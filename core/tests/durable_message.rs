//! Messages under random consumers: two that believe in every receipt they ever got, a sweeper, an
//! operator and a relay. The laws are asked after every step.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use steadfast_core::message::laws::{self, Change};
use steadfast_core::message::outbox::{self, Answer};
use steadfast_core::message::{
    Fault, Hold, Kind, Message, MessageInput, MessageKey, MessageState, Reason, Receipt, take,
};
use steadfast_core::unit::Rows;
use steadfast_core::{ExecutionId, Generation, MessageId, Order, Span, Timestamp, Transport};

const HOLD: Hold = Hold { lease: Span::from_secs(10), limit: Some(Span::from_secs(40)) };
const RETENTION: Span = Span::from_secs(60);
const FURTHER_STARTS: u32 = 1;

#[derive(Clone, Debug)]
enum Step {
    Insert {
        execution: u64,
        index: u32,
        relayed: bool,
    },
    EndExecution(u64),
    Wait(u64),
    Take {
        consumer: usize,
        quantity: u32,
    },
    Relay {
        consumer: usize,
        quantity: u32,
    },
    /// A consumer takes one, begins and settles it, or dies on it.
    Try {
        consumer: usize,
        how: Option<How>,
    },
    Settle {
        consumer: usize,
        receipt: usize,
        how: How,
    },
    Forge {
        message: u64,
        token: u64,
        how: How,
    },
    Sweep,
    Operate {
        message: u64,
        replay: bool,
    },
    Purge,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Start,
    Renew,
    Ack,
    Delay,
    Nack(Fault),
    Reject,
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Start),
        1 => Just(How::Renew),
        1 => Just(How::Ack),
        1 => Just(How::Delay),
        3 => Just(How::Nack(Fault::Work)),
        1 => Just(How::Nack(Fault::Backend)),
        1 => Just(How::Nack(Fault::Shutdown)),
        1 => Just(How::Reject),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..3u64, 0..2u32, any::<bool>())
            .prop_map(|(execution, index, relayed)| Step::Insert { execution, index, relayed }),
        1 => (0..3u64).prop_map(Step::EndExecution),
        3 => (1..15u64).prop_map(Step::Wait),
        3 => (0..2usize, 1..4u32)
            .prop_map(|(consumer, quantity)| Step::Take { consumer, quantity }),
        2 => (0..2usize, 1..4u32)
            .prop_map(|(consumer, quantity)| Step::Relay { consumer, quantity }),
        6 => (0..2usize, prop::option::weighted(0.8, how()))
            .prop_map(|(consumer, how)| Step::Try { consumer, how }),
        8 => (0..2usize, 0..5usize, how())
            .prop_map(|(consumer, receipt, how)| Step::Settle { consumer, receipt, how }),
        1 => (0..6u64, 0..4u64, how())
            .prop_map(|(message, token, how)| Step::Forge { message, token, how }),
        2 => Just(Step::Sweep),
        1 => (0..6u64, any::<bool>())
            .prop_map(|(message, replay)| Step::Operate { message, replay }),
        1 => Just(Step::Purge),
    ]
}

/// The store, and what a bystander counts without looking into the rows.
#[derive(Default)]
struct World {
    now: u64,
    messages: BTreeMap<MessageId, Message>,
    ended: BTreeSet<ExecutionId>,
    /// The receipts that each consumer ever got, the newest last.
    receipts: [Vec<Receipt>; 2],
    /// Who holds each message, by the bystander's book.
    holder: BTreeMap<MessageId, Receipt>,
    /// Whether the holder has begun.
    begun: BTreeSet<MessageId>,
    /// How many starts failed or fell silent since the last replay.
    failed: BTreeMap<MessageId, u32>,
    next: u64,
}

impl World {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now * 1_000_000)
    }

    fn insert(&mut self, execution: u64, index: u32, relayed: bool) {
        let key = MessageKey {
            kind: Kind::Member,
            ..MessageKey::member(ExecutionId(execution), Generation(1), index)
        };
        // The store's unique key covers tombstones as well.
        if self.messages.values().any(|message| message.key == key) {
            return;
        }
        // Ids are unique and in no order.
        let id = MessageId(1000 - self.next);
        self.next += 1;
        let mut message = Message::new(id, key, Transport::Postgres, self.now());
        message.retry.count = FURTHER_STARTS;
        if relayed {
            // Places are given under the execution's lock, so they are in the order of commits.
            message = message.for_relay(Order(self.next));
        }
        self.messages.insert(id, message);
    }

    fn tell(&mut self, id: MessageId, input: &MessageInput) {
        let now = self.now();
        let Some(before) = self.messages.get(&id).cloned() else { return };
        let mut after = before.clone();
        let answer = after.handle(input, now);
        let verdict = answer.as_ref().ok().copied().flatten();
        let accepted = answer.is_ok();
        let change = Change { before: &before, input, accepted, verdict, after: &after, now };
        assert_eq!(laws::check(&change), Ok(()));
        let mut again = after.clone();
        assert!(again.handle(input, now).is_err(), "{input:?} does something twice");
        assert_eq!(again, after, "{input:?} twice");
        if accepted {
            self.book(id, input, &before, &after);
        }
        self.messages.insert(id, after);
    }

    /// Keeps the bystander's book, and compares it with the row.
    fn book(&mut self, id: MessageId, input: &MessageInput, before: &Message, after: &Message) {
        if let Some(receipt) = laws::receipt_of(input) {
            assert_eq!(self.holder.get(&id), Some(&receipt), "{input:?} by somebody else");
        }
        match input {
            MessageInput::Start(_) => {
                self.begun.insert(id);
            }
            MessageInput::Claim(_) => {
                assert_eq!(self.holder.get(&id), None, "held twice");
                self.holder.extend(after.receipt().map(|receipt| (id, receipt)));
            }
            MessageInput::Nack { fault: Fault::Work, .. } | MessageInput::Rearm => {
                let failed = u32::from(self.begun.contains(&id));
                *self.failed.entry(id).or_default() += failed;
            }
            MessageInput::Replay(_) => {
                self.failed.remove(&id);
            }
            _ => {}
        }
        if !after.state.is_held() {
            self.holder.remove(&id);
            self.begun.remove(&id);
        }
        let failed = self.failed.get(&id).copied().unwrap_or_default();
        let newly = before.state != after.state && after.state == MessageState::Parked;
        let spent = after.parked.as_ref().is_some_and(|parked| parked.reason == Reason::Spent);
        assert_eq!(newly && spent, newly && failed == FURTHER_STARTS + 1, "{id}: {failed} failed");
        assert!(failed <= FURTHER_STARTS || !after.state.is_live(), "{id} goes on and on");
    }

    fn input(receipt: Receipt, how: How) -> MessageInput {
        let entropy = receipt.token.0;
        match how {
            How::Start => MessageInput::Start(receipt),
            How::Renew => MessageInput::Renew(receipt, HOLD.lease),
            How::Ack => MessageInput::Ack(receipt),
            How::Delay => MessageInput::Delay(receipt, Span::from_secs(5)),
            How::Nack(fault) => MessageInput::Nack { receipt, fault, entropy },
            How::Reject => MessageInput::Reject(receipt, "cannot be".into()),
        }
    }

    /// What a taker does, step by step, so that each is judged; and that it is what `take` does.
    fn take(&mut self, consumer: usize, relayed: bool, quantity: u32) {
        let now = self.now();
        let mut rows = Rows::default();
        self.messages.values().cloned().for_each(|message| rows.load(message));
        let taken = if relayed {
            outbox::take(&mut rows, quantity, HOLD, now)
        } else {
            take(&mut rows, Transport::Postgres, quantity, HOLD, now)
        };
        assert!(taken.receipts.len() <= quantity as usize);
        let parked = taken.verdicts.iter().map(|verdict| verdict.message);
        let claimed = taken.receipts.iter().map(|receipt| receipt.message);
        let touched: Vec<MessageId> = parked.chain(claimed).collect();
        for id in &touched {
            self.tell(*id, &MessageInput::Rearm);
        }
        for receipt in &taken.receipts {
            self.tell(receipt.message, &MessageInput::Claim(HOLD));
        }
        let stepwise: Vec<&Message> = self.messages.values().collect();
        assert!(rows.iter().eq(stepwise), "taking is arming and claiming");
        self.receipts[consumer].extend(taken.receipts);
    }

    /// A consumer settles by one of the receipts that it ever had, the newest being the first.
    fn settle(&mut self, consumer: usize, nth: usize, how: How) {
        let known = self.receipts[consumer].iter().rev().nth(nth).copied();
        if let Some(receipt) = known {
            self.tell(receipt.message, &Self::input(receipt, how));
        }
    }

    fn purge(&mut self) {
        let now = self.now();
        let live: BTreeSet<ExecutionId> =
            (0..3).map(ExecutionId).filter(|id| !self.ended.contains(id)).collect();
        let before = self.messages.clone();
        self.messages.retain(|_, message| {
            !message.may_be_purged(RETENTION, live.contains(&message.key.execution), now)
        });
        assert_eq!(laws::purged_rightly(&before, &self.messages, &live, RETENTION, now), Ok(()));
    }

    fn all(&self, mut wanted: impl FnMut(&Message) -> bool) -> Vec<MessageId> {
        self.messages.values().filter(|message| wanted(message)).map(|message| message.id).collect()
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Insert { execution, index, relayed } => self.insert(execution, index, relayed),
            Step::EndExecution(execution) => {
                self.ended.insert(ExecutionId(execution));
            }
            Step::Wait(seconds) => self.now += seconds,
            Step::Take { consumer, quantity } => self.take(consumer, false, quantity),
            Step::Relay { consumer, quantity } => self.take(consumer, true, quantity),
            Step::Try { consumer, how } => {
                self.take(consumer, false, 1);
                for how in [Some(How::Start), how].into_iter().flatten() {
                    self.settle(consumer, 0, how);
                }
            }
            Step::Settle { consumer, receipt, how } => self.settle(consumer, receipt, how),
            Step::Forge { message, token, how } => {
                let id = MessageId(1000 - message);
                let token = steadfast_core::FencingToken(token);
                let current = self.holder.get(&id).is_some_and(|held| held.token == token);
                if !current {
                    self.tell(id, &Self::input(Receipt { message: id, token }, how));
                }
            }
            Step::Sweep => {
                self.all(|_| true).into_iter().for_each(|id| self.tell(id, &MessageInput::Rearm));
            }
            Step::Operate { message, replay } => {
                let why = String::from("operator");
                let input =
                    if replay { MessageInput::Replay(why) } else { MessageInput::Discard(why) };
                self.tell(MessageId(1000 - message), &input);
            }
            Step::Purge => self.purge(),
        }
        self.check();
    }

    fn check(&self) {
        assert_eq!(laws::enqueued_once(self.messages.values()), Ok(()));
        assert_eq!(laws::published_in_order(self.messages.values()), Ok(()));
        for message in self.messages.values() {
            assert_eq!(laws::held_in_full(message), Ok(()));
            assert_eq!(message.receipt(), self.holder.get(&message.id).copied());
        }
    }

    /// Faults stop: whoever is silent is taken over, and everything ends or is parked.
    fn heal(&mut self) {
        for _ in 0..60 {
            self.now += 61;
            for relayed in [false, true] {
                let from = self.receipts[0].len();
                self.take(0, relayed, 9);
                for receipt in self.receipts[0].split_off(from) {
                    let confirm = outbox::settlement(receipt, Answer::Confirmed);
                    self.tell(receipt.message, &confirm);
                }
            }
            self.check();
        }
        assert_eq!(self.all(|message| message.state.is_live()), [], "left for ever");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_of_messages_hold(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::default();
        steps.iter().for_each(|step| world.run(step));
        world.heal();
    }

    #[test]
    fn a_message_that_always_fails_is_started_exactly_as_often_as_allowed(
        count in 0..6u32,
        silent in prop::collection::vec(any::<bool>(), 8),
        detours in prop::collection::vec(0..3u8, 8),
    ) {
        let mut message = Message::new(
            MessageId(1),
            MessageKey::single(Kind::Orchestrate, ExecutionId(1), Generation(1)),
            Transport::Embedded,
            Timestamp::ZERO,
        );
        message.retry.count = count;
        let mut now = Timestamp::ZERO;
        let mut failed = 0;
        while message.state != MessageState::Parked {
            for _ in 0..detours[failed % 8] {
                // Claimed and never begun: that says nothing about the message.
                let _ = message.handle(&MessageInput::Claim(HOLD), now);
                now += Span::from_secs(100);
                let _ = message.handle(&MessageInput::Rearm, now);
            }
            prop_assert_eq!(message.handle(&MessageInput::Claim(HOLD), now), Ok(None));
            let receipt = message.receipt().expect("just claimed");
            prop_assert_eq!(message.handle(&MessageInput::Start(receipt), now), Ok(None));
            if !silent[failed % 8] {
                let nack = MessageInput::Nack { receipt, fault: Fault::Work, entropy: 3 };
                prop_assert!(message.handle(&nack, now).is_ok());
            }
            now += Span::from_secs(100);
            let _ = message.handle(&MessageInput::Rearm, now);
            failed += 1;
            prop_assert!(failed <= 10, "it never ends");
        }
        prop_assert_eq!(failed, count as usize + 1);
    }
}
