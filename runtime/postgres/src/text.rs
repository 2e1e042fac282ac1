//! Texts as PostgreSQL holds them. It has no NUL in a text, and the engine's texts are anybody's:
//! NUL becomes U+0001 and the digit 0, U+0001 becomes U+0001 and the digit 1. Two texts stand in
//! the same order before and after. JSON has neither character, so it passes unchanged.

use std::borrow::Cow;

const MARK: char = '\u{1}';

/// How a text is written.
pub(crate) fn written(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte <= 1) {
        return Cow::Borrowed(text);
    }
    let mut all = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => all.extend([MARK, '0']),
            MARK => all.extend([MARK, '1']),
            other => all.push(other),
        }
    }
    Cow::Owned(all)
}

/// What was written as this; `None` if nothing is.
pub(crate) fn read(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(MARK) {
        return Some(Cow::Borrowed(text));
    }
    let mut all = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != MARK {
            all.push(character);
            continue;
        }
        match characters.next() {
            Some('0') => all.push('\0'),
            Some('1') => all.push(MARK),
            _ => return None,
        }
    }
    Some(Cow::Owned(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: &[&str] =
        &["", "\0", "\0\0", "\u{1}", "\u{1}0", "\0", "a", "a\0b", "a\u{1}", "a\u{2}", "\u{1F980}"];

    #[test]
    fn texts_come_back_in_their_order() {
        for one in TEXTS {
            assert!(!written(one).contains('\0'));
            assert_eq!(read(&written(one)).as_deref(), Some(*one));
            for other in TEXTS {
                assert_eq!(one.cmp(other), written(one).cmp(&written(other)), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_nobody_wrote_is_not_read() {
        assert_eq!(read("a\u{1}"), None);
        assert_eq!(read("\u{1}2"), None);
    }
}
