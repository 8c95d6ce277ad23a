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


def ours(lake, metric, dimension=None, grain=None, regions=None):
    arguments = ["metric", "query", metric]
    for flag, value in (("--by", dimension), ("--grain", grain), ("--regions", regions)):
        if value:
            arguments += [flag, value]
    rows = [json.loads(line) for line in lake.run("--format", "ndjson", *arguments).stdout.splitlines()]
    rows = [row for row in rows if "value" in row]
    figures = {}
    for row in rows:
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
def test_equals_duckdb(lake, duck, name, metric, dimensions):
    model = reference.MODELS[name]
    for dimension in dimensions:
        for grain in [None, *model.grains]:
            sql = reference.query(model, metric, dimension, grain)
            same(f"{metric} by {dimension} per {grain}", ours(lake, metric, dimension, grain), theirs(duck, sql))


@pytest.mark.parametrize("metric", ["approvals_decided", "new_registrations", "active_enterprises"])
def test_regions_as_is_equal_duckdb(lake, duck, metric):
    model = next(model for model in reference.MODELS.values() if metric in model.metrics)
    moved = 0
    for level in ("prefecture", "county"):
        grain = "year"
        sql = reference.query(model, metric, f"region.{level}", grain, as_is=True)
        mine = ours(lake, metric, f"region.{level}", grain, "as_is")
        same(f"{metric} as is by {level}", mine, theirs(duck, sql))
        was = theirs(duck, reference.query(model, metric, f"region.{level}", grain))
        moved += sum(1 for key in was if was[key] != mine.get(key))
    assert moved, "no row moved: the comparison shows nothing"


@pytest.mark.parametrize("growth, base", reference.GROWTH.items())
def test_growth_equals_duckdb_and_gaps_stay_gaps(lake, duck, growth, base):
    model = next(model for model in reference.MODELS.values() if base in model.metrics)
    for dimension in [None, f"region.{model.levels[-1] if model.levels == ['province'] else 'prefecture'}"]:
        for grain in model.grains:
            figures = theirs(duck, reference.query(model, base, dimension, grain))
            expected = {}
            for key, value in figures.items():
                before = figures.get((str(int(key[0][:4]) - 1) + key[0][4:], *key[1:]))
                if value is not None and before:
                    expected[key] = value / before - 1
            mine = ours(lake, growth, dimension, grain)
            assert {key: value for key, value in mine.items() if value is not None}.keys() == expected.keys()
            for key, value in expected.items():
                assert math.isclose(mine[key], value, rel_tol=1e-9, abs_tol=1e-9), (key, mine[key], value)


def test_a_missing_year_is_missing(lake):
    growth = ours(lake, "private_enterprise_growth", grain="year")
    assert growth[("2021-01-01",)] is None and growth[("2022-01-01",)] is None
    assert growth[("2020-01-01",)] is not None and growth[("2023-01-01",)] is not None


def test_cumulative_and_rates_per_day(lake, duck):
    quarters = theirs(duck, reference.query(reference.MODELS["relief"], "relief_granted", None, "quarter"))
    for key, value in ours(lake, "relief_year_to_date", grain="quarter").items():
        if value is not None:
            total = sum(amount for quarter, amount in quarters.items() if quarter[0][:4] == key[0][:4] and quarter <= key)
            assert math.isclose(value, total, rel_tol=1e-12), key
    span = "select min(cast(approved_at as date)), max(cast(approved_at as date)), count(*) from market.registrations"
    first, last, count = duck.execute(span).fetchone()
    working = duck.execute("select count(*) from calendar where working and day between ? and ?", [first, last]).fetchone()
    per_day, = ours(lake, "new_registrations_per_day").values()
    per_working_day, = ours(lake, "new_registrations_per_working_day").values()
    assert math.isclose(per_day, count / ((last - first).days + 1), rel_tol=1e-12)
    assert math.isclose(per_working_day, count / working[0], rel_tol=1e-12)


def test_every_metric_is_compared(lake):
    listed = {json.loads(line)["name"] for line in lake.run("--format", "ndjson", "metric", "list").stdout.splitlines()
              if '"name"' in line}
    compared = {metric for model in reference.MODELS.values() for metric in model.metrics} | reference.GROWTH.keys()
    compared |= {"relief_year_to_date", "new_registrations_per_day", "new_registrations_per_working_day"}
    # Rankings and the census are a handful of rows: the tests of the example hold them.
    beside = {"business_environment_rank", "real_estate_efficiency_rank", "population", "population_change_20_years"}
    assert listed - compared - beside == set(), "add these to reference.py"
