//! `docs/catalogue.md` is the catalogue of the core, written out. After a change of the catalogue,
//! `STEADFAST_BLESS=1 cargo test -p steadfast-tests --test catalogue` writes it anew.

use std::fs;
use std::path::Path;

use steadfast_core::catalogue::render_catalogue;

#[test]
fn the_document_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/catalogue.md");
    let expected = render_catalogue();
    if blessed() {
        fs::write(&path, expected).expect("docs/catalogue.md can be written");
        return;
    }
    let found = fs::read_to_string(&path).expect("docs/catalogue.md can be read");
    if let Some(line) = first_difference(&found, &expected) {
        panic!(
            "docs/catalogue.md is not the catalogue of the core, from line {line} on\n  \
            found     {}\n  expected  {}\nto write it anew: \
            STEADFAST_BLESS=1 cargo test -p steadfast-tests --test catalogue",
            found.lines().nth(line - 1).unwrap_or("(end)"),
            expected.lines().nth(line - 1).unwrap_or("(end)"),
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test, not a setting")]
fn blessed() -> bool {
    std::env::var_os("STEADFAST_BLESS").is_some_and(|value| value == "1")
}

/// The number of the first line, from 1, in which two texts differ.
fn first_difference(found: &str, expected: &str) -> Option<usize> {
    if found == expected {
        return None;
    }
    let same = found.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}
