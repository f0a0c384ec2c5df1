"""Who may ask where. One pure function, so that the whole policy can be read as a table."""

from collections.abc import Collection

from discordianai.discord.interaction import Invocation
from discordianai.settings import DiscordSettings

BLOCKED = "You can't use this bot here."
WRONG_PLACE = "I don't answer in this channel."
WRONG_SERVER = "I don't answer in this server."
WRONG_ROLE = "You need another role to use this bot."


def refusal(invocation: Invocation, rules: DiscordSettings) -> str | None:
    """Why this person may not ask here, in words for them; None when they may. Admins always may."""
    if invocation.person.id in rules.admin_user_ids:
        return None
    if invocation.person.id in rules.blocked_user_ids:
        return BLOCKED
    place = invocation.place
    if place.guild_id is not None and not _allows(rules.guild_ids, {place.guild_id}):
        return WRONG_SERVER
    if not _allows(rules.allowed_channel_ids, {place.channel_id}):
        return WRONG_PLACE
    if not _allows(rules.allowed_role_ids, invocation.role_ids):
        return WRONG_ROLE
    return None


def _allows(listed: Collection[int], held: Collection[int]) -> bool:
    """An empty list allows everybody."""
    return not listed or not set(listed).isdisjoint(held)
