//! Hours, weeks, working days, and years that begin in another month.

use super::{CASES, CASES_MODEL, Lake, Question, ask, metric, simple};

fn events_model(more: &str) -> String {
    let head = "version = 1\ntable = \"approvals.events\"\ntime_dimension = \"at\"\nfinest_grain = \"hour\"\n";
    format!("{head}measures.events.expr = \"count(*)\"\n{}{more}", simple("events"))
}

/// Instants written in UTC.
async fn events(times: &[&str], more: &str) -> Lake {
    let values: Vec<_> = times.iter().map(|time| format!("('{time}')")).collect();
    let rows = format!(
        "SELECT arrow_cast(arrow_cast(column1, 'Timestamp(Microsecond, None)'), 'Timestamp(Microsecond, Some(\"UTC\"))')
         AS at FROM (VALUES {})",
        values.join(", ")
    );
    Lake::new().table("approvals.events", &rows).await.model("metrics/events.toml", &events_model(more))
}

#[tokio::test]
async fn an_hour_is_told_by_its_beginning_in_china_and_missing_hours_are_shown() {
    let lake =
        events(&["2019-03-31T15:59:59", "2019-03-31T16:00:00", "2019-03-31T16:59:59.5", "2019-03-31T18:10:00"], "");
    let lake = lake.await;
    let hours = lake.rows(ask("events").grain("hour")).await;
    assert_eq!(
        hours,
        [
            "2019-03-31T23:00:00+08:00 1 -",
            "2019-04-01T00:00:00+08:00 2 -",
            "2019-04-01T01:00:00+08:00 - no_data",
            "2019-04-01T02:00:00+08:00 1 -",
        ]
    );
    // The range speaks of days in China.
    let first_of_april = lake.rows(ask("events").grain("hour").from("2019-04-01")).await;
    assert_eq!(first_of_april, hours[1..]);
    assert_eq!(lake.rows(ask("events").grain("hour").to("2019-03-31")).await, hours[..1]);
    // Before 1970 hours are rounded down as well.
    let old = events(&["1969-12-31T23:59:59", "1969-12-31T22:00:00"], "").await;
    let hours = old.rows(ask("events").grain("hour")).await;
    assert_eq!(hours, ["1970-01-01T06:00:00+08:00 1 -", "1970-01-01T07:00:00+08:00 1 -"]);
}

#[tokio::test]
async fn a_clock_reading_without_a_zone_keeps_its_hour() {
    let rows = "SELECT arrow_cast(column1, 'Timestamp(Second, None)') AS at FROM (VALUES ('2019-03-31T23:59:59'))";
    let lake = Lake::new().table("approvals.events", rows).await.model("metrics/events.toml", &events_model(""));
    assert_eq!(lake.rows(ask("events").grain("hour")).await, ["2019-03-31T23:00:00+08:00 1 -"]);
}

#[tokio::test]
async fn hours_are_compared_hours_and_days_apart() {
    let change = |name: &str, offset: &str| {
        metric(name, &format!("type = \"change\"\nmetric = \"events\"\noffset = \"{offset}\"\nas = \"difference\""))
    };
    let more = change("by_hour", "1 hour") + &change("by_day", "24 hours");
    let times = ["2019-03-30T01:00:00", "2019-03-31T00:30:00", "2019-03-31T01:10:00", "2019-03-31T01:20:00"];
    let lake = events(&times, &more).await;
    let last = |metric: &str| ask(metric).grain("hour").from("2019-03-31").to("2019-03-31").order(&["-period"]);
    // 09:00 in China has 2, 08:00 has 1, and 09:00 of the day before 1.
    assert_eq!(lake.rows(last("by_hour")).await[0], "2019-03-31T09:00:00+08:00 1.0 -");
    assert_eq!(lake.rows(last("by_day")).await[0], "2019-03-31T09:00:00+08:00 1.0 -");
    assert_eq!(lake.rows(last("by_hour")).await[1], "2019-03-31T08:00:00+08:00 - no_base");
    let grains: Vec<_> = lake.models().summary("by_hour").unwrap().grains.iter().map(|grain| grain.name()).collect();
    assert_eq!(grains, ["hour"]);
}

