"""Fixtures with a real PostgreSQL and a real PgBouncer; tests that ask for them skip where there is none.

One cluster for each worker, and a new database for each test. It does without fsync: whoever measures, kills
or restarts takes `durable_cluster`, which is the test's own.

They all have the mark `postgres`, which leaves them to `make test-postgres` and `make test-all`: each worker
that has one of them starts a cluster.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from discordianai.sandbox.postgres_cluster import Cluster, ClusterOptions, open_cluster
from discordianai.sandbox.postgres_programs import PostgresMissing
from discordianai.sandbox.unprivileged import NoAccount
from tests import pgbouncer
from tests.pgbouncer import PgBouncer, open_pgbouncer

CLUSTERS = {"postgres_cluster", "durable_cluster"}


@pytest.hookimpl(tryfirst=True)  # before those with the mark are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a cluster."""
    for item in items:
        if not CLUSTERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.postgres)


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """An empty database of a test. `url` is without the password, as in the settings."""

    cluster: Cluster
    name: str

    @property
    def url(self) -> str:
        """Directly to the server."""
        return self.cluster.url_of(self.name)

    @property
    def password(self) -> str:
        """Of the role in `url`."""
        return self.cluster.password

    def through(self, port: int) -> str:
        """Its URL through a proxy on that port."""
        return self.cluster.url_of(self.name, port)

    def sql(self, statements: str) -> str:
        """What the superuser sees or changes in it."""
        return self.cluster.sql(statements, self.name)


@contextmanager
def running_cluster(options: ClusterOptions) -> Iterator[Cluster]:
    """A cluster while the block runs; the test is skipped where there is no PostgreSQL."""
    try:
        opened = open_cluster(options)
        cluster = opened.__enter__()
    except (PostgresMissing, NoAccount) as error:
        pytest.skip(str(error))
    try:
        yield cluster
    finally:
        opened.__exit__(None, None, None)


@contextmanager
def new_database(cluster: Cluster) -> Iterator[PostgresDatabase]:
    """An empty database while the block runs."""
    name = f"test_{uuid4().hex[:12]}"
    cluster.create_database(name)
    try:
        yield PostgresDatabase(cluster, name)
    finally:
        cluster.drop_database(name)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """The worker's cluster, without fsync."""
    settings = {"synchronous_commit": "on", "full_page_writes": "off"}
    with running_cluster(ClusterOptions(fsync=False, settings=settings)) as cluster:
        yield cluster


@pytest.fixture
def postgres_database(postgres_cluster: Cluster) -> Iterator[PostgresDatabase]:
    """An empty database in the worker's cluster."""
    with new_database(postgres_cluster) as database:
        yield database


@pytest.fixture
def durable_cluster() -> Iterator[Cluster]:
    """A cluster of the test's own, with fsync, which it may stop, restart and freeze."""
    with running_cluster(ClusterOptions()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def pgbouncer_before(postgres_cluster: Cluster) -> Iterator[PgBouncer]:
    """PgBouncer in transaction mode before the worker's cluster."""
    if pgbouncer.installed() is None:
        pytest.skip("PgBouncer is not installed (apt install pgbouncer)")
    with open_pgbouncer(postgres_cluster) as running:
        yield running
