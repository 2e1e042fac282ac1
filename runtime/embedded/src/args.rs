//! The arguments of one statement, in the order of its question marks.

use serde::Serialize;
use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;
use std::sync::Arc;
use steadfast_services::port::{Load, StoreError};

/// Arguments as they are collected.
#[derive(Default)]
pub(crate) struct Args {
    values: SqliteArguments,
    recent: [Option<Arc<str>>; Args::RECENT],
    next_recent: usize,
    fault: Option<String>,
}

impl Args {
    /// How many texts are remembered: rows of one batch repeat their action, definition, queue,
    /// runtime and worker.
    const RECENT: usize = 6;

    /// Room for `count` arguments.
    pub(crate) fn with_capacity(count: usize) -> Self {
        let mut args = Self::default();
        args.values.reserve(count, 0);
        args
    }

    fn add<'q, T>(&mut self, value: T)
    where
        T: sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        if let Err(error) = self.values.add(value) {
            self.fault.get_or_insert_with(|| error.to_string());
        }
    }

    /// A number. SQLite's integers are signed; all 64 bits come back as they were.
    pub(crate) fn int(&mut self, value: impl Into<u64>) {
        self.add(value.into().cast_signed());
    }

    /// A number or nothing.
    pub(crate) fn opt_int(&mut self, value: Option<impl Into<u64>>) {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    /// A number that may be negative.
    pub(crate) fn signed(&mut self, value: i64) {
        self.add(value);
    }

    /// Nothing.
    pub(crate) fn null(&mut self) {
        self.add(None::<i64>);
    }

    /// Nothing, `count` times.
    pub(crate) fn nulls(&mut self, count: usize) {
        for _ in 0..count {
            self.null();
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) {
        self.add(Arc::<str>::from(text));
    }

    /// A text that other rows of the batch are likely to have as well.
    pub(crate) fn common(&mut self, text: &str) {
        if let Some(known) = self.recent.iter().flatten().find(|known| ***known == *text) {
            let known = Arc::clone(known);
            self.add(known);
            return;
        }
        let new = Arc::<str>::from(text);
        self.recent[self.next_recent] = Some(Arc::clone(&new));
        self.next_recent = (self.next_recent + 1) % Self::RECENT;
        self.add(new);
    }

    /// A text or nothing.
    pub(crate) fn opt_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// A value as JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.add(text),
            Err(error) => {
                self.fault.get_or_insert_with(|| error.to_string());
                self.null();
            }
        }
    }

    /// A value as JSON, or nothing if it is the ordinary one.
    pub(crate) fn json_unless<T: Serialize + ?Sized>(&mut self, ordinary: bool, value: &T) {
        if ordinary { self.null() } else { self.json(value) }
    }

    /// A list of numbers as one argument, for `json_each`.
    pub(crate) fn list(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let mut text = String::from("[");
        for number in numbers {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&number.cast_signed().to_string());
        }
        text.push(']');
        self.add(text);
    }

    /// What SQLite is given.
    ///
    /// # Errors
    /// If a value could not be written down.
    pub(crate) fn finish(self) -> Load<SqliteArguments> {
        match self.fault {
            None => Ok(self.values),
            Some(fault) => Err(StoreError::Corrupt(fault)),
        }
    }
}
