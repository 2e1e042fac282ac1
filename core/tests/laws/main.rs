//! Random worlds: whatever is asked of the engine, in whatever order and however often, every law
//! holds after every commit, and once the faults stop everything comes to rest.

mod fixtures;
mod heal;
mod op;
mod plan;
mod toy;
mod world;

/// The crate under test, under a name that the unit tests have as well.
mod engine {
    pub(crate) use steadfast_core::*;
}

use proptest::prelude::*;
use steadfast_core::definition::Transport;
use steadfast_core::execution::Ending;

use op::{Op, Reply};
use plan::{Plan, Step, step};
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
}
