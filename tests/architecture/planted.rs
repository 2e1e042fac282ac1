//! Every planted bug stands somewhere, and nothing is planted that the catalogue does not know.

use std::collections::BTreeSet;

use steadfast_core::catalogue::Mutant;

use super::source::Source;

/// How a line asks whether its bug is planted, up to the name.
const QUESTION: &str = "planted(";
/// Where bugs are planted: the decisions, the order of things, and the simulated outside world.
const GARDENS: &[&str] = &["core/src/", "runtime/services/src/", "sim/src/"];

/// Names that are asked for and are in no catalogue, and bugs that are said to be plantable and
/// stand nowhere.
pub(crate) fn strays(sources: &[Source], mutants: &[Mutant]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut found = BTreeSet::new();
    let gardens =
        sources.iter().filter(|s| GARDENS.iter().any(|garden| s.path().starts_with(garden)));
    for source in gardens {
        let code = source.code();
        for (at, question) in code.match_indices(QUESTION) {
            let Some(name) = first_text(&code[at + question.len()..]) else { continue };
            match mutants.iter().find(|mutant| mutant.name == name) {
                Some(mutant) if mutant.is_due() => drop(found.insert(mutant.name)),
                Some(_) => complaints.push(format!("{}: {name} is not due yet", source.path())),
                None => complaints.push(format!("{}: no mutant is {name}", source.path())),
            }
        }
    }
    let due = mutants.iter().filter(|mutant| mutant.is_due());
    let missing = due.filter(|mutant| !found.contains(mutant.name));
    complaints.extend(missing.map(|mutant| format!("{} is planted nowhere", mutant.name)));
    complaints
}

/// The first string among the arguments of a call whose opening parenthesis has just been read.
fn first_text(arguments: &str) -> Option<&str> {
    let mut depth = 1;
    for (at, c) in arguments.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => return arguments[at + 1..].split('"').next(),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use steadfast_core::catalogue::{Due, MUTANTS};

    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let due = MUTANTS.iter().find(|mutant| mutant.is_due()).expect("some are due");
        let one = [Mutant { name: "one", ..*due }];
        let later = Mutant { name: "later", due: Due::Later("It waits."), ..*due };
        strays(&[Source::new(path, text)], &[one[0], later])
    }

    #[test]
    fn a_bug_that_is_planted_passes() {
        let texts = [
            "if unit.is_planted(\"one\") {}",
            "if is_planted(\n    env.world(),\n    \"one\",\n) {}",
            "fn planted(&self) { self.planted() } // \"two\"\nif self.world.planted(\"one\") {}",
            "assert!(is_planted(name), \"two\"); is_planted(\"one\")",
        ];
        for text in texts {
            for garden in GARDENS {
                assert_eq!(complaints(&format!("{garden}x.rs"), text), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_seen() {
        let found = complaints("core/src/x.rs", "is_planted(\"one\") is_planted(\"two\")");
        assert_eq!(found, ["core/src/x.rs: no mutant is two"]);
        let found = complaints("core/src/x.rs", "is_planted(\"one\") is_planted(\"later\")");
        assert_eq!(found, ["core/src/x.rs: later is not due yet"]);
    }

    #[test]
    fn a_bug_that_is_planted_nowhere_is_seen() {
        assert_eq!(complaints("core/src/x.rs", ""), ["one is planted nowhere"]);
        let elsewhere = complaints("runtime/embedded/src/x.rs", "is_planted(\"one\")");
        assert_eq!(elsewhere, ["one is planted nowhere"]);
    }
}
