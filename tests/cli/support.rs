//! Starting the binary, and places for it to work in.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::binary;

/// Nothing that is started here takes longer.
const PATIENCE: Duration = Duration::from_secs(40);
/// Variables that would change what is tested.
const FOREIGN: &[&str] =
    &["DATABASE_URL", "AMQP_URL", "STEADFAST_API_URL", "STEADFAST_API_TOKEN", "RUST_LOG"];

/// A directory with a pack in `pack`, which is where the binary is started.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// With an empty pack called `t`.
    pub(crate) fn new() -> Self {
        // Built before anything is timed.
        binary();
        let place = Self { directory: tempfile::tempdir().expect("there is room for a directory") };
        place.write("pack/pack.yaml", "ref: t\nlabel: T\ndescription: d\nversion: 1.0.0\n");
        place
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in the directory")).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Adds the action `t.NAME`, a shell script; `more` are further lines of its metadata.
    pub(crate) fn action(&self, name: &str, more: &str, script: &str) {
        let head = format!("ref: t.{name}\nrunner_type: shell\nentry_point: {name}.sh\n");
        self.write(&format!("pack/actions/{name}.yaml"), head + more);
        self.write(&format!("pack/actions/{name}.sh"), script);
    }

    /// A command that has not been started yet.
    pub(crate) fn steadfast(&self, arguments: &[&str]) -> Start {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        for name in FOREIGN {
            command.env_remove(name);
        }
        let number = {
            static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        };
        let (stdout, stderr) =
            (self.path(&format!("stdout{number}")), self.path(&format!("stderr{number}")));
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        Start { command, stdout, stderr }
    }

    /// Runs to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.steadfast(arguments).run()
    }
}

/// A command about to be started. Its output goes to files, so that it never waits for a reader.
pub(crate) struct Start {
    pub(crate) command: Command,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Start {
    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With standard output somewhere else.
    pub(crate) fn stdout_to(mut self, path: &str) -> Self {
        let file = File::options().write(true).open(path).unwrap();
        self.command.stdout(file);
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let child = self.command.spawn().expect("the binary can be started");
        Running { child, stdout: self.stdout, stderr: self.stderr }
    }

    pub(crate) fn run(self) -> Ended {
        self.start().wait()
    }
}

/// A started binary, killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Its process, by its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is still there");
    }

    /// Waits until standard output or standard error contain `text`.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        eventually(&format!("`{text}`"), || {
            seen = self.output();
            if seen.contains(text) {
                return true;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) without `{text}`: {seen}");
            false
        });
        seen
    }

    fn output(&self) -> String {
        let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        read(&self.stdout) + &read(&self.stderr)
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let mut status = None;
        eventually("its end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Ended {
            status: status.expect("it has ended"),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its exit code must be this.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    /// Standard error must contain this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in {self:#?}");
        self
    }

    /// Standard output must contain this.
    #[track_caller]
    pub(crate) fn shows(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in {self:#?}");
        self
    }

    /// Nothing may have gone to standard output.
    #[track_caller]
    pub(crate) fn shows_nothing(self) -> Self {
        assert_eq!(self.stdout, "", "{self:#?}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Looks again and again until it holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = now();
    while !holds() {
        assert!(now().duration_since(begun) < PATIENCE, "waited in vain for {what}");
        #[expect(clippy::disallowed_methods, reason = "another process is waited for")]
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The time, for how long things take.
#[expect(clippy::disallowed_methods, reason = "processes are timed from outside")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Whether the process whose number a file holds is alive.
pub(crate) fn lives(file: &Path) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    let status = fs::read_to_string(format!("/proc/{}/stat", text.trim())).unwrap_or_default();
    // A zombie has ended; only nobody has asked yet.
    !status.is_empty() && !status.contains(") Z ")
}

/// The core pack of the examples.
pub(crate) fn core_pack() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/packs/core").to_owned()
}
