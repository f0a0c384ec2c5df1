"""A temporary PostgreSQL cluster, and what it leaves behind."""

import os
import stat
import time
from pathlib import Path

import pytest

from discordianai.sandbox import postgres_cluster, postgres_programs
from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.postgres_cluster import Cluster, ClusterFailed, open_cluster
from discordianai.sandbox.postgres_programs import PostgresMissing, find_programs
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresDatabase

pytestmark = pytest.mark.slow


def is_gone(pid: int) -> bool:
    """No process has that id, but one that nobody has waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_gone(pids: tuple[int, ...]) -> bool:
    """Whether all of them are gone within seconds: PostgreSQL's children notice by themselves."""
    until = time.monotonic() + 5
    while time.monotonic() < until and not all(map(is_gone, pids)):
        time.sleep(0.02)
    return all(map(is_gone, pids))


def test_the_role_owns_its_database_and_may_nothing_else(postgres_database: PostgresDatabase) -> None:
    """The bot connects as an operator's would: it makes tables, and no databases or roles."""
    cluster, name = postgres_database.cluster, postgres_database.name
    assert cluster.sql("CREATE TABLE t (i int); SELECT current_user", name, "discordianai") == "discordianai"
    with pytest.raises(ClusterFailed, match="permission denied"):
        cluster.sql("CREATE ROLE other", name, "discordianai")


def test_nobody_gets_in_without_the_password(postgres_database: PostgresDatabase) -> None:
    """Other users of the machine reach the port, and nothing behind it."""
    cluster = postgres_database.cluster
    right, cluster.password = cluster.password, "wrong"
    try:
        with pytest.raises(ClusterFailed, match="password authentication failed"):
            postgres_database.sql("SELECT 1")
    finally:
        cluster.password = right
    assert stat.S_IMODE(cluster.folder.stat().st_mode) == 0o700


def test_nothing_is_left_after_an_error() -> None:
    """Neither a process nor a folder, whatever ends the block."""
    _skip_without_postgres()
    seen: list[tuple[tuple[int, ...], Path]] = []

    def fail_inside() -> None:
        with open_cluster() as cluster:
            seen.append((cluster.processes(), cluster.folder))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_inside()
    ((pids, folder),) = seen
    assert len(pids) > 3
    assert not folder.exists()
    assert wait_gone(pids)


def test_a_frozen_cluster_is_stopped_as_well() -> None:
    """A shutdown that nobody answers ends with SIGKILL, in bounded time."""
    _skip_without_postgres()
    began = time.monotonic()
    with open_cluster() as cluster:
        frozen = cluster.frozen()
        frozen.__enter__()
        pids = cluster.processes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postgres_cluster, "FAST_TIMEOUT", 0.2)
            patch.setattr(postgres_cluster, "IMMEDIATE_TIMEOUT", 0.2)
            cluster.stop()
        frozen.__exit__(None, None, None)
    assert wait_gone(pids)
    assert time.monotonic() - began < 20


def test_what_was_committed_survives_an_immediate_shutdown(durable_cluster: Cluster) -> None:
    """It is the cluster's own recovery that a test of outages relies on."""
    durable_cluster.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (7)")
    port = durable_cluster.port
    durable_cluster.restart(immediate=True)
    assert durable_cluster.sql("SELECT i FROM t") == "7"
    assert durable_cluster.port == port


def test_a_frozen_cluster_answers_nobody_until_it_goes_on(durable_cluster: Cluster) -> None:
    """All its processes stand still, those of open connections as well."""
    with durable_cluster.frozen():
        states = {
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            for pid in durable_cluster.processes()
        }
        assert states == {"T"}
    assert durable_cluster.sql("SELECT 1") == "1"


def test_another_process_that_takes_the_port_is_evaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was free may be taken before the server listens: another one is tried."""
    _skip_without_postgres()
    with open_cluster() as first:
        ports = iter([first.port, first.port, free_port()])
        monkeypatch.setattr(postgres_cluster, "free_port", lambda: next(ports))
        with open_cluster() as second:
            assert second.port != first.port
            assert second.sql("SELECT 1") == "1"


def test_without_postgresql_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence is for whoever typed `make sandbox DATABASE=postgres`."""
    monkeypatch.setattr(postgres_programs, "PLACES", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PostgresMissing, match="apt install postgresql"):
        find_programs()


def test_the_newest_version_counts_and_an_old_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9.6 is not newer than 15, and 14 alone is too old."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgres_programs, "PLACES", (f"{tmp_path}/*/bin",))

    def add(version: str) -> None:
        for name in postgres_programs.NEEDED:
            program = tmp_path / version / "bin" / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f"#!/bin/sh\n/bin/echo 'postgres (PostgreSQL) {version}.2'\n")
            program.chmod(0o755)

    add("14")
    add("9.6")
    with pytest.raises(PostgresMissing, match="PostgreSQL 14 is too old, 15 or newer"):
        find_programs()
    add("17")
    add("16")
    assert find_programs() == postgres_programs.Programs(tmp_path / "17" / "bin", 17)


def test_root_never_runs_a_server() -> None:
    """PostgreSQL refuses it, and so its files belong to somebody else."""
    _skip_without_postgres()
    with open_cluster() as cluster:
        owner = cluster.data.stat().st_uid
        assert owner != 0
        assert os.geteuid() in {0, owner}


def test_pgbouncer_shares_connections_by_transaction(
    pgbouncer_before: PgBouncer, postgres_database: PostgresDatabase
) -> None:
    """It is the mode in which a session has no state: the real one says that it runs in it."""
    admin = pgbouncer_before.cluster
    direct, admin.port = admin.port, pgbouncer_before.port
    try:
        assert "pool_mode|transaction" in admin.sql("SHOW CONFIG;", "pgbouncer")
        assert postgres_database.sql("SELECT 1") == "1"
    finally:
        admin.port = direct


def _skip_without_postgres() -> None:
    try:
        find_programs()
    except PostgresMissing as error:
        pytest.skip(str(error))
