//! What can be wrong with a broker, and what to do about it.

use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{Error, ErrorKind};
use steadfast_services::port::StoreError;

/// Why the broker did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The options cannot work.
    #[error("{0}")]
    Options(String),
    /// Nobody answers at the address, or what answers is no broker.
    #[error("the broker cannot be reached: {0}; check its address and that it runs")]
    Unreachable(String),
    /// The user is unknown, or the password is wrong.
    #[error(
        "the broker refuses user {user}: {said}; check the user and the password in its address"
    )]
    Credentials {
        /// The user.
        user: String,
        /// What the broker said.
        said: String,
    },
    /// The virtual host is not there, or not for this user.
    #[error(
        "virtual host {vhost}: {said}; create it with `rabbitmqctl add_vhost {vhost}` and give user \
         {user} permissions there"
    )]
    Vhost {
        /// The virtual host.
        vhost: String,
        /// The user.
        user: String,
        /// What the broker said.
        said: String,
    },
    /// The user may not do this.
    #[error(
        "{what}: {said}; give the user configure, write and read permissions for the names of this \
         namespace with `rabbitmqctl set_permissions`"
    )]
    Permission {
        /// The queue or exchange.
        what: String,
        /// What the broker said.
        said: String,
    },
    /// Something of this name is there, and it is made differently.
    #[error(
        "{what} is there already with other properties: {said}; change the setting back, choose \
         another namespace, or delete it once it is empty (`rabbitmqctl delete_queue` for a queue)"
    )]
    Conflict {
        /// The queue or exchange.
        what: String,
        /// What the broker said.
        said: String,
    },
    /// The broker is short of memory or disk, and reads nothing from publishers.
    #[error("the broker has blocked publishers: {0}; see `rabbitmqctl status` for its alarms")]
    Blocked(String),
    /// It took longer than it may.
    #[error("the broker did not answer within {within:?}: {doing}")]
    Late {
        /// What was tried.
        doing: &'static str,
        /// The bound.
        within: Duration,
    },
    /// It did not take messages.
    #[error("the broker did not take {refused} of {all} messages: {why}")]
    Refused {
        /// How many it did not take.
        refused: usize,
        /// Of how many.
        all: usize,
        /// Why not.
        why: &'static str,
    },
    /// A connection or channel is gone, or the consumer was cancelled.
    #[error("{0}")]
    Lost(String),
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        Self::Unavailable(problem.to_string())
    }
}

impl Problem {
    /// What an error means when `what` was asked for.
    pub(crate) fn with(what: &str, error: &Error) -> Self {
        let said = error.to_string();
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            return Self::Lost(format!("{what}: {said}"));
        };
        let said = protocol.get_message().to_string();
        let what = what.to_owned();
        match protocol.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Permission { what, said },
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Self::Conflict { what, said },
            _ => Self::Lost(format!("{what}: {said}")),
        }
    }

    /// What an error means when a connection was asked for.
    pub(crate) fn connecting(user: &str, vhost: &str, error: &Error) -> Self {
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            return Self::Unreachable(error.to_string());
        };
        let said = protocol.get_message().to_string();
        let (user, vhost) = (user.to_owned(), vhost.to_owned());
        match protocol.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Credentials { user, said },
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Self::Vhost { vhost, user, said },
            _ => Self::Unreachable(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::AMQPError;

    use super::*;

    fn soft(kind: AMQPSoftError) -> Error {
        ErrorKind::ProtocolError(AMQPError::new(kind.into(), "as it said".into())).into()
    }

    #[test]
    fn each_refusal_names_the_thing_and_what_to_do() {
        let refused = soft(AMQPSoftError::ACCESSREFUSED);
        let conflict = soft(AMQPSoftError::PRECONDITIONFAILED);
        let hard = AMQPError::new(AMQPHardError::NOTALLOWED.into(), "as it said".into());
        let vhost: Error = ErrorKind::ProtocolError(hard).into();
        let cases = [
            (Problem::with("queue q", &refused), "queue q", "set_permissions"),
            (Problem::with("queue q", &conflict), "queue q", "delete_queue"),
            (Problem::connecting("u", "v", &refused), "user u", "password"),
            (Problem::connecting("u", "v", &vhost), "virtual host v", "add_vhost"),
        ];
        for (problem, thing, advice) in cases {
            let text = problem.to_string();
            assert!(text.contains(thing) && text.contains(advice), "{text}");
            assert!(text.contains("as it said"), "{text}");
        }
    }
}
