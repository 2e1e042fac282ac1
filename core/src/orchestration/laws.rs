//! The laws of the orchestration claim as predicates.

use super::{Orchestration, OrchestrationInput, OrchestrationState, Refusal};
use crate::decision::Settle;
use crate::execution::Execution;
use crate::id::FencingToken;
use crate::violation::{Violation, demand};

/// Law `nothing_accepted_is_lost`, over what becomes of a message: it is acknowledged only if what
/// it asks for is done, or meant for a run that is no more.
///
/// # Errors
/// If a message is let go while somebody may still have to do what it asks for.
pub fn check(
    claim: &Orchestration,
    answer: Result<(), Refusal>,
    settle: Option<&Settle>,
) -> Result<(), Violation> {
    let id = claim.execution;
    let outdated = match answer {
        Err(Refusal::Stale { presented, current }) => presented < current,
        _ => false,
    };
    let acked = settle == Some(&Settle::Ack);
    let done = claim.state == OrchestrationState::Done;
    demand!(!acked || done || outdated, S11, "a message about {id} was let go: {answer:?}");
    let parked = matches!(settle, Some(Settle::Park(_)));
    demand!(!parked, S28, "a message about {id} was parked for {answer:?}");
    demand!(answer.is_ok() == settle.is_none(), S11, "a message about {id}: {settle:?}");
    Ok(())
}

/// Law `one_attempt_is_effective`, over one change: only the newest holder changes a held claim,
/// and nothing changes one that is done but a new generation.
///
/// # Errors
/// If an older holder was obeyed or two held it at once.
pub fn holder(
    before: &Orchestration,
    input: OrchestrationInput,
    accepted: bool,
    after: &Orchestration,
) -> Result<(), Violation> {
    let id = before.execution;
    demand!(accepted || before == after, S5, "{id} changed although it refused {input:?}");
    if let Some(token) = token_of(input) {
        let held = before.state == OrchestrationState::Held && token == before.token();
        demand!(!accepted || held, S5, "{id} obeyed {token}, {} had it", before.token());
    }
    demand!(after.token() >= before.token(), S5, "{id} gave {} again", after.token());
    let claimed = accepted && matches!(input, OrchestrationInput::Claim(..));
    demand!(!claimed || after.token() > before.token(), S5, "{id} gave one token twice");
    let reopened = before.state == OrchestrationState::Done && before != after;
    let newer = after.generation > before.generation;
    demand!(!reopened || newer, S6, "{id} was done and is {}", after.state);
    Ok(())
}

/// Law `terminal_is_final`, over a snapshot: an execution that is over leaves nothing to be
/// planned, so no redelivery can begin anew.
///
/// # Errors
/// If it can.
pub fn closed_with(claim: &Orchestration, execution: &Execution) -> Result<(), Violation> {
    let closed = claim.state == OrchestrationState::Done;
    let over = execution.status.is_terminal();
    demand!(!over || closed, S6, "{} is over and its claim {}", execution.id, claim.state);
    Ok(())
}

/// The token that an input presents.
#[must_use]
pub const fn token_of(input: OrchestrationInput) -> Option<FencingToken> {
    match input {
        OrchestrationInput::Renew(token, _)
        | OrchestrationInput::Finish(token)
        | OrchestrationInput::Fail(token) => Some(token),
        OrchestrationInput::Claim(..)
        | OrchestrationInput::Restart(_)
        | OrchestrationInput::Expire
        | OrchestrationInput::Close => None,
    }
}
