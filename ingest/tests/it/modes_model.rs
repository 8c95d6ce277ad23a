//! Random sequences of loads in each mode, against a model of a few lines that holds all rows in memory.
//!
//! `MODES_SEED` and `MODES_ROUNDS` repeat a failure or go on for longer.

use std::collections::{BTreeMap, BTreeSet};

use xiangyun_ingest::LoadOutcome;

use crate::workspace::Lake;

const LOADS: usize = 6;

fn table(name: &str, columns: &str, extra: &str) -> String {
    format!(
        "version = 1\nname = \"m.{name}\"\nagency = \"测试\"\nowner = \"tests\"\nlevel = \"general-1\"\n\
         sharing = \"unconditional\"\ntitle = {{ zh = \"表\", en = \"t\" }}\n\
         description = {{ zh = \"表\", en = \"t\" }}\n{extra}\ncolumns = [{columns}]\n"
    )
}

fn pipeline(name: &str, table: &str, mode: &str, extra: &str) -> String {
    format!(
        "version = 1\nname = \"{name}\"\ntable = \"m.{table}\"\nmode = {mode}\n{extra}\n\
         source = {{ kind = \"csv\", path = \"data/{name}.csv\" }}\n"
    )
}

async fn open(table: &str, pipelines: &[(&str, String)]) -> Lake {
    let names: Vec<String> = pipelines.iter().map(|(name, _)| format!("pipelines/{name}.toml")).collect();
    let mut files: Vec<(&str, &[u8])> = vec![("tables/t.toml", table.as_bytes()), ("data/none", b"")];
    files.extend(names.iter().map(String::as_str).zip(pipelines.iter().map(|(_, text)| text.as_bytes())));
    Lake::open(&files).await
}

/// Numbers of a seed (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("MODES_SEED").unwrap_or(20_190_326);
    (0..number("MODES_ROUNDS").unwrap_or(3)).map(|round| first + 7919 * round).collect()
}

/// Loads `text`; counts of rows: loaded, left out, updated, deleted. None where it was loaded before.
async fn load(lake: &Lake, name: &str, text: &str) -> Option<[u64; 4]> {
    lake.write(&format!("data/{name}.csv"), text.as_bytes());
    let report = lake.load(name).await.unwrap();
    if report.outcome == LoadOutcome::Unchanged {
        return None;
    }
    let run = report.run;
    assert_eq!(run.rows_read, run.rows_loaded + run.rows_rejected + run.rows_duplicate);
    let recorded = "select rows_loaded, rows_duplicate, rows_updated, rows_deleted from system.runs where run_id = ";
    let counts = [run.rows_loaded, run.rows_duplicate, run.rows_updated, run.rows_deleted];
    let recorded = lake.sql(&format!("{recorded}'{}'", run.run_id)).await;
    assert_eq!(recorded, [counts.map(|count| count.to_string())]);
    Some(counts)
}

type Key = (u64, String);
type Value = (u64, String);
type Upserted = BTreeMap<Key, Value>;

/// What an upsert makes of `model`.
fn upsert(model: &mut Upserted, rows: &[(Key, Value)], by_sequence: bool) -> [u64; 4] {
    let mut last: Upserted = BTreeMap::new();
    for (key, value) in rows {
        match last.get(key) {
            Some(known) if by_sequence && known.0 > value.0 => {}
            _ => drop(last.insert(key.clone(), value.clone())),
        }
    }
    let (mut loaded, mut updated) = (0, 0);
    for (key, value) in last {
        let known = model.get(&key);
        if by_sequence && known.is_some_and(|known| known.0 >= value.0) {
            continue;
        }
        loaded += 1;
        updated += u64::from(known.is_some());
        model.insert(key, value);
    }
    [loaded, rows.len() as u64 - loaded, updated, 0]
}