#[tokio::test]
async fn hours_are_for_models_that_say_so_and_have_timestamps() {
    let lake = super::cases().await;
    let error = lake.ask(ask("cases").grain("hour")).await.unwrap_err();
    assert_eq!(error.to_string(), "metric `cases` cannot be asked by hour");
    let text = CASES_MODEL.replace("[dimensions.channel]", "finest_grain = \"hour\"\n[dimensions.channel]");
    let found = Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &text).faults();
    assert_eq!(found, ["hours are told of timestamps, and the time dimension is a date"]);
    let text = text.replace("\"hour\"", "\"working-day\"");
    let found = Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &text).faults();
    assert!(found[0].starts_with("data has a finest grain of the calendar"), "{found:?}");
}

#[tokio::test]
async fn a_century_of_hours_is_not_filled_in() {
    let lake = events(&["1919-02-28T04:00:00", "2019-02-28T04:00:00"], "").await;
    let error = lake.breaks(ask("events").grain("hour")).await;
    assert!(error.contains("periods of an hour, and at the most 50000 are filled in"), "{error}");
}

fn days_model(more: &str) -> String {
    let head = "version = 1\ntable = \"stats.days\"\ntime_dimension = \"day\"\n";
    format!(
        "{head}[measures]\nn = {{ expr = \"sum(n)\", empty_periods = \"zero\" }}\nseen.expr = \"sum(n)\"\n{}{}{more}",
        simple("n"),
        simple("seen")
    )
}

async fn days(rows: &[(&str, i64)], more: &str) -> Lake {
    let values: Vec<_> = rows.iter().map(|(day, n)| format!("('{day}', {n})")).collect();
    let rows = format!("SELECT cast(column1 AS date) AS day, column2 AS n FROM (VALUES {})", values.join(", "));
    Lake::new().table("stats.days", &rows).await.model("metrics/days.toml", &days_model(more))
}

#[tokio::test]
async fn a_week_is_told_by_its_monday() {
    // A Sunday, a Monday, the Sunday behind it, and a Tuesday a week later: ISO weeks 51 of 2019, 1 and 3 of 2020.
    let rows = [("2019-12-29", 1), ("2019-12-30", 2), ("2020-01-05", 4), ("2020-01-14", 8)];
    let change = metric("change", "type = \"change\"\nmetric = \"seen\"\noffset = \"1 week\"\nas = \"difference\"");
    let lake = days(&rows, &change).await;
    let weeks = lake.rows(ask("seen").grain("week")).await;
    let expected = ["2019-12-23 1 -", "2019-12-30 6 -", "2020-01-06 - no_data", "2020-01-13 8 -"];
    assert_eq!(weeks, expected);
    // DataFusion's own weeks of the same rows.
    let sql = "SELECT cast(date_trunc('week', day) AS date) AS week, sum(n), '-' FROM stats_days GROUP BY 1 ORDER BY 1";
    assert_eq!(lake.sql(sql).await, [expected[0], expected[1], expected[3]]);
    let change = lake.rows(ask("change").grain("week")).await;
    assert_eq!(change, ["2019-12-23 - no_base", "2019-12-30 5.0 -", "2020-01-06 - no_data", "2020-01-13 - no_base"]);
    let error = lake.ask(ask("change").grain("week").from("2019-12-29")).await.unwrap_err();
    assert_eq!(error.hint(), Some("use `from` 2019-12-23, or no grain"));
}

#[tokio::test]
async fn weeks_are_right_for_every_day_of_a_century() {
    let rows = "SELECT unnest(generate_series(date '1950-01-01', date '2059-07-08', interval '1 day')) AS day, 1 AS n";
    let lake = Lake::new().table("stats.days", rows).await.model("metrics/days.toml", &days_model(""));
    let sql = "SELECT cast(date_trunc('week', day) AS date) AS week, sum(n), '-' FROM stats_days GROUP BY 1 ORDER BY 1";
    assert_eq!(lake.rows(ask("seen").grain("week")).await, lake.sql(sql).await);
}

