"""The demo's metrics once more, by hand in DuckDB over the same files.

Nothing here comes from Xiangyun: working days are counted from the holiday table, divisions are rolled up by prefix
and followed through the succession table in Python.
"""

import datetime
import re
from dataclasses import dataclass, field

import duckdb
from deltalake import DeltaTable


def open_lake(root, names) -> duckdb.DuckDBPyConnection:
    """Every table of the lake as a DuckDB view of the same name, and the functions that the queries below use."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'Asia/Shanghai'")
    for name in names:
        schema, table = name.split(".")
        connection.execute(f"create schema if not exists {schema}")
        files = DeltaTable(str(root / schema / table)).file_uris()
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        connection.execute(f"create view {name} as select * from read_parquet([{listed}], hive_partitioning = true, "
                           "hive_types_autocast = false)")
    working_days(connection)
    successions(connection)
    return connection


def working_days(connection):
    """`calendar(day, working, n)`: n counts the working days up to and including that day."""
    moved = dict(connection.execute("select date, is_off_day from council.holidays").fetchall())
    day, n, rows = datetime.date(2006, 12, 1), 0, []
    while day.year <= 2026:
        off = moved.get(day)
        working = day.weekday() < 5 if off is None else str(off) in ("0", "False", "false")
        n += working
        rows.append((day, bool(working), n))
        day += datetime.timedelta(days=1)
    connection.execute("create table calendar (day date primary key, working boolean, n bigint)")
    connection.executemany("insert into calendar values (?, ?, ?)", rows)
    connection.execute("create macro working_days(a, b) as (select (select n from calendar where day = b) - "
                       "(select n from calendar where day = a))")


def successions(connection):
    """`succession(code, today)`: what the whole of a county is called today. A part that moved is no succession."""
    history = connection.execute(
        "select code, start_year, end_year, successor_codes from civil.divisions_history").fetchall()
    alive = {code for code, _, end, _ in history if end is None}
    heirs = {}
    for code, start, end, successors in history:
        if end is not None:
            whole = [part for part in re.split(";", successors or "") if part and "[" not in part]
            heirs[code] = max(heirs.get(code, (0, [])), (int(end), whole))
    rows = []
    for code in heirs:
        now, seen = code, set()
        while now not in alive and now not in seen and len(heirs.get(now, (0, []))[1]) == 1:
            seen.add(now)
            now = heirs[now][1][0]
        if now in alive and now != code:
            rows.append((code, now))
    connection.execute("create table succession (code varchar primary key, today varchar)")
    connection.executemany("insert into succession values (?, ?)", rows)


LEVELS = {"province": (2, 6), "prefecture": (4, 6), "county": (6, 6), "township": (9, 9)}


@dataclass
class Model:
    """Rows to aggregate, and the metrics' aggregates."""

    rows: str
    time: str | None
    metrics: dict[str, str]
    dimensions: list[str] = field(default_factory=list)
    levels: list[str] = field(default_factory=lambda: ["province", "prefecture", "county"])
    grains: list[str] = field(default_factory=lambda: ["month", "quarter", "year"])
    # A stock counts at the last moment of a period that has one.
    stock: bool = False


