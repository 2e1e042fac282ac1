//! The configuration: the one reader of the environment and of `steadfast.yaml`.
//!
//! [`keys::KEYS`] lists every key; [`Config::load`] puts flags, environment, file, preset and
//! defaults on top of each other, checks them, and hands out one typed value.

#[cfg(test)]
mod bounds;
mod environment;
mod keys;
mod layers;
mod order;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use steadfast_runtime::core::effect::Trigger;
use steadfast_runtime::core::settings::Settings;
use steadfast_runtime::core::{Backoff, RetryPolicy, Span};
use steadfast_runtime::effects::address_problem;
use steadfast_runtime::packs::PolicyDefaults;
use steadfast_runtime::{Durability, EffectOptions, JournalOptions, Options, Webhook};
use steadfast_services::port::Probing;

pub(crate) use environment::Environment;
pub(crate) use layers::Flag;
use layers::Layers;
use value::{Source, seconds};

/// Everything that is configured and that something built so far looks at. The other keys are
/// checked all the same.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// What was ignored in it or in the environment.
    pub(crate) warnings: Vec<String>,
    /// Where the state is kept, if anybody says.
    pub(crate) database_url: Option<String>,
    pub(crate) database: Database,
    /// How work reaches the workers, by its word.
    pub(crate) transport: String,
    pub(crate) message_queue: MessageQueue,
    pub(crate) durability: Durability,
    pub(crate) executor: Executor,
    pub(crate) worker: Worker,
    pub(crate) queue: Queue,
    pub(crate) api: Api,
    pub(crate) effects: Effects,
    pub(crate) journal: Option<JournalOptions>,
    /// Directories that hold packs, all of which are there.
    pub(crate) packs: Vec<PathBuf>,
}

/// The section `database`, apart from the address.
#[derive(Clone)]
pub(crate) struct Database {
    /// A way around the pooler, if there is one.
    pub(crate) direct_url: Option<String>,
    pub(crate) max_connections: u32,
    pub(crate) acquire_timeout: Duration,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address holds a password.
        f.debug_struct("Database").field("max_connections", &self.max_connections).finish()
    }
}

/// The section `message_queue`.
#[derive(Clone)]
pub(crate) struct MessageQueue {
    pub(crate) url: Option<String>,
    pub(crate) prefetch: u64,
    pub(crate) confirm_timeout: Duration,
    pub(crate) worker_queue_ttl: Duration,
    /// Where dead letters go, if they are kept.
    pub(crate) dead_letter_exchange: Option<String>,
    pub(crate) dead_letter_ttl: Duration,
}

impl std::fmt::Debug for MessageQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address holds a password.
        f.debug_struct("MessageQueue").field("prefetch", &self.prefetch).finish_non_exhaustive()
    }
}

/// The section `executor`.
#[derive(Clone, Debug)]
pub(crate) struct Executor {
    pub(crate) max_lost_attempts: u32,
    pub(crate) scheduled_timeout: Span,
    pub(crate) sweep_interval: Span,
    pub(crate) batch_size: usize,
    /// How long what is over is kept.
    pub(crate) retention: Span,
    /// Where it answers probes, if anywhere.
    pub(crate) probe_listen: Option<String>,
}

/// The section `worker`.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) name: Option<String>,
    pub(crate) capacity: Option<u32>,
    pub(crate) lease_renew_interval: Span,
    pub(crate) lease: Span,
    pub(crate) shutdown_timeout: Span,
    pub(crate) kill_grace: Duration,
    pub(crate) max_result_bytes: usize,
    pub(crate) labels: BTreeMap<String, String>,
    /// Where it answers probes, if anywhere.
    pub(crate) probe_listen: Option<String>,
    /// Where executors find that, if not there.
    pub(crate) probe_address: Option<String>,
    pub(crate) probing: Probing,
}

/// The section `queue`.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) max_queue_length: u64,
    pub(crate) queue_timeout: Option<Span>,
}

/// The section `api`, and where clients find the API.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) listen: String,
    /// Whether somebody chose `listen`.
    pub(crate) listen_is_chosen: bool,
    pub(crate) tokens: Vec<Token>,
    pub(crate) max_body_bytes: usize,
    /// `STEADFAST_API_URL`.
    pub(crate) url: Option<String>,
    /// `STEADFAST_API_TOKEN`.
    pub(crate) token: Option<String>,
}

/// The section `effects`.
#[derive(Clone, Debug)]
pub(crate) struct Effects {
    pub(crate) options: EffectOptions,
    pub(crate) retry: RetryPolicy,
}

