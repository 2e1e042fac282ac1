//! The process that ends an engine's actions when the engine is gone.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Pid;

const SCRIPT: &str = include_str!("guardian.sh");

/// The variable that marks the processes of one engine.
const MARK: &str = "STEADFAST_GUARDIAN";

/// How long to wait before another try when a new guardian cannot be started.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// A handle on the guardian: a shell that waits at the end of a pipe and, when the engine is gone,
/// kills every process group that it was told of and every process with the engine's mark. Cheap
/// to clone. When the last handle is dropped, the same happens, and the drop waits for it.
///
/// When the guardian itself is killed, another one takes its place and is told everything again.
#[derive(Clone, Debug)]
pub struct Guardian {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    scratch: PathBuf,
    monitor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    mark: String,
    state: Mutex<State>,
    closing: Condvar,
}

#[derive(Debug)]
struct State {
    /// The engine's end of the pipe; gone when the guardian is asked to finish.
    pipe: Option<PipeWriter>,
    groups: BTreeSet<i32>,
    /// Lines that the pipe had no room for.
    unsent: Vec<i32>,
    /// The guardian's process, for the tests.
    pid: u32,
}

/// What every new guardian is started with.
struct Recipe {
    shared: Arc<Shared>,
    pipe: PipeReader,
    keep_open: Option<OwnedFd>,
    scratch: PathBuf,
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
        let mut random = [0_u8; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let name = format!("{:032x}", u128::from_le_bytes(random));
        let scratch = temporary.join(format!("actions-{name}"));
        DirBuilder::new().mode(0o700).create(&scratch)?;

        let (reader, writer) = io::pipe()?;
        // An engine must never wait for its guardian.
        rustix::io::ioctl_fionbio(&writer, true)?;
        let state =
            State { pipe: Some(writer), groups: BTreeSet::new(), unsent: Vec::new(), pid: 0 };
        let shared = Arc::new(Shared {
            mark: format!("{MARK}={name}"),
            state: Mutex::new(state),
            closing: Condvar::new(),
        });
        let recipe = Recipe {
            shared: Arc::clone(&shared),
            pipe: reader,
            keep_open: keep_open.map(|fd| fd.try_clone_to_owned()).transpose()?,
            scratch: scratch.clone(),
        };
        let first = recipe.spawn()?;
        shared.state().pid = first.id();
        let monitor = std::thread::Builder::new()
            .name("guardian".to_owned())
            .spawn(move || recipe.keep_running(first))?;
        Ok(Self { inner: Arc::new(Inner { shared, scratch, monitor: Some(monitor) }) })
    }

    /// The process id of the guardian that is on watch now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.shared.state().pid
    }

    /// `NAME=value` for the environment of an action; no other engine has the same.
    pub(crate) fn mark(&self) -> &str {
        &self.inner.shared.mark
    }

    /// A directory for this engine only, emptied and removed after its end.
    pub(crate) fn scratch(&self) -> &Path {
        &self.inner.scratch
    }

    /// From now on `group` is killed when the engine is gone.
    pub(crate) fn watch(&self, group: Pid) -> io::Result<()> {
        let group = group.as_raw_nonzero().get();
        let mut state = self.inner.shared.state();
        state.send_unsent();
        state.send('+', group)?;
        state.groups.insert(group);
        Ok(())
    }

    /// `group` is gone and its number may be somebody else's soon.
    pub(crate) fn release(&self, group: Pid) {
        let group = group.as_raw_nonzero().get();
        let mut state = self.inner.shared.state();
        state.groups.remove(&group);
        if state.send('-', group).is_err() {
            state.unsent.push(group);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.state().pipe = None;
        self.shared.closing.notify_all();
        if let Some(monitor) = self.monitor.take() {
            // The monitor returns when the guardian has done its work.
            let _ = monitor.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the set as it was, which is still right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn send(&mut self, sign: char, group: i32) -> io::Result<()> {
        match &mut self.pipe {
            // A line is shorter than PIPE_BUF, so it is written whole or not at all.
            Some(pipe) => pipe.write_all(format!("{sign}{group}\n").as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn send_unsent(&mut self) {
        while let Some(group) = self.unsent.last().copied() {
            // A group that is watched again under the same number must stay watched.
            if !self.groups.contains(&group) && self.send('-', group).is_err() {
                return;
            }
            self.unsent.pop();
        }
    }
}

impl Recipe {
    fn spawn(&self) -> io::Result<Child> {
        let keep_open = match &self.keep_open {
            Some(fd) => Stdio::from(fd.try_clone()?),
            None => Stdio::null(),
        };
        Command::new("/bin/sh")
            .args(["-c", SCRIPT, "action-guardian", &self.shared.mark])
            .arg(&self.scratch)
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/local/bin")
            .current_dir("/")
            .process_group(0)
            .stdin(self.pipe.try_clone()?)
            .stdout(keep_open)
            .stderr(Stdio::null())
            .spawn()
    }

    /// Waits for the guardian's end and starts another one unless it was asked to finish.
    fn keep_running(self, mut guardian: Child) {
        loop {
            let ended = guardian.wait();
            if self.shared.state().pipe.is_none() {
                return;
            }
            tracing::warn!(?ended, "the guardian was ended from outside, starting another one");
            match self.restart() {
                Some(next) => guardian = next,
                None => return,
            }
        }
    }

    fn restart(&self) -> Option<Child> {
        let mut state = self.shared.state();
        loop {
            state.pipe.as_ref()?;
            match self.spawn() {
                Ok(next) => {
                    state.pid = next.id();
                    for group in state.groups.clone() {
                        if let Err(error) = state.send('+', group) {
                            tracing::warn!(group, %error, "a process group is not watched");
                        }
                    }
                    return Some(next);
                }
                Err(error) => tracing::warn!(%error, "no guardian can be started"),
            }
            state = self
                .shared
                .closing
                .wait_timeout(state, RESTART_PAUSE)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
