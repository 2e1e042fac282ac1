//! What `/proc` knows about the processes of an action.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The live processes of one action: those in its group, and those that left the group but still
/// carry all of the action's `marks` in their environment, if it has any. Zombies are dead. Reads
/// all of `/proc`, so it blocks for a few milliseconds; it is asked only when an action is being
/// stopped.
pub(crate) fn survivors(group: Pid, marks: &[String]) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| belongs(*pid, group, marks))
        .collect()
}

/// Kills each of `pids`.
pub(crate) fn kill_each(pids: &[Pid]) {
    for pid in pids {
        // It may have ended meanwhile, which is as good.
        let _ = kill_process(*pid, Signal::KILL);
    }
}

/// What a look at all processes has found.
pub(crate) struct Seen {
    /// The groups that still have a live member.
    pub(crate) live: BTreeSet<i32>,
    /// Those that carry the mark, in whichever group.
    pub(crate) strays: Vec<Pid>,
    /// There is a group leader without arguments: a program that is being loaded, whose environment
    /// cannot be read yet.
    pub(crate) loading: bool,
}

/// Looks for what is left of `groups`, and for whatever carries `mark`. Zombies are dead.
pub(crate) fn look(groups: &BTreeSet<i32>, mark: &str) -> Seen {
    let marks = [mark.to_owned()];
    let mut seen = Seen { live: BTreeSet::new(), strays: Vec::new(), loading: false };
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        let directory = format!("/proc/{pid}");
        let Ok(stat) = fs::read(format!("{directory}/stat")) else { continue };
        let Some((state, group)) = state_and_group(&stat) else { continue };
        if matches!(state, b'Z' | b'X') {
            continue;
        }
        if group == pid && fs::read(format!("{directory}/cmdline")).is_ok_and(|a| a.is_empty()) {
            seen.loading = true;
        }
        if groups.contains(&group) {
            seen.live.insert(group);
        }
        if fs::read(format!("{directory}/environ")).is_ok_and(|env| carries(&env, &marks)) {
            seen.strays.extend(Pid::from_raw(pid));
        }
    }
    seen
}

fn belongs(pid: Pid, group: Pid, marks: &[String]) -> bool {
    let directory = format!("/proc/{}", pid.as_raw_nonzero());
    let Ok(stat) = fs::read(format!("{directory}/stat")) else {
        return false;
    };
    let Some((state, its_group)) = state_and_group(&stat) else {
        return false;
    };
    if matches!(state, b'Z' | b'X') {
        return false;
    }
    if its_group == group.as_raw_nonzero().get() {
        return true;
    }
    fs::read(format!("{directory}/environ")).is_ok_and(|environ| carries(&environ, marks))
}

fn carries(environ: &[u8], marks: &[String]) -> bool {
    !marks.is_empty()
        && marks
            .iter()
            .all(|mark| environ.split(|byte| *byte == 0).any(|var| var == mark.as_bytes()))
}

/// The name of a program stands in parentheses and may contain some itself, so the fields are
/// counted from the last one on: state, parent, group.
fn state_and_group(stat: &[u8]) -> Option<(u8, i32)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        assert_eq!(state_and_group(b"7 (a) S 3 (b)) Z 1 42 42 0"), Some((b'Z', 42)));
        assert_eq!(state_and_group(b"7 (sh) S 1 7 7 0 -1"), Some((b'S', 7)));
        assert_eq!(state_and_group(b""), None);
    }

    #[test]
    fn all_marks_are_needed_and_each_exactly() {
        let marks = ["A=1".to_owned(), "B=2".to_owned()];
        assert!(carries(b"X=0\0B=2\0A=1\0", &marks));
        assert!(!carries(b"B=2\0A=11\0", &marks));
        assert!(!carries(b"B=2\0", &marks));
        assert!(!carries(b"", &marks));
        assert!(!carries(b"A=1\0B=2\0", &[]));
    }
}
