"""Starts a server, waits until it listens, reloads it, and ends it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from discordianai.sandbox.certificates import Authority

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
"""Where servers are: Debian keeps some of them off the path of ordinary people."""

START_TIMEOUT = 15.0
STOP_TIMEOUT = 5.0
ATTEMPTS = 3
"""Another process may take a port between the moment it was found free and the server's start."""

LARGE = bytes(range(256)) * 81_920
"""20 MiB, which every server has under /files/large."""


class NotStarted(Exception):
    """A server ended, or did not listen in time; the text has what it wrote."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs, and what its configuration names. `backend` is a port, 0 where none is needed."""

    folder: Path
    port: int
    admin: int
    backend: int

    @property
    def certificate(self) -> Path:
        """The chain, in PEM."""
        return self.folder / "certificate.pem"

    @property
    def key(self) -> Path:
        """Of the certificate."""
        return self.folder / "key.pem"

    @property
    def files(self) -> Path:
        """The document root."""
        return self.folder / "www"

    def write(self, name: str, text: str) -> Path:
        """A file of the configuration."""
        path = self.folder / name
        path.write_text(text)
        return path


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens at `url`."""

    kind: "Kind"
    url: str
    place: Place
    process: "subprocess.Popen[bytes]"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)


Command = list[str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of server: `configure` writes its files and says how it is started; `reload`, if it can.

    `rejects` is the status with which it answers PATCH /reject before the body was read; None if it cannot.
    `backed`: its answers come from a plain server behind it.
    """

    name: str
    program: str
    package: str
    configure: Callable[[Place, str], Command]
    reload: Callable[[Running], None] | None = None
    rejects: int | None = 413
    backed: bool = False

    def installed(self) -> str | None:
        """Where its program is, if it is anywhere."""
        beside_python = str(Path(sys.executable).parent)
        return shutil.which(self.program, path=f"{beside_python}:{PATH}")

    @property
    def missing(self) -> str:
        """For whoever wants to know why it was left out."""
        return f"{self.name} is not installed ({self.package})"


@contextmanager
def open_server(kind: Kind, authority: Authority) -> Iterator[Running]:
    """Run a server while the block runs. Raises `NotStarted`."""
    program = kind.installed()
    if program is None:
        raise NotStarted(kind.missing)
    for attempt in range(1, ATTEMPTS + 1):
        with ExitStack() as stack:
            try:
                running = stack.enter_context(_started(kind, program, authority))
            except NotStarted:
                if attempt == ATTEMPTS:
                    raise
                continue
            yield running
            return


@contextmanager
def _started(kind: Kind, program: str, authority: Authority) -> Iterator[Running]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"servers-{kind.name}-")))
        place = Place(folder, free_port(), free_port(), free_port() if kind.backed else 0)
        _prepare(place, authority)
        if kind.backed:
            command = [sys.executable, "-m", "tests.transport.servers.backend", str(place.backend)]
            stack.enter_context(run_process(command, folder / "backend.log", place.backend))
        command = kind.configure(place, program)
        process = stack.enter_context(run_process(command, folder / "output.log", place.port))
        yield Running(kind, f"https://127.0.0.1:{place.port}", place, process)


def _prepare(place: Place, authority: Authority) -> None:
    place.folder.chmod(0o755)  # some servers read their files as another user
    (place.files / "files").mkdir(parents=True)
    (place.files / "files" / "large").write_bytes(LARGE)
    (place.files / "files" / "medium").write_bytes(LARGE[:2_097_152])
    authority.certificate.private_key_pem.write_to_path(place.key)
    authority.certificate.cert_chain_pems[0].write_to_path(place.certificate)
    pair = place.key.read_bytes() + place.certificate.read_bytes()
    (place.folder / "both.pem").write_bytes(pair)  # haproxy wants them in one file


@contextmanager
def run_process(command: Command, log: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # a server from the system's folders, with our own files
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await_port(process, port, log)
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Its workers share its session, and go with it."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _await_port(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise NotStarted(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')}")


def free_port() -> int:
    """One on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
