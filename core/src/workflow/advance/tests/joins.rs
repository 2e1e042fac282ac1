//! Tasks with several predecessors.

use super::*;
use crate::workflow::{Join, Task};

/// `a`, `b` and `c` lead to `end`, which joins.
fn fan_in(join: Join) -> Graph {
    let branch = |name: &str| leads(name, vec![then("succeeded", &["end"])]);
    let end = Task { join: Some(join), ..task("end", "a.free") };
    graph(vec![branch("a"), branch("b"), branch("c"), end])
}

#[test]
fn a_join_starts_when_enough_have_arrived_and_absorbs_the_others() {
    // join            ended one by one       starts after    visits of the join
    let table = [(Join::All, 3), (Join::Count(3), 3), (Join::Count(2), 2), (Join::Count(1), 1)];
    for (join, needed) in table {
        let mut flow = Flow::begin(fan_in(join));
        for (ended, place) in ["a", "b", "c"].into_iter().enumerate() {
            flow.succeed(&[place]);
            let started = flow.show().contains("end");
            assert_eq!(started, ended + 1 >= needed, "{join:?} after {place}");
        }
        assert!(!flow.show().contains("end~1"), "{join:?}: {}", flow.show());
        flow.succeed(&["end"]);
        assert_eq!(flow.status(), Status::Completed, "{join:?}");
    }
}

#[test]
fn a_late_arrival_is_absorbed_even_after_the_join_has_ended() {
    let mut flow = Flow::begin(fan_in(Join::Count(2)));
    flow.succeed(&["a", "b", "end"]);
    assert_eq!(flow.status(), Status::Running, "c is under way");
    flow.succeed(&["c"]);
    assert_eq!((flow.status(), flow.show().contains("end~1")), (Status::Completed, false));
}

#[test]
fn all_that_end_at_once_arrive() {
    let mut flow = Flow::begin(fan_in(Join::All));
    for place in ["a", "b", "c"] {
        flow.report(flow.at(place), Ending::Succeeded, Value::Null).expect("it is under way");
    }
    flow.advance();
    assert_eq!(flow.show(), "a:completed b:completed c:completed end");
}

#[test]
fn a_join_that_can_never_start_fails_the_run_and_names_what_it_waits_for() {
    let mut flow = Flow::begin(fan_in(Join::All));
    flow.succeed(&["a"]);
    flow.end("b", Ending::Failed);
    assert_eq!(flow.status(), Status::Running, "c is under way");
    flow.succeed(&["c"]);
    assert_eq!((flow.status(), flow.error()), (Status::Failed, "task `b` failed: it broke"));

    let handled =
        |name: &str| leads(name, vec![then("failed", &["x"]), then("succeeded", &["end"])]);
    let end = Task { join: Some(Join::All), ..task("end", "a.free") };
    let mut flow = Flow::begin(graph(vec![handled("a"), handled("b"), end, task("x", "a.free")]));
    flow.succeed(&["a"]);
    flow.end("b", Ending::Failed);
    flow.succeed(&["x"]);
    let error = "task `end` can never start: 1 of 2 predecessors arrived, and it still waits for b";
    assert_eq!((flow.status(), flow.error()), (Status::Failed, error));
    law::quiescent(&flow.store).expect("nothing is left");
}

/// `a` and `b` meet in `m`, which goes round until `n` is 3.
fn lap() -> Graph {
    let mut count = then("always", &[]);
    count.publish = vec![("n".into(), json!("+n"))];
    let meet = Task { join: Some(Join::All), ..leads("m", vec![count, then("$n<3", &["a", "b"])]) };
    let leg = |name: &str| leads(name, vec![then("always", &["m"])]);
    graph(vec![leads("start", vec![then("always", &["a", "b"])]), leg("a"), leg("b"), meet])
}

#[test]
fn a_join_in_a_loop_meets_once_in_every_lap() {
    let mut flow = Flow::begin(lap());
    flow.succeed(&["start", "a", "b", "m", "b~1", "a~1", "m~1", "a~2"]);
    assert!(!flow.show().contains("m~2"), "b has not arrived in this lap");
    flow.succeed(&["b~2", "m~2"]);
    assert_eq!((flow.status(), flow.show().contains("m~3")), (Status::Completed, false));
}

#[test]
fn a_fast_leg_that_laps_a_slow_one_does_not_count_twice() {
    // a goes round alone, and each time arrives at m, where b is awaited.
    let mut count = then("always", &["m"]);
    count.publish = vec![("n".into(), json!("+n"))];
    let meet = Task { join: Some(Join::All), ..task("m", "a.free") };
    let mut flow = Flow::begin(graph(vec![
        leads("start", vec![then("always", &["a", "b"])]),
        leads("a", vec![count, then("$n<3", &["a"])]),
        leads("b", vec![then("always", &["m"])]),
        meet,
    ]));
    flow.succeed(&["start", "a", "a~1", "a~2"]);
    assert!(!flow.show().contains(" m"), "three arrivals of a are not one of b");
    flow.succeed(&["b"]);
    assert!(flow.show().ends_with(" m start:completed"), "{}", flow.show());
    flow.succeed(&["m"]);
    assert!(flow.error().contains("still waits for b"), "{}", flow.error());
}
