//! Every data set, as a source hands it over.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use sha2::{Digest, Sha256};

use super::super::SyntheticRows;
use super::super::days::{Days, date_of, day_at};
use crate::pipeline::SyntheticSource;
use crate::source::{BATCH_ROWS, Source, SourceError};

const SCALE: f64 = 0.1;

fn source(dataset: &str, seed: u64, scale: f64) -> Result<SyntheticRows, SourceError> {
    SyntheticRows::open(&SyntheticSource { dataset: dataset.into(), seed, scale })
}

fn batches(dataset: &str, seed: u64, scale: f64) -> Vec<RecordBatch> {
    let source = source(dataset, seed, scale).unwrap();
    let batches: Vec<_> = source.batches().unwrap().map(|batch| batch.unwrap().batch).collect();
    for batch in &batches {
        assert_eq!(batch.schema(), source.schema(), "{dataset}");
    }
    batches
}

/// A text of all values: what the rows are, and not how Arrow lays them out.
fn digest(batches: &[RecordBatch]) -> String {
    let mut hash = Sha256::new();
    for batch in batches {
        for column in batch.columns() {
            let column = arrow::compute::cast(column, &DataType::Utf8).unwrap();
            for value in column.as_string::<i32>() {
                hash.update(value.unwrap_or("\u{0}"));
                hash.update("\u{1f}");
            }
        }
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn texts<'a>(batch: &'a RecordBatch, column: &str) -> impl Iterator<Item = Option<&'a str>> {
    batch.column_by_name(column).unwrap().as_string::<i32>().iter()
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_gives_others() {
    for name in SyntheticRows::names() {
        let first = digest(&batches(name, 7, 0.02));
        assert_eq!(first, digest(&batches(name, 7, 0.02)), "{name}");
        assert_ne!(first, digest(&batches(name, 8, 0.02)), "{name}");
    }
}

/// Pins the rows themselves: they must be the same on every machine, and change only together with
/// `GENERATOR_VERSION`.
#[test]
fn rows_are_the_pinned_ones() {
    let pinned = [
        ("approval_cases", "4b29eb4ba700ac33"),
        ("ecommerce", "3489ef96660e3b99"),
        ("enterprises", "456ead39a24eb323"),
        ("entity_snapshots", "aae2c0506e562d11"),
        ("establishment_cases", "c3e01696086a9c1e"),
        ("project_items", "4c3281141ae8d33b"),
        ("rankings", "ad2607bb3ddbdbf5"),
        ("real_estate_registrations", "688b8381866f9139"),
        ("registrations", "37a6471dc6dedbcf"),
        ("relief", "e663c6abc6528c56"),
    ];
    let got: Vec<_> = SyntheticRows::names().map(|name| (name, digest(&batches(name, 1, 0.02)))).collect();
    let got: Vec<_> = got.iter().map(|(name, digest)| (*name, digest.as_str())).collect();
    assert_eq!(got, pinned);
}

#[test]
fn scale_multiplies_the_rows() {
    let rows = |name: &str, scale| batches(name, 1, scale).iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!((rows("approval_cases", 0.01), rows("approval_cases", 0.05)), (2_000, 10_000));
    assert_eq!(rows("enterprises", 0.0001), 10);
    // 8 years of 11 periods in 69 counties, three kinds each; 8 editions of four indicators.
    assert_eq!((rows("ecommerce", 0.01), rows("ecommerce", 1.0)), (8 * 11 * 69 * 3, 8 * 11 * 69 * 3));
    assert_eq!(rows("rankings", 3.0), 32);
    for name in SyntheticRows::names() {
        assert!(rows(name, 0.000_01) > 0 || ["registrations", "entity_snapshots"].contains(&name), "{name}");
    }
}

#[test]
fn batches_are_bounded_and_rows_are_numbered() {
    for name in SyntheticRows::names() {
        let mut expected = 1;
        for batch in source(name, 1, SCALE).unwrap().batches().unwrap() {
            let batch = batch.unwrap();
            // An item of a few rows is never torn apart.
            assert!((1..BATCH_ROWS + 32).contains(&batch.batch.num_rows()), "{name}");
            for line in batch.lines.values() {
                assert_eq!(*line, expected, "{name}");
                expected += 1;
            }
        }
    }
}

#[test]
fn a_source_names_all_that_its_rows_depend_on() {
    let source = source("relief", 5, 0.5).unwrap();
    let [file] = source.files() else { panic!("a generator is one source") };
    assert!(file.path.starts_with("synthetic:relief?seed=5&scale=0.5"), "{}", file.path);
    assert_eq!(file.sha256.as_ref().unwrap().len(), 64);
}

#[test]
fn unknown_data_sets_and_scales_are_refused() {
    for (dataset, scale, key) in [
        ("aproval_cases", 1.0, "dataset"),
        ("relief", 0.0, "scale"),
        ("relief", -1.0, "scale"),
        ("relief", f64::NAN, "scale"),
        ("relief", 1e9, "scale"),
    ] {
        match source(dataset, 1, scale) {
            Err(SourceError::BadSetting { key: found, .. }) => assert_eq!(found, key),
            other => panic!("{dataset} at {scale}: {other:?}"),
        }
    }
}

#[test]
fn every_date_lies_in_the_records_years() {
    for name in SyntheticRows::names() {
        for batch in batches(name, 3, SCALE) {
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let days: Vec<i32> = match field.data_type() {
                    DataType::Date32 => column.as_primitive::<Date32Type>().iter().flatten().collect(),
                    DataType::Timestamp(..) => {
                        column.as_primitive::<TimestampMicrosecondType>().iter().flatten().map(day_at).collect()
                    }
                    _ => continue,
                };
                for day in days {
                    assert!((Days::first()..=Days::last()).contains(&day), "{name}.{}: {}", field.name(), date_of(day));
                }
            }
        }
    }
}

