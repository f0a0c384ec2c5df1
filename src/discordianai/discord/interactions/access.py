"""Who may do what where. Pure functions, so that the whole policy can be read as a table."""

from collections.abc import Collection, Sequence

from discordianai.discord.interactions.interaction import MANAGE_MESSAGES, EventOrigin
from discordianai.discord.messages.buttons import Button
from discordianai.discord.options import BotOptions

BLOCKED = "You can't use this bot here."
NOT_LISTED = "This bot only answers certain people, and you're not on the list."
NO_DIRECT_MESSAGES = "I don't answer direct messages. Please ask me in a server."
WRONG_PLACE = "I don't answer in this channel."
WRONG_SERVER = "I don't answer in this server."
WRONG_ROLE = "You need another role to use this bot."
NOT_YOURS = "Only the person who asked, or someone who can manage messages, can use this button."


def refusal(origin: EventOrigin, rules: BotOptions, lineage: Sequence[int]) -> str | None:
    """Why this person may not ask here, in words for them; None when they may. Admins always may.

    `lineage` is the channel and what is above it: a list that names a category, or a thread's channel, covers
    all that is below. What is blocked is blocked, also where it is allowed by another list.
    """
    if is_admin(origin, rules):
        return None
    person, place = origin.person.id, origin.place
    guild = set() if place.guild_id is None else {place.guild_id}
    if person in rules.blocked_user_ids or _meets(rules.blocked_role_ids, origin.role_ids):
        return BLOCKED
    if not _allows(rules.allowed_user_ids, {person}):
        return NOT_LISTED
    if not guild and not rules.direct_messages:
        return NO_DIRECT_MESSAGES
    if guild and (not _allows(rules.guild_ids, guild) or _meets(rules.blocked_guild_ids, guild)):
        return WRONG_SERVER
    if not _allows(rules.allowed_channel_ids, lineage) or _meets(rules.blocked_channel_ids, lineage):
        return WRONG_PLACE
    if not _allows(rules.allowed_role_ids, origin.role_ids):
        return WRONG_ROLE  # in direct messages nobody has one to show
    return None


def is_admin(origin: EventOrigin, rules: BotOptions) -> bool:
    """Whether the operator has named this person as one."""
    return origin.person.id in rules.admin_user_ids


def may_press(origin: EventOrigin, button: Button, rules: BotOptions) -> bool:
    """Whether this person may press it: who asked, admins, and people who may manage messages."""
    return origin.person.id == button.person_id or is_admin(origin, rules) or origin.may(MANAGE_MESSAGES)


def _allows(listed: Collection[int], held: Collection[int]) -> bool:
    """An empty list allows everybody."""
    return not listed or _meets(listed, held)


def _meets(listed: Collection[int], held: Collection[int]) -> bool:
    return not set(listed).isdisjoint(held)
