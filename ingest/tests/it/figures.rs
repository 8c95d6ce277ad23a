//! The figures of the real files, where `XIANGYUN_REAL_DATA` names their folder.

use std::path::PathBuf;

use xiangyun_ingest::LoadOutcome;

use crate::workspace::{
    ENTERPRISE_COLUMNS as COLUMNS, Lake, chinese_enterprise_pipeline, enterprise_pipeline, enterprise_table,
};

fn real(file: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("XIANGYUN_REAL_DATA") else {
        eprintln!("SKIPPED: XIANGYUN_REAL_DATA is not set, so `{file}` was not loaded");
        return None;
    };
    Some(std::fs::canonicalize(PathBuf::from(folder).join(file)).unwrap().to_str().unwrap().to_owned())
}

/// The folder of real files, in a lake of `tables`: name, columns as `name type` (`?` behind the type: may be missing), and
/// the rest of the pipeline that loads it. Every row must be loaded.
async fn load_all(tables: &[(&str, &str, String)]) -> Lake {
    let lake = open_all(tables).await;
    for (name, ..) in tables {
        let run = lake.load(name).await.unwrap().run;
        assert_eq!((run.rows_read, run.rows_rejected, run.rows_duplicate), (run.rows_loaded, 0, 0), "{name}");
    }
    lake
}

