"""What a process takes, from /proc, and programs that run beside a benchmark and end with it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio


def resident_mb(pid: int | str = "self", *, most: bool = False) -> float:
    """Resident memory now, or the most there ever was. Raises `OSError` where there is no such process."""
    key = "VmHWM:" if most else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {key} in /proc/{pid}/status")


def processor_seconds(pid: int, thread: int | None = None) -> float:
    """CPU time up to now, in user and kernel, of a process or of one of its threads. See proc(5)."""
    stat = Path(f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat")
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    """Descriptors: sockets, files, pipes."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


class Program:
    """A running module of this package; made by `open_program`."""

    def __init__(self, process: trio.Process, name: str) -> None:
        self._process = process
        self._name = name
        self._pieces = b""

    async def line(self) -> str:
        """The next line that it prints. Raises `EOFError` if it ends instead; the caller bounds the wait."""
        assert self._process.stdout is not None
        while b"\n" not in self._pieces:
            piece = await self._process.stdout.receive_some()
            if not piece:
                raise EOFError(f"{self._name} has ended")
            self._pieces += piece
        line, _, self._pieces = self._pieces.partition(b"\n")
        return line.decode()


@asynccontextmanager
async def open_program(module: str, *arguments: object) -> AsyncIterator[Program]:
    """Run a module while the block runs, then kill it. Its errors go where ours go."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        yield Program(process, module)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            assert process.stdout is not None
            await process.stdout.aclose()
