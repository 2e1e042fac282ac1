//! Is a seed really all there is? Two fresh processes run the same seeds, one of them backwards,
//! so that whatever a process carries from one seed to the next shows as well.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use steadfast_sim::{Settings, log_line};

use crate::{Scenario, Seeds};

/// The verb that a process is started with to make one pass.
pub const PASS: &str = "digests";
/// The flag of a pass that begins at the end.
pub const BACKWARDS: &str = "--backwards";
/// The option of a pass that tells one seed in full and ends there.
pub const TELL: &str = "--tell";

/// Runs every seed once, in this process, and writes `seed hash events` for each; or, if one seed
/// is to be told, only the whole log of that one, after what would have come before it.
///
/// # Errors
/// If nobody listens any more.
pub fn pass(
    scenario: &Scenario,
    seeds: &Seeds,
    is_backwards: bool,
    tell: Option<u64>,
    to: &mut impl Write,
) -> io::Result<()> {
    let settings = Settings::default();
    for nth in 0..seeds.count() {
        let seed = if is_backwards { seeds.0.end - 1 - nth } else { seeds.0.start + nth };
        let outcome = scenario.run(seed, &settings);
        let (hash, log) = (outcome.digest(), &outcome.log);
        match tell {
            None => writeln!(to, "{seed} {hash} {}", log.events().len())?,
            Some(wanted) if wanted == seed => {
                log.events()
                    .iter()
                    .try_for_each(|event| writeln!(to, "{}", log_line(log, event)))?;
                return writeln!(to, "hash {hash}");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// How two passes differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The lowest seed that differs.
    pub seed: u64,
    /// How many seeds differ.
    pub seeds: usize,
    /// The hash and the number of events, forwards and backwards.
    pub sums: [String; 2],
    /// The first event that differs, forwards and backwards; `None` if the logs of a second try
    /// were the same.
    pub event: Option<[String; 2]>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = &self.sums;
        write!(f, "seed {} (of {} that differ): {one} and {other}", self.seed, self.seeds)?;
        match &self.event {
            Some([one, other]) => write!(f, "\n  forwards   {one}\n  backwards  {other}"),
            None => f.write_str("\n  a second try told the same twice"),
        }
    }
}

/// Compares two passes of `program` over a scenario.
///
/// # Errors
/// If the program cannot be run, or does not come to an end as it should.
pub fn compare(program: &Path, scenario: &str, seeds: &Seeds) -> io::Result<Option<Difference>> {
    let range = seeds.to_string();
    let [forwards, backwards] = both(program, &[PASS, scenario, &range])?;
    let sums = |told: &str| -> io::Result<Vec<(u64, String)>> {
        let mut sums: Vec<(u64, String)> = told.lines().filter_map(sum_of).collect();
        sums.sort();
        if sums.len() as u64 == seeds.count() {
            return Ok(sums);
        }
        let what = format!("a process told of {} seeds, not of {}", sums.len(), seeds.count());
        Err(io::Error::other(what))
    };
    let (one, other) = (sums(&forwards)?, sums(&backwards)?);
    let differing: Vec<_> = one.iter().zip(&other).filter(|(one, other)| one != other).collect();
    let Some(((seed, one), (_, other))) = differing.first() else { return Ok(None) };
    // The same again, so that whatever came before the seed comes before it now.
    let told = seed.to_string();
    let [forwards, backwards] = both(program, &[PASS, scenario, &range, TELL, &told])?;
    Ok(Some(Difference {
        seed: *seed,
        seeds: differing.len(),
        sums: [one.clone(), other.clone()],
        event: first_difference(&forwards, &backwards),
    }))
}

fn sum_of(line: &str) -> Option<(u64, String)> {
    let (seed, sum) = line.split_once(' ')?;
    Some((seed.parse().ok()?, format!("{sum} events")))
}

/// What two processes tell, the second of which runs backwards. They run at once, so that what
/// depends on the load of the machine shows as well.
fn both(program: &Path, arguments: &[&str]) -> io::Result<[String; 2]> {
    let start = |more: &[&str]| -> io::Result<Child> {
        Command::new(program)
            .args(arguments)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    };
    let (one, other) = (start(&[])?, start(&[BACKWARDS])?);
    Ok([told_by(one)?, told_by(other)?])
}

fn told_by(mut process: Child) -> io::Result<String> {
    let mut told = String::new();
    if let Some(mut stdout) = process.stdout.take() {
        stdout.read_to_string(&mut told)?;
    }
    let status = process.wait()?;
    if status.success() { Ok(told) } else { Err(io::Error::other(format!("it ended: {status}"))) }
}

/// The first line in which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<[String; 2]> {
    let (mut ours, mut theirs) = (one.lines(), other.lines());
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (one, other) if one == other => {}
            (one, other) => {
                return Some(
                    [one, other].map(|line| line.unwrap_or("(the end)").trim().to_owned()),
                );
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
        let [one, other] = first_difference("a\nb\nc\n", "a\nx\ny\n").unwrap();
        assert_eq!((one.as_str(), other.as_str()), ("b", "x"));
    }

    #[test]
    fn a_run_that_stops_earlier_differs() {
        let [one, other] = first_difference("a\n", "a\nb\n").unwrap();
        assert_eq!((one.as_str(), other.as_str()), ("(the end)", "b"));
    }

    #[test]
    fn a_crash_is_not_taken_for_agreement() {
        let refused = compare(Path::new("/bin/true"), "any", &Seeds(0..1)).unwrap_err();
        assert!(refused.to_string().contains("told of 0 seeds"), "{refused}");
        assert!(compare(Path::new("/bin/false"), "any", &Seeds(0..1)).is_err());
    }
}
