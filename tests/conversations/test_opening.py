"""Which engine the settings choose, and what each needs."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import StoreError

OPEN = """
import sys, trio
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions

async def main():
    async with open_store(ConversationOptions(database=sys.argv[1])) as store:
        await store.identifier_key()

trio.run(main)
print(sorted(name for name in sys.modules if name.startswith("psycopg")))
"""


async def test_a_bot_with_a_file_never_loads_the_client_of_a_server(tmp_path: Path) -> None:
    """It need not be installed, and takes no time and no memory."""
    command = [sys.executable, "-c", OPEN, str(tmp_path / "turns.sqlite3")]
    done = await trio.run_process(command, capture_stdout=True)
    assert done.stdout == b"[]\n"


async def test_without_the_client_a_servers_address_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("discordianai.conversations.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"discordianai\[postgres\]"):
        async with open_store(ConversationOptions(database="postgresql://bot@127.0.0.1/bot")):
            pass


def test_the_bot_itself_loads_it_only_for_a_server() -> None:
    """Not by way of some other module, such as a check."""
    code = "import sys, discordianai.app; print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # our own
    assert done.stdout == "False\n"
