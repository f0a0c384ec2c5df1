"""A PostgreSQL cluster in a temporary folder, which goes with the block that started it.

It listens on 127.0.0.1 only and wants a password, as one on a network would. Root's cluster runs as an
unprivileged user, since PostgreSQL refuses root. Everything here blocks; `open_cluster` takes
a second or two.
"""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.postgres_programs import PostgresMissing, Programs, find_programs
from discordianai.sandbox.unprivileged import Account, unprivileged

__all__ = ["Cluster", "ClusterFailed", "ClusterOptions", "PostgresMissing", "open_cluster"]

SUPERUSER, ROLE = "postgres", "discordianai"
"""Who made the cluster, and as whom the bot connects: the role owns its database, and may do nothing else."""

DATABASE = "discordianai"

START_TIMEOUT, FAST_TIMEOUT, IMMEDIATE_TIMEOUT = 60.0, 10.0, 5.0
"""Seconds for initdb or a start; for a fast shutdown, which rolls back what is open; for an immediate one."""

ATTEMPTS = 5
"""Another process may take the port between the moment it was found free and the start."""

ENDED = frozenset("ZX")
"""States of processes in /proc."""

LOOK_EVERY = 0.01
"""Seconds."""


class ClusterFailed(Exception):
    """PostgreSQL did not start, or refused a statement; the text has its last lines."""


