use std::sync::{Arc, Mutex};

use super::*;
use crate::{Fact, Fault, Kind, Node, Process};

static BEAT: Kind = Kind::new("beat", &["nth"]);

/// A node that writes an event now and then, at times of its own stream.
fn heart(world: &World, name: &'static str) -> Node {
    world.node(name, move |me: Process| async move {
        let mut chance = me.world().stream(&format!("{name}.{}", me.incarnation()));
        for nth in 0.. {
            me.wait(chance.duration(Duration::from_millis(1)..=Duration::from_millis(9))).await;
            me.log(&BEAT, &[nth]);
        }
    })
}

async fn two_hearts(world: World) {
    let first = heart(&world, "first");
    heart(&world, "second");
    world.wait(Duration::from_millis(100)).await;
    world.kill(first);
    world.wait(Duration::from_millis(100)).await;
    world.restart(first);
    let beats = Fact::new("it beats again", move |e| e.node == first);
    world.until(beats.from_now(&world).within(Duration::from_secs(1))).await;
}

fn run(seed: u64) -> Outcome {
    run_seed(seed, &Settings::default(), two_hearts)
}

fn fallen(outcome: &Outcome) -> Vec<&str> {
    outcome.violations.iter().map(|violation| violation.law.name()).collect()
}

#[test]
fn a_seed_repeats_and_seeds_differ() {
    let (first, again, other) = (run(7), run(7), run(8));
    assert!(first.held(), "{:?}", first.violations);
    assert_eq!(first.log.events(), again.log.events());
    assert_eq!(first.digest(), again.digest());
    assert_ne!(first.digest(), other.digest());
}

#[test]
fn a_killed_node_is_silent_until_its_restart() {
    let outcome = run(3);
    let first = Node(1);
    let of_first: Vec<&str> = (outcome.log.events().iter())
        .filter(|event| event.node == first)
        .map(|event| event.kind.name)
        .collect();
    let killed = of_first.iter().position(|kind| *kind == "killed").unwrap();
    assert_eq!(of_first[killed + 1], "restarted");
    assert_eq!(outcome.fault_counts()[Fault::Kill.name()], 1);
    assert_eq!(outcome.log.name(first), "first");
}

#[test]
fn until_cuts_the_log_after_that_step() {
    let (whole, cut) = (run(7), {
        let settings = Settings { until: Some(5), ..Settings::default() };
        run_seed(7, &settings, two_hearts)
    });
    assert!(cut.held());
    assert_eq!(cut.log.events(), &whole.log.events()[..=5]);
    assert_ne!(cut.digest(), whole.digest());
}

#[test]
fn a_panic_is_a_violation_and_keeps_the_log() {
    let outcome = run_seed(1, &Settings::default(), |world| async move {
        heart(&world, "only");
        world.wait(Duration::from_millis(50)).await;
        panic!("as arranged");
    });
    assert_eq!(fallen(&outcome), ["no_panic"]);
    let detail = &outcome.violations[0].detail;
    assert!(detail.starts_with("world panicked at sim/src/run/tests.rs:"), "{detail}");
    assert!(detail.ends_with(": as arranged"), "{detail}");
    assert!(outcome.log.events().len() > 1);
}

#[test]
fn what_does_not_come_to_pass_is_a_violation() {
    let outcome = run_seed(1, &Settings::default(), |world| async move {
        world.until(Fact::new("pigs fly", |_| false).within(Duration::from_secs(1))).await;
    });
    assert_eq!(fallen(&outcome), ["comes_to_pass"]);
    assert!(outcome.violations[0].detail.contains("pigs fly"));
}

#[test]
fn every_limit_ends_a_run() {
    let story = |world: World| async move {
        heart(&world, "only");
        std::future::pending::<()>().await;
    };
    let short = Settings { sim_time_max: Duration::from_secs(1), ..Settings::default() };
    let few = Settings { events_max: 20, ..Settings::default() };
    for settings in [short, few] {
        assert_eq!(fallen(&run_seed(1, &settings, story)), ["finishes"], "{settings:?}");
    }
}

#[test]
fn the_watchdog_ends_what_no_longer_moves() {
    let settings = Settings { wall_max: Duration::from_millis(200), ..Settings::default() };
    let outcome = run_seed(1, &settings, |world| async move {
        // Simulated time stands still in this loop, so that only wall time can end it.
        while !world.0.given_up.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    });
    assert_eq!(fallen(&outcome), ["finishes"]);
}

#[test]
fn a_run_that_no_longer_moves_names_the_node_that_keeps_it() {
    let settings = Settings { wall_max: Duration::from_millis(200), ..Settings::default() };
    let outcome = run_seed(1, &settings, |world| async move {
        heart(&world, "heart");
        world.node("spinner", |me| async move {
            me.wait(Duration::from_millis(20)).await;
            loop {
                madsim::task::yield_now().await;
            }
        });
        world.wait(Duration::from_secs(10)).await;
    });
    assert_eq!(fallen(&outcome), ["finishes"]);
    let detail = &outcome.violations[0].detail;
    assert!(detail.contains("spinner was at work last"), "{detail}");
}

#[test]
fn a_panic_in_a_node_names_the_node_and_the_place() {
    let outcome = run_seed(1, &Settings::default(), |world| async move {
        world.node("clumsy", |me| async move {
            me.wait(Duration::from_millis(5)).await;
            panic!("it fell");
        });
        world.wait(Duration::from_secs(10)).await;
    });
    assert_eq!(fallen(&outcome), ["no_panic"]);
    let detail = &outcome.violations[0].detail;
    assert!(detail.starts_with("clumsy panicked at sim/src/run/tests.rs:"), "{detail}");
    assert_eq!(outcome.sim_time.as_millis(), 5);
}

#[test]
fn nothing_is_left_when_a_world_ends() {
    let weight = Arc::new(());
    let held = Arc::new(Mutex::new(Some(Arc::clone(&weight))));
    let outcome = run_seed(1, &Settings::default(), move |world| async move {
        let weight = held.lock().unwrap().take();
        world.node("holder", move |me| {
            let weight = weight.clone();
            async move {
                me.wait(Duration::from_secs(1000)).await;
                drop(weight);
            }
        });
        world.wait(Duration::from_millis(10)).await;
    });
    assert!(outcome.held(), "{:?}", outcome.violations);
    assert_eq!(Arc::strong_count(&weight), 1, "madsim keeps the futures of a world");
}

#[test]
fn a_process_that_outlives_its_world_is_a_violation() {
    let hoard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&hoard);
    let outcome = run_seed(1, &Settings::default(), move |world| async move {
        world.node("hoarded", move |me| {
            keep.lock().unwrap().push(me);
            std::future::pending()
        });
        world.wait(Duration::from_millis(10)).await;
    });
    assert_eq!(fallen(&outcome), ["nothing_outlives_the_world"]);
}