impl Effects {
    fn typed(layers: &Layers) -> Self {
        let list = layers.get("effects.webhooks").and_then(|given| given.value.as_array());
        let read = |webhook: &Value| {
            let text = |name: &str| webhook.get(name).and_then(Value::as_str);
            let actions = webhook.get("actions").and_then(Value::as_array).into_iter().flatten();
            Webhook {
                url: text("url").unwrap_or_default().to_owned(),
                on: text("on").and_then(|on| on.parse().ok()).unwrap_or(Trigger::Ended),
                actions: actions.filter_map(Value::as_str).map(str::to_owned).collect(),
            }
        };
        Self {
            options: EffectOptions {
                webhooks: list.into_iter().flatten().map(read).collect(),
                signing_secret: layers.text("effects.signing_secret"),
                allow_private_addresses: layers.flag("effects.allow_private_addresses"),
                timeout: layers.span("effects.timeout_seconds").into(),
            },
            retry: RetryPolicy {
                count: layers.count("effects.max_attempts").unwrap_or(1).saturating_sub(1),
                delay: layers.span("effects.retry_delay_seconds"),
                backoff: Backoff::Exponential,
                max_delay: Some(layers.span("effects.max_delay_seconds")),
                jitter_permille: 200,
            },
        }
    }

    /// Every receiver must be at an address that may be told. It may hold a secret and is not shown.
    fn check(&self, layers: &Layers) -> Result<(), Vec<String>> {
        let Some(given) = layers.get("effects.webhooks") else { return Ok(()) };
        let allowed = self.options.allow_private_addresses;
        let webhooks = self.options.webhooks.iter().enumerate();
        let problems = webhooks.filter_map(|(number, webhook)| {
            let problem = address_problem(&webhook.url, allowed)?;
            let (source, number) = (&given.source, number + 1);
            Some(format!("{source}: the `url` of webhook {number} of `effects.webhooks` {problem}"))
        });
        let problems: Vec<String> = problems.collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// A try with all that is around it, and time to spare for whoever is slow to begin.
    fn lease(&self) -> Span {
        Span::from(self.options.timeout) + Span::from_secs(10)
    }
}

/// Who may use the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) sha256: String,
}

impl Config {
    /// Reads `file`, or `steadfast.yaml` if it is there, and what goes before it.
    ///
    /// # Errors
    /// Every sentence that says what is wrong, with its place.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: &Environment,
        flags: &[Flag],
    ) -> Result<Self, Vec<String>> {
        let layers = Layers::read(file, environment, flags)?;
        let packs = pack_directories(&layers)?;
        let mut config = Self::typed(&layers, packs);
        config.effects.check(&layers)?;
        config.api.url = environment.get("STEADFAST_API_URL").map(str::to_owned);
        config.api.token = environment.get("STEADFAST_API_TOKEN").map(str::to_owned);
        Ok(config)
    }

    fn typed(layers: &Layers, packs: Vec<PathBuf>) -> Self {
        Self {
            file: layers.file.clone(),
            warnings: layers.warnings.clone(),
            database_url: layers.text("database.url"),
            database: Database {
                direct_url: layers.text("database.direct_url"),
                max_connections: layers.count("database.max_connections").unwrap_or(10),
                acquire_timeout: layers.span("database.acquire_timeout_seconds").into(),
            },
            transport: layers.text("transport").unwrap_or_default(),
            message_queue: MessageQueue {
                url: layers.text("message_queue.url"),
                prefetch: layers.whole("message_queue.prefetch"),
                confirm_timeout: layers.span("message_queue.confirm_timeout_seconds").into(),
                worker_queue_ttl: layers.millis("message_queue.worker_queue_ttl_ms"),
                dead_letter_exchange: layers
                    .text("message_queue.dead_letter.exchange")
                    .filter(|_| layers.flag("message_queue.dead_letter.enabled")),
                dead_letter_ttl: layers.millis("message_queue.dead_letter.ttl_ms"),
            },
            durability: match layers.text("database.synchronous").as_deref() {
                Some("normal") => Durability::Normal,
                _ => Durability::Full,
            },
            executor: Executor {
                max_lost_attempts: layers.count("executor.max_lost_attempts").unwrap_or(0),
                scheduled_timeout: layers.span("executor.scheduled_timeout"),
                sweep_interval: layers.span("executor.sweep_interval"),
                batch_size: layers.size("executor.batch_size"),
                retention: Span::from_secs(
                    layers.whole("executor.retention_days").saturating_mul(86_400),
                ),
                probe_listen: layers.text("executor.probe_listen"),
            },
            worker: Worker::typed(layers),
            queue: Queue {
                max_queue_length: layers.whole("queue.max_queue_length"),
                queue_timeout: Some(layers.span("queue.queue_timeout_seconds"))
                    .filter(|span| !span.is_zero()),
            },
            effects: Effects::typed(layers),
            api: Api {
                listen: layers.text("api.listen").unwrap_or_default(),
                listen_is_chosen: layers
                    .get("api.listen")
                    .is_some_and(|given| given.source != Source::Default),
                tokens: layers.tokens(),
                max_body_bytes: layers.size("api.max_body_bytes"),
                url: None,
                token: None,
            },
            journal: layers.text("journal.directory").map(|directory| JournalOptions {
                directory: directory.into(),
                max_bytes: layers.whole("journal.max_mib").saturating_mul(1 << 20),
            }),
            packs,
        }
    }

    /// How an engine in this process is to be run, apart from where its data is.
    pub(crate) fn options(&self) -> Options {
        let effects = &self.effects;
        let lease = self.worker.lease;
        Options {
            durability: self.durability,
            settings: Settings {
                lease,
                beat_overdue: Span::from_micros(lease.as_micros() / 4 * 3),
                sweep_interval: self.executor.sweep_interval,
                offer_timeout: self.executor.scheduled_timeout,
                unschedulable_after: self.executor.scheduled_timeout,
                max_queue_length: self.queue.max_queue_length,
                effect_lease: effects.lease(),
                effect_retry: effects.retry,
                ..Settings::DEFAULT
            },
            effects: effects.options.clone(),
            defaults: PolicyDefaults {
                max_losses: self.executor.max_lost_attempts,
                queue_timeout: self.queue.queue_timeout,
            },
            batch_size: self.executor.batch_size,
            retention: Some(self.executor.retention),
            worker_name: self.worker.name.clone().unwrap_or_else(|| "local".to_owned()),
            capacity: self.worker.capacity.unwrap_or_else(usual_capacity),
            labels: self.worker.labels.clone(),
            probing: self.worker.probing,
            renew_interval: self.worker.lease_renew_interval,
            shutdown_timeout: self.worker.shutdown_timeout,
            kill_grace: self.worker.kill_grace,
            max_result_bytes: self.worker.max_result_bytes,
            journal: self.journal.clone(),
            logs_kept: self.executor.retention,
            ..Options::default()
        }
    }
}

