"""Which privileged intent the bot asks for, and what helps where Discord does not grant it.

Without the Discord library: the listener asks for it, `check` looks beforehand whether it is granted.
"""

from discordianai.settings.tables import DiscordSettings

MESSAGE_CONTENT = "message content"
"""What messages say: privileged, and Discord asks why a bot wants it."""

GRANT_IT = (
    "switch on Message Content Intent at https://discord.com/developers/applications (your application, page"
    ' Bot), or set respond_to = "commands" in [discord]'
)


def privileged(settings: DiscordSettings) -> frozenset[str]:
    """The privileged intents that these settings need: none for commands, buttons and menus."""
    return frozenset({MESSAGE_CONTENT}) if settings.respond_to == "mentions" else frozenset()
