//! The other end of the pipe: what a witness hears of the engine beside it, and how it ends what
//! that engine has left running.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufRead;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::processes::{self, Seen};

/// How long to wait between two looks, and how often at most for programs that are being loaded.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOADING_LOOKS: u32 = 100;

/// How many looks may follow on each other closely.
const CLOSE_LOOKS: u32 = 400;
const LOOK_LATER: Duration = Duration::from_secs(1);

/// What an engine has told its witness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    mark: String,
    /// Which start of a witness this is. One that was started in place of another hears the rest of
    /// what was said to that one first.
    start: u64,
    groups: BTreeSet<i32>,
    serving: Option<u64>,
    knows_everything: bool,
}

impl Witness {
    /// A witness that has heard nothing yet, with the arguments that it was started with.
    #[must_use]
    pub fn new(mark: &str, start: u64) -> Self {
        Self { mark: mark.to_owned(), start, ..Self::default() }
    }

    /// Listens until the engine is gone: the kernel closes its end of the pipe when it is dead, and
    /// every child that it was starting has become the action. Blocks.
    pub fn listen(&mut self, input: impl BufRead) {
        for line in input.lines().map_while(Result::ok) {
            self.hear(&line);
        }
    }

    /// The worker process that is dead now and has not said goodbye; `None` too if this witness was
    /// not told everything, and so cannot know what is left of it.
    #[must_use]
    pub fn dead_worker(&self) -> Option<u64> {
        self.serving.filter(|_| self.knows_everything)
    }

    /// Kills everything that the dead engine has left running. When nothing is left, it lets go of
    /// what it kept open for the engine, its standard output, and returns. Blocks.
    #[expect(clippy::disallowed_methods, reason = "it waits for real processes")]
    pub fn end_actions(&self) {
        let mut groups = self.groups.clone();
        for look in 0_u32.. {
            for group in groups.iter().copied().filter_map(Pid::from_raw) {
                // It may have ended meanwhile, which is as good.
                let _ = kill_process_group(group, Signal::KILL);
            }
            let Seen { live, strays, loading } = processes::look(&groups, &self.mark);
            groups = live;
            processes::kill_each(&strays);
            // A stranger may well have no arguments for good.
            let loading = loading && look < LOADING_LOOKS;
            if groups.is_empty() && strays.is_empty() && !loading {
                break;
            }
            std::thread::sleep(if look < CLOSE_LOOKS { LOOK_AGAIN } else { LOOK_LATER });
        }
        if let Ok(nothing) = File::options().write(true).open("/dev/null")
            && let Err(error) = rustix::stdio::dup2_stdout(nothing)
        {
            tracing::warn!(%error, "the lock is kept until this process ends");
        }
    }

    fn hear(&mut self, line: &str) {
        let mut signs = line.chars();
        let Some(sign) = signs.next() else { return };
        let number: Option<u64> = signs.as_str().parse().ok();
        match (sign, number) {
            ('!', Some(start)) => self.knows_everything |= start == self.start,
            ('=', Some(incarnation)) => self.serving = Some(incarnation).filter(|i| *i != 0),
            ('+', Some(group)) => self.groups.extend(i32::try_from(group)),
            ('-', Some(group)) => {
                self.groups.retain(|known| u64::try_from(*known) != Ok(group));
            }
            ('*', _) => self.groups.clear(),
            // It cannot be known what was meant, nor what else was not understood.
            _ => (self.start, self.knows_everything) = (u64::MAX, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &str) -> Witness {
        let mut witness = Witness::new("MARK=1", 2);
        witness.listen(lines.as_bytes());
        witness
    }

    #[test]
    fn it_speaks_for_the_last_process_that_did_not_say_goodbye() {
        assert_eq!(heard("!2\n=7\n").dead_worker(), Some(7));
        assert_eq!(heard("!2\n=7\n=8\n").dead_worker(), Some(8));
        assert_eq!(heard("!2\n=7\n=0\n").dead_worker(), None);
        assert_eq!(heard("!2\n").dead_worker(), None);
    }

    #[test]
    fn one_that_was_not_told_everything_does_not_speak() {
        assert_eq!(heard("=7\n").dead_worker(), None);
        assert_eq!(heard("!1\n=7\n").dead_worker(), None, "that was said to another");
        assert_eq!(heard("!1\n=7\n!2\n").dead_worker(), Some(7));
        assert_eq!(heard("!1\nno sense\n=7\n!2\n").dead_worker(), None);
        assert_eq!(heard("!2\n=7\nno sense\n").dead_worker(), None);
    }

    #[test]
    fn it_knows_the_groups_that_are_left() {
        assert_eq!(heard("+3\n+4\n-3\n+5\n-9\n").groups, BTreeSet::from([4, 5]));
        assert_eq!(heard("+3\n*0\n+4\n").groups, BTreeSet::from([4]));
    }
}
