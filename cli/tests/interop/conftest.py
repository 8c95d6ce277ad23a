"""The demo's lake, loaded once by the binary, for readers that know nothing of Xiangyun."""

import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import pyarrow as pa
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = pathlib.Path(os.environ.get("XIANGYUN_BINARY", TARGET / "debug" / "xiangyun"))
# Small enough for a debug build; every data set still has rows in every prefecture.
SCALE = "0.1"


class Lake:
    """A loaded project: runs the binary over it."""

    def __init__(self, project: pathlib.Path):
        self.project = project
        self.root = project / "lake"

    def run(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        command = [str(BINARY), "--project", str(self.project), *arguments]
        return subprocess.run(command, capture_output=True, check=True, timeout=600, **options)

    def sql(self, sql: str) -> pa.Table:
        output = self.run("--format", "arrow", "sql", "-c", sql).stdout
        return pa.ipc.open_stream(io.BytesIO(output)).read_all()

    def tables(self) -> list[str]:
        rows = self.sql("select table_schema || '.' || table_name as name from information_schema.tables "
                        "where table_type = 'BASE TABLE' order by 1").column("name").to_pylist()
        return [name for name in rows if not name.startswith(("system.", "information_schema."))]


@pytest.fixture(scope="session")
def lake(tmp_path_factory) -> Lake:
    project = tmp_path_factory.mktemp("interop") / "jilin"
    shutil.copytree(ROOT / "examples" / "jilin", project, ignore=shutil.ignore_patterns("lake"))
    lake = Lake(project)
    lake.run("load", "--scale", SCALE)
    return lake


class Server:
    """`xiangyun serve` over the lake, on a free port."""

    def __init__(self, lake: Lake, *arguments: str):
        command = [str(BINARY), "--project", str(lake.project), "serve", "--listen", "127.0.0.1:0", *arguments]
        log = lake.project / f"serve-{len(arguments)}.log"  # a file: nobody empties a pipe while the tests run
        with log.open("w") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr)
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert self.process.poll() is None, log.read_text()
            time.sleep(0.05)
        self.address = found[0]

    def get(self, path: str, **parameters) -> dict:
        given = {name: value for name, value in parameters.items() if value is not None}
        with urllib.request.urlopen(f"{self.address}{path}?{urllib.parse.urlencode(given)}", timeout=300) as reply:
            return json.load(reply)


@pytest.fixture(scope="session")
def server(lake):
    server = Server(lake)
    yield server
    server.process.terminate()
    assert server.process.wait(timeout=60) == 0
