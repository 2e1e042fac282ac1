//! Taking messages, many at a time.

use alloc::vec::Vec;

use super::{Hold, Message, MessageInput, MessageState, Receipt, Refusal, Route, Verdict};
use crate::definition::Transport;
use crate::id::MessageId;
use crate::time::Timestamp;
use crate::unit::Rows;

/// What came of taking messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "the verdicts must be applied in the same decision"]
pub struct Taken {
    /// The receipts of those that were taken, oldest first.
    pub receipts: Vec<Receipt>,
    /// What the owners of those that turned out to be spent must be told in the same decision.
    pub verdicts: Vec<Verdict>,
}

/// Tells a loaded message something.
///
/// # Errors
/// If the message refuses, or is not there; nothing has changed then.
pub fn tell(
    messages: &mut Rows<Message>,
    id: MessageId,
    input: &MessageInput,
    now: Timestamp,
) -> Result<Option<Verdict>, Refusal> {
    // The row is only touched if something comes of it, so that a refusal is no write.
    let mut message = messages.find(&id).ok_or(Refusal::Gone)?.clone();
    let verdict = message.handle(input, now)?;
    if let Some(row) = messages.edit(&id) {
        *row = message;
    }
    Ok(verdict)
}

/// Takes up to `quantity` of the loaded messages of the queue, oldest first. A message whose delay
/// or whose holder's time is over is armed again on the way, so that nothing waits for a sweep.
pub fn take(
    messages: &mut Rows<Message>,
    transport: Transport,
    quantity: u32,
    hold: Hold,
    now: Timestamp,
) -> Taken {
    let wanted = |message: &&Message| {
        message.route == Route::Queue && message.transport == transport && message.is_due(now)
    };
    let mut due: Vec<(Timestamp, MessageId)> =
        messages.iter().filter(wanted).map(|message| (message.created_at, message.id)).collect();
    due.sort_unstable();
    take_of(messages, due.into_iter().map(|(_, id)| id), quantity, hold, now)
}

/// Takes up to `quantity` of the messages `due`, in their order.
pub(super) fn take_of(
    messages: &mut Rows<Message>,
    due: impl Iterator<Item = MessageId>,
    quantity: u32,
    hold: Hold,
    now: Timestamp,
) -> Taken {
    let mut taken = Taken::default();
    for id in due {
        if taken.receipts.len() >= quantity as usize {
            break;
        }
        match tell(messages, id, &MessageInput::Rearm, now) {
            Ok(None) | Err(Refusal::Done) => {}
            Ok(Some(verdict)) => {
                taken.verdicts.push(verdict);
                continue;
            }
            Err(_) => continue,
        }
        if tell(messages, id, &MessageInput::Claim(hold), now).is_ok() {
            taken.receipts.extend(messages.find(&id).and_then(Message::receipt));
        }
    }
    taken
}

impl Message {
    /// Whether somebody may take it now, after arming it again if need be.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self.state {
            MessageState::Ready => true,
            MessageState::Delayed | MessageState::Claimed | MessageState::Working => {
                self.wake_at.is_none_or(|at| at <= now)
            }
            MessageState::Done | MessageState::Parked => false,
        }
    }
}
