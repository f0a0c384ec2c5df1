"""Which privileged intent the bot asks for, and what to do where Discord does not grant it.

Does not import the Discord library: `check` uses it, too, to look beforehand whether the intent is granted.
"""

from discordianai.settings import DiscordSettings

MESSAGE_CONTENT = "message content"
"""The text of messages: privileged, so Discord asks why a bot needs it."""

GRANT_IT = (
    "switch on Message Content Intent at https://discord.com/developers/applications (your application, page"
    ' Bot), or set respond_to = "commands" in [discord]'
)


def privileged(settings: DiscordSettings) -> frozenset[str]:
    """The privileged intents that these settings need: none for commands, buttons and menus."""
    return frozenset({MESSAGE_CONTENT}) if settings.respond_to == "mentions" else frozenset()
