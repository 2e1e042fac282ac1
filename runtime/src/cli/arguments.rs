//! The grammar of the command line.

mod schedule;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Flag;
use crate::output::Format;

pub(crate) use schedule::Schedule;

/// A workflow and queue engine that dispatches each piece of work once.
#[derive(Debug, Parser)]
#[command(name = "steadfast", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done; 1 the execution ended otherwise than completed, or a \
    check failed; 2 bad usage or bad input; 3 a server could not be reached; 4 the environment \
    refuses; 130 and 143 after SIGINT and SIGTERM.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags that may stand before or after the verb.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The configuration file; `steadfast.yaml` if that is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How the result is written.
    #[arg(short, long, global = true, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Where the API is [env: STEADFAST_API_URL].
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) api_url: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a workflow file or an action to its end, in this process.
    Run(Run),
    /// API, executor and a worker in one process, on the embedded store.
    Dev(Dev),
    /// Look at packs.
    Pack {
        #[command(subcommand)]
        verb: Pack,
    },
    /// Start, look at, cancel and repeat executions, through the API.
    Execution {
        #[command(subcommand)]
        verb: Execution,
    },
    /// Look at and adjust the queues of actions, through the API.
    Queue {
        #[command(subcommand)]
        verb: Queue,
    },
    /// Submit an action again and again, and look at what does, through the API.
    Schedule {
        #[command(subcommand)]
        verb: Schedule,
    },
    /// Look at and stop workers, through the API; without a further verb: be a production worker.
    Worker(Worker),
    /// Say the one thing that an execution waits for.
    Explain {
        /// Which execution.
        id: Id,
    },
    /// Check configuration, data directory, servers, interpreters, clock and API.
    Doctor(Doctor),
    /// Measure throughput and latency on the embedded store.
    Bench(Bench),
    /// Bring the database's schema up to date.
    Migrate,
    /// Be a production executor: decide what runs next.
    Executor(Executor),
    /// Be a production API server.
    Api(Serve),
    /// Be a production executor and API server.
    Serve(Serve),
    /// Be the process beside a worker that says when it is dead. Workers start it themselves.
    #[command(hide = true)]
    Witness(Witness),
    /// Look at what the outside world is told of ends, have it tried again or give it up, through
    /// the API.
    Effects {
        #[command(subcommand)]
        verb: Effects,
    },
    /// Look at messages that were put aside, hand them in again or give them up, through the API.
    Parked {
        #[command(subcommand)]
        verb: Parked,
    },
    /// Wait until a transport that is not in use any more has nothing left to do, through the API.
    Drain(Drain),
}

/// `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A workflow file (ends in .yaml or .yml, or contains a slash), or the ref of an action.
    pub(crate) target: String,
    /// A directory that is a pack; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) pack: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) parameters: Parameters,
    /// Where to keep the state, so that the same command goes on after a crash.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How many executions may run at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) capacity: Option<u32>,
}

/// Parameters of an action.
#[derive(Debug, Args)]
pub(crate) struct Parameters {
    /// A parameter; its value becomes what the action declares.
    #[arg(short, long = "param", value_name = "KEY=VALUE")]
    pub(crate) param: Vec<String>,
    /// All parameters, as a JSON object or a file with one; `-p` goes before it.
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) params: Option<String>,
}

/// `dev`.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// A directory that is a pack; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) pack: Vec<PathBuf>,
    /// Where the API listens; port 0 = any free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// Where to keep the state; a temporary directory if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How many executions may run at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) capacity: Option<u32>,
}

/// `pack`.
#[derive(Debug, Subcommand)]
pub(crate) enum Pack {
    /// Validate packs and print every problem.
    Check {
        /// Packs, or directories that hold packs.
        #[arg(required = true, value_name = "DIR")]
        directories: Vec<PathBuf>,
    },
}

/// An execution's number; `7` and `ex-7` are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) u64);

impl std::str::FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("ex-").unwrap_or(text);
        digits.parse().map(Self).map_err(|_| "an execution is named by its number, such as 7")
    }
}

