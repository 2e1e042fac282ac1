//! `doctor` and `bench`.

use crate::support::{Place, core_pack};

#[test]
fn doctor_says_what_is_in_order_and_what_is_not() {
    let place = Place::new();
    let pack = core_pack();
    place.run(&["run", "core.noop", "--pack", &pack, "--data", "data"]).code(0);
    let value =
        place.run(&["doctor", "--data", "data", "--pack", &pack, "-o", "json"]).code(0).json();
    let state = |check: &str| {
        let rows = value["checks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["check"] == check);
        row.unwrap_or_else(|| panic!("no {check}"))["state"].as_str().unwrap().to_owned()
    };
    for check in ["configuration", "packs", "interpreter shell", "clock", "schema", "store"] {
        assert_eq!(state(check), "ok", "{check}");
    }
    assert_eq!(state("data directory"), "ok");

    place.run(&["doctor", "--data", "nowhere"]).code(1).shows("nowhere is no directory");
    place.write("steadfast.yaml", "worker: { capacity: none }\n");
    let ended = place.run(&["doctor"]).code(1).shows("configuration");
    ended.says("not in order: configuration");
    let listening = place.steadfast(&["doctor"]).env("STEADFAST_API_URL", "http://127.0.0.1:1");
    listening.run().code(1).says("api");
}

#[test]
fn a_small_bench_measures_what_it_says() {
    let place = Place::new();
    let arguments = ["bench", "w1", "w2", "w3", "--scale", "0.01", "--runs", "1", "-o", "json"];
    let value = place.run(&arguments).code(0).json();
    let measure = |workload: usize, name: &str| {
        value["workloads"][workload]["measures"][name]["median"].as_f64().unwrap()
    };
    assert_eq!(value["workloads"][0]["name"], "W1");
    assert!(measure(0, "drained_per_second") > 0.0);
    assert_eq!((measure(1, "order_violations"), measure(1, "limit_violations")), (0.0, 0.0));
    assert!(measure(1, "most_at_once") >= 1.0);
    assert_eq!((measure(2, "joins"), measure(2, "joins_missing")), (5.0, 0.0));
}