class _PortTaken(Exception):
    """Somebody else listens there meanwhile."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """`fsync` is off only where nothing is measured and nothing is killed. `settings` are further ones."""

    fsync: bool = True
    max_connections: int = 100
    settings: Mapping[str, str] | None = None


class Cluster:
    """A running cluster, made by `open_cluster`."""

    def __init__(self, programs: Programs, account: Account, folder: Path, options: ClusterOptions) -> None:
        self.programs = programs
        self.password = secrets.token_urlsafe(16)
        """Of `ROLE` and `SUPERUSER`."""
        self.port = 0
        self.folder = folder
        self._account = account
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.folder / "postgres.log"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Of the bot's database, without the password."""
        return self.url_of(DATABASE)

    def url_of(self, database: str, port: int | None = None, role: str = ROLE) -> str:
        """Of any of its databases; through another `port`, that of a proxy."""
        return f"postgresql://{role}@127.0.0.1:{port or self.port}/{database}"

    def sql(self, statements: str, database: str = DATABASE, role: str = SUPERUSER) -> str:
        """Run statements through psql; what they answer, unaligned. Raises `ClusterFailed`."""
        command = [
            str(self.programs.folder / "psql"),
            *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
            *("--dbname", self.url_of(database, role=role), "--file=-"),
        ]
        environment = {**os.environ, "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "10"}
        done = subprocess.run(  # noqa: S603  # psql, with what this program asks for
            command, input=statements, capture_output=True, text=True, check=False, env=environment
        )
        if done.returncode:
            raise ClusterFailed(done.stderr.strip())
        return done.stdout.strip()

    def create_database(self, name: str, template: str = "template0") -> None:
        """A database that belongs to `ROLE`. Raises `ClusterFailed`."""
        self.sql(f'CREATE DATABASE "{name}" OWNER {ROLE} TEMPLATE "{template}"', SUPERUSER)

    def drop_database(self, name: str) -> None:
        """Remove it, with whoever is connected to it. Raises `ClusterFailed`."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', SUPERUSER)

    # Faults

    def start(self) -> None:
        """Start it again, on the same port, after `stop`. Raises `ClusterFailed`."""
        try:
            self._start()
        except _PortTaken as error:
            raise ClusterFailed(f"port {self.port} is in use: {error}") from None

    def stop(self, *, immediate: bool = False) -> None:
        """Disconnect everybody and end it; `immediate` as if the power failed: the next start recovers.

        Bounded: a shutdown that takes too long becomes an immediate one, and that one SIGKILL.
        """
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if not immediate and _ends(process, signal.SIGINT, FAST_TIMEOUT):
                return
        finally:  # also after Ctrl-C, while it ended
            if process.poll() is None and not _ends(process, signal.SIGQUIT, IMMEDIATE_TIMEOUT):
                process.kill()  # its children notice, and end by themselves
                process.wait()

    def restart(self, *, immediate: bool = False) -> None:
        """Stop and start it. Raises `ClusterFailed`."""
        self.stop(immediate=immediate)
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """None of its processes runs while the block runs: connections stay open, and nobody answers."""
        stopped = self._stop_all()
        try:
            while not all(map(_stands_still, stopped)):
                time.sleep(LOOK_EVERY)
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def processes(self) -> tuple[int, ...]:
        """The server's own process and its children, but for those that have ended. Only where there is a
        /proc."""
        if self._process is None:
            return ()
        own = self._process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return own, *(pid for pid in map(int, children) if _state(pid) not in ENDED)

    def _stop_all(self) -> tuple[int, ...]:
        """The server's own process first: then no new one appears."""
        own, *_ = self.processes()
        os.kill(own, signal.SIGSTOP)
        while not _stands_still(own):
            time.sleep(LOOK_EVERY)
        pids = self.processes()
        for pid in pids[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        return pids

    # Making it

    def make(self) -> None:
        """initdb, the first start, the role and the database. Raises `ClusterFailed`."""
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        self._account.give(password)
        done = self._account.run(
            [
                self.programs.folder / "initdb",
                *("--pgdata", self.data, "--username", SUPERUSER, "--pwfile", password),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            START_TIMEOUT,
        )
        password.unlink()
        if done.returncode:
            raise ClusterFailed(f"initdb: {_last_lines(done.stdout)}")
        self._start_on_a_free_port()
        self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.password}'", SUPERUSER)
        self.create_database(DATABASE)

    def _start_on_a_free_port(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self.port = free_port()
            try:
                self._start()
            except _PortTaken as error:
                if attempt == ATTEMPTS:
                    raise ClusterFailed(f"no port was free {ATTEMPTS} times: {error}") from None
            else:
                return

    def _start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._options.fsync else "off",
            "max_connections": str(self._options.max_connections),
            "shared_buffers": "64MB",
            "logging_collector": "off",
            **(self._options.settings or {}),
        }
        arguments = [each for name, value in settings.items() for each in ("-c", f"{name}={value}")]
        with self.log.open("ab") as output:
            began = output.tell()
            process = self._account.start(
                [self.programs.folder / "postgres", "-D", self.data, *arguments], output
            )
        self._process = process
        until = time.monotonic() + START_TIMEOUT
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                self._process = None
                self._tell_why(began)
            if time.monotonic() > until:
                self.stop(immediate=True)
                raise ClusterFailed(f"PostgreSQL is not ready after {START_TIMEOUT:g} s")
            time.sleep(LOOK_EVERY)

    def _is_ready(self, pid: int) -> bool:
        """As pg_ctl looks: the last line of the file that the server writes about itself."""
        with suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    def _tell_why(self, began: int) -> None:
        with self.log.open("rb") as log:
            log.seek(began)
            text = log.read().decode(errors="replace")
        error = _PortTaken if "could not bind" in text else ClusterFailed
        raise error(f"PostgreSQL ended: {_last_lines(text)}")


@contextmanager
def open_cluster(options: ClusterOptions | None = None) -> Iterator[Cluster]:
    """Run a cluster while the block runs; afterwards no process and no folder of it is left.

    Raises `PostgresMissing`, `unprivileged.NoAccount` and `ClusterFailed`.
    """
    programs, account = find_programs(), unprivileged()
    with account.folder("discordianai-postgres-") as folder:
        cluster = Cluster(programs, account, folder, options or ClusterOptions())
        try:
            cluster.make()
            yield cluster
        finally:
            cluster.stop()


def _ends(process: "subprocess.Popen[bytes]", number: signal.Signals, timeout: float) -> bool:
    process.send_signal(number)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stands_still(pid: int) -> bool:
    """Whether it is stopped, or has ended."""
    return _state(pid) in {"T", *ENDED}


def _state(pid: int) -> str:
    """As /proc has it; that of a process that nobody has waited for is Z, and X where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-5:])
