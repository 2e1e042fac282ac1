//! A PostgreSQL server in a directory of its own, on disk as in production (`fsync` is on).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::user::{give, run, unprivileged};
use crate::{Daemon, Failure, find_program, free_port};

/// Where Debian keeps the programs of each version.
const PLACES: &[&str] = &[
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
];
const PACKAGE: &str = "postgresql";
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It ends all sessions, writes everything down and leaves.
    Fast,
    /// It leaves at once and recovers when it comes back, as after a crash.
    Immediate,
}

/// A private server. Everybody on this machine may log in as `postgres`, without a password.
#[derive(Debug)]
pub struct Postgres {
    daemon: Option<Daemon>,
    directory: TempDir,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    has_own_disk: bool,
}

impl Postgres {
    /// Makes a new cluster and starts it with additional settings (name and value).
    ///
    /// # Errors
    ///
    /// [`Failure`], if it is not installed or does not start.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, Failure> {
        Self::start_on(None, settings)
    }

    /// The same, on a disk of its own of so many megabytes that can be filled.
    ///
    /// # Errors
    ///
    /// As [`Postgres::start`], and if this process may not mount one, which takes root.
    pub fn start_on_small_disk(megabytes: u32) -> Result<Self, Failure> {
        Self::start_on(Some(megabytes), &[])
    }

    fn start_on(disk: Option<u32>, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let postgres = find_program("postgres", PLACES, PACKAGE)?;
        let programs = postgres.parent().unwrap_or(Path::new("/")).to_path_buf();
        let directory =
            tempfile::tempdir().map_err(|error| Failure::system("making a directory", error))?;
        if let Some(megabytes) = disk {
            let size = format!("size={megabytes}m");
            let mut mount = Command::new("mount");
            run(mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()))?;
        }
        give(directory.path())?;
        let data = directory.path().join("data");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.current_dir("/").arg("-D").arg(&data);
        let like = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"];
        run(initdb.args(like).arg("--no-sync"))?;
        let settings = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let port = free_port()?;
        let mut server = Self {
            daemon: None,
            directory,
            programs,
            port,
            settings,
            has_own_disk: disk.is_some(),
        };
        server.make_certificate()?;
        server.run()?;
        Ok(server)
    }

    /// A key, and a certificate for it that vouches for itself.
    fn make_certificate(&self) -> Result<(), Failure> {
        let openssl = find_program("openssl", &[], "openssl")?;
        let mut command = unprivileged(&openssl);
        command.current_dir("/").args(["req", "-new", "-x509", "-days", "2", "-nodes"]);
        command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]);
        // Nothing else is signed with it.
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command.arg("-keyout").arg(self.file("server.key"));
        run(command.arg("-out").arg(self.certificate())).map(|_| ())
    }

    /// The certificate that it shows to whoever asks for TLS.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.file("server.crt")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&mut self) -> Result<(), Failure> {
        let mut command = unprivileged(&self.programs.join("postgres"));
        command.current_dir("/").arg("-D").arg(self.directory.path().join("data"));
        let ours = [
            format!("port={}", self.port),
            String::from("listen_addresses=127.0.0.1"),
            String::from("unix_socket_directories="),
            String::from("max_connections=200"),
            String::from("ssl=on"),
            format!("ssl_cert_file={}", self.certificate().display()),
            format!("ssl_key_file={}", self.file("server.key").display()),
        ];
        for setting in ours.iter().chain(&self.settings) {
            command.arg("-c").arg(setting);
        }
        let mut daemon = Daemon::start(command, self.directory.path(), "log", Signal::QUIT)?;
        let (is_ready, port) = (self.programs.join("pg_isready"), self.port.to_string());
        daemon.wait_until(PATIENCE, || {
            let mut ask = Command::new(&is_ready);
            ask.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            ask.status().is_ok_and(|status| status.success())
        })?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Stops it; its data stay.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if it cannot be told or waited for.
    pub fn stop(&mut self, how: Stop) -> Result<(), Failure> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        daemon.signal(match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        })?;
        daemon.wait()
    }

    /// Starts it again on its data and its port, if it was stopped.
    ///
    /// # Errors
    ///
    /// [`Failure::NotStarted`] if it does not come back.
    pub fn start_again(&mut self) -> Result<(), Failure> {
        if self.daemon.is_none() { self.run() } else { Ok(()) }
    }

    /// Leaves nothing free of its own disk.
    ///
    /// # Panics
    ///
    /// If it has none of its own.
    pub fn fill_disk(&self) {
        assert!(self.has_own_disk, "others are on that disk");
        let file = std::fs::File::create(self.file("filler")).expect("a file can be made");
        let zeros = vec![0; 1 << 12];
        while std::io::Write::write_all(&mut &file, &zeros).is_ok() {}
    }

    /// Gives back what [`Postgres::fill_disk`] took.
    ///
    /// # Panics
    ///
    /// If it took nothing.
    pub fn empty_disk(&self) {
        std::fs::remove_file(self.file("filler")).expect("it was filled");
    }

    /// The directory that it lives in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.directory.path()
    }

    /// Where its programs are, `psql` among them.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Its port on the loopback address.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database on it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Makes an empty database and returns its address.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if there is one of that name.
    pub fn create_database(&self, name: &str) -> Result<String, Failure> {
        self.execute("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(name))
    }

    /// Runs a statement as the superuser and returns what it printed: a line for each row, its
    /// cells separated by `|`.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] with what the server says.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String, Failure> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        run(psql.arg(self.url(database)))
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.file("log")
    }
}

/// The address of a database behind a port of the loopback address.
pub(crate) fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children have process groups of their own: it ends them itself when it is told.
        let _stopped = self.stop(Stop::Immediate);
        if self.has_own_disk {
            let _unmounted = run(Command::new("umount").arg("-l").arg(self.directory.path()));
        }
    }
}
