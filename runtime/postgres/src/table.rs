//! The tables: which columns there are, and how rows are written into them and read from them.

pub(crate) mod execution;
pub(crate) mod payload;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod visit;
pub(crate) mod worker;

use sqlx::postgres::PgRow;
use steadfast_services::port::Load;

use crate::args::Columns;
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
    const fn array(self) -> &'static str {
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
    fn insert() -> String {
        let names: Vec<&str> = Self::FIELDS.iter().map(|(name, _)| *name).collect();
        let (names, arrays) = (names.join(", "), arrays(Self::FIELDS));
        format!("INSERT INTO {} ({names}) SELECT * FROM UNNEST({arrays})", Self::TABLE)
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
    fn update() -> String {
        let names: Vec<&str> = Self::CHANGED.iter().map(|(name, _)| *name).collect();
        let table = Self::TABLE;
        let set: Vec<String> =
            names[Self::KEY..].iter().map(|name| format!("{name} = v.{name}")).collect();
        let keys: Vec<String> =
            names[..Self::KEY].iter().map(|name| format!("{table}.{name} = v.{name}")).collect();
        format!(
            "UPDATE {table} SET {} FROM UNNEST({}) AS v ({}) \
             WHERE {} AND {table}.version = v.version - 1",
            set.join(", "),
            arrays(Self::CHANGED),
            names.join(", "),
            keys.join(" AND "),
        )
    }
}

fn arrays(fields: &[Field]) -> String {
    let numbered = fields.iter().zip(1..);
    let all: Vec<String> =
        numbered.map(|((_, kind), number)| format!("${number}::{}", kind.array())).collect();
    all.join(", ")
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
        check::<visit::Visits>("t", &format!("{}, t.open", visit::columns!()));
    }

    #[test]
    fn a_change_sets_everything_but_its_key() {
        let update = visit::Visits::update();
        assert!(update.contains("SET version = v.version, state = v.state"), "{update}");
        let condition = "WHERE visit.run = v.run AND visit.task = v.task \
                         AND visit.occurrence = v.occurrence AND visit.version = v.version - 1";
        assert!(update.ends_with(condition), "{update}");
    }
}
