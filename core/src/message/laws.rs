//! The laws of messages as predicates, over a snapshot or over one change.

use alloc::collections::{BTreeMap, BTreeSet};

use super::outbox::Publication;
use super::{Message, MessageInput, MessageKey, MessageState, Reason, Receipt, Verdict};
use crate::id::{ExecutionId, FencingToken, MessageId};
use crate::time::{Span, Timestamp};
use crate::violation::{Violation, demand};

/// One change of one message: what it was told, and what came of that.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The row before.
    pub before: &'a Message,
    /// What it was told.
    pub input: &'a MessageInput,
    /// Whether the teller was told that it was done.
    pub accepted: bool,
    /// What the owner is told in the same decision.
    pub verdict: Option<Verdict>,
    /// The row after.
    pub after: &'a Message,
    /// When.
    pub now: Timestamp,
}

/// Judges one change by all laws of messages that a change can be judged by.
///
/// # Errors
/// With the first [`Violation`].
pub fn check(change: &Change<'_>) -> Result<(), Violation> {
    holder(change)?;
    patient(change)?;
    budget(change)?;
    kept(change)
}

/// Law `a_message_has_one_holder`, over one change. A token is the number of a claim: it rises by
/// one with each and never falls, so no two claims share one.
///
/// # Errors
/// If somebody without the current receipt changed the message or was told that it did.
pub fn holder(change: &Change<'_>) -> Result<(), Violation> {
    let Change { before, input, accepted, after, .. } = change;
    let id = before.id;
    demand!(*accepted || before == after, S9, "{id} changed although it refused {input:?}");
    if let Some(receipt) = receipt_of(input) {
        let current = before.receipt();
        demand!(
            !accepted || current == Some(receipt),
            S9,
            "{id} was settled under {receipt}, and {current:?} held it"
        );
    }
    let claimed = *accepted && matches!(input, MessageInput::Claim(_));
    let token = FencingToken(before.token().0 + u64::from(claimed));
    demand!(after.token() == token, S9, "{id} went from {} to {}", before.token(), after.token());
    let free = before.state == MessageState::Ready;
    demand!(!claimed || free, S9, "{id} was claimed while {}", before.state);
    held_in_full(after)
}

/// Law `no_sweep_fails_healthy_work`, over one change: nobody's time is cut short.
///
/// # Errors
/// If a message was armed again while its holder's time, or its delay, was not over.
pub fn patient(change: &Change<'_>) -> Result<(), Violation> {
    let Change { before, input, accepted, now, .. } = change;
    let swept = *accepted && **input == MessageInput::Rearm;
    let early = before.wake_at.is_none_or(|at| *now < at);
    demand!(!swept || !early, S20, "{} was armed before {:?}", before.id, before.wake_at);
    Ok(())
}

/// Law `a_message_has_one_holder`, over a snapshot: a held message has a token and an end, and no
/// other has a holder.
///
/// # Errors
/// If the row is not one that a claim leaves behind.
pub fn held_in_full(message: &Message) -> Result<(), Violation> {
    let (id, state) = (message.id, message.state);
    let timed = state.is_held() || state == MessageState::Delayed;
    demand!(message.wake_at.is_some() == timed, S9, "{id} is {state} until {:?}", message.wake_at);
    demand!(!state.is_held() || message.deliveries > 0, S9, "{id} is {state} without a token");
    let bounded = message.hold_until.is_none_or(|limit| message.wake_at <= Some(limit));
    demand!(bounded, S9, "{id} is held beyond {:?}", message.hold_until);
    Ok(())
}

/// Law `a_message_is_enqueued_once`, over a snapshot.
///
/// # Errors
/// If two live messages have one key.
pub fn enqueued_once<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Result<(), Violation> {
    let mut seen: BTreeMap<MessageKey, MessageId> = BTreeMap::new();
    for message in messages.into_iter().filter(|message| message.state.is_live()) {
        let other = seen.insert(message.key, message.id);
        demand!(other.is_none(), S10, "{} and {other:?} are both {}", message.id, message.key);
    }
    Ok(())
}

