"""The interactive shell in a real pseudo-terminal, as a person uses it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from conftest import BINARY

# What a terminal answers when it is asked where the cursor stands.
CURSOR_QUESTION, CURSOR_ANSWER = b"\x1b[6n", b"\x1b[1;1R"


class Shell:
    def __init__(self, project):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1", "HOME": str(project)}
        self.process = subprocess.Popen([str(BINARY), "--project", str(project), "sql"], stdin=slave, stdout=slave,
                                        stderr=slave, env=environment, start_new_session=True,
                                        # The controlling terminal, so that Ctrl-C is a signal.
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.seen = b""

    def send(self, keys: str):
        os.write(self.master, keys.encode())

    def read(self):
        """Takes what the shell wrote in a moment, and answers as a terminal does."""
        if not select.select([self.master], [], [], 0.2)[0]:
            return
        try:
            chunk = os.read(self.master, 65536)
        except OSError:
            return
        for _ in range(chunk.count(CURSOR_QUESTION)):
            os.write(self.master, CURSOR_ANSWER)
        self.seen += chunk

    def expect(self, pattern: str, raw: bool = False, seconds: float = 60) -> str:
        """Waits until what was written since the last match holds `pattern`; `raw`: control sequences count too."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            seen = self.seen if raw else re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", self.seen)
            text = seen.decode(errors="replace")
            if re.search(pattern, text, re.DOTALL):
                self.seen = b""
                return text
            self.read()
        raise AssertionError(f"no {pattern!r} in {self.seen.decode(errors='replace')[-2000:]}")

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        os.close(self.master)


def test_shell(lake):
    shell = Shell(lake.project)
    try:
        shell.expect("xiangyun")
        shell.send("select 40 + 2\r")
        shell.send("as answer;\r")
        shell.expect(r"answer.*42")
        shell.send("\\dt\r")
        shell.expect(r"civil|approvals|market")
        shell.send("\\df working_days_between\r")
        # Its description, which is no echo of what was typed, and then the editor that waits for the next line.
        shell.expect(r"Number of working days")
        shell.expect(r"xiangyun> ")
        shell.send("select no_such_column from information_schema.tables;\r")
        shell.expect(r"unknown column `no_such_column`")
        # Ctrl-C ends the query, not the shell: this one would run for hours.
        shell.send("select sum(a.value * b.value % 7) as s from generate_series(1, 100000) a "
                   "cross join generate_series(1, 1000000) b;\r")
        shell.expect(r"1000000\) b;.*\x1b\[\?2004l", raw=True)  # the line editor has handed the terminal over
        shell.send("\x03")
        shell.expect(r"[Cc]ancel")
        shell.send("select 7 * 6 as still_alive;\r")
        shell.expect(r"still_alive.*42")
        shell.send("\\q\r")
        assert shell.process.wait(timeout=60) == 0
    finally:
        shell.close()