async fn upserts(by_sequence: bool) {
    let columns = "{ name = \"id\", type = \"int64\" }, { name = \"region\", type = \"text\" }, \
                   { name = \"at\", type = \"int64\" }, { name = \"v\", type = \"text\" }";
    let table = table("up", columns, "primary_key = [\"id\", \"region\"]\nsort_by = [\"id\"]");
    let mode = if by_sequence { "{ upsert = { sequence = \"at\" } }" } else { "{ upsert = {} }" };
    for seed in seeds() {
        let mut random = Random(seed);
        let lake = open(&table, &[("up", pipeline("up", "up", mode, ""))]).await;
        let (mut model, mut known) = (Upserted::new(), BTreeSet::new());
        for number in 0..LOADS {
            let (first, span) = (random.below(30), 1 + random.below(20));
            let rows: Vec<_> = (0..1 + random.below(25))
                .map(|_| {
                    let key = (first + random.below(span), ["220100", "220200"][random.below(2) as usize].to_owned());
                    (key, (random.below(8), format!("v{}", random.below(1000))))
                })
                .collect();
            let mut text = String::from("id,region,at,v\n");
            rows.iter().for_each(|((id, region), (at, v))| text.push_str(&format!("{id},{region},{at},{v}\n")));
            let expected = known.insert(text.clone()).then(|| upsert(&mut model, &rows, by_sequence));
            assert_eq!(load(&lake, "up", &text).await, expected, "seed {seed}, load {number}");
            let found = lake.sql("select id, region, at, v from m.up order by id, region").await;
            let wanted: Vec<_> = model
                .iter()
                .map(|((id, region), (at, v))| [id.to_string(), region.clone(), at.to_string(), v.clone()])
                .collect();
            assert_eq!(found, wanted, "seed {seed}, load {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upserts_by_key_are_those_of_the_model() {
    upserts(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upserts_by_sequence_are_those_of_the_model() {
    upserts(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_are_those_of_the_model() {
    let columns = "{ name = \"id\", type = \"int64\" }, { name = \"v\", type = \"text\" }";
    let table = table("t", columns, "primary_key = [\"id\"]\nsort_by = [\"id\"]");
    let pipelines = [("add", pipeline("add", "t", "\"append\"", "")), ("del", pipeline("del", "t", "\"delete\"", ""))];
    for seed in seeds() {
        let mut random = Random(seed);
        let lake = open(&table, &pipelines).await;
        let (mut model, mut known) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..LOADS as u64 {
            let added: Vec<u64> = (number * 20..number * 20 + 1 + random.below(20)).collect();
            let mut text = String::from("id,v\n");
            added.iter().for_each(|id| text.push_str(&format!("{id},x\n")));
            load(&lake, "add", &text).await.unwrap();
            model.extend(added);
            let keys: Vec<u64> = (0..1 + random.below(15)).map(|_| random.below(number * 20 + 25)).collect();
            let mut text = String::from("id\n");
            keys.iter().for_each(|id| text.push_str(&format!("{id}\n")));
            let expected = known.insert(text.clone()).then(|| {
                let before = model.len();
                model.retain(|id| !keys.contains(id));
                [keys.len() as u64, 0, 0, (before - model.len()) as u64]
            });
            assert_eq!(load(&lake, "del", &text).await, expected, "seed {seed}, load {number}");
            let found = lake.sql("select id from m.t order by id").await;
            assert_eq!(
                found,
                model.iter().map(|id| [id.to_string()]).collect::<Vec<_>>(),
                "seed {seed}, load {number}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_partitions_are_those_of_the_model() {
    let columns = "{ name = \"id\", type = \"int64\" }, { name = \"region\", type = \"text\", nullable = true }";
    let table = table("t", columns, "partition_by = [\"region\"]");
    for seed in seeds() {
        let mut random = Random(seed);
        let lake =
            open(&table, &[("part", pipeline("part", "t", "\"replace-partition\"", "duplicates = \"keep\""))]).await;
        let mut model: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for number in 0..LOADS {
            let regions = ["长春 市", "吉林/市", "", "延边"];
            let rows: Vec<_> =
                (0..1 + random.below(12)).map(|_| (random.below(100), regions[random.below(4) as usize])).collect();
            let mut text = String::from("id,region\n");
            rows.iter().for_each(|(id, region)| text.push_str(&format!("{id},{region}\n")));
            let mut fresh: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
            rows.iter().for_each(|(id, region)| fresh.entry(region).or_default().push(*id));
            let gone: usize = fresh.keys().filter_map(|region| model.get(region)).map(Vec::len).sum();
            let counts = load(&lake, "part", &text).await;
            assert!(
                counts.is_none_or(|counts| counts == [rows.len() as u64, 0, 0, gone as u64]),
                "seed {seed}, load {number}"
            );
            model.extend(fresh);
            let mut wanted: Vec<_> =
                model.iter().flat_map(|(region, ids)| ids.iter().map(|id| (*id, region.to_string()))).collect();
            wanted.sort();
            let found = lake.sql("select id, coalesce(region, '') from m.t order by 1, 2").await;
            let wanted: Vec<_> = wanted.into_iter().map(|(id, region)| [id.to_string(), region]).collect();
            assert_eq!(found, wanted, "seed {seed}, load {number}");
        }
    }
}

/// Versions by key and day.
type Versions = BTreeMap<u64, BTreeMap<u64, String>>;

/// What a load of versions makes of `model`: loaded, left out, updated.
fn add_versions(model: &mut Versions, rows: &[(u64, u64, String)]) -> [u64; 4] {
    let mut last: Versions = BTreeMap::new();
    rows.iter().for_each(|(id, day, v)| drop(last.entry(*id).or_default().insert(*day, v.clone())));
    let (mut loaded, mut updated) = (0, 0);
    for (id, news) in last {
        let held = model.entry(id).or_default();
        let before: BTreeMap<u64, (String, Option<u64>)> = with_ends(held);
        let mut chain = held.clone();
        let news: BTreeMap<u64, String> = news.into_iter().filter(|(day, v)| held.get(day) != Some(v)).collect();
        chain.extend(news.clone());
        let told: Vec<(u64, String)> = chain.clone().into_iter().collect();
        for pair in told.windows(2) {
            let day = pair[1].0;
            if pair[0].1 == pair[1].1 && news.contains_key(&day) && !held.contains_key(&day) {
                chain.remove(&day);
            }
        }
        let kept = news.keys().filter(|day| chain.contains_key(day)).count() as u64;
        if kept == 0 {
            continue;
        }
        loaded += kept;
        let after = with_ends(&chain);
        updated += before.iter().filter(|(day, version)| after.get(day) != Some(version)).count() as u64;
        *held = chain;
    }
    [loaded, rows.len() as u64 - loaded, updated, 0]
}

fn with_ends(chain: &BTreeMap<u64, String>) -> BTreeMap<u64, (String, Option<u64>)> {
    let next = |day: u64| chain.range(day + 1..).next().map(|(day, _)| *day);
    chain.iter().map(|(day, v)| (*day, (v.clone(), next(*day)))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_those_of_the_model_in_whatever_order_versions_come() {
    let columns = "{ name = \"id\", type = \"int64\" }, { name = \"v\", type = \"text\", nullable = true }, \
                   { name = \"begins\", type = \"date\" }, { name = \"ends\", type = \"date\", nullable = true }";
    let table = table("t", columns, "primary_key = [\"id\", \"begins\"]\nsort_by = [\"id\"]");
    let mode = "{ history = { valid_from = \"begins\", valid_to = \"ends\" } }";
    let date = |day: u64| format!("2019-03-{:02}", day + 1);
    for seed in seeds() {
        let mut random = Random(seed);
        let lake = open(&table, &[("hist", pipeline("hist", "t", mode, ""))]).await;
        let (mut model, mut known) = (Versions::new(), BTreeSet::new());
        for number in 0..LOADS {
            let rows: Vec<_> = (0..1 + random.below(20))
                .map(|_| (random.below(8), random.below(20), ["a", "b", ""][random.below(3) as usize].to_owned()))
                .collect();
            let mut text = String::from("id,begins,v\n");
            rows.iter().for_each(|(id, day, v)| text.push_str(&format!("{id},{},{v}\n", date(*day))));
            let expected = known.insert(text.clone()).then(|| add_versions(&mut model, &rows));
            assert_eq!(load(&lake, "hist", &text).await, expected, "seed {seed}, load {number}");
            let found = lake.sql("select id, begins, coalesce(v, ''), ends from m.t order by id, begins").await;
            let rows = model.iter().flat_map(|(id, chain)| {
                let version = |(day, (v, end)): (u64, (String, Option<u64>))| {
                    [id.to_string(), date(day), v, end.map(date).unwrap_or_default()]
                };
                with_ends(chain).into_iter().map(version).collect::<Vec<_>>()
            });
            assert_eq!(found, rows.collect::<Vec<_>>(), "seed {seed}, load {number}");
        }
    }
}
