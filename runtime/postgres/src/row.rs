//! Rows as they are read, cell by cell from the left.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::PgRow;
use steadfast_core::Timestamp;
use steadfast_services::port::{Load, StoreError};

use crate::code::Code;
use crate::text;

/// The cells of a row, from the first to the last.
pub(crate) struct Reader<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Reader<'r> {
    /// Begins at the first column.
    pub(crate) const fn new(row: &'r PgRow) -> Self {
        Self { row, next: 0 }
    }

    fn take<T>(&mut self) -> Load<T>
    where
        T: sqlx::Decode<'r, sqlx::Postgres>,
    {
        let column = self.next;
        self.next += 1;
        // The statements are ours, so a column has no other type than the one that is asked for;
        // integers of two and of eight bytes are read alike.
        self.row.try_get_unchecked(column).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    /// A number that may be negative, or nothing.
    pub(crate) fn opt_signed(&mut self) -> Load<Option<i64>> {
        self.take()
    }

    /// A text or nothing.
    pub(crate) fn opt_text(&mut self) -> Load<Option<Cow<'r, str>>> {
        let Some(text) = self.take::<Option<&'r str>>()? else { return Ok(None) };
        let broken = || StoreError::Corrupt(format!("{text:?} is not a text of this store"));
        text::read(text).ok_or_else(broken).map(Some)
    }

    /// Bytes, as they are.
    pub(crate) fn bytes(&mut self) -> Load<Vec<u8>> {
        self.take()
    }

    /// A number or nothing.
    pub(crate) fn opt_int(&mut self) -> Load<Option<u64>> {
        Ok(self.opt_signed()?.map(i64::cast_unsigned))
    }

    /// A number.
    pub(crate) fn int(&mut self) -> Load<u64> {
        self.opt_int()?.ok_or_else(missing)
    }

    /// A number of 32 bits.
    pub(crate) fn small(&mut self) -> Load<u32> {
        small(self.int()?)
    }

    /// A number of 32 bits or nothing.
    pub(crate) fn opt_small(&mut self) -> Load<Option<u32>> {
        self.opt_int()?.map(small).transpose()
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self) -> Load<bool> {
        self.take::<Option<bool>>()?.ok_or_else(missing)
    }

    /// A moment.
    pub(crate) fn time(&mut self) -> Load<Timestamp> {
        self.int().map(Timestamp::from_micros)
    }

    /// A moment or nothing.
    pub(crate) fn opt_time(&mut self) -> Load<Option<Timestamp>> {
        Ok(self.opt_int()?.map(Timestamp::from_micros))
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Load<Cow<'r, str>> {
        self.opt_text()?.ok_or_else(missing)
    }

    /// A text or nothing, to keep.
    pub(crate) fn opt_string(&mut self) -> Load<Option<String>> {
        Ok(self.opt_text()?.map(Cow::into_owned))
    }

    /// A word of a closed vocabulary.
    pub(crate) fn word<T: Code>(&mut self) -> Load<T> {
        word(self.int()?)
    }

    /// A word of a closed vocabulary or nothing.
    pub(crate) fn opt_word<T: Code>(&mut self) -> Load<Option<T>> {
        self.opt_int()?.map(word).transpose()
    }

    /// What was written as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Load<T> {
        parse(&self.text()?)
    }

    /// What was written as JSON unless it was the ordinary value.
    pub(crate) fn json_or<T: DeserializeOwned>(&mut self, ordinary: impl FnOnce() -> T) -> Load<T> {
        self.opt_text()?.map_or_else(|| Ok(ordinary()), |text| parse(&text))
    }
}

fn missing() -> StoreError {
    StoreError::Corrupt(String::from("a cell is empty"))
}

fn small(number: u64) -> Load<u32> {
    u32::try_from(number).map_err(|_| StoreError::Corrupt(format!("{number} is out of range")))
}

fn word<T: Code>(code: u64) -> Load<T> {
    T::of_code(code).ok_or_else(|| StoreError::Corrupt(format!("{code} is not a {}", T::NAME)))
}

/// Reads JSON text.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Load<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The last value of a column: neighbouring rows mostly have the same, and sharing it is cheaper
/// than reading it again.
pub(crate) struct Last<T> {
    text: String,
    value: Option<T>,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self { text: String::new(), value: None }
    }
}

impl<T: Clone> Last<T> {
    /// The value of `text`, read only if it is not the last one again.
    pub(crate) fn get(&mut self, text: &str, read: impl FnOnce(&str) -> Load<T>) -> Load<T> {
        if let Some(value) = &self.value
            && self.text == text
        {
            return Ok(value.clone());
        }
        let value = read(text)?;
        self.text.clear();
        self.text.push_str(text);
        Ok(self.value.insert(value).clone())
    }
}
