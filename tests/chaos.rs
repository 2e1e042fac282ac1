//! Real processes on real servers, to which anything may happen: killed, frozen, cut off, restarted.
//! Then everything heals, everything must come to its end, and the laws are read from what the
//! database noted of each transaction and from what the actions wrote down themselves.
//!
//! `STEADFAST_CHAOS_SECONDS` says for how long (60), `STEADFAST_CHAOS_SEED` which faults.

#[path = "chaos/audit.rs"]
mod audit;
#[path = "chaos/deeds.rs"]
mod deeds;
#[path = "chaos/fleet.rs"]
mod fleet;
#[path = "support/mod.rs"]
mod program;
#[path = "cli/support.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use steadfast_core::history::History;
use steadfast_core::law;
use steadfast_core::settings::Settings;

use audit::Note;
use fleet::{Broker, Fleet, WIDEST, since, wait, widest_limits};
use support::now;

/// One fleet at a time: its processes are timed.
static ALONE: Mutex<()> = Mutex::new(());

/// How often something is submitted.
const SUBMIT_EVERY: Duration = Duration::from_millis(250);

/// How long everything may take to end once all has healed.
const REST: Duration = Duration::from_secs(120);

#[test]
fn whatever_dies_the_laws_hold() {
    hold_through_chaos(Broker::Rabbit, 60);
}

#[test]
fn whatever_dies_the_laws_hold_without_a_broker() {
    hold_through_chaos(Broker::None, 30);
}

fn hold_through_chaos(broker: Broker, usually: u64) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = number("STEADFAST_CHAOS_SECONDS").unwrap_or(usually);
    let seed = number("STEADFAST_CHAOS_SEED").unwrap_or_else(wall_clock);
    println!("chaos for {seconds} s; again with STEADFAST_CHAOS_SEED={seed}");
    let mut fleet = Fleet::start(broker);
    let mut chaos = Chaos { chance: seed, pending: Vec::new(), blows: Vec::new() };
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let begun = now();
    let (mut next_blow, mut next_look) = (Duration::from_secs(2), Duration::from_secs(1));
    while since(begun) < Duration::from_secs(seconds) {
        fleet.submit();
        chaos.mend(&mut fleet, since(begun));
        if since(begun) >= next_blow {
            chaos.strike(&mut fleet, since(begun));
            next_blow = since(begun) + Duration::from_millis(800 + chaos.below(2_200));
        }
        if since(begun) >= next_look {
            for (kind, count) in fleet.explain_all().unwrap_or_default() {
                *reasons.entry(kind).or_default() += count;
            }
            next_look = since(begun) + Duration::from_secs(2);
        }
        wait(SUBMIT_EVERY);
    }
    chaos.mend(&mut fleet, Duration::MAX);
    fleet.await_broker(true);
    come_to_rest(&mut fleet);
    println!("explained: {reasons:?}");
    assert!(reasons.len() >= 3, "hardly anything was asked");
    let history = judge(&fleet);
    chaos.report(&history);
}

/// Everything ends, within the bound.
fn come_to_rest(fleet: &mut Fleet) {
    let healed = now();
    loop {
        let waits = fleet.submit_waiting();
        let open = fleet.open();
        if !waits && open == 0 {
            println!("all over {:.1} s after all had healed", since(healed).as_secs_f64());
            return;
        }
        if since(healed) > REST {
            let reasons = fleet.explain_all();
            panic!("L1: {open} are not over after {REST:?}: {reasons:?}; logs {:?}", fleet.logs());
        }
        wait(Duration::from_millis(200));
    }
}

