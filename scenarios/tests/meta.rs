//! `meta` is only worth something if it sees what differs. This test is a program of its own,
//! which is the process that is compared as well: with a verb it makes a pass, without one it
//! compares its passes over stories that keep something from one seed to the next.

// `select!` as it must not be used: without `biased`, its order comes from a process-wide counter.
use tokio::select as any_of;

use std::collections::HashMap;
use std::hash::RandomState;
use std::io;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steadfast_scenarios::{BACKWARDS, PASS, Scenario, Seeds, TELL, compare, pass};
use steadfast_sim::{Kind, Node, World};

static SAID: Kind = Kind::new("said", &["what"]);

static STORIES: &[Scenario] = &[
    Scenario {
        name: "steady",
        story: "nothing is kept",
        covers: &[],
        tell: |world| Box::pin(steady(world)),
    },
    Scenario {
        name: "counting",
        story: "a counter of the process is told",
        covers: &[],
        tell: |world| Box::pin(counting(world)),
    },
    Scenario {
        name: "unordered",
        story: "a map is iterated in the order of a hasher of the process",
        covers: &[],
        tell: |world| Box::pin(unordered(world)),
    },
    Scenario {
        name: "unbiased",
        story: "one of two ready branches is taken at random",
        covers: &[],
        tell: |world| Box::pin(unbiased(world)),
    },
];

async fn steady(world: World) {
    let mut stream = world.stream("steady");
    for _ in 0..20 {
        world.wait(Duration::from_millis(stream.below(5))).await;
        world.log(Node::WORLD, &SAID, &[stream.bits()]);
    }
}

async fn counting(world: World) {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    steady(world.clone()).await;
    world.log(Node::WORLD, &SAID, &[COUNTER.fetch_add(1, Ordering::Relaxed)]);
}

async fn unordered(world: World) {
    static HASHER: OnceLock<RandomState> = OnceLock::new();
    let mut map = HashMap::with_hasher(HASHER.get_or_init(RandomState::new).clone());
    map.extend((0..10).map(|key| (key, ())));
    for key in map.into_keys() {
        world.log(Node::WORLD, &SAID, &[key]);
    }
}

async fn unbiased(world: World) {
    for _ in 0..10 {
        let taken = any_of! {
            () = std::future::ready(()) => 1,
            () = std::future::ready(()) => 2,
        };
        world.log(Node::WORLD, &SAID, &[taken]);
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|verb| verb == PASS) {
        return make_pass(&arguments);
    }
    let program = std::env::current_exe().expect("a running program has a file");
    let seeds = Seeds(0..6);
    let differs = |name| compare(&program, name, &seeds).expect("the processes run");
    assert_eq!(differs("steady"), None);
    for name in ["counting", "unordered", "unbiased"] {
        let difference = differs(name).unwrap_or_else(|| panic!("{name} was not seen"));
        let [one, other] = difference.event.clone().expect("the first differing event");
        assert!(one.contains(" said ") && other.contains(" said "), "{difference}");
        assert_ne!(one, other);
        println!("seen   {name:<12} {difference}");
    }
    ExitCode::SUCCESS
}

fn make_pass(arguments: &[String]) -> ExitCode {
    let [_, name, seeds, ..] = arguments else { return ExitCode::from(2) };
    let story = STORIES.iter().find(|story| story.name == *name).expect("a known story");
    let seeds: Seeds = seeds.parse().expect("a range");
    let backwards = arguments.iter().any(|argument| argument == BACKWARDS);
    let tell = arguments.iter().position(|argument| argument == TELL);
    let tell = tell.map(|at| arguments[at + 1].parse().expect("a seed"));
    match pass(story, &seeds, backwards, tell, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
