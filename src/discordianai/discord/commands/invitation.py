"""The link that adds the bot to a server, with exactly the permissions it needs there."""

from urllib.parse import urlencode

from discordianai.discord.events.permissions import (
    ATTACH_FILES,
    CREATE_PUBLIC_THREADS,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    VIEW_CHANNEL,
)

SCOPES = ("bot", "applications.commands")
"""To be a member of the server, and to register the commands."""

AUTHORIZE = "https://discord.com/oauth2/authorize"


NEEDED = (
    VIEW_CHANNEL  # hear messages that mention it, and write where it was asked
    | SEND_MESSAGES  # answers to mentions, and what comes after an interaction's 15 minutes
    | ATTACH_FILES  # answers that are too long for messages
    | READ_MESSAGE_HISTORY  # Discord takes a reply from nobody else
    | CREATE_PUBLIC_THREADS  # `/ask thread:true`
    | SEND_MESSAGES_IN_THREADS  # answers there
)
"""The permissions that the bot needs. Answers to commands need none but the one for files; the others are for
what it writes as a member."""


def link(application_id: int) -> str:
    """The page on which somebody who manages a server adds the bot."""
    wanted = {"client_id": application_id, "scope": " ".join(SCOPES), "permissions": NEEDED}
    return f"{AUTHORIZE}?{urlencode(wanted)}"
