"""Every demo metric × dimension × grain equals hand-written SQL in DuckDB over the same tables."""

import datetime
import decimal
import json
import math

import pytest
import reference


@pytest.fixture(scope="module")
def duck(lake):
    return reference.open_lake(lake.root, lake.tables())


def cases():
    for name, model in reference.MODELS.items():
        dimensions = [None, *model.dimensions, *(f"region.{level}" for level in model.levels)]
        for metric in model.metrics:
            yield pytest.param(name, metric, dimensions, id=metric)


def number(value):
    if value is None or isinstance(value, float) and math.isnan(value):
        return None
    return float(decimal.Decimal(str(value)))


def ours(server, metric, dimension=None, grain=None, regions=None):
    reply = server.get(f"/v1/metrics/{metric}", by=dimension, grain=grain, regions=regions)
    assert not reply["truncated"]
    figures = {}
    for row in reply["rows"]:
        key = ()
        if grain:
            key += (row["period"][:10],)
        if dimension:
            key += (row[dimension],)
        assert key not in figures, f"{metric}: {key} twice"
        assert (row["value"] is None) == (row["reason"] is not None), row
        figures[key] = number(row["value"])
    return figures


def theirs(duck, sql):
    figures = {}
    for *key, value in duck.execute(sql).fetchall():
        key = tuple(part.isoformat()[:10] if isinstance(part, datetime.date) else part for part in key)
        figures[key] = number(value)
    return figures


def same(metric, mine, reference_figures):
    """Equal where either has a figure. A gap of ours (null, or a count's zero) is an absent row there."""
    for key in mine.keys() | reference_figures.keys():
        a, b = mine.get(key), reference_figures.get(key)
        if b is None:
            assert a is None or a == 0, f"{metric} {key}: {a}, DuckDB has none"
        else:
            assert a is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9), f"{metric} {key}: {a} != {b}"
    assert any(value is not None for value in reference_figures.values()), f"{metric}: nothing to compare"


@pytest.mark.parametrize("name, metric, dimensions", cases())
def test_equals_duckdb(server, duck, name, metric, dimensions):
    model = reference.MODELS[name]
    for dimension in dimensions:
        for grain in [None, *model.grains]:
            sql = reference.query(model, metric, dimension, grain)
            same(f"{metric} by {dimension} per {grain}", ours(server, metric, dimension, grain), theirs(duck, sql))


@pytest.mark.parametrize("metric", ["approvals_decided", "new_registrations", "active_enterprises"])
def test_regions_as_is_equal_duckdb(server, duck, metric):
    model = next(model for model in reference.MODELS.values() if metric in model.metrics)
    moved = 0
    for level in ("prefecture", "county"):
        grain = "year"
        sql = reference.query(model, metric, f"region.{level}", grain, as_is=True)
        mine = ours(server, metric, f"region.{level}", grain, "as_is")
        same(f"{metric} as is by {level}", mine, theirs(duck, sql))
        was = theirs(duck, reference.query(model, metric, f"region.{level}", grain))
        moved += sum(1 for key in was if was[key] != mine.get(key))
    assert moved, "no row moved: the comparison shows nothing"


@pytest.mark.parametrize("growth, base", reference.GROWTH.items())
def test_growth_equals_duckdb_and_gaps_stay_gaps(server, duck, growth, base):
    model = next(model for model in reference.MODELS.values() if base in model.metrics)
    for dimension in [None, f"region.{model.levels[-1] if model.levels == ['province'] else 'prefecture'}"]:
        for grain in model.grains:
            figures = theirs(duck, reference.query(model, base, dimension, grain))
            expected = {}
            for key, value in figures.items():
                before = figures.get((str(int(key[0][:4]) - 1) + key[0][4:], *key[1:]))
                if value is not None and before:
                    expected[key] = value / before - 1
            mine = ours(server, growth, dimension, grain)
            assert {key: value for key, value in mine.items() if value is not None}.keys() == expected.keys()
            for key, value in expected.items():
                assert math.isclose(mine[key], value, rel_tol=1e-9, abs_tol=1e-9), (key, mine[key], value)


def test_a_missing_year_is_missing(server):
    growth = ours(server, "private_enterprise_growth", grain="year")
    assert growth[("2021-01-01",)] is None and growth[("2022-01-01",)] is None
    assert growth[("2020-01-01",)] is not None and growth[("2023-01-01",)] is not None


def test_cumulative_and_rates_per_day(server, duck):
    for cumulative, model, base, grain in [("relief_year_to_date", "relief", "relief_granted", "quarter"),
                                           ("online_retail_year_to_date", "ecommerce", "online_retail", "month")]:
        figures = theirs(duck, reference.query(reference.MODELS[model], base, None, grain))
        running = {key: value for key, value in ours(server, cumulative, grain=grain).items() if value is not None}
        assert running.keys() == figures.keys()
        for key, value in running.items():
            total = sum(amount for period, amount in figures.items() if period[0][:4] == key[0][:4] and period <= key)
            assert math.isclose(value, total, rel_tol=1e-12), key
    span = "select min(cast(approved_at as date)), max(cast(approved_at as date)), count(*) from market.registrations"
    first, last, count = duck.execute(span).fetchone()
    working = duck.execute("select count(*) from calendar where working and day between ? and ?", [first, last]).fetchone()
    per_day, = ours(server, "new_registrations_per_day").values()
    per_working_day, = ours(server, "new_registrations_per_working_day").values()
    assert math.isclose(per_day, count / ((last - first).days + 1), rel_tol=1e-12)
    assert math.isclose(per_working_day, count / working[0], rel_tol=1e-12)


def test_a_rolling_year_is_whole_or_missing(server, duck):
    figures = theirs(duck, reference.query(reference.MODELS["approvals"], "approvals_decided", None, "month"))
    months = sorted(period for period, in figures)
    assert len(months) == len({month[:7] for month in months})
    rolling = {key: value for key, value in ours(server, "approvals_decided_12_months", grain="month").items() if value is not None}
    expected = {}
    for at, month in enumerate(months):
        twelve = months[max(0, at - 11):at + 1]
        begins = f"{int(month[:4]) - 1}{month[4:]}" < twelve[0] if len(twelve) == 12 else False
        if begins:
            expected[(month,)] = sum(figures[(period,)] for period in twelve)
    assert expected and rolling.keys() == expected.keys()
    assert all(math.isclose(rolling[key], value, rel_tol=1e-12) for key, value in expected.items())


def test_every_metric_is_compared(server):
    listed = {metric["name"] for metric in server.get("/v1/metrics")["metrics"]}
    compared = {metric for model in reference.MODELS.values() for metric in model.metrics} | reference.GROWTH.keys()
    compared |= {"relief_year_to_date", "online_retail_year_to_date", "new_registrations_per_day",
                 "new_registrations_per_working_day", "population_change_20_years", "approvals_decided_12_months"}
    assert listed == compared, "reference.py and the example differ"


def test_population_change_between_censuses(server, duck):
    figures = theirs(duck, reference.query(reference.MODELS["population"], "population", "region.prefecture", "year"))
    mine = ours(server, "population_change_20_years", "region.prefecture", "year")
    for (year, region), persons in figures.items():
        before = figures.get(("2000-01-01", region))
        if year == "2020-01-01" and before:
            assert math.isclose(mine[(year, region)], persons / before - 1, rel_tol=1e-12), region
    total = ours(server, "population", grain="year")
    assert total[("2000-01-01",)] == 26_802_191 and total[("2020-01-01",)] == 24_073_453
