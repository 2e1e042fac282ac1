//! Neither descriptors nor zombies are left behind. Alone in its program, because it counts.

mod support;

use std::fs;

use serde_json::json;
use steadfast_runner::{Delivery, Interpreter, Outcome};
use support::Pack;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_processes_leave_no_descriptor_and_no_zombie() {
    let pack = Pack::new("cat; echo x >&2");
    run_some(&pack, 20).await;
    let before = descriptors();
    run_some(&pack, 500).await;
    assert_eq!(descriptors(), before);
    assert_eq!(zombies(), [] as [String; 0]);
}

/// All kinds of ends: success, failure, timeout, cancel, drop, and no start at all.
async fn run_some(pack: &Pack, count: u64) {
    let runner = pack.runner();
    let mut running = JoinSet::new();
    for execution in 0..count {
        let mut invocation = pack.invocation();
        invocation.execution = execution;
        invocation.parameters = json!({"n": execution});
        let cancel = CancellationToken::new();
        match execution % 10 {
            0 => invocation.timeout = Some(Default::default()),
            1 => invocation.delivery = Delivery::File,
            2 => cancel.cancel(),
            3 => invocation.entry_point = "none".into(),
            4 => invocation.runtime = Interpreter::Native,
            _ => {}
        }
        if running.len() >= 16 {
            running.join_next().await;
        }
        let runner = runner.clone();
        let started = running.spawn(async move {
            match (execution % 10, runner.run(invocation, cancel).await) {
                (0, Outcome::TimedOut { .. } | Outcome::Succeeded(_)) => {}
                (2, Outcome::Cancelled) | (3 | 4, Outcome::Failed(_)) => {}
                (_, Outcome::Succeeded(_)) => {}
                (_, other) => panic!("{other:?}"),
            }
        });
        if execution % 10 == 5 {
            started.abort();
        }
    }
    while let Some(result) = running.join_next().await {
        assert!(result.is_ok() || result.is_err_and(|error| error.is_cancelled()));
    }
    // Processes of dropped runs are collected in the background.
    support::until("all are collected", || zombies().is_empty()).await;
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Children of this program that nobody has collected.
fn zombies() -> Vec<String> {
    let own = std::process::id().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter(|stat| {
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            fields.starts_with("Z ") && fields.split(' ').nth(1) == Some(&own)
        })
        .collect()
}
