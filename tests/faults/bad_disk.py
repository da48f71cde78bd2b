"""A disk that takes nothing, for a while: `strace -e inject` has the kernel refuse the server's calls on its database."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from tests.faults.harness import Town

FULL, FAILS = "pwrite64:error=ENOSPC", "fdatasync:error=EIO"


@contextlib.contextmanager
def bad_disk(here: Town, error: str) -> Iterator[None]:
    """While this is open, every such call of the server on its SQLite files fails like that. Needs strace."""
    assert here.server is not None
    paths = [argument for name in ("tocsin.sqlite-wal", "tocsin.sqlite") for argument in ("-P", str(here.folder / "data" / name))]
    command = ["strace", "-f", "-p", str(here.server.pid), "-e", "trace=" + error.split(":")[0], "-e", f"inject={error}", *paths]
    with subprocess.Popen([*command, "-o", str(here.folder / "strace.txt")], stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        while "attached" not in (line := tracer.stderr.readline()):
            assert line, "strace did not attach"
        try:
            yield
        finally:
            tracer.terminate()
            tracer.stderr.read()
