//! Statements over many rows.
//!
//! A batch is one statement with a `VALUES` list. The lists have lengths of powers of two, so that
//! a handful of prepared statements serves every batch; unused rows are left unbound, which SQLite
//! reads as NULL, and no key is NULL.

use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The most rows in one statement.
pub(crate) const MOST: usize = 256;

const SIZES: usize = MOST.ilog2() as usize + 1;

/// A statement's text for each size.
pub(crate) struct Shape {
    columns: usize,
    before: &'static str,
    after: &'static str,
    texts: [OnceLock<Arc<str>>; SIZES],
}

impl Shape {
    /// `before`, a `VALUES` list with `columns` question marks in each row, `after`.
    pub(crate) const fn new(columns: usize, before: &'static str, after: &'static str) -> Self {
        Self { columns, before, after, texts: [const { OnceLock::new() }; SIZES] }
    }

    /// How many columns each row has.
    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows the statement for `rows` rows has.
    pub(crate) fn padded(rows: usize) -> usize {
        rows.clamp(1, MOST).next_power_of_two()
    }

    /// The statement for up to `rows` rows.
    pub(crate) fn sql(&self, rows: usize) -> SqlStr {
        let rows = Self::padded(rows);
        let text = self.texts[rows.ilog2() as usize].get_or_init(|| self.build(rows));
        AssertSqlSafe(Arc::clone(text)).into_sql_str()
    }

    fn build(&self, rows: usize) -> Arc<str> {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        let values = vec![row; rows].join(",");
        Arc::from(format!("{} VALUES {values} {}", self.before, self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_powers_of_two() {
        let shape = Shape::new(2, "SELECT * FROM (", ")");
        assert_eq!(shape.sql(1).as_str(), "SELECT * FROM ( VALUES (?,?) )");
        assert_eq!(shape.sql(3).as_str().matches("(?,?)").count(), 4);
        assert_eq!(shape.sql(MOST).as_str().matches("(?,?)").count(), MOST);
    }
}
