"""DuckDB as a peer: one JSON command a line on stdin, one JSON answer a line on stdout.

{"run": SQL, "repeat": N}  ->  {"seconds": [..], "rows": ROWS_OF_THE_LAST_RESULT}
{"setup": SQL}             ->  {}
"""

import json
import sys
import time

import duckdb

connection = duckdb.connect()
connection.execute("set threads = " + (sys.argv[1] if len(sys.argv) > 1 else "2"))
for line in sys.stdin:
    command = json.loads(line)
    if "setup" in command:
        connection.execute(command["setup"])
        answer = {}
    else:
        seconds = []
        for _ in range(command.get("repeat", 1)):
            start = time.perf_counter()
            rows = connection.execute(command["run"]).fetchall()
            seconds.append(time.perf_counter() - start)
        answer = {"seconds": seconds, "rows": len(rows)}
    print(json.dumps(answer), flush=True)
