//! The processes that end an engine's actions when the engine is gone.

mod watch;

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::Pid;

use watch::{Trust, Watch};

const SCRIPT: &str = include_str!("guardian.sh");

/// The variable that marks the processes of one engine.
const MARK: &str = "STEADFAST_GUARDIAN";

/// A handle on the guardian: a shell that waits at the end of a pipe and, when the engine is gone,
/// kills every process group that it was told of and every process with the engine's mark. Cheap
/// to clone. When the last handle is dropped, the same happens, and the drop waits for it.
///
/// When the guardian itself is killed, another one takes its place and is told everything again.
///
/// Beside it there may be a witness ([`WitnessProgram`]), which does the same and then says so.
#[derive(Clone, Debug)]
pub struct Guardian {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    mark: String,
    scratch: PathBuf,
    // Dropped first: it is the faster one, and leaves the other nothing to do.
    witness: Option<Watch>,
    shell: Watch,
}

/// How to start a witness: a program that hands its standard input to [`crate::Witness::listen`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessProgram {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; `--mark MARK --start NUMBER` is added.
    pub arguments: Vec<OsString>,
}

impl Guardian {
    /// Starts a guardian. `keep_open` stays open in it until the last process of this engine is
    /// dead; give it the data directory's lock (`flock`, as `File::lock` takes it: it belongs to
    /// the open file, not to the process), and whoever gets the lock next finds no survivor.
    ///
    /// # Errors
    /// When there is no `/bin/sh`, no process or descriptor to be had, or no room for temporary
    /// files in `temporary`.
    pub fn start(keep_open: Option<BorrowedFd<'_>>, temporary: &Path) -> io::Result<Self> {
        Self::start_with(keep_open, temporary, None)
    }

    /// [`Guardian::start`], with a witness beside it.
    ///
    /// # Errors
    /// The same, and if the witness cannot be started.
    pub fn start_with(
        keep_open: Option<BorrowedFd<'_>>,
        temporary: &Path,
        witness: Option<WitnessProgram>,
    ) -> io::Result<Self> {
        let mut random = [0_u8; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let name = format!("{:032x}", u128::from_le_bytes(random));
        let scratch = temporary.join(format!("actions-{name}"));
        DirBuilder::new().mode(0o700).create(&scratch)?;
        let mark = format!("{MARK}={name}");
        let lock = || -> io::Result<Option<OwnedFd>> {
            keep_open.map(|fd| fd.try_clone_to_owned()).transpose()
        };
        let shell = shell(lock()?, mark.clone(), scratch.clone())?;
        let witness =
            witness.map(|program| start_witness(program, lock()?, mark.clone())).transpose()?;
        Ok(Self { inner: Arc::new(Inner { mark, scratch, witness, shell }) })
    }

    /// The process id of the guardian that is on watch now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.shell.pid()
    }

    /// The process id of the witness that is there now.
    #[must_use]
    pub fn witness_pid(&self) -> Option<u32> {
        self.inner.witness.as_ref().map(Watch::pid)
    }

    /// From now on this engine is that worker process, for which its witness speaks; `None` if
    /// there is nothing to be said when it ends.
    pub fn serve(&self, incarnation: Option<u64>) {
        if let Some(witness) = &self.inner.witness {
            witness.serve(incarnation);
        }
    }

    /// `NAME=value` for the environment of an action; no other engine has the same.
    pub(crate) fn mark(&self) -> &str {
        &self.inner.mark
    }

    /// A directory for this engine only, emptied and removed after its end.
    pub(crate) fn scratch(&self) -> &Path {
        &self.inner.scratch
    }

    /// From now on `group` is killed when the engine is gone.
    pub(crate) fn watch(&self, group: Pid) -> io::Result<()> {
        let group = group.as_raw_nonzero().get();
        self.watches().try_for_each(|watch| watch.watch(group))
    }

    /// `group` is gone and its number may be somebody else's soon.
    pub(crate) fn release(&self, group: Pid) {
        let group = group.as_raw_nonzero().get();
        self.watches().for_each(|watch| watch.release(group));
    }

    fn watches(&self) -> impl Iterator<Item = &Watch> {
        std::iter::once(&self.inner.shell).chain(&self.inner.witness)
    }
}

fn shell(lock: Option<OwnedFd>, mark: String, scratch: PathBuf) -> io::Result<Watch> {
    let command = move |_| {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "action-guardian", &mark])
            .arg(&scratch)
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/local/bin")
            .current_dir("/")
            .process_group(0)
            .stderr(Stdio::null());
        command
    };
    Watch::start("guardian", Trust::Relied, lock, Box::new(command))
}

/// Its name in a list of processes is not the engine's, so that whoever kills the engine by name
/// does not kill its witness too.
fn start_witness(
    program: WitnessProgram,
    lock: Option<OwnedFd>,
    mark: String,
) -> io::Result<Watch> {
    let command = move |start: u64| {
        let mut command = Command::new(&program.program);
        command
            .arg0("action-witness")
            .args(&program.arguments)
            .args(["--mark", &mark, "--start", &start.to_string()])
            .process_group(0);
        command
    };
    Watch::start("witness", Trust::Replaced, lock, Box::new(command))
}
