//! The rows of a rollup: made of rows of the source, or of parts that are kept already.

use std::collections::HashMap;

use chrono::NaiveDate;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as PlanResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};

use super::{KeptKey, Rollup};
use crate::catalog::TableName;
use crate::error::{Error, ErrorKind, Result};
use crate::semantic::definition::TimeGrain;
use crate::semantic::models::Models;
use crate::semantic::period::{hour_instant, hour_number};
use crate::semantic::plan::column;
use crate::semantic::query::RegionMode;
use crate::semantic::region::Regions;

impl Models {
    /// The rows of the rollup `name` over `source`, which has rows of its model's table. `tables` holds a plan of each
    /// table that its dimensions look up.
    ///
    /// # Errors
    /// `NotFound` where there is no such rollup, `Sql` where a table has changed under it.
    pub fn roll_up(
        &self,
        name: &str,
        source: LogicalPlan,
        tables: &HashMap<TableName, LogicalPlan>,
        session: &SessionState,
    ) -> Result<LogicalPlan> {
        let rollup = self.known_rollup(name)?;
        // Levels are kept as divisions were: no day is asked for.
        let regions = Regions::try_new(session, RegionMode::AsWas, NaiveDate::default())?;
        rollup.of_rows(self, source, tables, &regions).map_err(|error| failed(name, error))
    }

    /// The rows of the rollup `name` of which `parts` has the parts: one for each group and period.
    ///
    /// # Errors
    /// `NotFound` where there is no such rollup.
    pub fn merge_rollup(&self, name: &str, parts: LogicalPlan) -> Result<LogicalPlan> {
        self.known_rollup(name)?.of_parts(parts).map_err(|error| failed(name, error))
    }

    fn known_rollup(&self, name: &str) -> Result<&Rollup> {
        let missing = || Error::new(ErrorKind::NotFound, format!("there is no rollup `{name}`"));
        self.rollups.get(name).ok_or_else(missing)
    }
}

fn failed(name: &str, error: datafusion::error::DataFusionError) -> Error {
    Error::new(ErrorKind::Sql, format!("rollup `{name}` does not fit its tables")).with_source(error)
}

impl Rollup {
    fn of_rows(
        &self,
        models: &Models,
        source: LogicalPlan,
        tables: &HashMap<TableName, LogicalPlan>,
        regions: &Regions,
    ) -> PlanResult<LogicalPlan> {
        let model = &models.models[self.model];
        let mut rows = LogicalPlanBuilder::from(source).alias("source")?;
        for join in model.joins_of(self.keys.iter().map(|key| &key.expr)) {
            if let Some(table) = tables.get(&join.table) {
                rows = join.attach(rows, table.clone())?;
            }
        }
        let mut groups = Vec::new();
        if let (Some(time), Some(grain), Some(kept)) = (&model.time, self.shape.grain, &self.rolled.time) {
            let period = match (grain, time.data_type()) {
                (TimeGrain::Hour, DataType::Timestamp(_, zone)) => {
                    hour_instant(hour_number(time.raw(), zone.as_deref()))
                }
                _ => model.periods(grain).truncate(time.china_date(time.raw())),
            };
            groups.push(cast(period, kept.data_type()).alias(kept.name()));
        }
        groups.extend(self.keys.iter().map(|key| key.of_rows(regions).alias(&key.column)));
        rows.aggregate(groups, self.states.iter().map(|state| state.of_rows()))?.project(self.kept())?.build()
    }

    fn of_parts(&self, parts: LogicalPlan) -> PlanResult<LogicalPlan> {
        let groups: Vec<_> = self.sort_by().iter().map(|name| column(name)).collect();
        let merged = self.states.iter().map(|state| state.of_parts());
        LogicalPlanBuilder::from(parts).alias("parts")?.aggregate(groups, merged)?.project(self.kept())?.build()
    }

    /// Every column, in the order of the table.
    fn kept(&self) -> Vec<Expr> {
        let groups = self.sort_by().into_iter().map(|name| column(&name));
        groups.chain(self.states.iter().map(|state| state.kept())).collect()
    }
}

impl KeptKey {
    fn of_rows(&self, regions: &Regions) -> Expr {
        let value = match self.level {
            None => self.expr.clone(),
            Some(level) => regions.key(self.expr.clone(), None, Some(level)),
        };
        cast(value, self.stored.clone())
    }
}
