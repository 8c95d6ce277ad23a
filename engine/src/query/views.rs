//! What the catalogue tells of a view.

use arrow::datatypes::{DataType, Schema, TimeUnit};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use std::fmt::Write as _;

use super::prepared::is_immutable;
use crate::catalog::{ColumnDetail, ColumnType, TableDetail, TableName, TableSummary, ViewDef};
use crate::semantic::ViewShape;

pub(super) fn detail(view: &ViewDef, summary: TableSummary, schema: &Schema) -> TableDetail {
    let columns = schema.fields().iter().map(|field| ColumnDetail {
        name: field.name().clone(),
        column_type: type_name(field.data_type()),
        nullable: field.is_nullable(),
        title: None,
        description: None,
        unit: None,
    });
    TableDetail {
        summary,
        description: view.description.clone(),
        owner: view.owner.clone(),
        primary_key: Vec::new(),
        license: None,
        source: None,
        sql: Some(view.sql.clone()),
        columns: columns.collect(),
    }
}

/// The contract's spelling where there is one; a view may compute types that no contract has.
fn type_name(data_type: &DataType) -> String {
    let known = match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => ColumnType::Text,
        DataType::Int64 => ColumnType::Int64,
        DataType::Float64 => ColumnType::Float64,
        DataType::Boolean => ColumnType::Boolean,
        DataType::Date32 => ColumnType::Date,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => ColumnType::Timestamp,
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            ColumnType::Decimal { precision: *precision, scale: scale.unsigned_abs() }
        }
        other => return other.to_string(),
    };
    known.to_string()
}

/// What the view behind `source` is made of.
pub(super) fn shape(source: &dyn TableSource) -> ViewShape {
    let mut shape = ViewShape { tables: Vec::new(), plan: String::new(), is_immutable: true, is_row_wise: true };
    let mut scans = 0;
    if let Some(plan) = source.get_logical_plan() {
        describe(&plan, &mut shape, &mut scans);
    }
    shape.is_row_wise &= scans == 1;
    shape.tables.sort();
    shape.tables.dedup();
    shape
}

fn describe(plan: &LogicalPlan, shape: &mut ViewShape, scans: &mut usize) {
    let _ = writeln!(shape.plan, "{}", plan.display_indent());
    shape.is_immutable &= is_immutable(plan).unwrap_or(false);
    let walked = plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => match scan.source.get_logical_plan() {
                Some(view) => describe(&view, shape, scans),
                None => {
                    *scans += 1;
                    let name =
                        scan.table_name.schema().map(|schema| TableName::try_new(schema, scan.table_name.table()));
                    match name {
                        Some(Ok(name)) => shape.tables.push(name),
                        // Rows that are no table's.
                        _ => shape.is_immutable = false,
                    }
                }
            },
            LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {}
            _ => shape.is_row_wise = false,
        }
        Ok(TreeNodeRecursion::Continue)
    });
    shape.is_immutable &= walked.is_ok();
}
