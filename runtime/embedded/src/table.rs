//! The tables: which columns there are, and how rows are written into them and read from them.

pub(crate) mod effect;
pub(crate) mod execution;
pub(crate) mod payload;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod visit;
pub(crate) mod worker;

use sqlx::sqlite::SqliteRow;
use steadfast_services::port::Load;

use crate::args::Args;
use crate::packed::Packed;
use crate::row::{Cells, Reader};
use crate::shape::Shape;

/// A table that batches of rows are inserted into and updated in.
pub(crate) trait Table {
    /// One row of it.
    type Row;

    /// What it is called in messages.
    const NAME: &'static str;
    /// Adds new rows.
    const INSERT: &'static Shape;

    /// One row's arguments for [`Self::INSERT`].
    fn bind_insert(row: &Self::Row, args: &mut Args);
}

/// A table whose rows change.
pub(crate) trait Versioned: Table {
    /// Changes rows that are at the version before.
    const UPDATE: &'static Shape;

    /// One row's arguments for [`Self::UPDATE`].
    fn bind_update(row: &Self::Row, args: &mut Args);
}

/// What rows are read into, one after the other.
pub(crate) trait Decoder: Default {
    /// What a row becomes.
    type Row;

    /// Reads one row.
    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Self::Row>;

    /// Reads all rows.
    fn all(rows: &[SqliteRow]) -> Load<Vec<Self::Row>> {
        let mut decoder = Self::default();
        rows.iter().map(|row| decoder.decode(&mut Reader::new(row))).collect()
    }

    /// Reads all rows that were packed into one text.
    fn unpack(text: &str) -> Load<Vec<Self::Row>> {
        let mut decoder = Self::default();
        let mut rows = Packed::new(text);
        let mut all = Vec::new();
        while rows.next_row()? {
            all.push(decoder.decode(&mut rows)?);
            rows.end_row()?;
        }
        Ok(all)
    }
}
