//! Carrying statements out: batches in, rows out.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteRow;
use sqlx::{SqlSafeStr, SqlStr};
use steadfast_core::ExecutionId;
use steadfast_core::execution::Execution;
use steadfast_services::port::{Load, StoreError};

use super::EmbeddedTransaction;
use crate::args::Args;
use crate::row::{Cells, Reader};
use crate::shape::{MOST, Shape};
use crate::table::execution::ExecutionDecoder;
use crate::table::{Decoder, Table, Versioned};

impl EmbeddedTransaction {
    /// The rows that a statement finds.
    pub(super) async fn rows(&mut self, sql: SqlStr, args: Args) -> Load<Vec<SqliteRow>> {
        let args = args.finish()?;
        let connection = self.writer.connection()?;
        let rows = sqlx::query_with(sql, args).fetch_all(connection).await;
        rows.map_err(|error| self.fail(&error))
    }

    /// The rows that a statement finds, understood.
    pub(super) async fn fetch<D: Decoder>(
        &mut self,
        sql: impl SqlSafeStr + Send,
        args: Args,
    ) -> Load<Vec<D::Row>> {
        D::all(&self.rows(sql.into_sql_str(), args).await?)
    }

    /// The packed rows that a statement finds, understood.
    pub(super) async fn fetch_packed<D: Decoder>(
        &mut self,
        sql: impl SqlSafeStr + Send,
        args: Args,
    ) -> Load<Vec<D::Row>> {
        let rows = self.rows(sql.into_sql_str(), args).await?;
        rows.first().map_or(Ok(Vec::new()), |row| D::unpack(&Reader::new(row).text()?))
    }

    /// The rows that belong to `keys`, as many keys at a time as a statement takes.
    pub(super) async fn by_keys<D: Decoder, K>(
        &mut self,
        shape: &Shape,
        keys: &[K],
        bind: impl Fn(&K, &mut Args),
    ) -> Load<Vec<D::Row>> {
        let mut all = Vec::new();
        for chunk in keys.chunks(MOST) {
            let args = key_args(shape, chunk, &bind, &[]);
            all.append(&mut self.fetch::<D>(shape.sql(chunk.len()), args).await?);
        }
        Ok(all)
    }

    /// The executions that belong to `keys`. `tail` is bound after the keys.
    pub(super) async fn executions_of<K>(
        &mut self,
        shape: &Shape,
        keys: &[K],
        bind: impl Fn(&K, &mut Args),
        tail: &[u64],
    ) -> Load<Vec<Execution>> {
        let mut all = Vec::new();
        for chunk in keys.chunks(MOST) {
            let args = key_args(shape, chunk, &bind, tail);
            let sql = shape.sql(chunk.len());
            all.append(&mut self.fetch_packed::<ExecutionDecoder>(sql, args).await?);
        }
        Ok(all)
    }

    /// Up to `limit` pointers.
    pub(super) async fn find<D: Decoder>(
        &mut self,
        sql: &'static str,
        limits: &[u64],
    ) -> Load<Vec<D::Row>> {
        let mut args = Args::default();
        limits.iter().for_each(|limit| args.int(*limit));
        self.fetch_packed::<D>(sql, args).await
    }

    /// The texts that a statement finds.
    pub(super) async fn texts<T: for<'a> From<&'a str>>(
        &mut self,
        sql: &'static str,
        args: Args,
    ) -> Load<Vec<T>> {
        let rows = self.rows(SqlStr::from_static(sql), args).await?;
        rows.iter().map(|row| Reader::new(row).text().map(|text| T::from(&text))).collect()
    }

    /// How many rows a statement wrote.
    pub(super) async fn execute(&mut self, sql: SqlStr, args: Args) -> Load<u64> {
        let args = args.finish()?;
        let connection = self.writer.connection()?;
        let done = sqlx::query_with(sql, args).execute(connection).await;
        done.map(|done| done.rows_affected()).map_err(|error| self.fail(&error))
    }

    /// Rows that must not be there yet.
    pub(super) async fn insert<T: Table>(&mut self, rows: &[T::Row]) -> Load<()> {
        for chunk in rows.chunks(MOST) {
            let mut args = Args::with_capacity(chunk.len() * T::INSERT.columns());
            chunk.iter().for_each(|row| T::bind_insert(row, &mut args));
            let written = self.execute(T::INSERT.sql(chunk.len()), args).await?;
            all_written::<T>(written, chunk.len())?;
        }
        Ok(())
    }

    /// Rows that must be at the version before.
    pub(super) async fn update<T: Versioned>(&mut self, rows: &[T::Row]) -> Load<()> {
        for chunk in rows.chunks(MOST) {
            let mut args = Args::with_capacity(chunk.len() * T::UPDATE.columns());
            chunk.iter().for_each(|row| T::bind_update(row, &mut args));
            let written = self.execute(T::UPDATE.sql(chunk.len()), args).await?;
            all_written::<T>(written, chunk.len())?;
        }
        Ok(())
    }
}

/// The arguments of a statement about `keys`.
fn key_args<K>(shape: &Shape, keys: &[K], bind: impl Fn(&K, &mut Args), tail: &[u64]) -> Args {
    let size = Shape::padded(keys.len());
    let mut args = Args::with_capacity(size * shape.columns() + tail.len());
    keys.iter().for_each(|key| bind(key, &mut args));
    if !tail.is_empty() {
        args.nulls((size - keys.len()) * shape.columns());
        tail.iter().for_each(|number| args.int(*number));
    }
    args
}

/// The arguments of a statement about executions or runs.
pub(super) fn id_args(ids: &[ExecutionId]) -> Args {
    let mut args = Args::default();
    args.list(distinct(ids).into_iter().map(|id| id.0));
    args
}

fn all_written<T: Table>(written: u64, wanted: usize) -> Load<()> {
    if written == wanted as u64 {
        return Ok(());
    }
    let stale = wanted as u64 - written.min(wanted as u64);
    Err(StoreError::Conflict(format!("{stale} of {wanted} {} rows have moved on", T::NAME)))
}

/// The keys, each once: a key that is asked for twice is answered once.
pub(super) fn distinct<K: Ord>(keys: &[K]) -> Vec<&K> {
    keys.iter().collect::<BTreeSet<_>>().into_iter().collect()
}