/// The checks of GB 32100-2015 and GB 11714, written a second time and the slow way.
fn is_valid(code: &str) -> bool {
    let alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let Some(values) = code.chars().map(|c| alphabet.find(c)).collect::<Option<Vec<_>>>() else { return false };
    let weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let sum: usize = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    let inner = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let organisation: Vec<_> = code[8..16].chars().map(|c| inner.find(c).unwrap()).collect();
    let inner_sum: usize = organisation.iter().zip([3, 7, 9, 10, 5, 8, 4, 2]).map(|(v, w)| v * w).sum();
    let inner_check = ["0", "X", "9", "8", "7", "6", "5", "4", "3", "2", "1"][inner_sum % 11];
    code.len() == 18 && values[17] == (31 - sum % 31) % 31 && &code[16..17] == inner_check
}

#[test]
fn enterprise_codes_are_valid_and_cannot_have_been_issued() {
    for (dataset, column) in [
        ("approval_cases", "applicant_uscc"),
        ("entity_snapshots", "uscc"),
        ("establishment_cases", "uscc"),
        ("registrations", "uscc"),
        ("relief", "uscc"),
    ] {
        for batch in batches(dataset, 1, SCALE) {
            for code in texts(&batch, column).flatten() {
                assert!(is_valid(code), "{dataset}: {code}");
                assert_eq!(&code[8..10], "XY", "{dataset}: {code}");
            }
        }
    }
}

#[test]
fn an_enterprise_is_registered_once() {
    let mut seen = HashSet::new();
    for batch in batches("registrations", 1, SCALE) {
        for code in texts(&batch, "uscc").flatten() {
            assert!(seen.insert(code.to_owned()), "{code}");
        }
    }
    assert!(seen.len() > 1_000);
}

