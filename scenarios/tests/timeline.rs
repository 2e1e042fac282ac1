//! The timeline in a real browser, without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use steadfast_scenarios::{Scenario, timeline};
use steadfast_sim::{Outcome, Settings, kinds};

/// Headless browsers that print what they have rendered.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];

fn browser() -> &'static str {
    let answers = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
    BROWSERS.iter().find(answers).unwrap_or_else(|| {
        panic!("none of {BROWSERS:?} is there; `bash tests/run` installs chromium")
    })
}

fn page(name: &str, outcome: &Outcome) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("timeline");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}.html"));
    fs::write(&file, timeline("swarm", outcome)).unwrap();
    file
}

/// The page after its script has run.
fn rendered(file: &Path, place: &str) -> String {
    let profile = file.with_extension("profile");
    let output = Command::new(browser())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--window-size=1500,950", "--virtual-time-budget=2000", "--dump-dom"])
        .arg(format!("file://{}#{place}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    assert!(dom.contains("data-ready=\"yes\""), "the script failed\n{}", dom_head(&dom));
    dom
}

fn dom_head(dom: &str) -> String {
    dom.chars().take(2_000).collect()
}

fn failing() -> Outcome {
    let planted = Some("promote_without_capacity_check");
    let settings = Settings { planted, ..Settings::default() };
    Scenario::named("swarm").unwrap().run(0, &settings)
}

#[test]
fn it_shows_the_lanes_the_law_and_the_state_at_a_step() {
    let outcome = failing();
    let broken = &outcome.violations[0];
    // The step at which some execution first runs, and one before: the state differs in it.
    let running = steadfast_core::Status::Running as u64;
    let began = outcome
        .log
        .events()
        .iter()
        .find(|event| *event.kind == kinds::EXECUTION && event.payload[1] == running);
    let began = began.expect("something runs");
    let row = |status: &str| {
        format!("data-execution=\"ex-{}\" data-status=\"{status}\"", began.payload[0])
    };
    let file = page("state", &outcome);
    let dom = rendered(&file, &format!("step={}", began.index));
    for name in outcome.log.names() {
        assert!(dom.contains(&format!("data-node=\"{name}\"")), "{name}");
    }
    assert!(dom.contains(&format!("data-law=\"{}\"", broken.law.name())));
    assert!(dom.contains(&format!("data-step=\"{}\"", broken.step)));
    assert!(
        dom.contains(&format!("data-step=\"{}\" data-ready", began.index)),
        "{}",
        dom_head(&dom)
    );
    assert!(dom.contains(&row("running")), "{}", row("running"));
    assert!(dom.contains("data-status=\"running\" data-count=\"1\""));
    let before = rendered(&file, &format!("step={}", began.index - 1));
    assert!(!before.contains(&row("running")));
    // The filter counts what `--only` counts.
    let wanted = format!("ex-{}", began.payload[0]);
    let count = steadfast_sim::about(&outcome.log, &wanted).unwrap().len();
    let filtered = rendered(&file, &format!("only={wanted}"));
    assert!(filtered.contains(&format!("data-matches=\"{count}\"")), "{wanted}: {count}");
}

#[test]
fn a_long_log_opens_at_once() {
    const MANY: usize = 100_000;
    let settings = Settings { events_max: MANY as u64, ..Settings::default() };
    let outcome = steadfast_sim::run_seed(1, &settings, |world| async move {
        let nodes: Vec<_> = (1..=12)
            .map(|nth| world.node(&format!("worker-{nth}"), |_| std::future::pending()))
            .collect();
        for nth in 0.. {
            let node = nodes[nth % nodes.len()];
            let nth = nth as u64;
            world.wait(std::time::Duration::from_micros(100)).await;
            match nth % 4 {
                0 => world.log(node, &kinds::EXECUTION, &[nth / 40 + 1, nth / 4 % 12, 1]),
                1 => world.log(node, &kinds::PUBLISHED, &[nth, 0, 0]),
                2 => world.log(node, &kinds::DELIVERED, &[nth - 1, 0, 0]),
                _ => world.log(node, &kinds::COMMITTED, &[nth, 3, 1]),
            }
        }
    });
    assert_eq!(outcome.log.events().len(), MANY);
    let dom = rendered(&page("long", &outcome), "step=99999");
    let took = dom.split("data-took=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(took.parse::<u64>().unwrap() < 2_000, "{took} ms");
}
