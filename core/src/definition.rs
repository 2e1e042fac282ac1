//! Everything about an execution that is decided, and pinned, when it is submitted.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ActionRef, DefinitionHash, QueueKey, Runtime};
use crate::policy::Policy;

/// Who carries an execution out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A worker that offers this runtime.
    Runtime(Runtime),
    /// The engine itself, by advancing a workflow.
    Workflow,
}

/// How the executions of a work item are carried: pinned when it is submitted, so that a change of
/// configuration never strands what is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// In this process, on the embedded store.
    #[default]
    Embedded,
    /// Postgres is the broker.
    Postgres,
    /// RabbitMQ is the broker.
    Rabbitmq,
}

impl core::fmt::Display for Transport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::Rabbitmq => "rabbitmq",
        })
    }
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Postgres, Self::Rabbitmq];

    /// Whether the engine assigns work to a worker and tells it (`true`), or workers come and
    /// claim it.
    #[must_use]
    pub const fn pushes(self) -> bool {
        matches!(self, Self::Rabbitmq)
    }
}

/// An execution's pinned facts, resolved from its action's definition and checked parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// What it runs.
    pub action: ActionRef,
    /// Exactly which version of it.
    pub definition: DefinitionHash,
    /// Who carries it out.
    pub work: Work,
    /// Labels that the worker must have.
    pub selector: BTreeMap<String, String>,
    /// Where it waits.
    pub queue: QueueKey,
    /// The limit that the definition declares for that queue; `None` = unlimited. An operator's
    /// limit goes before it.
    pub limit: Option<u32>,
    /// What happens after failures and losses.
    pub policy: Policy,
    /// The parameters, checked, with defaults filled in.
    pub parameters: Value,
}