impl Worker {
    fn typed(layers: &Layers) -> Self {
        Self {
            name: layers.text("worker.name"),
            capacity: layers.count("worker.capacity"),
            lease_renew_interval: layers.span("worker.lease_renew_interval"),
            lease: layers.span("worker.lease_seconds"),
            shutdown_timeout: layers.span("worker.shutdown_timeout"),
            kill_grace: layers.span("worker.kill_grace").into(),
            max_result_bytes: layers.size("worker.max_result_bytes"),
            labels: layers.labels("worker.selector_labels"),
            probe_listen: layers.text("worker.probe_listen"),
            probe_address: layers.text("worker.probe_address"),
            probing: Probing {
                interval: layers.span("worker.probe_interval"),
                staleness: layers.span("worker.probe_staleness"),
            },
        }
    }
}

/// Enough for the windows of with_items lists: actions wait more than they compute.
fn usual_capacity() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores.saturating_mul(4)).unwrap_or(u32::MAX).max(16)
}

/// The directories of `packs.paths`. Those in a file are relative to it.
fn pack_directories(layers: &Layers) -> Result<Vec<PathBuf>, Vec<String>> {
    let Some(given) = layers.get("packs.paths") else { return Ok(Vec::new()) };
    let base = match (&given.source, &layers.file) {
        (Source::File(..) | Source::Default, Some(file)) => file.parent().unwrap_or(Path::new("")),
        _ => Path::new(""),
    };
    let names = given.value.as_array().into_iter().flatten().filter_map(Value::as_str);
    let (found, missing): (Vec<_>, Vec<_>) =
        names.map(|name| base.join(name)).partition(|path| path.is_dir());
    if given.source == Source::Default || missing.is_empty() {
        return Ok(found);
    }
    let source = &given.source;
    Err(missing
        .iter()
        .map(|path| format!("{source}: `packs.paths`: {} is not a directory", path.display()))
        .collect())
}

impl Layers {
    fn text(&self, path: &str) -> Option<String> {
        self.get(path)?.value.as_str().map(str::to_owned)
    }

    fn whole(&self, path: &str) -> u64 {
        self.get(path).and_then(|given| given.value.as_u64()).unwrap_or(0)
    }

    fn count(&self, path: &str) -> Option<u32> {
        self.get(path)?.value.as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn size(&self, path: &str) -> usize {
        usize::try_from(self.whole(path)).unwrap_or(usize::MAX)
    }

    fn span(&self, path: &str) -> Span {
        let given = self.get(path).and_then(|given| seconds(&given.value)).unwrap_or(0.0);
        Span::from(Duration::from_secs_f64(given))
    }

    fn millis(&self, path: &str) -> Duration {
        Duration::from_millis(self.whole(path))
    }

    fn flag(&self, path: &str) -> bool {
        self.get(path).and_then(|given| given.value.as_bool()).unwrap_or(false)
    }

    fn labels(&self, path: &str) -> BTreeMap<String, String> {
        let labels = self.get(path).and_then(|given| given.value.as_object());
        let pairs = labels.into_iter().flatten();
        pairs.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
    }

    fn tokens(&self) -> Vec<Token> {
        let tokens = self.get("api.tokens").and_then(|given| given.value.as_array());
        let text = |token: &Value, name: &str| {
            token.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let read = |token: &Value| Token {
            name: text(token, "name"),
            role: text(token, "role"),
            sha256: text(token, "sha256").to_lowercase(),
        };
        tokens.into_iter().flatten().map(read).collect()
    }
}
