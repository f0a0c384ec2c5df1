"""Which engine is opened, and what each needs to be installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import StoreError

ON_A_FILE = """
import sys, trio
from discordianai import app
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions

async def main():
    async with open_store(ConversationOptions(sys.argv[1])) as store:
        print(store.figures.engine, *(name for name in sys.modules if name.startswith("psycopg")))

trio.run(main)
"""


def test_a_bot_with_a_file_does_not_load_psycopg(tmp_path: Path) -> None:
    """Not everybody has installed it, and nobody else pays for it."""
    command = [sys.executable, "-c", ON_A_FILE, str(tmp_path / "bot.sqlite3")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603  # our own
    assert done.stdout == "SQLite\n"


async def test_without_psycopg_a_url_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the bot starts; `check` says so before."""
    loaded = [name for name in sys.modules if name.startswith("discordianai.conversations.postgres")]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"discordianai\[postgres\]"):
        async with open_store(ConversationOptions("postgresql://bot@localhost/x")):
            pass