/// `execution`.
#[derive(Debug, Subcommand)]
pub(crate) enum Execution {
    /// Submit an action.
    Run {
        /// Which action, as `pack.name`.
        action: String,
        #[command(flatten)]
        parameters: Parameters,
        /// Wait for its end; exit code 1 if it does not complete.
        #[arg(long)]
        wait: bool,
        /// The same key with the same parameters finds the execution that is there already.
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        /// Tell this address when it has ended; can be given several times.
        #[arg(long, value_name = "URL")]
        webhook: Vec<String>,
        /// Of which ends the addresses are told.
        #[arg(long, default_value = "ended", value_parser = ["completed", "unsuccessful", "ended"])]
        webhook_on: String,
    },
    /// One execution.
    Get {
        /// Which execution.
        id: Id,
    },
    /// A page of executions, newest first.
    List {
        /// Only those in this status; `scheduled` = offered or accepted.
        #[arg(long)]
        status: Vec<String>,
        /// Only those of this action.
        #[arg(long, value_name = "REF")]
        action: Option<String>,
        /// Only the children of this run.
        #[arg(long, value_name = "ID")]
        parent: Option<Id>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// Where the last page ended.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Ask an execution to stop.
    Cancel {
        /// Which execution.
        id: Id,
    },
    /// What its processes wrote.
    Logs {
        /// Which execution.
        id: Id,
        /// Only this stream.
        #[arg(long)]
        stream: Option<Stream>,
    },
    /// Submit an ended execution again, as a new one.
    Retry {
        /// Which execution.
        id: Id,
        /// Wait for its end; exit code 1 if it does not complete.
        #[arg(long)]
        wait: bool,
    },
}

/// A stream of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Its name in an address.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// `queue`.
#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// The queues of all actions.
    List,
    /// How full the queues of an action are.
    Stats {
        /// Which action.
        #[arg(value_name = "REF")]
        action: String,
    },
    /// Set how many executions of an action may run at once.
    SetLimit {
        /// Which action.
        #[arg(value_name = "REF")]
        action: String,
        /// How many; `unlimited` = no limit.
        #[arg(value_name = "N", value_parser = limit)]
        limit: Limit,
    },
    /// Admit nothing more of an action.
    Pause {
        /// Which action.
        #[arg(value_name = "REF")]
        action: String,
    },
    /// Admit its executions again.
    Resume {
        /// Which action.
        #[arg(value_name = "REF")]
        action: String,
    },
}

/// A limit on a queue; `None` = unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<u32>);

fn limit(text: &str) -> Result<Limit, String> {
    match text {
        "unlimited" | "none" | "null" => Ok(Limit(None)),
        _ => match text.parse::<u32>() {
            Ok(limit) if limit >= 1 => Ok(Limit(Some(limit))),
            _ => Err("a limit is a whole number of at least 1, or `unlimited`".to_owned()),
        },
    }
}

/// `worker`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Worker {
    #[command(subcommand)]
    pub(crate) verb: Option<WorkerVerb>,
    /// The worker's name; no two may have the same.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How many executions it runs at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) capacity: Option<u32>,
    /// A directory that is a pack; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) pack: Vec<PathBuf>,
    /// Where to keep the logs of what runs; a temporary directory if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// `witness`.
#[derive(Debug, Args)]
pub(crate) struct Witness {
    /// The worker's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What the worker's actions carry in their environment.
    #[arg(long, value_name = "MARK")]
    pub(crate) mark: String,
    /// Which of the worker's witnesses this is.
    #[arg(long, value_name = "N")]
    pub(crate) start: u64,
    /// What the names of the worker's queues begin with, if not with the usual.
    #[arg(long, value_name = "TEXT")]
    pub(crate) namespace: Option<String>,
}

/// `executor`.
#[derive(Debug, Args)]
pub(crate) struct Executor {
    /// A directory that is a pack; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) pack: Vec<PathBuf>,
}

/// `serve` and `api`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A directory that is a pack; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) pack: Vec<PathBuf>,
    /// Where the API listens; port 0 = any free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
}

/// What to do about workers.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkerVerb {
    /// All workers.
    List,
    /// Let a worker finish what it has and stop.
    Drain {
        /// Which worker.
        name: String,
    },
    /// Give a worker nothing new.
    Cordon {
        /// Which worker.
        name: String,
        /// Give it work again.
        #[arg(long)]
        undo: bool,
    },
}

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The data directory to look at.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A directory that is a pack; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) pack: Vec<PathBuf>,
}

