"""How long does the bot take until it is ready, and `check` to look at the settings?  `make bench-start`

The bot is the installed program as a process of its own, before the sandbox's Discord; it is ready when it
tells the service manager so.
Compared to: an interpreter that does nothing, and one that imports the Discord library alone, in turn.
Required, of the medians: less than 3 s for the bot, less than 0.7 s for `check`.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import trio

from benchmarks.harness import Report, alternate, command_line, parse
from discordianai.sandbox.discord import DiscordOptions
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox

READY_TIMEOUT = 30.0
"""Seconds."""

CHECK, BOT = "`discordianai check`, offline", "the bot, from its start to READY"
REQUIRED = {CHECK: "< 0.7 s", BOT: "< 3 s"}


async def until_ready(sandbox: Sandbox) -> float:
    """Seconds from the start of the process to its READY."""
    path = sandbox.folder / "notify.sock"
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        await notices.bind(str(path))
        try:
            environment = {**sandbox.environment, "NOTIFY_SOCKET": str(path)}
            began = time.perf_counter()
            async with open_bot(replace(sandbox, environment=environment)):
                with trio.fail_after(READY_TIMEOUT):
                    while b"READY=1" not in (await notices.recv(4096)).splitlines():
                        pass
                return time.perf_counter() - began
        finally:
            path.unlink()


async def until_ended(environment: Mapping[str, str], *arguments: str) -> float:
    """Seconds that such an interpreter lives. Raises `RuntimeError` if it did not do its work."""
    began = time.perf_counter()
    command = [sys.executable, *arguments]
    done = await trio.run_process(command, env=dict(environment), stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in {0, 1}:  # 1: `check` has found something to put right
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}")
    return seconds


async def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """The seconds of each, by its name; a round before the first fills the caches."""
    identify_at_once = DiscordOptions(identify_interval=0.0)
    async with open_sandbox(folder, discord=identify_at_once) as sandbox:
        check = ("-m", "discordianai", "check", "--settings", str(sandbox.settings))
        found = await alternate(
            rounds + 1,
            {
                "an interpreter that does nothing": partial(until_ended, os.environ, "-c", ""),
                "the Discord library's import": partial(until_ended, os.environ, "-c", "import interactions"),
                CHECK: partial(until_ended, sandbox.environment, *check),
                BOT: partial(until_ready, sandbox),
            },
        )
    return {name: seconds[1:] for name, seconds in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit status."""
    options = parse(command_line(__doc__, rounds=10), arguments)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        found = trio.run(measure, Path(folder), options.rounds)
    report.table(f"{options.rounds} times in turn", "median", "longest", "required")
    for name, seconds in found.items():
        required = REQUIRED.get(name, "")
        shown = f"{median(seconds):.2f} s", f"{max(seconds):.2f} s"
        report.row(name, *shown, required=required, measured=median(seconds))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
