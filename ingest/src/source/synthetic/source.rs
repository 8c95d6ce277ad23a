//! The generator as a source of rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};
use xiangyun_engine::catalog::RunSource;
use xiangyun_engine::functions::calendar::WorkCalendar;

use super::datasets::{self, Dataset};
use super::days::Days;
use super::enterprises::Enterprises;
use super::places::Places;
use super::rows::{Rows, schema};
use super::{GENERATOR_VERSION, World};
use crate::pipeline::SyntheticSource;
use crate::source::{BATCH_ROWS, Batches, Source, SourceBatch, SourceError};

/// Ten thousand times the usual size: beyond it, numbers in codes would repeat.
const GREATEST_SCALE: f64 = 10_000.0;

/// The rows of one data set.
#[derive(Debug)]
pub struct SyntheticRows {
    dataset: Arc<dyn Dataset>,
    files: [RunSource; 1],
}

impl SyntheticRows {
    /// The data set that `def` names, at its seed and scale.
    ///
    /// # Errors
    /// [`SourceError::BadSetting`] for an unknown data set or a scale that is not above 0 and at most 10,000.
    pub fn open(def: &SyntheticSource) -> Result<Self, SourceError> {
        if !(def.scale > 0.0 && def.scale <= GREATEST_SCALE) {
            return Err(SourceError::BadSetting {
                key: "scale",
                value: def.scale.to_string(),
                hint: "a number above 0 and at most 10000".into(),
            });
        }
        let Some((_, make)) = datasets::ALL.iter().find(|(name, _)| *name == def.dataset) else {
            let names: Vec<&str> = Self::names().collect();
            return Err(SourceError::BadSetting {
                key: "dataset",
                value: def.dataset.clone(),
                hint: format!("one of {}", names.join(", ")),
            });
        };
        let days = Days::new(&WorkCalendar::built_in())
            .map_err(|error| SourceError::Generate { dataset: def.dataset.clone(), reason: error.to_string() })?;
        let enterprises = Enterprises::new(def.seed, def.scale, &days);
        let world = World { seed: def.seed, days, places: Places::new(), enterprises };
        let path =
            format!("synthetic:{}?seed={}&scale={}&generator={GENERATOR_VERSION}", def.dataset, def.seed, def.scale);
        let sha256 = Sha256::digest(&path).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = RunSource { path, size_bytes: 0, sha256: Some(sha256), encoding: None };
        Ok(Self { dataset: Arc::from(make(world, def.scale)), files: [file] })
    }

    /// The data sets there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        datasets::ALL.iter().map(|(name, _)| *name)
    }
}

impl Source for SyntheticRows {
    fn schema(&self) -> SchemaRef {
        schema(self.dataset.columns())
    }

    fn files(&self) -> &[RunSource] {
        &self.files
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        Ok(Box::new(Generation {
            rows: Rows::new(self.dataset.columns(), BATCH_ROWS),
            items: 0..self.dataset.items(),
            dataset: Arc::clone(&self.dataset),
            file: self.files[0].path.as_str().into(),
            line: 1,
        }))
    }
}

/// A reading under way: memory holds one batch.
struct Generation {
    dataset: Arc<dyn Dataset>,
    items: Range<u64>,
    rows: Rows,
    file: Arc<str>,
    /// Number of the next row.
    line: u64,
}

impl Iterator for Generation {
    type Item = Result<SourceBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        // An item's rows stay together, so a batch may be a few rows longer.
        while self.rows.len() < BATCH_ROWS
            && let Some(item) = self.items.next()
        {
            self.dataset.write(item, &mut self.rows);
        }
        if self.rows.len() == 0 {
            return None;
        }
        let first = self.line;
        self.line += self.rows.len() as u64;
        let batch = self
            .rows
            .finish()
            .map_err(|error| SourceError::Generate { dataset: self.file.to_string(), reason: error.to_string() });
        Some(batch.map(|batch| SourceBatch {
            batch,
            file: Arc::clone(&self.file),
            lines: UInt64Array::from_iter_values(first..self.line),
            unreadable: Vec::new(),
            bytes: 0,
        }))
    }
}
