//! The arguments of one statement, and rows that are turned into columns: a batch of any length is
//! one statement with one array for each column.

use serde::Serialize;
use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use steadfast_services::port::{Load, StoreError};

use crate::text;

/// Arguments in the order of their numbers.
#[derive(Default)]
pub(crate) struct Args {
    values: PgArguments,
    fault: Option<String>,
}

impl Args {
    fn add<'q, T>(mut self, value: T) -> Self
    where
        T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        if let Err(error) = self.values.add(value) {
            self.fault.get_or_insert_with(|| error.to_string());
        }
        self
    }

    /// A number. PostgreSQL's integers are signed; all 64 bits come back as they were.
    pub(crate) fn int(self, value: impl Into<u64>) -> Self {
        self.add(value.into().cast_signed())
    }

    /// A text.
    pub(crate) fn text(self, text: &str) -> Self {
        self.add(text::written(text).into_owned())
    }

    /// Bytes, as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.add(bytes.to_vec())
    }

    /// Numbers, as one array.
    pub(crate) fn ints(self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.add(numbers.into_iter().map(u64::cast_signed).collect::<Vec<i64>>())
    }

    /// Texts, as one array.
    pub(crate) fn texts<'t>(self, texts: impl IntoIterator<Item = &'t str>) -> Self {
        let texts = texts.into_iter().map(|text| text::written(text).into_owned());
        self.add(texts.collect::<Vec<String>>())
    }

    /// Flags, as one array.
    pub(crate) fn flags(self, flags: impl IntoIterator<Item = bool>) -> Self {
        self.add(flags.into_iter().collect::<Vec<bool>>())
    }

    /// What PostgreSQL is given.
    ///
    /// # Errors
    /// If a value could not be written down.
    pub(crate) fn finish(self) -> Load<PgArguments> {
        match self.fault {
            None => Ok(self.values),
            Some(fault) => Err(StoreError::Corrupt(fault)),
        }
    }
}

enum Column {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Flags(Vec<Option<bool>>),
}

/// Rows, cell by cell from the left, kept as columns. Every row has to have the same cells.
#[derive(Default)]
pub(crate) struct Columns {
    columns: Vec<Column>,
    next: usize,
    rows: usize,
    fault: Option<String>,
}

impl Columns {
    /// The column of the next cell, made by the first row.
    fn column(&mut self, new: fn() -> Column) -> &mut Column {
        if self.next == self.columns.len() {
            self.columns.push(new());
        }
        self.next += 1;
        &mut self.columns[self.next - 1]
    }

    /// A number that may be negative, or nothing.
    pub(crate) fn opt_signed(&mut self, value: Option<i64>) {
        if let Column::Ints(all) = self.column(|| Column::Ints(Vec::new())) {
            all.push(value);
        }
    }

    /// A number.
    pub(crate) fn int(&mut self, value: impl Into<u64>) {
        self.opt_signed(Some(value.into().cast_signed()));
    }

    /// A number or nothing.
    pub(crate) fn opt_int(&mut self, value: Option<impl Into<u64>>) {
        self.opt_signed(value.map(|value| value.into().cast_signed()));
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, value: bool) {
        if let Column::Flags(all) = self.column(|| Column::Flags(Vec::new())) {
            all.push(Some(value));
        }
    }

    fn push_text(&mut self, text: Option<String>) {
        if let Column::Texts(all) = self.column(|| Column::Texts(Vec::new())) {
            all.push(text);
        }
    }

    /// A text or nothing.
    pub(crate) fn opt_text(&mut self, text: Option<&str>) {
        self.push_text(text.map(|text| text::written(text).into_owned()));
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) {
        self.opt_text(Some(text));
    }

    /// A value as JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        let text = serde_json::to_string(value);
        if let Err(error) = &text {
            self.fault.get_or_insert_with(|| error.to_string());
        }
        self.push_text(text.ok());
    }

    /// A value as JSON, or nothing if it is the ordinary one.
    pub(crate) fn json_unless<T: Serialize + ?Sized>(&mut self, ordinary: bool, value: &T) {
        if ordinary { self.push_text(None) } else { self.json(value) }
    }

    /// The row is complete.
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
        self.next = 0;
    }

    /// One array for each column.
    pub(crate) fn into_args(self) -> Args {
        let mut args = Args { fault: self.fault, ..Args::default() };
        for column in self.columns {
            let length = match &column {
                Column::Ints(all) => all.len(),
                Column::Texts(all) => all.len(),
                Column::Flags(all) => all.len(),
            };
            if length != self.rows {
                args.fault.get_or_insert_with(|| String::from("rows have different cells"));
            }
            args = match column {
                Column::Ints(all) => args.add(all),
                Column::Texts(all) => args.add(all),
                Column::Flags(all) => args.add(all),
            };
        }
        args
    }
}
