//! A process at the end of a pipe that is told what this engine runs: it is kept running, and what
//! it has to know is kept here, so that another one can be told everything.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long to wait before another try when a new process cannot be started, or does not last.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// How long to wait when the pipe has no room for all that a new process has to know.
const TELL_PAUSE: Duration = Duration::from_millis(5);

/// What to start. The number tells the starts apart.
pub(super) type MakeCommand = Box<dyn Fn(u64) -> Command + Send>;

/// What a watcher must be told before anything may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// A group that it cannot be told of must not run.
    Relied,
    /// One that does not listen is killed, and another one told everything.
    Replaced,
}

/// A handle on one watching process. When it is dropped, the pipe is closed, and the drop waits for
/// the process, unless that has something left to say.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    monitor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    name: &'static str,
    trust: Trust,
    state: Mutex<State>,
    closing: Condvar,
}

#[derive(Debug)]
struct State {
    /// The engine's end of the pipe; gone when the process is asked to finish.
    pipe: Option<PipeWriter>,
    groups: BTreeSet<i32>,
    /// Which worker process this engine is.
    serving: Option<u64>,
    /// Lines that the pipe had no room for.
    unsent: Vec<i32>,
    /// The process on watch.
    pid: u32,
    /// How often one was started.
    starts: u64,
}

/// What a new process has yet to be told.
struct Untold {
    /// That what was said to the former one is void: not all of it may have been said.
    forget: bool,
    groups: VecDeque<i32>,
}

/// What every new process is started with.
struct Recipe {
    shared: Arc<Shared>,
    pipe: PipeReader,
    keep_open: Option<OwnedFd>,
    command: MakeCommand,
}

