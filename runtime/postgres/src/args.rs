//! The arguments of one statement, and rows that are turned into columns: a batch of any length is
//! one statement with one array for each column.

mod literal;

use serde::Serialize;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, SqlSafeStr, SqlStr};
use steadfast_services::port::{Load, StoreError};

use crate::table::Field;
use crate::text;

/// An argument.
enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Flag(Option<bool>),
    Bytes(Vec<u8>),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Flags(Vec<Option<bool>>),
}

/// Arguments in the order of their numbers.
#[derive(Default)]
pub(crate) struct Args {
    values: Vec<Value>,
    fault: Option<String>,
}

/// A statement as it is sent.
pub(crate) enum Sent {
    /// As one message, its arguments written into it: one way there and back.
    Whole(SqlStr),
    /// Parsed first, and then its arguments: two ways, and nothing that is long is parsed.
    Parts(SqlStr, PgArguments),
}

/// The most bytes of arguments that are written into a statement. What is read of a longer one,
/// character by character, costs more than another way there and back.
const WHOLE: usize = 6_000;

impl Args {
    fn add(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    /// A number. PostgreSQL's integers are signed; all 64 bits come back as they were.
    pub(crate) fn int(self, value: impl Into<u64>) -> Self {
        self.add(Value::Int(Some(value.into().cast_signed())))
    }

    /// A text.
    pub(crate) fn text(self, text: &str) -> Self {
        self.add(Value::Text(Some(text::written(text).into_owned())))
    }

    /// Bytes, as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.add(Value::Bytes(bytes.to_vec()))
    }

    /// Numbers, as one array.
    pub(crate) fn ints(self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.add(Value::Ints(numbers.into_iter().map(|n| Some(n.cast_signed())).collect()))
    }

    /// Texts, as one array.
    pub(crate) fn texts<'t>(self, texts: impl IntoIterator<Item = &'t str>) -> Self {
        let texts = texts.into_iter().map(|text| Some(text::written(text).into_owned()));
        self.add(Value::Texts(texts.collect()))
    }

    /// Flags, as one array.
    pub(crate) fn flags(self, flags: impl IntoIterator<Item = bool>) -> Self {
        self.add(Value::Flags(flags.into_iter().map(Some).collect()))
    }

    /// What PostgreSQL is given for a statement with these arguments.
    ///
    /// # Errors
    /// If a value could not be written down.
    pub(crate) fn finish(self, sql: SqlStr) -> Load<Sent> {
        if let Some(fault) = self.fault {
            return Err(StoreError::Corrupt(fault));
        }
        if self.values.iter().map(Value::size).sum::<usize>() <= WHOLE {
            let whole = literal::filled(sql.as_str(), &self.values);
            return Ok(Sent::Whole(AssertSqlSafe(whole).into_sql_str()));
        }
        let mut arguments = PgArguments::default();
        let added = self.values.into_iter().try_for_each(|value| match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Flag(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Ints(value) => arguments.add(value),
            Value::Texts(value) => arguments.add(value),
            Value::Flags(value) => arguments.add(value),
        });
        added.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Sent::Parts(sql, arguments))
    }
}

impl Value {
    /// About how long it is.
    fn size(&self) -> usize {
        let text = |text: &Option<String>| 4 + text.as_ref().map_or(0, String::len);
        match self {
            Self::Int(_) | Self::Flag(_) => 8,
            Self::Text(value) => text(value),
            Self::Bytes(bytes) => 2 * bytes.len(),
            Self::Ints(all) => 8 * all.len(),
            Self::Texts(all) => all.iter().map(text).sum(),
            Self::Flags(all) => 2 * all.len(),
        }
    }
}

enum Column {
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Flags(Vec<Option<bool>>),
}

fn uniform<T: PartialEq>(all: &[T]) -> bool {
    all.windows(2).all(|pair| pair[0] == pair[1])
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Ints(all) => all.len(),
            Self::Texts(all) => all.len(),
            Self::Flags(all) => all.len(),
        }
    }

    /// Whether all rows have the same.
    fn is_uniform(&self) -> bool {
        match self {
            Self::Ints(all) => uniform(all),
            Self::Texts(all) => uniform(all),
            Self::Flags(all) => uniform(all),
        }
    }

    /// Whether a uniform column has nothing.
    fn is_empty(&self) -> bool {
        match self {
            Self::Ints(all) => all.first().is_none_or(Option::is_none),
            Self::Texts(all) => all.first().is_none_or(Option::is_none),
            Self::Flags(all) => all.first().is_none_or(Option::is_none),
        }
    }

    fn add_all(self, args: Args) -> Args {
        match self {
            Self::Ints(all) => args.add(Value::Ints(all)),
            Self::Texts(all) => args.add(Value::Texts(all)),
            Self::Flags(all) => args.add(Value::Flags(all)),
        }
    }

    fn add_first(self, args: Args) -> Args {
        match self {
            Self::Ints(all) => args.add(Value::Int(all.into_iter().next().flatten())),
            Self::Texts(all) => args.add(Value::Text(all.into_iter().next().flatten())),
            Self::Flags(all) => args.add(Value::Flag(all.into_iter().next().flatten())),
        }
    }
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
            if column.len() != self.rows {
                args.fault.get_or_insert_with(|| String::from("rows have different cells"));
            }
            args = column.add_all(args);
        }
        args
    }

    /// What a statement says of each column, and the arguments of it. A column that is empty in
    /// all rows is not sent, and one that is the same in all rows is sent once: most of a batch is
    /// alike.
    pub(crate) fn shape(self, fields: &[Field], keyed: usize) -> Shape {
        let mut shape =
            Shape { args: Args { fault: self.fault, ..Args::default() }, ..Shape::default() };
        if self.columns.len() != fields.len() {
            shape.args.fault.get_or_insert_with(|| String::from("rows have other cells"));
        }
        let single = self.rows == 1;
        let (mut arrays, mut names) = (Vec::new(), Vec::new());
        let mut count = 0;
        for (place, (column, (name, kind))) in self.columns.into_iter().zip(fields).enumerate() {
            if column.len() != self.rows {
                shape.args.fault.get_or_insert_with(|| String::from("rows have different cells"));
            }
            // At least the keys are listed, so that there are as many rows as there should be.
            let listed = !single && (place < keyed || !column.is_uniform());
            if !listed && column.is_empty() {
                shape.cells.push(format!("NULL::{}", kind.cell()));
                continue;
            }
            count += 1;
            if listed {
                arrays.push(format!("${count}::{}", kind.array()));
                names.push(*name);
                shape.cells.push(format!("v.{name}"));
                shape.args = column.add_all(std::mem::take(&mut shape.args));
            } else {
                shape.cells.push(format!("${count}::{}", kind.cell()));
                shape.args = column.add_first(std::mem::take(&mut shape.args));
            }
        }
        if !single {
            let (arrays, names) = (arrays.join(", "), names.join(", "));
            shape.from = Some(format!("UNNEST({arrays}) AS v ({names})"));
        }
        shape
    }
}

/// A batch as a statement has it.
#[derive(Default)]
pub(crate) struct Shape {
    /// The arguments.
    pub(crate) args: Args,
    /// What stands for each column.
    pub(crate) cells: Vec<String>,
    /// Where the rows come from; nowhere if there is only one.
    pub(crate) from: Option<String>,
}
