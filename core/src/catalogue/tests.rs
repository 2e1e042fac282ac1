use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'))
}

/// Sentences: something, a full stop, and nothing that a table or a terminal stumbles over.
fn is_prose(text: &str) -> bool {
    text.ends_with('.') && !text.contains("  ") && !text.contains(['|', '\n', '\t', '`'])
}

fn expect_unique<'a>(names: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        assert!(seen.insert(name), "{name} is there twice");
    }
}

#[test]
fn laws_and_ids_agree_one_to_one() {
    assert_eq!(LAWS.len(), LawId::ALL.len());
    for (id, law) in LawId::ALL.iter().copied().zip(LAWS) {
        assert_eq!(law.id, id);
        assert_eq!(law.code, id.code());
        assert_eq!(id.law(), law);
        assert_eq!(id.to_string(), law.name);
        assert_eq!(LawId::from_code(law.code), Some(id));
        assert_eq!(Law::by_code(law.code), Some(law));
        assert_eq!(Law::by_name(law.name), Some(law));
    }
    assert_eq!(Law::by_code("S32"), None);
    assert_eq!(LawId::from_code("s1"), None);
}

#[test]
fn every_law_of_the_series_is_there() {
    let numbered = |letter: char, last: u32| (1..=last).map(move |n| alloc::format!("{letter}{n}"));
    let mut expected: Vec<_> = numbered('S', 31).chain(numbered('L', 14)).collect();
    expected.insert(1, "S1p".into());
    let codes: Vec<_> = LAWS.iter().map(|law| law.code.to_string()).collect();
    assert_eq!(codes, expected);
    for law in LAWS {
        let safety = law.code.starts_with('S');
        assert_eq!(law.kind, if safety { Kind::Safety } else { Kind::Liveness }, "{}", law.code);
    }
}

#[test]
fn every_failure_of_the_series_is_there_once() {
    assert_eq!(FAILURES.len(), 67);
    for number in 1..=67 {
        let code = alloc::format!("F{number}");
        let failure = Failure::by_code(&code).unwrap_or_else(|| panic!("{code} is missing"));
        assert_eq!(Failure::by_name(failure.name), Some(failure));
    }
    let subjects: Vec<_> = FAILURES.iter().map(|failure| failure.subject).collect();
    assert!(subjects.is_sorted(), "failures are listed by subject");
    assert!(Subject::ALL.is_sorted());
    for subject in Subject::ALL {
        assert!(subjects.contains(subject), "{subject:?}");
    }
}

#[test]
fn names_are_unique_and_of_the_right_alphabet() {
    let laws = || LAWS.iter().map(|law| law.name);
    let failures = || FAILURES.iter().map(|failure| failure.name);
    let rules = || Rule::ALL.iter().map(|rule| rule.name());
    let mutants = || MUTANTS.iter().map(|mutant| mutant.name);
    let all = || laws().chain(failures()).chain(rules()).chain(mutants());
    expect_unique(all());
    for name in all() {
        assert!(is_name(name), "{name}");
    }
    expect_unique(LAWS.iter().map(|law| law.code));
    expect_unique(FAILURES.iter().map(|failure| failure.code));
}

#[test]
fn every_entry_is_told_in_sentences() {
    for law in LAWS {
        assert!(is_prose(law.statement) && is_prose(law.why), "{}", law.code);
    }
    for rule in Rule::ALL {
        assert!(is_prose(rule.statement()), "{}", rule.code());
    }
    for mutant in MUTANTS {
        assert!(is_prose(mutant.statement), "{}", mutant.name);
        match mutant.due {
            Due::Now => {}
            Due::Later(reason) => assert!(is_prose(reason), "{}", mutant.name),
        }
    }
    for failure in FAILURES {
        let code = failure.code;
        assert!((2..=5).contains(&failure.story.len()), "{code} is not a short story");
        assert!(failure.story.iter().all(|step| is_prose(step)), "{code}");
        assert!(is_prose(failure.harm), "{code}");
        match failure.applies {
            Applies::Yes => {}
            Applies::No(reason) | Applies::Later(reason) => assert!(is_prose(reason), "{code}"),
        }
    }
}

#[test]
fn every_failure_breaks_a_law_and_is_prevented_by_a_rule() {
    for failure in FAILURES {
        let Failure { code, breaks, prevented_by, .. } = failure;
        assert!(!breaks.is_empty() && !prevented_by.is_empty(), "{code}");
        assert!(breaks.is_sorted_by(|a, b| a < b), "{code}: laws in order, each once");
        assert!(prevented_by.is_sorted_by(|a, b| a < b), "{code}: rules in order, each once");
    }
    for rule in Rule::ALL {
        let used = FAILURES.iter().any(|failure| failure.prevented_by.contains(rule));
        assert!(used, "{} prevents nothing", rule.code());
        assert_eq!(Rule::from_code(rule.code()), Some(*rule));
    }
}

#[test]
fn laws_and_failures_name_each_other() {
    for law in LAWS {
        assert!(!law.failures.is_empty(), "{} guards against nothing", law.code);
        expect_unique(law.failures.iter().copied());
        for code in law.failures {
            assert!(Failure::by_code(code).is_some(), "{} names {code}", law.code);
        }
        for failure in FAILURES {
            let breaks = failure.breaks.contains(&law.id);
            let guards = law.failures.contains(&failure.code);
            assert_eq!(breaks, guards, "{} and {}", law.code, failure.code);
        }
    }
}

#[test]
fn every_law_has_a_mutant_and_they_name_each_other() {
    for law in LAWS {
        assert!(!law.mutants.is_empty(), "{} is not proved by a mutant", law.code);
        for name in law.mutants {
            assert!(Mutant::by_name(name).is_some(), "{} names {name}", law.code);
        }
        for mutant in MUTANTS {
            let meant_for = mutant.law == law.id;
            let named = law.mutants.contains(&mutant.name);
            assert_eq!(meant_for, named, "{} and {}", law.code, mutant.name);
        }
    }
}

#[test]
fn a_mutant_is_caught_by_its_laws_and_no_other() {
    for mutant in MUTANTS {
        assert!(!mutant.also.contains(&mutant.law), "{}", mutant.name);
        let catching: Vec<_> =
            LawId::ALL.iter().copied().filter(|law| mutant.is_caught_by(*law)).collect();
        assert_eq!(catching.len(), 1 + mutant.also.len(), "{}", mutant.name);
    }
}

#[test]
fn the_document_shows_every_entry() {
    let page = render_catalogue();
    let codes = LAWS.iter().map(|law| law.code);
    let codes = codes.chain(FAILURES.iter().map(|failure| failure.code));
    for code in codes.chain(Rule::ALL.iter().map(|rule| rule.code())) {
        let anchor = alloc::format!("<a id=\"{}\"></a>**{code}**", code.to_ascii_lowercase());
        assert_eq!(page.matches(&anchor).count(), 1, "{code}");
    }
    for mutant in MUTANTS {
        assert!(page.contains(&alloc::format!("<a id=\"{}\">", mutant.name)), "{}", mutant.name);
    }
}
