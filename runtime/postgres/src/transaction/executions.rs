//! Executions, which are either live or filed.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use steadfast_core::ExecutionId;
use steadfast_core::decision::Outcome;
use steadfast_core::execution::Execution;
use steadfast_services::port::Load;

use super::{MOST, PostgresTransaction, id_args};
use crate::args::Columns;
use crate::table::Decoder;
use crate::table::execution::{insert_whole, update_whole};

const NAME: &str = "execution";
const PUT_PARAMETERS: &str = "UPDATE execution e SET parameters = v.parameters \
     FROM UNNEST($1::int8[], $2::text[]) AS v (id, parameters) \
     WHERE e.id = v.id AND e.parameters IS NULL";
const PUT_OUTCOMES: &str = "UPDATE execution e \
     SET has_outcome = true, result = v.result, error = v.error \
     FROM UNNEST($1::int8[], $2::text[], $3::text[]) AS v (id, result, error) \
     WHERE e.id = v.id AND NOT e.has_outcome";

impl PostgresTransaction {
    /// Rows by their identities: from among the living, and only what is not there from history,
    /// by a later statement. What was filed between the two is found by the second.
    pub(super) async fn both<D: Decoder>(
        &mut self,
        ids: &[ExecutionId],
        live: &'static str,
        filed: &'static str,
        id: impl Fn(&D::Row) -> ExecutionId,
    ) -> Load<Vec<D::Row>> {
        let mut rows = self.fetch::<D>(live, id_args(ids)).await?;
        let mut missing: BTreeSet<ExecutionId> = ids.iter().copied().collect();
        for row in &rows {
            missing.remove(&id(row));
        }
        missing.retain(|id| !self.drawn.contains(&id.0));
        if missing.is_empty() {
            return Ok(rows);
        }
        let missing: Vec<ExecutionId> = missing.into_iter().collect();
        rows.extend(self.fetch::<D>(filed, id_args(&missing)).await?);
        rows.sort_by_key(id);
        Ok(rows)
    }

    /// New executions, with their parameters.
    pub(super) async fn insert_executions(
        &mut self,
        rows: &[Execution],
        parameters: &[(ExecutionId, Value)],
    ) -> Load<()> {
        let unseen = rows.iter().all(|row| self.drawn.contains(&row.id.0));
        for chunk in rows.chunks(MOST) {
            let (sql, args) = insert_whole(chunk, parameters, unseen);
            let written = self.session.execute(AssertSqlSafe(sql).into_sql_str(), args).await?;
            self.require(chunk.len(), written, NAME)?;
        }
        Ok(())
    }

    /// Changed executions, with what those leave that end.
    pub(super) async fn update_executions(
        &mut self,
        rows: &[Execution],
        outcomes: &[(ExecutionId, Outcome)],
    ) -> Load<()> {
        let end: BTreeSet<ExecutionId> = outcomes.iter().map(|(id, _)| *id).collect();
        if end.is_empty() || rows.iter().all(|row| end.contains(&row.id)) {
            return self.change_executions(rows, outcomes).await;
        }
        let (ending, others): (Vec<_>, Vec<_>) =
            rows.iter().cloned().partition(|row| end.contains(&row.id));
        self.change_executions(&others, &[]).await?;
        self.change_executions(&ending, outcomes).await
    }

    async fn change_executions(
        &mut self,
        rows: &[Execution],
        outcomes: &[(ExecutionId, Outcome)],
    ) -> Load<()> {
        for chunk in rows.chunks(MOST) {
            let mut written = 0;
            for in_history in [false, true] {
                if written < chunk.len() as u64 {
                    let (sql, args) = update_whole(chunk, outcomes, in_history);
                    let sql = AssertSqlSafe(sql).into_sql_str();
                    written += self.session.execute(sql, args).await?;
                }
            }
            self.require(chunk.len(), written, NAME)?;
        }
        Ok(())
    }

    /// Parameters that did not come with their executions.
    pub(super) async fn insert_parameters(&mut self, rows: &[(ExecutionId, Value)]) -> Load<()> {
        for chunk in rows.chunks(MOST) {
            let mut columns = Columns::default();
            for (id, value) in chunk {
                columns.int(id.0);
                columns.json(value);
                columns.end_row();
            }
            let sql = SqlStr::from_static(PUT_PARAMETERS);
            let written = self.session.execute(sql, columns.into_args()).await?;
            self.require(chunk.len(), written, "parameters")?;
        }
        Ok(())
    }

    /// Outcomes that did not come with their ends.
    pub(super) async fn insert_outcomes(&mut self, rows: &[(ExecutionId, Outcome)]) -> Load<()> {
        for chunk in rows.chunks(MOST) {
            let mut columns = Columns::default();
            for (id, outcome) in chunk {
                columns.int(id.0);
                columns.json_unless(outcome.result.is_null(), &outcome.result);
                columns.opt_text(outcome.error.as_deref());
                columns.end_row();
            }
            let sql = SqlStr::from_static(PUT_OUTCOMES);
            let written = self.session.execute(sql, columns.into_args()).await?;
            self.require(chunk.len(), written, "outcome")?;
        }
        Ok(())
    }
}
