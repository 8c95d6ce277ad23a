"""The interface against its own document: schemathesis makes requests of it, sound and broken ones, and looks at every reply."""

import hashlib
import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import Server

TOKEN = "a token that only this test knows"
# Each has the operation of any metric, with its own values; one stands for all.
METRIC = "approvals_on_time_share"
CONFIG = """
[checks]
# What is sound for the document may still be no SQL, name no table, or ask for two things that do not go together.
positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 409, 422]
"""
HOOKS = '''
import schemathesis

@schemathesis.hook
def filter_failure(context, failure, case, response):
    # A form sends its empty fields: they count as not given, which the document has no words for.
    emptied = "" in (case.query or {}).values()
    return not (emptied and type(failure).__name__ == "AcceptedNegativeData")
'''


@pytest.fixture(scope="module")
def secured(lake):
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    caller = f'name = "tester"\nagency = "*"\nclass = "operator"\nsha256 = "{digest}"\n'
    tokens = lake.project / "tokens.toml"
    tokens.write_text(f"version = 1\n[[tokens]]\n{caller}")
    server = Server(lake, "--set", f"server.tokens={tokens}")
    yield server
    server.process.terminate()
    assert server.process.wait(timeout=60) == 0


def test_every_reply_is_documented(secured, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "hooks.py").write_text(HOOKS)
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml",
        "run", f"{secured.address}/v1/openapi.json", "--header", f"Authorization: Bearer {TOKEN}",
        "--exclude-path-regex", rf"^/v1/metrics/(?!{METRIC}$|\{{name\}}$)", "--phases", "examples,coverage,fuzzing",
        "--max-examples", "25", "--request-timeout", "300", "--generation-deterministic", "--continue-on-failure", "--no-color",
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
    generated = re.search(r"(\d+) generated", run.stdout)
    assert int(generated[1]) > 500, run.stdout[-2000:]
