//! The tables: which columns there are, and how rows are written into them and read from them.

pub(crate) mod effect;
pub(crate) mod execution;
pub(crate) mod payload;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod visit;
pub(crate) mod worker;

use sqlx::postgres::PgRow;
use steadfast_services::port::Load;

use crate::args::{Args, Columns, Shape};
use crate::row::Reader;

/// A column: its name, and the type of the array that it is sent as.
pub(crate) type Field = (&'static str, Kind);

/// What a column is sent as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Numbers; PostgreSQL makes them small where the table has small ones.
    Int,
    /// Texts.
    Text,
    /// Yes or no.
    Flag,
}

impl Kind {
    /// The type of one cell.
    pub(crate) const fn cell(self) -> &'static str {
        match self {
            Self::Int => "int8",
            Self::Text => "text",
            Self::Flag => "bool",
        }
    }

    /// The type of many.
    pub(crate) const fn array(self) -> &'static str {
        match self {
            Self::Int => "int8[]",
            Self::Text => "text[]",
            Self::Flag => "bool[]",
        }
    }
}

/// A table that batches of rows are inserted into.
pub(crate) trait Table {
    /// One row of it.
    type Row: Sync;

    /// What a row is called in messages.
    const NAME: &'static str;
    /// Its name in the database.
    const TABLE: &'static str;
    /// What a new row has, in the order of [`Self::bind_insert`].
    const FIELDS: &'static [Field];

    /// One new row's cells.
    fn bind_insert(row: &Self::Row, columns: &mut Columns);

    /// Adds any number of rows.
    fn insert(rows: &[Self::Row]) -> (String, Args) {
        let mut columns = Columns::default();
        for row in rows {
            Self::bind_insert(row, &mut columns);
            columns.end_row();
        }
        let names: Vec<&str> = Self::FIELDS.iter().map(|(name, _)| *name).collect();
        let Shape { args, cells, from } = columns.shape(Self::FIELDS, 1);
        let from = from.map(|from| format!(" FROM {from}")).unwrap_or_default();
        let (names, cells) = (names.join(", "), cells.join(", "));
        (format!("INSERT INTO {} ({names}) SELECT {cells}{from}", Self::TABLE), args)
    }
}

/// A table whose rows change.
pub(crate) trait Versioned: Table {
    /// How many of the changed fields are the key. They come first.
    const KEY: usize;
    /// The key, `version`, and what may change, in the order of [`Self::bind_update`].
    const CHANGED: &'static [Field];

    /// One changed row's cells.
    fn bind_update(row: &Self::Row, columns: &mut Columns);

    /// Changes any number of rows that are at the version before.
    fn update(rows: &[Self::Row]) -> (String, Args) {
        let mut columns = Columns::default();
        for row in rows {
            Self::bind_update(row, &mut columns);
            columns.end_row();
        }
        change(Self::TABLE, Self::CHANGED, Self::KEY, columns)
    }
}

/// An update of rows of `table` that are at the version before: the first `key` fields are the key,
/// and the one after them is the version.
pub(crate) fn change(
    table: &str,
    fields: &[Field],
    key: usize,
    columns: Columns,
) -> (String, Args) {
    let Shape { args, cells, from } = columns.shape(fields, key);
    let cell = |(field, cell): (&Field, &String)| format!("{} = {cell}", field.0);
    let named = fields.iter().zip(&cells);
    let set: Vec<String> = named.clone().skip(key).map(cell).collect();
    let keys: Vec<String> =
        named.take(key).map(|((name, _), cell)| format!("t.{name} = {cell}")).collect();
    let from = from.map(|from| format!(" FROM {from}")).unwrap_or_default();
    let (set, keys, version) = (set.join(", "), keys.join(" AND "), &cells[key]);
    (format!("UPDATE {table} t SET {set}{from} WHERE {keys} AND t.version = {version} - 1"), args)
}

/// What rows are read into, one after the other.
pub(crate) trait Decoder: Default {
    /// What a row becomes.
    type Row: Send;

    /// Reads one row.
    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Self::Row>;

    /// Reads all rows.
    fn all(rows: &[PgRow]) -> Load<Vec<Self::Row>> {
        let mut decoder = Self::default();
        rows.iter().map(|row| decoder.decode(&mut Reader::new(row))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements that read name the columns by hand, in the order of the fields.
    #[test]
    fn columns_are_read_in_the_order_in_which_they_are_written() {
        fn check<T: Table>(alias: &str, columns: &str) {
            let names = T::FIELDS.iter().map(|(name, _)| format!("{alias}.{name}"));
            let names: Vec<String> = names.collect();
            assert_eq!(names.join(", "), columns, "{}", T::TABLE);
        }
        check::<execution::Executions>("e", execution::columns!());
        check::<queue::Queues>("q", queue::columns!());
        check::<worker::Workers>("w", worker::columns!());
        check::<run::Runs>("r", run::columns!());
        check::<schedule::Schedules>("s", schedule::columns!());
        check::<effect::Effects>("f", effect::columns!());
        check::<visit::Visits>("t", &format!("{}, t.open", visit::columns!()));
    }

    #[test]
    fn a_change_sets_everything_but_its_key_and_sends_only_what_differs() {
        use steadfast_core::workflow::Visit;
        use steadfast_core::{ExecutionId, TaskKey};
        let visit = |occurrence| {
            let run = ExecutionId(1);
            Visit::new(TaskKey { run, task: "t".into(), occurrence }, 1)
        };
        let (many, _) = visit::Visits::update(&[visit(0), visit(1)]);
        let start =
            "UPDATE visit_live t SET version = $4::int8, state = $5::int8, status = NULL::int8";
        assert!(many.starts_with(start), "{many}");
        let end = "FROM UNNEST($1::int8[], $2::text[], $3::int8[]) AS v (run, task, occurrence) \
                   WHERE t.run = v.run AND t.task = v.task \
                   AND t.occurrence = v.occurrence AND t.version = $4::int8 - 1";
        assert!(many.ends_with(end), "{many}");
        let (one, _) = visit::Visits::update(&[visit(0)]);
        assert!(one.ends_with("AND t.version = $4::int8 - 1") && !one.contains("UNNEST"), "{one}");
    }
}
