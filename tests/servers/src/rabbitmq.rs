//! A private RabbitMQ: one node with its own name, cookie, port mapper and directories.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::daemon::{Daemon, Failure, find_program, free_port};

/// Where Debian keeps the scripts themselves; those on the path insist on the system's user.
const SCRIPTS: &[&str] = &["/usr/lib/rabbitmq/bin"];
const PACKAGE: &str = "rabbitmq-server";
const PATIENCE: Duration = Duration::from_secs(60);
/// Erlang's argument that keeps a node from listening to the world.
const LOOPBACK_ONLY: &str = "-kernel inet_dist_use_interface {127,0,0,1}";

/// A running broker. When this is dropped, the node, its port mapper and its files are gone.
#[derive(Debug)]
pub struct RabbitServer {
    // In the order in which they are dropped: first the node, last the directory it lives in.
    node: Option<Daemon>,
    _mapper: Daemon,
    port: u16,
    distribution_port: u16,
    mapper_port: u16,
    directory: TempDir,
}

impl RabbitServer {
    /// Starts a broker with the user `guest` (password `guest`) and the virtual host `/`.
    ///
    /// # Errors
    ///
    /// [`Failure`], if RabbitMQ is not installed or does not start.
    pub fn start() -> Result<Self, Failure> {
        find_program("rabbitmq-server", SCRIPTS, PACKAGE)?;
        let mapper = find_program("epmd", &[], "erlang-base")?;
        let directory = tempfile::Builder::new().prefix("steadfast-rabbitmq-").tempdir();
        let directory = directory.map_err(|error| Failure::system("making a directory", error))?;
        prepare(directory.path()).map_err(|error| Failure::system("preparing a node", error))?;
        let mapper_port = free_port()?;
        // In the foreground and by us: the one that Erlang would start stays when its node is gone.
        let mut command = Command::new(mapper);
        command.args(["-port", &mapper_port.to_string(), "-address", "127.0.0.1"]);
        let mut mapper = Daemon::start(command, directory.path(), "epmd.log", Signal::KILL)?;
        mapper.wait_until(PATIENCE, || answers(mapper_port))?;
        let (port, distribution_port) = (free_port()?, free_port()?);
        let mut server =
            Self { node: None, _mapper: mapper, port, distribution_port, mapper_port, directory };
        server.launch()?;
        Ok(server)
    }

    /// The directory that it lives in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.directory.path()
    }

    /// The address for `user`, at the virtual host `/`.
    #[must_use]
    pub fn url_for(&self, user: &str, password: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/%2f", self.port)
    }

    /// The address for the user that is there from the beginning.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("guest", "guest")
    }

    /// Starts the node again after [`RabbitServer::stop`]; what is durable is still there.
    ///
    /// # Errors
    ///
    /// [`Failure`], if it does not start.
    pub fn launch(&mut self) -> Result<(), Failure> {
        let command = self.command("rabbitmq-server")?;
        let mut node = Daemon::start(command, self.directory.path(), "node.log", Signal::KILL)?;
        let port = self.port;
        node.wait_until(PATIENCE, || answers(port))?;
        self.node = Some(node);
        Ok(())
    }

    /// Stops the node as an operator would. Without a node this does nothing.
    ///
    /// # Errors
    ///
    /// [`Failure::System`], if it cannot be told or waited for.
    pub fn stop(&mut self) -> Result<(), Failure> {
        let Some(mut node) = self.node.take() else { return Ok(()) };
        node.signal(Signal::TERM)?;
        node.wait()
    }

    /// Stops the node and starts it again.
    ///
    /// # Errors
    ///
    /// [`Failure`], if it does not stop or start.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.stop()?;
        self.launch()
    }

    /// Runs `rabbitmqctl` for this node, and gives what it prints.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] with what it complains about.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> Result<String, Failure> {
        let doing = || format!("rabbitmqctl {}", arguments.join(" "));
        let mut command = self.command("rabbitmqctl")?;
        command.args(["--quiet", "--timeout", "60"]).args(arguments);
        let output = command.output().map_err(|error| Failure::system(doing(), error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failure::system(doing(), io::Error::other(complaint)))
    }

    /// Writes a program to `path` that is `rabbitmqctl` for this node.
    ///
    /// # Errors
    ///
    /// [`Failure::System`], if it cannot be written.
    pub fn write_rabbitmqctl(&self, path: &Path) -> Result<(), Failure> {
        let command = self.command("rabbitmqctl")?;
        let mut text = format!("#!/bin/sh\ncd {}\n", self.directory.path().display());
        for (name, value) in command.get_envs() {
            let name = name.to_string_lossy();
            match value {
                Some(value) => {
                    text.push_str(&format!("export {name}='{}'\n", value.to_string_lossy()));
                }
                None => text.push_str(&format!("unset {name}\n")),
            }
        }
        let program = command.get_program().to_string_lossy();
        text.push_str(&format!("exec {program} --quiet --timeout 60 \"$@\"\n"));
        let written = fs::write(path, text)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)));
        written.map_err(|error| Failure::system("writing a program", error))
    }

    /// One of its scripts, in surroundings that have nothing of the system's own node.
    fn command(&self, script: &str) -> Result<Command, Failure> {
        let home = self.directory.path();
        let mut command = Command::new(find_program(script, SCRIPTS, PACKAGE)?);
        for (name, _) in std::env::vars_os() {
            let is_foreign = name.to_str().is_some_and(|name| {
                ["RABBITMQ_", "ERL_", "ELIXIR_", "NOTIFY_"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            });
            if is_foreign {
                command.env_remove(name);
            }
        }
        let place = |name: &str| home.join(name).into_os_string();
        command
            .current_dir(home)
            .env("HOME", home)
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("steadfast-{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", place("none"))
            .env("RABBITMQ_CONFIG_FILE", place("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", place("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", place("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", place("generated"))
            .env("RABBITMQ_SCHEMA_DIR", place("schema"))
            .env("RABBITMQ_MNESIA_BASE", place("data"))
            .env("RABBITMQ_LOG_BASE", place("log"))
            .env("RABBITMQ_PID_FILE", place("node.pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", format!("+sbwt none {LOOPBACK_ONLY}"))
            .env("RABBITMQ_CTL_ERL_ARGS", LOOPBACK_ONLY)
            // The script then becomes the node, and is not a second process that waits for it.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .process_group(0);
        Ok(command)
    }
}

/// Whether somebody listens.
fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Lays out the directory of a node.
fn prepare(home: &Path) -> io::Result<()> {
    for folder in ["generated", "schema", "data", "log"] {
        fs::create_dir(home.join(folder))?;
    }
    // Few and small files: it is a broker for tests.
    let settings = "loopback_users.guest = true\nlog.console = true\nlog.console.level = warning\n\
                    log.file = false\nraft.wal_max_size_bytes = 16777216\n\
                    disk_free_limit.absolute = 10MB\n";
    fs::write(home.join("rabbitmq.conf"), settings)?;
    fs::write(home.join("advanced.config"), "[].\n")?;
    fs::write(home.join("enabled_plugins"), "[].\n")?;
    // Whoever knows it may do everything with the node. The directory's name is as good a secret as
    // the directory, which only its owner can enter.
    let cookie: PathBuf = home.join(".erlang.cookie");
    let secret = home.file_name().unwrap_or_default().to_string_lossy().replace(['-', '.'], "");
    fs::write(&cookie, secret)?;
    fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400))
}
