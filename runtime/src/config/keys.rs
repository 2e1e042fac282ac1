//! Every key of the configuration: what it may be, what it is when nobody says, what it is for.
//! The reader, the checks and the reference in the documentation all go by this table.

/// What the value of a key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text but an empty one.
    Text,
    /// An address with one of these schemes. It may hold a password, so it is never quoted.
    Url(&'static [&'static str]),
    /// More than nothing, in seconds; fractions are fine.
    Seconds,
    /// Seconds, where 0 means for ever.
    SecondsOrNever,
    /// Whole milliseconds, more than 0.
    Millis,
    /// A whole number of at least this.
    Whole(u64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `HOST:PORT`.
    Address,
    /// A list of directories.
    Paths,
    /// A mapping from text to text.
    Labels,
    /// The list of API tokens.
    Tokens,
    /// The list of those who are told of ends.
    Webhooks,
    /// A text that nobody is shown.
    Secret,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Section and name, joined by dots.
    pub(crate) path: &'static str,
    /// What its value must be.
    pub(crate) kind: Kind,
    /// The default as it would stand in the file; empty = there is none.
    pub(crate) default: &'static str,
    /// What it is for.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reference, which a test writes"))]
    pub(crate) about: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { path, kind, default, about }
}

/// All keys, section by section.
pub(crate) const KEYS: &[Key] = &[
    key(
        "preset",
        Kind::Word(&["development", "production"]),
        "",
        "values for several keys at once; what a key says for itself goes before its preset",
    ),
    key(
        "transport",
        Kind::Word(&["rabbitmq", "postgres", "embedded"]),
        "embedded",
        "how work reaches the workers; pinned in each execution when it is submitted",
    ),
    key(
        "database.url",
        Kind::Url(&["postgres", "postgresql", "sqlite"]),
        "",
        "where the state is kept: `postgres://...`, or `sqlite://PATH` for a data directory",
    ),
    key(
        "database.direct_url",
        Kind::Url(&["postgres", "postgresql"]),
        "",
        "a connection around the pooler, for LISTEN: hints that RabbitMQ does not take go this way; \
         without it, sweeps find what they spoke of",
    ),
    key("database.max_connections", Kind::Whole(1), "10", "the size of the connection pool"),
    key(
        "database.acquire_timeout_seconds",
        Kind::Seconds,
        "10",
        "how long a free connection is waited for",
    ),
    key(
        "database.synchronous",
        Kind::Word(&["full", "normal"]),
        "full",
        "whether a commit of the embedded store survives a loss of power (`full`) or only the \
         death of the process (`normal`)",
    ),
    key("message_queue.url", Kind::Url(&["amqp", "amqps"]), "", "the RabbitMQ server"),
    key("message_queue.prefetch", Kind::Whole(1), "256", "deliveries that a consumer may hold"),
    key(
        "message_queue.confirm_timeout_seconds",
        Kind::Seconds,
        "5",
        "how long a publisher confirm is waited for",
    ),
    key(
        "message_queue.worker_queue_ttl_ms",
        Kind::Millis,
        "300000",
        "how long a message may lie in a worker's broker queue",
    ),
    key(
        "message_queue.dead_letter.enabled",
        Kind::Flag,
        "true",
        "whether expired and refused messages are kept",
    ),
    key(
        "message_queue.dead_letter.exchange",
        Kind::Text,
        "steadfast.dlx",
        "the exchange that they go to",
    ),
    key(
        "message_queue.dead_letter.ttl_ms",
        Kind::Millis,
        "86400000",
        "how long they are kept there",
    ),
    key(
        "executor.max_lost_attempts",
        Kind::Whole(0),
        "5",
        "how many attempts of an execution may be lost with their worker before it is abandoned",
    ),
    key(
        "executor.scheduled_timeout",
        Kind::Seconds,
        "300",
        "how long an execution may wait for a worker that could run it, or for the worker that it \
         was offered to",
    ),
    key(
        "executor.timeout_check_interval",
        Kind::Seconds,
        "60",
        "nothing: an executor ends what is due when it is due, and looks for what it does not know of \
         every `executor.sweep_interval`, so there is no check to be timed",
    ),
    key(
        "executor.sweep_interval",
        Kind::Seconds,
        "1",
        "how often due work, dead workers and lost hints are looked for",
    ),
    key(
        "executor.probe_listen",
        Kind::Address,
        "",
        "where an `executor` process says how it is, as a worker does; by default nowhere",
    ),
    key("executor.batch_size", Kind::Whole(1), "256", "inputs that one transaction takes at most"),
    key("executor.retention_days", Kind::Whole(1), "7", "how long ended executions are kept"),
    key("worker.name", Kind::Text, "", "the worker's name; by default `local`"),
    key(
        "worker.capacity",
        Kind::Whole(1),
        "",
        "executions that it runs at once; by default four for each core, and 16 at least",
    ),
    key(
        "worker.heartbeat_interval",
        Kind::Seconds,
        "10",
        "nothing: a worker reports with each renewal of its lease, and the lease alone decides whether \
         it lives; see `worker.lease_renew_interval` and `worker.lease_seconds`",
    ),
    key("worker.lease_renew_interval", Kind::Seconds, "1", "how often it renews its lease"),
    key(
        "worker.lease_seconds",
        Kind::Seconds,
        "4",
        "how long its attempts are its own after a renewal",
    ),
    key(
        "worker.shutdown_timeout",
        Kind::Seconds,
        "30",
        "how long running work may take to finish when the worker stops",
    ),
    key(
        "worker.shutdown_grace",
        Kind::Seconds,
        "",
        "how long the service manager waits after SIGTERM before it kills (systemd's \
         `TimeoutStopSec`, Kubernetes' `terminationGracePeriodSeconds`); only checked against \
         `worker.shutdown_timeout`",
    ),
    key(
        "worker.kill_grace",
        Kind::Seconds,
        "5",
        "how long a process may take to end after SIGTERM before SIGKILL",
    ),
    key(
        "worker.max_result_bytes",
        Kind::Whole(1),
        "1048576",
        "how large a result may be; a larger output fails the execution, its log is kept",
    ),
    key(
        "worker.probe_listen",
        Kind::Address,
        "",
        "where a worker says how it is (`/health/live`, `/health/ready`, `/health/detailed`, `/metrics`) \
         and executors ask it whether it moves; by default nowhere, and it is not asked. Only loopback \
         is listened on unless there are `api.tokens`",
    ),
    key(
        "worker.probe_address",
        Kind::Address,
        "",
        "where executors find it; by default `worker.probe_listen`, with the name of this host where \
         that is every address",
    ),
    key(
        "worker.probe_interval",
        Kind::Seconds,
        "5",
        "how often an executor asks each worker whether it moves",
    ),
    key(
        "worker.probe_staleness",
        Kind::Seconds,
        "15",
        "how long asking for work, starting an action or keeping its output may take, and how long a \
         worker that has answered may be silent, before it gets nothing new until it moves again",
    ),
    key("worker.selector_labels", Kind::Labels, "{}", "what a task's `worker_selector` looks at"),
    key(
        "queue.max_queue_length",
        Kind::Whole(1),
        "10000",
        "how many may wait in one queue; a submit beyond it is refused, a workflow child waits",
    ),
    key(
        "queue.queue_timeout_seconds",
        Kind::SecondsOrNever,
        "3600",
        "how long an execution may wait in its queue before it fails; 0 = for ever",
    ),
    key(
        "effects.webhooks",
        Kind::Webhooks,
        "[]",
        "who is told of the ends of executions that clients submit: a list of `{url, on, actions}`, \
         `on` `completed`, `unsuccessful` or `ended` (the default), `actions` names or beginnings \
         that end in `*`, by default all; what has been submitted keeps those it had then",
    ),
    key(
        "effects.max_attempts",
        Kind::Whole(1),
        "10",
        "how often a delivery is tried before it is given up",
    ),
    key(
        "effects.retry_delay_seconds",
        Kind::Seconds,
        "2",
        "the pause after a failed delivery; it doubles with each further one",
    ),
    key(
        "effects.max_delay_seconds",
        Kind::Seconds,
        "600",
        "the longest pause between two tries, also when the receiver asks for a longer one",
    ),
    key("effects.timeout_seconds", Kind::Seconds, "10", "how long one try may take"),
    key(
        "effects.signing_secret",
        Kind::Secret,
        "",
        "with what deliveries are signed (HMAC-SHA256, header `Steadfast-Signature`); by default \
         they are not",
    ),
    key(
        "effects.allow_private_addresses",
        Kind::Flag,
        "false",
        "whether receivers may be at addresses that belong to no public network, such as \
         127.0.0.1 or 10.0.0.1",
    ),
    key(
        "journal.directory",
        Kind::Text,
        "",
        "where this process writes down what it decides, so that the decisions can be checked; it is \
         as secret as the database. By default nowhere",
    ),
    key(
        "journal.max_mib",
        Kind::Whole(1),
        "1024",
        "how many MiB of it one process keeps; then the older half goes",
    ),
    key("api.listen", Kind::Address, "127.0.0.1:8080", "where the HTTP API listens"),
    key(
        "api.tokens",
        Kind::Tokens,
        "[]",
        "who may use the API: a list of `{name, role, sha256}`, role `viewer`, `operator` or \
         `admin`, `sha256` the hash of the bearer token in hex; without any, only loopback is \
         listened on",
    ),
    key("api.max_body_bytes", Kind::Whole(1), "1048576", "how large a request may be"),
    key(
        "packs.paths",
        Kind::Paths,
        "[./packs]",
        "directories that hold packs, relative to the configuration file; a missing `./packs` is \
         fine as long as nobody named it",
    ),
];