async fn fiscal(start: u32) -> Lake {
    let text =
        CASES_MODEL.replace("[dimensions.channel]", &format!("fiscal_year_start = {start}\n[dimensions.channel]"));
    Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &text)
}

#[tokio::test]
async fn years_and_quarters_follow_the_month_with_which_the_year_begins() {
    let lake = fiscal(4).await;
    let years = lake.rows(ask("cases").grain("year")).await;
    assert_eq!(years, ["2015-04-01 2 -", "2016-04-01 3 -", "2017-04-01 - no_data", "2018-04-01 3 -"]);
    let growth = lake.rows(ask("case_growth").grain("year").from("2016-04-01").to("2017-03-31")).await;
    assert_eq!(growth, ["2016-04-01 0.5 -"]);
    // The case of 5 April 2016 begins a year, and those of January 2017 go on with it.
    let to_date = lake.rows(ask("cases_to_date").grain("month").from("2016-04-01").to("2017-01-31")).await;
    assert_eq!((to_date[0].as_str(), to_date[9].as_str()), ("2016-04-01 1 -", "2017-01-01 3 -"));
    assert_eq!(lake.rows(ask("cases_to_date").to("2017-01-20")).await, ["2 -"]);
    assert_eq!(lake.models().summary("cases").unwrap().fiscal_year_start, Some(4));
    let error = lake.ask(ask("case_growth").grain("year").from("2016-01-01")).await.unwrap_err();
    assert_eq!(error.hint(), Some("use `from` 2015-04-01, or no grain"));
    let quarters = fiscal(2).await.rows(ask("cases").grain("quarter").to("2016-07-31")).await;
    assert_eq!(quarters, ["2015-11-01 1 -", "2016-02-01 2 -", "2016-05-01 - no_data"]);
    let text = CASES_MODEL.replace("[dimensions.channel]", "fiscal_year_start = 13\n[dimensions.channel]");
    let found = Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &text).faults();
    assert_eq!(found, ["a year begins with a month from 1 to 12, not 13"]);
}

#[tokio::test]
async fn models_with_different_years_share_no_year() {
    let text = CASES_MODEL.replace("[dimensions.channel]", "fiscal_year_start = 4\n[dimensions.channel]");
    let mixed = metric(
        "mixed",
        "type = \"derived\"\nexpr = \"a / b\"\ninputs.a.metric = \"cases\"\ninputs.b.metric = \"seen\"",
    );
    let lake = days(&[("2016-01-10", 1)], &mixed).await.table("approvals.cases", CASES).await;
    let lake = lake.model("metrics/a.toml", &text);
    let summary = lake.models().summary("mixed").unwrap();
    let grains: Vec<_> = summary.grains.iter().map(|grain| grain.name()).collect();
    assert_eq!(grains, ["day", "working-day", "week", "month", "quarter"]);
    assert_eq!(summary.fiscal_year_start, None);
}

/// From Saturday 27 April to Monday 6 May 2019: the 28th and 5 May are Sundays that are worked, 1 to 4 May are off.
const LABOUR_DAYS: [(&str, i64); 6] = [
    ("2019-04-26", 1),
    ("2019-04-27", 2),
    ("2019-04-30", 4),
    ("2019-05-01", 8),
    ("2019-05-04", 16),
    ("2019-05-06", 32),
];

