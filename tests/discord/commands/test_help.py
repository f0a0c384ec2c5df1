"""`/help` explains what this bot offers."""

from pathlib import Path

import pytest

from discordianai.discord.commands import help as help_
from discordianai.discord.commands.declaration import CommandKind, Offer
from discordianai.discord.commands.registry import COMMANDS
from tests.discord.commands.builders import OFFER, invocation, offering, open_services
from tests.known_providers import FOREIGN

HIDDEN = {"status", "help"}
"""One for admins, and this one."""


@pytest.mark.parametrize(("offer", "missing"), [(OFFER, set()), (offering(FOREIGN), {"search", "model"})])
async def test_every_command_that_is_offered_is_explained_and_no_other(
    tmp_path: Path, offer: Offer, missing: set[str]
) -> None:
    """In a short line each: nobody reads more."""
    async with open_services(tmp_path, offer=offer) as (services, _):
        shown = (await help_.COMMAND.handle(invocation(), services)).text
    most = 200
    for command in COMMANDS:
        if command.kind is CommandKind.MESSAGE:
            assert command.name in shown
        else:
            listed = command.name not in HIDDEN | missing
            assert (f"`/{command.name}` {command.description}" in shown) is listed
            most += 44 if listed else 0
    assert len(shown) < most
