//! A run as data: what was planned, and what struck where. A case says the same after a change of
//! the code that does not change what happens, because it speaks of logical points and not of
//! positions in a sequence of random numbers.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::Transport;
use steadfast_core::catalogue::Mutant;
use steadfast_packs::suggestion;

use crate::chance::{Point, Struck};
use crate::fault::{STRIKES, Strike};
use crate::{Law, Outcome, Plan};

/// The version of the form below. A file of another version is refused, never guessed at.
const VERSION: u64 = 1;
/// The most nodes of one sort that a case may ask for.
const NODES_MAX: u32 = 64;

/// A run to be done again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    version: u64,
    /// Whose story it is.
    pub scenario: String,
    /// The seed of everything that the case does not say: latencies, and who runs first.
    pub seed: u64,
    /// The bug that is planted, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<String>,
    /// How work is carried, if that was not left to the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// The law that fell.
    pub law: String,
    /// What is performed; without it the story does what its seed draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Every strike at a port, and there are no others.
    pub strikes: Vec<Struck>,
}

/// Why a text is not a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseError {
    /// It is not JSON, or has another form.
    Form {
        /// Where, counted from 1.
        line: usize,
        /// Where in the line.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// It is of a version that nobody here reads.
    Version {
        /// What it says.
        found: String,
    },
    /// A name in it that nothing has.
    Unknown {
        /// Of what: a law, a planted bug.
        what: &'static str,
        /// The name.
        name: String,
        /// A name that is close to it, if there is one.
        suggestion: String,
    },
    /// It asks for something that cannot be.
    Impossible(String),
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { line, column, what } => write!(f, "line {line}, column {column}: {what}"),
            Self::Version { found } => {
                write!(f, "it is of version {found}, and this program reads version {VERSION}")
            }
            Self::Unknown { what, name, suggestion } => {
                write!(f, "no {what} is called `{name}`{suggestion}")
            }
            Self::Impossible(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for CaseError {}

impl Case {
    /// What was done in a run under which `law` fell.
    #[must_use]
    pub fn of(scenario: &str, outcome: &Outcome, law: Law) -> Self {
        Self {
            version: VERSION,
            scenario: scenario.into(),
            seed: outcome.seed,
            planted: outcome.planted.map(Into::into),
            transport: outcome.transport,
            law: law.name().into(),
            plan: outcome.plan.clone(),
            strikes: outcome.struck.clone(),
        }
    }

    /// How many faults it has: strikes, and whatever else is done to the world.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.strikes.len() + self.plan.as_ref().map_or(0, |plan| plan.disturbances.len())
    }

    /// Reads a case, and makes sure that it can be performed.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(text: &str) -> Result<Self, CaseError> {
        let loose: Value = serde_json::from_str(text).map_err(|error| form(&error))?;
        match &loose["version"] {
            Value::Number(version) if version.as_u64() == Some(VERSION) => {}
            // Without a version the reader below says what is missing.
            Value::Null => {}
            other => return Err(CaseError::Version { found: other.to_string() }),
        }
        let case: Self = serde_json::from_str(text).map_err(|error| form(&error))?;
        case.check()?;
        Ok(case)
    }

    /// The case as a file has it.
    #[must_use]
    pub fn write(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a case has string keys");
        format!("{text}\n")
    }

    /// The bug that is planted.
    #[must_use]
    pub fn mutant(&self) -> Option<&'static Mutant> {
        self.planted.as_deref().and_then(Mutant::by_name)
    }

    fn check(&self) -> Result<(), CaseError> {
        if Law::named(&self.law).is_none() {
            return Err(unknown("law", &self.law, Law::all().map(Law::name)));
        }
        if let Some(name) = self.planted.as_deref().filter(|_| self.mutant().is_none()) {
            let known = steadfast_core::catalogue::MUTANTS.iter().map(|mutant| mutant.name);
            return Err(unknown("planted bug", name, known));
        }
        let mut points = BTreeSet::new();
        for Struck { point, strike } in &self.strikes {
            if !Strike::at(point.site).contains(strike) {
                let (strike, site) = (strike.name(), point.site.name());
                return Err(CaseError::Impossible(format!("no {site} is struck by {strike}")));
            }
            if point.nth == 0 {
                let what = format!("{point}: passages are counted from 1");
                return Err(CaseError::Impossible(what));
            }
            if !points.insert(point) {
                return Err(CaseError::Impossible(format!("two strikes at the {point}")));
            }
        }
        self.plan.as_ref().map_or(Ok(()), check_plan)
    }
}