/// Law `retries_stay_within_the_budget`, over one change: only a start costs, trouble elsewhere
/// never does, and what is parked as spent has exceeded its budget.
///
/// # Errors
/// If a start was charged that did not happen, or the message was given up too early or too late.
pub fn budget(change: &Change<'_>) -> Result<(), Violation> {
    let Change { before, input, accepted, after, .. } = change;
    let id = before.id;
    let began = *accepted && matches!(input, MessageInput::Start(_));
    demand!(after.starts == before.starts + u32::from(began), S28, "{id} counts {input:?}");
    demand!(began || after.spent <= before.spent, S28, "{id} is charged for {input:?}");
    let bounds = after.spent <= after.starts && after.starts <= after.deliveries;
    demand!(bounds, S28, "{id} spent more than it started, or started more than was delivered");
    let most = after.retry.count.saturating_add(1);
    demand!(after.spent <= most, S28, "{id} started {} times, {most} allowed", after.spent);
    let spent = after.parked.as_ref().is_some_and(|parked| parked.reason == Reason::Spent);
    demand!(!spent || after.is_spent(), S28, "{id} is parked with starts left");
    Ok(())
}

/// Law `nothing_accepted_is_lost`, over one change: a message that is put aside has its reason and
/// its owner is told at once; and it ends by its holder's word or by an operator's.
///
/// # Errors
/// If a parked message has no reason or its owner is not told.
pub fn kept(change: &Change<'_>) -> Result<(), Violation> {
    let Change { before, input, verdict, after, .. } = change;
    let id = before.id;
    let parks = before.state != MessageState::Parked && after.state == MessageState::Parked;
    let owner = verdict.map(|verdict| verdict.owner);
    let told = if parks { owner == Some(after.key.owner()) } else { owner.is_none() };
    demand!(told, S11, "{id} is {} and its owner hears {owner:?}", after.state);
    let reasoned = after.state != MessageState::Parked || after.parked.is_some();
    demand!(reasoned, S11, "{id} is parked without a reason");
    let ends = before.state != MessageState::Done && after.state == MessageState::Done;
    let settled = matches!(input, MessageInput::Ack(_) | MessageInput::Discard(_));
    demand!(!ends || settled, S11, "{id} is done by {input:?}");
    Ok(())
}

/// Laws `nothing_accepted_is_lost` and `growth_is_bounded`, over two snapshots: a row goes only
/// when it is over or parked, its retention has ended and nothing live refers to it.
///
/// # Errors
/// If a row is missing that should be there.
pub fn purged_rightly(
    before: &BTreeMap<MessageId, Message>,
    after: &BTreeMap<MessageId, Message>,
    live: &BTreeSet<ExecutionId>,
    retention: Span,
    now: Timestamp,
) -> Result<(), Violation> {
    for (id, gone) in before.iter().filter(|(id, _)| !after.contains_key(id)) {
        demand!(!gone.state.is_live(), S11, "{id} was {} and is gone", gone.state);
        let referred = live.contains(&gone.key.execution);
        demand!(!referred, S29, "{id} is gone while {} can insert it again", gone.key.execution);
        let parked = gone.parked.as_ref().map(|parked| parked.at);
        let over = gone.ended_at.or(parked).is_some_and(|since| since + retention <= now);
        demand!(over, S29, "{id} ({}) is gone before its time", gone.key);
    }
    Ok(())
}

/// Order of the outbox (law `nothing_accepted_is_lost` rests on it where receivers fold what they
/// hear): no message about an execution is held by a relay or published while an earlier one is
/// pending. A message that was put aside and replayed has lost its place, and comes when it comes.
///
/// # Errors
/// If a message overtook another.
pub fn published_in_order<'a>(
    messages: impl IntoIterator<Item = &'a Message> + Clone,
) -> Result<(), Violation> {
    let mut pending = BTreeMap::new();
    for message in messages.clone() {
        let replayed = message.note.is_some();
        if message.publication() == Some(Publication::Pending) && !replayed {
            let place = (message.order, message.id);
            let first = pending.entry(message.key.execution).or_insert(place);
            *first = place.min(*first);
        }
    }
    for message in messages {
        let on_its_way =
            message.state.is_held() || message.publication() == Some(Publication::Published);
        let first = pending.get(&message.key.execution).filter(|_| message.publication().is_some());
        let overtook = first.is_some_and(|first| *first < (message.order, message.id));
        demand!(!on_its_way || !overtook, S11, "{} overtook {first:?}", message.id);
    }
    Ok(())
}

/// The receipt that an input presents.
#[must_use]
pub const fn receipt_of(input: &MessageInput) -> Option<Receipt> {
    match input {
        MessageInput::Start(receipt)
        | MessageInput::Renew(receipt, _)
        | MessageInput::Ack(receipt)
        | MessageInput::Delay(receipt, _)
        | MessageInput::Nack { receipt, .. }
        | MessageInput::Reject(receipt, _) => Some(*receipt),
        MessageInput::Claim(_)
        | MessageInput::Rearm
        | MessageInput::Replay(_)
        | MessageInput::Discard(_) => None,
    }
}
