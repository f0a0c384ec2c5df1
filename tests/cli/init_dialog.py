"""Drives `discordianai init` in a terminal of its own, or without one, against the sandbox."""

import io
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.launcher import Sandbox, open_sandbox

LONGEST = 30
"""Seconds for one answer of the program."""

NUMBER, PASTE = r"Number \[1\]: ", "it is not shown: "

WITH_SYSTEM_FOLDERS = """
import sys
from pathlib import Path
from discordianai.cli import configuration
from discordianai.cli.main import main
from discordianai.operations.units.locations import UnitLocations
configuration.SYSTEM = UnitLocations(Path({units!r}), Path({configuration!r}), of_user=False)
sys.exit(main(sys.argv[1:]))
"""
"""The program, whose folders of the machine are the test's own."""

Script = Sequence[tuple[str, str]]
"""What the program says last, as a pattern, and what is typed then."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was on the screen, and the exit status."""

    screen: str
    status: int | None


@dataclass(slots=True)
class Operator:
    """Somebody in a folder of their own, with a home that was empty before."""

    sandbox: Sandbox
    folder: Path
    home: Path
    program: list[str] = field(default_factory=lambda: ["-m", "discordianai"])
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def services(self) -> list[str]:
        """The options that make the sandbox's services the usual ones."""
        keys = {
            "discord.api_url": self.sandbox.discord.api_url,
            "providers.openai.base_url": self.sandbox.openai.url,
            "providers.openai.dialect": "responses",
            "providers.perplexity.base_url": self.sandbox.perplexity.url,
            "providers.perplexity.dialect": "agent",
        }
        return [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret of the sandbox."""
        return (
            self.sandbox.discord.options.token,
            *(service.options.api_key for service in self.sandbox.providers),
        )

    def _environment(self) -> Mapping[str, str]:
        own = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / ".config"), "TERM": "dumb"}
        return {**self.sandbox.environment, **own, **self.environment}

    async def types(self, script: Script, *options: str) -> Outcome:
        """In a terminal: answer what is asked, by the script, until the program ends."""
        return await trio.to_thread.run_sync(self._drive, script, options)

    def _drive(self, script: Script, options: Sequence[str]) -> Outcome:
        arguments = [*self.program, "init", *options]
        screen = io.StringIO()
        child = pexpect.spawn(
            sys.executable,
            arguments,
            cwd=str(self.folder),
            env=dict(self._environment()),
            encoding="utf-8",
            codec_errors="surrogateescape",
            timeout=LONGEST,
            dimensions=(50, 200),
        )
        child.logfile_read = screen
        try:
            for expected, answer in script:
                child.expect(expected)
                if answer in {"\x03", "\x04"}:
                    child.send(answer)
                else:
                    child.sendline(answer)
            child.expect(pexpect.EOF)
        except (pexpect.EOF, pexpect.TIMEOUT):
            raise AssertionError(f"in place of {expected!r}:\n{screen.getvalue()}") from None
        finally:
            child.close()
        return Outcome(screen.getvalue().replace("\r\n", "\n"), child.exitstatus)

    async def runs(self, *arguments: str) -> Outcome:
        """Without a terminal: any command."""
        done = await trio.run_process(
            [sys.executable, *self.program, *arguments],
            cwd=self.folder,
            env=dict(self._environment()),
            stdin=subprocess.DEVNULL,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return Outcome(done.stdout.decode(), done.returncode)

    def files(self) -> dict[str, tuple[str, str]]:
        """Every file in the folder and the home: its mode and its content."""
        return {
            str(path.relative_to(base)): (f"{path.stat().st_mode & 0o7777:o}", path.read_text())
            for base in (self.folder, self.home)
            for path in base.rglob("*")
            if path.is_file()
        }


@asynccontextmanager
async def operator(tmp_path: Path, authority: Authority) -> AsyncIterator[Operator]:
    """An operator beside a running sandbox; the folder has a space in its name."""
    folders = [tmp_path / name for name in ("sandbox", "my bot", "home")]
    for folder in folders:
        folder.mkdir()
    services, folder, home = folders
    async with open_sandbox(services, authority=authority) as sandbox:
        yield Operator(sandbox, folder, home)