#[test]
fn townships_are_those_of_the_shipped_list() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/jilin/data/divisions_2023.csv.gz");
    let mut text = String::new();
    let mut file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    let known: HashSet<&str> =
        text.lines().map(|line| line.split(',').next().unwrap()).filter(|code| code.starts_with("22")).collect();
    let mut townships = HashSet::new();
    for batch in batches("approval_cases", 1, SCALE) {
        let filed = batch.column_by_name("filed_on").unwrap().as_primitive::<Date32Type>().clone();
        for (row, code) in texts(&batch, "region").enumerate() {
            let code = code.unwrap();
            // Gongzhuling was 220381 before June 2020; the list of 2023 has it as 220184.
            let before = date_of(filed.value(row)) < chrono::NaiveDate::from_ymd_opt(2020, 6, 30).unwrap();
            assert!(!code.starts_with(if before { "220184" } else { "220381" }), "{code} of {}", filed.value(row));
            let today = code.replacen("220381", "220184", 1);
            assert!(known.contains(today.as_str()), "{code}");
            townships.insert(today);
        }
    }
    assert!(townships.len() > 1_000, "only {} of 1,075", townships.len());
}

#[test]
fn relief_names_policy_enterprise_and_quarter_once_an_agency() {
    let (mut keys, mut reports, mut rows) = (HashSet::new(), HashSet::new(), 0);
    for batch in batches("relief", 1, SCALE) {
        let columns = ["policy_id", "uscc", "period", "source_agency"]
            .map(|column| texts(&batch, column).map(|value| value.unwrap().to_owned()).collect::<Vec<_>>());
        for row in 0..batch.num_rows() {
            rows += 1;
            let [policy, uscc, period, agency] = &columns.each_ref().map(|column| column[row].clone());
            keys.insert((policy.clone(), uscc.clone(), period.clone()));
            assert!(reports.insert((policy.clone(), uscc.clone(), period.clone(), agency.clone())));
        }
    }
    assert!(keys.len() < rows, "some relief is reported twice, which a total must not add");
}

#[test]
fn steps_follow_each_other() {
    for batch in batches("establishment_cases", 1, SCALE) {
        let time = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().clone();
        let [accepted, name, licence] = ["accepted_at", "name_done_at", "licence_done_at"].map(time);
        let later = ["seal_done_at", "tax_done_at", "social_security_done_at", "bank_done_at"].map(time);
        for row in 0..batch.num_rows() {
            if licence.is_valid(row) {
                assert!(accepted.value(row) <= name.value(row) && name.value(row) <= licence.value(row));
            }
            for step in &later {
                assert!(step.is_null(row) || step.value(row) >= licence.value(row));
            }
        }
    }
}

#[test]
fn one_year_end_is_missing() {
    let mut years = HashSet::new();
    for batch in batches("entity_snapshots", 1, SCALE) {
        years.extend(batch.column(0).as_primitive::<Date32Type>().iter().flatten().map(|day| date_of(day).to_string()));
    }
    let mut years: Vec<_> = years.into_iter().collect();
    years.sort();
    let kept = [2018, 2019, 2020, 2022, 2023, 2024, 2025].map(|year| format!("{year}-12-31"));
    assert_eq!(years, kept);
}

#[test]
fn project_items_pause_within_their_course() {
    let (mut paused, mut rows) = (0, 0);
    for batch in batches("project_items", 1, SCALE) {
        let date = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Date32Type>().clone();
        let [accepted, decided, from, to] = ["accepted_on", "decided_on", "paused_from", "paused_to"].map(date);
        for row in 0..batch.num_rows() {
            rows += 1;
            assert!(decided.is_null(row) || decided.value(row) > accepted.value(row));
            if from.is_valid(row) {
                paused += 1;
                assert!(from.value(row) > accepted.value(row));
                assert!(to.is_null(row) || to.value(row) > from.value(row));
                assert!(decided.is_null(row) || decided.value(row) > to.value(row));
            }
        }
    }
    assert!(paused * 20 > rows && paused * 4 < rows, "{paused} of {rows}");
}
