"""Polars, DuckDB and delta-rs read the lake's files as they are, and see what the engine sees."""

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable


def canonical(table: pa.Table) -> list[tuple]:
    """Rows as sorted tuples of text: order and physical type (dictionary, view, large) do not count. Our `*` gives no
    hidden columns, which others see as any other."""
    columns = []
    for name in sorted(name for name in table.column_names if not name.startswith("_")):
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = pc.cast(column, column.type.value_type)
        if pa.types.is_timestamp(column.type):
            column = pc.cast(column, pa.timestamp("us", "UTC"))
        columns.append(["∅" if value is None else str(value) for value in column.to_pylist()])
    return sorted(zip(*columns, strict=True))


HIDDEN = ["_run", "_file", "_line"]


def named(table: pa.Table) -> list[tuple]:
    """The hidden columns as [`canonical`] gives others."""
    return canonical(table.rename_columns([name.lstrip("_") for name in table.column_names]))


def test_every_table_reads_the_same_everywhere(lake):
    names = lake.tables()
    assert len(names) >= 10
    for name in names:
        path = str(lake.root.joinpath(*name.split(".")))
        ours = canonical(lake.sql(f"select * from {name}"))
        assert ours, f"{name} has no rows"
        delta = DeltaTable(path)
        assert canonical(pa.table(delta.to_pyarrow_table())) == ours, f"delta-rs: {name}"
        assert canonical(pl.read_delta(path).to_arrow()) == ours, f"polars: {name}"
        files = delta.file_uris()
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            read = connection.execute("select * from read_parquet(?, hive_partitioning = true, hive_types_autocast = false)",
                                      [files]).to_arrow_table()
        assert canonical(read) == ours, f"duckdb: {name}"


def test_hidden_columns_read_the_same_everywhere(lake):
    for name in lake.tables():
        path = str(lake.root.joinpath(*name.split(".")))
        ours = named(lake.sql(f"select _run, _file, _line from {name}"))
        assert all(run != "∅" and file != "∅" for file, _, run in ours), name
        assert named(pa.table(DeltaTable(path).to_pyarrow_table(columns=HIDDEN))) == ours, f"delta-rs: {name}"
        assert named(pl.read_delta(path).select(HIDDEN).to_arrow()) == ours, f"polars: {name}"
        with duckdb.connect() as connection:
            read = connection.execute("select _run, _file, _line from read_parquet(?)",
                                      [DeltaTable(path).file_uris()]).to_arrow_table()
        assert named(read) == ours, f"duckdb: {name}"


def test_a_second_load_changes_nothing(lake):
    before = lake.sql("select table_name, version from system.snapshots order by 1, 2").to_pylist()
    assert before
    lake.run("load", "--scale", "0.1")
    assert lake.sql("select table_name, version from system.snapshots order by 1, 2").to_pylist() == before
