//! A vacuum removes what no version within the retention needs.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{TimeDelta, Utc};
use xiangyun_engine::ErrorKind;
use xiangyun_ingest::maintain::DEFAULT_RETENTION;

use super::Setting;

/// Makes the file look as if it had been written then.
fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_removes_what_no_version_within_the_retention_needs() {
    let setting = Setting::new().await;
    let (maintenance, subject) = (setting.maintenance(), setting.subject());
    assert_eq!(maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap(), None);
    setting.append("a", &[(1, Some("长春")), (2, None)]).await;
    let old = setting.files();
    setting.replace("b", &[(3, Some("长春"))]).await;
    let orphans = ["region=%E9%95%BF%E6%98%A5/part-dead.parquet", "part-young.parquet"];
    for orphan in orphans {
        fs::write(setting.folder().join(orphan), b"PAR1").unwrap();
    }
    fs::write(setting.folder().join("notes.txt"), b"not ours").unwrap();
    fs::create_dir(setting.folder().join("_other")).unwrap();
    fs::write(setting.folder().join("_other/x.parquet"), b"not ours").unwrap();
    age(&setting.folder().join(orphans[0]), 8);
    for kept in ["notes.txt", "_other/x.parquet"] {
        age(&setting.folder().join(kept), 400);
    }

    // Now only the orphan of a week ago can go: the older version is within the retention.
    let plan = maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap();
    assert_eq!(plan.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), [orphans[0]]);
    assert_eq!(plan.oldest_kept, 0);
    assert!(setting.folder().join(orphans[0]).exists(), "a plan changes nothing");

    // Eight days later the replaced files go too, and the young orphan.
    setting.days_pass(8);
    let plan = maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap();
    let mut expected: Vec<String> = old.iter().cloned().chain(orphans.map(str::to_owned)).collect();
    expected.sort();
    assert_eq!(plan.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(plan.oldest_kept, 1);
    let done = maintenance.vacuum(&subject, DEFAULT_RETENTION, false, &plan).await.unwrap();
    assert_eq!(done, plan);
    assert_eq!(setting.rows().await, [["3", "长春", "c3"]]);
    let left = setting.files();
    assert!(left.contains(&"notes.txt".to_owned()) && left.len() == 2, "{left:?}");
    assert!(setting.folder().join("_other/x.parquet").exists());
    assert!(maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap().files.is_empty());
    let error = maintenance.restore(setting.name(), 0, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().starts_with("version 0 of `market.trades` cannot be restored: `region="), "{error}");
    assert!(error.to_string().ends_with("is gone, and 1 more"), "{error}");
    let error = maintenance.diff(setting.name(), 0, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{}", error.chain());
    assert_eq!(setting.rows().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_within_the_retention_keeps_its_files() {
    let setting = Setting::new().await;
    for content in ["a", "b", "c", "d"] {
        setting.replace(content, &[(content.len() as i64, None)]).await;
    }
    // Versions 0 and 1 were made ten days ago, 2 and 3 now: 1 was the table's seven days ago.
    for version in [0, 1] {
        let path = setting.folder().join(format!("_delta_log/{version:020}.json"));
        let text = fs::read_to_string(&path).unwrap();
        let stamp = text.split("\"timestamp\":").nth(1).unwrap().split([',', '}']).next().unwrap().to_owned();
        let then = stamp.parse::<i64>().unwrap() - 10 * 24 * 3600 * 1000;
        fs::write(&path, text.replace(&format!("\"timestamp\":{stamp}"), &format!("\"timestamp\":{then}"))).unwrap();
    }
    for file in setting.files() {
        age(&setting.folder().join(file), 10);
    }
    let (maintenance, subject) = (setting.maintenance(), setting.subject());
    let plan = maintenance.plan_vacuum(&subject, DEFAULT_RETENTION, false).await.unwrap().unwrap();
    assert_eq!((plan.oldest_kept, plan.files.len()), (1, 1));
    // Between plan and deed version 0 comes back: its file stays.
    maintenance.restore(setting.name(), 0, None).await.unwrap();
    let done = maintenance.vacuum(&subject, DEFAULT_RETENTION, false, &plan).await.unwrap();
    assert!(done.files.is_empty(), "{done:?}");
    for version in 0..4 {
        maintenance.restore(setting.name(), version, None).await.unwrap();
        assert_eq!(setting.rows().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_of_less_than_a_day_has_to_be_meant() {
    let setting = Setting::new().await;
    setting.append("a", &[(1, None)]).await;
    setting.replace("b", &[(2, None)]).await;
    let (maintenance, subject) = (setting.maintenance(), setting.subject());
    let error = maintenance.plan_vacuum(&subject, Duration::ZERO, false).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::InvalidInput, "a retention of 0 hours is less than a day".into())
    );
    // A lease that is held says that somebody works on the lake.
    let leases = setting.lake.root().join("lake/_xiangyun/leases/trades");
    fs::create_dir_all(&leases).unwrap();
    let until = (Utc::now() + TimeDelta::hours(1)).to_rfc3339();
    fs::write(leases.join("000000000001.json"), format!("{{\"holder\":\"process 7\",\"until\":\"{until}\"}}")).unwrap();
    let error = maintenance.plan_vacuum(&subject, Duration::ZERO, true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let wanted = "files cannot be removed without a safe retention: process 7 holds the lease `trades`";
    assert_eq!(error.to_string(), wanted);
    fs::remove_dir_all(leases).unwrap();
    setting.days_pass(1);
    let plan = maintenance.plan_vacuum(&subject, Duration::ZERO, true).await.unwrap().unwrap();
    assert_eq!(plan.files.len(), 1);
    maintenance.vacuum(&subject, Duration::ZERO, true, &plan).await.unwrap();
    assert_eq!(setting.rows().await, [["2", "", "c2"]]);
}
