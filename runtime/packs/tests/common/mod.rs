//! Files of cases: a title after `==`, a YAML file, and after `--` everything that is said of it.

use std::path::{Path, PathBuf};

/// One case of such a file.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) file: String,
    pub(crate) says: Vec<String>,
}

/// Where the fixtures are.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/packs")
}

/// The cases of `rules/NAME`.
pub(crate) fn cases(name: &str) -> Vec<Case> {
    let path = fixtures().join("rules").join(name);
    let text = std::fs::read_to_string(&path).expect("a file of cases");
    let mut cases: Vec<Case> = Vec::new();
    let mut in_file = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("== ") {
            let title = title.to_string();
            cases.push(Case { title, file: String::new(), says: Vec::new() });
            in_file = true;
        } else if line == "--" {
            in_file = false;
        } else if let Some(case) = cases.last_mut() {
            if in_file {
                case.file.push_str(line);
                case.file.push('\n');
            } else {
                case.says.push(line.to_string());
            }
        }
    }
    assert!(cases.len() > 10, "{} has only {} cases", path.display(), cases.len());
    cases
}
