//! What comes with executions and what they leave, and pages of items.

use serde_json::Value;
use steadfast_core::ExecutionId;
use steadfast_core::decision::{ItemPage, Outcome};
use steadfast_services::port::{Load, VisitResult};

use super::Kind::{Int, Text};
use super::visit::task_key;
use super::{Decoder, Field, Table};
use crate::args::Columns;
use crate::row::{Reader, parse};

/// Reads parameters.
#[derive(Default)]
pub(crate) struct ParametersDecoder;

impl Decoder for ParametersDecoder {
    type Row = (ExecutionId, Option<Value>);

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Self::Row> {
        Ok((ExecutionId(row.int()?), row.opt_text()?.map(|text| parse(&text)).transpose()?))
    }
}

/// Result and error, as they stand in two columns.
pub(crate) fn outcome(row: &mut Reader<'_>) -> Load<Outcome> {
    let result = row.json_or(|| Value::Null)?;
    Ok(Outcome { result, error: row.opt_string()? })
}

/// Reads errors.
#[derive(Default)]
pub(crate) struct ErrorDecoder;

impl Decoder for ErrorDecoder {
    type Row = (ExecutionId, String);

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Self::Row> {
        Ok((ExecutionId(row.int()?), row.text()?.into_owned()))
    }
}

/// Reads the ends of the executions of visits.
#[derive(Default)]
pub(crate) struct VisitResultDecoder;

impl Decoder for VisitResultDecoder {
    type Row = VisitResult;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<VisitResult> {
        Ok(VisitResult {
            visit: task_key(row)?,
            index: row.opt_small()?,
            status: row.word()?,
            outcome: outcome(row)?,
        })
    }
}

/// Pages of item lists.
pub(crate) struct Items;

impl Table for Items {
    type Row = ItemPage;

    const NAME: &'static str = "page of items";
    const TABLE: &'static str = "visit_items_live";
    const FIELDS: &'static [Field] =
        &[("run", Int), ("task", Text), ("occurrence", Int), ("page", Int), ("items", Text)];

    fn bind_insert(row: &ItemPage, columns: &mut Columns) {
        columns.int(row.visit.run.0);
        columns.text(row.visit.task.as_str());
        columns.int(row.visit.occurrence);
        columns.int(row.page);
        columns.json(&row.items);
    }
}

/// Reads pages.
#[derive(Default)]
pub(crate) struct ItemDecoder;

impl Decoder for ItemDecoder {
    type Row = ItemPage;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<ItemPage> {
        Ok(ItemPage { visit: task_key(row)?, page: row.small()?, items: row.json()? })
    }
}