/// As [`load_all`], before anything is loaded.
async fn open_all(tables: &[(&str, &str, String)]) -> Lake {
    let mut files = Vec::new();
    for (name, columns, pipeline) in tables {
        let columns = columns.split(", ").map(|column| {
            let (column, kind) = column.split_once(' ').unwrap();
            let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
            format!("{{ name = \"{column}\", type = \"{kind}\", nullable = {nullable} }}")
        });
        let columns: Vec<_> = columns.collect();
        let contract = format!(
            "version = 1\nname = \"real.{name}\"\nagency = \"测试\"\nowner = \"tests\"\nlevel = \"general-1\"\n\
             sharing = \"unconditional\"\ntitle = {{ zh = \"{name}\", en = \"{name}\" }}\n\
             description = {{ zh = \"{name}\", en = \"{name}\" }}\ncolumns = [{}]\n",
            columns.join(", ")
        );
        let head = format!("version = 1\nname = \"{name}\"\ntable = \"real.{name}\"\nmode = \"replace\"\n");
        files.push((format!("tables/real.{name}.toml"), contract));
        files.push((format!("pipelines/{name}.toml"), head + pipeline + "\n"));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    Lake::open(&files).await
}

fn csv(path: &str) -> String {
    format!("source = {{ kind = \"csv\", path = \"{path}\" }}")
}

const HISTORY: &str = "code text, name text, level int64, start_year int64, end_year int64?, parent_name text?, \
                       successor_codes text?";

async fn enterprises(path: &str, select: &str, duplicates: &str) -> Lake {
    let pipeline = enterprise_pipeline(path, select, duplicates);
    Lake::open(&[("tables/e.toml", enterprise_table().as_bytes()), ("pipelines/e.toml", pipeline.as_bytes())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn jilin_loads_to_the_published_sums() {
    let Some(path) = real("enterprise_jilin_1978-2019.csv.gz") else { return };
    let sums = "select count(*), count(capital_wan), sum(capital_wan) from market.enterprises";
    let lake = enterprises(&path, COLUMNS, "warn").await;
    let report = lake.load("enterprises").await.unwrap();
    assert_eq!(report.run.rows_loaded, 70_268);
    let invalid = lake.sql("select count(*) from market.enterprises where not uscc_is_valid(uscc)").await;
    assert_eq!(invalid, [["4"]]);
    // Four invalid codes and four repeated rows.
    assert_eq!((report.run.warnings, report.run.rows_rejected), (8, 0));
    assert_eq!(lake.sql(sums).await, [["70268", "38898", "72685427.3184"]]);
    assert_eq!(lake.load("enterprises").await.unwrap().outcome, LoadOutcome::Unchanged);

    let lake = enterprises(&path, COLUMNS, "remove").await;
    let report = lake.load("enterprises").await.unwrap();
    assert_eq!((report.run.rows_read, report.run.rows_loaded, report.run.rows_duplicate), (70_268, 70_264, 4));
    assert_eq!(lake.sql(sums).await, [["70264", "38895", "72685260.4184"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gb18030_file_gives_the_rows_of_its_utf8_twin() {
    let Some(path) = real("dirty_enterprise_jilin_2005.gb18030.csv.gz") else { return };
    let Some(twin) = real("enterprise_jilin_1978-2019.csv.gz") else { return };
    let pipeline = chinese_enterprise_pipeline(&path, "warn");
    let gb = Lake::open(&[("tables/e.toml", enterprise_table().as_bytes()), ("pipelines/e.toml", pipeline.as_bytes())])
        .await;
    let report = gb.load("enterprises").await.unwrap();
    assert_eq!(report.run.sources[0].encoding.as_deref(), Some("GB18030"));
    assert_eq!(report.run.rows_loaded, 5_110);
    let utf8 = enterprises(&twin, COLUMNS, "warn").await;
    utf8.load("enterprises").await.unwrap();
    let rows =
        format!("select {COLUMNS}, capital_wan from market.enterprises where source_year = '2005' order by uscc, name");
    assert_eq!(gb.sql(&rows).await, utf8.sql(&rows).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_row_ends_in_quarantine() {
    let Some(path) = real("enterprise_malformed_rows.csv") else { return };
    let pipeline = chinese_enterprise_pipeline(&path, "warn");
    let lake =
        Lake::open(&[("tables/e.toml", enterprise_table().as_bytes()), ("pipelines/e.toml", pipeline.as_bytes())])
            .await;
    let report = lake.load("enterprises").await.unwrap();
    assert_eq!((report.run.rows_read, report.run.rows_loaded, report.run.rows_rejected), (7, 0, 7));
    let found = lake.sql("select file, line, reason from system.quarantine order by line").await;
    let expected: Vec<_> = (2..=8).map(|line| vec![path.clone(), line.to_string(), "FIELD_COUNT".into()]).collect();
    assert_eq!(found, expected);
}

/// The figures of the three provinces, as the table of the README has them.
#[tokio::test(flavor = "multi_thread")]
async fn every_province_has_the_published_figures() {
    let Some(history) = real("divisions_history_1981-2024.csv") else { return };
    let provinces = [
        (
            "enterprise_jilin_1978-2019.csv.gz",
            "70268 70264 1978-07-05 2019-04-30 4 22361 38898 72685427.3184 58426 32 4423 15190",
            "1978-2007 2009-2011 2019",
        ),
        (
            "enterprise_heilongjiang_1978-2019.csv.zst",
            "98068 98068 1978-08-24 2019-05-01 23 33721 23639 38754047.1141 86040 13 6949 6854",
            "1978-2010 2012-2013 2015-2016 2019",
        ),
        (
            "enterprise_liaoning_1980-2019.csv.zst",
            "109607 109607 1980-01-01 2019-04-30 3 26338 69766 136008326.0229 95274 9 5775 5782",
            "1980-2007 2009 2012 2018-2019",
        ),
    ];
    for (file, figures, years) in provinces {
        let path = real(file).unwrap();
        let (table, pipeline) = (enterprise_table(), enterprise_pipeline(&path, COLUMNS, "warn"));
        let lake = Lake::open(&[("tables/e.toml", table.as_bytes()), ("pipelines/e.toml", pipeline.as_bytes())]).await;
        lake.load("enterprises").await.unwrap();
        let divisions = load_all(&[("history", HISTORY, csv(&history))]).await;
        let known: Vec<_> = divisions.sql("select distinct '''' || code || '''' from real.history").await.concat();
        let sql = format!(
            "select count(*), count(distinct uscc), min(registered_on), max(registered_on),
                 count(*) filter (where not uscc_is_valid(uscc)),
                 count(*) filter (where registered_capital_raw = 'N/A'), count(capital_wan), sum(capital_wan),
                 count(*) filter (where enterprise_type = 'N/A'), count(*) filter (where prefecture = 'N/A'),
                 count(*) filter (where name like '%分公司%'),
                 count(*) filter (where substr(uscc, 3, 6) not in ({}))
             from market.enterprises",
            known.join(", ")
        );
        assert_eq!(lake.sql(&sql).await, [figures.split(' ').map(str::to_owned).collect::<Vec<_>>()], "{file}");
        // The year is that of the file it came from, and the years that lack upstream are not there.
        let odd =
            "select count(*) from market.enterprises where source_year <> substr(cast(registered_on as text), 1, 4)";
        assert_eq!(lake.sql(odd).await, [["0"]], "{file}");
        let found = lake.sql("select distinct source_year from market.enterprises order by 1").await.concat();
        let expected = years.split(' ').flat_map(|span| {
            let (first, last) = span.split_once('-').unwrap_or((span, span));
            first.parse::<u16>().unwrap()..=last.parse().unwrap()
        });
        assert_eq!(found, expected.map(|year| year.to_string()).collect::<Vec<_>>(), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_known_defects_of_jilin_are_left_as_they_are() {
    let Some(path) = real("enterprise_jilin_1978-2019.csv.gz") else { return };
    let lake = enterprises(&path, COLUMNS, "warn").await;
    lake.load("enterprises").await.unwrap();
    let count = async |what: &str| {
        lake.sql(&format!("select count(*) from market.enterprises where {what}")).await[0][0].parse::<u64>().unwrap()
    };
    assert_eq!(count("name like '%(%'").await, 439);
    assert_eq!(count("name like '%（%'").await, 210);
    // Gongzhuling has the code of Siping in all of them.
    assert_eq!(count("substr(uscc, 3, 6) = '220381'").await, 1905);
    assert_eq!(count("substr(uscc, 3, 6) = '220184'").await, 0);
    assert_eq!(count("length(business_scope) > 1024").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn divisions_have_the_published_numbers() {
    let Some(published) = real("divisions_2023.csv.gz") else { return };
    let (editions, history) = (
        real("divisions_county_snapshots_2017-2023.csv.gz").unwrap(),
        real("divisions_history_1981-2024.csv").unwrap(),
    );
    let lake = load_all(&[
        ("divisions", "code12 text, level int64, name text, parent_code12 text?", csv(&published)),
        ("counties", "as_of date, code text, name text, city_code text, province_code text", csv(&editions)),
        ("history", HISTORY, csv(&history)),
    ])
    .await;
    let levels =
        "select level, count(*), count(*) filter (where code12 like '22%') from real.divisions group by 1 order by 1";
    let expected = [["1", "31", "1"], ["2", "342", "9"], ["3", "2978", "69"], ["4", "41352", "1075"]];
    assert_eq!(lake.sql(levels).await, expected);
    assert_eq!(lake.sql("select count(*) from real.divisions").await, [["44703"]]);
    let absent = "select count(*) from real.divisions where substr(code12, 1, 2) in ('71', '81', '82')";
    assert_eq!(lake.sql(absent).await, [["0"]]);

    let counts =
        "select as_of, count(*), max(code) filter (where name = '公主岭市') from real.counties group by 1 order by 1";
    let expected = [
        ["2017-10-31", "3009", "220381"],
        ["2018-10-31", "3004", "220381"],
        ["2019-10-31", "2995", "220381"],
        ["2020-06-30", "2994", "220184"],
        ["2021-10-31", "2990", "220184"],
        ["2022-10-31", "2984", "220184"],
        ["2023-06-30", "2978", "220184"],
    ];
    assert_eq!(lake.sql(counts).await, expected);
    assert_eq!(lake.sql("select count(*) from real.counties").await, [["20954"]]);

    assert_eq!(
        lake.sql("select count(*), min(level), max(level), min(start_year) from real.history").await,
        [["6823", "1", "3", "1981"]]
    );
    let codes =
        "select code, start_year, end_year, successor_codes from real.history where name = '公主岭市' order by 2";
    let expected = [
        ["220319", "1985", "1988", "229001"],
        ["229001", "1988", "1990", "220381"],
        ["220381", "1990", "2020", "220104[2005];220184"],
        ["220184", "2020", "", ""],
    ];
    assert_eq!(lake.sql(codes).await, expected);
    // A code may be used again, its start tells the uses apart.
    let key = "select count(*) = count(distinct code || cast(start_year as text)), count(*) > count(distinct code) \
               from real.history";
    assert_eq!(lake.sql(key).await, [["true", "true"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn holidays_give_the_working_days_of_each_year() {
    let Some(path) = real("cn_holidays_2007-2026.csv") else { return };
    let columns = "notice_year int64, date date, holiday_name text, is_off_day int64, source_notice text";
    let lake = load_all(&[("holidays", columns, csv(&path))]).await;
    let figures = "select count(*), count(*) filter (where extract(year from date) = notice_year - 1), \
                   max(notice_year) from real.holidays where is_off_day in (0, 1)";
    assert_eq!(lake.sql(figures).await, [["678", "10", "2026"]]);
    assert_eq!(
        lake.sql("select is_off_day, notice_year from real.holidays where date = date '2018-12-29'").await,
        [["0", "2019"]]
    );
    // Days that are not listed follow Monday to Friday; the calendar that is built in says the same of each day.
    let days = "select extract(year from day), count(*) filter (where coalesce(h.is_off_day = 0, extract(dow from day) \
                between 1 and 5)), count(*) filter (where is_working_day(day)) \
                from (select cast(value as date) as day from generate_series(timestamp '2007-01-01', \
                timestamp '2026-12-31', interval '1 day')) left join real.holidays h on h.date = day group by 1 order by 1";
    let published =
        [249, 251, 250, 250, 250, 249, 250, 250, 249, 250, 249, 250, 250, 249, 250, 249, 249, 251, 248, 248];
    let expected: Vec<_> = (2007..)
        .zip(published)
        .map(|(year, days): (u16, u16)| vec![year.to_string(), days.to_string(), days.to_string()])
        .collect();
    assert_eq!(lake.sql(days).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn outlines_have_the_published_codes() {
    let Some(prefectures) = real("jilin_prefectures_pre2020.geojson") else { return };
    let columns = "adcode text, name text, center_lon float64?, center_lat float64?, geometry text";
    let geojson = |path: String| format!("source = {{ kind = \"geojson\", path = \"{path}\" }}");
    let lake = load_all(&[
        ("jilin", columns, geojson(prefectures)),
        ("prefectures", columns, geojson(real("china_prefectures.geojson.gz").unwrap())),
        ("provinces", columns, geojson(real("china_provinces.geojson.gz").unwrap())),
    ])
    .await;
    for (table, features) in [("jilin", "9"), ("prefectures", "367"), ("provinces", "34")] {
        let figures = format!(
            "select count(*), count(*) filter (where geometry not like '%\"Polygon\"%' and geometry not like \
             '%\"MultiPolygon\"%') from real.{table} where length(adcode) = 6"
        );
        assert_eq!(lake.sql(&figures).await, [[features, "0"]], "{table}");
    }
    let codes = lake.sql("select adcode from real.jilin order by 1").await.concat();
    assert_eq!(codes, ["220100", "220200", "220300", "220400", "220500", "220600", "220700", "220800", "222400"]);
    // Gongzhuling lies in Siping: its eastern edge reaches 125.79 E.
    let siping = lake.sql("select geometry from real.jilin where adcode = '220300'").await.concat().concat();
    let numbers = siping.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter_map(|text| text.parse::<f64>().ok());
    let east = numbers.filter(|degrees| (100.0..180.0).contains(degrees)).fold(0.0, f64::max);
    assert!((125.785..125.795).contains(&east), "{east}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gdp_is_the_sum_of_its_sectors_as_published() {
    let Some(path) = real("province_gdp_2002-2011.csv") else { return };
    let columns = "province_code text, province text, year int64, gdp_100m_yuan decimal(12,2), \
                   primary_100m_yuan decimal(12,2), secondary_100m_yuan decimal(12,2), tertiary_100m_yuan decimal(12,2)";
    let check = "\n[[checks]]\nrule = { expression = \"abs(gdp_100m_yuan - primary_100m_yuan - secondary_100m_yuan - \
                 tertiary_100m_yuan) < 0.05\" }\non_fail = \"warn\"";
    let lake = load_all(&[("gdp", columns, csv(&path) + check)]).await;
    assert_eq!(lake.sql("select warnings from system.runs").await, [["1"]], "Xinjiang 2002 only");
    let off = "select province_code, year, gdp_100m_yuan - primary_100m_yuan - secondary_100m_yuan - tertiary_100m_yuan \
               from real.gdp where abs(gdp_100m_yuan - primary_100m_yuan - secondary_100m_yuan - tertiary_100m_yuan) >= 0.05";
    assert_eq!(lake.sql(off).await, [["650000", "2002", "-0.05"]]);
    let figures = "select count(*), count(distinct province_code), count(distinct year), \
                   max(gdp_100m_yuan) filter (where province_code = '220000' and year = 2011) from real.gdp";
    assert_eq!(lake.sql(figures).await, [["310", "31", "10", "10568.83"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_census_adds_up_with_its_double_counting() {
    let Some(path) = real("jilin_census_population.csv") else { return };
    let columns = "code text?, area text, census_2000_wan decimal(10,4)?, census_2020_wan decimal(10,4)";
    // The provincial total is the agency's control total; that of 2000 is another, since Meihekou is inside Tonghua.
    let total = |column: &str, sum: &str| {
        csv(&path)
            + &format!(
                "\n[[batch]]\nrule = {{ control-total = {{ rows = 11, column = \"{column}\", sum = \"{sum}\" }} }}"
            )
    };
    let lake = load_all(&[("census", columns, total("census_2020_wan", "2407.3453"))]).await;
    let sums = "select count(*), sum(census_2000_wan), sum(census_2020_wan) from real.census";
    assert_eq!(lake.sql(sums).await, [["11", "2741.9865", "2407.3453"]]);
    let of = async |what: &str| {
        lake.sql(&format!("select code, census_2000_wan, census_2020_wan from real.census where {what}")).await
    };
    assert_eq!(of("area = '梅河口市'").await, [["220581", "61.7674", "50.9336"]]);
    assert_eq!(of("code is null").await, [["", "", "6.1146"]]);
    assert_eq!(lake.sql("select area from real.census where code is null").await, [["长白山管委会"]]);

    let other = open_all(&[("census", columns, total("census_2000_wan", "2680.2191"))]).await;
    let error = other.load("census").await.unwrap_err().chain();
    assert!(error.contains("is 2741.9865") && error.contains("the agency says 2680.2191"), "{error}");
}

/// The yearbook's typeset sheets hold the rows of the two plain files.
#[tokio::test(flavor = "multi_thread")]
async fn the_yearbook_gives_the_rows_of_the_plain_files() {
    let Some(book) = real("dirty_jilin_yearbook_style.xlsx") else { return };
    let census = "code text?, area text, census_2000_wan decimal(10,4)?, census_2020_wan decimal(10,4)";
    let gdp = "province text, year int64, gdp decimal(12,2), primary_ decimal(12,2), secondary decimal(12,2), \
               tertiary decimal(12,2)";
    let sheet_of = |sheet: &str, rest: &str| {
        format!("source = {{ kind = \"excel\", path = \"{book}\", sheet = \"{sheet}\", {rest} }}")
    };
    let columns =
        "[columns]\ncode = \"地区代码\"\narea = \"地区\"\ncensus_2000_wan = \"2000年\"\ncensus_2020_wan = \"2020年\"";
    let select = "transform = { sql = \"\"\"select \"地区\" as province, replace(\"年份\", '年', '') as year, \
                  \"地区生产总值（亿元）\" as gdp, \"第一产业\" as primary_, \"第二产业\" as secondary, \
                  \"第三产业\" as tertiary from source\"\"\" }";
    let plain_gdp = "province_code text, province text, year int64, gdp_100m_yuan decimal(12,2), \
                     primary_100m_yuan decimal(12,2), secondary_100m_yuan decimal(12,2), tertiary_100m_yuan decimal(12,2)";
    let lake = load_all(&[
        (
            "typeset",
            census,
            format!("{}\n{columns}", sheet_of("2-1", "footer = \"注：\", null_values = [\"…\"], fold_names = true")),
        ),
        ("sectors", gdp, format!("{}\n{select}", sheet_of("3-1", "null_values = [\"…\"]"))),
        ("census", census, csv(&real("jilin_census_population.csv").unwrap())),
        ("gdp", plain_gdp, csv(&real("province_gdp_2002-2011.csv").unwrap())),
    ])
    .await;
    let all = async |table: &str| lake.sql(&format!("select * from real.{table} order by area")).await;
    assert_eq!(all("typeset").await, all("census").await);
    assert_eq!(all("typeset").await.len(), 11);
    let typeset = lake.sql("select * from real.sectors order by province, year").await;
    let plain = "select province, year, gdp_100m_yuan, primary_100m_yuan, secondary_100m_yuan, tertiary_100m_yuan \
                 from real.gdp where substr(province_code, 1, 2) in ('21', '22', '23') order by province, year";
    assert_eq!(typeset, lake.sql(plain).await);
    assert_eq!(typeset.len(), 30);
}
