//! The actions and workflows that the stories run.

use std::sync::{Arc, OnceLock};

use steadfast_core::policy::Backoff;
use steadfast_core::{RetryPolicy, Span};
use steadfast_packs::{Definition, PolicyDefaults};
use steadfast_sim::Library;

/// Everything, read and compiled once.
pub fn library() -> Arc<Library> {
    static LIBRARY: OnceLock<Arc<Library>> = OnceLock::new();
    Arc::clone(LIBRARY.get_or_init(|| Arc::new(build(PolicyDefaults::default()))))
}

/// The same, where nothing waits in its queue for longer than a second.
pub(crate) fn impatient_library() -> Arc<Library> {
    static LIBRARY: OnceLock<Arc<Library>> = OnceLock::new();
    let queue_timeout = Some(Span::from_secs(1));
    let defaults = PolicyDefaults { queue_timeout, ..PolicyDefaults::default() };
    Arc::clone(LIBRARY.get_or_init(|| Arc::new(build(defaults))))
}

fn action(name: &str) -> Definition {
    Definition::handler(name)
}

fn retry(count: u32) -> RetryPolicy {
    RetryPolicy {
        count,
        delay: Span::from_millis(200),
        backoff: Backoff::Exponential,
        max_delay: Some(Span::from_secs(2)),
        jitter_permille: 200,
    }
}

fn build(defaults: PolicyDefaults) -> Library {
    let mut single = action("sim.single");
    single.concurrency_limit = Some(1);
    let mut pair = action("sim.pair");
    pair.concurrency_limit = Some(2);
    pair.retry = retry(1);
    let mut keyed = action("sim.keyed");
    keyed.concurrency_limit = Some(1);
    keyed.concurrency_key = Some("{{ parameters.key }}".into());
    let mut retried = action("sim.retried");
    retried.retry = retry(3);
    let mut timed = action("sim.timed");
    timed.timeout = Some(Span::from_millis(800));
    timed.retry = retry(1);
    let mut once = action("sim.once");
    once.on_lost = steadfast_core::OnLost::Abandon;
    let mut lone = action("sim.lone");
    lone.concurrency_limit = Some(1);
    lone.on_lost = steadfast_core::OnLost::Abandon;
    let mut brief = action("sim.brief");
    brief.concurrency_limit = Some(1);
    brief.timeout = Some(Span::from_millis(300));
    let mut again = action("sim.again");
    again.concurrency_limit = Some(1);
    again.retry = retry(2);
    let actions =
        [action("sim.step"), single, pair, keyed, retried, timed, once, lone, brief, again];
    let bare = Library::of(actions).with_defaults(defaults);
    WORKFLOWS.iter().fold(bare, |library, (name, text)| library.workflow_file(name, text))
}

const WORKFLOWS: &[(&str, &str)] = &[
    ("flow.chain", CHAIN),
    ("flow.diamond", DIAMOND),
    ("flow.list", LIST),
    ("flow.window", WINDOW),
    ("flow.rescue", RESCUE),
    ("flow.lap", LAP),
    ("flow.outer", OUTER),
    ("flow.leaf", LEAF),
    ("flow.ends", ENDS),
    ("flow.ring", RING),
    ("flow.items", ITEMS),
    ("flow.narrow", NARROW),
    ("flow.nest", NEST),
    ("flow.delayed", DELAYED),
    ("flow.failing", FAILING),
    ("flow.stubborn", STUBBORN),
    ("flow.slow", SLOW),
    ("flow.hurried", HURRIED),
];

/// One after the other.
const CHAIN: &str = "
version: 1.0.0
tasks:
  - { name: one, action: sim.step, input: { ms: 20 }, next: [{ do: [two] }] }
  - { name: two, action: sim.retried, input: { ms: 20, fails: 1 }, next: [{ do: [three] }] }
  - { name: three, action: sim.pair, input: { ms: 30 } }
";

/// Two branches that meet.
const DIAMOND: &str = "
version: 1.0.0
tasks:
  - { name: start, action: sim.step, input: { ms: 5 }, next: [{ do: [left, right, leaf] }] }
  - { name: left, action: sim.step, input: { ms: 30 }, next: [{ do: [meet] }] }
  - { name: right, action: sim.pair, input: { ms: 30 }, next: [{ do: [meet] }] }
  - { name: leaf, action: sim.step, input: { ms: 10 } }
  - { name: meet, action: sim.single, join: all, input: { ms: 10 } }
";

