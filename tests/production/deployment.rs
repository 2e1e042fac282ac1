//! A deployment: two servers, a pack, and the processes that a test starts.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use steadfast_servers::{Postgres, RabbitServer, Stop};

use crate::support::{Ended, Place, Running, Start, eventually};

/// One deployment at a time: each has two servers, and its processes are timed.
static ALONE: Mutex<()> = Mutex::new(());

/// Servers and a place with a pack.
pub(crate) struct Deployment {
    place: Place,
    database: Postgres,
    broker: Option<RabbitServer>,
    database_url: String,
    /// Where there is RabbitMQ, even while it is away; nothing where the database is the broker.
    broker_url: Option<String>,
    _alone: std::sync::MutexGuard<'static, ()>,
}

/// Notes that an attempt has begun, one line for each.
const NOTE: &str = "echo \"$STEADFAST_EXECUTION_ID $STEADFAST_ATTEMPT $(date +%s%6N) $$ $PPID\" \
     >> \"$(dirname \"$0\")/../../begun\"\n";

/// An attempt that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) execution: u64,
    pub(crate) attempt: u32,
    /// In microseconds since the epoch.
    pub(crate) at: u64,
    pub(crate) process: i32,
    /// The worker's process.
    pub(crate) worker: i32,
}

const FLOW: &str = "ref: t.flow\nlabel: Flow\nversion: 1.0.0\ntasks:\n  \
    - { name: each, action: t.step, with_items: [1, 2, 3, 4], concurrency: 4, \
        next: [{ do: [after] }] }\n  \
    - { name: after, action: t.step }\n";

impl Deployment {
    /// With a database that has the schema.
    pub(crate) fn new() -> Self {
        Self::bare().migrated()
    }

    /// With an empty database.
    pub(crate) fn bare() -> Self {
        Self::with(|| Some(RabbitServer::start().unwrap_or_else(|failure| panic!("{failure}"))))
    }

    /// With a database that has the schema and is the broker too.
    pub(crate) fn without_broker() -> Self {
        Self::with(|| None).migrated()
    }

    fn migrated(self) -> Self {
        self.steadfast(&["migrate"]).run().code(0).says("the schema is at version");
        self
    }