/// Reads the laws from the database and from the record of the actions, and sees to it that they
/// are read: a doctored record has to fall.
fn judge(fleet: &Fleet) -> History {
    let settings = Settings::DEFAULT;
    let lines = fleet.database.execute("steadfast", audit::READ).expect("it can be read");
    let notes = audit::notes(&lines);
    let (history, last) = match audit::judge(&notes, &settings) {
        Ok(judged) => judged,
        Err(broken) => {
            let kept = std::env::temp_dir().join("steadfast-chaos-audit.jsonl");
            let _ = std::fs::write(&kept, &lines);
            panic!("{broken}; the rows are in {}", kept.display());
        }
    };
    law::quiescent(&last).unwrap_or_else(|broken| panic!("{broken}"));
    let known: Vec<u64> = last.executions.iter().map(|e| e.id.0).collect();
    let lost = fleet.accepted().iter().find(|id| !known.contains(id));
    assert_eq!(lost, None, "accepted and not there");
    let text = fleet.deeds();
    let deeds = deeds::read(&text);
    let seen = deeds::judge(&deeds, &widest_limits(), &fleet.frozen);
    let seen = seen.unwrap_or_else(|broken| panic!("{broken}"));
    for execution in last.executions.iter().filter(|e| !e.is_workflow()) {
        let ended = deeds.iter().any(|deed| {
            !deed.begins && (deed.execution, deed.attempt) == (execution.id.0, execution.attempt.0)
        });
        let completed = execution.status == steadfast_core::Status::Completed;
        assert!(
            ended || !completed,
            "{} is completed and its last attempt never was",
            execution.id
        );
    }
    println!("{} executions, {} commits, {seen:?}", known.len(), history.commits().len());
    each_law_falls(&notes, &settings);
    history
}

/// Changes what was noted, and expects the law that speaks of it to fall.
fn each_law_falls(notes: &[Note], settings: &Settings) {
    let broken = |change: &dyn Fn(&mut Vec<Note>)| {
        let mut notes = notes.to_vec();
        change(&mut notes);
        audit::judge(&notes, settings).err().unwrap_or_else(|| String::from("nothing fell"))
    };
    let falls = |laws: &[&str], change: &dyn Fn(&mut Vec<Note>)| {
        let broken = broken(change);
        assert!(laws.iter().any(|law| broken.contains(&format!(": {law} "))), "{laws:?}: {broken}");
    };
    falls(&["S1"], &|notes| {
        for note in notes.iter_mut().filter(|note| note.table == "queue") {
            note.row["declared_limit"] = json!(0);
            note.row["operator_limit"] = json!(null);
        }
    });
    let completed = |note: &&Note| {
        note.table == "execution"
            && note.row["status"] == 7
            && note.row["run"].is_null()
            && note.row["runtime"].is_string()
    };
    let ended = notes.iter().rev().find(completed).expect("something has completed");
    let after = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut next = Note { xid: String::from("doctored"), ..ended.clone() };
        next.row["version"] = json!(ended.row["version"].as_u64().unwrap_or(0) + 1);
        change(&mut next.row);
        next
    };
    falls(&["S5", "S6", "S7"], &|notes| {
        notes.push(after(&|row| (row["status"], row["ended_at"]) = (json!(5), json!(null))));
    });
    falls(&["S6", "S7"], &|notes| notes.push(after(&|row| row["status"] = json!(10))));
    falls(&["S5", "S6", "S7", "S24", "S28"], &|notes| {
        let next = ended.row["attempt"].as_u64().unwrap_or(0) + 1;
        notes.push(after(&|row| row["attempt"] = json!(next)));
    });
    let versions = broken(&|notes| notes.push(after(&|row| row["version"] = json!(1_000_000))));
    assert_ne!(versions, "nothing fell", "versions that jump are seen");
    let mut waiting: Vec<(String, u64, u64)> = notes
        .iter()
        .filter(|note| note.table == "execution" && note.row["status"] == 1)
        .map(|note| {
            let number = |name: &str| note.row[name].as_u64().expect("a number");
            (note.row["queue"].to_string(), number("line"), number("id"))
        })
        .collect();
    waiting.sort();
    waiting.dedup();
    let overtaken = waiting.windows(2).filter(|pair| pair[0].0 == pair[1].0).any(|pair| {
        let (one, other) = (&pair[0], &pair[1]);
        let broken = broken(&|notes| {
            for note in notes.iter_mut().filter(|note| note.table == "execution") {
                match note.row["id"].as_u64() {
                    Some(id) if id == one.2 && note.row["line"] == one.1 => {
                        note.row["line"] = json!(other.1);
                    }
                    Some(id) if id == other.2 && note.row["line"] == other.1 => {
                        note.row["line"] = json!(one.1);
                    }
                    _ => {}
                }
            }
        });
        broken.contains(": S2 ")
    });
    assert!(overtaken, "nobody who was overtaken was seen among {}", waiting.len());
}

