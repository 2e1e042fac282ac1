//! What may not be written where. Comments are not read, except for the length of a file.

use std::fs;
use std::path::Path;

/// The most lines that a file may have.
const LINES_MAX: usize = 600;
/// Words that betray a clock, an executor or a random order.
const IMPURE: &[&str] = &["async", "await", "tokio", "std::time", "HashMap", "HashSet"];
/// What replays in one process and not in another, or draws on a process-wide counter.
const HAZARDS: &[&str] = &["sync::watch", "fastrand", "ahash", "now_v7", "futures::select"];
/// Written in two halves, so that this file does not trip over itself.
const UNFINISHED: &[&str] =
    &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore")];
const FLAG: &[&str] = &[concat!("cfg(", "madsim)"), concat!("cfg!(", "madsim)")];
const FLAG_NEGATED: &str = concat!("not(", "madsim)");
const CLAIM: &str = concat!("const SIM", "ULATED");
const CLAIM_DENIED: &str = ": bool = false;";

/// A file of Rust.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    path: String,
    text: String,
}

impl Source {
    /// A file that may not exist.
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Where it is, from the root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What it says, without comments.
    pub(crate) fn code(&self) -> String {
        code_of(&self.text)
    }
}

/// Every `.rs` file below `folder`, in order of path; build output and hidden folders are passed
/// over.
pub(crate) fn below(root: &Path, folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("folders of the checkout can be read");
        for entry in entries.map(|entry| entry.expect("so can what is in them")) {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".rs")
                && let Ok(text) = fs::read_to_string(&path)
            {
                // A file that cannot be read went away while a colleague renamed it.
                let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Words in core that have no business there.
pub(crate) fn impure(core: &[Source]) -> Vec<String> {
    words(core, IMPURE)
}

/// Words in the services that would make a seed tell two stories.
pub(crate) fn replay_hazards(services: &[Source]) -> Vec<String> {
    words(services, HAZARDS)
}

/// Files that nobody can keep in mind.
pub(crate) fn too_long(sources: &[Source]) -> Vec<String> {
    let lengths = sources.iter().map(|source| (source, source.text.lines().count()));
    lengths
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(source, lines)| format!("{}: {lines} lines, {LINES_MAX} at most", source.path))
        .collect()
}

/// Promises to write something later, and tests that do not run.
pub(crate) fn unfinished(sources: &[Source]) -> Vec<String> {
    texts(sources, UNFINISHED)
}

/// Readers of the simulator's compiler flag outside the simulator.
pub(crate) fn flag_readers(sources: &[Source]) -> Vec<String> {
    let others: Vec<Source> =
        sources.iter().filter(|source| !source.path.starts_with("sim/")).cloned().collect();
    let mut complaints = texts(&others, FLAG);
    complaints.extend(texts(&others, &[FLAG_NEGATED]));
    complaints
}

/// Worlds outside the simulator in which bugs could be planted.
pub(crate) fn planters(sources: &[Source]) -> Vec<String> {
    let others: Vec<Source> =
        sources.iter().filter(|source| !source.path.starts_with("sim/")).cloned().collect();
    find(&others, &[CLAIM], |_, after| !after.starts_with(CLAIM_DENIED))
}

/// Every `select!` that does not open with `biased;`: its order is drawn from a process-wide
/// counter.
pub(crate) fn unbiased_selects(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let code = code_of(&source.text);
        for (at, found) in code.match_indices("select!") {
            let body = code[at + found.len()..].trim_start();
            let body = body.strip_prefix(['{', '(', '[']).unwrap_or(body);
            if !body.trim_start().starts_with("biased;") {
                complaints.push(complaint(source, &code, at, "select! without biased;"));
            }
        }
    }
    complaints
}

/// Places where one of `words` stands as a whole word.
fn words(sources: &[Source], words: &[&str]) -> Vec<String> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    find(sources, words, |before, after| !before.ends_with(in_word) && !after.starts_with(in_word))
}

/// Places where one of `texts` stands.
fn texts(sources: &[Source], texts: &[&str]) -> Vec<String> {
    find(sources, texts, |_, _| true)
}