/// A list whose items end at once, and what follows it.
const LIST: &str = "
version: 1.0.0
tasks:
  - name: each
    action: sim.step
    with_items: [1, 2, 3, 4, 5]
    concurrency: 5
    input: { ms: 40, number: \"{{ item }}\" }
    next: [{ when: \"{{ succeeded() }}\", do: [after] }]
  - { name: after, action: sim.step, input: { ms: 10, all: \"{{ task.each.results | length }}\" } }
output_map: { last: \"{{ task.after.result }}\" }
";

/// A list through a window, one item of which fails at first.
const WINDOW: &str = "
version: 1.0.0
tasks:
  - name: each
    action: sim.retried
    with_items: [0, 1, 0, 2, 0, 0, 1]
    concurrency: 2
    input: { ms: 15, fails: \"{{ item }}\" }
    next: [{ do: [after] }]
  - { name: after, action: sim.pair, input: { ms: 5 } }
";

/// A failure that is handled, beside a branch that goes on.
const RESCUE: &str = "
version: 1.0.0
tasks:
  - name: risky
    action: sim.step
    input: { ms: 10, fails: 99 }
    next:
      - { when: \"{{ succeeded() }}\", do: [never] }
      - { when: \"{{ failed() }}\", do: [rescue] }
  - { name: beside, action: sim.step, input: { ms: 60 } }
  - { name: never, action: sim.step, input: { ms: 1 } }
  - { name: rescue, action: sim.step, input: { ms: 10 } }
";

/// A cycle, left after a few laps.
const LAP: &str = "
version: 1.0.0
vars:
  - laps: 0
tasks:
  - { name: begin, action: sim.step, input: { ms: 1 }, next: [{ do: [turn] }] }
  - name: turn
    action: sim.step
    input: { ms: 10 }
    next:
      - { when: \"{{ vars.laps < 2 }}\", publish: [{ laps: \"{{ vars.laps + 1 }}\" }], do: [turn] }
      - { when: \"{{ vars.laps >= 2 }}\", do: [done] }
  - { name: done, action: sim.step, input: { ms: 10 } }
";

/// A workflow in a workflow.
const OUTER: &str = "
version: 1.0.0
tasks:
  - { name: inner, action: flow.chain, next: [{ do: [after] }] }
  - { name: after, action: sim.step, input: { ms: 10 } }
";

/// A leaf that ends beside a task that goes on.
const LEAF: &str = "
version: 1.0.0
tasks:
  - { name: start, action: sim.step, input: { ms: 5 }, next: [{ do: [leaf, long] }] }
  - { name: leaf, action: sim.step, input: { ms: 30 } }
  - { name: long, action: sim.step, input: { ms: 30 }, next: [{ do: [last] }] }
  - { name: last, action: sim.step, input: { ms: 10 } }
";

/// A list whose items end in different ways; what comes after it comes in any case.
const ENDS: &str = "
version: 1.0.0
tasks:
  - { name: good, action: sim.step, input: { ms: 20 }, next: [{ do: [meet] }] }
  - { name: bad, action: sim.step, input: { ms: 20, fails: 9 }, next: [{ do: [meet] }] }
  - { name: slow, action: sim.brief, input: { ms: 5000 }, next: [{ do: [meet] }] }
  - { name: lost, action: sim.once, input: { ms: 5000 }, next: [{ do: [meet] }] }
  - { name: unwanted, action: sim.retried, input: { ms: 5000 }, next: [{ do: [meet] }] }
  - { name: meet, action: sim.step, join: all, input: { ms: 10 } }
";

/// A cycle with a join in it: each lap starts two and waits for both.
const RING: &str = "
version: 1.0.0
vars:
  - laps: 0
tasks:
  - { name: begin, action: sim.step, input: { ms: 1 }, next: [{ do: [turn] }] }
  - name: turn
    action: sim.step
    input: { ms: 5 }
    next:
      - { when: \"{{ vars.laps >= 2 }}\", do: [done] }
      - when: \"{{ vars.laps < 2 }}\"
        publish: [{ laps: \"{{ vars.laps + 1 }}\" }]
        do: [left, right]
  - { name: left, action: sim.step, input: { ms: 20 }, next: [{ do: [meet] }] }
  - { name: right, action: sim.step, input: { ms: 20 }, next: [{ do: [meet] }] }
  - { name: meet, action: sim.step, join: all, input: { ms: 5 }, next: [{ do: [turn] }] }
  - { name: done, action: sim.step, input: { ms: 5 } }
";

/// A list of as many items as it is told.
const ITEMS: &str = "
version: 1.0.0
parameters:
  numbers: { type: array, required: true }
  item: { type: integer }
tasks:
  - name: each
    action: sim.step
    with_items: \"{{ parameters.numbers }}\"
    concurrency: 300
    input: { ms: 5, number: \"{{ item }}\" }
    next: [{ do: [after] }]
  - { name: after, action: sim.step, input: { ms: 5, all: \"{{ task.each.results | length }}\" } }
";

/// A child that fails twice, in a queue for one.
const NARROW: &str = "
version: 1.0.0
tasks:
  - { name: child, action: sim.again, input: { ms: 20, fails: 2 }, next: [{ do: [after] }] }
  - { name: after, action: sim.step, input: { ms: 5 } }
";

/// Two runs in a run, whose children share a queue for one.
const NEST: &str = "
version: 1.0.0
tasks:
  - { name: one, action: flow.diamond, next: [{ do: [after] }] }
  - { name: two, action: flow.diamond, next: [{ do: [after] }] }
  - { name: after, action: sim.single, join: all, input: { ms: 10 } }
";

/// A task that begins a second after the one before it.
const DELAYED: &str = "
version: 1.0.0
tasks:
  - { name: early, action: sim.step, input: { ms: 5 }, next: [{ do: [late] }] }
  - { name: late, action: sim.step, delay: 1, input: { ms: 5 } }
";

/// A run that fails.
const FAILING: &str = "
version: 1.0.0
tasks:
  - { name: only, action: sim.step, input: { ms: 5, fails: 99 } }
";

/// A run in a run that is tried again.
const STUBBORN: &str = "
version: 1.0.0
tasks:
  - { name: child, action: flow.failing, retry: { count: 1, delay: 1 }, next: [{ do: [after] }] }
  - { name: after, action: sim.step, input: { ms: 5 } }
";

/// Two that work for long, and one after them.
const SLOW: &str = "
version: 1.0.0
tasks:
  - { name: one, action: sim.step, input: { ms: 20000 }, next: [{ do: [after] }] }
  - { name: two, action: sim.single, input: { ms: 20000 }, next: [{ do: [after] }] }
  - { name: after, action: sim.step, join: all, input: { ms: 5 } }
";

/// A run in a run that has too little time.
const HURRIED: &str = "
version: 1.0.0
tasks:
  - { name: child, action: flow.slow, timeout: 1, next: [{ do: [after] }] }
  - { name: after, action: sim.step, input: { ms: 5 } }
";
