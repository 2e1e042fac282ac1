//! `bench` on servers.

use serde_json::Value;

use crate::deployment::Deployment;

fn measure(value: &Value, workload: usize, name: &str) -> f64 {
    let found = value["workloads"][workload]["measures"][name]["median"].as_f64();
    found.unwrap_or_else(|| panic!("no {name} of {workload} in {value:#}"))
}

#[test]
fn a_small_bench_on_servers_measures_what_it_says_and_leaves_nothing() {
    let deployment = Deployment::bare();
    let (databases, queues) = (deployment.databases(), deployment.queues());
    for backend in ["rabbitmq", "postgres"] {
        a_small_bench(&deployment, backend);
        assert_eq!((&deployment.databases(), &deployment.queues()), (&databases, &queues));
    }
}

fn a_small_bench(deployment: &Deployment, backend: &str) {
    let size = ["--scale", "0.01", "--runs", "1", "--batch-size", "64", "-o", "json"];
    let arguments = [&["bench", "--backend", backend, "w1", "w2", "w3", "w4"], &size[..]].concat();
    let value = deployment.steadfast(&arguments).run().code(0).json();
    assert_eq!((&value["backend"], &value["batch_size"]), (&backend.into(), &64.into()));
    assert_eq!(value["workloads"][0]["name"], "W1");
    for (workload, name) in [
        (0, "enqueued_per_second"),
        (0, "drained_per_second"),
        (0, "drain_commits_per_execution"),
        (0, "drain_wal_bytes_per_execution"),
        (1, "most_at_once"),
        (2, "workflows_per_second"),
        (3, "submit_to_start_p50_ms"),
    ] {
        assert!(measure(&value, workload, name) > 0.0, "{workload} {name}");
    }
    // An execution changes at least when it is taken and when it ends.
    assert!(measure(&value, 0, "dead_tuples_per_execution") >= 2.0);
    let violations = ["order_violations", "limit_violations"].map(|name| measure(&value, 1, name));
    assert_eq!(violations, [0.0, 0.0]);
    assert_eq!((measure(&value, 2, "joins"), measure(&value, 2, "joins_missing")), (5.0, 0.0));
}

#[test]
fn a_bench_sees_how_soon_the_slots_of_a_killed_worker_are_used_again() {
    let deployment = Deployment::bare();
    for backend in ["rabbitmq", "postgres"] {
        a_handover(&deployment, backend);
    }
}

fn a_handover(deployment: &Deployment, backend: &str) {
    let arguments =
        ["bench", "--backend", backend, "w5", "--scale", "0.2", "--runs", "1", "-o", "json"];
    let value = deployment.steadfast(&arguments).run().code(0).json();
    let counts = ["jobs", "completed", "counted_twice"].map(|name| measure(&value, 0, name));
    assert_eq!(counts, [10.0, 10.0, 0.0]);
    // What had not begun yet when it was killed is begun once.
    let (held, again) =
        (measure(&value, 0, "slots_held_at_kill"), measure(&value, 0, "started_again"));
    assert!(held > 0.0 && again == held, "{again} of {held}");
    // Sooner than the jobs that were running then would have ended and others begun by chance.
    let (half, all) =
        (measure(&value, 0, "slot_used_again_p50_s"), measure(&value, 0, "slot_used_again_p99_s"));
    assert!(0.0 < half && half <= all && all < 20.0, "{half} {all}");
}

#[test]
fn what_cannot_be_benched_is_said() {
    let deployment = Deployment::bare();
    let nowhere = ["bench", "--backend", "rabbitmq", "w1"];
    let bench = deployment.steadfast(&nowhere).env("DATABASE_URL", "postgres://x@127.0.0.1:1/x");
    bench.run().code(3).says("the database");
}
