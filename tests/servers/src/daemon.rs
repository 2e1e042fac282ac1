//! A server process: started, waited for, and gone with its children when nobody holds it, or when
//! whoever held it is killed.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not installed.
    #[error("{program} is not installed; install the Debian package {package}")]
    Missing {
        /// The program.
        program: String,
        /// The package that has it.
        package: &'static str,
    },
    /// It ended by itself, or never answered.
    #[error("{program} did not start: {reason}\n{log}")]
    NotStarted {
        /// The program.
        program: String,
        /// What was seen of it.
        reason: String,
        /// The end of its log.
        log: String,
    },
    /// The system refused something.
    #[error("{doing}: {error}")]
    System {
        /// What was tried.
        doing: String,
        /// What the system said.
        error: io::Error,
    },
}

impl Failure {
    /// The system's refusal of something that was tried.
    #[must_use]
    pub fn system(doing: impl Into<String>, error: io::Error) -> Self {
        Self::System { doing: doing.into(), error }
    }
}

/// Waits until nobody holds the other end of its input any more, which is when the process that
/// started it is gone, however it went; then ends a process group, first as its program wants to be
/// told, then for certain, and removes a directory.
const WATCHMAN: &str = "read -r _\nkill -s \"$1\" -- \"-$2\" 2>/dev/null\n\
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 -- \"-$2\" 2>/dev/null || break; sleep 0.2; done\n\
    kill -s KILL -- \"-$2\" 2>/dev/null\n\
    umount -l -- \"$3\" 2>/dev/null\nrm -rf -- \"$3\"";

/// A running server and all its children. They are killed when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    program: String,
    child: Child,
    watchman: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command` in a process group of its own; what it prints goes to a file `log` in
    /// `home`. When this process is killed, the group is told `last`, ends, and `home` is removed.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if the program or the log cannot be opened.
    pub fn start(
        mut command: Command,
        home: &Path,
        log: &str,
        last: Signal,
    ) -> Result<Self, Failure> {
        let log = home.join(log);
        let program = command.get_program().to_string_lossy().into_owned();
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let file =
            file.map_err(|error| Failure::system(format!("opening {}", log.display()), error))?;
        let twin = file.try_clone().map_err(|error| Failure::system("sharing a log", error))?;
        command.stdin(std::process::Stdio::null()).stdout(file).stderr(twin).process_group(0);
        let child = command
            .spawn()
            .map_err(|error| Failure::system(format!("starting {program}"), error))?;
        let watchman = watch(child.id(), home, last);
        // Without a watchman there is to be no server.
        let watchman = watchman.inspect_err(|_| {
            let _gone = kill_process_group(Pid::from_child(&child), Signal::KILL);
        })?;
        Ok(Self { program, child, watchman, log })
    }

    /// Waits until `answers` does, up to `patience`.
    ///
    /// # Errors
    ///
    /// [`Failure::NotStarted`], with the end of the log, if the process ends or time runs out.
    pub fn wait_until(
        &mut self,
        patience: Duration,
        mut answers: impl FnMut() -> bool,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        while !answers() {
            let ended = self.child.try_wait().map_err(|error| Failure::system("waiting", error))?;
            if let Some(status) = ended {
                return Err(self.not_started(format!("it ended with {status}")));
            }
            if began.elapsed() > patience {
                return Err(self.not_started(format!("no answer in {patience:?}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process and its children.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if there is nobody left to get it.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        kill_process_group(self.group(), signal)
            .map_err(|error| Failure::system(format!("signalling {}", self.program), error.into()))
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    ///
    /// [`Failure::System`] if it cannot be waited for.
    pub fn wait(&mut self) -> Result<(), Failure> {
        self.child.wait().map_err(|error| Failure::system("waiting", error))?;
        Ok(())
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn not_started(&self, reason: String) -> Failure {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        Failure::NotStarted { program: self.program.clone(), reason, log: end }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Whoever is gone already needs no signal.
        let _gone = kill_process_group(self.group(), Signal::KILL);
        let _reaped = self.child.wait();
        // Before its input ends: the number of the group may soon be somebody else's.
        let _gone = self.watchman.kill();
        let _reaped = self.watchman.wait();
    }
}

/// Lets somebody watch over a process group, in a group of its own, so that what ends us does not
/// end it too.
fn watch(group: u32, home: &Path, last: Signal) -> Result<Child, Failure> {
    let last = if last == Signal::QUIT { "QUIT" } else { "KILL" };
    let mut command = Command::new("sh");
    command.args(["-c", WATCHMAN, "watchman", last, &group.to_string()]).arg(home);
    command.stdin(std::process::Stdio::piped()).current_dir("/").process_group(0);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    // Our end of its input is kept in the child, and closed on exec: nobody else has it.
    command.spawn().map_err(|error| Failure::system("starting a watchman", error))
}

/// A port of the loopback address that nobody listens on now.
///
/// # Errors
///
/// [`Failure::System`] if there is none.
pub fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| Failure::system("finding a port", error))
}

/// Where a program is: in one of `places`, else on the path.
///
/// # Errors
///
/// [`Failure::Missing`], naming the package that has it.
pub fn find_program(
    program: &str,
    places: &[&str],
    package: &'static str,
) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let mut all = places.iter().map(PathBuf::from).chain(on_path);
    all.find_map(|place| Some(place.join(program)).filter(|file| file.is_file()))
        .ok_or_else(|| Failure::Missing { program: program.to_owned(), package })
}
