//! Secrets taken out of a stream of bytes.

use std::sync::Arc;

/// What stands in the place of a secret.
const REPLACEMENT: &[u8] = b"[redacted]";

/// The secrets of one invocation.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Longest first, so that a secret that begins with another one is taken out whole.
    patterns: Arc<[Vec<u8>]>,
    /// Bytes with which a pattern begins, so that most of a stream is looked at once.
    starts: Arc<[bool; 256]>,
}

impl Secrets {
    pub(crate) fn new(secrets: &[String]) -> Self {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            patterns.push(secret.clone().into_bytes());
            // An action that prints its parameters as JSON prints the secret escaped.
            let escaped = serde_json::Value::from(secret.as_str()).to_string();
            patterns.push(escaped.as_bytes()[1..escaped.len() - 1].to_vec());
        }
        patterns.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        patterns.dedup();
        let mut starts = [false; 256];
        for pattern in &patterns {
            starts[usize::from(pattern[0])] = true;
        }
        Self { patterns: patterns.into(), starts: Arc::new(starts) }
    }

    /// A whole text without its secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut stream = Redactor::new(self.clone());
        let mut bytes = stream.push(text.as_bytes());
        bytes.extend(stream.finish());
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Takes secrets out of a stream that arrives in pieces.
#[derive(Debug)]
pub(crate) struct Redactor {
    secrets: Secrets,
    /// The end of what has arrived, while it may be the beginning of a secret.
    held: Vec<u8>,
}

enum Found {
    Nothing,
    Secret(usize),
    PerhapsMore,
}

impl Redactor {
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self { secrets, held: Vec::new() }
    }

    /// Takes the next piece and returns what can be shown by now.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.secrets.patterns.is_empty() {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        self.release(false)
    }

    /// The stream is over: what was held back is shown, and so is the beginning of a secret that
    /// never came to its end.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.release(true)
    }

    fn release(&mut self, over: bool) -> Vec<u8> {
        let mut shown = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            match self.look(&self.held[at..], over) {
                Found::Nothing => {
                    shown.push(self.held[at]);
                    at += 1;
                }
                Found::Secret(length) => {
                    shown.extend_from_slice(REPLACEMENT);
                    at += length;
                }
                Found::PerhapsMore => break,
            }
        }
        self.held.drain(..at);
        shown
    }

    fn look(&self, rest: &[u8], over: bool) -> Found {
        if !self.secrets.starts[usize::from(rest[0])] {
            return Found::Nothing;
        }
        for pattern in self.secrets.patterns.iter() {
            if rest.starts_with(pattern) {
                return Found::Secret(pattern.len());
            }
            if !over && pattern.starts_with(rest) {
                return Found::PerhapsMore;
            }
        }
        Found::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(list: &[&str]) -> Secrets {
        Secrets::new(&list.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn in_pieces(list: &[&str], text: &str, size: usize) -> String {
        let mut redactor = Redactor::new(secrets(list));
        let mut shown = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            shown.extend(redactor.push(piece));
        }
        shown.extend(redactor.finish());
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn every_cut_of_the_stream_gives_the_same() {
        let text = "a hunter2 b hunter22 hunhunter2 hunter";
        let want = "a [redacted] b [redacted]2 hun[redacted] hunter";
        for size in 1..=text.len() {
            assert_eq!(in_pieces(&["hunter2"], text, size), want, "pieces of {size}");
        }
    }

    #[test]
    fn the_longer_secret_wins_and_an_unfinished_one_does_not_hide_the_shorter() {
        for size in 1..=9 {
            assert_eq!(
                in_pieces(&["abc", "abcdef"], "abcdef abcd", size),
                "[redacted] [redacted]d"
            );
        }
    }

    #[test]
    fn the_json_form_of_a_secret_is_one_too() {
        let secrets = secrets(&["pa\"ss\nword"]);
        assert_eq!(secrets.redact(r#"{"p":"pa\"ss\nword"}"#), r#"{"p":"[redacted]"}"#);
        assert_eq!(secrets.redact("pa\"ss\nword"), "[redacted]");
    }

    #[test]
    fn empty_secrets_and_no_secrets_change_nothing() {
        assert_eq!(secrets(&[""]).redact("text"), "text");
        assert_eq!(secrets(&[]).redact("text"), "text");
    }

    #[test]
    fn nothing_is_held_back_that_cannot_be_a_secret() {
        let mut redactor = Redactor::new(secrets(&["hunter2"]));
        assert_eq!(redactor.push(b"line of log\n"), b"line of log\n");
        assert_eq!(redactor.push(b"ends in hunt"), b"ends in ");
    }
}
