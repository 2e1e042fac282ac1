//! Retention: what has been over for long enough is deleted, a bounded number of rows at a time.
//!
//! Nothing is put away in tables of its own here: there is one process and one writer, a deleted
//! page is used again by the next rows, and a few hundred rows are deleted in less time than the
//! next commit takes to become durable. What a server gains by dropping a table as a whole, which
//! is no dead rows and no locks, is not at stake.

use sqlx::Row;
use steadfast_core::Span;
use steadfast_services::port::{Load, Retained, Store, Transaction};

use crate::error::store_error;
use crate::query::finish;
use crate::store::EmbeddedStore;

/// How many executions are deleted in one transaction at the most.
const PIECE: i64 = 500;

/// The executions of trees whose root ended before `?1`, from the leaves: each goes once its
/// children are gone, so that whatever is still there can be found from its root. What is not over
/// stays, and so do runs that are open with what ended in them, and all that is above.
const LEAVES: &str = "WITH RECURSIVE root (id) AS (\
     SELECT id FROM execution WHERE status >= 7 AND run IS NULL AND ended_at < ?1 \
     ORDER BY ended_at LIMIT ?2), \
     tree (id) AS (SELECT id FROM root UNION ALL \
     SELECT c.id FROM tree t JOIN execution c INDEXED BY execution_by_run ON c.run = t.id \
     LIMIT 2 * ?2) \
     SELECT t.id FROM tree t JOIN execution e ON e.id = t.id WHERE e.status >= 7 \
     AND NOT EXISTS (SELECT 1 FROM execution c INDEXED BY execution_by_run WHERE c.run = t.id) \
     AND NOT EXISTS (SELECT 1 FROM run r WHERE r.execution IN (t.id, e.run) AND r.open) \
     LIMIT ?2";

/// What belongs to an execution, and then itself.
const BELONGINGS: &[&str] = &[
    "DELETE FROM execution_parameters WHERE execution IN (SELECT value FROM json_each(?))",
    "DELETE FROM execution_outcome WHERE execution IN (SELECT value FROM json_each(?))",
    "DELETE FROM visit_items WHERE run IN (SELECT value FROM json_each(?))",
    "DELETE FROM visit WHERE run IN (SELECT value FROM json_each(?))",
    "DELETE FROM run WHERE execution IN (SELECT value FROM json_each(?))",
    "DELETE FROM execution WHERE id IN (SELECT value FROM json_each(?))",
];

/// Effects that are over and whose execution is not there any more. One that is still to be
/// delivered has all that it tells, and goes when that is over.
const EFFECTS: &str = "DELETE FROM effect WHERE (execution, generation, kind, target) IN (\
     SELECT f.execution, f.generation, f.kind, f.target FROM effect f INDEXED BY effect_over \
     WHERE f.ended_at < ?1 AND NOT EXISTS (SELECT 1 FROM execution e WHERE e.id = f.execution) \
     LIMIT ?2)";

impl EmbeddedStore {
    /// One piece of the work of [`Store::retain`].
    pub(crate) async fn retain_some(&self, keep: Span) -> Load<Retained> {
        let mut tx = self.begin("retain").await?;
        let before = tx.now().await?.as_micros().saturating_sub(keep.as_micros());
        let connection = tx.connection()?;
        let failed = |error: sqlx::Error| store_error(&error);
        let leaves = sqlx::query(LEAVES).bind(before.cast_signed()).bind(PIECE);
        let leaves = leaves.fetch_all(&mut *connection).await.map_err(failed)?;
        let ids = leaves.iter().map(|row| row.try_get::<i64, _>(0));
        let ids: Vec<String> =
            ids.map(|id| id.map(|id| id.to_string())).collect::<Result<_, _>>().map_err(failed)?;
        let list = format!("[{}]", ids.join(","));
        if !ids.is_empty() {
            for sql in BELONGINGS {
                let query = sqlx::query(*sql).bind(&list);
                query.execute(&mut *connection).await.map_err(failed)?;
            }
        }
        let effects = sqlx::query(EFFECTS).bind(before.cast_signed()).bind(PIECE);
        effects.execute(&mut *connection).await.map_err(failed)?;
        finish(tx).await?;
        let dropped = ids.len() as u64;
        Ok(Retained { dropped, more: dropped > 0, ..Retained::default() })
    }
}
