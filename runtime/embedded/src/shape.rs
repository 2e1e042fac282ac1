//! Statements over many rows.
//!
//! A batch is one statement with a list in it, most often of `VALUES`. The lists have lengths of
//! powers of two, so that a handful of prepared statements serves every batch; the arguments of
//! unused places are left unbound, which SQLite reads as NULL, and no key is NULL.
//!
//! A list makes SQLite set up a temporary table now and then, which for a single row costs more
//! than the row. Inserts and updates of one row are therefore written without.

use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The most rows in one statement.
pub(crate) const MOST: usize = 256;

const SIZES: usize = MOST.ilog2() as usize + 1;

/// A statement's text for each size.
pub(crate) struct Shape {
    columns: usize,
    form: Form,
    texts: [OnceLock<Arc<str>>; SIZES],
}

enum Form {
    /// Before the list, after it.
    Values(&'static str, &'static str),
    /// Before the union, each of its arms, after it.
    Union(&'static str, &'static str, &'static str),
    /// Before the rows, after them.
    Insert(&'static str, &'static str),
    /// What is set in which table, and where; `$3` stands for a row's third argument.
    Update(&'static str, &'static str),
}

impl Shape {
    /// A list of rows with `columns` question marks each, between two texts.
    pub(crate) const fn values(columns: usize, before: &'static str, after: &'static str) -> Self {
        Self::new(columns, Form::Values(before, after))
    }

    /// As many `arm`s, with `columns` question marks each, between two texts.
    pub(crate) const fn union(
        columns: usize,
        before: &'static str,
        arm: &'static str,
        after: &'static str,
    ) -> Self {
        Self::new(columns, Form::Union(before, arm, after))
    }

    /// New rows; `after` may say what happens to those that exist.
    pub(crate) const fn insert(columns: usize, into: &'static str, after: &'static str) -> Self {
        Self::new(columns, Form::Insert(into, after))
    }

    /// Changed rows: `set` and `condition` name a row's arguments as `$1`, `$2`, ...
    pub(crate) const fn update(columns: usize, set: &'static str, condition: &'static str) -> Self {
        Self::new(columns, Form::Update(set, condition))
    }

    const fn new(columns: usize, form: Form) -> Self {
        Self { columns, form, texts: [const { OnceLock::new() }; SIZES] }
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
        let text = self.texts[rows.ilog2() as usize].get_or_init(|| self.build(rows).into());
        AssertSqlSafe(Arc::clone(text)).into_sql_str()
    }

    fn build(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        let list = vec![row; rows].join(",");
        match &self.form {
            Form::Values(before, after) => format!("{before} VALUES {list} {after}"),
            Form::Union(before, arm, after) => {
                format!("{before} {} {after}", vec![*arm; rows].join(" UNION ALL "))
            }
            Form::Insert(into, after) if rows == 1 => format!("{into} VALUES {list} {after}"),
            Form::Insert(into, after) => {
                format!("{into} SELECT * FROM (VALUES {list}) WHERE column1 IS NOT NULL {after}")
            }
            Form::Update(set, condition) if rows == 1 => {
                format!("{set} WHERE {condition}").replace('$', "?")
            }
            Form::Update(set, condition) => {
                let (set, condition) =
                    (set.replace('$', "v.column"), condition.replace('$', "v.column"));
                format!("{set} FROM (VALUES {list}) AS v WHERE {condition}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_powers_of_two() {
        let shape = Shape::values(2, "SELECT * FROM (", ")");
        assert_eq!(shape.sql(1).as_str(), "SELECT * FROM ( VALUES (?,?) )");
        assert_eq!(shape.sql(3).as_str().matches("(?,?)").count(), 4);
        assert_eq!(shape.sql(MOST).as_str().matches("(?,?)").count(), MOST);
    }

    #[test]
    fn single_rows_are_written_without_a_list() {
        let insert = Shape::insert(2, "INSERT INTO t (a, b)", "");
        assert_eq!(insert.sql(1).as_str().trim(), "INSERT INTO t (a, b) VALUES (?,?)");
        let many = insert.sql(2);
        assert!(many.as_str().contains("(VALUES (?,?),(?,?)) WHERE column1 IS NOT NULL"));
        let update = Shape::update(2, "UPDATE t SET b = $2", "t.a = $1");
        assert_eq!(update.sql(1).as_str(), "UPDATE t SET b = ?2 WHERE t.a = ?1");
        let many =
            "UPDATE t SET b = v.column2 FROM (VALUES (?,?),(?,?)) AS v WHERE t.a = v.column1";
        assert_eq!(update.sql(2).as_str(), many);
    }
}
