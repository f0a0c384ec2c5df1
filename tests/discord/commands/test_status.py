"""`/status` shows its admins how the bot is."""

from pathlib import Path

from discordianai.discord.commands import status
from tests.discord.commands.builders import invocation, open_services


async def test_it_tells_what_the_bot_says_of_itself(tmp_path: Path) -> None:
    """Who may see that, the router decides by the declaration."""
    assert status.COMMAND.admins_only
    async with open_services(tmp_path) as (services, _):
        assert (await status.COMMAND.handle(invocation(), services)).text == "**Ready**"