MODELS = {
    "approvals": Model(
        # Of the applicant's year ends the last one before the decision, where there is any.
        rows="""select cases.*, working_days(accepted_on, decided_on) as days,
                       applicant.ownership as applicant_ownership, applicant.industry as applicant_industry
                from (select * from approvals.cases where accepted_on is not null and decided_on is not null) cases
                asof left join market.entity_snapshots applicant
                  on applicant.uscc = cases.applicant_uscc and cases.decided_on >= applicant.as_of""",
        time="decided_on",
        dimensions=["agency", "matter", "channel", "applicant_ownership", "applicant_industry"],
        metrics={
            "approvals_decided": "count(*)",
            "approvals_on_time_share": "avg(case when days <= limit_working_days then 1.0 else 0.0 end)",
            "approvals_granted_share": "avg(case when outcome = '准予许可' then 1.0 else 0.0 end)",
            "approval_median_working_days": "quantile_cont(days, 0.5)",
        }),
    "startups": Model(
        rows="""select *, working_days(cast(accepted_at as date), cast(done as date)) as days,
                       epoch_us(licence_done_at - accepted_at) / 60e6 as minutes
                from (select *, greatest(name_done_at, licence_done_at, seal_done_at, tax_done_at,
                                         social_security_done_at) as done
                      from market.establishment_cases
                      where not test and not corrected and name_done_at is not null and licence_done_at is not null
                        and seal_done_at is not null and tax_done_at is not null
                        and social_security_done_at is not null)""",
        time="cast(done as date)",
        dimensions=["channel"],
        grains=["week", "month", "quarter", "year"],
        metrics={
            "startup_cases": "count(*)",
            "startup_share_within_limit": "avg(case when days <= 3 then 1.0 else 0.0 end)",
            "startup_median_days": "quantile_cont(days, 0.5)",
            "startup_p90_days": "quantile_cont(days, 0.9)",
            "startup_longest_days": "max(days)",
            "startup_shortest_minutes": "min(minutes)",
        }),
    "ecommerce": Model(
        rows="select * from commerce.ecommerce",
        time="period_to",
        metrics={
            "online_retail": "sum(amount) filter (where kind = '网上零售额')",
            "rural_online_retail": "sum(amount) filter (where kind = '农村网上零售额')",
            "cross_border_trade": "sum(amount) filter (where kind = '跨境电商进出口额')",
        }),
    "gdp": Model(
        rows="select *, province_code as region, make_date(year, 1, 1) as year_from from stats.gdp",
        time="year_from", levels=["province"], grains=["year"],
        metrics={
            "gdp": "sum(gdp_100m_yuan) * 100000000",
            "gdp_tertiary_share": "cast(sum(tertiary_100m_yuan) as double) / cast(sum(gdp_100m_yuan) as double)",
        }),
    "projects": Model(
        # The union of the items' working days, each day once, however many items ran on it.
        rows="""with finished as (
                  select project_id, project_type, region, max(decided_on) as completed_on
                  from development.project_items where not special_procedure
                  group by all having count(decided_on) = count(*) and max(stage_no) = 4),
                worked as (
                  select items.project_id, count(distinct calendar.day) as days
                  from development.project_items items join calendar
                    on calendar.working and calendar.day > items.accepted_on and calendar.day <= items.decided_on
                   and (items.paused_from is null
                        or not (calendar.day > items.paused_from
                                and calendar.day <= coalesce(items.paused_to, items.decided_on)))
                  where not items.special_procedure group by items.project_id)
                select finished.*, coalesce(worked.days, 0) as days from finished left join worked using (project_id)""",
        time="completed_on",
        dimensions=["project_type"],
        metrics={
            "projects_completed": "count(*)",
            "project_median_working_days": "quantile_cont(days, 0.5)",
            "project_share_within_50": "avg(case when days <= 50 then 1.0 else 0.0 end)",
            "project_fewest_working_days": "min(days)",
            "project_cut_against_223": "1 - quantile_cont(days, 0.5) / 223",
        }),
    "real_estate": Model(
        rows="""select *, working_days(cast(accepted_at as date), cast(registered_at as date)) as days,
                       cast(registered_at as date) as day
                from natres.real_estate_registrations where registered_at is not null""",
        time="day",
        dimensions=["kind", "channel"],
        metrics={
            "real_estate_registrations": "count(*)",
            "real_estate_same_day_share": "avg(case when days = 0 then 1.0 else 0.0 end)",
            "real_estate_median_working_days": "quantile_cont(days, 0.5)",
        }),
    "enterprises": Model(
        rows="select * from market.entity_snapshots",
        time="as_of", dimensions=["industry"], grains=["year"], stock=True,
        metrics={
            "active_enterprises": "count(*) filter (where status = '存续')",
            "private_enterprises": """count(*) filter (where status = '存续'
                                      and ownership not in ('国有', '集体', '外商投资', '港澳台投资'))""",
            "private_enterprise_share": """count(*) filter (where status = '存续' and ownership not in
                                           ('国有', '集体', '外商投资', '港澳台投资'))
                                           / nullif(count(*) filter (where status = '存续'), 0)""",
        }),
    "relief": Model(
        rows="""select * from (select *, row_number() over (partition by policy_id, uscc, period
                  order by case basis when '实际' then 0 else 1 end, source_agency) as place from finance.relief)
                where place = 1""",
        time="period_from", dimensions=["kind", "basis", "policy"], grains=["quarter", "year"],
        metrics={
            "relief_granted": "sum(amount)",
            "relief_estimated_share": "cast(sum(amount) filter (where basis = '测算') as double) / sum(amount)",
        }),
    "registrations": Model(
        rows="select *, cast(approved_at as date) as day from market.registrations",
        time="day", dimensions=["channel"],
        metrics={"new_registrations": "count(*)"}),
    "rankings": Model(
        rows="select * from development.rankings",
        time="published_on", levels=["province"], grains=["year"], stock=True,
        metrics={
            "business_environment_rank": "min(rank) filter (where indicator = '营商环境')",
            "real_estate_efficiency_rank": "min(rank) filter (where indicator = '不动产登记效率')",
        }),
    "population": Model(
        # In 2000 Meihekou is counted within Tonghua too: it is taken out there, as it is in 2020.
        rows="""select date '2000-11-01' as counted_on, code as region,
                       (census_2000_wan - case code when '220500' then (
                          select max(census_2000_wan) from stats.census_population where code = '220581')
                        else 0 end) * 10000 as persons
                from stats.census_population where census_2000_wan is not null
                union all
                select date '2020-11-01', code, census_2020_wan * 10000 from stats.census_population""",
        time="counted_on", levels=["province", "prefecture"], grains=["year"], stock=True,
        metrics={"population": "sum(persons)"}),
}

