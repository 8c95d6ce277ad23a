#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use arrow::array::{ArrayRef, AsArray, StringArray, UInt64Array};
use arrow::datatypes::{Decimal128Type, Int64Type};
use xiangyun_engine::clock::system_clock;
use xiangyun_engine::functions::Reference;

use super::*;
use crate::pipeline::{CheckDef, CheckRule};
use crate::run::testing::{pipeline, table};

/// Rows of id, uscc, amount and 日期, on lines from 2.
fn rows(rows: &[[Option<&str>; 4]]) -> RecordBatch {
    let column = |index: usize| Arc::new(rows.iter().map(|row| row[index]).collect::<StringArray>()) as ArrayRef;
    let lines = UInt64Array::from_iter_values((2_u64..).take(rows.len()));
    let files = StringArray::from_iter_values(std::iter::repeat_n("data/trades.csv", rows.len()));
    RecordBatch::try_from_iter_with_nullable([
        ("id", column(0), true),
        ("uscc", column(1), true),
        ("amount", column(2), true),
        ("日期", column(3), true),
        (FILE_COLUMN, Arc::new(files) as ArrayRef, false),
        (LINE_COLUMN, Arc::new(lines) as ArrayRef, false),
    ])
    .unwrap()
}

fn judge(pipeline: &PipelineDef, batch: &RecordBatch) -> Result<Verdict, RunError> {
    let mut context = CheckContext::try_new(&Reference::built_in(), &system_clock()).unwrap();
    let mut gate = Gate::try_new(pipeline, &table(), &batch.schema(), &mut context)?;
    gate.judge(batch)
}

/// Line, column and reason.
fn places(findings: &[Finding]) -> Vec<(u64, Option<&str>, &str)> {
    let place = |finding: &Finding| finding.place.as_ref().map_or(0, |place| place.line);
    findings.iter().map(|found| (place(found), found.column.as_deref(), found.reason.as_str())).collect()
}

fn check(column: &str, rule: CheckRule, on_fail: OnFail) -> CheckDef {
    CheckDef { column: Some(column.into()), rule, on_fail }
}

const DAY: Option<&str> = Some("2019-03-26");

