//! What is written once and apart from the hot rows: parameters, outcomes and pages of items.

use serde_json::Value;
use steadfast_core::ExecutionId;
use steadfast_core::decision::{ItemPage, Outcome};
use steadfast_services::port::{Load, VisitResult};

use super::visit::{bind_task_key, task_key};
use super::{Decoder, Table};
use crate::args::Args;
use crate::row::Cells;
use crate::shape::Shape;

/// Parameters of executions.
pub(crate) struct Parameters;

static INSERT_PARAMETERS: Shape =
    Shape::insert(2, "INSERT INTO execution_parameters (execution, value)", "");

impl Table for Parameters {
    type Row = (ExecutionId, Value);

    const NAME: &'static str = "parameters";
    const INSERT: &'static Shape = &INSERT_PARAMETERS;

    fn bind_insert((id, value): &Self::Row, args: &mut Args) {
        args.int(id.0);
        args.json(value);
    }
}

/// Reads parameters.
#[derive(Default)]
pub(crate) struct ParametersDecoder;

impl Decoder for ParametersDecoder {
    type Row = (ExecutionId, Value);

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Self::Row> {
        Ok((ExecutionId(row.int()?), row.json()?))
    }
}

/// What ended executions left.
pub(crate) struct Outcomes;

static INSERT_OUTCOMES: Shape =
    Shape::insert(3, "INSERT INTO execution_outcome (execution, result, error)", "");

impl Table for Outcomes {
    type Row = (ExecutionId, Outcome);

    const NAME: &'static str = "outcome";
    const INSERT: &'static Shape = &INSERT_OUTCOMES;

    fn bind_insert((id, outcome): &Self::Row, args: &mut Args) {
        args.int(id.0);
        args.json_unless(outcome.result.is_null(), &outcome.result);
        args.opt_text(outcome.error.as_deref());
    }
}

/// Result and error, as they stand in two columns.
pub(crate) fn outcome<'r>(row: &mut impl Cells<'r>) -> Load<Outcome> {
    let result = row.json_or(|| Value::Null)?;
    Ok(Outcome { result, error: row.opt_string()? })
}

/// Reads errors.
#[derive(Default)]
pub(crate) struct ErrorDecoder;

impl Decoder for ErrorDecoder {
    type Row = (ExecutionId, String);

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Self::Row> {
        Ok((ExecutionId(row.int()?), row.text()?.into_owned()))
    }
}

/// Reads the ends of the executions of visits.
#[derive(Default)]
pub(crate) struct VisitResultDecoder;

impl Decoder for VisitResultDecoder {
    type Row = VisitResult;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<VisitResult> {
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

static INSERT_ITEMS: Shape =
    Shape::insert(5, "INSERT INTO visit_items (run, task, occurrence, page, items)", "");

impl Table for Items {
    type Row = ItemPage;

    const NAME: &'static str = "page of items";
    const INSERT: &'static Shape = &INSERT_ITEMS;

    fn bind_insert(row: &ItemPage, args: &mut Args) {
        bind_task_key(&row.visit, args);
        args.int(row.page);
        args.json(&row.items);
    }
}

/// Reads pages.
#[derive(Default)]
pub(crate) struct ItemDecoder;

impl Decoder for ItemDecoder {
    type Row = ItemPage;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<ItemPage> {
        Ok(ItemPage { visit: task_key(row)?, page: row.small()?, items: row.json()? })
    }
}
