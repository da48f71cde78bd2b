"""Watching the server's calls from a test: `tracing` runs `tracer.py` on it, and gathers what that prints."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.harness import Town
from tests.faults.tracer import Call


@dataclass(slots=True)
class Trace:
    """The calls so far, in the order of ending."""

    process: subprocess.Popen[str]
    calls: list[Call] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.calls.append(Call(**json.loads(line)))
        self.ended.set()


def tracing(here: Town, *, kill: int = 0) -> contextlib.AbstractContextManager[Trace]:
    """Traces the server while this is open; all calls are there afterwards. `kill` ends the server, and the trace, at that call."""
    assert here.server is not None
    return tracing_process(here.server.pid, kill=kill)


@contextlib.contextmanager
def tracing_process(pid: int, *, kill: int = 0) -> Iterator[Trace]:
    """The same for any process."""
    command = [sys.executable, "-m", "tests.faults.tracer", str(pid), "--kill", str(kill)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("The server cannot be traced: that takes root, or a kernel that lets one trace one's own processes.")
        trace = Trace(process)
        reading = threading.Thread(target=trace.read)
        reading.start()
        try:
            yield trace
        finally:
            process.terminate()
            reading.join()


def kind(call: Call) -> str:
    """`send`, `write` or `fsync`."""
    if call.name in {"fsync", "fdatasync"}:
        return "fsync"
    return "send" if call.to == "tcp" else "write"


def data(call: Call) -> bytes:
    """What it wrote or sent: as much of it as was taken."""
    return base64.b64decode(call.data)[: max(call.result, 0)]
