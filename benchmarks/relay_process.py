"""A TCP relay in a process of its own, so that what goes through it does not wait for the sandbox's loop."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from discordianai.sandbox.tcp_relay import Passing, open_relay


@dataclass(frozen=True, slots=True)
class RelayProcess:
    """Listens on `port` of 127.0.0.1. Made by `open_relay_process`."""

    port: int
    process: trio.Process

    async def change(
        self,
        *,
        accepting: bool = True,
        to_server: Passing = Passing.ALL,
        to_client: Passing = Passing.ALL,
        cut: bool = False,
    ) -> None:
        """Do all of this at once; see `TcpRelay`."""
        command = {"accepting": accepting, "ways": [to_server.name, to_client.name], "cut": cut}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        await self.process.stdin.send_all(json.dumps(command).encode() + b"\n")
        await self.process.stdout.receive_some()  # it is done


@asynccontextmanager
async def open_relay_process(target: int) -> AsyncIterator[RelayProcess]:
    """Relay to that port of this machine while the block runs."""
    command = [sys.executable, "-m", "benchmarks.relay_process", str(target)]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield RelayProcess(int(await process.stdout.receive_some()), process)
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()


async def _serve(target: int) -> None:
    async with open_relay(target) as relay:
        print(relay.port, flush=True)
        lines = trio.wrap_file(sys.stdin)
        async for line in lines:
            command = json.loads(line)
            relay.accepting = command["accepting"]
            relay.let_pass(*(Passing[name] for name in command["ways"]))
            if command["cut"]:
                relay.cut()
            print("done", flush=True)


if __name__ == "__main__":
    trio.run(_serve, int(sys.argv[1]))
