//! The laws of transports as predicates.

use super::{Drain, DrainState};
use crate::execution::Execution;
use crate::message::Message;
use crate::violation::{Violation, demand};

/// Law `an_execution_keeps_its_transport`, over a snapshot: a drained transport carries nothing.
///
/// # Errors
/// If it does.
pub fn check<'a>(
    drain: &Drain,
    executions: impl IntoIterator<Item = &'a Execution>,
    messages: impl IntoIterator<Item = &'a Message>,
) -> Result<(), Violation> {
    if drain.state != DrainState::Drained {
        return Ok(());
    }
    for execution in executions.into_iter().filter(|e| e.transport == drain.transport) {
        let (id, status) = (execution.id, execution.status);
        demand!(status.is_terminal(), S26, "{id} is {status} on a drained transport");
    }
    for message in messages.into_iter().filter(|m| m.transport == drain.transport) {
        let (id, state) = (message.id, message.state);
        demand!(!state.is_live(), S26, "{id} is {state} on a drained transport");
    }
    Ok(())
}

/// Law `an_execution_keeps_its_transport`, over one change of an execution.
///
/// # Errors
/// If it is carried by another transport than before.
pub fn pinned(before: &Execution, after: &Execution) -> Result<(), Violation> {
    let same = before.transport == after.transport;
    demand!(same, S26, "{} went to {:?}", before.id, after.transport);
    Ok(())
}

/// Law `an_execution_keeps_its_transport`, over one taken message.
///
/// # Errors
/// If its execution is pinned to another transport than the message travels on.
pub fn carried(message: &Message, execution: &Execution) -> Result<(), Violation> {
    let same = message.transport == execution.transport;
    demand!(same, S26, "{} about {} travels elsewhere", message.id, execution.id);
    Ok(())
}