#[tokio::test]
async fn what_happens_on_a_day_off_counts_to_the_next_working_day() {
    let lake = days(&LABOUR_DAYS, "").await;
    let all = lake.rows(ask("seen").grain("working-day")).await;
    assert_eq!(
        all,
        [
            "2019-04-26 1 -",
            "2019-04-28 2 -",
            "2019-04-29 - no_data",
            "2019-04-30 4 -",
            "2019-05-05 24 -",
            "2019-05-06 32 -"
        ]
    );
    assert_eq!(lake.rows(ask("n").grain("working-day")).await[2], "2019-04-29 0 -");
    // Independently, by the calendar's own functions.
    let sql = "SELECT CASE WHEN is_working_day(day) THEN day ELSE add_working_days(day, 1) END AS d, sum(n), '-'
        FROM stats_days GROUP BY 1 ORDER BY 1";
    let with_rows: Vec<_> = all.iter().filter(|row| !row.ends_with("no_data")).cloned().collect();
    assert_eq!(lake.sql(sql).await, with_rows);
}

#[tokio::test]
async fn a_range_of_working_days_takes_the_days_off_before_it() {
    let lake = days(&LABOUR_DAYS, "").await;
    let ask_days = || ask("seen").grain("working-day");
    assert_eq!(lake.rows(ask_days().from("2019-05-05")).await, ["2019-05-05 24 -", "2019-05-06 32 -"]);
    // From within the days off it is the same, and up to within them nothing of theirs counts.
    assert_eq!(lake.rows(ask_days().from("2019-05-02").to("2019-05-05")).await, ["2019-05-05 24 -"]);
    assert_eq!(lake.rows(ask_days().from("2019-04-30").to("2019-05-04")).await, ["2019-04-30 4 -"]);
}

#[tokio::test]
async fn working_days_are_compared_and_added_by_their_number() {
    let more = metric("change", "type = \"change\"\nmetric = \"n\"\noffset = \"2 working-days\"\nas = \"difference\"")
        + &metric("rolling", "type = \"cumulative\"\nmeasure = \"n\"\nwindow = { rolling = \"3 working-days\" }")
        + &metric("to_date", "type = \"cumulative\"\nmeasure = \"n\"\nwindow = \"month-to-date\"");
    let lake = days(&LABOUR_DAYS, &more).await;
    let ask_may = |name: &str| ask(name).grain("working-day").from("2019-05-05");
    // 29 and 30 April lie two working days before 5 and 6 May: 24 - 0 and 32 - 4.
    assert_eq!(lake.rows(ask_may("change")).await, ["2019-05-05 24.0 -", "2019-05-06 28.0 -"]);
    assert_eq!(lake.rows(ask_may("rolling")).await, ["2019-05-05 28 -", "2019-05-06 60 -"]);
    assert_eq!(lake.rows(ask_may("to_date")).await, ["2019-05-05 24 -", "2019-05-06 56 -"]);
    let whole = lake.rows(ask("rolling").grain("working-day")).await;
    assert_eq!(whole[..3], ["2019-04-26 - no_base", "2019-04-28 - no_base", "2019-04-29 3 -"]);
    let error = lake.ask(ask("change").from("2019-05-05").to("2019-05-06")).await.unwrap_err();
    assert_eq!(error.hint(), Some("give the grain working-day"));
    let grains: Vec<_> = lake.models().summary("change").unwrap().grains.iter().map(|grain| grain.name()).collect();
    assert_eq!(grains, ["working-day"]);
}

#[tokio::test]
async fn a_year_without_a_calendar_is_named() {
    let lake = days(&[("2019-04-26", 1), ("2027-02-01", 2)], "").await;
    let error = lake.breaks(ask("seen").grain("working-day")).await;
    assert!(error.contains("no working-day notice for 2027"), "{error}");
    // Within the published years the row of 2027 is of no account.
    let bounded = lake.rows(ask("seen").grain("working-day").to("2019-04-28")).await;
    assert_eq!(bounded, ["2019-04-26 1 -", "2019-04-28 - no_data"]);
    let error = lake.ask(ask("seen").grain("working-day").from("2027-01-04")).await.unwrap_err();
    assert!(error.to_string().contains("no working-day notice for 2027"), "{error}");
    assert!(error.hint().unwrap().contains("calendar/2027.toml"), "{error}");
}
