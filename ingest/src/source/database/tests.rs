#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use super::*;

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let key = ["id".to_owned()];
    let plain = DatabaseRows {
        table: Some("hr.staff"),
        query: None,
        cursor: None,
        updated_at: None,
        key: &[],
        overlap: 0,
        batch_rows: 8192,
    };
    for good in [
        plain,
        DatabaseRows { table: None, query: Some("select 1;"), ..plain },
        DatabaseRows { cursor: Some("id"), overlap: 5, ..plain },
        DatabaseRows { updated_at: Some("seen"), key: &key, ..plain },
    ] {
        check_settings(&good).unwrap();
    }
    for (bad, key) in [
        (DatabaseRows { table: None, ..plain }, "table"),
        (DatabaseRows { query: Some("select 1"), ..plain }, "table"),
        (DatabaseRows { table: Some("hr."), ..plain }, "table"),
        (DatabaseRows { table: None, query: Some(" ; "), ..plain }, "query"),
        (DatabaseRows { cursor: Some("id"), updated_at: Some("seen"), key: &key, ..plain }, "cursor"),
        (DatabaseRows { updated_at: Some("seen"), ..plain }, "updated_at"),
        (DatabaseRows { cursor: Some("id"), key: &key, ..plain }, "key"),
        (DatabaseRows { overlap: 1, ..plain }, "overlap"),
        (DatabaseRows { batch_rows: 0, ..plain }, "batch_rows"),
        (DatabaseRows { batch_rows: 65_537, ..plain }, "batch_rows"),
    ] {
        match check_settings(&bad) {
            Err(SourceError::BadSetting { key: found, .. }) => assert_eq!(found, key),
            other => panic!("{bad:?}: {other:?}"),
        }
    }
}
