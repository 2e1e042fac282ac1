//! A process that was started, until it has been collected.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::guardian::Guardian;
use crate::parameters::ParameterFile;
use crate::processes;

/// How often an exit is looked for on a kernel that cannot announce it.
const POLL: Duration = Duration::from_millis(10);

/// The leader of a process group and what belongs to it. Dropping it kills the group, so that a
/// caller who loses interest leaves nothing behind.
///
/// The leader is collected last: as long as it is a zombie its number, which is the group's, cannot
/// be given to anybody else, and a signal to the group reaches this group or nobody.
#[derive(Debug)]
pub(crate) struct Running {
    child: Option<Child>,
    group: Pid,
    guardian: Option<Guardian>,
    marks: Vec<String>,
    file: Option<ParameterFile>,
}

impl Running {
    pub(crate) fn new(
        child: Child,
        guardian: Option<Guardian>,
        marks: Vec<String>,
        file: Option<ParameterFile>,
    ) -> Self {
        let group = Pid::from_child(&child);
        Self { child: Some(child), group, guardian, marks, file }
    }

    /// Tells the guardian of the group.
    pub(crate) fn watch(&self) -> io::Result<()> {
        self.guardian.as_ref().map_or(Ok(()), |guardian| guardian.watch(self.group))
    }

    /// The process's end of each pipe, once: input, output, error.
    pub(crate) fn take_pipes(&mut self) -> [Option<OwnedFd>; 3] {
        match &mut self.child {
            Some(child) => [
                child.stdin.take().map(OwnedFd::from),
                child.stdout.take().map(OwnedFd::from),
                child.stderr.take().map(OwnedFd::from),
            ],
            None => [None, None, None],
        }
    }

    /// Sends `signal` to the group. There may be nobody left in it, which is fine.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.group, signal)
            && error != Errno::SRCH
        {
            tracing::warn!(group = ?self.group, ?signal, %error, "signal not delivered");
        }
    }

    /// Who of the action is still alive, in the group or out of it.
    pub(crate) async fn survivors(&self) -> Vec<Pid> {
        let (group, marks) = (self.group, self.marks.clone());
        let search = move || processes::survivors(group, &marks);
        tokio::task::spawn_blocking(search).await.unwrap_or_default()
    }

    /// Something that tells when the leader has exited.
    pub(crate) fn exit_watch(&self) -> ExitWatch {
        let pidfd = pidfd_open(self.group, PidfdFlags::empty()).ok();
        ExitWatch { leader: self.group, pidfd: pidfd.and_then(readable) }
    }

    /// Kills what is left of the group and collects the leader, which must have exited.
    pub(crate) fn collect(mut self) -> io::Result<ExitStatus> {
        self.end_group();
        match self.child.take() {
            Some(mut child) => child.wait(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn end_group(&mut self) {
        self.signal(Signal::KILL);
        if let Some(guardian) = self.guardian.take() {
            guardian.release(self.group);
        }
        self.file = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        self.end_group();
        if matches!(child.try_wait(), Ok(None))
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // It is dying; somebody has to wait for it, and this may be an executor's thread.
            drop(runtime.spawn_blocking(move || child.wait()));
        }
    }
}

/// A kernel without pidfds, or a sandbox that forbids them, makes this nothing.
#[expect(unsafe_code, reason = "tokio has no safe way to register a descriptor since 1.54")]
fn readable(fd: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and always names the same descriptor. It moves into the
    // `AsyncFd`, which gives nobody the means to close or replace it before it is dropped itself.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.ok()
}

/// Waits for the exit of a process without collecting it.
pub(crate) struct ExitWatch {
    leader: Pid,
    pidfd: Option<AsyncFd<OwnedFd>>,
}

impl ExitWatch {
    /// Returns when the process has exited. May be dropped and called again.
    pub(crate) async fn exited(&self) {
        while !self.has_exited() {
            match &self.pidfd {
                Some(pidfd) => match pidfd.readable().await {
                    Ok(mut ready) if !self.has_exited() => ready.clear_ready(),
                    Ok(_) => return,
                    Err(_) => tokio::time::sleep(POLL).await,
                },
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that somebody else in this program has collected it.
        !matches!(waitid(WaitId::Pid(self.leader), options), Ok(None) | Err(Errno::INTR))
    }
}
