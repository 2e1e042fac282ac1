//! Documents that are made from code say what the code says, and one that is kept by hand names
//! only what is there.
//! `STEADFAST_BLESS=1 cargo test -p steadfast-tests --test documents` rewrites them.

#[path = "documents/capabilities.rs"]
mod capabilities;

use std::path::PathBuf;

use steadfast_core::status;

/// The text between the fences of the first mermaid block.
fn mermaid(document: &str) -> Option<std::ops::Range<usize>> {
    let start = document.find("```mermaid\n")? + "```mermaid\n".len();
    let length = document[start..].find("```")?;
    Some(start..start + length)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by the environment")]
fn the_life_of_an_execution_is_drawn_as_the_table_says() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md"));
    let mut document = std::fs::read_to_string(&path).expect("ARCHITECTURE.md is there");
    let block = mermaid(&document).expect("it has a mermaid block");
    if std::env::var_os("STEADFAST_BLESS").is_some() {
        document.replace_range(block, &status::diagram());
        std::fs::write(&path, document).expect("ARCHITECTURE.md can be written");
        return;
    }
    assert_eq!(
        &document[block],
        status::diagram(),
        "ARCHITECTURE.md is out of date; see the head of this file"
    );
}