    fn with(broker: impl FnOnce() -> Option<RabbitServer>) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let database = Postgres::start(&[]).unwrap_or_else(|failure| panic!("{failure}"));
        let database_url = database.create_database("steadfast").expect("it can be made");
        let broker = broker();
        let place = Place::new();
        place.action("step", "", NOTE);
        place.action("alone", "concurrency_limit: 1\n", &format!("{NOTE}sleep 0.2\n"));
        place.action("slow", "", &format!("{NOTE}sleep 2\n"));
        // Its first attempt never ends by itself.
        place.action(
            "held",
            "concurrency_limit: 1\n",
            &format!("{NOTE}[ \"$STEADFAST_ATTEMPT\" -gt 1 ] || exec sleep 1000\n"),
        );
        place.action("picky", "retry: { count: 2 }\n", &format!("{NOTE}exit 1\n"));
        place.write("pack/workflows/flow.yaml", FLOW);
        let broker_url = broker.as_ref().map(RabbitServer::url);
        Self { place, database, broker, database_url, broker_url, _alone: alone }
    }

    /// Where the processes keep their journals.
    pub(crate) fn journals(&self) -> PathBuf {
        self.place.path("journals")
    }

    /// Where the pack is.
    pub(crate) fn pack(&self) -> PathBuf {
        self.place.path("pack")
    }

    /// A command that knows the servers.
    pub(crate) fn steadfast(&self, arguments: &[&str]) -> Start {
        let start = self.place.steadfast(arguments);
        let start = match &self.broker_url {
            Some(url) => start.env("STEADFAST__TRANSPORT", "rabbitmq").env("AMQP_URL", url),
            None => start.env("STEADFAST__TRANSPORT", "postgres"),
        };
        start
            .env("DATABASE_URL", &self.database_url)
            .env("STEADFAST__JOURNAL__DIRECTORY", self.journals())
    }

    /// Executor and API.
    pub(crate) fn serve(&self) -> Running {
        self.serve_as(|start| start)
    }

    /// Executor and API, which tell this address of every end. A try may take two seconds.
    pub(crate) fn serve_telling(&self, url: &str) -> Running {
        let webhooks = format!(r#"[{{"url": "{url}"}}]"#);
        self.serve_as(|start| {
            start
                .env("STEADFAST__EFFECTS__WEBHOOKS", webhooks)
                .env("STEADFAST__EFFECTS__ALLOW_PRIVATE_ADDRESSES", "true")
                .env("STEADFAST__EFFECTS__TIMEOUT_SECONDS", "2")
                .env("STEADFAST__EFFECTS__RETRY_DELAY_SECONDS", "0.1")
        })
    }

    fn serve_as(&self, change: impl FnOnce(Start) -> Start) -> Running {
        let arguments = ["serve", "--pack", "pack", "--listen", "127.0.0.1:0"];
        let mut server = change(self.steadfast(&arguments)).start();
        self.note_url(&mut server);
        server
    }

    /// Waits until a server listens, and asks that one from now on.
    pub(crate) fn note_url(&self, server: &mut Running) {
        let seen = server.until("steadfast listens on ");
        let (_, rest) = seen.split_once("steadfast listens on ").expect("it was just seen");
        let url = rest.split_whitespace().next().expect("an address");
        self.place.write("url", url);
    }

    /// Runs a client verb to its end.
    pub(crate) fn client(&self, arguments: &[&str]) -> Ended {
        let url = self.url();
        self.place.steadfast(&[arguments, &["--api-url", &url]].concat()).run()
    }

    /// A worker.
    pub(crate) fn worker(&self, name: &str) -> Running {
        let arguments = ["worker", "--name", name, "--pack", "pack", "--capacity", "4"];
        let worker =
            self.steadfast(&arguments).env("STEADFAST__WORKER__PROBE_LISTEN", "127.0.0.1:0");
        let mut worker = worker.start();
        worker.until("is up");
        worker
    }

    /// What the API shows of a worker.
    pub(crate) fn row_of(&self, worker: &str) -> Value {
        let all = self.api("worker", &["list"]);
        let rows = all["items"].as_array().expect("a list");
        rows.iter().find(|row| row["name"] == worker).expect("it has registered").clone()
    }

    /// Where a worker published that it can be asked.
    pub(crate) fn probe_address(&self, worker: &str) -> String {
        let row = self.row_of(worker);
        row["labels"]["steadfast.io/probe"].as_str().expect("it is published").to_owned()
    }

    /// What a client verb answers.
    pub(crate) fn api(&self, verb: &str, rest: &[&str]) -> Value {
        let url = self.url();
        let arguments = [&[verb], rest, &["--api-url", &url, "-o", "json"]].concat();
        self.place.steadfast(&arguments).run().code(0).json()
    }

    /// Submits, and says which execution it became.
    pub(crate) fn submit(&self, action: &str) -> u64 {
        self.api("execution", &["run", action])["id"].as_u64().expect("an id")
    }

    /// Waits until there are `count` executions, all with this status.
    pub(crate) fn until_all_are(&self, status: &str, count: usize) {
        let mut seen = Value::Null;
        eventually(&format!("{count} executions that are {status}"), || {
            seen = self.api("execution", &["list", "--limit", "200"]);
            let rows = seen["items"].as_array().expect("a list");
            rows.len() == count && rows.iter().all(|row| row["status"] == status)
        });
    }

    /// Waits until `count` executions have this status, and `other` is the only one that has not.
    pub(crate) fn until_all_are_but(&self, status: &str, count: usize, other: u64) {
        eventually(&format!("{count} executions that are {status}"), || {
            let seen = self.api("execution", &["list", "--limit", "200"]);
            let rows = seen["items"].as_array().expect("a list");
            let (done, rest): (Vec<_>, Vec<_>) =
                rows.iter().partition(|row| row["status"] == status);
            done.len() == count && rest.iter().all(|row| row["id"] == other) && rest.len() == 1
        });
    }

    /// Waits until so many attempts have begun.
    pub(crate) fn until_begun(&self, count: usize) {
        eventually(&format!("{count} begun attempts"), || self.begun().len() >= count);
    }

    /// Execution and attempt of every process that was begun.
    pub(crate) fn begun(&self) -> Vec<(u64, u32)> {
        self.begun_in_detail().iter().map(|begun| (begun.execution, begun.attempt)).collect()
    }

    /// Every process that was begun.
    pub(crate) fn begun_in_detail(&self) -> Vec<Begun> {
        let text = fs::read_to_string(self.place.path("begun")).unwrap_or_default();
        let begun = |line: &str| {
            let numbers: Vec<u64> = line.split(' ').map(|n| n.parse().expect("a number")).collect();
            let [execution, attempt, at, process, worker] = numbers[..] else {
                panic!("not five: {line}")
            };
            let attempt = u32::try_from(attempt).expect("a small number");
            let pid = |number: u64| i32::try_from(number).expect("a process");
            Begun { execution, attempt, at, process: pid(process), worker: pid(worker) }
        };
        text.lines().map(begun).collect()
    }

    /// Every database of the server.
    pub(crate) fn databases(&self) -> String {
        let sql = "SELECT datname FROM pg_database ORDER BY datname";
        self.database.execute("postgres", sql).expect("it answers")
    }

    /// Every queue of the broker.
    pub(crate) fn queues(&self) -> String {
        let broker = self.broker.as_ref().expect("it is there");
        broker.rabbitmqctl(&["list_queues", "name"]).expect("it answers")
    }

    /// Where its processes run.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Where the API is.
    pub(crate) fn url(&self) -> String {
        fs::read_to_string(self.place.path("url")).expect("there is a server")
    }

    /// Throws bytes at the broker, as some other program would.
    pub(crate) fn throw(&self, exchange: &str, key: &str, body: &[u8]) {
        let executor = tokio::runtime::Runtime::new().expect("threads");
        executor.block_on(async {
            let properties = lapin::ConnectionProperties::default();
            let connection = lapin::Connection::connect(&self.broker().url(), properties).await;
            let connection = connection.expect("it connects");
            let channel = connection.create_channel().await.expect("a channel opens");
            channel.confirm_select(Default::default()).await.expect("it confirms");
            let (options, properties) = Default::default();
            let sent =
                channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
            let confirmed = sent.expect("it is sent").await.expect("it is confirmed");
            assert!(confirmed.is_ack());
        });
    }

    /// What the API answers to a request without a body: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(&self.url(), path).expect("the API answers")
    }

    /// The database server.
    pub(crate) fn database(&self) -> &Postgres {
        &self.database
    }

    /// Where the database is.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The message broker.
    pub(crate) fn broker(&self) -> &RabbitServer {
        self.broker.as_ref().expect("it was not stopped")
    }

    /// Goes to the database another way from now on.
    pub(crate) fn reach_the_database_at(&mut self, url: String) {
        self.database_url = url;
    }

    /// Takes the broker away for good.
    pub(crate) fn stop_the_broker(&mut self) {
        self.broker.take().expect("it is there").stop().expect("it stops");
    }

    /// Takes the database away.
    pub(crate) fn stop_the_database(&mut self) {
        self.database.stop(Stop::Immediate).expect("it stops");
    }

    /// Brings it back.
    pub(crate) fn start_the_database(&mut self) {
        self.database.start_again().expect("it starts");
    }

    /// Lets it crash, and brings it back after a while.
    pub(crate) fn restart_the_database(&mut self) {
        self.stop_the_database();
        #[expect(clippy::disallowed_methods, reason = "real processes notice in real time")]
        std::thread::sleep(std::time::Duration::from_secs(2));
        self.start_the_database();
    }
}

/// What is answered at `url`: status and body; nothing if nobody listens there.
pub(crate) fn get(url: &str, path: &str) -> Option<(u16, String)> {
    use std::io::{Read, Write};
    let address = url.trim_start_matches("http://");
    let mut socket = std::net::TcpStream::connect(address).ok()?;
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}
