//! What production processes wrote down while they were killed and cut off: the pure core decides
//! the same again, and what one process loaded is what one process wrote.

use std::fs;
use std::sync::Arc;

use rustix::process::Signal;
use steadfast_packs::{Catalog, CompiledWorkflow, PolicyDefaults, Sources};
use steadfast_services::journal::{Checker, Findings};
use steadfast_services::port::Workflow;

use crate::deployment::Deployment;

/// Makes every decision again that the processes of a deployment have written down, each file's
/// bytes changed by `change` first.
pub(crate) fn findings(deployment: &Deployment, change: impl Fn(&mut Vec<u8>)) -> Findings {
    let sources = Sources { search: Vec::new(), packs: vec![deployment.pack()] };
    let (catalog, _) = Catalog::load(&sources);
    let find = |hash: &_| {
        let definition = Arc::clone(catalog.by_hash(hash)?);
        let lookup = |hash: &_| catalog.by_hash(hash).cloned();
        let compiled = CompiledWorkflow::new(definition, lookup, PolicyDefaults::default());
        Some(Arc::new(compiled.ok()?) as Arc<dyn Workflow>)
    };
    let mut checker = Checker::new(&find);
    for entry in fs::read_dir(deployment.journals()).expect("there are journals") {
        let path = entry.expect("a file").path();
        let mut bytes = fs::read(&path).expect("it can be read");
        change(&mut bytes);
        checker.read(&path.display().to_string(), &bytes).expect("it is a journal");
    }
    checker.finish()
}

#[test]
fn the_pure_core_decides_again_what_killed_processes_decided() {
    the_core_decides_again(Deployment::new());
}

#[test]
fn the_pure_core_decides_again_what_killed_processes_decided_without_a_broker() {
    the_core_decides_again(Deployment::without_broker());
}

fn the_core_decides_again(mut deployment: Deployment) {
    let _server = deployment.serve();
    let first = deployment.worker("ada");
    for _ in 0..3 {
        deployment.submit("t.slow");
    }
    deployment.submit("t.flow");
    for _ in 0..8 {
        deployment.submit("t.alone");
    }
    deployment.until_begun(4);
    first.signal(Signal::KILL);
    let _second = deployment.worker("bob");
    deployment.restart_the_database();
    deployment.until_all_are("completed", 3 + 1 + 5 + 8);
    let found = findings(&deployment, |_| {});
    let first = found.faults.first().map(ToString::to_string);
    assert_eq!((found.faults.len(), first), (0, None));
    assert!(found.checked() > 50 && found.rows > 100, "{found:?}");
    for step in ["submit", "advance", "complete", "sweep", "heartbeat", "check workers"] {
        assert!(found.decisions.contains_key(step), "nobody decided to {step}: {found:?}");
    }

    // One letter of a queue's name in a row that was loaded, and the last byte of a digest.
    let doctored = findings(&deployment, |bytes| {
        let at = bytes.windows(7).rposition(|text| text == b"t.alone").unwrap_or(0);
        bytes[at + 2] ^= u8::from(at > 0);
    });
    assert!(!doctored.faults.is_empty(), "nobody saw that a row is another");
}