# Metrics whose figure compares a period with the one a year before.
GROWTH = {
    "online_retail_growth": "online_retail",
    "rural_online_retail_growth": "rural_online_retail",
    "cross_border_trade_growth": "cross_border_trade",
    "gdp_nominal_growth": "gdp",
    "private_enterprise_growth": "private_enterprises",
    "approvals_decided_growth": "approvals_decided",
}


def region_key(level: str | None, as_is: bool) -> str:
    """A region column's code at `level`; whole counties are followed to what they are called today."""
    code = "region"
    if as_is:
        code = ("coalesce((select today from succession where succession.code = left(region, 6)) || "
                "substr(region, 7), region)")
    if level is None:
        return code
    digits, width = LEVELS[level]
    return f"rpad(left({code}, {digits}), {width}, '0')"


def query(model: Model, metric: str, dimension: str | None, grain: str | None, as_is: bool = False) -> str:
    """The metric's SQL: key columns (period, then dimension) and `value`."""
    keys = []
    if grain:
        keys.append(f"date_trunc('{grain}', {model.time})")
    if dimension and dimension.startswith("region"):
        keys.append(region_key(dimension.partition(".")[2] or None, as_is))
    elif dimension:
        keys.append(dimension)
    rows = f"({model.rows})"
    if model.stock and not grain:
        rows = f"(select * from {rows} where {model.time} = (select max({model.time}) from {rows}))"
    listed = "".join(f"{key} as k{i}, " for i, key in enumerate(keys))
    grouped = f" group by {', '.join(str(i + 1) for i in range(len(keys)))}" if keys else ""
    return f"select {listed}{model.metrics[metric]} as value from {rows}{grouped}"