impl Watch {
    /// Starts the process, and a thread that sees to it that there always is one.
    pub(super) fn start(
        name: &'static str,
        trust: Trust,
        keep_open: Option<OwnedFd>,
        command: MakeCommand,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        // An engine must never wait for who watches it.
        rustix::io::ioctl_fionbio(&writer, true)?;
        let state = State {
            pipe: Some(writer),
            groups: BTreeSet::new(),
            serving: None,
            unsent: Vec::new(),
            pid: 0,
            starts: 1,
        };
        let shared =
            Arc::new(Shared { name, trust, state: Mutex::new(state), closing: Condvar::new() });
        let recipe = Recipe { shared: Arc::clone(&shared), pipe: reader, keep_open, command };
        let first = recipe.spawn(1)?;
        {
            let mut state = shared.state();
            state.pid = first.id();
            state.line('!', 1)?;
        }
        let monitor = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || recipe.keep_running(first))?;
        Ok(Self { shared, monitor: Some(monitor) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.shared.state().pid
    }

    /// From now on `group` is killed when the engine is gone.
    pub(super) fn watch(&self, group: i32) -> io::Result<()> {
        let mut state = self.shared.state();
        state.send_unsent();
        let sent = state.line('+', group);
        let kept = self.shared.excuse(&state, sent);
        if kept.is_ok() {
            state.groups.insert(group);
        }
        kept
    }

    /// `group` is gone and its number may be somebody else's soon.
    pub(super) fn release(&self, group: i32) {
        let mut state = self.shared.state();
        state.groups.remove(&group);
        if let Err(error) = state.line('-', group)
            && self.shared.excuse(&state, Err(error)).is_err()
        {
            state.unsent.push(group);
        }
    }

    /// The engine is this worker process from now on, or none.
    pub(super) fn serve(&self, incarnation: Option<u64>) {
        let mut state = self.shared.state();
        state.serving = incarnation;
        let sent = state.line('=', incarnation.unwrap_or(0));
        if let Err(error) = self.shared.excuse(&state, sent) {
            tracing::debug!(%error, "not said which worker this is");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let has_to_speak = {
            let mut state = self.shared.state();
            state.pipe = None;
            state.serving.is_some() && self.shared.trust == Trust::Replaced
        };
        self.shared.closing.notify_all();
        if let Some(monitor) = self.monitor.take().filter(|_| !has_to_speak) {
            // The monitor returns when the process has done its work.
            let _ = monitor.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the set as it was, which is still right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that did not hear of a change knows something wrong, so it must never speak: it is killed
    /// before it can, and the next one hears everything.
    fn excuse(&self, state: &State, sent: io::Result<()>) -> io::Result<()> {
        if sent.is_err() && self.trust == Trust::Replaced && state.pipe.is_some() {
            tracing::warn!(name = self.name, "does not listen, and is replaced");
            if let Some(pid) = i32::try_from(state.pid).ok().and_then(Pid::from_raw) {
                // It may have ended meanwhile, which is as good.
                let _ = kill_process(pid, Signal::KILL);
            }
            return Ok(());
        }
        sent
    }
}

impl State {
    fn line(&mut self, sign: char, what: impl std::fmt::Display) -> io::Result<()> {
        match &mut self.pipe {
            // A line is shorter than PIPE_BUF, so it is written whole or not at all.
            Some(pipe) => pipe.write_all(format!("{sign}{what}\n").as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn send_unsent(&mut self) {
        while let Some(group) = self.unsent.last().copied() {
            // A group that is watched again under the same number must stay watched.
            if !self.groups.contains(&group) && self.line('-', group).is_err() {
                return;
            }
            self.unsent.pop();
        }
    }

    /// Tells a new process what it has not been told, and then that it knows everything.
    fn tell(&mut self, untold: &mut Untold) -> io::Result<()> {
        if untold.forget {
            self.line('*', 0)?;
            untold.forget = false;
        }
        while let Some(group) = untold.groups.front().copied() {
            if self.groups.contains(&group) {
                self.line('+', group)?;
            }
            untold.groups.pop_front();
        }
        self.line('=', self.serving.unwrap_or(0))?;
        self.line('!', self.starts)
    }
}

impl Recipe {
    fn spawn(&self, start: u64) -> io::Result<Child> {
        let keep_open = match &self.keep_open {
            Some(fd) => Stdio::from(fd.try_clone()?),
            None => Stdio::null(),
        };
        (self.command)(start).stdin(self.pipe.try_clone()?).stdout(keep_open).spawn()
    }

    /// Waits for the end of the process and starts another one unless it was asked to finish.
    fn keep_running(self, mut watcher: Child) {
        loop {
            let started = now();
            let ended = watcher.wait();
            if self.shared.state().pipe.is_none() {
                return;
            }
            let name = self.shared.name;
            tracing::warn!(name, ?ended, "was ended from outside, starting another one");
            let too_soon = now().duration_since(started) < RESTART_PAUSE;
            match self.restart(too_soon) {
                Some(next) => watcher = next,
                None => return,
            }
        }
    }

    fn restart(&self, pause_first: bool) -> Option<Child> {
        let mut state = self.shared.state();
        if pause_first {
            state = self.pause(state, RESTART_PAUSE);
        }
        let next = loop {
            state.pipe.as_ref()?;
            state.starts += 1;
            match self.spawn(state.starts) {
                Ok(next) => break next,
                Err(error) => {
                    tracing::warn!(name = self.shared.name, %error, "cannot be started");
                }
            }
            state = self.pause(state, RESTART_PAUSE);
        };
        state.pid = next.id();
        let mut untold = Untold { forget: true, groups: state.groups.iter().copied().collect() };
        while state.tell(&mut untold).is_err() && state.pipe.is_some() {
            state = self.pause(state, TELL_PAUSE);
        }
        Some(next)
    }

    fn pause<'a>(&self, state: MutexGuard<'a, State>, span: Duration) -> MutexGuard<'a, State> {
        let waited = self.shared.closing.wait_timeout(state, span);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "only a real process is started again")]
    Instant::now()
}