/// Which faults strike, and when they are mended.
struct Chaos {
    chance: u64,
    pending: Vec<(Duration, Mend)>,
    /// What was done to which worker, and when by the clock that the database has too.
    blows: Vec<(&'static str, String, u64)>,
}

enum Mend {
    Launch(String),
    Thaw(String),
}

impl Chaos {
    fn below(&mut self, bound: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn later(&mut self, at: Duration, most_ms: u64, mend: Mend) {
        let after = Duration::from_millis(self.below(most_ms));
        self.pending.push((at + after, mend));
    }

    fn strike(&mut self, fleet: &mut Fleet, at: Duration) {
        let nth = usize::try_from(self.below(3)).unwrap_or(0);
        let worker = Fleet::WORKERS[nth];
        let which = self.below(17);
        // Without a broker a limit is changed instead.
        let which = if fleet.has_broker() || !(12..=14).contains(&which) { which } else { 15 };
        let mut note = |what: &'static str| {
            println!("  {:6.1} s  {what} ({worker})", at.as_secs_f64());
            self.blows.push((what, worker.to_owned(), wall_clock()));
        };
        match which {
            0..=4 => {
                note("kill a worker");
                fleet.kill(worker);
                self.later(at, 2_000, Mend::Launch(worker.to_owned()));
            }
            5 | 6 => {
                note("kill a witness");
                fleet.kill_witness(worker);
            }
            7 => {
                note("kill a worker and its witness");
                fleet.kill_witness(worker);
                fleet.kill(worker);
                self.later(at, 2_000, Mend::Launch(worker.to_owned()));
            }
            8 => {
                note("freeze a worker");
                fleet.freeze(worker);
                self.pending.push((at + Duration::from_secs(7), Mend::Thaw(worker.to_owned())));
            }
            9 => {
                note("kill the server");
                fleet.kill("server");
                self.later(at, 2_000, Mend::Launch("server".to_owned()));
            }
            10 => {
                note("kill the executor");
                fleet.kill("executor");
                self.later(at, 3_000, Mend::Launch("executor".to_owned()));
            }
            11 => {
                note("crash the database");
                fleet.crash_database();
            }
            12 => {
                note("restart the broker");
                fleet.restart_broker();
            }
            13 | 14 => {
                note("close all connections of the broker");
                fleet.close_connections();
            }
            _ => {
                note("change a limit");
                let limit = 1 + usize::try_from(self.below(WIDEST as u64)).unwrap_or(0);
                fleet.set_limit(["pair", "alone", "long"][nth], limit);
            }
        }
    }

    /// Mends what is due.
    fn mend(&mut self, fleet: &mut Fleet, at: Duration) {
        let (due, later) = std::mem::take(&mut self.pending).into_iter().partition(|m| m.0 <= at);
        self.pending = later;
        let due: Vec<(Duration, Mend)> = due;
        for (_, mend) in due {
            match mend {
                Mend::Launch(name) => fleet.launch(&name),
                Mend::Thaw(name) => fleet.thaw(&name),
            }
        }
    }

    /// How long it took until what the dead had was taken from them.
    fn report(&self, history: &History) {
        let mut took: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (what, worker, at) in &self.blows {
            if what.contains("worker") {
                took.entry(what).or_default().extend(audit::detection(history, worker, *at));
            }
        }
        for (what, mut micros) in took {
            micros.sort_unstable();
            if let Some(last) = micros.last() {
                let at = |share: usize| micros[(micros.len() * share / 100).min(micros.len() - 1)];
                let ms = |micros: u64| micros / 1_000;
                println!(
                    "{what}: {} attempts taken after p50 {} ms, p99 {} ms, at the latest {} ms",
                    micros.len(),
                    ms(at(50)),
                    ms(at(99)),
                    ms(*last)
                );
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long, and which, is for whoever runs it")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn wall_clock() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "compared with what the database notes")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
