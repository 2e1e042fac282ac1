//! Many rows as one JSON text.
//!
//! The driver hands every cell over as an allocation of its own and every row as a message from
//! one thread to another, which costs more than finding the row. Where many rows of many cells are
//! read, SQLite therefore writes them into one text, `[[1,"a",null],[2,"b",3]]`, and this reads
//! them from it.

use std::borrow::Cow;

use steadfast_services::port::{Load, StoreError};

use crate::row::{Cells, parse};

/// Rows of numbers, texts and nulls.
pub(crate) struct Packed<'r> {
    text: &'r str,
    at: usize,
}

impl<'r> Packed<'r> {
    /// Begins before the first row.
    pub(crate) const fn new(text: &'r str) -> Self {
        Self { text, at: 0 }
    }

    /// Goes to the beginning of the next row; `false` if there is none.
    pub(crate) fn next_row(&mut self) -> Load<bool> {
        match self.peek() {
            // The first row comes after the list's own bracket, the others after a comma.
            Some(b'[' | b',') => self.at += 1,
            Some(b']') => return Ok(false),
            _ => return Err(self.broken()),
        }
        match self.peek() {
            Some(b'[') => {
                self.at += 1;
                Ok(true)
            }
            Some(b']') => Ok(false),
            _ => Err(self.broken()),
        }
    }

    /// Leaves a row after its last cell.
    pub(crate) fn end_row(&mut self) -> Load<()> {
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        Err(self.broken())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes to the next cell; `false` if it is null, which is then behind.
    fn next_cell(&mut self) -> bool {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        if self.peek() == Some(b'n') {
            self.at += "null".len();
            return false;
        }
        true
    }

    fn broken(&self) -> StoreError {
        StoreError::Corrupt(format!("unexpected JSON at byte {} of packed rows", self.at))
    }
}

impl<'r> Cells<'r> for Packed<'r> {
    fn opt_signed(&mut self) -> Load<Option<i64>> {
        if !self.next_cell() {
            return Ok(None);
        }
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let start = self.at;
        let mut number = 0i64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            // Built up below zero, where there is room for one more than above.
            let longer = number.checked_mul(10);
            let longer = longer.and_then(|number| number.checked_sub(i64::from(digit - b'0')));
            number = longer.ok_or_else(|| self.broken())?;
            self.at += 1;
        }
        if self.at == start {
            return Err(self.broken());
        }
        let number = if negative { Some(number) } else { number.checked_neg() };
        number.map(Some).ok_or_else(|| self.broken())
    }

    fn opt_text(&mut self) -> Load<Option<Cow<'r, str>>> {
        if !self.next_cell() {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.broken());
        }
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(self.broken()),
            }
        }
        self.at += 1;
        let quoted = &self.text[start..self.at];
        if escaped {
            return parse::<String>(quoted).map(|text| Some(Cow::Owned(text)));
        }
        Ok(Some(Cow::Borrowed(&quoted[1..quoted.len() - 1])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Load<Vec<(Option<i64>, Option<String>)>> {
        let mut rows = Packed::new(text);
        let mut all = Vec::new();
        while rows.next_row()? {
            all.push((rows.opt_signed()?, rows.opt_string()?));
            rows.end_row()?;
        }
        Ok(all)
    }

    #[test]
    fn rows_are_read() {
        assert_eq!(read("[]"), Ok(vec![]));
        let text = r#"[[1,"a"],[-9223372036854775808,null],[null,"\"\\\u0000\ud83e\udd80\n"],[9223372036854775807,""]]"#;
        let expected = [
            (Some(1), Some("a".to_owned())),
            (Some(i64::MIN), None),
            (None, Some("\"\\\0\u{1F980}\n".to_owned())),
            (Some(i64::MAX), Some(String::new())),
        ];
        assert_eq!(read(text), Ok(expected.to_vec()));
    }

    #[test]
    fn anything_else_is_an_error() {
        let broken = [
            "",
            "[",
            "[[",
            "[[1",
            "[[1,",
            "[[1,\"",
            "[[1,\"a\\",
            "[[1,\"a\",2]]",
            "[[1.5,\"a\"]]",
            "[[9223372036854775808,null]]",
            "[[\"a\",null]]",
            "[[1,2]]",
            "[[1,null]",
            "{}",
            "[[1,\"\\x\"]]",
            "[[-,null]]",
        ];
        for text in broken {
            assert!(matches!(read(text), Err(StoreError::Corrupt(_))), "{text}");
        }
    }
}
