"""Asks a PostgreSQL, from a thread of its own."""

import time
from functools import partial

import trio

from discordianai.conversations import postgres_client
from discordianai.conversations.database_url import DatabaseUrl
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import StoreError
from discordianai.operations.checks.findings import problem
from discordianai.operations.checks.online_check import Tell
from discordianai.operations.checks.postgres_check import SUBJECT, judge


class PostgresCheck:
    """An `OnlineCheck`."""

    name = SUBJECT

    def __init__(self, options: ConversationOptions, url: DatabaseUrl, seconds: float) -> None:
        self._options = options
        self._url = url
        self._seconds = seconds

    async def connect(self, tell: Tell) -> None:
        """Everything at once: it is one connection."""
        if postgres_client.is_missing():
            return  # that is told already
        from discordianai.conversations.postgres.connections import PostgresServer
        from discordianai.conversations.postgres.inspection import inspect

        server = PostgresServer(self._url.text, self._options.database_password)
        began = time.monotonic()
        try:
            found = await trio.to_thread.run_sync(
                partial(inspect, server, self._seconds), abandon_on_cancel=True
            )
        except StoreError as error:
            tell(problem(SUBJECT, str(error), "see docs/scaling.md for what PostgreSQL needs"))
            return
        for finding in judge(found, self._url, time.monotonic() - began):
            tell(finding)

    async def ask(self, seconds: float, tell: Tell) -> None:
        """Nothing more."""
