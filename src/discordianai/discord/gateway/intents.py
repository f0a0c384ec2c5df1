"""Which privileged intent the bot asks for, and what helps where Discord does not grant it.

Without the Discord library: the listener asks for it, `check` looks beforehand whether it is granted.
"""

from discordianai.discord.options import BotOptions

MESSAGE_CONTENT = "message content"
"""What messages say: privileged, and Discord asks why a bot wants it."""

GRANT_IT = (
    "switch on Message Content Intent at https://discord.com/developers/applications (your application, page"
    ' Bot), or set respond_to = "commands" in [discord]'
)


def privileged(options: BotOptions) -> frozenset[str]:
    """The privileged intents that these options need: none for commands, buttons and menus."""
    return frozenset({MESSAGE_CONTENT}) if options.respond_to == "mentions" else frozenset()