/// Keys that are checked and that nothing obeys, by design, and what happens instead.
pub(crate) const IDLE: &[(&str, &str)] = &[
    (
        "executor.timeout_check_interval",
        "what is due is ended when it is due, and looked for every `executor.sweep_interval`",
    ),
    ("worker.heartbeat_interval", "a worker reports with each renewal of its lease"),
];

/// The values of a preset.
pub(crate) fn preset(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "development" => &[
            ("executor.scheduled_timeout", "120"),
            ("executor.timeout_check_interval", "30"),
            ("worker.heartbeat_interval", "10"),
            ("worker.shutdown_timeout", "15"),
        ],
        "production" => &[
            ("executor.scheduled_timeout", "300"),
            ("executor.timeout_check_interval", "60"),
            ("worker.heartbeat_interval", "10"),
            ("worker.shutdown_timeout", "30"),
        ],
        _ => &[],
    }
}

/// The key at `path`.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether keys lie below `path`.
pub(crate) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

impl Key {
    /// The environment variable that overrides it.
    #[cfg(test)]
    pub(crate) fn variable(&self) -> String {
        format!("STEADFAST__{}", self.path.replace('.', "__").to_uppercase())
    }

    /// What its value must be, in words.
    pub(crate) fn wanted(&self) -> String {
        match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Url(schemes) => format!("an address that begins with {}", alternatives(schemes)),
            Kind::Seconds => "a number of seconds, more than 0".to_owned(),
            Kind::SecondsOrNever => "a number of seconds, 0 for no limit".to_owned(),
            Kind::Millis => "a whole number of milliseconds, more than 0".to_owned(),
            Kind::Whole(least) => format!("a whole number of at least {least}"),
            Kind::Flag => "`true` or `false`".to_owned(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Address => "HOST:PORT, such as 127.0.0.1:8080".to_owned(),
            Kind::Paths => "a list of directories".to_owned(),
            Kind::Labels => "a mapping from names to texts".to_owned(),
            Kind::Tokens => "a list of {name, role, sha256}".to_owned(),
            Kind::Webhooks => "a list of {url, on, actions}".to_owned(),
            Kind::Secret => "text".to_owned(),
        }
    }

    /// Whether its value may be shown.
    pub(crate) const fn is_private(&self) -> bool {
        matches!(self.kind, Kind::Url(_) | Kind::Tokens | Kind::Webhooks | Kind::Secret)
    }
}

fn alternatives(schemes: &[&str]) -> String {
    let schemes: Vec<String> = schemes.iter().map(|scheme| format!("`{scheme}://`")).collect();
    schemes.join(" or ")
}
