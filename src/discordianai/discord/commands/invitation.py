"""The link that adds the bot to a server, with exactly the permissions it needs there."""

from enum import IntFlag
from urllib.parse import urlencode

SCOPES = ("bot", "applications.commands")
"""To be a member of the server, and to register the commands."""

AUTHORIZE = "https://discord.com/oauth2/authorize"


class Permission(IntFlag):
    """What the bot needs, by Discord's names and numbers, and what for.

    Answers to commands need none but those for files; the others are for what it writes as a member.
    """

    VIEW_CHANNEL = 1 << 10  # hear messages that mention it, and write where it was asked
    SEND_MESSAGES = 1 << 11  # answers to mentions, and what comes after an interaction's 15 minutes
    ATTACH_FILES = 1 << 15  # answers that are too long for messages
    READ_MESSAGE_HISTORY = 1 << 16  # Discord takes a reply from nobody else
    CREATE_PUBLIC_THREADS = 1 << 35  # /ask with thread
    SEND_MESSAGES_IN_THREADS = 1 << 38  # answers there


NEEDED = sum(Permission)
"""All of them, as Discord expects them."""


def link(application_id: int) -> str:
    """The page on which somebody who manages a server adds the bot."""
    wanted = {"client_id": application_id, "scope": " ".join(SCOPES), "permissions": NEEDED}
    return f"{AUTHORIZE}?{urlencode(wanted)}"
