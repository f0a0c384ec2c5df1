"""Who may do what where. Pure functions, so that the whole policy can be read as a table."""

from collections.abc import Collection

from discordianai.discord.buttons import Button
from discordianai.discord.interaction import MANAGE_MESSAGES, Origin
from discordianai.settings import DiscordSettings

BLOCKED = "You can't use this bot here."
WRONG_PLACE = "I don't answer in this channel."
WRONG_SERVER = "I don't answer in this server."
WRONG_ROLE = "You need another role to use this bot."
NOT_YOURS = "Only who asked can press this, and people who may manage messages."


def refusal(origin: Origin, rules: DiscordSettings) -> str | None:
    """Why this person may not ask here, in words for them; None when they may. Admins always may."""
    if origin.person.id in rules.admin_user_ids:
        return None
    if origin.person.id in rules.blocked_user_ids:
        return BLOCKED
    place = origin.place
    if place.guild_id is not None and not _allows(rules.guild_ids, {place.guild_id}):
        return WRONG_SERVER
    if not _allows(rules.allowed_channel_ids, {place.channel_id}):
        return WRONG_PLACE
    if not _allows(rules.allowed_role_ids, origin.role_ids):
        return WRONG_ROLE
    return None


def may_press(origin: Origin, button: Button, rules: DiscordSettings) -> bool:
    """Whether this person may press it: who asked, admins, and people who may manage messages."""
    return origin.person.id in {button.person_id, *rules.admin_user_ids} or origin.may(MANAGE_MESSAGES)


def _allows(listed: Collection[int], held: Collection[int]) -> bool:
    """An empty list allows everybody."""
    return not listed or not set(listed).isdisjoint(held)