/// `bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Which workloads; all when none is named.
    #[arg(value_name = "WORKLOAD", ignore_case = true)]
    pub(crate) workloads: Vec<Workload>,
    /// What to measure on.
    #[arg(long, default_value = "embedded")]
    pub(crate) backend: Backend,
    /// Whether a commit waits for the disk; the configured value if not given.
    #[arg(long, value_name = "MODE")]
    pub(crate) synchronous: Option<SynchronousMode>,
    /// How often each workload runs; the median is reported, with the lowest and the highest.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// A fraction of the usual size, for a quick look.
    #[arg(long, value_name = "FRACTION", default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// How many handlers run at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) capacity: u32,
    /// How many inputs one transaction takes at the most; the configured value if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_size: Option<u32>,
    /// Where to put the data directories; the system's temporary directory if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Be the worker process of this name.
    #[arg(long, hide = true, value_name = "NAME", requires = "namespace")]
    pub(crate) be_worker: Option<String>,
    /// What the names of the queues begin with that this process uses.
    #[arg(long, hide = true, value_name = "TEXT")]
    pub(crate) namespace: Option<String>,
    /// Be the process that workload w5 kills: how many jobs of how many milliseconds.
    #[arg(long, hide = true, value_name = "JOBS,MILLIS")]
    pub(crate) victim: Option<String>,
}

/// A benchmark workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// 20 000 no-op executions enqueued up front.
    W1,
    /// The same over 10 queues of limit 3, order checked.
    W2,
    /// 500 workflows of 10 items and a join.
    W3,
    /// Pickup latency when idle, one job each 50 ms.
    W4,
    /// 50 jobs of 2 s, the process killed half-way.
    W5,
}

/// What the benchmark measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// The embedded store, in this process.
    Embedded,
    /// PostgreSQL and RabbitMQ, as configured.
    Rabbitmq,
    /// PostgreSQL alone, as configured: it is the broker too.
    Postgres,
}

/// How durable a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SynchronousMode {
    /// It survives a loss of power.
    Full,
    /// It survives the death of the process.
    Normal,
}

/// `effects`.
#[derive(Debug, Subcommand)]
pub(crate) enum Effects {
    /// A page of them, those of the newest executions first.
    List {
        /// Only those in this state.
        #[arg(long, value_parser = ["planned", "sending", "delivered", "gave_up"])]
        state: Option<String>,
        /// Only those of this execution.
        #[arg(long, value_name = "ID")]
        execution: Option<Id>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Where the page before ended.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Have one that was given up tried again.
    Retry {
        /// Which effect.
        id: String,
    },
    /// Give one up.
    Discard {
        /// Which effect.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// `drain`.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Which transport.
    #[arg(long, value_enum)]
    pub(crate) transport: Carrier,
    /// Say what is left, and end at once.
    #[arg(long)]
    pub(crate) once: bool,
}

/// How work reaches workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carrier {
    /// Within one process.
    Embedded,
    /// By the database.
    Postgres,
    /// By RabbitMQ.
    Rabbitmq,
}

impl Carrier {
    /// Its name in the configuration and in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::Rabbitmq => "rabbitmq",
        }
    }
}

/// `parked`.
#[derive(Debug, Subcommand)]
pub(crate) enum Parked {
    /// All of them.
    List,
    /// One of them.
    Show {
        /// Which message.
        id: String,
    },
    /// Hand one in again.
    Replay {
        /// Which message.
        id: String,
    },
    /// Give one up.
    Discard {
        /// Which message.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

impl Verb {
    /// What is logged unless `RUST_LOG` says otherwise.
    pub(crate) const fn usual_level(&self) -> &'static str {
        match self {
            Self::Dev(_) | Self::Executor(_) | Self::Api(_) | Self::Serve(_) | Self::Witness(_) => {
                "info"
            }
            Self::Worker(worker) if worker.verb.is_none() => "info",
            // What the client library thinks of a refusal stands in the row that is about it.
            Self::Doctor(_) => "warn,lapin=off",
            _ => "warn",
        }
    }

    /// The flags that stand for keys of the configuration.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        if let Self::Run(Run { capacity: Some(capacity), .. })
        | Self::Dev(Dev { capacity: Some(capacity), .. })
        | Self::Worker(Worker { capacity: Some(capacity), .. }) = self
        {
            flags.push(("worker.capacity", "--capacity", capacity.to_string()));
        }
        if let Self::Worker(Worker { name: Some(name), .. }) | Self::Witness(Witness { name, .. }) =
            self
        {
            flags.push(("worker.name", "--name", name.clone()));
        }
        if let Self::Dev(Dev { listen: Some(listen), .. })
        | Self::Api(Serve { listen: Some(listen), .. })
        | Self::Serve(Serve { listen: Some(listen), .. }) = self
        {
            flags.push(("api.listen", "--listen", listen.clone()));
        }
        flags
    }
}
