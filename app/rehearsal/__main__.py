"""`python -m app.rehearsal`: all stand-ins in a process of their own.

Prints one JSON line (`main` and each platform's address) once everything listens, and ends on SIGTERM, on SIGINT, or, with
`--die-with-parent`, when its standard input ends, so that a killed parent leaves no orphan.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from app.rehearsal.stand_ins import x_text
from app.rehearsal.stand_ins.server import main_port, start_in_process


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.rehearsal", description="Stand-ins of the platforms, on loopback.")
    parser.add_argument("--ports-file", type=Path, help="also write the JSON line to this file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--die-with-parent", action="store_true", help="end when standard input ends")
    asked = parser.parse_args()
    asyncio.run(_serve(asked.host, asked.ports_file, asked.die_with_parent))


async def _serve(host: str, ports_file: Path | None, die_with_parent: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with start_in_process(host) as running, main_port(running, host) as base:
        line = json.dumps({"main": base} | running.addresses)
        if ports_file:
            _write_whole(ports_file, line)
        print(line, flush=True)
        if die_with_parent:
            threading.Thread(target=_watch_stdin, args=(lambda: loop.call_soon_threadsafe(stop.set),), daemon=True).start()
        # Loads X's counting now, so that it delays no first post; a daemon, so that it holds up no exit.
        threading.Thread(target=x_text.weight, args=("warm",), daemon=True).start()
        await stop.wait()


def _watch_stdin(ended: Callable[[], object]) -> None:
    """Reads to the end in a thread: any kind of standard input will do, and an open one holds up no exit."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ended()


def _write_whole(path: Path, line: str) -> None:
    """So that who waits for the file never reads half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(line + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
