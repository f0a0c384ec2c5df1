"""How long the bot takes to be ready, and `check` to look at the settings: `make bench-start`.

The bot is the installed program as a process of its own, before the sandbox's Discord; READY is what it tells
the service manager. Beside them an interpreter that does nothing, and one that imports the Discord library
alone. In turn.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import trio

from benchmarks.discord_measuring import busy, heading, row
from discordianai.sandbox.discord import DiscordOptions
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox

READY_TIMEOUT = 30.0
"""Seconds."""


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
    done = await trio.run_process(
        [sys.executable, *arguments], env=dict(environment), stdout=subprocess.DEVNULL, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode not in {0, 1}:  # 1: `check` has found something to put right
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}")
    return seconds


async def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """The seconds of each, by its name; a round before the first fills the caches."""
    found: dict[str, list[float]] = {}
    again_at_once = DiscordOptions(identify_interval=0.0)
    async with open_sandbox(folder, discord=again_at_once) as sandbox:
        check = ("-m", "discordianai", "check", "--settings", str(sandbox.settings))
        for number in range(rounds + 1):
            seconds = {
                "an interpreter that does nothing": await until_ended(os.environ, "-c", ""),
                "the Discord library's import": await until_ended(os.environ, "-c", "import interactions"),
                "`discordianai check`, offline": await until_ended(sandbox.environment, *check),
                "the bot, from its start to READY": await until_ready(sandbox),
            }
            if number:
                for name, value in seconds.items():
                    found.setdefault(name, []).append(value)
    return found


REQUIRED = {"`discordianai check`, offline": "< 0.7 s", "the bot, from its start to READY": "< 3 s"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    load = busy()
    with tempfile.TemporaryDirectory() as name:
        found = trio.run(measure, Path(name), options.rounds)
    heading(f"{options.rounds} times in turn", "median", "longest", "required")
    for name, seconds in found.items():
        row(name, f"{median(seconds):.2f} s", f"{max(seconds):.2f} s", REQUIRED.get(name, ""))
    print(f"\nLoad before: {load}.")


if __name__ == "__main__":
    main()
