//! An action as the engine knows it: checked, normalised, and named by its content.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use steadfast_core::workflow::Graph;
use steadfast_core::{ActionRef, DefinitionHash, OnLost, RetryPolicy, Runtime, Span, Work};

use crate::schema::Schema;
use crate::template::KeyTemplate;

/// Everything that is known about an action. An execution is pinned to one by [`Self::hash`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The name by which it is called, as `pack.name`.
    #[serde(rename = "ref")]
    pub action: ActionRef,
    /// A short title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A disabled action is known, and refused when somebody runs it.
    pub enabled: bool,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The parameters that it takes.
    pub parameters: Schema,
    /// What its result looks like, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Schema>,
    /// How long one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Further attempts after a failure or a timeout.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// What becomes of an attempt whose worker is lost.
    #[serde(default)]
    pub on_lost: OnLost,
    /// How many executions may hold a slot of one queue at once; `None` = unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<u32>,
    /// A template over `parameters`: one queue for each value. `None` = one queue in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// How it is carried out.
    pub kind: Kind,
    #[serde(skip)]
    memo: Memo,
}

/// How an action is carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By a process that a worker starts.
    Process(ProcessSpec),
    /// By a function of the Rust program that embeds the engine.
    Handler,
    /// By the engine, which runs other actions.
    Workflow(WorkflowSpec),
}

/// A workflow and everything that it was checked against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSpec {
    /// What follows what.
    pub graph: Graph,
    /// The actions that its tasks run, each in the version it had when the workflow was loaded.
    #[serde(default)]
    pub actions: BTreeMap<ActionRef, DefinitionHash>,
    /// The configuration of its pack, as `config.NAME`.
    #[serde(default)]
    pub config: Value,
}

/// How a process is started and spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The interpreter, or `native`.
    pub runtime: RuntimeKind,
    /// The directory of the pack: the working directory of the process. Not part of the content
    /// hash, because it differs between machines that hold the same pack.
    pub pack_dir: String,
    /// The script or executable, relative to the pack's directory, `/`-separated.
    pub entry_point: String,
    /// How the process receives its parameters.
    pub parameter_delivery: ParameterDelivery,
    /// In which notation.
    pub parameter_format: ParameterFormat,
    /// How its standard output is read.
    pub output_format: OutputFormat,
}

/// Declares an enum whose variants have one word each in YAML and JSON.
macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of declaration.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it in YAML and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What `word` stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(
    /// What runs an entry point.
    RuntimeKind {
        /// `sh FILE`.
        Shell = "shell",
        /// `python3 FILE`.
        Python = "python",
        /// `node FILE`.
        Nodejs = "nodejs",
        /// `perl FILE`.
        Perl = "perl",
        /// `ruby FILE`.
        Ruby = "ruby",
        /// The entry point itself, which is executable.
        Native = "native",
    }
);
words!(
    /// How a process receives its parameters.
    ParameterDelivery {
        /// On its standard input.
        Stdin = "stdin",
        /// In environment variables.
        Env = "env",
        /// In a file whose path it is told.
        File = "file",
    }
);
words!(
    /// The notation of the parameters.
    ParameterFormat {
        /// One JSON object.
        Json = "json",
        /// Lines of `NAME='value'`.
        Dotenv = "dotenv",
        /// One YAML mapping.
        Yaml = "yaml",
    }
);
words!(
    /// How standard output becomes a result.
    OutputFormat {
        /// As one text.
        Text = "text",
        /// As one JSON value.
        Json = "json",
        /// As a list with the JSON value of each line.
        Jsonl = "jsonl",
        /// As one YAML document.
        Yaml = "yaml",
    }
);

impl Definition {
    /// An enabled action without parameters, limits or retries.
    #[must_use]
    pub fn new(action: impl Into<ActionRef>, kind: Kind) -> Self {
        Self {
            action: action.into(),
            label: None,
            description: None,
            enabled: true,
            tags: Vec::new(),
            parameters: Schema::default(),
            output: None,
            timeout: None,
            retry: RetryPolicy::default(),
            on_lost: OnLost::default(),
            concurrency_limit: None,
            concurrency_key: None,
            kind,
            memo: Memo::default(),
        }
    }

    /// An action that a function of the embedding program carries out.
    #[must_use]
    pub fn handler(action: impl Into<ActionRef>) -> Self {
        Self::new(action, Kind::Handler)
    }

    /// The hash of its content: equal content has an equal hash on every machine, wherever the
    /// pack is installed. Computed once, so a definition is not changed after it was asked or
    /// executions of it were prepared.
    #[must_use]
    pub fn hash(&self) -> DefinitionHash {
        self.memo.hash.get_or_init(|| self.compute_hash()).clone()
    }

    fn compute_hash(&self) -> DefinitionHash {
        let mut content = serde_json::to_value(self).unwrap_or_default();
        if let Some(process) = content.pointer_mut("/kind/process").and_then(Value::as_object_mut) {
            process.remove("pack_dir");
        }
        let mut hasher = Sha256::new();
        feed(&content, &mut hasher);
        let mut hex = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        DefinitionHash::from(hex)
    }

    /// Which of the action's queues these parameters belong to; `None` if there is only one.
    pub(crate) fn queue_group(&self, parameters: &Value) -> Result<Option<String>, String> {
        let Some(text) = &self.concurrency_key else { return Ok(None) };
        let compile = || KeyTemplate::new(text, &self.parameters).map(Arc::new);
        self.memo.key.get_or_init(compile).clone()?.render(parameters).map(Some)
    }

    /// Who carries it out: what a worker must offer, or the engine.
    #[must_use]
    pub fn work(&self) -> Work {
        match &self.kind {
            Kind::Process(process) => Work::Runtime(Runtime::new(process.runtime.as_str())),
            Kind::Handler => Work::Runtime(handler_runtime(&self.action)),
            Kind::Workflow(_) => Work::Workflow,
        }
    }

    /// The workflow, if it is one.
    #[must_use]
    pub fn workflow(&self) -> Option<&WorkflowSpec> {
        match &self.kind {
            Kind::Workflow(workflow) => Some(workflow),
            Kind::Process(_) | Kind::Handler => None,
        }
    }
}

/// What a worker offers when its program handles `action` itself. Two programs may handle
/// different actions, so each handler is a runtime of its own.
#[must_use]
pub fn handler_runtime(action: &ActionRef) -> Runtime {
    Runtime::from(format!("handler:{action}"))
}

/// Feeds `value` to `hasher` in one notation, whatever order its maps keep.
fn feed(value: &Value, hasher: &mut Sha256) {
    match value {
        Value::Array(items) => {
            hasher.update(b"[");
            for item in items {
                feed(item, hasher);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        Value::Object(members) => feed_members(members, hasher),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hasher.update(value.to_string().as_bytes());
        }
    }
}

fn feed_members(members: &Map<String, Value>, hasher: &mut Sha256) {
    let sorted: BTreeMap<&String, &Value> = members.iter().collect();
    hasher.update(b"{");
    for (name, value) in sorted {
        hasher.update(Value::from(name.as_str()).to_string().as_bytes());
        hasher.update(b":");
        feed(value, hasher);
        hasher.update(b",");
    }
    hasher.update(b"}");
}

/// What was computed from a definition when it was first asked for. Two definitions are equal
/// whether or not it was.
#[derive(Clone, Debug, Default)]
struct Memo {
    hash: OnceLock<DefinitionHash>,
    key: OnceLock<Result<Arc<KeyTemplate>, String>>,
}

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
