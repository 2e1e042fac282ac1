//! What the actions themselves wrote down: whoever runs beside somebody is seen by the one that
//! begins, because a process that is alive holds a lock which the kernel takes from the dead.

use std::collections::{BTreeMap, BTreeSet};

/// An action that notes its beginning, who else is alive in its queue, and its end.
pub(crate) fn script(queue: &str, takes: &str, fails_at_first: bool) -> String {
    let fails = if fails_at_first { "True" } else { "False" };
    format!(
        r#"import fcntl, os, sys, time
QUEUE, TAKES, FAILS = "{queue}", {takes}, {fails}
home = os.path.dirname(os.path.abspath(__file__)) + "/../.."
execution, attempt, token = (
    os.environ["STEADFAST_" + name] for name in ("EXECUTION_ID", "ATTEMPT", "FENCING_TOKEN"))
me = f"{{execution}}.{{attempt}}.{{os.getppid()}}"

def say(sign, *words):
    file = os.open(home + "/deeds", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    words = [sign, QUEUE, execution, attempt, token, os.getppid(), time.time_ns() // 1000, *words]
    os.write(file, (" ".join(map(str, words)) + "\n").encode())
    os.close(file)

with open(home + "/gate-" + QUEUE, "a") as gate:
    fcntl.flock(gate, fcntl.LOCK_EX)
    room = home + "/alive-" + QUEUE
    os.makedirs(room, exist_ok=True)
    others = []
    for name in os.listdir(room):
        with open(room + "/" + name, "a") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.remove(room + "/" + name)
            except BlockingIOError:
                others.append(name)
    mine = open(room + "/" + me, "a")
    fcntl.flock(mine, fcntl.LOCK_EX)
    say("B", ",".join(others) or "-")
time.sleep(TAKES)
say("E", "-")
if FAILS and attempt == "1":
    sys.exit(1)
"#
    )
}

/// A line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) begins: bool,
    pub(crate) queue: String,
    pub(crate) execution: u64,
    pub(crate) attempt: u32,
    pub(crate) token: u64,
    /// The worker's process.
    pub(crate) worker: i32,
    pub(crate) at: u64,
    /// Who else was alive: execution, attempt and worker.
    pub(crate) others: Vec<(u64, u32, i32)>,
}

/// Reads a record.
pub(crate) fn read(text: &str) -> Vec<Deed> {
    text.lines().map(deed).collect()
}

fn deed(line: &str) -> Deed {
    let words: Vec<&str> = line.split(' ').collect();
    let [sign, queue, execution, attempt, token, worker, at, others] = words[..] else {
        panic!("a torn line: {line}")
    };
    fn number<T: std::str::FromStr>(text: &str) -> T {
        text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
    }
    let other = |text: &str| {
        let parts: Vec<&str> = text.split('.').collect();
        (number(parts[0]), number(parts[1]), number(parts[2]))
    };
    Deed {
        begins: sign == "B",
        queue: queue.to_owned(),
        execution: number(execution),
        attempt: number(attempt),
        token: number(token),
        worker: number(worker),
        at: number(at),
        others: if others == "-" { Vec::new() } else { others.split(',').map(other).collect() },
    }
}

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How many processes began.
    pub(crate) begun: usize,
    /// The most at once in a queue.
    pub(crate) most: BTreeMap<String, usize>,
    /// How often something ran beside what replaced it because its worker stood still: such a
    /// worker can stop nothing, so this is counted and not forbidden.
    pub(crate) excused: usize,
}

/// Judges a record: one process for each attempt, tokens that rise, never more at once than
/// `limits` allow, and nothing beside what it replaces. Of `frozen` workers nothing is promised.
pub(crate) fn judge(
    deeds: &[Deed],
    limits: &BTreeMap<String, usize>,
    frozen: &BTreeSet<i32>,
) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let mut tokens: BTreeMap<u64, (u32, u64)> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for deed in deeds {
        let key = (deed.execution, deed.attempt);
        if !deed.begins {
            let in_order = begun.contains(&key) && ended.insert(key);
            in_order.then_some(()).ok_or_else(|| format!("{key:?} ended twice, or unbegun"))?;
            continue;
        }
        if !begun.insert(key) {
            return Err(format!("S5: a second process of attempt {key:?}"));
        }
        seen.begun += 1;
        let late = frozen.contains(&deed.worker);
        let former = tokens.insert(deed.execution, (deed.attempt, deed.token));
        if former.is_some_and(|(attempt, token)| deed.attempt <= attempt || deed.token <= token)
            && !late
        {
            return Err(format!("S5: the token of {key:?} is not above {former:?}"));
        }
        let (excused, rivals): (Vec<(u64, u32, i32)>, Vec<_>) =
            deed.others.iter().copied().partition(|(_, _, worker)| late || frozen.contains(worker));
        seen.excused += excused.len();
        if let Some(rival) = rivals.iter().find(|(execution, ..)| *execution == deed.execution) {
            return Err(format!("S1p: {key:?} began beside {rival:?}"));
        }
        let at_once = rivals.len() + 1;
        let most = seen.most.entry(deed.queue.clone()).or_default();
        *most = at_once.max(*most);
        if let Some(limit) = limits.get(&deed.queue).filter(|limit| at_once > **limit) {
            return Err(format!("S1p: {at_once} at once in {} of {limit}: {deed:?}", deed.queue));
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "B pair 1 1 1 77 10 -\nB pair 2 1 1 77 11 1.1.77\nE pair 1 1 1 77 20 -\n\
        B pair 2 2 2 88 30 -\nE pair 2 2 2 88 40 -\n";

    fn judged(text: &str, frozen: &[i32]) -> Result<Seen, String> {
        let limits = BTreeMap::from([("pair".to_owned(), 2)]);
        judge(&read(text), &limits, &frozen.iter().copied().collect())
    }

    #[track_caller]
    fn falls(doctored: &str, law: &str) {
        let error = judged(doctored, &[]).expect_err("it is doctored");
        assert!(error.contains(law), "{error}");
    }

    #[test]
    fn a_good_record_is_accepted_and_a_doctored_one_is_not() {
        let seen = judged(GOOD, &[]).expect("it is good");
        assert_eq!((seen.begun, seen.most["pair"], seen.excused), (3, 2, 0));
        falls(&GOOD.replace("2 2 2 88 30 -", "2 2 2 88 30 2.1.77"), "S1p");
        falls(&GOOD.replace("2 1 1 77 11 1.1.77", "2 1 1 77 11 1.1.77,9.1.77"), "S1p");
        falls(&GOOD.replace("B pair 2 2 2 88 30", "B pair 2 1 1 88 30"), "S5");
        falls(&GOOD.replace("B pair 2 2 2 88 30", "B pair 2 2 1 88 30"), "S5");
        falls(&GOOD.replace("E pair 1 1 1 77 20 -\n", "E pair 3 1 1 77 20 -\n"), "unbegun");
    }

    #[test]
    fn what_a_frozen_worker_ran_is_counted_and_not_forbidden() {
        let overlapping = GOOD.replace("2 2 2 88 30 -", "2 2 2 88 30 2.1.77");
        assert_eq!(judged(&overlapping, &[77]).expect("it was frozen").excused, 2);
    }
}
