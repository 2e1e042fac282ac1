//! The realistic random one: each seed draws a fleet, a workload, the families of faults that it
//! has, and how often they strike. First everything goes wrong, then nothing does any more.

mod draw;

use steadfast_sim::World;

use crate::Scenario;
use crate::library::library;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "swarm",
    story: "a random fleet does random work under random faults; when they stop, everything \
            that was accepted comes to rest in time and leaves no trace",
    covers: &["waited_for_a_lock", "prefetch_bounds_a_batch"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let plan = draw::plan(&world);
    world.perform(&plan, library()).await;
}