fn check_plan(plan: &Plan) -> Result<(), CaseError> {
    let fleet = &plan.fleet;
    let counts = [
        ("executors", fleet.executors),
        ("workers", fleet.workers),
        ("apis", fleet.apis),
        ("capacity", fleet.capacity),
        ("batch_size", u32::try_from(fleet.batch_size).unwrap_or(u32::MAX)),
    ];
    for (name, count) in counts {
        let most = if name == "batch_size" || name == "capacity" { 1 << 20 } else { NODES_MAX };
        if !(1..=most).contains(&count) {
            let what = format!("{name} is {count}, which is not from 1 to {most}");
            return Err(CaseError::Impossible(what));
        }
    }
    Ok(())
}

fn unknown(
    what: &'static str,
    name: &str,
    known: impl IntoIterator<Item = &'static str>,
) -> CaseError {
    CaseError::Unknown { what, name: name.into(), suggestion: suggestion(name, known) }
}

/// What a reader of JSON complains about; a word that nobody knows gets the nearest known one.
fn form(error: &serde_json::Error) -> CaseError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let word = |kind: &str| text.strip_prefix(kind)?.split('`').next();
    let what = match word("unknown variant `") {
        Some(word) => {
            let known = STRIKES.iter().map(|strike| strike.name()).chain(OTHER_WORDS.to_vec());
            format!("`{word}` means nothing here{}", suggestion(word, known))
        }
        None => text.to_owned(),
    };
    CaseError::Form { line, column, what }
}

/// The words of sites and disturbances, for suggestions.
const OTHER_WORDS: &[&str] = &[
    "begin",
    "load",
    "write",
    "commit",
    "publish",
    "deliver",
    "settle",
    "subscribe",
    "probe",
    "kill",
    "lose_host",
    "pause",
    "cut",
    "clock",
    "store_clock",
    "store_restart",
    "store_down",
    "broker_restart",
    "broker_down",
    "limit",
    "pause_queue",
    "drain",
    "hang",
];

/// The points of a case that a run did not reach, as a sentence.
pub(crate) fn missed(points: &[Point]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = points.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = match points.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("never reached: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{
  "version": 1, "scenario": "swarm", "seed": 7, "law": "no_panic",
  "strikes": [
    { "point": { "site": "commit", "of": "ex-7", "nth": 3 }, "strike": "commit_lost" }
  ]
}"#;

    fn refusal(from: &str, to: &str) -> String {
        assert!(SMALL.contains(from), "{from}");
        Case::read(&SMALL.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let case = Case::read(SMALL).unwrap();
        assert_eq!(case.faults(), 1);
        assert_eq!(case.strikes[0].point.to_string(), "3rd commit of ex-7");
        assert_eq!(Case::read(&case.write()), Ok(case));
    }

    #[test]
    fn what_is_no_case_is_refused_with_its_place() {
        assert!(refusal("\"seed\": 7,", "\"seed\": 7").starts_with("line 2, column "));
        assert!(refusal("\"seed\": 7,", "").contains("missing field `seed`"));
        assert!(refusal("\"seed\"", "\"sead\"").contains("sead"));
        assert_eq!(
            refusal("\"version\": 1", "\"version\": 2"),
            "it is of version 2, and this program reads version 1"
        );
        let wrong = refusal("commit_lost", "comit_lost");
        assert!(wrong.starts_with("line 4,"), "{wrong}");
        assert!(wrong.ends_with("did you mean `commit_lost`?"), "{wrong}");
        assert!(refusal("no_panic", "no_panik").ends_with("did you mean `no_panic`?"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(refusal("commit_lost", "message_lost"), "no commit is struck by message_lost");
        assert!(refusal("\"nth\": 3", "\"nth\": 0").contains("counted from 1"));
        let twice = refusal(
            "\"strikes\": [",
            "\"strikes\": [ { \"point\": { \"site\": \"commit\", \"of\": \"ex-7\", \"nth\": 3 }, \
             \"strike\": \"commit_refused\" },",
        );
        assert_eq!(twice, "two strikes at the 3rd commit of ex-7");
        assert!(refusal("\"law\"", "\"planted\": \"nonsense\", \"law\"").contains("nonsense"));
    }
}
