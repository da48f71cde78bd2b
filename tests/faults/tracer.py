"""Watches another process's system calls that reach the outside, over all its threads, and kills it at a chosen one.

`python -m tests.faults.tracer PID` prints `ready`, then one JSON line a call: what goes onto a TCP socket or into a file, and what makes a
file durable. `--kill N` ends the process (SIGKILL) as it enters the Nth such call, which then has no effect. `strace -e inject` counts in
each thread by itself, and the server's threads come and go; this counts in the order in which the process calls. Linux on x86-64 and
aarch64 only; root, or a kernel that lets one trace one's own processes.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import ctypes
import json
import os
import platform
import signal
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

_X86 = {1: "write", 18: "pwrite64", 20: "writev", 44: "sendto", 46: "sendmsg", 74: "fsync", 75: "fdatasync", 77: "ftruncate"}
_X86 |= {296: "pwritev", 307: "sendmmsg", 87: "unlink", 82: "rename"}
_ARM = {64: "write", 68: "pwrite64", 66: "writev", 206: "sendto", 211: "sendmsg", 82: "fsync", 83: "fdatasync", 46: "ftruncate"}
_ARM |= {70: "pwritev", 269: "sendmmsg", 35: "unlinkat", 276: "renameat2"}
CALLS = {"x86_64": _X86, "aarch64": _ARM}
PATHS = {"unlink": (0,), "unlinkat": (1,), "rename": (0, 1), "renameat2": (1, 3)}
"""Calls that name files instead of a descriptor, and which arguments are the names."""

SEIZE, INTERRUPT, LISTEN, GET_SYSCALL_INFO, SYSCALL = 0x4206, 0x4207, 0x4208, 0x420E, 24
TRACESYSGOOD, TRACECLONE = 1, 8
ENTRY, EXIT, EVENT_STOP, WALL = 1, 2, 128, 0x40000000
_GROUP_STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}


@dataclass(slots=True)
class Call:
    """One call. `to` is a path, or `tcp`; `port` is the peer's, `here` ours, `socket` the inode; `data` is base64."""

    number: int
    name: str
    at: float
    to: str
    here: int = 0
    port: int = 0
    socket: int = 0
    offset: int = 0
    data: str = ""
    result: int = 0