#[test]
fn every_row_is_loaded_rejected_or_left_out() {
    let batch = rows(&[
        [Some("1"), Some("9122010112403662XM"), Some("1,000.50"), DAY],
        [Some("x"), None, Some("1.234"), Some("2019-02-29")],
        [Some("1"), None, None, DAY],
        [None, None, None, DAY],
        [Some("2"), Some("91220582778712797L"), Some("1"), Some("２０１９年３月２６日")],
    ]);
    let verdict = judge(&pipeline(), &batch).unwrap();
    assert_eq!(verdict.kept["id"].as_primitive::<Int64Type>().values(), &[1, 2]);
    assert_eq!(verdict.kept["amount"].as_primitive::<Decimal128Type>().value(0), 100_050);
    assert_eq!(verdict.kept.schema(), table().arrow_schema());
    assert_eq!(places(&verdict.rejected), [(3, Some("id"), "TYPE"), (5, Some("id"), "NOT_NULL")]);
    assert_eq!(
        verdict.rejected[0].message,
        "`x` is not a int64: it is no whole number; `1.234` is not a decimal(10,2): it has too many digits behind the \
         point; `2019-02-29` is not a date: it is no calendar day"
    );
    assert_eq!(verdict.rejected[0].raw, r#"{"id":"x","uscc":null,"amount":"1.234","日期":"2019-02-29"}"#);
    assert_eq!(verdict.duplicates, 1);
    // The contract's code list warns without being asked.
    assert_eq!(places(&verdict.warnings), [(6, Some("uscc"), "USCC_CHECK")]);
}

#[test]
fn duplicates_are_removed_loaded_or_rejected() {
    let batch = rows(&[[Some("1"), None, None, DAY], [Some("1"), None, Some("2"), DAY], [Some("2"), None, None, DAY]]);
    let counts = |duplicates| {
        let verdict = judge(&PipelineDef { duplicates, ..pipeline() }, &batch).unwrap();
        (verdict.kept.num_rows(), verdict.rejected.len(), verdict.warnings.len(), verdict.duplicates)
    };
    assert_eq!(counts(Duplicates::Remove), (2, 0, 0, 1));
    assert_eq!(counts(Duplicates::Warn), (3, 0, 1, 0));
    assert_eq!(counts(Duplicates::Reject), (2, 1, 0, 0));
    assert_eq!(counts(Duplicates::Keep), (3, 0, 0, 0));
}

#[test]
fn checks_reject_warn_or_stop() {
    let batch = rows(&[
        [Some("1"), None, Some("5"), DAY],
        [Some("2"), None, Some("50"), DAY],
        [Some("3"), None, None, Some("2020-01-01")],
    ]);
    let with = |check: CheckDef| judge(&PipelineDef { checks: vec![check], ..pipeline() }, &batch);
    let between = CheckRule::Between("1".into(), "10.00".into());
    let verdict = with(check("amount", between.clone(), OnFail::Reject)).unwrap();
    assert_eq!(places(&verdict.rejected), [(3, Some("amount"), "BETWEEN")]);
    assert_eq!(verdict.rejected[0].message, "`50.00` does not lie between 1 and 10.00");
    let verdict = with(check("amount", between.clone(), OnFail::Warn)).unwrap();
    assert_eq!((verdict.kept.num_rows(), verdict.warnings.len()), (3, 1));
    let error = with(check("amount", between, OnFail::Stop)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a row stops the run, line 3 of `data/trades.csv`: `50.00` does not lie between 1 and 10.00"
    );
    let verdict = with(check("amount", CheckRule::NotNull, OnFail::Reject)).unwrap();
    assert_eq!(places(&verdict.rejected), [(4, Some("amount"), "NOT_NULL")]);
    let verdict = with(check("id", CheckRule::OneOf(vec!["1".into(), "03".into()]), OnFail::Reject)).unwrap();
    assert_eq!(places(&verdict.rejected), [(3, Some("id"), "ONE_OF")]);
    let sql = CheckRule::Expression("amount < 10 and \"on\" < date '2020-01-01'".into());
    let verdict = with(CheckDef { column: None, rule: sql, on_fail: OnFail::Reject }).unwrap();
    assert_eq!(places(&verdict.rejected), [(3, None, "EXPRESSION"), (4, None, "EXPRESSION")]);
}

#[test]
fn rules_for_codes_name_what_is_wrong_and_let_missing_values_pass() {
    let batch = rows(&[
        [Some("1"), Some("9144O3001922038216"), None, DAY],
        [Some("2"), Some("91440300192203821"), None, DAY],
        [Some("3"), None, None, DAY],
    ]);
    let declared = check("uscc", CheckRule::Uscc, OnFail::Reject);
    let verdict = judge(&PipelineDef { checks: vec![declared], ..pipeline() }, &batch).unwrap();
    // Declared, the rule is not implied a second time.
    assert_eq!(verdict.warnings, []);
    assert_eq!(places(&verdict.rejected), [(2, Some("uscc"), "USCC_ALPHABET"), (3, Some("uscc"), "USCC_LENGTH")]);
    let pattern = check("uscc", CheckRule::Pattern("[0-9]{17}".into()), OnFail::Reject);
    let verdict = judge(&PipelineDef { checks: vec![pattern], ..pipeline() }, &batch).unwrap();
    assert_eq!(places(&verdict.rejected), [(2, Some("uscc"), "PATTERN")]);
}

#[test]
fn columns_that_do_not_fit_are_all_named() {
    let batch = rows(&[[Some("1"), None, None, DAY]]);
    let batch = batch.project(&[1, 3]).unwrap();
    let error = judge(&pipeline(), &batch).unwrap_err().to_string();
    assert_eq!(
        error,
        "the rows of pipeline `trades` do not fit `market.trades`: there is no column `id`; there are: uscc, 日期; \
         there is no column `amount`; there are: uscc, 日期"
    );
}
