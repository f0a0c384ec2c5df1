"""Which privileged intent the bot asks for, and what to do if Discord does not grant it.

Does not import the Discord library: `check` uses it, too, to look beforehand whether the intent is granted.
"""

from discordianai.discord.options import BotOptions

MESSAGE_CONTENT = "message content"
"""The text of messages: privileged, so Discord asks why a bot needs it."""

GRANT_IT = (
    "switch on Message Content Intent at https://discord.com/developers/applications (your application, page"
    ' Bot), or set respond_to = "commands" in [discord]'
)


def privileged(options: BotOptions) -> frozenset[str]:
    """The privileged intents that these options need: none for commands, buttons and menus."""
    return frozenset({MESSAGE_CONTENT}) if options.respond_to == "mentions" else frozenset()
