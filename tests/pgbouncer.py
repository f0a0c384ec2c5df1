"""A real PgBouncer in transaction mode before a cluster."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.postgres_cluster import ROLE, SUPERUSER, Cluster
from discordianai.sandbox.unprivileged import unprivileged

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"
ATTEMPTS, START_TIMEOUT, STOP_TIMEOUT = 3, 10.0, 5.0

CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={cluster}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/userlist.txt
admin_users = {superuser}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
logfile = {folder}/pgbouncer.log
pidfile =
"""
"""Otherwise as it comes: it ignores no startup parameter, and keeps no prepared statements before 1.21."""


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """One that runs, and the cluster behind it."""

    cluster: Cluster
    port: int
    process: "subprocess.Popen[bytes]"

    def url_of(self, database: str, role: str = ROLE) -> str:
        """Of a database of the cluster, through PgBouncer."""
        return self.cluster.url_of(database, self.port, role)


def installed() -> str | None:
    """Where the program is, if it is anywhere."""
    return shutil.which("pgbouncer", path=PATH)


@contextmanager
def open_pgbouncer(cluster: Cluster, pool_size: int = 5) -> Iterator[PgBouncer]:
    """Run it while the block runs, with at most `pool_size` server connections for each database.

    Raises `RuntimeError`.
    """
    program = installed()
    if program is None:
        raise RuntimeError("PgBouncer is not installed")
    account = unprivileged()
    with account.folder("discordianai-pgbouncer-") as folder:
        users, ini = folder / "userlist.txt", folder / "pgbouncer.ini"
        users.write_text("".join(f'"{name}" "{cluster.password}"\n' for name in (ROLE, SUPERUSER)))
        account.give(users)
        for attempt in range(1, ATTEMPTS + 1):
            port = free_port()
            ini.write_text(
                CONFIGURATION.format(
                    cluster=cluster.port, port=port, folder=folder, superuser=SUPERUSER, pool_size=pool_size
                )
            )
            account.give(ini)
            with (folder / "output.log").open("wb") as output:
                process = account.start([program, ini], output)
            try:
                if _listens(process, port):
                    yield PgBouncer(cluster, port, process)
                    return
                if attempt == ATTEMPTS:
                    raise RuntimeError(f"PgBouncer: {(folder / 'output.log').read_text(errors='replace')}")
            finally:
                _end(process)


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()  # at once, whoever is connected
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