fn find(sources: &[Source], needles: &[&str], fits: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let code = code_of(&source.text);
        for needle in needles {
            for (at, found) in code.match_indices(needle) {
                if fits(&code[..at], &code[at + found.len()..]) {
                    complaints.push(complaint(source, &code, at, needle));
                }
            }
        }
    }
    complaints
}

fn complaint(source: &Source, code: &str, at: usize, what: &str) -> String {
    let line = code[..at].matches('\n').count() + 1;
    format!("{}:{line}: {what}", source.path)
}

/// The text without line comments; lines keep their numbers. A `//` within a string, as in an
/// address, ends its line too: what stands after it there is not read.
fn code_of(text: &str) -> String {
    let without = |line: &str| line.find("//").map_or(line, |at| &line[..at]).to_owned();
    text.lines().map(without).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> [Source; 1] {
        [Source { path: path.into(), text: text.into() }]
    }

    #[test]
    fn impurity_is_seen_and_placed() {
        for word in IMPURE {
            let planted = file("core/src/x.rs", &format!("fn x() {{}}\nuse {word};\n"));
            assert_eq!(impure(&planted), [format!("core/src/x.rs:2: {word}")]);
        }
    }

    #[test]
    fn words_are_whole_and_comments_are_free() {
        let fine = file("core/src/x.rs", "/// never async\nlet awaiting = asynchrony; // await\n");
        assert_eq!(impure(&fine), Vec::<String>::new());
    }

    #[test]
    fn a_long_file_is_seen() {
        assert_eq!(too_long(&file("x.rs", &"\n".repeat(LINES_MAX))).len(), 0);
        assert_eq!(too_long(&file("x.rs", &"\n".repeat(LINES_MAX + 1))).len(), 1);
    }

    #[test]
    fn unfinished_work_is_seen() {
        for promise in UNFINISHED {
            assert_eq!(unfinished(&file("x.rs", &format!("  {promise}"))).len(), 1, "{promise}");
        }
    }

    #[test]
    fn an_unbiased_select_is_seen() {
        let unbiased = ["tokio::select! {\n  a = b => {}", "select!{ x", "select! { biased, x"];
        for text in unbiased {
            assert_eq!(unbiased_selects(&file("x.rs", text)).len(), 1, "{text}");
        }
        let biased = ["tokio::select! {\n    biased;\n", "select! { // why\n  biased;"];
        for text in biased {
            assert_eq!(unbiased_selects(&file("x.rs", text)).len(), 0, "{text}");
        }
    }

    #[test]
    fn a_replay_hazard_is_seen() {
        for hazard in HAZARDS {
            let planted = file("x.rs", &format!("use tokio::{hazard}::channel;"));
            assert_eq!(replay_hazards(&planted).len(), 1, "{hazard}");
        }
    }

    #[test]
    fn a_reader_of_the_flag_is_seen_unless_it_is_the_simulator() {
        let texts = [FLAG[0], FLAG[1], FLAG_NEGATED];
        for text in texts {
            assert_eq!(flag_readers(&file("runtime/src/x.rs", text)).len(), 1, "{text}");
            assert_eq!(flag_readers(&file("sim/src/x.rs", text)).len(), 0, "{text}");
        }
    }

    #[test]
    fn a_world_with_planted_bugs_is_seen_unless_it_is_the_simulator() {
        let claims = [": bool = true;", ": bool = cfg!(test);", ":bool=true;"];
        for claim in claims {
            let text = format!("impl Env for World {{\n    {CLAIM}{claim}\n}}");
            assert_eq!(
                planters(&file("runtime/src/x.rs", &text)),
                [format!("runtime/src/x.rs:2: {CLAIM}")]
            );
            assert_eq!(planters(&file("sim/src/x.rs", &text)).len(), 0, "{claim}");
        }
        let denied = format!("    {CLAIM}{CLAIM_DENIED}\n");
        assert_eq!(planters(&file("runtime/services/src/x.rs", &denied)).len(), 0);
    }
}