@dataclass(slots=True)
class Tracer:
    """Traces all threads of a process; `kill` is the number of the call that ends it, 0 for none."""

    pid: int
    kill: int = 0
    names: dict[int, str] = field(default_factory=lambda: CALLS[platform.machine()])
    seen: int = 0
    open: dict[int, Call | None] = field(default_factory=dict)  # by thread, the call that it is in
    tcp: dict[int, tuple[int, int]] = field(default_factory=dict)  # by inode, the ports here and there
    other: set[int] = field(default_factory=set)  # inodes of sockets that stay on this machine's inside

    def attach(self) -> None:
        """Returns once every thread is traced. Raises `OSError`."""
        seized: set[int] = set()
        while fresh := {int(name) for name in os.listdir(f"/proc/{self.pid}/task")} - seized:
            for tid in fresh:
                try:
                    _ptrace(SEIZE, tid, TRACESYSGOOD | TRACECLONE)
                    _ptrace(INTERRUPT, tid, 0)
                except ProcessLookupError:
                    pass  # the thread has ended meanwhile
            seized |= fresh

    def calls(self) -> Iterator[Call]:
        """Each call once it has ended, in the order of ending, until the process is gone; the last one where it was killed at one."""
        while True:
            try:
                tid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return
            if os.WIFSTOPPED(status):
                yield from self._stopped(tid, status)
            elif tid == self.pid:
                return

    def _stopped(self, tid: int, status: int) -> Iterator[Call]:
        number, event, pass_on = os.WSTOPSIG(status), status >> 16, 0
        if number == signal.SIGTRAP | 0x80:
            kind, *call = _syscall(tid)
            if kind == ENTRY:
                self.open[tid] = self._entered(tid, call)
                if self.kill and self.seen == self.kill and (struck := self.open[tid]):
                    os.kill(self.pid, signal.SIGKILL)
                    yield struck
                    return
            elif kind == EXIT and (ended := self.open.pop(tid, None)):
                ended.result = call[0]
                yield ended
        elif event == EVENT_STOP and number in _GROUP_STOPS:
            return _ptrace_if_there(LISTEN, tid)
        elif not event:
            pass_on = number
        _ptrace_if_there(SYSCALL, tid, pass_on)

    def _entered(self, tid: int, call: list[int]) -> Call | None:
        name = self.names.get(call[0], "")
        if not name:
            return None
        at, arguments = time.time(), call[1:]
        if name in PATHS:
            paths = [_string(tid, arguments[number]) for number in PATHS[name]]
            return self._count(Call(0, name, at, "\n".join(paths)))
        made = self._target(tid, Call(0, name, at, "", socket=arguments[0]))
        if made is None:
            return None
        if name in {"pwrite64", "pwritev"}:
            made.offset = arguments[3]
        elif name == "ftruncate":
            made.offset = arguments[1]
        made.data = base64.b64encode(_data(tid, name, arguments)).decode()
        return self._count(made)

    def _count(self, call: Call) -> Call:
        self.seen += 1
        call.number = self.seen
        return call

    def _target(self, tid: int, call: Call) -> Call | None:
        """Fills in where it goes; None for pipes, devices, and sockets between threads."""
        to = os.readlink(f"/proc/{tid}/fd/{call.socket}")
        call.socket = 0
        if to.startswith("socket:["):
            inode = int(to[8:-1])
            if inode not in self.tcp and inode not in self.other:
                self.tcp |= _tcp(tid)
                self.other |= {inode} - set(self.tcp)
            if inode in self.other:
                return None
            call.to, call.socket = "tcp", inode
            call.here, call.port = self.tcp[inode]
        elif to.startswith("/") and not to.startswith("/dev/"):
            call.to = to
        else:
            return None
        return call


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, tid: int, data: int, address: int = 0) -> None:
    if _libc.ptrace(request, tid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")


def _ptrace_if_there(request: int, tid: int, data: int = 0) -> None:
    with contextlib.suppress(ProcessLookupError):  # killed meanwhile
        _ptrace(request, tid, data)


def _syscall(tid: int) -> list[int]:
    """`[ENTRY, number, six arguments]` or `[EXIT, result]` (`struct ptrace_syscall_info`); `[0]` for a thread that is gone."""
    held = ctypes.create_string_buffer(88)
    try:
        _ptrace(GET_SYSCALL_INFO, tid, ctypes.addressof(held), len(held))
    except ProcessLookupError:
        return [0]
    return [held.raw[0], *(struct.unpack_from("7Q", held.raw, 24) if held.raw[0] == ENTRY else struct.unpack_from("q", held.raw, 24))]


def _memory(tid: int, address: int, size: int) -> bytes:
    handle = os.open(f"/proc/{tid}/mem", os.O_RDONLY)
    try:
        return os.pread(handle, size, address)
    finally:
        os.close(handle)


def _string(tid: int, address: int) -> str:
    return _memory(tid, address, 4096 - address % 4096).split(b"\0")[0].decode()


def _data(tid: int, name: str, arguments: list[int]) -> bytes:
    """What a call writes or sends."""
    if name in {"write", "pwrite64", "sendto"}:
        return _memory(tid, arguments[1], arguments[2])
    vector, count = arguments[1], arguments[2]
    if name in {"sendmsg", "sendmmsg"}:  # of several messages, the first
        vector, count = struct.unpack_from("2Q", _memory(tid, arguments[1], 32), 16)
    elif name not in {"writev", "pwritev"}:
        return b""
    parts = struct.iter_unpack("2Q", _memory(tid, vector, 16 * count))
    return b"".join(_memory(tid, address, size) for address, size in parts if size)


def _tcp(tid: int) -> dict[int, tuple[int, int]]:
    """By inode, the ports of all TCP sockets of that process's network."""
    found: dict[int, tuple[int, int]] = {}
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{tid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            found[int(fields[9])] = (int(fields[1].rpartition(":")[2], 16), int(fields[2].rpartition(":")[2], 16))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.tracer", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pid", type=int)
    parser.add_argument("--kill", type=int, default=0, metavar="N")
    asked = parser.parse_args()
    tracer = Tracer(asked.pid, asked.kill)
    tracer.attach()
    print("ready", flush=True)
    for call in tracer.calls():
        print(json.dumps(asdict(call)), flush=True)


if __name__ == "__main__":
    main()
