//! Identities, tokens and counters as types of their own, so that none can stand in for another.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Declares a numeric identity with its short display prefix.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

/// Declares a textual identity, cheap to clone.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps `text` as it is.
            #[must_use]
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }
    };
}

number!(
    /// One requested run of an action. Unique for the life of a store, and no statement about order.
    ExecutionId, u64, "ex-"
);
number!(
    /// The number of a try of an execution, from 1. Zero means that none has begun.
    Attempt, u32, "attempt "
);
number!(
    /// Proof of being the current attempt. It rises with every attempt of an execution, so an
    /// older holder is recognised wherever it writes.
    FencingToken, u64, "tok-"
);
number!(
    /// Rises with every change of a row; a write names the version that it read.
    Version, u64, "v"
);
number!(
    /// Tells two processes that used the same worker name apart; rises with each registration.
    Incarnation, u64, "inc-"
);
number!(
    /// A place in a queue, given under the queue's lock.
    Order, u64, "#"
);
number!(
    /// A message row.
    MessageId, u64, "msg-"
);
number!(
    /// A run of the same thing again: late news of an older one is recognised and ignored.
    Generation, u32, "gen-"
);

text!(
    /// What to run, as `pack.name`.
    ActionRef
);
text!(
    /// The queue that an execution waits in: its action, or its action and rendered key.
    QueueKey
);
text!(
    /// The name under which a worker registers.
    WorkerName
);
text!(
    /// The content hash of a definition; an execution is pinned to one.
    DefinitionHash
);
text!(
    /// The name of a task in a workflow graph.
    TaskName
);
text!(
    /// What a worker must offer to run an action, for example `shell` or `python`.
    Runtime
);

impl Attempt {
    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The token of this attempt. Attempts of an execution are numbered without gaps or
    /// repetition under its row's lock, so the number itself fences.
    #[must_use]
    pub const fn token(self) -> FencingToken {
        FencingToken(self.0 as u64)
    }
}

impl Version {
    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl QueueKey {
    /// The queue of `action`, one for each rendered concurrency key if the action has any.
    #[must_use]
    pub fn of(action: &ActionRef, group: Option<&str>) -> Self {
        match group {
            None => Self::new(action.as_str()),
            Some(group) => {
                let mut key = action.as_str().to_string();
                key.push('|');
                key.push_str(group);
                Self::from(key)
            }
        }
    }

    /// The action that this queue belongs to.
    #[must_use]
    pub fn action(&self) -> ActionRef {
        let text = self.as_str();
        ActionRef::new(text.split_once('|').map_or(text, |(action, _)| action))
    }
}

/// A worker process: the name and which process of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId {
    /// The registered name.
    pub name: WorkerName,
    /// Which registration of that name.
    pub incarnation: Incarnation,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.incarnation.0)
    }
}

/// One visit of a task in a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskKey {
    /// The workflow execution.
    pub run: ExecutionId,
    /// The task.
    pub task: TaskName,
    /// Which visit, from 0.
    pub occurrence: u32,
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.task)?;
        if self.occurrence > 0 {
            write!(f, "~{}", self.occurrence)?;
        }
        Ok(())
    }
}

/// The place of a child execution in its run. At most one execution has each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemKey {
    /// The visit of the task.
    pub task: TaskKey,
    /// The place in the item list, from 0; `None` for a task without `with_items`.
    pub index: Option<u32>,
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.task)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}
