//! `meta`: is a seed really all there is? Two fresh processes must tell the same, byte for byte.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::Args;
use steadfast_scenarios::{Scenario, Seeds};

use super::{BadUsage, End, chosen, say, seeds};

#[derive(Debug, Args)]
pub(crate) struct Meta {
    /// Which scenarios; all when none is named.
    scenarios: Vec<String>,
    /// Which seeds, as A..B without B.
    #[arg(long, value_parser = seeds, default_value = "0..10")]
    seeds: Seeds,
}

impl Meta {
    pub(crate) fn perform(&self) -> Result<End, BadUsage> {
        let program = std::env::current_exe()
            .map_err(|error| BadUsage(format!("cannot find this program to run it: {error}")))?;
        let mut end = End::Done;
        for scenario in chosen(&self.scenarios)? {
            let verdict = compare_seeds(&program, scenario, &self.seeds)
                .map_err(|error| BadUsage(format!("cannot run a second process: {error}")))?;
            let seeds = &self.seeds;
            match verdict {
                None => say(&format!("same   {:<28} seeds {seeds}\n", scenario.name)),
                Some(difference) => {
                    say(&format!("DIFFER {:<28} {difference}\n", scenario.name));
                    end = End::Failed;
                }
            }
        }
        Ok(end)
    }
}

/// The first difference between two runs of one seed, if any seed of the range has one.
fn compare_seeds(program: &Path, scenario: &Scenario, seeds: &Seeds) -> io::Result<Option<String>> {
    for seed in seeds.0.clone() {
        // Both at once, so that whatever depends on the machine's load shows as well.
        let (one, other) = (start(program, scenario, seed)?, start(program, scenario, seed)?);
        let (one, other) = (told_by(one)?, told_by(other)?);
        if !ends_in_hash(&one) {
            return Ok(Some(format!("seed {seed} told no hash at all")));
        }
        if let Some(difference) = first_difference(&one, &other) {
            return Ok(Some(format!("seed {seed}: {difference}")));
        }
    }
    Ok(None)
}

fn start(program: &Path, scenario: &Scenario, seed: u64) -> io::Result<Child> {
    let seed = seed.to_string();
    let program: PathBuf = program.into();
    Command::new(program)
        .args(["replay", scenario.name, &seed, "--log"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn told_by(process: Child) -> io::Result<String> {
    let output = process.wait_with_output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ends_in_hash(told: &str) -> bool {
    told.lines().next_back().is_some_and(|line| line.starts_with("hash "))
}

/// The first line in which two texts differ, both sides shown.
fn first_difference(one: &str, other: &str) -> Option<String> {
    let (mut ours, mut theirs) = (one.lines(), other.lines());
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (one, other) if one == other => {}
            (one, other) => {
                let shown = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
                return Some(format!("\n  one    {}\n  other  {}", shown(one), shown(other)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_do_not_differ() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    }

    #[test]
    fn the_first_differing_line_is_shown() {
        let difference = first_difference("a\nb\nc\n", "a\nx\ny\n").unwrap();
        assert_eq!(difference, "\n  one    b\n  other  x");
    }

    #[test]
    fn a_run_that_stops_earlier_differs() {
        assert_eq!(first_difference("a\n", "a\nb\n").unwrap(), "\n  one    (the end)\n  other  b");
    }

    #[test]
    fn a_crash_is_not_taken_for_agreement() {
        assert!(ends_in_hash("report\nhash 00\n"));
        assert!(!ends_in_hash(""));
        assert!(!ends_in_hash("hash 00\nand then it died\n"));
    }
}
