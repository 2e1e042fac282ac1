//! PgBouncer in transaction mode, in front of a private PostgreSQL.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::postgres::url;
use crate::user::{give, unprivileged};
use crate::{Daemon, Failure, Postgres, find_program, free_port};

const PLACES: &[&str] = &["/usr/sbin", "/usr/local/sbin"];
const PATIENCE: Duration = Duration::from_secs(30);

/// A private pooler. Every transaction of a client may be given another session of the server.
#[derive(Debug)]
pub struct PgBouncer {
    _daemon: Daemon,
    directory: TempDir,
    port: u16,
}

impl PgBouncer {
    /// Starts it with additional settings (name and value), such as `server_idle_timeout`.
    ///
    /// # Errors
    ///
    /// [`Failure`], if it is not installed or does not start.
    pub fn start(behind: &Postgres, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let program = find_program("pgbouncer", PLACES, "pgbouncer")?;
        let system = |error| Failure::system("making a directory", error);
        let directory = tempfile::tempdir().map_err(system)?;
        give(directory.path())?;
        let port = free_port()?;
        let mut text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\nmax_client_conn = 200\n",
            behind.port(),
        );
        for (name, value) in settings {
            text.push_str(&format!("{name} = {value}\n"));
        }
        let file = directory.path().join("pgbouncer.ini");
        std::fs::write(&file, text)
            .map_err(|error| Failure::system("writing its settings", error))?;
        give(&file)?;
        let mut command = unprivileged(&program);
        command.current_dir("/").arg(&file);
        let mut daemon = Daemon::start(command, directory.path(), "log", Signal::KILL)?;
        daemon.wait_until(PATIENCE, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())?;
        Ok(Self { _daemon: daemon, directory, port })
    }

    /// The directory that it lives in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.directory.path()
    }

    /// The address of a database through it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }
}
