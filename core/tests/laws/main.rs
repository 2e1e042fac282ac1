//! Random worlds: whatever is asked of the engine, in whatever order and however often, every law
//! holds after every commit, and once the faults stop everything comes to rest.

mod fixtures;
mod graphs;
mod heal;
mod mutants;
mod op;
mod plan;
mod touched;
mod toy;
mod world;

/// The crate under test, under a name that the unit tests have as well.
mod engine {
    pub(crate) use steadfast_core::*;
}

use proptest::prelude::*;
use steadfast_core::definition::Transport;
use steadfast_core::execution::{Ending, Execution};
use steadfast_core::snapshot::Snapshot;
use steadfast_core::{ExecutionId, Version};

use op::{Op, Reply};
use plan::{Step, plan, step};
use world::World;

/// How a random world loads and carries its work.
#[derive(Clone, Debug)]
struct Manner {
    transport: Transport,
    heads: usize,
    children: usize,
    block: u64,
    line: u64,
}

fn manner() -> impl Strategy<Value = Manner> {
    (
        prop::sample::select(vec![Transport::Embedded, Transport::Rabbitmq]),
        prop::sample::select(vec![1, 2, 5, usize::MAX]),
        prop::sample::select(vec![1, 3, usize::MAX]),
        prop::sample::select(vec![1, 4, 300]),
        prop::sample::select(vec![2, 10, 10_000]),
    )
        .prop_map(|(transport, heads, children, block, line)| Manner {
            transport,
            heads,
            children,
            block,
            line,
        })
}

fn world(manner: &Manner) -> World {
    let mut world = World::new(fixtures::toy());
    world.transport = manner.transport;
    world.heads = manner.heads;
    world.children = manner.children;
    world.block = manner.block;
    world.settings.max_queue_length = manner.line;
    world
}

fn cases(default: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    // PROPTEST_CASES, if it is set, is in the default configuration already.
    let cases = if config.cases == 256 { default } else { config.cases };
    ProptestConfig { cases, failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn every_law_holds_after_every_commit_and_everything_comes_to_rest(
        manner in manner(),
        steps in prop::collection::vec(step(), 1..120),
        ending in prop::sample::select(vec![Ending::Succeeded, Ending::Failed]),
    ) {
        let mut world = world(&manner);
        for step in &steps {
            step.take(&mut world);
        }
        heal::converge(&mut world, ending);
    }

    #[test]
    fn a_batch_does_what_its_parts_would_do_one_after_the_other(
        manner in manner(),
        steps in prop::collection::vec(step(), 1..60),
        batch in prop::collection::vec(plan(), 2..12),
    ) {
        let mut together = world(&Manner { block: 300, ..manner });
        for step in &steps {
            step.take(&mut together);
        }
        // With everything at hand, neither can see more than the other.
        together.everything = true;
        let ops = Step::Together(batch).aim(&mut together);
        let mut alone = together.clone();
        let (_, replies) = together.transact(&ops);
        let one_by_one: Vec<Reply> =
            ops.iter().flat_map(|op| alone.transact(std::slice::from_ref(op)).1).collect();
        prop_assert_eq!(replies, one_by_one);
        prop_assert_eq!(plain(&together.snapshot), plain(&alone.snapshot));
    }

    #[test]
    fn the_same_request_again_changes_nothing(
        manner in manner(),
        steps in prop::collection::vec(step(), 1..60),
        last in prop_oneof![plan().prop_map(|plan| Step::Together(vec![plan])), step()],
    ) {
        let mut world = world(&Manner { block: 300, ..manner });
        for step in &steps {
            step.take(&mut world);
        }
        world.everything = true;
        world.children = usize::MAX;
        let mut ops = last.aim(&mut world);
        if matches!(last, Step::Together(_)) {
            // Of several, one may let another do what it could not do before.
            ops.truncate(1);
        }
        world.transact(&ops);
        let before = world.snapshot.clone();
        // Claiming, registering and submitting without a key ask for something more each time.
        let again: Vec<Op> = ops.into_iter().filter(is_repeatable).collect();
        let (decision, _) = world.transact(&again);
        prop_assert!(decision.writes.is_empty(), "{:?} wrote {:?}", again, decision.writes);
        prop_assert_eq!(before, world.snapshot);
    }

    #[test]
    fn every_successor_of_a_random_workflow_is_visited_once(
        manner in manner(),
        graph in graphs::acyclic(),
        runs in 1..4usize,
        // Cut short, a run cannot be expected to visit everything.
        steps in prop::collection::vec(step().prop_filter("no cancel", is_gentle), 0..60),
        ending in prop::sample::select(vec![Ending::Succeeded, Ending::Failed]),
    ) {
        let mut world = world(&manner);
        world.toy = world.toy.graph("z.random", graph.clone());
        let submit = Op::Submit("z.random".into(), None, serde_json::json!({}));
        world.transact(&vec![submit; runs]);
        for step in &steps {
            step.take(&mut world);
        }
        heal::converge(&mut world, ending);
        let random = |e: &Execution| e.action.as_str() == "z.random" && e.cause.is_none();
        for run in world.all(random) {
            graphs::check_successors(&world.snapshot, run, &graph);
        }
    }
}

/// A state without the versions, which count commits.
fn plain(snapshot: &Snapshot) -> Snapshot {
    let mut plain = snapshot.clone();
    let ids: Vec<ExecutionId> = snapshot.executions.iter().map(|e| e.id).collect();
    for id in ids {
        let execution = snapshot.execution(id).expect("it was just listed").clone();
        plain.executions.put(Execution { version: Version(0), ..execution });
    }
    plain.queues.values_mut().for_each(|queue| queue.version = Version(0));
    plain.workers.values_mut().for_each(|worker| worker.version = Version(0));
    plain.runs.values_mut().for_each(|run| run.version = Version(0));
    plain.visits.values_mut().for_each(|visit| visit.version = Version(0));
    plain
}

fn is_repeatable(op: &Op) -> bool {
    use steadfast_core::worker::WorkerInput::Register;
    !matches!(op, Op::Claim(..) | Op::Submit(_, None, _) | Op::Worker(_, Register { .. }))
}

fn is_gentle(step: &Step) -> bool {
    match step {
        Step::Together(plans) => plans.iter().all(|plan| !matches!(plan, plan::Plan::Cancel(_))),
        _ => true,
    }
}
