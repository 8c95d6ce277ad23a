"""DuckDB as a peer in one process: one JSON command a line on stdin, one JSON answer a line on stdout.

    {"sql": SQL, "repeat": N}                                            -> {"seconds": [...]}
    {"lake": FOLDER, "tables": [...]}                                    -> {}
    {"metric": NAME, "dimension": D, "grain": G, "repeat": N}            -> {"seconds": [...]}

A metric runs the hand-written SQL of the interoperability tests over the lake that was opened.
"""

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cli" / "tests" / "interop"))
import duckdb
import reference


def timed(connection, sql, repeat):
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        connection.execute(sql).fetchall()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


def main():
    threads = int(sys.argv[1])
    connection = duckdb.connect()
    connection.execute(f"set threads = {threads}")
    for line in sys.stdin:
        command = json.loads(line)
        if "lake" in command:
            connection = reference.open_lake(pathlib.Path(command["lake"]), command["tables"])
            connection.execute(f"set threads = {threads}")
            answer = {}
        elif "metric" in command:
            model = next(model for model in reference.MODELS.values() if command["metric"] in model.metrics)
            sql = reference.query(model, command["metric"], command["dimension"], command["grain"])
            answer = timed(connection, sql, command["repeat"])
        else:
            answer = timed(connection, command["sql"], command["repeat"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
